"""Units as the user gives them: a unit, its text, or a quantity that has it.

Owns: what is taken for a unit. Never touches: axes, the entries of a matrix.
"""

from __future__ import annotations

from typing import Any

from unitjac._errors import array_text, is_arraylike
from unitjac._foreign import is_foreign, refuse_foreign
from unitjac._units.quantity import Unit, is_quantity, parse_unit


def is_unit(leaf: Any) -> bool:
    """Whether a node of a tree of units is one of them."""
    return leaf is None or is_quantity(leaf) or is_foreign(leaf)


def as_unit(unit: Any) -> Unit | None:
    """The unit, of itself, its text, or a quantity that has it; None for a plain number.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if isinstance(unit, str):
        return parse_unit(unit)
    if isinstance(unit, Unit):
        return unit
    if is_quantity(unit):
        return unit.unit
    if unit is None or is_arraylike(unit):
        return None
    refuse_foreign(unit, "a unit")
    raise TypeError(f"a unit, its text or a quantity was expected, got {array_text(unit)}.")
