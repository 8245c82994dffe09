"""How strongly the entries of a matrix are coloured.

Owns: which entries are compared with which. Never touches: numbers as text, how a colour is drawn.

Numbers in different units cannot be compared, and each entry may have a unit of its own. So an
entry is compared with those of its dimension, in one unit: no colour changes when an input or an
output is written in another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jax.experimental.sparse import BCOO

from unitjac._display import Heat
from unitjac._units.quantity import Unit, unit_ratio

from ._entries import stored

if TYPE_CHECKING:
    from ._axis import Axis

__all__ = ["heat", "strengths"]

_DECADES = 4  # below the largest; what is smaller has the palest colour
_PALEST = 0.08
_MOST_CELLS = 48


def heat(array: Any, rows: Axis, cols: Axis) -> Heat:
    """A picture of at most 48 by 48 cells, each as strong as the strongest of its entries."""
    if isinstance(array, BCOO):
        values, i, j = stored(array)
    else:
        values = np.asarray(array).ravel()
        i, j = np.divmod(np.arange(values.size), cols.size)
    strong = strengths(values, i, j, rows, cols)
    # where each entry stands in the order in which rows and columns are shown
    to_row, to_col = (np.argsort(axis.shown_entries) for axis in (rows, cols))
    m, n = (min(axis.size, _MOST_CELLS) for axis in (rows, cols))
    at = to_row[i] * m // rows.size, to_col[j] * n // cols.size
    highest, lowest = np.zeros((m, n)), np.zeros((m, n))
    np.maximum.at(highest, at, strong)
    np.minimum.at(lowest, at, strong)
    cells = np.where(highest >= -lowest, highest, lowest)
    each = "a cell for each entry"
    if (m, n) != (rows.size, cols.size):
        each = f"a cell for each {-(-rows.size // m)} x {-(-cols.size // n)} entries"
    said = f"Sizes of the {rows.size:,} x {cols.size:,} entries among those of one dimension, "
    return Heat(
        [[float(x) or None for x in row] for row in cells], f"{said}{each}, over four decades"
    )


def strengths(
    values: np.ndarray, i: np.ndarray, j: np.ndarray, rows: Axis, cols: Axis
) -> np.ndarray:
    """From -1 to 1 for the entries (i, j): the sign, and the size among those of the dimension."""
    values = np.abs(values) if np.iscomplexobj(values) else values.astype(float)
    group, scale = _groups(rows, cols)
    at_row, at_col = _unit_numbers(rows)[i], _unit_numbers(cols)[j]
    with np.errstate(all="ignore"):
        sizes = np.log10(np.abs(values)) + scale[at_row, at_col]
    sizes[~np.isfinite(sizes)] = -np.inf  # zeros, and what is no number
    largest = np.full(group.max(initial=0) + 1, -np.inf)
    np.maximum.at(largest, group[at_row, at_col], sizes)
    with np.errstate(invalid="ignore"):
        strong = 1 + (sizes - largest[group[at_row, at_col]]) / _DECADES
    strong = np.where(np.isfinite(sizes), np.maximum(strong, _PALEST), 0.0)
    return np.where(values < 0, -strong, strong)


def _groups(rows: Axis, cols: Axis) -> tuple[np.ndarray, np.ndarray]:
    """For each pair of a row unit and a column unit: its dimension's number, log10 of its size."""
    over, under = list(dict.fromkeys(rows.units)), list(dict.fromkeys(cols.units))
    group, scale = np.zeros((len(over), len(under)), int), np.zeros((len(over), len(under)))
    known: dict[Any, int] = {}
    for a, one in enumerate(over):
        for b, other in enumerate(under):
            unit = unit_ratio(one, other)
            group[a, b] = known.setdefault(unit.dim, len(known))
            scale[a, b] = np.log10(unit.factor) + unit.scale * np.log10(unit.base)
    return group, scale


def _unit_numbers(axis: Axis) -> np.ndarray:
    """For each entry the number of its unit among those of the axis."""
    numbers: dict[Unit | None, int] = {}
    leaves = [numbers.setdefault(unit, len(numbers)) for unit in axis.units]
    return np.repeat(np.array(leaves, int), axis.sizes)
