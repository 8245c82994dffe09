"""Seeds: the vectors that are pushed forward or pulled back.

Owns: the standard basis of a list of arrays, random directions, and of which type a seed is: it
has the dtype of its array, and lies on the devices as that one does. Never touches: the function.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import NamedSharding, PartitionSpec, get_abstract_mesh

from unitjac import _typed
from unitjac._errors import common_dtype, dtype_of, in_full, sharding_of

MANY = 256
"""From so many blocks on, a program that cuts them all keeps the compiler too long."""


def sizes(leaves: Sequence[Any]) -> list[int]:
    """How many numbers each leaf holds."""
    return [math.prod(np.shape(leaf)) for leaf in leaves]


def is_symbolic(leaves: Sequence[Any]) -> bool:
    """Whether a size is a symbol of ``jax.export`` in place of a number."""
    return not all(_typed.is_a(size, int) for size in sizes(leaves))


def offsets(leaves: Sequence[Any]) -> list[int]:
    """Where each leaf begins in the flat vector of all, and where the last one ends."""
    return [0, *itertools.accumulate(sizes(leaves))]


def basis(leaves: Sequence[Any]) -> list[Any]:
    """The standard basis: for each leaf an array of shape ``(total size, *leaf.shape)``.

    Each seed has its leaf's dtype, so that leaves of different precision stand side by side.
    """
    total = sum(sizes(leaves))
    dtypes = set(map(dtype_of, leaves))
    with in_full(*dtypes):
        eye = jnp.eye(total, dtype=dtypes.pop() if len(dtypes) == 1 else bool)
        return [
            placed_like(part.astype(dtype_of(leaf)), leaf)
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
    with in_full(*map(dtype_of, leaves)):
        return [
            placed_like(
                (rows[:, None] == jnp.arange(start, start + size, dtype=rows.dtype)[None, :])
                .astype(dtype_of(leaf))
                .reshape(rows.shape[0], *np.shape(leaf)),
                leaf,
            )
            for leaf, start, size in zip(leaves, offsets(leaves), sizes(leaves), strict=False)
        ]


def filled(value: Any, leaf: Any) -> Any:
    """One seed of ``leaf``, with the same number everywhere."""
    with in_full(dtype_of(leaf)):
        return placed_like(jnp.full(np.shape(leaf), value, dtype_of(leaf)), leaf)


def gathered(array: Any) -> Any:
    """``array`` with no axis spread over an Explicit axis of a mesh: then it can be reshaped."""
    sharding = sharding_of(array)
    if sharding is None:
        return array
    return jax.sharding.reshard(array, NamedSharding(sharding.mesh, PartitionSpec()))


def joined(parts: Sequence[Any], axis: int) -> Any:
    """Arrays one after the other along an axis, in their common dtype."""
    dtype = common_dtype(parts)
    with in_full(dtype):
        return jnp.concatenate([part.astype(dtype) for part in parts], axis)


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


def directions(key: Any, leaves: Sequence[Any], count: int | None = None) -> list[Any]:
    """Random seeds: every entry is normal, of mean zero and variance one.

    With a count, that many of them, along a first axis.
    """
    before = () if count is None else (count,)
    keys = jax.random.split(key, len(leaves)) if leaves else ()
    with in_full(*map(dtype_of, leaves)):
        return [
            placed_like(jax.random.normal(k, before + np.shape(leaf), dtype_of(leaf)), leaf)
            for k, leaf in zip(keys, leaves, strict=True)
        ]


def placed_like(seeds: Any, leaf: Any) -> Any:
    """Seeds of the type of ``leaf``, which may have an axis before those of ``leaf``.

    Under ``jax.set_mesh`` with Explicit axes they lie on the devices as ``leaf`` does, and inside
    ``jax.shard_map`` they differ from device to device where ``leaf`` does.
    """
    sharding = sharding_of(leaf)
    if sharding is not None and not get_abstract_mesh().empty:
        before = [None] * (seeds.ndim - np.ndim(leaf))
        seeds = jax.sharding.reshard(seeds, PartitionSpec(*before, *sharding.spec))
    if not _typed.is_a(leaf, Tracer):
        return seeds
    kind = jax.typeof(leaf)
    axes = getattr(getattr(kind, "mat", None), "varying", None) or getattr(kind, "vma", None)
    return seeds + jnp.zeros_like(leaf) if axes else seeds
