"""Units as a person writes them: the one spelling that plans, messages, tables and matrices share.

Owns: the text of a unit, of one unit over another, of one times another. Never touches: numbers,
derivatives.

A text is ASCII, as short as it can be, and `brainunit` reads it back: ``uA/(cm^2*mV)``, ``1/ms``.
How it is printed is told by `unitjac._unit_markup`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .quantity import Unit, unit_product, unit_ratio
from .symbols import symbols_of


@dataclass(frozen=True)
class UnitTexts:
    """The text of a unit, and of one unit over another, in words that `brainunit` can read back.

    Parameters
    ----------
    written : dict
        Units and how the user wrote them; any other is written with the symbols it is made of.

    Examples
    --------
    >>> import brainunit as u
    >>> texts = UnitTexts()
    >>> texts.of((u.mV / u.ms) / u.mV)
    '1/ms'
    >>> texts.quotient(u.uA / u.cm**2, u.mS / u.cm**2)
    'mV'
    >>> texts.quotient(u.mV / u.ms, u.mS / u.cm**2)
    '(mV/ms)/(mS/cm^2)'
    """

    written: Mapping[Unit, str] = field(default_factory=dict[Unit, str])

    def of(self, unit: Unit | None) -> str:
        """The text of a unit: ``mS/cm^2``, ``1/ms``, and ``""`` for the number one."""
        if unit is None or unit.is_unitless:
            return ""
        return self.written.get(unit) or _scale_text(unit) or symbols_of(unit)

    def quotient(self, over: Unit | None, under: Unit | None) -> str:
        """The text of ``over / under``: in its own symbols where they are few, else as it stands.

        A quotient without a dimension has no text, since its scale belongs to the number.
        """
        unit = unit_ratio(over, under)
        if unit.dim.is_dimensionless:
            return ""
        top, bottom = self.of(over) or "1", self.of(under)
        if not bottom:
            return top
        own = self.of(unit)
        return own if _is_readable(own, unit, (top, bottom)) else f"{_wrap(top)}/{_wrap(bottom)}"

    def product(self, one: Unit | None, other: Unit | None) -> str:
        """The text of ``one * other``, as entries of a covariance have it: ``nS*mV``, ``mV^2``.

        The unit library calls the first of them pA: right, and it hides the two factors.
        """
        unit = unit_product(one, other)
        if unit.dim.is_dimensionless:
            return ""
        first, second = self.of(one), self.of(other)
        if not (first and second):
            return first or second
        if first != second:
            return "*".join(f"({text})" if "/" in text else text for text in (first, second))
        return self.of(unit) if re.search(r"[*/^()]", first) else f"{first}^2"


_TEXTS = UnitTexts()


def unit_text(unit: Unit | None) -> str:
    """A unit in a sentence or in a column of units, where no unit is ``1``.

    Beside a number it is :meth:`UnitTexts.of`, which then is empty.
    """
    return _TEXTS.of(unit) or "1"


def quotient_text(over: Unit | None, under: Unit | None) -> str:
    """The unit of a derivative in a sentence or in a column of units."""
    return _TEXTS.quotient(over, under) or "1"


def product_text(one: Unit | None, other: Unit | None) -> str:
    """The unit of an entry of a covariance in a sentence or in a column of units."""
    return _TEXTS.product(one, other) or "1"


def _scale_text(unit: Unit) -> str:
    """The text of a plain number without a name, which some releases write as V/mV."""
    if not unit.dim.is_dimensionless or unit.is_fullname:
        return ""
    return f"10^{unit.scale:g}" if unit.factor == 1 else f"{unit.magnitude:g}"


def _is_readable(text: str, unit: Unit, parts: tuple[str, str]) -> bool:
    symbols = [symbol for symbol in re.findall(r"[^*/()]+", text) if symbol != "1"]
    if "10^" in text or len(symbols) > 3:
        return False
    # A name that comes from neither part has to be one in use: mV is, cV is not.
    return len(symbols) > 1 or symbols[0] in parts or unit.scale % 3 == 0


def _wrap(text: str) -> str:
    return f"({text})" if re.search(r"[*/]", text) else text
