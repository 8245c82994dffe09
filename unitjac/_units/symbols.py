"""The symbols that a unit is written in.

Owns: which name of the unit library is one in use, and which symbols stand in place of another.
Never touches: one unit over another, numbers.

The unit library gives a compound the name of whatever unit equals it: m^3/cm is dam^2, mmol/l is
mM, and what it has no name for is counted in powers of ten of SI's units. Here such a name is taken
where it is one in use, as mV for uA/mS; else the unit is written in the symbols it is made of.
"""

from __future__ import annotations

import re
from functools import lru_cache

import brainunit as u

__all__ = ["is_in_use", "symbols_of"]

_PREFIX = "[afpnumkMGTP]?"
_IN_USE = re.compile(
    rf"{_PREFIX}(A|N|Pa|J|W|C|V|F|ohm|S)(\^2)?|{_PREFIX}(m|s|g|K|mol|Hz)|cm|m\^[23]"
)
# names that are no ASCII, or differ between versions of the unit library
_PLAIN = {
    "°": "degree",
    "deg": "degree",
    "\N{PRIME}": "arcminute",
    "arcmin": "arcminute",
    "\N{DOUBLE PRIME}": "arcsecond",
    "arcsec": "arcsecond",
    "Å": "angstrom",
    "Angstrom": "angstrom",
    "\N{MICRO SIGN}m": "um",
    "km/h": "kilometer per hour",
    "kcal/h": "kcal per hour",
}
# what stands below in units of densities and rates
_BELOW = ("cm^2", "m^2", "um^2", "ms", "s", "cm^3", "m^3", "cm", "m", "mV", "V")
_Parts = tuple[tuple[str, float], ...]


def is_in_use(symbol: str) -> bool:
    """Whether people write a symbol: mV, and no cV."""
    return _IN_USE.fullmatch(symbol) is not None


def symbols_of(unit: u.Unit) -> str:
    """The unit in ASCII, without spaces around its signs: ``uA/(cm^2*mV)``, ``1/ms``, ``1``."""
    return _symbols(unit, str(unit), _parts(unit))  # Hz and 1/s are equal


@lru_cache(maxsize=4096)
def _symbols(unit: u.Unit, shown: str, parts: _Parts) -> str:
    if parts and not re.search(r" [*/] ", shown) and not is_in_use(shown):
        shown = _joined(parts)
    elif re.match(r"(?!1 / )[\d.]", shown) and not unit.dim.is_dimensionless:
        shown = _ordinary(unit) or shown
    shown = re.sub(r"\^\((-?\d+)/(\d+)\)", lambda m: f"^{int(m[1]) / int(m[2])}", shown)
    for symbol, plain in _PLAIN.items():
        name = re.escape(symbol)
        shown = re.sub(rf"\({name}\)|(?<!\w){name}(?!\w)", plain, shown)
    shown = _per_millisecond(shown.replace("10.0^", "10^"))
    return shown.replace(" / ", "/").replace(" * ", "*")


def _parts(unit: u.Unit) -> _Parts:
    """What the unit was composed of, with exponents, where the library keeps that beside a name.

    It does so before 0.6, and tells it to whoever pickles a unit.
    """
    kept = unit.__reduce__()[1][-1]
    return tuple((part[1], part[2]) for part in kept) if isinstance(kept, list) else ()


def _joined(parts: _Parts) -> str:
    above = [_power(symbol, power) for symbol, power in parts if power > 0]
    below = [_power(symbol, -power) for symbol, power in parts if power < 0]
    return _over(above, below)


def _power(symbol: str, power: float) -> str:
    if power == 1:
        return symbol
    return f"{symbol}^{int(power) if power == int(power) else power}"


def _over(above: list[str], below: list[str]) -> str:
    top, bottom = " * ".join(above) or "1", " * ".join(below)
    return f"{top} / ({bottom})" if len(below) > 1 else f"{top} / {bottom}" if below else top


def _ordinary(unit: u.Unit) -> str | None:
    """A unit that is known as powers of ten of SI's units by names with prefixes."""
    inverse = unit**-1
    if inverse.is_fullname and " / " not in str(inverse):
        return f"1 / {inverse}"
    for below in _BELOW:
        above = unit * u.parse_unit(below)
        if isinstance(above, u.Unit) and is_in_use(str(above)):
            return f"{above} / {below}"
    return None


def _per_millisecond(text: str) -> str:
    """The text of a unit with 1/ms where brainunit writes kHz, which for a rate nobody does."""
    top, _, bottom = text.partition(" / ")
    above = top.split(" * ")
    if "kHz" not in above:
        return text
    below = bottom.strip("()").split(" * ") if bottom else []
    return _over([part for part in above if part != "kHz"], ["ms", *below])
