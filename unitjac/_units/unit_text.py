"""Units as a person writes them.

Owns: the text of a unit, and of one unit over another. Never touches: numbers, derivatives.

The unit library prints 1/ms as kHz and uS * mV as nA: right, and not what a table of
sensitivities wants to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .quantity import UNITLESS, Unit, per_millisecond, unit_ratio


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

    def of(self, unit: Unit) -> str:
        """The text of a unit: ``mS/cm^2``, ``1/ms``, and ``""`` for the number one."""
        if unit in self.written:
            return self.written[unit]
        if unit.is_unitless:
            return ""
        return _compact(per_millisecond(str(unit)))

    def as_written(self, over: Unit | None, under: Unit | None) -> str:
        """:meth:`quotient` where a plain leaf has no unit at all."""
        return self.quotient(over or UNITLESS, under or UNITLESS)

    def quotient(self, over: Unit, under: Unit) -> str:
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


def _is_readable(text: str, unit: Unit, parts: tuple[str, str]) -> bool:
    symbols = [symbol for symbol in re.findall(r"[^*/()]+", text) if symbol != "1"]
    if "10^" in text or len(symbols) > 3:
        return False
    # A name that comes from neither part has to be one in use: mV is, cV is not.
    return len(symbols) > 1 or symbols[0] in parts or unit.scale % 3 == 0


def _wrap(text: str) -> str:
    return f"({text})" if re.search(r"[*/]", text) else text
