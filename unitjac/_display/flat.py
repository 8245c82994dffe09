"""A table as plain columns, for what has neither headings within nor bars.

Owns: which plain columns a table becomes, and their names. Never touches: files, data frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .columns import Bar, Column, Label, Number
from .report import Table

__all__ = ["Plain", "plain_columns"]


@dataclass(frozen=True)
class Plain:
    """A name and the values below it: texts, numbers, None."""

    title: str
    values: Sequence[Any]


def plain_columns(table: Table) -> list[Plain]:
    """The columns of a table, the sections first; a unit is a column beside its numbers."""
    sections = [section.label for section in table.sections for _ in range(section.size)]
    head = [Plain(table.section_title, sections)] if table.sections else []
    return [*head, *(plain for column in table.columns for plain in _plain(column))]


def _plain(column: Column) -> list[Plain]:
    if isinstance(column, Bar):
        return []
    if isinstance(column, Number):
        title = f"{column.title} [{column.unit}]" if column.unit else column.title
        return [Plain(title, column.values), *_units(column.title, column.row_units)]
    units = column.units if isinstance(column, Label) else ()
    return [Plain(column.title, column.texts), *_units(column.title, units)]


def _units(title: str, units: Sequence[str]) -> list[Plain]:
    return [Plain(f"{title} unit".strip(), units)] if units else []
