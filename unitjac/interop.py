"""Quantities of other libraries at the border: pint, astropy and unxt.

>>> import brainunit as u
>>> from unitjac.interop import to_pint
>>> print(to_pint(3.0 * u.mV))
3.0 millivolt

From there to here, and back, for a quantity or a whole tree of them:

    to_brainunit  from pint, astropy and unxt to brainunit
    to_pint       from brainunit to pint
    to_astropy    from brainunit to astropy
    to_unxt       from brainunit to unxt

A unit crosses the border by its name where both sides mean the same by it,
to twelve digits; else the magnitude crosses in SI units. Angles and
percentages are plain numbers here, and what is no multiple of its unit
(degrees Celsius, decibels, magnitudes) is refused.
"""

# Owns: the way from their quantities to brainunit's, and back. Never touches: derivatives, states.
# It imports a library only to make quantities of it; what comes in says by itself what it is.

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import brainunit as u
import jax
import numpy as np

from ._errors import array_text, has_tracer, imported, is_arraylike, needing, path_text
from ._foreign import foreign_text, is_foreign
from ._units.quantity import UNITLESS, Unit, is_quantity

__all__ = ["to_astropy", "to_brainunit", "to_pint", "to_unxt"]

# By the names that brainunit gives dimensions: their SI units here, and how the others spell them.
_BASE = {
    "length": (u.metre, "m"),
    "mass": (u.kilogram, "kg"),
    "time": (u.second, "s"),
    "current": (u.ampere, "A"),
    "temperature": (u.kelvin, "K"),
    "luminosity": (u.parse_unit("cd"), "cd"),
    "substance": (u.mole, "mol"),
}
_OF_SYMBOL = {symbol: name for name, (_, symbol) in _BASE.items()}
_DIGITS = 1e-12


class InSI(NamedTuple):
    """A unit as a factor times a product of powers of SI base units, by their dimensions."""

    factor: float
    powers: Mapping[str, float]

    def is_same(self, other: InSI) -> bool:
        """Whether both are the same unit, up to the last digits of a constant of nature."""
        return self.powers == other.powers and math.isclose(
            self.factor, other.factor, rel_tol=_DIGITS
        )

    @property
    def is_plain(self) -> bool:
        """Whether it has no dimension."""
        return not any(self.powers.values())

    def plain(self, magnitude: Any) -> Any:
        """A magnitude without a dimension in units of one."""
        return magnitude if self.factor == 1.0 else magnitude * self.factor


class NoMultiple(ValueError):
    """A unit that is no multiple of SI base units."""


def to_brainunit(tree: Any) -> Any:
    """``tree`` with the quantities of pint, astropy and unxt in it as those of brainunit.

    Parameters
    ----------
    tree : pytree
        Of anything; what is no quantity of another library stays as it is. Traced arrays pass,
        in the quantities of unxt.

    Returns
    -------
    pytree
        The same tree. What has no dimension is a plain array, in units of one.

    Raises
    ------
    TypeError
        If a quantity has a mask, an error (measurements of pint) or another magnitude that is no
        array, or is of a library that is not read.
    ValueError
        If a unit is no multiple of SI base units: degrees Celsius, decibels, magnitudes.

    Examples
    --------
    >>> import pint
    >>> from unitjac.interop import to_brainunit
    >>> registry = pint.UnitRegistry()
    >>> to_brainunit({"g": 120.0 * registry.mS / registry.cm**2, "n": 3})
    {'g': Quantity(120., "mS / cm^2"), 'n': 3}
    """

    def converted(path: Any, leaf: Any) -> Any:
        if not is_foreign(leaf):
            return leaf
        kind = _kind_of(leaf)
        if kind is None:
            raise TypeError(
                f"{path_text('tree', path)} is {foreign_text(leaf)}, and to_brainunit reads the "
                "plain quantities of astropy, pint and unxt. Write brainunit.Quantity(magnitude, "
                "unit=...) in its place, and the error of a measurement beside it."
            )
        unit, magnitude = kind.unit(leaf), kind.magnitude(leaf)
        _check_magnitude(path, leaf, magnitude)
        given = _described(path, kind.in_si, unit)
        if given.is_plain:
            return given.plain(magnitude)
        known = _tried(u.parse_unit, kind.text(unit))
        if known is not None and _of_brainunit(known).is_same(given):
            return u.Quantity(magnitude, unit=known)
        return u.Quantity(magnitude * given.factor, unit=_product(given.powers))

    def is_leaf(leaf: Any) -> bool:
        return is_quantity(leaf) or is_foreign(leaf)

    return jax.tree_util.tree_map_with_path(converted, tree, is_leaf=is_leaf)


