"""Seeds: the vectors that are pushed forward or pulled back.

Owns: the standard basis of a list of arrays. Never touches: the function.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

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
        eye[:, start : start + size].reshape(total, *np.shape(leaf)).astype(dtype_of(leaf))
        for leaf, start, size in zip(leaves, offsets(leaves), sizes(leaves), strict=False)
    ]
