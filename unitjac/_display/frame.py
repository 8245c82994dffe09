"""Tables as data frames of pandas.

Owns: the one import of pandas. Never touches: text, HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unitjac._errors import needing

from .flat import plain_columns
from .report import Report

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["as_frame", "labelled"]


def as_frame(report: Report) -> DataFrame:
    """The first table of a report."""
    pd = _pandas()
    columns = plain_columns(report.tables[0])
    frame = pd.DataFrame(dict(enumerate(list(column.values) for column in columns)))
    frame.columns = [column.title for column in columns]
    return frame


def labelled(array: Any, rows: Sequence[Sequence[str]], cols: Sequence[Sequence[str]]) -> DataFrame:
    """A matrix whose rows and columns have a label and a unit."""
    pd = _pandas()
    return pd.DataFrame(
        array,
        index=pd.MultiIndex.from_arrays(rows, names=("row", "unit")),
        columns=pd.MultiIndex.from_arrays(cols, names=("column", "unit")),
    )


def _pandas() -> Any:
    with needing("to_pandas", "pandas", "pandas"):
        import pandas as pd
    return pd
