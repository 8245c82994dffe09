"""The magnitudes of a matrix, one dense array or a BCOO.

Owns: the few operations in which the two forms differ. Never touches: units, trees.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO

from unitjac import _typed
from unitjac._engine.seeds import gathered
from unitjac._errors import array_text
from unitjac._foreign import refuse_foreign
from unitjac._units.quantity import wide_dtype

from ._axis import inexact


def as_entries(array: Any) -> Any:
    """An array or a BCOO of two dimensions, in a floating or complex dtype.

    Raises
    ------
    ValueError
        If there are more or fewer dimensions, or a BCOO has batched or dense ones.
    """
    if isinstance(array, BCOO):
        if array.ndim != 2 or array.n_batch or array.n_dense:
            raise ValueError(
                "a BCOO of two sparse dimensions was expected, got one of shape "
                f"{tuple(array.shape)} with {array.n_batch} batched and {array.n_dense} dense "
                "dimensions. For a batch write jax.vmap around the function that makes the matrix."
            )
        return with_data(array, inexact(array.data))
    refuse_foreign(array, "the array")
    array = gathered(inexact(array))
    if array.ndim != 2:
        raise ValueError(
            f"an array of two dimensions was expected, got {array_text(array)}. For a batch write "
            "jax.vmap around the function that makes the matrix."
        )
    return array


def with_data(array: BCOO, data: Any) -> BCOO:
    """Other entries in the same places; what is known of the places stays known."""
    return BCOO(
        (data, array.indices),
        shape=array.shape,
        indices_sorted=array.indices_sorted,
        unique_indices=array.unique_indices,
    )


def dense(array: Any) -> jax.Array:
    """One dense array."""
    return array.todense() if isinstance(array, BCOO) else array


def stored(array: BCOO) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values that are stored, their rows and their columns; what pads a BCOO is none."""
    places = np.asarray(array.indices)
    inside = (places < np.array(array.shape)).all(axis=1)
    i, j = np.moveaxis(places[inside], -1, 0)
    return np.asarray(array.data)[inside], i, j


def scaled(array: Any, up: Any, down: Any) -> Any:
    """``array`` with its rows multiplied by ``up`` and its columns by ``down``."""
    if all(isinstance(factor, np.ndarray) and np.all(factor == 1) for factor in (up, down)):
        return array
    dtype = array.dtype
    # 16 bits hold few of the scales of units, and 32 bits all but the product of two
    wide = wide_dtype(dtype)
    up, down = (jnp.asarray(factor, wide) for factor in (up, down))
    if isinstance(array, BCOO):
        factor = up[array.indices[..., 0]] * down[array.indices[..., 1]]
        return with_data(array, (array.data.astype(wide) * factor).astype(dtype))
    return (array.astype(wide) * (up[:, None] * down[None, :])).astype(dtype)


def diagonal(array: Any) -> jax.Array:
    """The entries (i, i)."""
    if not isinstance(array, BCOO):
        return _typed.diagonal(array)
    row, column = array.indices[..., 0], array.indices[..., 1]
    found = jnp.where(row == column, array.data, 0)
    return jnp.zeros(min(array.shape), array.dtype).at[row].add(found, mode="drop")


def part(array: Any, rows: np.ndarray, columns: np.ndarray) -> Any:
    """Some rows and columns; a BCOO stays one where both are without gaps."""
    if _without_gaps(rows) and _without_gaps(columns):
        # what a BCOO loses here stays an entry outside of its shape, neither sorted nor unique
        return array[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return dense(array)[np.ix_(rows, columns)]


def reordered(array: Any, positions: np.ndarray, axis: int) -> Any:
    """The rows or the columns in the order of ``positions``, each of them once."""
    if not isinstance(array, BCOO):
        return jnp.take(array, positions, axis=axis)
    # one place more, since entries that a BCOO leaves unused lie outside of its shape
    places = jnp.append(np.argsort(positions), len(positions)).astype(array.indices.dtype)
    moved = array.indices.at[..., axis].set(places[array.indices[..., axis]])
    return BCOO((array.data, moved), shape=array.shape, unique_indices=array.unique_indices)


def _without_gaps(positions: np.ndarray) -> bool:
    return bool(positions.size) and bool(np.all(np.diff(positions) == 1))
