"""What describes itself, and so is shown in every way that there is.

Owns: :class:`Displayed`. Never touches: how a report is drawn; the renderers, and the libraries
that they need, are imported when they are asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from .report import Report

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Displayed"]


class Displayed(ABC):
    """What describes itself by a report, and is shown in all ways that there are."""

    __slots__ = ()

    @abstractmethod
    def report(self) -> Report:
        """The description that every way of showing this is made of."""

    def full_report(self) -> Report:
        """The description with every row, where ``report`` leaves some out: for data."""
        return self.report()

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
        """Comma-separated values: every row, all digits, units in columns of their own."""
        from .plain import as_csv

        return as_csv(self.full_report())

    def to_pandas(self) -> DataFrame:
        """The table as a data frame, units in columns of their own.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        from .frame import as_frame

        return as_frame(self.full_report())