def to_pint(tree: Any, registry: Any = None) -> Any:
    """``tree`` with the quantities of brainunit in it as those of pint, with NumPy's arrays.

    Parameters
    ----------
    tree : pytree
        Of anything; what is no quantity of brainunit stays as it is.
    registry : pint.UnitRegistry, optional
        Whose quantities. Default: the application's registry.

    Returns
    -------
    pytree
        The same tree. What has no dimension is a plain array, in units of one.

    Raises
    ------
    ImportError
        If pint is not installed.
    TypeError
        If an array is traced: pint holds NumPy's arrays.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.interop import to_pint
    >>> print(to_pint(3.0 * u.mV))
    3.0 millivolt
    """
    if registry is None:
        with needing("to_pint", "pint", "interop"):
            import pint
        registry = pint.get_application_registry()
    return _leaving(tree, "pint", registry.parse_units, _pint_in_si, registry.Quantity)


def to_astropy(tree: Any) -> Any:
    """``tree`` with the quantities of brainunit in it as those of astropy, with NumPy's arrays.

    Parameters
    ----------
    tree : pytree
        Of anything; what is no quantity of brainunit stays as it is.

    Returns
    -------
    pytree
        The same tree. What has no dimension is a plain array, in units of one.

    Raises
    ------
    ImportError
        If astropy is not installed.
    TypeError
        If an array is traced: astropy holds NumPy's arrays.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.interop import to_astropy
    >>> to_astropy(3.0 * u.mV)
    <Quantity 3. mV>
    """
    with needing("to_astropy", "astropy", "interop"):
        from astropy import units
    return _leaving(tree, "astropy", units.Unit, _astropy_in_si, units.Quantity)


def to_unxt(tree: Any) -> Any:
    """``tree`` with the quantities of brainunit in it as those of unxt; under :func:`jax.jit` too.

    Parameters
    ----------
    tree : pytree
        Of anything; what is no quantity of brainunit stays as it is.

    Returns
    -------
    pytree
        The same tree. What has no dimension is a plain array, in units of one.

    Raises
    ------
    ImportError
        If unxt is not installed.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.interop import to_unxt
    >>> to_unxt(3.0 * u.mV).unit
    Unit("mV")
    """
    with needing("to_unxt", "unxt", "interop"):
        import unxt
    return _leaving(tree, None, unxt.unit, _astropy_in_si, unxt.Quantity)


def _leaving(
    tree: Any,
    holds_numpy: str | None,
    parse: Callable[[str], Any],
    in_si: Callable[[Any], InSI],
    make: Callable[[Any, Any], Any],
) -> Any:
    """The quantities of brainunit as those that ``make`` makes of a magnitude and a unit."""

    def converted(path: Any, leaf: Any) -> Any:
        if not is_quantity(leaf):
            return leaf
        magnitude, given = leaf.mantissa, _of_brainunit(leaf.unit)
        if holds_numpy:
            if has_tracer(magnitude):
                raise TypeError(
                    f"{path_text('tree', path)} is traced, and {holds_numpy} holds NumPy's arrays. "
                    "Convert what the transformed function gives back, outside of it."
                )
            magnitude = np.asarray(magnitude)[()]
        if given.is_plain:
            return given.plain(magnitude)
        known = _tried(parse, str(leaf.unit))
        meant = None if known is None else _tried(in_si, known)
        if meant is not None and meant.is_same(given):
            return make(magnitude, known)
        return make(magnitude * given.factor, parse(_spelled(given.powers)))

    return jax.tree_util.tree_map_with_path(converted, tree, is_leaf=is_quantity)


class _Kind(NamedTuple):
    """How the quantities of a library are told and taken apart."""

    module: str
    type_name: str
    unit: Callable[[Any], Any]
    magnitude: Callable[[Any], Any]
    text: Callable[[Any], str]
    in_si: Callable[[Any], InSI]


def _kind_of(leaf: Any) -> _Kind | None:
    for kind in _KINDS:
        known = imported(kind.module, kind.type_name)
        if known is not None and isinstance(leaf, known):
            return kind
    return None


