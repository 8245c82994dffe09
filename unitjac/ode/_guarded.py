"""A solver that notices when time stands still, and whose rejected steps have no derivative.

Owns: both. Never touches: the step itself, units.

A step that is too large may overflow. It is rejected, and nothing that follows depends on it; but
to pull back a zero through numbers that are not finite gives nan. So where all that comes back to a
step is zero, zero is what it hands on.
"""

# pyright: basic

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ._around import Around
from ._open import eqx


class Guarded(Around):
    """A solver, and whether it is differentiated in reverse mode."""

    is_pulled: bool = eqx.field(static=True)

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> Any:
        """What the solver carries from step to step."""
        return self.inner.init(terms, t0, t1, y0, args)

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        """The right-hand side."""
        return self.inner.func(terms, t0, y0, args)

    def step(
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: Any,
        args: Any,
        solver_state: Any,
        made_jump: Any,
    ) -> Any:
        """A step of the solver."""

        def step(given: Any) -> Any:
            inner, _, t0, t1, *_ = given
            arguments = given[1:]
            y1, error, dense, after, result = inner.step(*arguments)
            # a step so small that its end is its start is none, and is not to be taken for one
            error = jnp.where(t1 > t0, error, jnp.inf)
            return (y1, error, dense, after), result

        given = (self.inner, terms, t0, t1, y0, args, solver_state, made_jump)
        (y1, error, dense, after), result = _guard(step, given) if self.is_pulled else step(given)
        return y1, error, dense, after, result


def _guard(step: Any, given: Any) -> Any:
    arrays, rest = eqx.partition(given, eqx.is_array)
    leaves, tree = jax.tree.flatten(arrays)
    is_real = [jnp.issubdtype(jnp.result_type(x), jnp.floating) for x in leaves]
    real = [x for x, yes in zip(leaves, is_real, strict=True) if yes]
    other = [x for x, yes in zip(leaves, is_real, strict=True) if not yes]

    def of_parts(real: list[Any], other: list[Any]) -> Any:
        reals, others = iter(real), iter(other)
        again = tree.unflatten([next(reals if yes else others) for yes in is_real])
        return step(eqx.combine(again, rest))

    def forward(real: list[Any], other: list[Any]) -> Any:
        return of_parts(real, other), (real, other)

    def backward(kept: Any, cotangents: Any) -> Any:
        real, other = kept

        def of_real(real: list[Any]) -> Any:
            return of_parts(real, other)

        pull = jax.vjp(of_real, real, has_aux=True)[1]
        cotangent, _ = cotangents
        sums = [jnp.all(x == 0) for x in jax.tree.leaves(cotangent) if _has_tangent(x)]
        is_zero = jnp.all(jnp.stack(sums))
        return jax.tree.map(lambda x: jnp.where(is_zero, 0, x), pull(cotangent)[0]), None

    guarded: Any = jax.custom_vjp(of_parts)
    guarded.defvjp(forward, backward)
    return guarded(real, other)


def _has_tangent(x: Any) -> bool:
    return x.dtype != jax.dtypes.float0
