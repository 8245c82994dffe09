"""What a person sees of a matrix: a table of blocks in a terminal, HTML in a notebook.

Owns: text and HTML of :class:`UnitMatrix`, and its data frame. Never touches: its entries.
"""

from __future__ import annotations

import html
from typing import Any, Protocol

import numpy as np
from jax.experimental.sparse import BCOO

from unitjac._errors import has_tracer
from unitjac._unit_text import UnitTexts

from ._axis import Axis

_MOST_BLOCKS = 24
_MOST_ENTRIES = 400
_TEXTS = UnitTexts()


class Shown(Protocol):
    """What is needed of a matrix to show it."""

    array: Any
    rows: Axis
    cols: Axis

    @property
    def dense(self) -> Any:
        """The magnitudes as one dense array."""
        ...


def as_text(matrix: Shown) -> str:
    """A line, and a table of blocks with labels, shapes, units and the range of values."""
    head = f"UnitMatrix {matrix.rows.size} x {matrix.cols.size}, {matrix.array.dtype}"
    if isinstance(matrix.array, BCOO):
        head += f", BCOO with {matrix.array.nse} entries"
    blocks = _blocks(matrix)
    rows = [("row", "column", "shape", "unit", "values"), *blocks[:_MOST_BLOCKS]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    more = len(blocks) - _MOST_BLOCKS
    return "\n".join([head, *lines, *([f"... and {more:,} blocks more"] if more > 0 else [])])


def as_html(matrix: Shown) -> str:
    """Values with labels and units where the matrix is small, else the table of blocks."""
    if has_tracer(matrix.array) or matrix.rows.size * matrix.cols.size > _MOST_ENTRIES:
        return f"<pre>{html.escape(as_text(matrix))}</pre>"
    array = np.asarray(matrix.dense)
    row_texts, col_texts = _entry_texts(matrix.rows), _entry_texts(matrix.cols)
    head = "".join(f"<th>{html.escape(text)}</th>" for text in col_texts)
    body = "".join(
        f"<tr><th style='text-align:left'>{html.escape(text)}</th>"
        + "".join(f"<td>{_number(value)}</td>" for value in line)
        + "</tr>"
        for text, line in zip(row_texts, array, strict=True)
    )
    caption = f"UnitMatrix {matrix.rows.size} x {matrix.cols.size}: row unit / column unit"
    return (
        f"<table><caption>{caption}</caption>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def as_frame(matrix: Shown) -> Any:
    """A data frame with labelled rows and columns."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "to_pandas needs pandas, which is not installed. Type: pip install 'unitjac[pandas]'"
        ) from error
    return pd.DataFrame(
        np.asarray(matrix.dense),
        index=pd.MultiIndex.from_arrays(_labels_and_units(matrix.rows), names=("row", "unit")),
        columns=pd.MultiIndex.from_arrays(_labels_and_units(matrix.cols), names=("column", "unit")),
    )


def _blocks(matrix: Shown) -> list[tuple[str, ...]]:
    known = not has_tracer(matrix.array)
    array = np.asarray(matrix.dense) if known else None
    found = []
    for i, row in enumerate(matrix.rows.labels):
        for j, col in enumerate(matrix.cols.labels):
            shape = matrix.rows.shapes[i] + matrix.cols.shapes[j]
            unit = _TEXTS.as_written(matrix.rows.units[i], matrix.cols.units[j])
            values = "traced"
            if array is not None:
                values = _range(array[..., matrix.rows.spans[i], matrix.cols.spans[j]])
            found.append((row or ".", col or ".", str(shape), unit or "1", values))
    return found


def _range(values: np.ndarray) -> str:
    if not values.size:
        return "none"
    if np.iscomplexobj(values):
        return f"up to {_number(np.max(np.abs(values)))} in size"
    low, high = np.min(values), np.max(values)
    return _number(low) if low == high else f"{_number(low)} to {_number(high)}"


def _number(value: Any) -> str:
    return f"{value:.4g}"


def _entry_texts(axis: Axis) -> list[str]:
    labels, units = _labels_and_units(axis)
    return [
        f"{label} ({unit})" if unit else label for label, unit in zip(labels, units, strict=True)
    ]


def _labels_and_units(axis: Axis) -> tuple[list[str], list[str]]:
    units = [_TEXTS.as_written(unit, None) for unit in axis.entry_units]
    return [label or str(k) for k, label in enumerate(axis.entry_labels)], units
