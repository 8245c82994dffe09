"""The membrane of Hodgkin and Huxley (1952) in quantities: rates, currents, derivatives, rest.

>>> from unitjac.models.hodgkin_huxley import parameters, resting_point
>>> print(resting_point(parameters())["V"].unit)
mV

The model:

    parameters       of the squid's giant axon
    derivatives      of the state in time
    dynamics         the same as a function of time, state and parameters
    currents         through the membrane, outward positive
    resting_point    the state in which nothing changes
    membrane         currents and derivatives as one function
    membrane_inputs  its inputs in the first instant of a voltage clamp

The gates, of a voltage:

    steady_gates     where their derivatives vanish
    alpha_m          rate at which sodium activation opens
    beta_m           rate at which sodium activation closes
    alpha_h          rate at which sodium inactivation is removed
    beta_h           rate of sodium inactivation
    alpha_n          rate at which the potassium gate opens
    beta_n           rate at which the potassium gate closes

The convention is the modern one: the inside against the outside, rest near
-65 mV, outward currents positive. A state is a dict
``{"V": voltage, "m": ..., "h": ..., "n": ...}`` and parameters are a dict
such as `parameters` gives.

References
----------
A. L. Hodgkin and A. F. Huxley (1952), "A quantitative description of
membrane current and its application to conduction and excitation in nerve",
J. Physiol. 117, 500-544.
P. Dayan and L. F. Abbott (2001), "Theoretical Neuroscience", section 5.6,
for the same rates in the modern convention.
"""

# Owns: the equations and the parameters of that one model. Never touches: differentiation, text or
# the command line: these are plain functions of quantities that any transform takes.

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp

from unitjac import _typed
from unitjac.models._linoid import linoid
from unitjac.models.protocols import value_at

__all__ = [
    "alpha_h",
    "alpha_m",
    "alpha_n",
    "beta_h",
    "beta_m",
    "beta_n",
    "currents",
    "derivatives",
    "dynamics",
    "membrane",
    "membrane_inputs",
    "parameters",
    "resting_point",
    "steady_gates",
]

# A value that is a `Quantity`, or a plain number or array where it has no dimension.
Quantity = Any
Quantities = Mapping[str, Quantity]

_PER_MS = u.ms**-1
_CURRENT: Any = u.uA / u.cm**2
_CONDUCTANCE = u.mS / u.cm**2
_CAPACITANCE = u.uF / u.cm**2


def parameters() -> dict[str, Quantity]:
    """The parameters of the squid's giant axon.

    Returns
    -------
    dict of Quantity
        The capacitance `C_m`, the maximal conductances `g_Na`, `g_K`, `g_L` and the reversal
        potentials `E_Na`, `E_K`, `E_L`.

    Examples
    --------
    >>> parameters()["g_Na"]
    Quantity(120., "mS / cm^2")
    """
    return {
        "C_m": 1.0 * _CAPACITANCE,
        "g_Na": 120.0 * _CONDUCTANCE,
        "g_K": 36.0 * _CONDUCTANCE,
        "g_L": 0.3 * _CONDUCTANCE,
        "E_Na": 50.0 * u.mV,
        "E_K": -77.0 * u.mV,
        "E_L": -54.387 * u.mV,
    }


def alpha_m(V: Quantity) -> Quantity:
    """Rate at which the sodium activation gate opens, in 1/ms, of a voltage of any shape.

    ``0.1/(mV ms) (V + 40 mV) / (1 - exp(-(V + 40 mV) / 10 mV))``, with its limit 1/ms at -40 mV.

    Examples
    --------
    >>> float(alpha_m(-40.0 * u.mV).to_decimal(u.ms**-1))
    1.0
    """
    return _rate(1.0 * linoid(_ratio(V, -40.0, 10.0)))


def beta_m(V: Quantity) -> Quantity:
    """Rate at which the sodium activation gate closes, in 1/ms: ``4 exp(-(V + 65 mV) / 18 mV)``.

    Examples
    --------
    >>> float(beta_m(-65.0 * u.mV).to_decimal(u.ms**-1))
    4.0
    """
    return _rate(4.0 * jnp.exp(-_ratio(V, -65.0, 18.0)))


def alpha_h(V: Quantity) -> Quantity:
    """Rate at which sodium inactivation is removed, in 1/ms: ``0.07 exp(-(V + 65 mV) / 20 mV)``.

    Examples
    --------
    >>> round(float(alpha_h(-65.0 * u.mV).to_decimal(u.ms**-1)), 4)
    0.07
    """
    return _rate(0.07 * jnp.exp(-_ratio(V, -65.0, 20.0)))


def beta_h(V: Quantity) -> Quantity:
    """Rate of sodium inactivation, in 1/ms: ``1 / (1 + exp(-(V + 35 mV) / 10 mV))``.

    Examples
    --------
    >>> float(beta_h(-35.0 * u.mV).to_decimal(u.ms**-1))
    0.5
    """
    return _rate(jax.nn.sigmoid(_ratio(V, -35.0, 10.0)))


