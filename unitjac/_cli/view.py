"""A table of sensitivities in texts, for a terminal and for a page alike.

Owns: which rows are shown, their texts, the length of their bars. Never touches: derivatives,
terminals, HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from unitjac._display import aligned, number_text, value_text
from unitjac._units.quantity import magnitude_of, unit_of
from unitjac._units.unit_text import UnitTexts
from unitjac.sensitivity import Sensitivity, SensitivityTable

__all__ = ["OutputRows", "Row", "groups", "point"]


@dataclass(frozen=True)
class Row:
    """One parameter's texts: numbers padded so that their decimal points stand below each other.

    ``size`` is the absolute relative sensitivity, -1 where it is undefined; ``bar`` is the relative
    sensitivity over the largest size of the group, or None.
    """

    parameter: str
    value: str
    unit: str
    sensitivity: str
    sensitivity_unit: str
    relative: str
    size: float
    bar: float | None


@dataclass(frozen=True)
class OutputRows:
    """One output, its rows, how many more there are, and the parameters without effect on it."""

    output: str
    value: str
    unit: str
    rows: tuple[Row, ...]
    more: int
    without_effect: tuple[str, ...]


def groups(
    table: SensitivityTable, texts: UnitTexts, *, zeros: bool, top: int | None, dash: str
) -> list[OutputRows]:
    """The groups of a table, one for each output.

    Parameters
    ----------
    table : SensitivityTable
        What is shown.
    texts : UnitTexts
        How units are written.
    zeros : bool
        Show a row also where the derivative is zero, instead of the parameter's name alone.
    top : int or None
        How many rows to show of an output; None for all of them.
    dash : str
        What stands in for an undefined relative sensitivity.
    """
    parts = [_part(table, output, zeros=zeros, top=top) for output in table.outputs]
    shown = [row for part in parts for row in part.shown]
    # Aligned over the whole table, so that columns do not jump from one output to the next.
    columns = zip(
        aligned(value_text(_number(row.value)) for row in shown),
        aligned(number_text(_number(row.sensitivity)) for row in shown),
        aligned(dash if row.relative is None else number_text(row.relative) for row in shown),
        strict=True,
    )
    return [_group(part, table.outputs[part.output], columns, texts) for part in parts]


def point(inputs: Mapping[str, Any], texts: UnitTexts) -> list[tuple[str, str, str]]:
    """Each input's name, the text of its magnitude and that of its unit."""
    return [
        (name, value_text(_number(value)), texts.of(unit_of(value)))
        for name, value in inputs.items()
    ]


@dataclass(frozen=True)
class _Part:
    """The rows of one output, sorted by what becomes of them."""

    output: str
    shown: tuple[Sensitivity, ...]
    more: int
    without_effect: tuple[str, ...]


def _part(table: SensitivityTable, output: str, *, zeros: bool, top: int | None) -> _Part:
    rows = table.of(output)
    listed = [row for row in rows if zeros or not _is_zero(row)]
    shown = tuple(listed[:top])
    absent = tuple(row.parameter for row in rows if _is_zero(row) and not zeros)
    return _Part(output, shown, len(listed) - len(shown), absent)


def _group(
    part: _Part, value: Any, columns: Iterator[tuple[str, str, str]], texts: UnitTexts
) -> OutputRows:
    largest = max((abs(row.relative or 0.0) for row in part.shown), default=0.0) or 1.0
    unit = unit_of(value)
    rows = tuple(
        Row(
            parameter=row.parameter,
            value=number,
            unit=texts.of(unit_of(row.value)),
            sensitivity=slope,
            sensitivity_unit=texts.quotient(unit, unit_of(row.value)),
            relative=relative,
            size=-1.0 if row.relative is None else abs(row.relative),
            bar=None if row.relative is None else row.relative / largest,
        )
        for row, (number, slope, relative) in zip(part.shown, columns, strict=False)
    )
    text = number_text(_number(value))
    return OutputRows(part.output, text, texts.of(unit), rows, part.more, part.without_effect)


def _is_zero(row: Sensitivity) -> bool:
    return _number(row.sensitivity) == 0.0


def _number(value: Any) -> float:
    return float(magnitude_of(value))
