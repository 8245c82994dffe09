"""Which entries of a matrix there are, however large it is.

Owns: that picture. Never touches: the values of entries, the style.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from unitjac._engine.pattern import Pattern, as_pattern
from unitjac.linalg import UnitMatrix

from ._sides import Side, label_columns, label_rows
from ._style import Canvas, Columns, canvas, color_bar, counting

if TYPE_CHECKING:
    from ._style import Axes

_DOT = 1.0  # points: the smallest dot that is seen
_FLATTEST, _TALLEST = 0.15, 1.5  # height over width of the axes


def spy(
    matrix: Any,
    *,
    ax: Axes | None = None,
    columns: Columns = 1,
    width: Any = None,
    background: Any = None,
) -> Axes:
    """Draw which entries of a matrix there are, with the names of its leaves on both sides.

    A matrix of more rows or columns than there is room for dots is cut into squares, and the
    colour of a dot says how many entries its square has. A single entry is seen, and a matrix of
    100,000 rows and a million entries takes a second.

    Parameters
    ----------
    matrix : UnitMatrix, sparse transform, Pattern, BCOO, scipy.sparse matrix, or array
        What is drawn. Of a sparse matrix all that is stored counts, zeros too; of a dense one
        what is not zero. A :func:`unitjac.sparse_jacobian` is drawn by its plan, without names.
    ax : matplotlib.axes.Axes, optional
        Where it is drawn; by default in a new figure.
    columns : {1, 2}
        Width of a new figure in columns of a paper: 85 mm or 175 mm.
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
        If it is no matrix.

    Examples
    --------
    >>> from unitjac.plot import spy
    >>> from unitjac.sparse import banded
    >>> ax = spy(banded(1000, 1, 1))
    >>> ax.get_title(loc="left")
    '1,000 × 1,000, 2,998 entries (0.3 %)'
    """
    pattern, rows, cols = _sides(matrix)
    m, n = pattern.shape
    on = canvas(ax, columns, width, background)
    on.axes.set_xlim(-0.5, max(n, 1) - 0.5)
    on.axes.set_ylim(max(m, 1) - 0.5, -0.5)
    _labels(on, pattern, rows, cols)
    _dots(on, pattern)
    _borders(on, rows, cols)
    return on.axes


def _sides(matrix: Any) -> tuple[Pattern, Side, Side]:
    if isinstance(matrix, UnitMatrix):
        found = as_pattern(matrix.array, "the matrix")
        to_row, to_col = (np.argsort(axis.shown_entries) for axis in (matrix.rows, matrix.cols))
        pattern = Pattern.at(to_row[found.rows], to_col[found.cols], found.shape)
        return pattern, Side.of_axis(matrix.rows), Side.of_axis(matrix.cols)
    found = getattr(matrix, "pattern", matrix)
    pattern = as_pattern(found, "the matrix of spy")
    return pattern, Side.plain(pattern.shape[0]), Side.plain(pattern.shape[1])


def _title(pattern: Pattern) -> str:
    m, n = pattern.shape
    count = f"{pattern.nse:,} entr{'y' if pattern.nse == 1 else 'ies'}"
    share = f" ({100 * pattern.nse / (m * n):.2g} %)" if m * n else ""
    return f"{m:,} × {n:,}, {count}{share}"


def _labels(on: Canvas, pattern: Pattern, rows: Side, cols: Side) -> None:
    m, n = (max(size, 1) for size in pattern.shape)
    shape = min(max(m / n, _FLATTEST), _TALLEST)
    across = on.box[0]
    up = across * shape if on.own else on.box[1]
    for side, pitch in ((rows, up / m), (cols, across / n)):
        if side.leaves and side is rows:
            label_rows(on, side, pitch, 0.3)
    across = on.box[0]
    above = label_columns(on, cols, across / n) if cols.leaves else 12.0
    if not cols.leaves:
        on.axes.tick_params(axis="x", bottom=False, labelbottom=False, top=True, labeltop=True)
        on.axes.locator_params(nbins=5, integer=True)
    on.axes.spines[:].set_visible(True)
    above += on.title(_title(pattern))
    if shape == m / n:
        on.axes.set_aspect("equal", anchor="NW")
    on.set_height(across * shape + above + 14)


def _dots(on: Canvas, pattern: Pattern) -> None:
    m, n = pattern.shape
    counts, steps = _counts(pattern, int(on.box[0] / _DOT))
    most = int(counts.max(initial=0))
    colors = counting(most)
    high, wide = counts.shape[0] * steps[0], counts.shape[1] * steps[1]
    dots = colors.to_rgba(np.maximum(counts, 1))
    dots[counts == 0, 3] = 0.0
    on.axes.imshow(
        dots,
        extent=(-0.5, wide - 0.5, high - 0.5, -0.5),
        aspect=on.axes.get_aspect(),
        interpolation="nearest",
    )
    on.axes.set_xlim(-0.5, max(n, 1) - 0.5)
    on.axes.set_ylim(max(m, 1) - 0.5, -0.5)
    if most > 1:
        on.set_height(on.height + 36)
        label = f"entries in a dot of {steps[0]:,} × {steps[1]:,}"
        color_bar(on, colors, label, lambda length: _ticks(most))


def _counts(pattern: Pattern, most: int) -> tuple[np.ndarray, tuple[int, int]]:
    """How many entries there are in each square, and how many rows and columns a square has."""
    steps = tuple(math.ceil(max(size, 1) / max(most, 1)) for size in pattern.shape)
    high, wide = (math.ceil(max(s, 1) / step) for s, step in zip(pattern.shape, steps, strict=True))
    at = (pattern.rows.astype(np.int64) // steps[0]) * wide + pattern.cols // steps[1]
    return np.bincount(at, minlength=high * wide).reshape(high, wide), (steps[0], steps[1])


def _ticks(most: int) -> list[float]:
    powers = [10.0**k for k in range(int(math.log10(most)) + 1)]
    return [*(p for p in powers if p <= most / 2), float(most)]


def _borders(on: Canvas, rows: Side, cols: Side) -> None:
    across, up = on.box
    if len(rows.borders) * 3 < up:
        for border in rows.borders:
            on.axes.axhline(border, color=on.ink, linewidth=0.4)
    if len(cols.borders) * 3 < across:
        for border in cols.borders:
            on.axes.axvline(border, color=on.ink, linewidth=0.4)