def alpha_n(V: Quantity) -> Quantity:
    """Rate at which the potassium gate opens, in 1/ms, of a voltage of any shape.

    ``0.01/(mV ms) (V + 55 mV) / (1 - exp(-(V + 55 mV) / 10 mV))``, with its limit 0.1/ms at
    -55 mV.

    Examples
    --------
    >>> round(float(alpha_n(-55.0 * u.mV).to_decimal(u.ms**-1)), 4)
    0.1
    """
    return _rate(0.1 * linoid(_ratio(V, -55.0, 10.0)))


def beta_n(V: Quantity) -> Quantity:
    """Rate at which the potassium gate closes, in 1/ms: ``0.125 exp(-(V + 65 mV) / 80 mV)``.

    Examples
    --------
    >>> float(beta_n(-65.0 * u.mV).to_decimal(u.ms**-1))
    0.125
    """
    return _rate(0.125 * jnp.exp(-_ratio(V, -65.0, 80.0)))


def steady_gates(V: Quantity) -> dict[str, jax.Array]:
    """The gates at which their derivatives vanish, ``alpha / (alpha + beta)``, at a voltage.

    Parameters
    ----------
    V : Quantity
        The voltage, of any shape.

    Returns
    -------
    dict of array
        `m`, `h` and `n`, dimensionless, of the shape of `V`.

    Examples
    --------
    >>> {gate: round(float(x), 3) for gate, x in steady_gates(-65.0 * u.mV).items()}
    {'m': 0.053, 'h': 0.596, 'n': 0.318}
    """
    return dict(zip(_GATES, _steady_compiled(V), strict=True))


def currents(state: Quantities, params: Quantities) -> dict[str, Quantity]:
    """The ionic currents through the membrane, outward positive.

    Parameters
    ----------
    state : dict
        Voltage `V` and gates `m`, `h`, `n`.
    params : dict
        As `parameters` gives it, in any units of the same dimensions.

    Returns
    -------
    dict of Quantity
        `I_Na`, `I_K` and `I_L` in uA/cm^2.

    Examples
    --------
    >>> rest = {"V": -65.0 * u.mV, **steady_gates(-65.0 * u.mV)}
    >>> round(float(currents(rest, parameters())["I_K"].to_decimal(u.uA / u.cm**2)), 3)
    4.4
    """
    V, m, h, n = (state[name] for name in ("V", "m", "h", "n"))
    flows = {
        "I_Na": params["g_Na"] * m**3 * h * (V - params["E_Na"]),
        "I_K": params["g_K"] * n**4 * (V - params["E_K"]),
        "I_L": params["g_L"] * (V - params["E_L"]),
    }
    return {name: flow.in_unit(_CURRENT) for name, flow in flows.items()}


def derivatives(
    state: Quantities, params: Quantities, I_ext: Quantity = 0.0 * _CURRENT
) -> dict[str, Quantity]:
    """The derivative of the state in time.

    Parameters
    ----------
    state, params : dict
        As for `currents`.
    I_ext : Quantity
        Current density that an electrode passes into the cell.

    Returns
    -------
    dict of Quantity
        `V` in mV/ms and `m`, `h`, `n` in 1/ms, with the keys of `state`, so that a step of a
        solver is a map over both.

    Examples
    --------
    >>> state = {"V": -40.0 * u.mV, "m": 0.05, "h": 0.6, "n": 0.3}
    >>> dt = 0.01 * u.ms
    >>> slope = derivatives(state, parameters())
    >>> after = {name: state[name] + dt * slope[name] for name in state}
    >>> print(after["V"].unit)
    mV
    """
    V = state["V"]
    ionic = sum(currents(state, params).values(), start=0.0 * _CURRENT)
    gates = {
        gate: alpha(V) * (1.0 - state[gate]) - beta(V) * state[gate]
        for gate, (alpha, beta) in _GATES.items()
    }
    return {"V": ((I_ext - ionic) / params["C_m"]).in_unit(u.mV / u.ms), **gates}


def dynamics(t: Quantity, state: Quantities, params: Quantities) -> dict[str, Quantity]:
    """The derivative of the state in time, of time, state and parameters as solvers ask for it.

    Parameters
    ----------
    t : Quantity
        The time.
    state : dict
        As for `derivatives`.
    params : dict
        As `parameters` gives it, and the current density `I` that an electrode passes into the
        cell: a quantity, or a stimulus of :mod:`unitjac.models.protocols`.

    Examples
    --------
    >>> rest = resting_point(parameters())
    >>> slope = dynamics(0.0 * u.ms, rest, {**parameters(), "I": 10.0 * u.uA / u.cm**2})
    >>> round(float(slope["V"].to_decimal(u.mV / u.ms)), 3)
    10.0
    """
    return derivatives(state, params, value_at(params["I"], t))


