"""What a person sees of a matrix: a table of blocks in a terminal, HTML in a notebook.

Owns: text, HTML and data frame of magnitudes along two axes. Never touches: the class, algebra.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax.experimental.sparse import BCOO

from unitjac._errors import has_tracer, needing
from unitjac._units.quantity import is_dimensionless, is_one, unit_product, unit_ratio
from unitjac._units.unit_text import UnitTexts, product_text, quotient_text

from ._axis import Axis
from ._entries import dense

_MOST_BLOCKS = 24
_MOST_ENTRIES = 400
_TEXTS = UnitTexts()


def as_text(array: Any, rows: Axis, cols: Axis) -> str:
    """A line, and a table of blocks with labels, shapes, units and the range of values."""
    # a tree operation may have put anything in the array's place: None, a flag, an axis of vmap
    head = f"UnitMatrix {rows.size} x {cols.size}, {getattr(array, 'dtype', 'no array')}"
    if isinstance(array, BCOO):
        head += f", BCOO with {array.nse:,} entries"
    if getattr(array, "ndim", 2) > 2:
        head += f", a batch of {' x '.join(map(str, array.shape[:-2]))}"
    lines = [
        ("row", "column", "shape", "unit", "values"),
        *itertools.islice(_blocks(array, rows, cols), _MOST_BLOCKS),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    more = len(rows.units) * len(cols.units) - _MOST_BLOCKS
    return "\n".join([head, *table, *([f"... and {more:,} blocks more"] if more > 0 else [])])


def as_html(array: Any, rows: Axis, cols: Axis) -> str:
    """Values with labels and units where the matrix is small, else the table of blocks."""
    if not _is_known(array) or array.ndim > 2 or rows.size * cols.size > _MOST_ENTRIES:
        return f"<pre>{html.escape(as_text(array, rows, cols))}</pre>"
    head = "".join(
        f"<th style='text-align:right'>{html.escape(text)}</th>" for text in _entry_texts(cols)
    )
    body = "".join(
        f"<tr><th style='text-align:left'>{html.escape(text)}</th>"
        + "".join(f"<td>{_number(value)}</td>" for value in line)
        + "</tr>"
        for text, line in zip(_entry_texts(rows), _shown(array, rows, cols), strict=True)
    )
    caption = f"UnitMatrix {rows.size} x {cols.size}: row unit / column unit"
    # styles stand in the elements: pages that show notebooks strip style sheets
    return (
        "<table cellpadding='4' style='text-align:right;font-variant-numeric:tabular-nums'>"
        f"<caption style='text-align:left;white-space:nowrap'>{caption}</caption>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def as_frame(array: Any, rows: Axis, cols: Axis) -> Any:
    """A data frame with labelled rows and columns."""
    with needing("to_pandas", "pandas", "pandas"):
        import pandas as pd
    return pd.DataFrame(
        _shown(array, rows, cols),
        index=pd.MultiIndex.from_arrays(_labels_and_units(rows), names=("row", "unit")),
        columns=pd.MultiIndex.from_arrays(_labels_and_units(cols), names=("column", "unit")),
    )


def entry_unit_text(rows: Axis, i: int, cols: Axis, j: int) -> str:
    """The unit of a block, of a covariance as a product of two, row first: ``nS*mV``."""
    if _are_reciprocal(rows, cols):
        return product_text(rows.units[i], rows.units[j])
    return quotient_text(rows.units[i], cols.units[j])


@lru_cache
def _are_reciprocal(rows: Axis, cols: Axis) -> bool:
    """Whether columns are in one over the row units, as those of a covariance are."""
    return rows.lies_like(cols) and all(
        is_one(unit_product(r, c)) for r, c in zip(rows.units, cols.units, strict=True)
    )


def _blocks(array: Any, rows: Axis, cols: Axis) -> Iterator[tuple[str, ...]]:
    range_of = _ranges(array)
    for i in rows.shown:
        for j in cols.shown:
            row, col = rows.labels[i], cols.labels[j]
            shape, unit = rows.shapes[i] + cols.shapes[j], entry_unit_text(rows, i, cols, j)
            values = range_of(rows.spans[i], cols.spans[j], _plain_factor(rows, i, cols, j))
            yield row or ".", col or ".", str(shape), unit, values


def _plain_factor(rows: Axis, i: int, cols: Axis, j: int) -> float:
    """A block without a dimension is shown as the plain numbers that it is: V over mV is 1000."""
    unit = unit_ratio(rows.units[i], cols.units[j])
    return unit.magnitude if is_dimensionless(unit) else 1.0


def _ranges(array: Any) -> Callable[[slice, slice, float], str]:
    """What gives the range of values of a block, times a factor, in words."""
    if not _is_known(array):
        text = "traced" if hasattr(array, "dtype") else repr(array)
        return lambda rows, cols, factor: text
    if not isinstance(array, BCOO):
        values = np.asarray(array)
        return lambda rows, cols, factor: _range(values[..., rows, cols], factor)
    # without a dense copy, which may not fit
    stored, (i, j) = np.asarray(array.data), np.moveaxis(np.asarray(array.indices), -1, 0)
    return lambda rows, cols, factor: _stored_text(
        stored[(rows.start <= i) & (i < rows.stop) & (cols.start <= j) & (j < cols.stop)], factor
    )


def _is_known(array: Any) -> bool:
    return isinstance(array, jax.Array | np.ndarray | BCOO) and not has_tracer(array)


def _stored_text(values: np.ndarray, factor: float) -> str:
    return f"{values.size:,} stored, {_range(values, factor)}" if values.size else "none stored"


def _range(values: np.ndarray, factor: float) -> str:
    if not values.size:
        return "none"
    if np.iscomplexobj(values):
        return f"up to {_number(float(np.max(np.abs(values))) * factor)} in size"
    # in 64 bits, since a factor may leave what the dtype holds
    low, high = (float(end(values)) * factor for end in (np.min, np.max))
    return _number(low) if low == high else f"{_number(low)} to {_number(high)}"


def _number(value: Any) -> str:
    return f"{value + 0.0:.4g}"  # a zero of either sign is 0


def _entry_texts(axis: Axis) -> list[str]:
    labels, units = _labels_and_units(axis)
    return [
        f"{label} ({unit})" if unit else label for label, unit in zip(labels, units, strict=True)
    ]


def _labels_and_units(axis: Axis) -> tuple[list[str], list[str]]:
    names, order = axis.entry_labels, axis.shown_entries
    units = [_TEXTS.of(axis.entry_units[k]) for k in order]
    return [names[k] or str(k) for k in order], units


def _shown(array: Any, rows: Axis, cols: Axis) -> np.ndarray:
    """The magnitudes, rows and columns in the order in which they are shown."""
    return np.asarray(dense(array))[np.ix_(rows.shown_entries, cols.shown_entries)]
