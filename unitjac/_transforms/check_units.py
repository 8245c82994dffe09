"""A dimension check of a whole function by abstract evaluation.

Owns: :func:`check_units`. Never touches: derivatives; numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from unitjac import _typed
from unitjac._errors import is_arraylike, path_text, refuse_foreign_in
from unitjac._states.state import StateTrace
from unitjac._units.quantity import (
    UNITLESS,
    Stripped,
    Unit,
    is_quantity,
    parse_unit,
    same_dimension,
    strip,
)
from unitjac._units.unit_text import unit_text

from .arguments import argument_name, check_function, name_of
from .compiled import is_traced
from .lines import own_lines
from .static import is_jax_array, pack


def check_units(
    fun: Callable[..., Any],
    *args: Any,
    returns: Any = None,
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """The unit of every output of ``fun``, or the unit error in it, without running it.

    ``fun`` is traced with abstract values, at no numerical cost; what it writes to states is
    dropped.

    Parameters
    ----------
    fun : callable
        Any function of arrays and quantities.
    *args
        Its arguments, or their shapes: a :class:`jax.ShapeDtypeStruct`, or a quantity around one.
        Ints, bools, strings and objects are what they are.
    returns : pytree of unit or str, optional
        The units that the outputs should have, up to their scale.
    kwargs : mapping, optional
        Keyword arguments of ``fun``.

    Returns
    -------
    pytree of Unit
        The tree of the output with a unit in each leaf; the unit one for plain numbers. Where a
        container cannot hold units, since it looks at its leaves when it is made, a dict of the
        keys that lead to each leaf, ``{"p/g": unit}``; ``returns`` may be such a dict too.

    Raises
    ------
    brainunit.UnitMismatchError, brainunit.DimensionMismatchError, TypeError, ...
        What ``fun`` raises, with the line of the source at fault added as a note.
    ValueError
        If an output has another dimension than ``returns`` says, or another tree.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> uj.check_units(lambda g, V: {"I": g * V}, 3.0 * u.nS, 2.0 * u.mV, returns={"I": "nA"})
    {'I': Unit("pA")}
    """
    check_function(fun, "check_units", "(fun, x)")
    for key, arg in (*enumerate(args), *(kwargs or {}).items()):
        refuse_foreign_in(arg, argument_name(key))
    refuse_foreign_in(returns, "returns")
    packed = pack((args, dict(kwargs or {})), is_traced, is_leaf=is_quantity)

    def abstractly(arrays: list[Any]) -> Any:
        positional, named = type(packed)(arrays, packed.skeleton, packed.treedef).unpack()
        with StateTrace():  # what is written in here is dropped
            result = fun(*positional, **named)
            refuse_foreign_in(result, f"the output of {name_of(fun)}")
            return pack(result, is_jax_array)

    try:
        result = jax.eval_shape(abstractly, packed.arrays).unpack()
    except Exception as error:
        _note_source(error)
        raise
    stripped = strip(result)
    units = [
        (unit or UNITLESS) if is_arraylike(leaf) else None
        for leaf, unit in zip(stripped.magnitudes, stripped.units, strict=True)
    ]
    if returns is not None:
        _compare(units, stripped, returns, name_of(fun))
    try:
        return stripped.structure.unflatten(units)
    except Exception:  # whatever a constructor of the user's raises that looks for arrays
        return dict(zip(_keys(stripped), units, strict=True))


def _keys(stripped: Stripped) -> list[str]:
    """The keys that lead to each leaf: ``p/g``; ``['p']['g']`` where two would read alike."""
    paths = stripped.paths
    keys = [jax.tree_util.keystr(path, simple=True, separator="/") for path in paths]
    return keys if len(set(keys)) == len(keys) else [jax.tree_util.keystr(path) for path in paths]


def _compare(units: list[Any], stripped: Stripped, returns: Any, name: str) -> None:
    treedef, paths = stripped.treedef, stripped.paths
    expected, structure = _typed.flatten(returns, is_leaf=is_quantity)
    if structure != treedef:
        keys = _keys(stripped)
        if not (_typed.is_a(returns, dict) and returns.keys() == set(keys)):
            raise ValueError(
                f"{name} gives the tree {treedef}, but returns has the tree {structure}. Name one "
                "unit for each output."
            )
        expected = [returns[key] for key in keys]
    for unit, path, want in zip(units, paths, expected, strict=True):
        wanted, label = _as_unit(want), f"{path_text('output', path)} of {name}"
        if unit is None:
            raise ValueError(f"{label} is no number and has no unit, but returns says {wanted}.")
        if not same_dimension(unit, wanted):
            raise ValueError(
                f"{label} is in {unit_text(unit)}, but returns says {unit_text(wanted)}, which has "
                "another dimension."
            )


def _as_unit(unit: Any) -> Unit:
    if is_quantity(unit):
        return unit.unit
    try:
        unit = parse_unit(unit) if isinstance(unit, str) else unit
    except ValueError as error:
        raise ValueError(f"returns has {unit!r}, which is no unit: {error}") from error
    if not isinstance(unit, Unit):
        raise TypeError(
            f"returns has {unit!r} ({type(unit).__name__}), expected a unit, its text, or a "
            "quantity."
        )
    return unit


def _note_source(error: Exception) -> None:
    """Add the user's own line to an error that a library raised below it."""
    lines = own_lines(error.__traceback__)
    if lines:
        error.add_note(f"at {lines[-1]}")
