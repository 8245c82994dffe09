"""Reports as HTML: an element for a notebook, a page for a browser.

Owns: the one use of jinja2: filling the templates ``report.html`` and ``page.html``. Never touches:
terminals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from unitjac._unit_markup import markup

from .columns import SIGNS, Bar, Column, Label, Number, Verdict
from .columns import Unit as UnitColumn
from .numbers import aligned, number_text, value_text
from .printable import printable
from .report import Facts, Heat, Part, Point, Report, Section, Table

__all__ = ["as_html", "as_page"]


def as_html(report: Report) -> str:
    """An element that stands in a page of others: its own styles, the colours of that page."""
    return _environment().get_template("element.html").render(_context(report))


def as_page(report: Report, footer: str) -> str:
    """A whole page, in UTF-8, that needs nothing beside it."""
    return _environment().get_template("page.html").render(_context(report), footer=footer)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    folder = files(__package__ or "")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["unit"] = _unit
    environment.filters["minus"] = _minus
    environment.filters["line"] = printable
    return environment


def _context(report: Report) -> dict[str, Any]:
    return {"report": report, "parts": [_part(part) for part in report.parts]}


def _unit(text: str) -> Markup:
    return Markup(markup(text))


def _minus(number: str) -> str:
    """A number as it is printed, with a minus that is as wide as a plus."""
    return number.replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class _Cell:
    """What stands in a cell: a text, a number or both, a unit; how it looks."""

    text: str = ""
    number: str = ""
    unit: str = ""
    kind: str = ""
    shade: float | None = None
    bar: float | None = None
    key: float | None = None  # what rows are sorted by


@dataclass(frozen=True)
class _Head:
    title: str
    unit: str = ""
    kind: str = ""


@dataclass(frozen=True)
class _Rows:
    """The rows of one section, or of a table without sections."""

    title: str
    number: str
    unit: str
    rows: list[list[_Cell]]
    notes: Sequence[str]


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Facts):
        return {"kind": "facts", "pairs": part.pairs}
    if isinstance(part, Point):
        numbers = map(value_text, part.values)
        values = list(zip(part.names, numbers, part.units, strict=True))
        return {"kind": "point", "values": values, "title": part.title, "more": part.more}
    if isinstance(part, Heat):
        return {"kind": "heat", "shades": part.shades, "caption": part.caption}
    return {
        "kind": "table",
        "caption": part.caption,
        "heads": [_head(column) for column in part.columns],
        "groups": list(_groups(part)),
        "has_sections": bool(part.sections),
        "notes": part.notes,
    }


def _groups(table: Table) -> Iterator[_Rows]:
    columns = [_cells(column) for column in table.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    start = 0
    for section in table.sections or [Section("", table.size)]:
        number = "" if section.value is None else number_text(section.value)
        stop = start + section.size
        yield _Rows(section.label, number, section.unit, rows[start:stop], section.notes)
        start = stop


def _head(column: Column) -> _Head:
    if isinstance(column, Number):
        return _Head(column.title, column.unit, "number" + " spare" * column.is_spare)
    if isinstance(column, Bar):
        return _Head(column.title, kind="bar")
    return _Head(column.title, kind="spare" if getattr(column, "is_spare", False) else "")


def _cells(column: Column) -> list[_Cell]:
    if isinstance(column, Number):
        return _number_cells(column)
    if isinstance(column, Bar):
        return [_Cell(kind="bar", bar=value) for value in column.values]
    if isinstance(column, Label):
        units = column.units or [""] * len(column.texts)
        pairs = zip(column.texts, units, strict=True)
        return [_Cell(text, unit=unit, kind="label") for text, unit in pairs]
    if isinstance(column, Verdict):
        pairs = zip(column.texts, column.tones, strict=True)
        return [_Cell(f"{SIGNS[tone]} {text}".strip(), kind=tone) for text, tone in pairs]
    kind = "spare" if column.is_spare else ""
    if isinstance(column, UnitColumn):
        return [_Cell(unit=text, kind=kind) for text in column.texts]
    return [_Cell(text, kind=kind) for text in column.texts]


def _number_cells(column: Number) -> list[_Cell]:
    text = value_text if column.chosen else number_text
    texts = aligned(column.undefined if x is None else text(x) for x in column.values)
    units = column.row_units or [""] * len(texts)
    shades: Sequence[float | None] = column.shades or [None] * len(texts)
    kind = "number" + " spare" * column.is_spare
    return [
        _Cell(number=number, unit=unit, kind=kind, shade=shade, key=_key(value))
        for number, unit, shade, value in zip(texts, units, shades, column.values, strict=True)
    ]


def _key(value: Any) -> float:
    return -1.0 if value is None else float(abs(value))
