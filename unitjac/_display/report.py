"""The description of a result: a title, and parts below it.

Owns: :class:`Report` and its parts, :class:`Displayed` for what describes itself so. Never touches:
how it is drawn; the renderers are imported when they are asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from .columns import Column, length

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Displayed", "Facts", "Heat", "Part", "Point", "Report", "Section", "Table"]


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


class Displayed(ABC):
    """What describes itself by a report, and is shown in all ways that there are."""

    __slots__ = ()

    @abstractmethod
    def report(self) -> Report:
        """The description that every way of showing this is made of."""

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_text(self, width: int | None = None) -> str:
        """Plain text for a terminal or a file.

        Parameters
        ----------
        width : int, optional
            How many columns there are; by default those of the terminal, and 100 in a file.
        """
        from .text import as_text

        return as_text(self.report(), width)

    def to_html(self) -> str:
        """An element of HTML that needs nothing beside it."""
        from .html import as_html

        return as_html(self.report())

    def to_markdown(self, digits: int | None = 4) -> str:
        """Tables in Markdown.

        Parameters
        ----------
        digits : int or None, default 4
            How many significant digits a number has; None for all.
        """
        from .plain import as_markdown

        return as_markdown(self.report(), digits)

    def to_csv(self) -> str:
        """The table as comma-separated values, all digits, units in columns of their own."""
        from .plain import as_csv

        return as_csv(self.report())

    def to_pandas(self) -> DataFrame:
        """The table as a data frame, units in columns of their own.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        from .frame import as_frame

        return as_frame(self.report())
