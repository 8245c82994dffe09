"""Lines against time, each named at its right end.

Owns: how such lines are drawn. Never touches: what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unitjac._errors import array_text
from unitjac._units.quantity import Unit, split

from ._labels import with_unit
from ._style import DASHES, LINE_COLORS, NORMAL, SMALL, Canvas, Columns, canvas

if TYPE_CHECKING:
    from ._style import Axes


@dataclass(frozen=True)
class Line:
    """A number that changes in time, and its name."""

    name: str
    values: np.ndarray


class Times(NamedTuple):
    """Times in a unit."""

    numbers: np.ndarray
    unit: Unit | None


def times_of(t: Any) -> Times:
    """The times of an array of one axis.

    Raises
    ------
    ValueError
        If it is no array of one axis.
    """
    times, unit = split(t)
    if times.ndim != 1:
        raise ValueError(
            f"t must be one array of times, of shape (n,), got {array_text(times)}. Write t[:, 0], "
            "or jax.numpy.ravel(t)."
        )
    return Times(times, unit)


def draw(
    times: Times,
    lines: Sequence[Line],
    meaning: str,
    *,
    ax: Axes | None,
    columns: Columns,
    width: Any,
    background: Any,
    has_zero: bool = True,
) -> Axes:
    """The axes with the lines; ``meaning`` stands beside the numbers.

    Parameters
    ----------
    has_zero : bool
        Whether a line marks zero.
    """
    on = canvas(ax, columns, width, background)
    on.set_height(max(0.6 * on.width, len(lines) * 9.0 + 40))
    for k, line in enumerate(lines):
        color, dash = LINE_COLORS[k % 4], DASHES[k // 4 % 4]
        on.axes.plot(times.numbers, line.values, color=color, linestyle=dash, linewidth=1.1)
    on.axes.margins(x=0)
    if has_zero:
        on.axes.axhline(0.0, color=on.ink, linewidth=0.4, zorder=0)
    on.axes.locator_params(nbins=6)
    on.x_label(with_unit("time", times.unit))
    on.y_label(meaning)
    _name_ends(on, lines)
    return on.axes


def _name_ends(on: Canvas, lines: Sequence[Line]) -> None:
    """Names beside the right ends of the lines, spread so that none covers another."""
    texts = [line.name for line in lines]
    size = NORMAL if on.box[1] > 1.3 * NORMAL * len(lines) else SMALL
    texts = [on.wrap(text, 0.3 * on.width, size) for text in texts]
    up = on.box[1]
    low, high = on.axes.get_ylim()
    ends = [_end(line.values, low) for line in lines]
    at = _spread(
        [(end - low) / (high - low) * up for end in ends],
        [on.measure(text, size)[1] for text in texts],
        up,
    )
    for k, (text, end, y) in enumerate(zip(texts, ends, at, strict=True)):
        on.axes.annotate(
            text,
            xy=(1.0, (end - low) / (high - low)),
            xytext=(1.06, y / up),
            xycoords="axes fraction",
            textcoords="axes fraction",
            fontsize=size,
            color=on.ink,
            va="center",
            parse_math=False,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": LINE_COLORS[k % 4],
                "linewidth": 0.7,
                "linestyle": DASHES[k // 4 % 4],
                "shrinkA": 1,
                "shrinkB": 0,
            },
        )
    on.axes.set_ylim(low, high)


def _end(values: np.ndarray, low: float) -> float:
    known = values[np.isfinite(values)]
    return float(known[-1]) if known.size else low


def _spread(wanted: list[float], heights: list[float], up: float) -> list[float]:
    """Places near the wanted ones, in their order, as far apart as the labels are high."""
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    places = dict.fromkeys(order, 0.0)
    floor = -0.05 * up
    for k in order:  # from below, none under the one before
        places[k] = max(wanted[k], floor + heights[k] / 2)
        floor = places[k] + heights[k] / 2
    ceiling = 1.05 * up
    for k in reversed(order):  # and from above
        places[k] = min(places[k], ceiling - heights[k] / 2)
        ceiling = places[k] - heights[k] / 2
    return [places[k] for k in range(len(wanted))]
