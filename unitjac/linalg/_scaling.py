"""Scales taken from a matrix itself, so that no answer depends on the units it is written in.

Owns: the equilibration of rows and columns. Never touches: units.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def equilibrate(array: Any, sweeps: int = 2) -> tuple[Any, Any, Any]:
    """``(scaled, r, c)`` with ``array = r[:, None] * scaled * c`` and entries of one size.

    r and c are powers of two, so that scaling rounds nothing. Their exponents fit those of the
    entries that are not zero, least squares over ``exponent(a_ij) - rho_i - gamma_j`` by turns
    over rows and columns (A. R. Curtis and J. K. Reid, J. Inst. Maths Applics 10 (1972) 118):
    a row or column in another unit moves its own exponent and nothing else.
    """
    exponents, filled = _exponents(array)
    rho = jnp.zeros(array.shape[0], exponents.dtype)
    gamma = jnp.zeros(array.shape[1], exponents.dtype)
    per_row, per_column = (jnp.maximum(filled.sum(axis=k), 1) for k in (1, 0))
    for _ in range(sweeps):
        rho = jnp.where(filled, exponents - gamma, 0).sum(axis=1) / per_row
        gamma = jnp.where(filled, exponents - rho[:, None], 0).sum(axis=0) / per_column
    r, c = (jnp.exp2(jnp.round(e)).astype(array.real.dtype) for e in (rho, gamma))
    return array / r[:, None] / c, r, c


def balance(array: Any, sweeps: int = 3) -> tuple[Any, Any]:
    """``(balanced, d)`` with ``array = d[:, None] * balanced / d``: the same eigenvalues.

    The exponents of d fit ``exponent(a_ij) = d_i - d_j`` as those of :func:`equilibrate` do.
    """
    exponents, filled = _exponents(array)
    d = jnp.zeros(array.shape[0], exponents.dtype)
    count = jnp.maximum(filled.sum(axis=0) + filled.sum(axis=1), 1)
    for _ in range(sweeps):
        by_row = jnp.where(filled, exponents + d, 0).sum(axis=1)
        by_column = jnp.where(filled, exponents - d[:, None], 0).sum(axis=0)
        d = (by_row - by_column) / count
    d = jnp.exp2(jnp.round(d - d.mean())).astype(array.real.dtype)
    return array / d[:, None] * d, d


def column_norms(array: Any) -> Any:
    """The length of each column, one where it is zero."""
    # by the largest entry first: a square must not overflow because of a unit
    largest = jnp.max(jnp.abs(array), axis=0, initial=0.0)
    largest = jnp.where(largest == 0, 1, largest)
    return largest * jnp.where(largest == 0, 1, jnp.linalg.norm(array / largest, axis=0))


def _exponents(array: Any) -> tuple[Any, Any]:
    """The binary exponents of the entries, and where an entry is not zero."""
    array = jax.lax.stop_gradient(array)
    size = jnp.abs(array)
    filled = (size != 0) & jnp.isfinite(size)
    _, exponents = jnp.frexp(jnp.where(filled, size, 1))
    return exponents.astype(size.dtype), filled
