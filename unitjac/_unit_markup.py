"""A unit's text as papers print it: µA/cm² for ``uA/cm^2``, in Unicode and HTML.

Owns: signs, raised exponents, the minus sign. Never touches: what a unit is, which text it has.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from fractions import Fraction

__all__ = ["markup", "pretty"]

_POWER = r"-?\d*\.?\d+"
_TOKEN = re.compile(
    rf"\^(?P<power>{_POWER})|\^\((?P<fraction>{_POWER}/\d+)\)"
    r"|(?P<symbol>[^\W\d_]\w*)|(?P<minus>-)(?=\d)|(?P<other>.)",
    re.DOTALL,
)
# where u is micro, and no letter of a word
_WITH_MICRO = re.compile(
    "u(m|g|s|A|K|mol|cd|V|S|F|ohm|Hz|N|Pa|J|W|C|T|Wb|H|lm|lx|Bq|Gy|Sv|kat|M|l|L|eV|bar|cal|rad|sr)"
)
_WITH_OHM = re.compile(r"([yzafpnµmcdhkMGTPEZY]|da)?ohm")
_SIGNS = {
    "degC": "°C",
    "degF": "°F",
    "degree": "°",
    "deg": "°",
    "arcminute": "\N{PRIME}",
    "arcmin": "\N{PRIME}",
    "arcsecond": "″",
    "arcsec": "″",
    "angstrom": "Å",
    "percent": "%",
}
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_MINUS = "\N{MINUS SIGN}"


def pretty(text: str) -> str:
    """A unit in Unicode, for terminals and labels.

    Parameters
    ----------
    text : str
        A unit as the house writes it; any other text stays as it is.

    Examples
    --------
    >>> [pretty(text) for text in ("uA/cm^2", "mS*mV", "cm^-2", "kohm", "degC", "mV^0.5", "1")]
    ['µA/cm²', 'mS·mV', 'cm⁻²', 'kΩ', '°C', 'mV^0.5', '1']
    """
    return _printed(text, _as_superscript, str)


def markup(text: str) -> str:
    """A unit in HTML, with what HTML reads as its own escaped.

    Examples
    --------
    >>> markup("uA/cm^2")
    'µA/cm<sup>2</sup>'
    >>> markup("m<n")
    'm&lt;n'
    """
    return _printed(text, lambda power: f"<sup>{_signed(power)}</sup>", html.escape)


def _printed(text: str, raised: Callable[[str], str], plain: Callable[[str], str]) -> str:
    def token(found: re.Match[str]) -> str:
        if power := found["power"] or found["fraction"]:
            return raised(_short(power))
        if found["symbol"]:
            return plain(_sign(found["symbol"]))
        return _MINUS if found["minus"] else plain(found["other"].replace("*", "·"))

    return _TOKEN.sub(token, text)


def _sign(symbol: str) -> str:
    if symbol in _SIGNS:
        return _SIGNS[symbol]
    if _WITH_MICRO.fullmatch(symbol):
        symbol = f"µ{symbol[1:]}"
    return f"{symbol[:-3]}Ω" if _WITH_OHM.fullmatch(symbol) else symbol


def _short(power: str) -> str:
    """A third as 1/3, which a computer writes as 0.3333333333333333."""
    simple = str(Fraction(power).limit_denominator(12))
    return simple if len(power) > max(len(simple), len("-0.25")) else power


def _as_superscript(power: str) -> str:
    if re.fullmatch(r"-?\d+", power):
        return power.translate(_RAISED)
    return f"^({_signed(power)})" if "/" in power else f"^{_signed(power)}"


def _signed(power: str) -> str:
    return power.replace("-", _MINUS)
