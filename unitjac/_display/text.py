"""Reports on a terminal, in a file or in a pipe.

Owns: the one use of rich: columns, colours, and what is left out where there is no room or no
Unicode. Never touches: numbers; their texts come as they are.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from .columns import SIGNS, Bar, Column, Label, Number, Tone, Verdict
from .numbers import aligned, number_text, value_text
from .printable import printable
from .report import Facts, Heat, Part, Point, Report, Section, Table

__all__ = ["WIDTH_OF_A_FILE", "as_text", "rendered"]

# A file gets this width, whatever the terminal is from which it was written.
WIDTH_OF_A_FILE = 100
_INDENT, _GAP = 2, 2
_BAR, _SHORTEST_BAR = 20, 4
_FEW_NUMBERS = 3  # columns of them stand side by side, and what is more in several panels
_LONGEST_TITLE = 24
_LEAST = 8  # so narrow a column of texts may become
_EIGHTHS = " ▏▎▍▌▋▊▉"
_UP, _DOWN = "dodger_blue1", "dark_orange"
_STYLES: dict[Tone, str] = {
    "good": "green",
    "bad": "red",
    "warning": "dark_orange",
    "neutral": "",
}


def as_text(report: Report, width: int | None = None) -> str:
    """Plain text of so many columns; lines end where their text does."""
    if width is None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH_OF_A_FILE
    out = Console(width=width, color_system=None, highlight=False, force_terminal=False)
    with out.capture() as captured:
        out.print(rendered(report, width))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def rendered(report: Report, width: int, unicode: bool = True) -> RenderableType:
    """What rich prints: with colours where the console has them."""
    parts: list[RenderableType] = [_heading(report, width)]
    for part in report.parts:
        parts += _part(part, width, unicode)
    if report.notes:
        parts += [Text(), *(_dim(note, unicode) for note in report.notes)]
    return Group(*parts)


def _heading(report: Report, width: int) -> RenderableType:
    title = Text(printable(report.title), style="bold")
    if report.subtitle:
        title.append(f"  {printable(report.subtitle)}", style="not bold")
    return Group(title, *([_dim(report.remark)] if report.remark else []))


def _part(part: Part, width: int, unicode: bool) -> list[RenderableType]:
    if isinstance(part, Facts):
        return [_facts(part)]
    if isinstance(part, Point):
        return [_point(part)]
    if isinstance(part, Heat):
        return []
    return _table(part, width, unicode)


def _facts(facts: Facts) -> RenderableType:
    grid = Grid.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, said in facts.pairs:
        grid.add_row(Text(printable(name), style="dim"), Text(printable(said)))
    return Padding(grid, (0, 0, 0, _INDENT))


def _point(point: Point) -> RenderableType:
    triples = zip(point.names, point.values, point.units, strict=True)
    cells = [
        Text.assemble((printable(name), "bold"), f" = {value_text(value)} {unit}".rstrip())
        for name, value, unit in triples
    ]
    if point.more:
        cells.append(Text(f"and {point.more:,} more", style="dim"))
    return Padding(Columns(cells, padding=(0, 3)), (1, 0, 0, _INDENT))


# -- tables ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Drawn:
    """A column in texts, with what may be done to it where there is no room."""

    title: str
    cells: list[Text]
    width: int
    is_label: bool = False
    is_number: bool = False
    is_spare: bool = False
    is_folded: bool = False  # whether a long text may take several lines
    bar: Bar | None = None


def _table(table: Table, width: int, unicode: bool) -> list[RenderableType]:
    indent = _INDENT if table.sections else 0
    columns = [_drawn(column, unicode) for column in table.columns]
    parts: list[RenderableType] = [Text()] if table.columns else []
    if table.caption:
        parts.append(Text(printable(table.caption), style="dim"))
    for k, panel in enumerate(_panels(_fitted(columns, width - indent), width - indent)):
        parts += [Text()] if k else []
        lines = [_with_bars(column, panel, width - indent, unicode) for column in panel]
        if table.sections:
            parts += _sectioned(table.sections, lines, unicode)
        elif lines:
            parts.append(_grid(lines, 0, table.size))
    return [*parts, *(_dim(note, unicode) for note in table.notes)]


def _sectioned(
    sections: Sequence[Section], columns: list[_Drawn], unicode: bool
) -> Iterator[RenderableType]:
    start = 0
    for k, section in enumerate(sections):
        title = Text(printable(section.label), style="bold")
        if section.value is not None:
            title.append(f" = {number_text(section.value)} {section.unit}".rstrip(), "not bold")
        body: list[RenderableType] = [_dim(note, unicode) for note in section.notes]
        if section.size:
            body.insert(0, _grid(columns, start, start + section.size))
        yield from ([Text()] if k else [])
        yield from (title, Padding(Group(*body), (0, 0, 0, _INDENT)))
        start += section.size


def _grid(columns: list[_Drawn], start: int, stop: int) -> Grid:
    # gaps are columns: rich before 14.3 takes padding at the end into account, and cuts a column
    grid = Grid(box=None, pad_edge=False, padding=0, header_style="dim")
    for k, column in enumerate(columns):
        if k:
            grid.add_column(width=_GAP)
        grid.add_column(Text(column.title), width=column.width, overflow="fold")
    for row in range(start, stop):
        cells = [cell for column in columns for cell in (column.cells[row], Text())]
        grid.add_row(*cells[:-1])
    return grid


def _total(columns: Sequence[_Drawn]) -> int:
    return sum(column.width + _GAP for column in columns) - _GAP


def _fitted(columns: list[_Drawn], room: int) -> list[_Drawn]:
    """Without what can be spared, and with long texts folded, where there is no room."""
    shortest = _SHORTEST_BAR + _GAP if any(column.bar for column in columns) else 0
    for spare in [column for column in columns if column.is_spare]:
        if _total(columns) + shortest > room:
            columns = [column for column in columns if column is not spare]
    while (excess := _least(columns) - room) > 0:
        widest = max((c for c in columns if c.is_folded), key=lambda c: c.width, default=None)
        if widest is None or widest.width <= _LEAST:
            return columns
        narrow = replace(widest, width=max(widest.width - excess, _LEAST))
        columns = [narrow if column is widest else column for column in columns]
    return columns


def _least(columns: list[_Drawn]) -> int:
    """The room that a table needs, of which the columns of a matrix may stand below each other."""
    others = [column for column in columns if not column.is_label]
    if sum(column.is_number for column in others) <= _FEW_NUMBERS:
        return _total(columns)
    labels = [column for column in columns if column.is_label]
    return _total([*labels, max(others, key=lambda column: column.width)])


def _panels(columns: list[_Drawn], room: int) -> Iterator[list[_Drawn]]:
    """The columns in as many tables below each other as it takes, each with the labels."""
    labels = [column for column in columns if column.is_label]
    rest = [column for column in columns if not column.is_label]
    while True:
        count = 1
        while count < len(rest) and _total([*labels, *rest[: count + 1]]) <= room:
            count += 1
        yield _in_order([*labels, *rest[:count]], columns)
        rest = rest[count:]
        if not rest:
            return


def _in_order(some: list[_Drawn], columns: list[_Drawn]) -> list[_Drawn]:
    return [column for column in columns if any(column is other for other in some)]


def _drawn(column: Column, unicode: bool) -> _Drawn:
    if isinstance(column, Bar):
        return _Drawn("", [Text()] * len(column.values), 0, bar=column)
    title, texts, styles = column.title, list[str](), list[str]()
    if isinstance(column, Number):
        title += f" ({column.unit})" if column.unit else ""
        texts = _number_texts(column, unicode)
    else:
        texts = [printable(text) for text in column.texts]
    if isinstance(column, Label) and column.units:
        pairs = zip(texts, column.units, strict=True)
        texts = [f"{text} ({unit})" if unit else text for text, unit in pairs]
    if isinstance(column, Verdict):
        styles = [_STYLES[tone] for tone in column.tones]
        texts = [
            _signed(text, tone, unicode) for text, tone in zip(texts, column.tones, strict=True)
        ]
    cells = [Text(t, s) for t, s in zip(texts, styles or [""] * len(texts), strict=True)]
    return _Drawn(
        title=printable(title),
        cells=cells,
        width=max([_title_width(column, title), *(cell.cell_len for cell in cells)]),
        is_label=isinstance(column, Label),
        is_number=isinstance(column, Number),
        is_spare=getattr(column, "is_spare", False),
        is_folded=not isinstance(column, Number) or bool(column.row_units),
    )


def _title_width(column: Column, title: str) -> int:
    """A long title above numbers takes several lines."""
    width = cell_len(printable(title))
    return min(width, _LONGEST_TITLE) if isinstance(column, Number) else width


def _number_texts(column: Number, unicode: bool) -> list[str]:
    text: Callable[[complex], str] = value_text if column.chosen else number_text
    undefined = column.undefined if unicode else column.undefined.replace("—", "-")
    numbers = aligned(undefined if x is None else text(x) for x in column.values)
    if not column.row_units:
        return numbers
    return [f"{x} {unit}".rstrip() for x, unit in zip(numbers, column.row_units, strict=True)]


def _signed(text: str, tone: Tone, unicode: bool) -> str:
    sign = SIGNS[tone] if unicode or SIGNS[tone].isascii() else ""
    return f"{sign} {text}".strip()


def _with_bars(column: _Drawn, columns: list[_Drawn], room: int, unicode: bool) -> _Drawn:
    """A column of bars as wide as the others leave room for."""
    if column.bar is None:
        return column
    others = [other for other in columns if other.bar is None]
    width = min(_BAR, room - _total(others) - _GAP)
    if width < _SHORTEST_BAR:
        return column
    bars = [_bar(value, width, unicode) for value in column.bar.values]
    return replace(column, cells=bars, width=width)


def _bar(value: float | None, width: int, unicode: bool) -> Text:
    if value is None:
        return Text()
    style = _UP if value > 0 else _DOWN
    if not unicode:
        return Text("#" * round(abs(value) * width), style=style)
    full, rest = divmod(round(abs(value) * width * 8), 8)
    return Text("█" * full + _EIGHTHS[rest].strip(), style=style)


def _dim(text: str, unicode: bool = True) -> Text:
    return Text(printable(text if unicode else text.replace("—", "-")), style="dim")
