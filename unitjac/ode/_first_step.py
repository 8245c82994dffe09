"""The first step, in parts of the span that is to be solved for.

Owns: that choice. Never touches: the steps that follow.

E. Hairer, S. P. Norsett and G. Wanner (1993), "Solving Ordinary Differential Equations I", section
II.4, in which 1e-6 is a number of no unit: here it is a part of the span.
"""

# pyright: basic

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ._control import rms


def first_step(slope: Callable[[Any, Any], Any], t: Any, y: Any, scale: Any, order: float) -> Any:
    """A step with which a method of this order makes an error of about the tolerance.

    Parameters
    ----------
    slope : callable
        Of ``(t, y)``.
    scale : array
        Of each number of y, what an error is compared with.
    """
    first, span = t[0], t[-1] - t[0]
    before = slope(first, y)
    size, speed = rms(y / scale), rms(before / scale) * span
    is_small = (size < 1e-5) | (speed < 1e-5)
    guess = jnp.where(is_small, 1e-6, 0.01 * size / jnp.where(is_small, 1.0, speed))
    guess = jnp.minimum(guess, 1.0)
    after = slope(first + guess * span, y + guess * span * before)
    bend = rms((after - before) / scale) * span / guess
    largest = jnp.maximum(speed, bend)
    is_flat = largest <= 1e-15
    fitting = (0.01 / jnp.where(is_flat, 1.0, largest)) ** (1 / order)
    fitting = jnp.where(is_flat, jnp.maximum(1e-6, guess * 1e-3), fitting)
    part = jnp.minimum(jnp.minimum(100 * guess, fitting), 1.0)
    return jax.lax.stop_gradient(jnp.where(jnp.isfinite(part), part, 1e-6) * span)
