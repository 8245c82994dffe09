"""What the program shows: a model's table with the words that belong to the model.

Owns: these words. Never touches: columns, terminals, HTML; a table describes itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from unitjac import __version__
from unitjac._cli.job import Job
from unitjac._display import Displayed, Label, Report, Table, Words
from unitjac.models import Model
from unitjac.sensitivity import SensitivityTable

__all__ = ["Shown", "of_models"]


@dataclass(frozen=True)
class Shown(Displayed):
    """The table of a job.

    Parameters
    ----------
    job : Job
        What was asked for.
    table : SensitivityTable
        What came of it.
    zeros : bool
        Whether a parameter without effect has a row, too.
    """

    job: Job
    table: SensitivityTable
    zeros: bool = False

    def report(self) -> Report:
        """The table's own description, under the name of the model."""
        return self._titled(self._table().report(zeros=self.zeros))

    def full_report(self) -> Report:
        """The same with every row."""
        return self._titled(self._table().full_report())

    def to_page(self) -> str:
        """A whole page of HTML."""
        from unitjac._display.html import as_page

        return as_page(self.report(), f"Written by unitjac {__version__}.")

    def _table(self) -> SensitivityTable:
        return replace(self.table, texts=self.job.texts)

    def _titled(self, report: Report) -> Report:
        return replace(report, title=self.job.name, subtitle=self.job.title, remark=self.job.point)


def of_models(models: Iterable[Model]) -> Report:
    """The built-in models, and what to type for one."""
    listed = list(models)
    columns = (
        Label("model", [m.name for m in listed]),
        Words("summary", [m.summary for m in listed]),
    )
    note = f"See one with: unitjac sensitivity {listed[0].name}"
    return Report("Built-in models", [Table(columns)], notes=[note])
