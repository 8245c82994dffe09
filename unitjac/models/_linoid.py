"""The function ``x / (1 - exp(-x))``, right to rounding with all its derivatives, at zero too.

Owns that one function of a plain array. Knows no units and no model.
"""

from __future__ import annotations

from fractions import Fraction
from math import factorial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

__all__ = ["linoid"]

# Below this distance from zero the series stands in. The closed form loses a factor `1 / x` of
# precision with each derivative, which at 1 is nothing in any floating-point type.
_RADIUS = 1.0
# The series converges for |x| < 2 pi. With this order its fourth derivative is still exact to
# double precision at the radius.
_ORDER = 30


def _series(order: int) -> tuple[float, ...]:
    """Coefficients of ``x / (1 - exp(-x)) - x / 2`` in even powers of `x`, B_2k / (2k)!."""
    coefficients = [Fraction(1)]
    for n in range(1, order + 1):
        known = (c / factorial(n + 1 - k) for k, c in enumerate(coefficients))
        coefficients.append(-sum(known, start=Fraction(0)))
    return tuple(float(c) for c in coefficients[::2])


_COEFFICIENTS = _series(_ORDER)


def linoid(x: ArrayLike) -> jax.Array:
    r"""``x / (1 - exp(-x))``, with the value 1 at 0.

    The rate of a gate that opens linearly with voltage. Its value and its derivatives of first to
    fourth order are right at 0, near it and far from it; nothing overflows, and no branch that
    is not taken leaves a nan in a derivative.

    Parameters
    ----------
    x : array
        A dimensionless number of any real floating-point type and any shape.

    Returns
    -------
    array
        The function, in the shape and dtype of `x`.

    Examples
    --------
    >>> import jax
    >>> [round(float(f(0.0)), 4) for f in (linoid, jax.grad(linoid), jax.grad(jax.grad(linoid)))]
    [1.0, 0.5, 0.1667]

    References
    ----------
    Near 0 it is the generating function of the Bernoulli numbers, :math:`\sum_n B_n x^n / n!`
    with :math:`B_1 = +1/2` (NIST Digital Library of Mathematical Functions, 24.2.1).
    """
    x = jnp.asarray(x)
    near = jnp.abs(x) < _RADIUS
    # Each branch sees an argument at which it is finite: jnp.where stops values, not nans in
    # derivatives.
    return jnp.where(near, _near(jnp.where(near, x, 0.0)), _far(jnp.where(near, _RADIUS, x)))


def _near(x: jax.Array) -> jax.Array:
    square = x * x
    total = jnp.zeros_like(x)
    for coefficient in reversed(_COEFFICIENTS):
        total = total * square + coefficient
    return total + x / 2


def _far(x: jax.Array) -> jax.Array:
    # linoid(x) = max(x, 0) + linoid(-|x|), in which every exponential is at most 1.
    a = jnp.abs(x)
    return jnp.maximum(x, 0.0) + a * jnp.exp(-a) / -jnp.expm1(-a)
