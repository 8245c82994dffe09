"""The unit texts of the table as sympy reads them, and another unit of each one's dimension.

Owns the map from a unit's text to `sympy.physics.units`. It never imports the unit package that the
library uses, so that the judge and the judged share nothing but the text. A unit that is new to the
table is entered here: what it is, and another unit of its dimension.
"""

import re
from functools import cache

import sympy
from sympy.physics import units as si

BASE = (si.meter, si.kilogram, si.second, si.ampere, si.kelvin, si.mole, si.candela)

_PREFIXES = {
    "": sympy.Integer(1),
    "Y": sympy.Integer(10) ** 24,
    "T": sympy.Integer(10) ** 12,
    "G": sympy.Integer(10) ** 9,
    "M": sympy.Integer(10) ** 6,
    "k": sympy.Integer(10) ** 3,
    "c": sympy.Rational(1, 100),
    "m": sympy.Rational(1, 10**3),
    "u": sympy.Rational(1, 10**6),
    "n": sympy.Rational(1, 10**9),
    "p": sympy.Rational(1, 10**12),
}

_PREFIXED = {
    "m": si.meter,
    "g": si.gram,
    "s": si.second,
    "A": si.ampere,
    "K": si.kelvin,
    "mol": si.mole,
    "cd": si.candela,
    "M": si.mole / si.liter,
    "l": si.liter,
    "Hz": si.hertz,
    "N": si.newton,
    "Pa": si.pascal,
    "J": si.joule,
    "W": si.watt,
    "C": si.coulomb,
    "V": si.volt,
    "F": si.farad,
    "ohm": si.ohm,
    "S": si.siemens,
    "H": si.henry,
    "T": si.tesla,
}

# Units that no prefix makes, from their definitions, which are exact but for the atomic mass unit
# (CODATA 2022): sympy lacks some of them, and has others to fewer digits.
_FACTORED = {
    "rad": sympy.Integer(1),
    "degree": sympy.pi / 180,
    "minute": 60 * si.second,
    "hour": 3600 * si.second,
    "day": 86400 * si.second,
    "inch": sympy.Rational("0.0254") * si.meter,
    "foot": sympy.Rational("0.3048") * si.meter,
    "angstrom": si.meter / 10**10,
    "AU": sympy.Integer(149597870700) * si.meter,
    "mph": sympy.Rational("1609.344") * si.meter / (3600 * si.second),
    "knot": sympy.Integer(1852) * si.meter / (3600 * si.second),
    "lb": sympy.Rational("0.45359237") * si.kilogram,
    "u": sympy.Rational("1.66053906892e-27") * si.kilogram,
    "atm": 101325 * si.pascal,
    "torr": sympy.Rational(101325, 760) * si.pascal,
    "cal": sympy.Rational("4.184") * si.joule,
    "eV": sympy.Rational("1.602176634e-19") * si.joule,
    "hp": 550 * sympy.Rational("0.3048") * sympy.Rational("4.4482216152605") * si.watt,
    "lux": si.candela / si.meter**2,
}

_UNITS = {
    prefix + name: factor * unit
    for prefix, factor in _PREFIXES.items()
    for name, unit in _PREFIXED.items()
} | _FACTORED

# For each unit that a parameter of the table is written in, another one of its dimension.
_ANOTHER = {
    "m": "cm",
    "cm": "m",
    "mm": "inch",
    "um": "mm",
    "nm": "angstrom",
    "angstrom": "nm",
    "foot": "m",
    "AU": "km",
    "km": "m",
    "l": "ml",
    "ml": "l",
    "s": "minute",
    "ms": "s",
    "minute": "s",
    "hour": "minute",
    "kg": "lb",
    "lb": "kg",
    "g": "kg",
    "Yg": "kg",
    "u": "kg",
    "mph": "knot",
    "Hz": "kHz",
    "GHz": "Hz",
    "mN": "N",
    "mPa": "Pa",
    "torr": "atm",
    "atm": "kPa",
    "J": "cal",
    "kJ": "cal",
    "cal": "J",
    "eV": "J",
    "W": "hp",
    "mW": "W",
    "uA": "mA",
    "nA": "uA",
    "V": "mV",
    "mV": "V",
    "nC": "pC",
    "ohm": "kohm",
    "kohm": "ohm",
    "Mohm": "ohm",
    "mS": "uS",
    "nS": "uS",
    "uF": "nF",
    "nF": "pF",
    "pF": "nF",
    "mH": "uH",
    "mT": "T",
    "K": "mK",
    "mol": "umol",
    "mmol": "mol",
    "M": "mM",
    "mM": "uM",
    "uM": "nM",
    "nM": "uM",
    "cd": "mcd",
    "degree": "rad",
}


@cache
def in_base_units(text: str) -> sympy.Expr:
    """Give a unit's text as a number times powers of the seven SI base units."""
    unit = sympy.sympify(text, locals=_UNITS, rational=True, convert_xor=True)
    return si.convert_to(unit, BASE)


def another_unit(text: str) -> str:
    """Give the text of another unit of the same dimension: ``mS/cm^2`` becomes ``uS/m^2``."""
    return re.sub(r"[A-Za-z]+", lambda name: _ANOTHER[name[0]], text)
