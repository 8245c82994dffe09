"""Gradients from slopes along random directions.

Owns: the slopes, and the estimate that is made of them. Never touches: units, states, how far a
direction goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from unitjac._errors import dtype_of

from . import direction
from .dense import Pure


def slopes_along(
    fun: Pure, leaves: list[Any], tangents: list[Any], many: bool
) -> tuple[list[Any], list[Any], Any]:
    """``(outputs, slopes, carried)``; with many tangents a slope has a first axis for them.

    ``fun`` is called once, and nothing is kept for a backward pass.
    """

    def push_once(tangents: list[Any]) -> Any:
        return direction.jvp(fun, (leaves,), (tangents,), has_aux=True)

    if not leaves:
        outputs, carried = fun(leaves)
        return outputs, [jnp.zeros_like(out) for out in outputs], carried
    push: Callable[..., Any] = jax.vmap(push_once, out_axes=(None, 0, None)) if many else push_once
    return push(tangents)


def estimated(slope: Any, direction: Any, scale: Any) -> Any:
    """The gradient that the slope along ``scale * direction`` speaks for, on average.

    With a gradient g, the slope is the sum of ``g * scale * direction``; times the direction, it
    has the mean ``g * scale``, since the entries of a direction are independent and of variance
    one. Of many, each along a first axis, the mean is taken.
    """
    dtype = dtype_of(direction)
    wide = jnp.promote_types(dtype, dtype_of(slope))
    slope, direction = jnp.asarray(slope, wide), jnp.asarray(direction, wide)
    if slope.ndim:
        found = jnp.mean(jax.vmap(jnp.multiply)(slope, direction), axis=0)
    else:
        found = slope * direction
    return (found / jnp.asarray(scale, wide)).astype(dtype)