def resting_point(params: Quantities, I_ext: Quantity = 0.0 * _CURRENT) -> dict[str, Quantity]:
    """The state in which nothing changes, as a differentiable function of the parameters.

    The steady-state current is bracketed between the smallest and the largest reversal potential,
    widened by ``I_ext / g_L``, and its root found by bisection, which cannot miss it.
    Derivatives of any order come from the implicit function theorem. Parameters for which
    there are several fixed points give one of them, of which bisection decides.

    Parameters
    ----------
    params : dict
        As `parameters` gives it: scalars, with positive conductances.
    I_ext : Quantity
        Current density that an electrode passes into the cell.

    Returns
    -------
    dict of Quantity
        `V` in mV and the gates `m`, `h`, `n`.

    Examples
    --------
    >>> round(float(resting_point(parameters())["V"].to_decimal(u.mV)), 2)
    -65.0
    """

    def net_current(voltage: jax.Array) -> jax.Array:
        V = voltage * u.mV
        ionic = currents({"V": V, **steady_gates(V)}, params)
        total = sum(ionic.values(), start=0.0 * _CURRENT) - I_ext
        return total.to_decimal(_CURRENT)

    V = _increasing_root(net_current, *_bracket(params, I_ext)) * u.mV
    return {"V": V, **steady_gates(V)}


def membrane(inputs: Quantities) -> dict[str, Quantity]:
    """Currents and derivatives as one function of parameters, voltage, gates and injected current.

    Parameters
    ----------
    inputs : dict
        As `membrane_inputs` gives it: what `parameters` holds, `I_ext`, and the state.

    Returns
    -------
    dict of Quantity
        `I_Na`, `I_K`, `I_L` in uA/cm^2, `dV/dt` in mV/ms, `dm/dt`, `dh/dt`, `dn/dt` in 1/ms.

    Examples
    --------
    >>> sorted(membrane(membrane_inputs()))
    ['I_K', 'I_L', 'I_Na', 'dV/dt', 'dh/dt', 'dm/dt', 'dn/dt']
    """
    slopes = derivatives(inputs, inputs, inputs["I_ext"])
    return {**currents(inputs, inputs), **{f"d{name}/dt": slopes[name] for name in slopes}}


def membrane_inputs() -> dict[str, Quantity]:
    """The inputs of `membrane` in the first instant of a voltage clamp from -65 mV to -40 mV.

    The voltage has stepped, and the gates still have their values of -65 mV. At rest the
    derivatives of the state are zero and have no relative sensitivity; here each of them is
    at work.

    Returns
    -------
    dict of Quantity
        What `parameters` holds, then `V`, `m`, `h`, `n` and `I_ext`.

    Examples
    --------
    >>> list(membrane_inputs())[-5:]
    ['V', 'm', 'h', 'n', 'I_ext']
    """
    gates = steady_gates(-65.0 * u.mV)
    return {**parameters(), "V": -40.0 * u.mV, **gates, "I_ext": 0.0 * _CURRENT}


# Enough to come from any bracket of voltages down to neighbouring numbers of double precision.
_HALVINGS = 80

_GATES = {"m": (alpha_m, beta_m), "h": (alpha_h, beta_h), "n": (alpha_n, beta_n)}


def _steady(V: Quantity) -> list[jax.Array]:
    rates = [(alpha(V), beta(V)) for alpha, beta in _GATES.values()]
    return [jnp.asarray(alpha / (alpha + beta)) for alpha, beta in rates]


# one program in place of a dozen, which all would be loaded when `unitjac` starts
_steady_compiled: Callable[[Quantity], list[jax.Array]] = jax.jit(_steady)


def _ratio(V: Quantity, zero: float, width: float) -> jax.Array:
    return jnp.asarray((V - zero * u.mV) / (width * u.mV))


def _rate(per_ms: jax.Array) -> Quantity:
    return u.Quantity(per_ms, unit=_PER_MS)


def _bracket(params: Quantities, I_ext: Quantity) -> tuple[jax.Array, jax.Array]:
    potentials = jnp.stack([params[E].to_decimal(u.mV) for E in ("E_Na", "E_K", "E_L")])
    shift = (I_ext / params["g_L"]).to_decimal(u.mV)
    return jnp.min(potentials) + jnp.minimum(shift, 0), jnp.max(potentials) + jnp.maximum(shift, 0)


def _increasing_root(
    function: Callable[[jax.Array], jax.Array], low: jax.Array, high: jax.Array
) -> jax.Array:
    """The root of a function with ``function(low) <= 0 <= function(high)``."""

    def bisect(function: Callable[[jax.Array], jax.Array], _: jax.Array) -> jax.Array:
        def halve(_: int, bracket: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            low, high = bracket
            middle = 0.5 * (low + high)
            below = function(middle) < 0
            return jnp.where(below, middle, low), jnp.where(below, high, middle)

        return _typed.fori_loop(0, _HALVINGS, halve, (low, high))[0]

    def solve(slope: Callable[[jax.Array], jax.Array], value: jax.Array) -> jax.Array:
        return value / slope(jnp.ones_like(value))

    return jax.lax.custom_root(function, low, bisect, solve)
