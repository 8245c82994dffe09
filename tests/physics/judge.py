"""Sympy as the judge: the values and derivatives of a model, with magnitude and dimension.

Owns what the tests expect: each derivative is symbolic, and is evaluated on numbers that carry
their units, so that the dimension of the result comes out of the expression itself. It never calls
JAX, the library, or the model's function.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
import sympy

from .model import Law, Model
from .units import BASE, in_base_units

DIGITS = 30
GUARD_DIGITS = 60  # while evaluating: what cancels may take thirty of them

Dimension = tuple[Fraction, ...]

# CODATA 2022; those that the SI fixes are exact.
CONSTANTS = {
    "light": ("299792458", "m/s"),
    "planck": ("6.62607015e-34", "J*s"),
    "boltzmann": ("1.380649e-23", "J/K"),
    "elementary_charge": ("1.602176634e-19", "C"),
    "gas": ("8.31446261815324", "J/(mol*K)"),
    "faraday": ("96485.3321233100184", "C/mol"),
    "newton_G": ("6.67430e-11", "m^3/(kg*s^2)"),
    "magnetic": ("1.25663706127e-6", "N/A^2"),
    "stefan": ("5.670374419e-8", "W/(m^2*K^4)"),
    "standard_gravity": ("9.80665", "m/s^2"),
    "molar": ("1", "mol/l"),
}


@dataclass(frozen=True)
class Expected:
    """What a block must be: its magnitude and dimension in SI base units, and its unit's scale.

    Parameters
    ----------
    magnitude
        The numbers in SI base units, in float64, rounded from thirty digits.
    dimension
        The exponents of metre, kilogram, second, ampere, kelvin, mole and candela.
    scale
        The unit's own size in SI base units: 0.001 for a millivolt.
    """

    magnitude: np.ndarray
    dimension: Dimension
    scale: float


@cache
def expected_value(model: Model) -> dict[str, Expected]:
    """Give each output's value: ``expected[output]``."""
    return {output: _expected(model, (output,)) for output in model.outputs}


@cache
def expected_jacobian(model: Model) -> dict[str, dict[str, Expected]]:
    """Give each block of the Jacobian: ``expected[output][parameter]``."""
    return {
        output: {name: _expected(model, (output, name)) for name in model.parameters}
        for output in model.outputs
    }


@cache
def expected_hessian(model: Model) -> dict[str, dict[str, dict[str, Expected]]]:
    """Give each block of the Hessian: ``expected[output][parameter][parameter]``."""
    return {
        output: {
            row: {column: _expected(model, (output, row, column)) for column in model.parameters}
            for row in model.parameters
        }
        for output in model.outputs
    }


def _expected(model: Model, path: tuple[str, ...]) -> Expected:
    output, *parameters = path
    unit = in_base_units(model.outputs[output][1])
    for name in parameters:
        unit /= in_base_units(model.parameters[name][1])
    scale, dimension = split_unit(unit)
    entries, values = derivative(model, *path), _values(model)
    evaluated = [_with_floats(entry).xreplace(values) for entry in entries.flat]
    magnitudes = np.array([_magnitude(number, dimension) for number in evaluated], float)
    return Expected(magnitudes.reshape(entries.shape), dimension, float(scale))


@cache
def derivative(model: Model, output: str, *parameters: str) -> np.ndarray:
    """Give the derivative of one output as an array of expressions, of shape ``out + in + ...``."""
    if not parameters:
        return _law(model, model.outputs[output][0])
    *before, last = parameters
    differentiate = np.frompyfunc(sympy.diff, 2, 1)
    entries = differentiate.outer(derivative(model, output, *before), _symbols(model)[last])
    return np.asarray(entries, dtype=object)


@cache
def _symbols(model: Model) -> dict[str, np.ndarray]:
    """Give each parameter as an array of symbols, which has no axis where it is one number."""
    symbols = {name: np.empty(np.shape(v), object) for name, (v, _) in model.parameters.items()}
    for name, entries in symbols.items():
        for index in np.ndindex(entries.shape):
            entries[index] = sympy.Symbol("_".join([name, *map(str, index)]), real=True)
    return symbols


def _law(model: Model, law: Law) -> np.ndarray:
    names = {name: sympy.Symbol(name, positive=True) for name in CONSTANTS}
    names |= {name: entries.tolist() for name, entries in _symbols(model).items()}
    texts = np.array(law, dtype=object)
    parsed = [sympy.sympify(text, locals=names, rational=True) for text in texts.flat]
    return np.array(parsed, dtype=object).reshape(texts.shape)


def _values(model: Model) -> dict[sympy.Basic, sympy.Expr]:
    """Give what stands for each symbol: its number with its unit, in SI base units."""
    values: dict[sympy.Basic, sympy.Expr] = {}
    for name, (digits, unit) in CONSTANTS.items():
        values[sympy.Symbol(name, positive=True)] = _quantity(digits, unit)
    for name, symbols in _symbols(model).items():
        numbers, unit = model.parameters[name]
        for symbol, number in zip(symbols.flat, np.ravel(numbers), strict=True):
            values[symbol] = _quantity(float(number), unit)
    return values


def _quantity(number: float | str, unit: str) -> sympy.Expr:
    # A float is taken as the binary number that it is: it is what the library gets too.
    # Its number becomes a float and its exponents stay exact, so that like terms add up.
    exact, units = (sympy.Rational(number) * in_base_units(unit)).as_independent(*BASE)
    return exact.evalf(GUARD_DIGITS) * units


def _with_floats(expression: sympy.Expr) -> sympy.Expr:
    """Make pi, log(10) and their like floats: sympy adds up ``2.0*m + 3.0*m``, not ``pi*m + m``."""
    irrational = (e for e in sympy.preorder_traversal(expression) if e.is_number)
    return expression.xreplace({e: e.evalf(GUARD_DIGITS) for e in irrational if not e.is_Rational})


def _magnitude(evaluated: sympy.Expr, dimension: Dimension) -> float:
    if evaluated.is_zero:
        return 0.0  # nought has every dimension
    number, found = split_unit(evaluated)
    if found != dimension:
        raise ValueError(
            f"expected the dimension {_written(dimension)} from the units in the table, "
            f"got {_written(found)} from the law's {evaluated}"
        )
    return float(number)


def split_unit(expression: sympy.Expr) -> tuple[sympy.Expr, Dimension]:
    """Take a number times powers of base units apart."""
    number, units = expression.as_independent(*BASE, as_Add=False)
    powers = units.as_powers_dict()
    if not set(powers) <= {*BASE, sympy.Integer(1)} or number.has(*BASE):
        raise ValueError(f"expected a number times powers of base units, got {expression}")
    exponents = (powers.get(base, 0) for base in BASE)
    return number.evalf(DIGITS), tuple(Fraction(str(exponent)) for exponent in exponents)


def _written(dimension: Dimension) -> str:
    powers = zip(BASE, dimension, strict=True)
    return "*".join(f"{base.abbrev}^{power}" for base, power in powers if power) or "1"
