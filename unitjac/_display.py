"""Numbers as a person writes them: four digits, decimal points below each other.

Owns: the text of a number. Never touches: units, tables, terminals.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

__all__ = ["aligned", "number_text", "value_text"]

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
