"""The texts of a picture: names with units, short numbers, lines that are broken where they may be.

Owns: these texts. Never touches: where they are drawn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

from unitjac._unit_markup import pretty
from unitjac._units.quantity import Unit
from unitjac._units.unit_text import UnitTexts

Fits = Callable[[str], bool]

_TEXTS = UnitTexts()
_WORD = re.compile(r"\S+\s*")
# within a long word a piece ends behind one of these marks
_PIECE = re.compile(r"[^._/,\-·]*[._/,\-·]?\s*")
_LONG = 12  # characters; a shorter word, such as E_Na or (1/mV), is not broken at its marks


def unit_label(unit: Unit | None) -> str:
    """The text of a unit; empty for a plain number."""
    return "" if unit is None else pretty(_TEXTS.of(unit))


def with_unit(name: str, unit: Unit | None) -> str:
    """A name with its unit in brackets, as axes are labelled: ``V (mV)``."""
    text = unit_label(unit)
    return f"{name} ({text})" if text else name


def short_number(number: float, digits: int = 2) -> str:
    """A number with few digits and a true minus, as there is room for in a cell.

    Examples
    --------
    >>> [short_number(x) for x in (-0.0312, 1234.0, 3.0, 2.5e-9, 0.0)]
    ['−0.031', '1200', '3', '2.5e−9', '0']
    """
    if not math.isfinite(number):
        return "—" if math.isnan(number) else ("∞" if number > 0 else "−∞")
    rounded = float(f"{number:.{digits}g}")
    if rounded == 0 or 1e-3 <= abs(rounded) < 1e5:
        text = f"{rounded:.{digits + 3}g}"
    else:
        mantissa, exponent = f"{rounded:.{digits - 1}e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-0" if text == "-0" else "-", "" if text == "-0" else "−") or "0"


def wrapped(text: str, fits: Fits, within: bool = True) -> str:
    """A text in lines that fit, broken behind spaces, and behind marks in long words.

    Parameters
    ----------
    fits : callable
        Whether a line is short enough.
    within : bool
        Whether a word that is too long is broken as well.
    """
    lines: list[str] = []
    line = ""
    for piece in _pieces(text, fits, within):
        if line and not fits((line + piece).rstrip()):
            lines.append(line.rstrip())
            line = ""
        line += piece
    return "\n".join([*lines, line.rstrip()])


def _pieces(text: str, fits: Fits, within: bool) -> Iterable[str]:
    for piece in _parts(text):
        rest = piece
        while within and len(rest) > 1 and not fits(rest.rstrip()):
            end = next((k for k in range(len(rest) - 1, 1, -1) if fits(rest[:k])), 1)
            yield rest[:end]
            rest = rest[end:]
        yield rest


def _parts(text: str) -> Iterable[str]:
    for word in _WORD.findall(text):
        yield from [word] if len(word.rstrip()) <= _LONG else filter(None, _PIECE.findall(word))
