"""How large an error is, as the control of steps sees it.

Owns: the norms. Never touches: tolerances, steps.
"""

# pyright: basic

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


def rms(x: Any) -> Any:
    """The root of the mean square; inf for nan, so that a step that fails is tried in parts."""
    found = jnp.sqrt(jnp.mean(x * x))
    return jnp.where(jnp.isnan(found), jnp.inf, found)


def largest_row(x: Any) -> Any:
    """The largest of the rows of a state and its sensitivities."""
    if jnp.ndim(x) < 2:
        return rms(x)
    found = jnp.max(jnp.sqrt(jnp.mean(x * x, axis=-1)))
    return jnp.where(jnp.isnan(found), jnp.inf, found)


def first_row(x: Any) -> Any:
    """The state alone; a sensitivity that is not finite counts."""
    if jnp.ndim(x) < 2:
        return rms(x)
    return jnp.where(jnp.all(jnp.isfinite(x)), rms(x[0]), jnp.inf)
