"""Dtypes and devices of arrays that meet: one dtype, and whole where an array is reshaped.

Owns: what JAX does by itself where no flag forbids it. Never touches: units.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.sparse import BCOO


def together(*arrays: Any) -> list[Any]:
    """The arrays in their common dtype, also where ``jax.numpy_dtype_promotion`` is strict."""
    if len({array.dtype for array in arrays}) < 2:
        return list(arrays)
    with jax.numpy_dtype_promotion("standard"):
        dtype = jnp.result_type(*(getattr(array, "data", array) for array in arrays))
    return [cast(array, dtype) for array in arrays]


def cast(array: Any, dtype: Any) -> Any:
    """An array or a BCOO in another dtype."""
    if not isinstance(array, BCOO):
        return array.astype(dtype)
    return BCOO(
        (array.data.astype(dtype), array.indices),
        shape=array.shape,
        indices_sorted=array.indices_sorted,
        unique_indices=array.unique_indices,
    )


def joined_along(axis: int, arrays: list[Any]) -> jax.Array:
    """Arrays one after the other, in their common dtype."""
    return jnp.concatenate(together(*arrays), axis=axis)