def _check_magnitude(path: Any, leaf: Any, magnitude: Any) -> None:
    where = f"{path_text('tree', path)} is {foreign_text(leaf)}"
    if hasattr(magnitude, "mask"):
        raise TypeError(
            f"{where} with a mask, which arrays of JAX have not: what is masked would count. Fill "
            "it before (q.filled(...)), or take what is not masked (q.unmasked[~q.mask])."
        )
    if not is_arraylike(magnitude):
        raise TypeError(
            f"{where} whose magnitude is {array_text(magnitude)}, and no array or float. Write "
            "float(...) around it before."
        )


def _described(path: Any, in_si: Callable[[Any], InSI], unit: Any) -> InSI:
    try:
        return in_si(unit)
    except NoMultiple as error:
        raise ValueError(
            f"{path_text('tree', path)} is in {unit}: {error}. Convert it before, to a "
            "multiple of SI units: a temperature to kelvin, a level to a ratio."
        ) from error


def _of_brainunit(unit: Unit) -> InSI:
    powers = {name: float(unit.dim.get_dimension(name)) for name in _BASE}
    return InSI(float(unit.magnitude), powers)


def _product(powers: Mapping[str, float]) -> Unit:
    product: Any = UNITLESS
    for name, power in powers.items():
        if power:
            factor = _BASE[name][0]
            power = int(power) if power == int(power) else power
            factor = factor if power == 1 else factor**power
            product = factor if product is UNITLESS else product * factor
    return product


def _spelled(powers: Mapping[str, float]) -> str:
    """A product of powers of SI base units in the words of pint and of astropy."""
    return " * ".join(f"{_BASE[name][1]}**({power})" for name, power in powers.items() if power)


def _pint_in_si(unit: Any) -> InSI:
    registry = unit._REGISTRY
    try:
        spelled = {f"[{name}]": name for name in _BASE}
        powers = dict.fromkeys(_BASE, 0.0)
        for name, power in unit.dimensionality.items():
            powers[spelled[name]] = float(power)
        base = registry.parse_units(_spelled(powers))
        zero, one, two = (float(registry.convert(x, unit, base)) for x in (0.0, 1.0, 2.0))
    except Exception as error:
        raise NoMultiple(f"pint cannot say what it is in SI units ({error})") from error
    if zero != 0.0 or not math.isclose(two, 2.0 * one):
        raise NoMultiple("twice the number is not twice as much")
    return InSI(one, powers)


def _astropy_in_si(unit: Any) -> InSI:
    powers = dict.fromkeys(_BASE, 0.0)
    try:
        decomposed = unit.decompose()
        parts = list(zip(decomposed.bases, decomposed.powers, strict=True))
    except Exception as error:
        raise NoMultiple(f"astropy cannot say what it is in SI units ({error})") from error
    for base, power in parts:
        symbol = str(base)
        if symbol == "rad":
            continue
        if symbol not in _OF_SYMBOL:
            raise NoMultiple(f"{symbol} is no product of SI base units")
        powers[_OF_SYMBOL[symbol]] += float(power)
    return InSI(float(decomposed.scale), powers)


def _tried(read: Callable[[Any], Any], given: Any) -> Any:
    """What ``read`` makes of what is given; None where it cannot."""
    try:
        return read(given)
    except Exception:  # each library has errors of its own for what it does not know
        return None


def _pint_text(unit: Any) -> str:
    return f"{unit:~C}".replace("**", "^").replace("µ", "u").replace("Ω", "ohm")


def _astropy_text(unit: Any) -> str:
    return re.sub(r"([A-Za-z])(-?[0-9])", r"\1^\2", unit.to_string())  # it writes cm2


def _unxt_magnitude(quantity: Any) -> Any:
    value = quantity.value
    if type(value).__name__ == "StaticValue":  # an array of NumPy that is part of the tree
        return np.asarray(value)
    return value


_KINDS = (
    _Kind(
        "pint",
        "Quantity",
        attrgetter("units"),
        attrgetter("magnitude"),
        _pint_text,
        _pint_in_si,
    ),
    _Kind(
        "unxt",
        "AbstractQuantity",
        attrgetter("unit"),
        _unxt_magnitude,
        _astropy_text,
        _astropy_in_si,
    ),
    _Kind(
        "astropy.units",
        "Quantity",
        attrgetter("unit"),
        attrgetter("value"),
        _astropy_text,
        _astropy_in_si,
    ),
)
