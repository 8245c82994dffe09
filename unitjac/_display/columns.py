"""The columns that a table is made of: names, numbers, units, bars, verdicts, words.

Owns: which kinds there are, and what each holds. Never touches: how a column is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = ["Bar", "Column", "Label", "Number", "Tone", "Unit", "Verdict", "Words"]

Tone = Literal["good", "bad", "warning", "neutral"]


@dataclass(frozen=True)
class Label:
    """Names of what the rows are about; each is the heading of its row.

    Parameters
    ----------
    title : str
        The heading of the column.
    texts : sequence of str
        A name for each row.
    units : sequence of str, optional
        The unit of what each row is about, as the row units of a matrix are.
    """

    title: str
    texts: Sequence[str]
    units: Sequence[str] = ()


@dataclass(frozen=True)
class Number:
    """Numbers with their units.

    Parameters
    ----------
    title : str
        The heading of the column.
    values : sequence of float, complex or None
        The numbers, Python's or NumPy's; None where there is none.
    units : str or sequence of str, default ""
        One unit for all, which stands in the heading, or one for each, which stands beside it.
    chosen : bool, default False
        Whether somebody chose the numbers (0.3), or they were computed (0.3000).
    undefined : str, default "—"
        What stands in place of None.
    shades : sequence of float, optional
        From -1 to 1: how strongly the cell of each is coloured, and by which of two colours.
    is_spare : bool, default False
        Whether the column is left out where there is no room.
    """

    title: str
    values: Sequence[Any]
    units: str | Sequence[str] = ""
    chosen: bool = False
    undefined: str = "—"
    shades: Sequence[float] = ()
    is_spare: bool = False

    @property
    def row_units(self) -> Sequence[str]:
        """The unit that stands beside each number, where there is one for each."""
        return () if isinstance(self.units, str) else self.units

    @property
    def unit(self) -> str:
        """The unit that all have, where there is one."""
        return self.units if isinstance(self.units, str) else ""


@dataclass(frozen=True)
class Unit:
    """Units, as texts that the unit library reads: ``mS/cm^2``."""

    title: str
    texts: Sequence[str]
    is_spare: bool = False


@dataclass(frozen=True)
class Bar:
    """Bars from -1 to 1, to either side of nothing; None for no bar.

    They say nothing of their own, so that Markdown, CSV and data frames leave them out.
    """

    values: Sequence[float | None]
    title: str = ""


@dataclass(frozen=True)
class Verdict:
    """Judgements in words, each with the tone in which it is said.

    Parameters
    ----------
    title : str
        The heading of the column.
    texts : sequence of str
        A judgement for each row.
    tones : sequence of {"good", "bad", "warning", "neutral"}
        How each is meant: a sign and a colour go with it.
    """

    title: str
    texts: Sequence[str]
    tones: Sequence[Tone] = field(default_factory=tuple[Tone, ...])


@dataclass(frozen=True)
class Words:
    """Texts that are no names: shapes, remarks."""

    title: str
    texts: Sequence[str]
    is_spare: bool = False


Column: TypeAlias = Label | Number | Unit | Bar | Verdict | Words
SIGNS: dict[Tone, str] = {"good": "✓", "bad": "✗", "warning": "!", "neutral": ""}


def length(column: Column) -> int:
    """How many rows a column has."""
    return len(column.values if isinstance(column, Number | Bar) else column.texts)
