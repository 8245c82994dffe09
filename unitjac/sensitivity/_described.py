"""What a table of sensitivities says, in the columns that people see.

Owns: which rows are shown, what is said of the others, how long a bar is. Never touches: how any of
it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from unitjac._display import Bar, Label, Number, Point, Report, Section, Table
from unitjac._units.quantity import magnitude_of, unit_of

if TYPE_CHECKING:
    from ._table import Sensitivity, SensitivityTable

__all__ = ["described"]

# So many inputs are named at the top, and so many without effect below.
_POINT = 40
_LEGEND = "relative: change of the output in % for a change of the parameter by 1 %"
_UNDEFINED = "; — where the output is zero or not finite"
_CANCELLED = (
    "a small difference of large terms: a parameter that changes by a thousandth takes it to zero; "
    "look at the sensitivities, the relative ones say little"
)


def described(table: SensitivityTable, *, zeros: bool) -> Report:
    """The point, and a section for each output."""
    parts = [(output, _shown(table.of(output), zeros)) for output in table.outputs]
    rows = [row for _, shown in parts for row in shown]
    bars = [bar for _, shown in parts for bar in _bars(shown)]
    columns = (
        Label("parameter", [row.parameter for row in rows]),
        Number(
            "value",
            [_number(row.value) for row in rows],
            [table.texts.of(unit_of(row.value)) for row in rows],
            chosen=True,
            is_spare=True,  # it stands at the top as well
        ),
        Number(
            "sensitivity",
            [_number(row.sensitivity) for row in rows],
            [_slope_unit(table, row) for row in rows],
        ),
        Number("relative", [row.relative for row in rows]),
        Bar(bars),
    )
    sections = [_section(table, output, shown, zeros) for output, shown in parts]
    shown_table = Table(columns, sections=sections, section_title="output")
    legend = _LEGEND + _UNDEFINED * any(row.relative is None for row in rows)
    title = f"Sensitivities of {table.name}" if table.name else "Sensitivities"
    return Report(title, [_point(table), shown_table], notes=[legend])


def _point(table: SensitivityTable) -> Point:
    named = list(table.inputs.items())[:_POINT]
    return Point(
        [name for name, _ in named],
        [_number(value) for _, value in named],
        [table.texts.of(unit_of(value)) for _, value in named],
        title="The point at which the sensitivities hold",
        more=len(table.inputs) - len(named),
    )


def _section(
    table: SensitivityTable, output: str, shown: list[Sensitivity], zeros: bool
) -> Section:
    value = table.outputs[output]
    hidden = [row for row in table.hidden if row.output == output]
    more = len(_shown(hidden, zeros))
    absent = [] if zeros else [r.parameter for r in (*table.of(output), *hidden) if _is_zero(r)]
    notes = [_CANCELLED] if output in table.cancelled else []
    notes += [f"and {more} more"] if more else []
    notes += [f"no effect: {_listed(absent)}"] if absent else []
    return Section(output, len(shown), _number(value), table.texts.of(unit_of(value)), notes)


def _listed(names: list[str]) -> str:
    more = len(names) - _POINT
    return ", ".join(names[:_POINT]) + (f" and {more} more" if more > 0 else "")


def _shown(rows: Iterable[Sensitivity], zeros: bool) -> list[Sensitivity]:
    return [row for row in rows if zeros or not _is_zero(row)]


def _bars(rows: list[Sensitivity]) -> list[float | None]:
    """Relative sensitivities over the largest size among those of one output."""
    largest = max((abs(row.relative or 0.0) for row in rows), default=0.0) or 1.0
    return [None if row.relative is None else row.relative / largest for row in rows]


def _slope_unit(table: SensitivityTable, row: Sensitivity) -> str:
    outputs: Mapping[str, Any] = table.outputs
    return table.texts.quotient(unit_of(outputs[row.output]), unit_of(row.value))


def _is_zero(row: Sensitivity) -> bool:
    return _number(row.sensitivity) == 0.0


def _number(value: Any) -> float:
    return float(magnitude_of(value))
