"""States in time, and derivatives in time, as trees with units.

Owns: the cutting of an array of either. Never touches: how they were found.
"""

# pyright: basic

from __future__ import annotations

from typing import Any

from unitjac._units.quantity import attach, attach_block, unit_ratio
from unitjac.linalg import Axis


def courses_of(axis: Axis, array: Any) -> Any:
    """Leaves of shape ``(m, *leaf)`` of an array of shape ``(m, n)``."""
    leaves = [
        attach(array[:, at].reshape(-1, *shape), unit)
        for at, shape, unit in zip(axis.spans, axis.shapes, axis.units, strict=True)
    ]
    return axis.structure.unflatten(leaves)


def blocks_of(rows: Axis, cols: Axis, array: Any) -> Any:
    """Blocks ``[output][input]`` of an array of shape ``(..., rows, columns)``.

    A block is of shape ``(..., *output, *input)``, in output unit over input unit.
    """
    rest = array.shape[:-2]
    lines: list[Any] = []
    for out, out_shape, out_unit in zip(rows.spans, rows.shapes, rows.units, strict=True):
        line = [
            attach_block(
                array[..., out, into].reshape(*rest, *out_shape, *in_shape),
                unit_ratio(out_unit, in_unit),
            )
            for into, in_shape, in_unit in zip(cols.spans, cols.shapes, cols.units, strict=True)
        ]
        lines.append(cols.structure.unflatten(line))
    return rows.structure.unflatten(lines)
