"""Numbers as a person writes them: four digits, decimal points below each other.

Owns: the text of a number. Never touches: units, tables, terminals.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from numbers import Complex, Integral, Real
from typing import Any

__all__ = ["aligned", "full_text", "number_text", "value_text"]

_SIGNIFICANT = 4
# Between these a number is written without an exponent.
_SMALL, _LARGE = 1e-4, 1e6


def number_text(number: complex, digits: int = _SIGNIFICANT) -> str:
    """A number with so many significant digits, trailing zeros included.

    Examples
    --------
    >>> [number_text(x) for x in (3.0, -0.00795689, 12345.6, 2.5e-9, 0.99999999, 0.0, 7)]
    ['3.000', '-0.007957', '12346', '2.500e-09', '1.000', '0', '7']
    """
    if isinstance(number, Integral):
        return str(int(number))
    if _is_complex(number):
        imaginary = number_text(number.imag, digits)
        sign = "" if imaginary.startswith("-") else "+"
        return f"{number_text(number.real, digits)}{sign}{imaginary}j"
    number = float(number.real)  # NumPy's short ones cannot be compared with what they cannot hold
    if number == 0 or not math.isfinite(number):
        return f"{number:g}".removeprefix("-0") or "0"
    if not _SMALL <= abs(number) < _LARGE:
        return f"{number:.{digits - 1}e}"
    exponent = int(f"{number:.{digits - 1}e}".partition("e")[2])  # of the rounded number
    decimals = digits - 1 - exponent
    return f"{number:.{max(decimals, 0)}f}"


def value_text(number: complex) -> str:
    """A value that somebody chose: whole up to six digits, else with four, without idle zeros.

    Examples
    --------
    >>> [value_text(x) for x in (120.0, -54.387, 0.052932485, 96485.33212)]
    ['120', '-54.387', '0.05293', '96485']
    """
    if _is_complex(number):
        return number_text(number)
    number = float(number.real)
    whole = f"{number:.6g}"
    if float(whole) == number or not math.isfinite(number):
        return whole
    text = number_text(number)
    return text if "e" in text or "." not in text else text.rstrip("0").rstrip(".")


def full_text(number: Any) -> str:
    """A number with all of its digits: the shortest text that its dtype reads back.

    Examples
    --------
    >>> import numpy as np
    >>> full_text(np.float32(0.1)), full_text(0.1 + 0.2)
    ('0.1', '0.30000000000000004')
    """
    return str(number).strip("()")


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


def _is_complex(number: Any) -> bool:
    return isinstance(number, Complex) and not isinstance(number, Real)
