"""A table of sensitivities on a terminal, in a file or in a pipe.

Owns: columns, colours, and what is left out where there is no room or no Unicode. Never touches:
numbers; their texts come as they are.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import click
from rich.cells import cell_len
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from unitjac._cli.job import Job
from unitjac._cli.view import OutputRows, Row, groups, point
from unitjac.models import Model
from unitjac.sensitivity import SensitivityTable

__all__ = ["console", "print_models", "print_table"]

# A file gets this width, whatever the terminal is from which it was written.
_WIDTH_OF_A_FILE = 100
# So many inputs are named at the top.
_POINT = 40
_INDENT, _GAP = 2, 2
_BAR, _SHORTEST_BAR = 20, 4
_EIGHTHS = " ▏▎▍▌▋▊▉"
_TITLES = ("parameter", "value", "sensitivity", "relative")
_UP, _DOWN = "dodger_blue1", "dark_orange"


def console() -> Console:
    """Standard output: colours on a terminal, plain text of one width in a file or a pipe."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A unit or a name that the terminal's encoding has not is no reason to fail.
        sys.stdout.reconfigure(errors="replace")
    is_terminal = sys.stdout.isatty()
    return Console(highlight=False, width=None if is_terminal else _WIDTH_OF_A_FILE)


def print_table(
    out: Console, job: Job, table: SensitivityTable, *, zeros: bool, top: int | None
) -> None:
    """Print the point and one group of rows for each output."""
    unicode = out.encoding.lower().startswith("utf")
    dash = "—" if unicode else "-"
    shown = groups(table, job.texts, zeros=zeros, top=top, dash=dash)
    layout = _Layout.of(shown, out.width - _INDENT, unicode)
    parts = [_heading(job, table), *(part for group in shown for part in _lines(group, layout))]
    _print(out, [*parts, Text(), Text(_legend(table, dash), style="dim")])


def print_models(out: Console, models: list[Model]) -> None:
    """Print each model with its summary, and what to type for one."""
    grid = Table.grid(padding=(0, 3))
    for model in models:
        grid.add_row(Text(model.name, style="bold"), model.summary)
    _print(out, [grid, Text(f"\nSee one with: unitjac sensitivity {models[0].name}", style="dim")])


def _print(out: Console, parts: list[RenderableType]) -> None:
    if out.is_terminal:
        out.print(Group(*parts))
        return
    with out.capture() as captured:
        out.print(Group(*parts))
    # Columns are padded to their width, which a file need not hold.
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _heading(job: Job, table: SensitivityTable) -> RenderableType:
    grid = Table.grid()
    title = Text(job.name, style="bold")
    grid.add_row(title.append(f"  {job.title}", style="not bold") if job.title else title)
    if job.point:
        grid.add_row(Text(job.point, style="dim"))
    values = point(table.inputs, job.texts)
    cells = [
        Text.assemble((name, "bold"), f" = {value} {unit}".rstrip())
        for name, value, unit in values[:_POINT]
    ]
    if len(values) > _POINT:
        cells.append(Text(f"and {len(values) - _POINT} more", style="dim"))
    grid.add_row(Padding(Columns(cells, padding=(0, 3)), (1, 0, 0, 2)))
    return grid


@dataclass(frozen=True)
class _Layout:
    """Which columns there is room for, and how wide the bars can be."""

    widths: dict[str, int]
    bar: int
    unicode: bool

    @staticmethod
    def of(shown: list[OutputRows], room: int, unicode: bool) -> _Layout:
        rows = [_cells(row) for group in shown for row in group.rows]
        widths = {t: max([len(t), *(cell_len(cells[t]) for cells in rows)]) for t in _TITLES}
        if _total(widths) > room:
            # The values stand at the top as well.
            del widths["value"]
        if _total(widths) > room:
            # What is left to the sensitivity is folded.
            widths["sensitivity"] = max(room - _total({**widths, "sensitivity": 0}), 8)
        return _Layout(widths, min(_BAR, room - _total(widths)), unicode)


def _total(widths: dict[str, int]) -> int:
    return sum(width + _GAP for width in widths.values())


def _lines(group: OutputRows, layout: _Layout) -> list[RenderableType]:
    title = Text.assemble((group.output, "bold"), f" = {group.value} {group.unit}".rstrip())
    notes: list[str] = []
    if group.more:
        notes.append(f"and {group.more} more")
    if group.without_effect:
        notes.append(f"no effect: {', '.join(group.without_effect)}")
    below = [Text(note, style="dim") for note in notes]
    body = [_rows(group, layout), *below] if group.rows else below
    return [Text(), title, Padding(Group(*body), (0, 0, 0, _INDENT))]


def _rows(group: OutputRows, layout: _Layout) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for title, width in layout.widths.items():
        grid.add_column(title, width=width, overflow="fold")
    grid.add_column("", no_wrap=True)
    for row in group.rows:
        cells = _cells(row)
        grid.add_row(*(Text(cells[title]) for title in layout.widths), _bar(row, layout))
    return grid


def _cells(row: Row) -> dict[str, str]:
    return {
        "parameter": row.parameter,
        "value": f"{row.value} {row.unit}".rstrip(),
        "sensitivity": f"{row.sensitivity} {row.sensitivity_unit}".rstrip(),
        "relative": row.relative,
    }


def _bar(row: Row, layout: _Layout) -> Text:
    if row.bar is None or layout.bar < _SHORTEST_BAR:
        return Text()
    style = _UP if row.bar > 0 else _DOWN
    if not layout.unicode:
        return Text("#" * round(abs(row.bar) * layout.bar), style=style)
    full, rest = divmod(round(abs(row.bar) * layout.bar * 8), 8)
    return Text("█" * full + _EIGHTHS[rest].strip(), style=style)


def _legend(table: SensitivityTable, dash: str) -> str:
    said = "relative: change of the output in % for a change of the parameter by 1 %"
    if any(row.relative is None for row in table.rows):
        said += f"; {dash} where the output is zero or not finite"
    return said
