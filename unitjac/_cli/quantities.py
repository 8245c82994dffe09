"""Quantities from text, from TOML and from ``--set``.

Owns: the grammar of a quantity, how a file of parameters is read, how one value stands in for
another. Never touches: models, tables.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np

from unitjac import _typed
from unitjac._cli.failures import BadInput, alike
from unitjac._units.quantity import unit_of
from unitjac._units.unit_text import UnitTexts

__all__ = ["Reader", "merged"]

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
        return {name: self._value(value, f"{path}, {name}") for name, value in table.items()}

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
        names = [part.strip() for part in name.split(".")]
        return names, self.quantity(value, f"--set {name.strip()}")

    def quantity(self, text: str, where: str) -> Any:
        """A quantity from text: a number or a list of numbers, and a unit where it has one.

        Raises
        ------
        BadInput
            If there is no number, or the unit is unknown.
        """
        number, unit = _split(text.strip(), where)
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
            return {k: self._value(v, f"{where}.{k}") for k, v in value.items()}
        if isinstance(value, str):
            return self.quantity(value, where)
        return _plain(value, where)


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
        _check_kind(old, value, where)
    return {**base, name: value}


def _check_kind(old: Any, new: Any, where: str) -> None:
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
    names = {name for unit in units for name in (unit.dispname, unit.name) if name}
    return tuple(sorted(name for name in names if _known(name)))
