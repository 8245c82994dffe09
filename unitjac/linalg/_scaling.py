"""Scales of rows and columns, so that no answer depends on the units a matrix is written in.

Owns: how large each leaf is that a matrix is factorized in. Never touches: the equations.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed

from ._axis import Axis

_SWEEPS = 2


def exponents(array: Any, rows: Axis, cols: Axis) -> tuple[Any, Any]:
    """The binary exponents of the scales of rows and columns, whole numbers, one for each entry.

    ``array * 2.0 ** -(rho[:, None] + gamma)`` has blocks of one size: rho and gamma fit the logs
    of the blocks' largest entries, least squares over ``log2 |a_ij| - rho_i - gamma_j`` by turns
    over rows and columns (A. R. Curtis and J. K. Reid, J. Inst. Maths Applics 10 (1972) 118). The
    fit is leaf by leaf, since a unit belongs to a leaf, and begins in base units, so that it comes
    to the same scales whatever units the matrix is written in. Powers of two round nothing.
    """
    array = jax.lax.stop_gradient(array)
    sizes = tuple(rows.sizes), tuple(cols.sizes)
    return _fit(array, *sizes, np.log2(rows.unit_sizes), np.log2(cols.unit_sizes))


def _fitted(
    array: Any, row_sizes: tuple[int, ...], col_sizes: tuple[int, ...], above: Any, below: Any
) -> tuple[Any, Any]:
    """``above`` and ``below`` are the logs of the units' sizes: no constants of the program."""
    largest = _largest(_largest(_size(array), row_sizes, 0), col_sizes, 1)
    above, below = above.astype(largest.dtype), below.astype(largest.dtype)
    filled = (largest > 0) & jnp.isfinite(largest)
    logs = jnp.where(filled, jnp.log2(largest) + above[:, None] - below, 0)
    per_row, per_column = (jnp.maximum(filled.sum(axis=k), 1) for k in (1, 0))
    rho, gamma = jnp.zeros_like(above), jnp.zeros_like(below)
    for _ in range(_SWEEPS):
        rho = jnp.where(filled, logs - gamma, 0).sum(axis=1) / per_row
        gamma = jnp.where(filled, logs - rho[:, None], 0).sum(axis=0) / per_column
    return _spread(rho - above, row_sizes), _spread(gamma + below, col_sizes)


_fit: Callable[..., tuple[Any, Any]] = jax.jit(_fitted, static_argnums=(1, 2))


def power_of_two(exponent: Any) -> Any:
    """Two to the power of whole numbers, exactly: ``exp2`` is off by a rounding."""
    return jnp.ldexp(jnp.ones_like(exponent), exponent.astype(int))


def column_norms(array: Any) -> Any:
    """The length of each column, one where it is zero."""
    # by the largest entry first: a square must not overflow because of a unit
    array = jax.lax.stop_gradient(array)
    largest = jnp.max(jnp.abs(array), axis=0, initial=0.0)
    largest = jnp.where(largest == 0, 1, largest)
    norms = _typed.norm(array / largest, axis=0)
    return largest * jnp.where(norms == 0, 1, norms)


def _size(array: Any) -> Any:
    """How large the entries are; of a complex one the larger part, which is cheaper than both."""
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        return jnp.maximum(jnp.abs(array.real), jnp.abs(array.imag))
    return jnp.abs(array)


def _largest(size: Any, lengths: Sequence[int], axis: int) -> Any:
    """The largest entry of each leaf along an axis; leaves of one length are one reduction."""
    found: list[jax.Array] = []
    start = 0
    for length, run in itertools.groupby(lengths):
        count = len(list(run))
        stop = start + count * length
        leaves = jax.lax.slice_in_dim(size, start, stop, axis=axis)
        shape = (*size.shape[:axis], count, length, *size.shape[axis + 1 :])
        found.append(jnp.max(leaves.reshape(shape), axis=axis + 1, initial=0))
        start = stop
    return jnp.concatenate(found, axis=axis) if found else size


def _spread(exponent: Any, lengths: Sequence[int]) -> Any:
    """A rounded exponent for each entry, of those for each leaf."""
    leaf_of_entry = np.repeat(np.arange(len(lengths)), lengths)
    return jnp.round(exponent)[leaf_of_entry]
