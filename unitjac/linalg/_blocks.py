"""From a tree of blocks to the array of a matrix, and back.

Owns: the checks of each block against the two axes, the joining and the cutting. Never touches:
the class, algebra.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._errors import dtype_of
from unitjac._foreign import refuse_foreign
from unitjac._units.quantity import (
    Unit,
    attach_block,
    rescale,
    same_dimension,
    strip,
    unit_ratio,
    unit_text,
)

from ._axis import Axis, inexact


def joined(blocks: Any, rows: Axis, cols: Axis) -> jax.Array:
    """The blocks as one array, in the units of the axes.

    Raises
    ------
    ValueError
        If a block has another tree, shape or dimension than the axes say.
    TypeError
        If a block is of dtype ``float0``.
    """
    given = strip(blocks)
    nested = rows.treedef.compose(cols.treedef)
    if given.treedef != nested:
        raise ValueError(
            f"blocks must have the tree {nested}, outputs outside and inputs inside, got "
            f"{given.treedef}."
        )
    leaves = iter(zip(given.magnitudes, given.units, strict=True))
    lines = [
        [_entries(*next(leaves), rows, i, cols, j) for j in range(len(cols.units))]
        for i in range(len(rows.units))
    ]
    if not rows.size or not cols.size:
        return jnp.zeros((rows.size, cols.size))
    return jnp.concatenate([jnp.concatenate(line, axis=1) for line in lines], axis=0)


def cut(array: Any, rows: Axis, cols: Axis) -> Any:
    """The tree of blocks: outputs outside, inputs inside, a unit on each."""

    def block(part: Any, i: int, j: int) -> Any:
        unit = unit_ratio(rows.units[i], cols.units[j])
        return attach_block(part.reshape(rows.shapes[i] + cols.shapes[j]), unit)

    return rows.treedef.unflatten(
        cols.treedef.unflatten(block(part, i, j) for j, part in enumerate(cols.cut(line, axis=1)))
        for i, line in enumerate(rows.cut(array))
    )


def _entries(magnitude: Any, unit: Unit | None, rows: Axis, i: int, cols: Axis, j: int) -> Any:
    """One block as a matrix in the unit that the axes say."""
    where = f"block ({rows.labels[i]}, {cols.labels[j]})"
    shape, want = rows.shapes[i] + cols.shapes[j], unit_ratio(rows.units[i], cols.units[j])
    refuse_foreign(magnitude, where)
    if np.shape(magnitude) != shape:
        raise ValueError(f"{where} must have shape {shape}, got {np.shape(magnitude)}.")
    if dtype_of(magnitude) == jax.dtypes.float0:
        raise TypeError(
            f"{where} is of dtype float0: its input holds whole numbers, by which there is no "
            "derivative. Leave that input out."
        )
    if not same_dimension(unit, want):
        raise ValueError(
            f"{where} is in {unit_text(unit)}, but its output over its input is in "
            f"{unit_text(want)}."
        )
    entries = inexact(jnp.reshape(magnitude, (rows.sizes[i], cols.sizes[j])))
    return rescale(entries, unit_ratio(unit, want))
