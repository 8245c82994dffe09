"""Quantities of other libraries, told without importing any of them.

Owns: which objects are such quantities, and what is said where one comes that cannot be taken.
Never touches: their units, beyond the text; the quantities of brainunit; derivatives, states.

To JAX a quantity of astropy is an array and one of unxt a tree of arrays, and either way its unit
is lost or put on twice. Whether a type is one of them is found out once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ._typed import class_of

_CONVERTED = ("astropy", "pint", "unxt")
"""The libraries whose quantities ``unitjac.interop.to_brainunit`` reads."""

_CLASSES = {
    ("astropy", "Quantity"),
    ("pint", "PlainQuantity"),
    ("unxt", "AbstractQuantity"),
    ("quantities", "Quantity"),
    ("unyt", "unyt_array"),
    ("forallpeople", "Physical"),
    ("brian2", "Quantity"),
    ("openmm", "Quantity"),
    ("scipp", "Variable"),
}
_OURS = {"brainunit", "saiunit"}
_WITHOUT = {"builtins", "numpy", "jax", "jaxlib"}  # whose arrays have no unit
_UNITS = ("unit", "units", "dimensionality", "dimensions", "dim")  # where a library keeps it


def is_foreign(node: Any) -> bool:
    """Whether ``node`` is a quantity of another library, be it an array, a tree or neither."""
    kind = _kind_of(class_of(node))
    return kind is not None and (kind == "quantity" or _unit_of(node) is not None)


def library_of(node: Any) -> str:
    """The library that a quantity is of."""
    for base in class_of(node).__mro__:
        if (_root(base), base.__name__) in _CLASSES:
            return _root(base)
    return _root(class_of(node))


def foreign_text(node: Any) -> str:
    """A quantity of another library in a message: its type and unit."""
    unit = _unit_of(node)
    name = type(node).__name__.partition("[")[0]  # unxt writes the dimension behind it
    article = "an" if name[0] in "AEIOU" else "a"
    return f"{article} {name} of {library_of(node)}" + (f" in {unit}" if unit else "")


def refuse_foreign(node: Any, label: str | Callable[[], str]) -> None:
    """Raise a TypeError where ``node`` is a quantity of another library."""
    if not is_foreign(node):
        return
    where = label if isinstance(label, str) else label()
    if library_of(node) in _CONVERTED:
        how = "Convert it with unitjac.interop.to_brainunit."
    else:
        how = (
            "Write brainunit.Quantity(magnitude, unit=...) in its place; "
            "unitjac.interop.to_brainunit reads those of astropy, pint and unxt."
        )
    raise TypeError(
        f"{where} is {foreign_text(node)}. Units here are those of brainunit, and this one would "
        f"be lost. {how}"
    )


@lru_cache(maxsize=1024)
def _kind_of(kind: Any) -> str | None:
    """``"quantity"``; ``"maybe"`` where it is for the object to say, by a unit; or None."""
    bases = {(_root(base), base.__name__) for base in kind.__mro__}
    if _OURS & {root for root, _ in bases}:
        return None
    if bases & _CLASSES:
        return "quantity"
    if kind.__name__.endswith("Quantity"):
        return "maybe"
    is_array = issubclass(kind, (np.ndarray, float)) or hasattr(kind, "__jax_array__")
    return "maybe" if is_array and _root(kind) not in _WITHOUT else None


def _root(kind: Any) -> str:
    return str(kind.__module__).partition(".")[0]


def _unit_of(node: Any) -> Any:
    for name in _UNITS:
        unit = getattr(node, name, None)
        if unit is not None and not callable(unit):
            # what hands on the unit of a quantity of brainunit that it holds is none itself
            return None if _root(class_of(unit)) in _OURS else unit
    return None
