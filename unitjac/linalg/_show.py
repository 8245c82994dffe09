"""What a person sees of a matrix: its numbers with labels and units, its blocks, a picture of it.

Owns: the description of a matrix. Never touches: the class, algebra, how anything is drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.experimental.sparse import BCOO

from unitjac._display import Label, Number, Report, Table, Words
from unitjac._display import Unit as UnitColumn
from unitjac._errors import has_tracer
from unitjac._units.quantity import is_dimensionless, is_one, unit_product, unit_ratio
from unitjac._units.unit_text import UnitTexts, product_text, quotient_text

from ._entries import dense, stored
from ._shades import heat, strengths

if TYPE_CHECKING:
    from ._axis import Axis

__all__ = ["are_reciprocal", "as_frame", "described", "described_in_full", "entry_unit_text"]

# A matrix of so many columns and entries is shown as a whole, of another one the corner.
_MOST_COLUMNS, _MOST_ENTRIES, _CORNER = 20, 400, 8
# With more columns than these, units stand in the headings alone.
_WITH_OWN_UNITS = 6
_MOST_BLOCKS, _MOST_STORED = 24, 24
_TEXTS = UnitTexts()


def described(array: Any, rows: Axis, cols: Axis) -> Report:
    """The numbers of a small matrix; of another one its blocks, a picture, and some numbers."""
    if not is_known(array) or array.ndim > 2 or not (rows.size and cols.size):
        return _report(array, rows, cols, [_blocks(array, rows, cols)])
    if isinstance(array, BCOO) and array.nse <= min(_MOST_STORED, rows.size * cols.size // 2):
        return _report(array, rows, cols, [_stored(array, rows, cols)])
    if cols.size <= _MOST_COLUMNS and rows.size * cols.size <= _MOST_ENTRIES:
        return _report(array, rows, cols, [_numbers(array, rows, cols)])
    parts = [_blocks(array, rows, cols), heat(array, rows, cols), _corner(array, rows, cols)]
    return _report(array, rows, cols, parts)


def described_in_full(array: Any, rows: Axis, cols: Axis) -> Report:
    """All numbers: those that are stored, one by one; of a dense matrix row by row."""
    if isinstance(array, BCOO):
        return _report(array, rows, cols, [_stored(array, rows, cols)])
    at = rows.shown_entries, cols.shown_entries
    table = _with_headings(np.asarray(array)[np.ix_(*at)], rows, cols, *at)
    return _report(array, rows, cols, [table])


def as_frame(array: Any, rows: Axis, cols: Axis) -> Any:
    """A data frame with labelled rows and columns."""
    from unitjac._display.frame import labelled

    at = rows.shown_entries, cols.shown_entries
    sides = (_names_and_units(axis, where) for axis, where in zip((rows, cols), at, strict=True))
    return labelled(np.asarray(dense(array))[np.ix_(*at)], *sides)


def entry_unit_text(rows: Axis, i: int, cols: Axis, j: int) -> str:
    """The unit of a block, of a covariance as a product of two, row first: ``nS*mV``."""
    if are_reciprocal(rows, cols):
        return product_text(rows.units[i], rows.units[j])
    return quotient_text(rows.units[i], cols.units[j])


def is_known(array: Any) -> bool:
    """Whether there are numbers to be shown: under a trace there are none."""
    return isinstance(array, jax.Array | np.ndarray | BCOO) and not has_tracer(array)


@lru_cache
def are_reciprocal(rows: Axis, cols: Axis) -> bool:
    """Whether columns are in one over the row units, as those of a covariance are."""
    return rows.lies_like(cols) and all(
        is_one(unit_product(r, c)) for r, c in zip(rows.units, cols.units, strict=True)
    )


def _report(array: Any, rows: Axis, cols: Axis, parts: list[Any]) -> Report:
    # a tree operation may have put anything in the array's place: None, a flag, an axis of vmap
    said = [str(getattr(array, "dtype", "no array"))]
    if isinstance(array, BCOO):
        said.append(f"BCOO with {_count(array.nse, 'entry', 'entries')}")
    if getattr(array, "ndim", 2) > 2:
        said.append(f"a batch of {' x '.join(map(str, array.shape[:-2]))}")
    said.append(_units_in_words(rows, cols))
    return Report(f"UnitMatrix {rows.size} x {cols.size}", parts, subtitle=", ".join(said))


def _units_in_words(rows: Axis, cols: Axis) -> str:
    if all(map(is_one, (*rows.units, *cols.units))):
        return "plain numbers"
    return f"row unit {'times' if are_reciprocal(rows, cols) else '/'} column unit"


# -- numbers -----------------------------------------------------------------------------------


def _numbers(array: Any, rows: Axis, cols: Axis) -> Table:
    """The whole matrix; where there is room, the unit of each entry beside it."""
    at = rows.shown_entries, cols.shown_entries
    values = np.asarray(dense(array))[np.ix_(*at)]
    if cols.size > _WITH_OWN_UNITS:
        return _with_headings(values, rows, cols, *at)
    leaf_rows, leaf_cols = _leaf_numbers(rows)[at[0]], _leaf_numbers(cols)[at[1]]
    colours = _shades(values, rows, cols, *at)
    factor = _each(lambda i, j: _plain_factor(rows, i, cols, j), leaf_rows, leaf_cols)
    units = _each(lambda i, j: entry_unit_text(rows, i, cols, j), leaf_rows, leaf_cols)
    columns = [
        Number(
            name,
            list(map(_times, values[:, k], factor[:, k])),
            ["" if unit == "1" else unit for unit in units[:, k]],
            shades=list(colours[:, k]),
        )
        for k, name in enumerate(_names(cols, at[1]))
    ]
    return Table((Label("", _names(rows, at[0])), *columns))


def _with_headings(
    values: np.ndarray, rows: Axis, cols: Axis, at_rows: np.ndarray, at_cols: np.ndarray
) -> Table:
    """Some rows and columns: row units beside the names, column units in the headings."""
    colours = _shades(values, rows, cols, at_rows, at_cols)
    above = rows if are_reciprocal(rows, cols) else cols
    row_names, row_units = _names_and_units(rows, at_rows)
    columns = [
        Number(name, list(values[:, k]), unit, shades=list(colours[:, k]))
        for k, (name, unit) in enumerate(zip(*_names_and_units(above, at_cols), strict=True))
    ]
    return Table((Label("row", row_names, row_units if any(row_units) else ()), *columns))


def _corner(array: Any, rows: Axis, cols: Axis) -> Table:
    """The first rows and columns of a matrix that is too large."""
    at = rows.shown_entries[:_CORNER], cols.shown_entries[:_CORNER]
    values = _cut_out(array, *at) if isinstance(array, BCOO) else np.asarray(array)[np.ix_(*at)]
    table = _with_headings(values, rows, cols, *at)
    said = f"{len(at[0])} of {rows.size:,} rows and {len(at[1])} of {cols.size:,} columns"
    return Table(table.columns, caption=f"The first {said}")


def _cut_out(array: BCOO, at_rows: np.ndarray, at_cols: np.ndarray) -> np.ndarray:
    """A part of a BCOO, without a dense copy of the whole."""
    values, i, j = stored(array)
    inside = np.isin(i, at_rows) & np.isin(j, at_cols)
    place = {int(k): n for n, k in enumerate(at_rows)}, {int(k): n for n, k in enumerate(at_cols)}
    part = np.zeros((len(at_rows), len(at_cols)), values.dtype)
    for value, row, col in zip(values[inside], i[inside], j[inside], strict=True):
        part[place[0][int(row)], place[1][int(col)]] += value
    return part


def _stored(array: BCOO, rows: Axis, cols: Axis) -> Table:
    """Each entry that is stored, with its unit."""
    values, i, j = stored(array)
    leaf_rows, leaf_cols = _leaf_numbers(rows)[i].tolist(), _leaf_numbers(cols)[j].tolist()
    leaves = list(zip(leaf_rows, leaf_cols, strict=True))
    factors = [_plain_factor(rows, a, cols, b) for a, b in leaves]
    return Table(
        (
            Label("row", _names(rows, i)),
            Label("column", _names(cols, j)),
            Number("value", list(map(_times, values, factors))),
            UnitColumn("unit", [entry_unit_text(rows, a, cols, b) for a, b in leaves]),
        )
    )


def _shades(
    values: np.ndarray, rows: Axis, cols: Axis, at_rows: np.ndarray, at_cols: np.ndarray
) -> np.ndarray:
    i, j = np.repeat(at_rows, len(at_cols)), np.tile(at_cols, len(at_rows))
    return strengths(values.ravel(), i, j, rows, cols).reshape(values.shape)


def _each(function: Callable[[int, int], Any], rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """What a function of two leaves gives for each entry; it is called once for each two."""
    known = {(i, j): function(i, j) for i, j in set(itertools.product(rows, cols))}
    return np.array([[known[i, j] for j in cols] for i in rows], dtype=object)


def _plain_factor(rows: Axis, i: int, cols: Axis, j: int) -> float:
    """A block without a dimension is shown as the plain numbers that it is: V over mV is 1000."""
    unit = unit_ratio(rows.units[i], cols.units[j])
    return unit.magnitude if is_dimensionless(unit) else 1.0


def _times(value: Any, factor: float) -> Any:
    """In 64 bits, since a factor may leave what the dtype holds; the number itself times one."""
    return value if factor == 1 else _in_64_bits(value) * factor


def _in_64_bits(values: Any) -> Any:
    return values.astype(complex if np.iscomplexobj(values) else float)


def _leaf_numbers(axis: Axis) -> np.ndarray:
    return np.repeat(np.arange(len(axis.units)), axis.sizes)


def _names(axis: Axis, at: np.ndarray) -> list[str]:
    labels = axis.entry_labels
    return [labels[k] or str(k) for k in at]


def _names_and_units(axis: Axis, at: np.ndarray) -> tuple[list[str], list[str]]:
    units = axis.entry_units
    return _names(axis, at), [_TEXTS.of(units[int(k)]) for k in at]


# -- blocks ------------------------------------------------------------------------------------


def _blocks(array: Any, rows: Axis, cols: Axis) -> Table:
    """A row for each block: which, what shape and unit, from the smallest number to the largest."""
    pairs = list(itertools.islice(itertools.product(rows.shown, cols.shown), _MOST_BLOCKS))
    more = len(rows.units) * len(cols.units) - len(pairs)
    columns = (
        Label("row", [rows.labels[i] or "." for i, _ in pairs]),
        Label("column", [cols.labels[j] or "." for _, j in pairs]),
        Words("shape", [str(rows.shapes[i] + cols.shapes[j]) for i, j in pairs]),
        UnitColumn("unit", [entry_unit_text(rows, i, cols, j) for i, j in pairs]),
        *_ranges(array, rows, cols, pairs),
    )
    return Table(columns, notes=[f"and {_count(more, 'block', 'blocks')} more"] if more else [])


def _ranges(array: Any, rows: Axis, cols: Axis, pairs: list[tuple[int, int]]) -> Iterator[Any]:
    if not is_known(array):
        yield Words("values", ["traced" if hasattr(array, "dtype") else repr(array)] * len(pairs))
        return
    parts = list(_parts(array, rows, cols, pairs))
    if isinstance(array, BCOO):
        yield Words("stored", [f"{part.size:,}" for part in parts])
    if np.issubdtype(array.dtype, np.complexfloating):
        yield Number("largest in size", [_end(np.max, np.abs(part)) for part in parts])
        return
    yield Number("smallest", [_end(np.min, part) for part in parts])
    yield Number("largest", [_end(np.max, part) for part in parts])


def _parts(
    array: Any, rows: Axis, cols: Axis, pairs: list[tuple[int, int]]
) -> Iterator[np.ndarray]:
    """The numbers of each block as they are shown, in 64 bits: a factor may leave the dtype."""
    values, at_row, at_col = (
        stored(array) if isinstance(array, BCOO) else (np.asarray(array), None, None)
    )
    values = _in_64_bits(values)
    for i, j in pairs:
        row, col = rows.spans[i], cols.spans[j]
        if at_row is None or at_col is None:
            part = values[..., row, col]
        else:  # without a dense copy, which may not fit
            inside = (row.start <= at_row) & (at_row < row.stop)
            part = values[inside & (col.start <= at_col) & (at_col < col.stop)]
        yield part * _plain_factor(rows, i, cols, j)


def _end(end: Callable[[np.ndarray], Any], values: np.ndarray) -> float | None:
    return float(end(values)) + 0.0 if values.size else None


def _count(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"
