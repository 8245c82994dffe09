"""Seeds: the vectors that are pushed forward or pulled back.

Owns: the standard basis of a list of arrays. Never touches: the function.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from unitjac import _typed
from unitjac._errors import dtype_of


def sizes(leaves: Sequence[Any]) -> list[int]:
    """How many numbers each leaf holds."""
    return [math.prod(np.shape(leaf)) for leaf in leaves]


def offsets(leaves: Sequence[Any]) -> list[int]:
    """Where each leaf begins in the flat vector of all, and where the last one ends."""
    return [0, *np.cumsum(sizes(leaves), dtype=int).tolist()]


def basis(leaves: Sequence[Any]) -> list[Any]:
    """The standard basis: for each leaf an array of shape ``(total size, *leaf.shape)``.

    Each seed has its leaf's dtype, so that leaves of different precision stand side by side.
    """
    total = sum(sizes(leaves))
    eye = jnp.eye(total, dtype=jnp.result_type(*[dtype_of(leaf) for leaf in leaves]))
    return [
        _vary_like(part.astype(dtype_of(leaf)), leaf)
        for part, leaf in zip(cut(eye, leaves, 1), leaves, strict=True)
    ]


def one_hot(rows: Any, leaves: Sequence[Any]) -> list[Any]:
    """Some vectors of the standard basis, made without the others.

    Parameters
    ----------
    rows : int array of shape (k,)
        Which ones; those beyond the last are zero.
    leaves : sequence of array
        What the basis is of.

    Returns
    -------
    list of array of shape ``(k, *leaf.shape)``
    """
    return [
        _vary_like(
            (rows[:, None] == jnp.arange(start, start + size))
            .astype(dtype_of(leaf))
            .reshape(rows.shape[0], *np.shape(leaf)),
            leaf,
        )
        for leaf, start, size in zip(leaves, offsets(leaves), sizes(leaves), strict=False)
    ]


def cut(array: Any, leaves: Sequence[Any], axis: int) -> list[Any]:
    """Cut one axis of ``array`` into pieces of the leaves' sizes, each in its leaf's shape."""
    if not leaves:
        return []
    axis %= array.ndim
    parts = [array] if len(leaves) == 1 else jnp.split(array, offsets(leaves)[1:-1], axis)
    before, after = array.shape[:axis], array.shape[axis + 1 :]
    return [
        part.reshape(before + np.shape(leaf) + after)
        for part, leaf in zip(parts, leaves, strict=True)
    ]


def cut_rows(matrix: Any, outputs: Sequence[Any]) -> list[Any]:
    """The rows of a matrix by output leaf, each ``(out_i.size, N)``."""
    if len(outputs) == 1:
        return [matrix]
    return jnp.split(matrix, offsets(outputs)[1:-1], axis=0)


def _vary_like(seeds: Any, leaf: Any) -> Any:
    """Seeds that differ from device to device where ``leaf`` does, inside ``jax.shard_map``."""
    if not _typed.is_a(leaf, Tracer):
        return seeds
    kind = jax.typeof(leaf)
    axes = getattr(getattr(kind, "mat", None), "varying", None) or getattr(kind, "vma", None)
    return seeds + jnp.zeros_like(leaf) if axes else seeds
