"""Reports as Markdown and as comma-separated values.

Owns: these two forms. Never touches: terminals, HTML.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

from .columns import SIGNS, Bar, Column, Label, Number, Verdict
from .flat import plain_columns
from .numbers import full_text, number_text, value_text
from .printable import printable
from .report import Facts, Heat, Part, Point, Report, Section, Table

__all__ = ["as_csv", "as_markdown"]

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#])")


def as_csv(report: Report) -> str:
    """The tables of a report, an empty line between them; a number has all of its digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for k, table in enumerate(report.tables):
        columns = plain_columns(table)
        if k:
            writer.writerow([])
        writer.writerow([column.title for column in columns])
        cells = zip(*(column.values for column in columns), strict=True)
        writer.writerows([_csv_cell(cell) for cell in row] for row in cells)
    return out.getvalue()


def _csv_cell(cell: Any) -> str:
    return "" if cell is None else cell if isinstance(cell, str) else full_text(cell)


def as_markdown(report: Report, digits: int | None = 4) -> str:
    """The whole report: a heading, and its parts below.

    Raises
    ------
    ValueError
        If there are to be less than one digit.
    """
    if digits is not None and digits < 1:
        raise ValueError(f"digits must be at least 1, or None for all of them, got {digits}.")
    head = [f"**{_escaped(report.title)}**" + (f" {_escaped(report.subtitle)}".rstrip())]
    parts = [_part(part, digits) for part in report.parts if not isinstance(part, Heat)]
    remarks = [_escaped(text) for text in (report.remark,) if text]
    notes = [_escaped(note) for note in report.notes]
    return "\n\n".join([*head, *remarks, *filter(None, parts), *notes]) + "\n"


def _part(part: Part, digits: int | None) -> str:
    if isinstance(part, Facts):
        return "\n".join(f"- {_escaped(name)}: {_escaped(said)}" for name, said in part.pairs)
    if isinstance(part, Point):
        return _point(part, digits)
    return _table(part, digits) if isinstance(part, Table) else ""


def _point(point: Point, digits: int | None) -> str:
    text = _writer(digits, chosen=True)
    triples = zip(point.names, point.values, point.units, strict=True)
    listed = [f"{_escaped(name)} = {_quantity(text(x), unit)}" for name, x, unit in triples]
    return ", ".join(listed) + (f" and {point.more:,} more" if point.more else "")


def _table(table: Table, digits: int | None) -> str:
    columns = [_cells(column, digits) for column in table.columns if not isinstance(column, Bar)]
    if table.sections:
        labels = [_escaped(s.label) for s in table.sections for _ in range(s.size)]
        columns.insert(0, (_escaped(table.section_title), "---", labels))
    heads, rules, cells = zip(*columns, strict=True) if columns else ((), (), ())
    rows = [heads, rules, *zip(*cells, strict=True)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    said = [note for section in table.sections if (note := _section_note(section, digits))]
    notes = [_escaped(note) for note in table.notes]
    return "\n\n".join(["\n".join(lines), *said, *notes])


def _section_note(section: Section, digits: int | None) -> str:
    value = "" if section.value is None else _writer(digits, chosen=False)(section.value)
    own = f"{_escaped(section.label)} = {_quantity(value, section.unit)}" if value else ""
    notes = ", ".join(map(_escaped, section.notes))
    return "; ".join(filter(None, [own or (_escaped(section.label) if notes else ""), notes]))


def _cells(column: Column, digits: int | None) -> tuple[str, str, list[str]]:
    """Heading, rule and cells."""
    if isinstance(column, Number):
        text = _writer(digits, column.chosen)
        units = column.row_units or [""] * len(column.values)
        unit = f" ({_escaped(column.unit)})" if column.unit else ""
        numbers = [
            column.undefined if value is None else _quantity(text(value), own)
            for value, own in zip(column.values, units, strict=True)
        ]
        return _escaped(column.title) + unit, "---:", numbers
    texts = [_escaped(text) for text in column.texts] if not isinstance(column, Bar) else []
    if isinstance(column, Label) and column.units:
        pairs = zip(texts, column.units, strict=True)
        texts = [f"{text} ({_escaped(unit)})" if unit else text for text, unit in pairs]
    if isinstance(column, Verdict):
        signs = [SIGNS[tone] for tone in column.tones] or [""] * len(texts)
        texts = [f"{sign} {text}".strip() for sign, text in zip(signs, texts, strict=True)]
    return _escaped(column.title), "---", texts


def _writer(digits: int | None, chosen: bool) -> Callable[[Any], str]:
    if digits is None:
        return full_text
    if chosen and digits == 4:
        return value_text
    return lambda number: number_text(number, digits)


def _quantity(number: str, unit: str) -> str:
    return f"{number} {_escaped(unit)}".rstrip()


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", printable(text))
