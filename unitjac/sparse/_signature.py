"""What a plan was made for: shapes, dtypes and units of each argument and each output.

Owns: :class:`Signature`, and the table in which what was planned stands against what came.
Never touches: values, derivatives.

A pattern holds for the program that it was found in, so that whatever may change this program
belongs here: flags and sizes too, by their text. A unit may be another one of its dimension, which
changes no pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from unitjac import _typed
from unitjac._errors import array_text, path_text
from unitjac._transforms.arguments import argument_name, name_of
from unitjac._transforms.compiled import is_traced
from unitjac._transforms.inputs import Inputs
from unitjac._units.quantity import Unit, is_quantity, same_dimension
from unitjac._units.unit_text import unit_text

_MOST_LINES = 20


@dataclass(frozen=True)
class Field:
    """One argument's leaf or one output: what it is, and its unit."""

    label: str
    kind: str
    unit: Unit | None = None

    def fits(self, other: Field | None) -> bool:
        """Whether the other one is this one, whatever the scale of its unit."""
        return (
            other is not None and self.kind == other.kind and same_dimension(self.unit, other.unit)
        )

    def __str__(self) -> str:
        unit = unit_text(self.unit)
        return self.kind if unit == "1" else f"{self.kind} in {unit}"


@dataclass(frozen=True)
class Signature:
    """What goes in and what comes out."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]

    def check_inputs(self, came: Sequence[Field], name: str) -> None:
        """Raise a ValueError where other arguments came."""
        _compare(self.inputs, came, f"{name} was planned for other arguments")

    def check_outputs(self, came: Sequence[Field], name: str) -> None:
        """Raise a ValueError where the function gives other outputs."""
        _compare(self.outputs, came, f"{name} was planned for a function with other outputs")


def input_fields(args: Any, kwargs: Any, inputs: Inputs) -> tuple[Field, ...]:
    """All arguments of a call, and the states that are differentiated."""
    entries, _ = _typed.flatten_with_path((args, kwargs), is_leaf=is_quantity)
    found = [_argument(path, leaf) for path, leaf in entries]
    of_states = inputs.groups[: len(inputs.selection.states)]
    for group in of_states:
        found += fields(group.labels, group.stripped.magnitudes, group.stripped.units)
    return tuple(found)


def fields(
    labels: Iterable[str], magnitudes: Iterable[Any], units: Iterable[Unit | None]
) -> tuple[Field, ...]:
    """The fields of some leaves without their units, and of their units."""
    rows = zip(labels, magnitudes, units, strict=True)
    return tuple(Field(label, array_text(m), unit) for label, m, unit in rows)


def _argument(path: tuple[Any, ...], leaf: Any) -> Field:
    where, key, *rest = path
    label = path_text(argument_name(key.idx if where.idx == 0 else key.key), tuple(rest))
    if not is_traced(leaf):
        return Field(label, _static_text(leaf))
    if is_quantity(leaf):
        return Field(label, array_text(leaf.mantissa), leaf.unit)
    return Field(label, array_text(leaf))


def _static_text(leaf: Any) -> str:
    """A text that is the same in every process."""
    if isinstance(leaf, str | bytes | int | Enum):
        return repr(leaf)
    return name_of(leaf) if callable(leaf) else f"a {type(leaf).__name__}"


def _compare(planned: Sequence[Field], came: Sequence[Field], what: str) -> None:
    mine, theirs = ({field.label: field for field in side} for side in (planned, came))
    labels = list(dict.fromkeys([*mine, *theirs]))
    wrong = [
        label for label in labels if label not in mine or not mine[label].fits(theirs.get(label))
    ]
    if not wrong:
        return
    rows = [("", "planned", "came")]
    rows += [
        (label, str(mine.get(label, "nothing")), str(theirs.get(label, "nothing")))
        for label in wrong[:_MOST_LINES]
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    more = len(wrong) - _MOST_LINES
    lines += [f"  and {more:,} more"] if more > 0 else []
    same = len(labels) - len(wrong)
    rest = f"The other {same:,} are as planned. " if same else ""
    raise ValueError("\n".join([f"{what}:", *lines, f"{rest}Make a plan for these."]))
