"""What one output depends on most, as bars.

Owns: that picture. Never touches: derivatives, the style.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unitjac._units.quantity import is_quantity

from ._labels import short_number, unit_label
from ._style import BLUE, NORMAL, ORANGE, Canvas, Columns, canvas, widened

if TYPE_CHECKING:
    from unitjac.sensitivity import Sensitivity, SensitivityTable

    from ._style import Axes

_ROW = 12.0  # points from one bar to the next
_NONE = "undefined"


def tornado(
    table: SensitivityTable,
    output: str | None = None,
    top: int = 15,
    *,
    ax: Axes | None = None,
    columns: Columns = 1,
    width: Any = None,
    background: Any = None,
) -> Axes:
    """Draw what one output depends on most: a bar for each parameter, the longest on top.

    A bar is a relative sensitivity, in per cent of the output for one per cent of the parameter.
    Blue: the output grows in size with the parameter; orange: it shrinks. Where it is not
    defined, since the output is zero to within rounding, the picture says so.

    Parameters
    ----------
    table : SensitivityTable
        What is drawn.
    output : str, optional
        Which output; by default the first.
    top : int
        How many bars there are at most.
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
    KeyError
        If there is no such output.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.plot import tornado
    >>> from unitjac.sensitivity import sensitivity_table
    >>> power = lambda p: {"P": p["U"] ** 2 / p["R"]}
    >>> ax = tornado(sensitivity_table(power, {"U": 6.0 * u.volt, "R": 3.0 * u.ohm}))
    >>> [round(float(bar.get_width()), 6) for bar in ax.patches]
    [2.0, -1.0]
    """
    name = next(iter(table.outputs)) if output is None else output
    every = table.select([name]).of(name)
    if not every:
        raise KeyError(
            f"a tornado is of one output, and {name!r} stands for "
            f"{', '.join(table.select([name]).outputs)}. Name one of these."
        )
    rows = every[:top]
    on = canvas(ax, columns, width, background)
    _bars(on, rows)
    row_height = _row_labels(on, rows)
    title = f"Relative sensitivity of {name}"
    if len(rows) < len(every):
        title += f": the {len(rows)} largest of {len(every)}"
    around = on.title(title) + on.x_label(f"% of {name} for 1 % of the parameter")
    on.set_height(row_height * len(rows) + around + 28)
    _values(on, rows)
    return on.axes


def _bars(on: Canvas, rows: tuple[Sensitivity, ...]) -> None:
    sizes = [row.relative or 0.0 for row in rows]
    colors = [BLUE if size >= 0 else ORANGE for size in sizes]
    on.axes.barh(range(len(rows)), sizes, height=0.68, color=colors)
    on.axes.set_ylim(len(rows) - 0.4, -0.6)
    on.axes.axvline(0.0, color=on.ink, linewidth=0.6)
    on.axes.spines["left"].set_visible(False)


def _row_labels(on: Canvas, rows: tuple[Sensitivity, ...]) -> float:
    """Name and value of each parameter; gives back the height of a row."""
    texts = [_row_text(on, row) for row in rows]
    on.axes.set_yticks(range(len(rows)), texts, color=on.ink, parse_math=False)
    on.axes.tick_params(axis="y", length=0)
    return max(_ROW, on.highest(texts, NORMAL) + 4)


def _row_text(on: Canvas, row: Sensitivity) -> str:
    value = row.value
    number, unit = (value.mantissa, value.unit) if is_quantity(value) else (value, None)
    tail = f"= {short_number(float(number), 4)} {unit_label(unit)}".rstrip()
    room = 0.4 * on.width
    name = on.wrap(row.parameter, room, NORMAL)
    together = f"{name} {tail}"
    return together if on.measure(together, NORMAL)[0] <= room else f"{name}\n{tail}"


def _values(on: Canvas, rows: tuple[Sensitivity, ...]) -> None:
    """The number at the end of each bar, and limits that leave room for it."""
    sizes = [row.relative or 0.0 for row in rows]
    texts = [_NONE if r.relative is None else short_number(r.relative, 3) for r in rows]
    pad = 3.0
    room = [on.measure(text, NORMAL)[0] + 2 * pad for text in texts]
    across = on.box[0]

    def ends(span: float) -> tuple[float, float]:
        by_point = span / across
        low = min(
            min(0.0, s - r * by_point if s < 0 else 0.0) for s, r in zip(sizes, room, strict=True)
        )
        high = max(
            max(0.0, s + r * by_point if s >= 0 else 0.0) for s, r in zip(sizes, room, strict=True)
        )
        return low, high

    def spanned(span: float) -> float:
        low, high = ends(span)
        return high - low

    span = widened(spanned, max(0.0, *sizes) - min(0.0, *sizes))
    if span == 0:  # no bar at all
        span = 1.0
        on.axes.set_xticks([0.0])
    on.axes.set_xlim(*ends(span))
    for k, (size, text) in enumerate(zip(sizes, texts, strict=True)):
        side = "left" if size >= 0 else "right"
        at = size + (pad if size >= 0 else -pad) * span / across
        on.text(at, k, text, NORMAL, ha=side, va="center", in_layout=False)
