"""What a person sees of an axis: its leaves, with unit and shape.

Owns: that description. Never touches: the class, how anything is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unitjac._display import Label, Report, Table, Words
from unitjac._display import Unit as UnitColumn
from unitjac._units.unit_text import unit_text

if TYPE_CHECKING:
    from ._axis import Axis

__all__ = ["described"]


def described(axis: Axis, most: int | None) -> Report:
    """Leaf by leaf, in the order as written; so many leaves at most."""
    shown = list(axis.shown)[:most]
    more = len(axis.units) - len(shown)
    table = Table(
        (
            Label("leaf", [axis.labels[k] or "." for k in shown]),
            UnitColumn("unit", [unit_text(axis.units[k]) for k in shown]),
            Words("shape", [str(axis.shapes[k]) for k in shown]),
        ),
        notes=[f"and {more:,} more"] if more else [],
    )
    entries = f"{axis.size:,} {'entry' if axis.size == 1 else 'entries'}"
    return Report("Axis", [table] if shown else [], subtitle=entries)
