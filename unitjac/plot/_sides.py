"""The labels along both sides of a matrix: of its entries where there is room, else of its leaves.

Owns: which labels there are, and which of them fit. Never touches: entries, colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from unitjac._units.quantity import Unit
from unitjac.linalg import Axis

from ._labels import with_unit, wrapped
from ._style import NORMAL, SMALL, Canvas

_MOST = 200  # entries that may have labels of their own
_LINES = 4  # of a label that is not turned
_TURNED = 80.0  # points: the length of a turned label that may have several lines


class Span(NamedTuple):
    """Rows or columns from `start` to `stop`, and what they are called."""

    text: str
    start: int
    stop: int

    @property
    def middle(self) -> float:
        """Where the label stands; entry k lies from k - 1/2 to k + 1/2."""
        return (self.start + self.stop - 1) / 2

    @property
    def size(self) -> int:
        """How many rows or columns."""
        return self.stop - self.start


@dataclass(frozen=True)
class Side:
    """Rows or columns.

    Parameters
    ----------
    size : int
        How many.
    leaves : sequence of Span
        What the leaves of the tree are called, and where they lie.
    entries : sequence of Span
        The same for each single entry; none where these are too many.
    """

    size: int
    leaves: Sequence[Span]
    entries: Sequence[Span]

    @staticmethod
    def of_axis(axis: Axis) -> Side:
        """The side of a matrix: labels with units, in the order in which keys were written."""
        leaves: list[Span] = []
        start = 0
        for k in axis.shown:
            stop = start + axis.sizes[k]
            if stop > start:
                leaves.append(Span(_text(axis.labels[k], axis.units[k], k), start, stop))
            start = stop
        if axis.size > _MOST:
            return Side(axis.size, leaves, ())
        labels, units = axis.entry_labels, axis.entry_units
        order: list[int] = axis.shown_entries.tolist()
        texts = [_text(labels[k], units[k], k) for k in order]
        return Side(axis.size, leaves, _singles(texts))

    @staticmethod
    def of_texts(texts: Sequence[str]) -> Side:
        """A side whose entries have names, and belong to no tree."""
        return Side(len(texts), _singles(texts), _singles(texts))

    @staticmethod
    def plain(size: int) -> Side:
        """A side of which nothing is known but its size."""
        return Side(size, (), ())

    def spans(self, pitch: float) -> Sequence[Span]:
        """What is labelled where entries are `pitch` points apart."""
        return self.entries if self.entries and pitch >= 1.2 * SMALL else self.leaves

    @property
    def borders(self) -> list[float]:
        """Where one leaf ends and another begins."""
        return [span.start - 0.5 for span in self.leaves[1:]]


def label_rows(on: Canvas, side: Side, pitch: float, share: float) -> None:
    """Labels of the rows, beside them, wrapped to a share of the picture."""
    spans = [span._replace(text=row_text(on, span.text, share)) for span in side.spans(pitch)]
    heights = [on.measure(span.text, NORMAL)[1] for span in spans]
    spans = _without_overlap(spans, heights, pitch)
    on.axes.set_yticks(
        [span.middle for span in spans], [s.text for s in spans], color=on.ink, parse_math=False
    )


def row_share(on: Canvas, columns: Side) -> float:
    """How much of the picture the labels of the rows may take: less beside very many columns."""
    return 0.2 if columns.entries and columns.size * SMALL > 0.55 * on.width else 0.3


def row_text(on: Canvas, text: str, share: float) -> str:
    """The label of a row, wrapped to a share of the picture."""
    return on.wrap(text, share * on.width, NORMAL)


def label_columns(on: Canvas, side: Side, pitch: float) -> float:
    """Labels of the columns, over them, turned where they do not fit; gives back their height."""
    spans = side.spans(pitch)
    level = [span._replace(text=_broken(on, span, pitch)) for span in spans]
    if all(_fits(on, span, pitch) for span in level):
        spans, size, turned = level, NORMAL, False
        height = on.highest([span.text for span in spans], size)
    else:
        narrowest = min(span.size for span in spans) * pitch
        size, turned = min(max(narrowest / 1.25, SMALL), NORMAL), True
        if narrowest > 2.6 * size:  # several lines side by side
            spans = [span._replace(text=on.wrap(span.text, _TURNED, size)) for span in spans]
        breadths = [on.measure(span.text, size)[1] for span in spans]
        spans = _without_overlap(spans, breadths, pitch)
        height = on.widest([span.text for span in spans], size)
    on.axes.set_xticks(
        [span.middle for span in spans],
        [span.text for span in spans],
        rotation=90 if turned else 0,
        fontsize=size,
        color=on.ink,
        parse_math=False,
    )
    on.axes.tick_params(axis="x", bottom=False, labelbottom=False, top=True, labeltop=True)
    return height + 5


def _broken(on: Canvas, span: Span, pitch: float) -> str:
    room = span.size * pitch - 4
    return wrapped(span.text, lambda line: on.measure(line, NORMAL)[0] <= room, within=False)


def _fits(on: Canvas, span: Span, pitch: float) -> bool:
    if span.text.count("\n") >= _LINES:
        return False
    return on.measure(span.text, NORMAL)[0] <= span.size * pitch - 2


def _without_overlap(spans: Sequence[Span], extents: Sequence[float], pitch: float) -> list[Span]:
    """The spans whose labels do not overlap each other: the large ones first."""
    kept: list[tuple[Span, float]] = []
    for span, extent in sorted(zip(spans, extents, strict=True), key=lambda pair: -pair[0].size):
        if all(
            abs(span.middle - other.middle) * pitch >= (extent + taken) / 2 for other, taken in kept
        ):
            kept.append((span, extent))
    return sorted((span for span, _ in kept), key=lambda span: span.start)


def _singles(texts: Sequence[str]) -> list[Span]:
    return [Span(text, k, k + 1) for k, text in enumerate(texts)]


def _text(label: str, unit: Unit | None, k: int) -> str:
    return with_unit(label or str(k), unit)
