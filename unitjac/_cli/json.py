"""A table of sensitivities as JSON, for programs.

Owns: the layout of that document. Never touches: terminals, pages.
"""

from __future__ import annotations

import json
import math
from typing import Any

from unitjac._cli.job import Job
from unitjac._units.quantity import magnitude_of, unit_of
from unitjac.sensitivity import Sensitivity, SensitivityTable

__all__ = ["as_json"]


def as_json(job: Job, table: SensitivityTable, precision: str) -> str:
    """The document: the point, the outputs, and a row for each output and input.

    A number stands beside the text of its unit, which ``brainunit.parse_unit`` reads; a text that
    is empty means no unit. Numbers that JSON has not, infinite ones and nan, are null.
    """
    document = {
        "model": job.name,
        "title": job.title,
        "point": job.point,
        "precision": precision,
        "inputs": {name: _quantity(value, job) for name, value in table.inputs.items()},
        "outputs": {name: _quantity(value, job) for name, value in table.outputs.items()},
        "sensitivities": [_row(row, table, job) for row in table.rows],
    }
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)


def _row(row: Sensitivity, table: SensitivityTable, job: Job) -> dict[str, Any]:
    over, under = unit_of(table.outputs[row.output]), unit_of(row.value)
    return {
        "output": row.output,
        "parameter": row.parameter,
        "value": _quantity(row.value, job),
        "sensitivity": {
            "value": _number(row.sensitivity),
            "unit": job.texts.quotient(over, under),
        },
        "relative": row.relative,
    }


def _quantity(value: Any, job: Job) -> dict[str, Any]:
    return {"value": _number(value), "unit": job.texts.of(unit_of(value))}


def _number(value: Any) -> float | None:
    number = float(magnitude_of(value))
    return number if math.isfinite(number) else None
