"""The values in the program of a derivative, and what is known of each.

Owns: levels, carriers, what is done with carriers alone. Never touches: which operation does what.

A value that depends on the tangent is carried as an array of float32, whatever its own dtype is:
nan where it depends, zero elsewhere. Of one that depends on the point only, nothing but shape and
dtype is known, so that what comes out holds for all points.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import jax.numpy as jnp
from jax import lax

from unitjac import _typed


class Level(IntEnum):
    """What a value depends on: nothing, the point, the tangent."""

    FIXED = 0
    POINT = 1
    TANGENT = 2


@dataclass(frozen=True)
class Value:
    """A value of a program: itself where it is fixed, its carrier where it is a tangent."""

    level: Level
    aval: Any
    array: Any = None

    @property
    def is_tangent(self) -> bool:
        """Whether it depends on the tangent."""
        return self.level is Level.TANGENT

    @property
    def carrier(self) -> Any:
        """Nan where it depends on the tangent, zero elsewhere."""
        return self.array if self.is_tangent else jnp.zeros(self.aval.shape, jnp.float32)

    def at(self, level: Level) -> Value:
        """The same value with less known of it."""
        if level is self.level:
            return self
        return Value(level, self.aval, self.carrier if level is Level.TANGENT else None)


Rule = Callable[[Any, list[Value]], list[Any] | None]
"""The carriers of an equation's results; None where all may depend on all."""


_PLACES = {"out_sharding", "sharding"}


def bind(eqn: Any, arrays: Sequence[Any], **others: Any) -> list[Any]:
    """The results of an equation, with some of its parameters replaced, on one device."""
    anywhere = dict.fromkeys(_PLACES & eqn.params.keys())
    got: Any = eqn.primitive.get_bind_params({**eqn.params, **anywhere, **others})
    functions, params = got if _typed.is_a(got, tuple) else ((), got)  # the second since JAX 0.12
    found = eqn.primitive.bind(*functions, *arrays, **params)
    return list(found) if eqn.primitive.multiple_results else [found]


def is_float(aval: Any) -> bool:
    """Whether there are nans of this kind."""
    return jnp.issubdtype(aval.dtype, jnp.inexact)


def marked(mask: Any) -> Any:
    """The carrier that is nan where ``mask`` says."""
    return jnp.where(mask, jnp.float32(jnp.nan), jnp.float32(0))


def along(carrier: Any, dims: Iterable[int], shape: Sequence[int] | None = None) -> Any:
    """Each number depends on all that stand along some dimensions."""
    total = jnp.sum(carrier, tuple(dims), keepdims=True)
    return jnp.broadcast_to(total, carrier.shape if shape is None else shape)


def summed(values: Iterable[Value], shape: Sequence[int]) -> Any:
    """Number by number, what the operands depend on."""
    own = [jnp.broadcast_to(value.array, shape) for value in values if value.is_tangent]
    return functools.reduce(lax.add, own)
