"""Quantities from text, from TOML and from ``--set``.

Owns: the grammar of a quantity, how a file of parameters is read, how one value stands in for
another. Never touches: models, tables.
"""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np

from unitjac import _typed
from unitjac._cli.failures import BadInput, alike
from unitjac._units.quantity import is_quantity, unit_of
from unitjac._units.symbols import is_in_use
from unitjac._units.unit_text import UnitTexts

__all__ = ["Reader", "check_kind", "merged", "named", "twin_of"]

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_ACCEPTED = '"120 mS/cm^2", "-65 mV", "5 1/ms" or "[1, 2, 3] mV"'
_SIGNS = str.maketrans({"µ": "u", "μ": "u", "²": "^2", "³": "^3", "·": "*", "Ω": "ohm"})


@dataclass
class Reader:
    """Reads quantities, and keeps how their units were written.

    Parameters
    ----------
    written : dict
        Each unit that was read and its text, for whoever writes it again.
    """

    written: dict[u.Unit, str] = field(default_factory=dict[u.Unit, str])

    def file(self, path: Path) -> dict[str, Any]:
        """The parameters that stand in a TOML file, tables as dicts.

        Raises
        ------
        BadInput
            If there is no such file, it is no TOML, or a value in it is no quantity.
        """
        try:
            with path.open("rb") as stream:
                table = tomllib.load(stream)
        except OSError as error:
            raise BadInput(f"cannot read {path}: {error.strerror}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"{path} is no TOML: {error}.") from None
        return {named(key): self._value(value, f"{path}, {key}") for key, value in table.items()}

    def setting(self, text: str) -> tuple[list[str], Any]:
        """The names and the value of ``NAME=VALUE``, where a dot leads into a nested dict.

        Raises
        ------
        BadInput
            If it is no such text.
        """
        name, equals, value = text.partition("=")
        if not (name.strip() and equals):
            raise BadInput(f'--set {text}: expected NAME=VALUE, as in --set V="-50 mV".')
        names = [named(part.strip()) for part in name.split(".")]
        return names, self.quantity(value, f"--set {name.strip()}")

    def quantity(self, text: str, where: str) -> Any:
        """A quantity from text: a number or a list of numbers, and a unit where it has one.

        Raises
        ------
        BadInput
            If there is no number, or the unit is unknown.
        """
        number, unit = _split(text.strip().replace("\N{MINUS SIGN}", "-"), where)
        if unit is not None:
            _refuse_relative(number, unit, f'{where} = "{text}"')
        return number if unit is None else u.Quantity(number, unit=self._unit(unit, text, where))

    def _unit(self, text: str, whole: str, where: str) -> u.Unit:
        plain = re.sub(r"\s*([*/])\s*", r"\1", text.translate(_SIGNS))
        try:
            unit = u.parse_unit(plain)
        except ValueError:
            raise BadInput(f'{where} = "{whole}": {_unknown_unit(plain)}') from None
        self.written[unit] = plain
        return unit

    def _value(self, value: Any, where: str) -> Any:
        if _typed.is_a(value, dict):
            return {named(k): self._value(v, f"{where}.{k}") for k, v in value.items()}
        if isinstance(value, str):
            return self.quantity(value, where)
        if _typed.is_a(value, list) and any(isinstance(entry, str) for entry in value):
            return self._entries(value, where)
        return _plain(value, where)

    def _entries(self, values: list[Any], where: str) -> Any:
        """A list of quantities as one array, in the unit of the first."""
        entries = [self._value(value, f"{where}[{k}]") for k, value in enumerate(values)]
        unit = unit_of(entries[0])
        for k, entry in enumerate(entries):
            if np.ndim(entry) or not unit_of(entry).has_same_dim(unit):
                raise BadInput(
                    f"{where}[{k}] = {values[k]!r}: expected {_wanted(unit)}, as {where}[0] is."
                )
        decimals: list[Any] = [u.Quantity(entry).to_decimal(unit) for entry in entries]
        numbers: Any = np.array(decimals, float)
        return u.Quantity(numbers, unit=unit) if is_quantity(entries[0]) else numbers


def named(name: str) -> str:
    """A name as Python reads it in a program: the micro sign is the Greek letter."""
    return unicodedata.normalize("NFKC", name)


def twin_of(name: str, names: Iterable[str]) -> str | None:
    """The first of some names that Python reads as this one; None where none is."""
    return next((other for other in names if named(other) == named(name)), None)


def merged(base: Mapping[str, Any], names: list[str], value: Any, where: str) -> dict[str, Any]:
    """`base` with another value at the place that `names` lead to.

    Raises
    ------
    BadInput
        If the value that stands there is of another dimension or shape, or is no single value.
    """
    name, *rest = names
    old: Any = base.get(name)
    if rest:
        if name in base and not _typed.is_a(old, dict):
            raise BadInput(f"{where}: {name} is no table, so that it has no {'.'.join(rest)}.")
        return {**base, name: merged(old or {}, rest, value, where)}
    if _typed.is_a(old, dict):
        raise BadInput(f"{where}: {name} is a table of {', '.join(old)}. Set one of these.")
    if name in base:
        check_kind(old, value, where)
    return {**base, name: value}


def check_kind(old: Any, new: Any, where: str) -> None:
    """Raise where a value is of another dimension than the one that it stands in for."""
    if _typed.is_a(new, dict):
        raise BadInput(f"{where}: expected one value, got a table of {', '.join(new)}.")
    expected, came = unit_of(old), unit_of(new)
    if not expected.has_same_dim(came):
        raise BadInput(f"{where}: expected {_wanted(expected)}, got {_kind(came)}.")


def _wanted(unit: u.Unit) -> str:
    other = "" if unit.is_unitless else " or another unit of its dimension"
    return _kind(unit) + other


def _kind(unit: u.Unit) -> str:
    return "a plain number" if unit.is_unitless else f"a quantity in {UnitTexts().of(unit)}"


def _split(text: str, where: str) -> tuple[Any, str | None]:
    if text.startswith("[") and "]" in text:
        end = text.rindex("]") + 1
        number = _array(text[:end], where)
    elif comma := re.match(r"[+-]?\d+,\d+(?!\d*,)", text):
        point = text.replace(",", ".", 1)
        raise BadInput(f'{where} = "{text}": {comma[0]} is no number. Write "{point}".')
    elif match := _NUMBER.match(text):
        end = match.end()
        number = _plain(float(match.group()), where)
    else:
        raise BadInput(f'{where} = "{text}": no number in it. A quantity is written {_ACCEPTED}.')
    unit = text[end:].strip()
    # "5/ms" says the same as "5 1/ms".
    return number, f"1{unit}" if unit.startswith("/") else unit or None


def _array(text: str, where: str) -> np.ndarray:
    try:
        return _plain(json.loads(text), where)
    except json.JSONDecodeError:
        raise BadInput(f"{where} = {text}: no list of numbers, which is [1, 2, 3].") from None


def _plain(value: Any, where: str) -> Any:
    """A number as a float, a list of numbers as an array: TOML writes 4 where 4.0 is meant."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        array = np.asarray(None)
    if array.dtype.kind in "iuf" and np.isfinite(array).all():
        return array.astype(float) if array.ndim else float(array)
    raise BadInput(
        f"{where} = {value!r}: expected a finite number, a list of them or a quantity as text, "
        f"{_ACCEPTED}."
    )


_DEGREES = re.compile(r"(°|º|deg(ree)?s?)?[ _]*(C|F|celsius|fahrenheit)|℃|℉", re.IGNORECASE)


def _refuse_relative(number: Any, unit: str, what: str) -> None:
    """Raise for degrees and per cent: what they stand for is a kelvin, and a number."""
    if unit in ("%", "percent", "per cent"):
        raise BadInput(f"{what}: a part of a hundred is a number. Write {_short(number / 100)}.")
    scale = _DEGREES.fullmatch(unit)
    if scale is None or unit in ("C", "F"):  # coulomb and farad
        return
    is_celsius = "c" in unit.lower() or "℃" in unit
    kelvin = number + 273.15 if is_celsius else (number + 459.67) / 1.8
    step = number if is_celsius else number / 1.8
    raise BadInput(
        f"{what}: {unit} counts from a zero of its own, so that it is no unit. Write "
        f'"{_short(kelvin)} K", or for a difference "{_short(step)} K".'
    )


def _short(number: Any) -> str:
    if np.ndim(number):
        return "[" + ", ".join(map(_short, number)) + "]"
    return f"{float(number):.10g}"


def _unknown_unit(text: str) -> str:
    if re.search(r"[^\s*/]\s+[^\s*/]", text):
        product = re.sub(r"\s+", "*", text.replace("**", "^"))
        return f'"{text}" is no unit. Join units by * and /, as in "{product}" or "mS/cm^2".'
    if "**" in text:
        return f'"{text}" is no unit. Write powers with ^, as in "{text.replace("**", "^")}".'
    unknown = [symbol for symbol in re.findall(r"[^\d\W][^\s*/()^]*", text) if not _known(symbol)]
    advice = [_advice(symbol) for symbol in unknown]
    return f'"{text}" is no unit{": " if advice else ""}{"; ".join(advice)}.'


def _advice(symbol: str) -> str:
    power = re.fullmatch(r"([^\W\d]+)(-?\d+)", symbol)
    if power and _known(power[1]):
        return f'write "{power[1]}^{power[2]}" for "{symbol}"'
    close = alike(symbol, _symbols(), n=2)
    close.sort(key=lambda name: -sum(map(str.__eq__, name, symbol)))  # mV for mv, before MV
    return f'"{symbol}" is unknown' + (f" (did you mean {_choice(close)}?)" if close else "")


def _choice(names: Iterable[str]) -> str:
    return " or ".join(f'"{name}"' for name in names)


def _known(symbol: str) -> bool:
    try:
        u.parse_unit(symbol)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1)
def _symbols() -> tuple[str, ...]:
    units = [value for value in vars(u).values() if isinstance(value, u.Unit)]
    used = [unit for unit in units if is_in_use(unit.dispname)]
    names = {unit.dispname for unit in used} | {unit.name or "" for unit in used if not unit.scale}
    return tuple(sorted(name for name in names if _known(name)))
