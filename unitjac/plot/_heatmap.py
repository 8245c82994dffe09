"""A table of sensitivities, or a small matrix, as coloured cells.

Owns: that picture. Never touches: derivatives, the style.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unitjac.linalg import Axis, UnitMatrix
from unitjac.linalg._show import are_reciprocal
from unitjac.sensitivity import SensitivityTable

from ._labels import short_number
from ._sides import Side, label_columns, label_rows, row_share, row_text
from ._style import (
    NORMAL,
    SMALL,
    Canvas,
    Columns,
    canvas,
    color_bar,
    diverging,
    readable_on,
)

if TYPE_CHECKING:
    from ._style import Axes

_ROW = 13.0  # points from one row to the next
_MOST = 500  # rows or columns
_DECADES = 6  # of the logarithmic part of a scale
_SMALLEST = 4.5  # points: a number in a cell
_ROUNDING = 1e-3  # how far the diagonal of a correlation may be off one


@dataclass(frozen=True)
class _Map:
    """What is drawn: numbers with labels, and how they are coloured."""

    numbers: np.ndarray
    rows: Side
    cols: Side
    title: str
    meaning: str  # of the numbers
    limit: float
    linear: float | None


def heatmap(
    obj: SensitivityTable | UnitMatrix,
    *,
    ax: Axes | None = None,
    columns: Columns | None = None,
    width: Any = None,
    background: Any = None,
) -> Axes:
    """Draw a table of sensitivities or a matrix as coloured cells, blue above zero, orange below.

    Of a table the relative sensitivities, outputs down, parameters across: linear up to 1, and
    logarithmic above, so that one steep cell leaves colour to the others. An empty cell is no
    effect, a dash a relative sensitivity that is undefined.

    Of a matrix the magnitudes, with names and units on both sides, on a scale that is logarithmic
    on either side of zero. Correlations, plain numbers with ones on the diagonal, are on a linear
    scale from -1 to 1. Where cells are too small for numbers, the colours stand alone; where the
    entries of arrays are too many for labels, each array has one.

    Parameters
    ----------
    obj : SensitivityTable or UnitMatrix
        What is drawn. A matrix has at most 500 rows and columns.
    ax : matplotlib.axes.Axes, optional
        Where it is drawn; by default in a new figure.
    columns : {1, 2}, optional
        Width of a new figure in columns of a paper: 85 mm or 175 mm. By default 1 up to eight
        columns of the map.
    width : Quantity or float, optional
        Width of a new figure; a plain number is in millimetres.
    background : color, optional
        What is behind the picture. By default that of `ax`. A new figure is transparent, with ink
        that is readable on white and on dark alike, unless a style sheet is in use.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, for whoever wants to add to them.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If it is neither a table nor a matrix, or a complex matrix.
    ValueError
        If there are too many rows or columns.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.plot import heatmap
    >>> from unitjac.sensitivity import sensitivity_table
    >>> ohm = lambda p: {"I": p["U"] / p["R"]}
    >>> ax = heatmap(sensitivity_table(ohm, {"U": 6.0 * u.volt, "R": 3.0 * u.ohm}))
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['U', 'R']
    """
    found = _of_table(obj) if isinstance(obj, SensitivityTable) else _of_matrix(obj)
    if columns is None:
        columns = 1 if found.cols.size <= 8 else 2
    on = canvas(ax, columns, width, background)
    mappable = diverging(on, found.limit, found.linear)
    on.axes.imshow(
        mappable.to_rgba(np.nan_to_num(found.numbers, posinf=found.limit, neginf=-found.limit)),
        aspect="auto",
        interpolation="nearest",
    )
    pitch_x, pitch_y = _labels(on, found)
    _texts(on, found.numbers, mappable, pitch_x - 3, pitch_y - 3)
    _lines(on, found, min(pitch_x, pitch_y))
    color_bar(on, mappable, found.meaning, lambda length: _ticks(on, found, mappable, length))
    return on.axes


def _of_table(table: SensitivityTable) -> _Map:
    relative = {(row.output, row.parameter): row.relative for row in table.rows}
    cells = [[relative.get((o, p), 0.0) for p in table.inputs] for o in table.outputs]
    numbers = np.array([[math.nan if c is None else c for c in row] for row in cells], float)
    meaning = "% of the output for 1 % of the parameter"
    if np.isnan(numbers).any():
        meaning += " (—: undefined)"
    return _Map(
        numbers.reshape(len(table.outputs), len(table.inputs)),
        Side.of_texts(list(table.outputs)),
        Side.of_texts(list(table.inputs)),
        "Relative sensitivity",
        meaning,
        max(1.0, _largest(numbers)),
        1.0,
    )


def _of_matrix(matrix: Any) -> _Map:
    if not isinstance(matrix, UnitMatrix):
        raise TypeError(
            "a heat map is of a SensitivityTable or a UnitMatrix, got a "
            f"{type(matrix).__name__}. Write UnitMatrix(array, rows=outputs, cols=inputs)."
        )
    if max(matrix.shape) > _MOST:
        raise ValueError(
            f"a heat map has at most {_MOST} rows and columns, and the matrix is "
            f"{matrix.shape[0]:,} x {matrix.shape[1]:,}. Draw a part of it, J[row, column], or its "
            "pattern, unitjac.plot.spy(J)."
        )
    numbers = np.asarray(matrix.dense)
    if np.iscomplexobj(numbers):
        raise TypeError(
            f"the matrix is complex ({numbers.dtype}), and a heat map shows real numbers. Write "
            "heatmap(abs(A)) for their sizes."
        )
    numbers = numbers.astype(float)
    is_product = are_reciprocal(matrix.rows, matrix.cols)  # as the units of a covariance are
    sides = Side.of_axis(matrix.rows), Side.of_axis(matrix.rows if is_product else matrix.cols)
    numbers = numbers[np.ix_(matrix.rows.shown_entries, matrix.cols.shown_entries)]
    if _is_correlation(numbers, matrix.rows, matrix.cols):
        return _Map(numbers, *sides, "Correlations", "correlation", 1.0, None)
    limit = _largest(numbers) or 1.0
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    linear = max(float(np.min(sizes, initial=limit)), limit * 10.0**-_DECADES)
    units = f"row unit {'×' if is_product else '/'} column unit"
    title = f"{matrix.shape[0]} × {matrix.shape[1]}, in {units}"
    return _Map(numbers, *sides, title, "magnitude", limit, linear)


def _is_correlation(numbers: np.ndarray, rows: Axis, cols: Axis) -> bool:
    if rows != cols or any(unit is not None for unit in rows.units):
        return False
    known = numbers[np.isfinite(numbers)]
    diagonal = np.nan_to_num(np.diag(numbers), nan=1.0)
    return (
        bool(np.all(np.abs(diagonal - 1) < _ROUNDING))
        and bool(np.all(np.abs(known) < 1 + _ROUNDING))
        and np.allclose(numbers, numbers.T, atol=_ROUNDING, equal_nan=True)
    )


def _largest(numbers: np.ndarray) -> float:
    return float(np.max(np.abs(numbers[np.isfinite(numbers)]), initial=0.0))


def _labels(on: Canvas, found: _Map) -> tuple[float, float]:
    """Title and labels, and a figure that is high enough; gives back the size of a cell."""
    rows, cols = max(found.rows.size, 1), max(found.cols.size, 1)
    share = row_share(on, found.cols)
    texts = [row_text(on, span.text, share) for span in found.rows.spans(_ROW)]
    pitch_x = (on.box[0] - (on.widest(texts, NORMAL) if on.own else 0.0)) / cols
    if on.own:
        whole = len(texts) == rows
        pitch_y = max(_ROW, on.highest(texts, NORMAL) + 3) if whole else pitch_x
        pitch_y = min(pitch_y, max(pitch_x, 2.5 * on.width / rows))
    else:
        pitch_y = on.box[1] / rows
    label_rows(on, found.rows, pitch_y, share)
    above = label_columns(on, found.cols, pitch_x)
    on.axes.tick_params(which="both", length=0)
    on.axes.spines[:].set_visible(False)
    above += on.title(found.title)
    on.set_height(rows * pitch_y + above + 46)
    return pitch_x, pitch_y


def _texts(on: Canvas, numbers: np.ndarray, mappable: Any, across: float, down: float) -> None:
    """The number in each cell, where all of them fit into theirs; a dash anyway."""
    texts = {at: short_number(x) for at, x in np.ndenumerate(numbers) if x != 0}
    longest = sorted(set(texts.values()), key=len)[-5:]
    size = min(NORMAL, across / max(on.widest(longest, 10.0) / 10, 0.1), down)
    for (i, j), text in texts.items():
        number = numbers[i, j]
        if size < _SMALLEST and not np.isnan(number):
            continue
        ink = readable_on(mappable.to_rgba(np.nan_to_num(number)))
        place = {"ha": "center", "va": "center_baseline"}
        on.text(j, i, text, max(size, _SMALLEST), color=ink, **place)


def _lines(on: Canvas, found: _Map, pitch: float) -> None:
    """Between cells that are large enough, and between the leaves of a matrix with smaller ones."""
    cells = pitch >= SMALL
    rows = np.arange(1, found.rows.size) - 0.5 if cells else found.rows.borders
    cols = np.arange(1, found.cols.size) - 0.5 if cells else found.cols.borders
    for y in rows:
        on.axes.axhline(y, color=on.gap, linewidth=0.8)
    for x in cols:
        on.axes.axvline(x, color=on.gap, linewidth=0.8)


def _ticks(on: Canvas, found: _Map, mappable: Any, length: float) -> list[float]:
    """Zero, both ends, and the powers of ten in between for which there is room."""
    if found.linear is None:
        return [-1.0, -0.5, 0.0, 0.5, 1.0]
    powers = 10.0 ** np.arange(math.ceil(math.log10(found.linear)), math.log10(found.limit) + 1e-9)
    kept: list[float] = []
    for tick in [0.0, found.limit, *powers[::-1].tolist()]:
        for signed in {tick, -tick}:
            at, room = _place(on, signed, mappable, length)
            if all(
                abs(at - there) > (room + taken) / 2 + 4
                for there, taken in (_place(on, other, mappable, length) for other in kept)
            ):
                kept.append(signed)
    return sorted(kept)


def _place(on: Canvas, tick: float, mappable: Any, length: float) -> tuple[float, float]:
    """Where a tick stands along the colour bar, and how wide its text is, in points."""
    return float(mappable.norm(tick)) * length, on.measure(short_number(tick), NORMAL - 1)[0]
