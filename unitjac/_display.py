"""Numbers and units as a person writes them.

Owns the text of a number and of a unit. Never computes with either, and knows neither tables nor
terminals.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import brainunit as u

from ._quantity import unit_ratio

__all__ = ["UnitTexts", "aligned", "number_text", "value_text"]

_SIGNIFICANT = 4
# Between these a number is written without an exponent.
_SMALL, _LARGE = 1e-4, 1e6


def number_text(number: float) -> str:
    """A number with four significant digits, trailing zeros included.

    Examples
    --------
    >>> [number_text(x) for x in (3.0, -0.00795689, 12345.6, 2.5e-9, 0.0)]
    ['3.000', '-0.007957', '12346', '2.500e-09', '0']
    """
    if number == 0 or not math.isfinite(number):
        return f"{number:g}".removeprefix("-0") or "0"
    if not _SMALL <= abs(number) < _LARGE:
        return f"{number:.{_SIGNIFICANT - 1}e}"
    decimals = _SIGNIFICANT - 1 - math.floor(math.log10(abs(number)))
    return f"{number:.{max(decimals, 0)}f}"


def value_text(number: float) -> str:
    """A value that somebody chose: whole up to six digits, else with four, without idle zeros.

    Examples
    --------
    >>> [value_text(x) for x in (120.0, -54.387, 0.052932485, 96485.33212)]
    ['120', '-54.387', '0.05293', '96485']
    """
    whole = f"{number:.6g}"
    if float(whole) == number or not math.isfinite(number):
        return whole
    text = number_text(number)
    return text if "e" in text or "." not in text else text.rstrip("0").rstrip(".")


def aligned(numbers: Iterable[str]) -> list[str]:
    """Texts of numbers padded to one width, with their decimal points below each other.

    Examples
    --------
    >>> aligned(["3.000", "-54.39", "120"])
    ['  3.000', '-54.39 ', '120    ']
    """
    parts = [_split_at_point(number) for number in numbers]
    left = max((len(whole) for whole, _ in parts), default=0)
    right = max((len(rest) for _, rest in parts), default=0)
    return [whole.rjust(left) + rest.ljust(right) for whole, rest in parts]


def _split_at_point(number: str) -> tuple[str, str]:
    match = re.match(r"[^.e]*", number)
    whole = match.group() if match else ""
    return whole, number[len(whole) :]


@dataclass(frozen=True)
class UnitTexts:
    """The text of a unit, and of one unit over another, in words that `brainunit` can read back.

    Parameters
    ----------
    written : dict
        Units and how the user wrote them; any other is written with the symbols it is made of.

    Examples
    --------
    >>> texts = UnitTexts()
    >>> texts.of((u.mV / u.ms) / u.mV)
    '1/ms'
    >>> texts.quotient(u.uA / u.cm**2, u.mS / u.cm**2)
    'mV'
    >>> texts.quotient(u.mV / u.ms, u.mS / u.cm**2)
    '(mV/ms)/(mS/cm^2)'
    """

    written: Mapping[u.Unit, str] = field(default_factory=dict)

    def of(self, unit: u.Unit) -> str:
        """The text of a unit: ``mS/cm^2``, ``1/ms``, and ``""`` for the number one."""
        if unit in self.written:
            return self.written[unit]
        if unit.is_unitless:
            return ""
        return _compact(_per_millisecond(str(unit)))

    def quotient(self, over: u.Unit, under: u.Unit) -> str:
        """The text of ``over / under``: in its own symbols where they are few, else as it stands.

        A quotient without a dimension has no text, since its scale belongs to the number.
        """
        unit = unit_ratio(over, under)
        if unit.dim.is_dimensionless:
            return ""
        if under.is_unitless:
            return self.of(over)
        own = self.of(unit)
        top, bottom = self.of(over) or "1", self.of(under)
        return own if _is_readable(own, unit, (top, bottom)) else f"{_wrap(top)}/{_wrap(bottom)}"


def _compact(text: str) -> str:
    return text.replace(" / ", "/").replace(" * ", "*").replace("10.0^", "10^")


def _per_millisecond(text: str) -> str:
    """`brainunit` turns 1/ms into kHz, which for a rate nobody writes."""
    parts = text.split(" / ")
    if "kHz" not in parts[0].split(" * "):
        return text
    above = [part for part in parts[0].split(" * ") if part != "kHz"]
    below = ["ms", *parts[1].strip("()").split(" * ")] if len(parts) == 2 else ["ms"]
    under = below[0] if len(below) == 1 else f"({' * '.join(below)})"
    return f"{' * '.join(above) or '1'} / {under}"


def _is_readable(text: str, unit: u.Unit, parts: tuple[str, str]) -> bool:
    symbols = [symbol for symbol in re.findall(r"[^*/()]+", text) if symbol != "1"]
    if "10^" in text or len(symbols) > 3:
        return False
    # A name that comes from neither part has to be one in use: mV is, cV is not.
    return len(symbols) > 1 or symbols[0] in parts or unit.scale % 3 == 0


def _wrap(text: str) -> str:
    return f"({text})" if re.search(r"[*/]", text) else text
