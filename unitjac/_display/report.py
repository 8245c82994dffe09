"""The description of a result: a title, and parts below it.

Owns: :class:`Report` and its parts. Never touches: how it is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .columns import Column, length

__all__ = ["Facts", "Heat", "Part", "Point", "Report", "Section", "Table"]


@dataclass(frozen=True)
class Facts:
    """Names and what is said of each: ``mode``, ``forward, 3 passes``."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Point:
    """Named values with units that stand side by side, as the parameters of a model do.

    Parameters
    ----------
    names, units : sequence of str
        A name and a unit for each.
    values : sequence of float
        The numbers.
    title : str
        What they are, for those who do not see the page.
    more : int
        How many are not listed.
    """

    names: Sequence[str]
    values: Sequence[Any]
    units: Sequence[str]
    title: str = "values"
    more: int = 0


@dataclass(frozen=True)
class Section:
    """Rows of a table that belong to one thing, which may have a value of its own.

    Parameters
    ----------
    label : str
        Its name.
    size : int
        How many rows.
    value : float, optional
        Its value, in ``unit``.
    notes : sequence of str
        What is said below the rows.
    """

    label: str
    size: int
    value: Any = None
    unit: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """Columns of one length.

    Parameters
    ----------
    columns : sequence of Column
        From left to right.
    caption : str
        What the table is of.
    sections : sequence of Section, optional
        The rows in groups, of which each has a heading; all rows belong to one.
    section_title : str
        What the sections are, where they become a column of their own.
    notes : sequence of str
        What is said below the table, such as how many rows are not listed.

    Raises
    ------
    ValueError
        If the columns are not of one length, or the sections are not as long together.
    """

    columns: Sequence[Column]
    caption: str = ""
    sections: Sequence[Section] = ()
    section_title: str = ""
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        lengths = {column.title: length(column) for column in self.columns}
        if self.sections:
            lengths["sections"] = sum(section.size for section in self.sections)
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of a table are of one length, got {lengths}.")

    @property
    def size(self) -> int:
        """How many rows there are."""
        return length(self.columns[0]) if self.columns else 0


@dataclass(frozen=True)
class Heat:
    """A small picture of a matrix: a cell for each entry, or for each group of entries.

    Parameters
    ----------
    shades : sequence of sequence of float or None
        Row by row, from -1 to 1: how strongly a cell is coloured, and by which of two colours. None
        for an entry that is not stored.
    caption : str
        What the picture shows.
    """

    shades: Sequence[Sequence[float | None]]
    caption: str = ""


Part: TypeAlias = Facts | Point | Table | Heat


@dataclass(frozen=True)
class Report:
    """A result as people see it.

    Parameters
    ----------
    title : str
        What it is.
    parts : sequence of Facts, Point, Table or Heat
        What is to be seen, from the top to the bottom.
    subtitle : str
        What else belongs to the title.
    remark : str
        A sentence below the title.
    notes : sequence of str
        What is said at the end.
    """

    title: str
    parts: Sequence[Part] = ()
    subtitle: str = ""
    remark: str = ""
    notes: Sequence[str] = ()

    @property
    def tables(self) -> list[Table]:
        """The tables among the parts."""
        return [part for part in self.parts if isinstance(part, Table)]
