"""The barnacle muscle fibre of Morris and Lecar: calcium, potassium, and one slow gate.

>>> from unitjac.models.morris_lecar import parameters
>>> parameters()["C_m"]
Quantity(20., "uF / cm^2")

The model:

    parameters  the set that fires after a Hopf bifurcation
    dynamics    the derivative of the state in time
    currents    through the membrane, outward positive
    steady      where the gates come to rest, and how fast the slow one is

With these parameters the rest loses its stability near 94 uA/cm^2 and
regains it near 212 uA/cm^2.

References
----------
C. Morris and H. Lecar (1981), "Voltage oscillations in the barnacle giant
muscle fiber", Biophys. J. 35, 193-213.
J. Rinzel and G. B. Ermentrout (1998), "Analysis of neural excitability and
oscillations", in: Methods in Neuronal Modeling, and G. B. Ermentrout and
D. H. Terman (2010), "Mathematical Foundations of Neuroscience", table 3.1,
for the parameters and the two bifurcations.
"""

# Owns: the equations and the parameters of that one model. Never touches: differentiation, solvers.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax.numpy as jnp

from unitjac._units.quantity import magnitude_of, rescale, unit_of
from unitjac.models.protocols import value_at

__all__ = ["currents", "dynamics", "parameters", "steady"]

Quantity = Any
Quantities = Mapping[str, Quantity]

_CURRENT: Any = u.uA / u.cm**2
_CONDUCTANCE = u.mS / u.cm**2


def parameters() -> dict[str, Quantity]:
    """The parameters with a Hopf bifurcation, of table 3.1 of Ermentrout and Terman (2010).

    Returns
    -------
    dict of Quantity
        The capacitance `C_m`, the conductances `g_Ca`, `g_K`, `g_L`, the reversal potentials
        `E_Ca`, `E_K`, `E_L`, the midpoints and widths `V_1` to `V_4` of the gates, the rate `phi`,
        and the current density `I`.

    Examples
    --------
    >>> parameters()["g_Ca"]
    Quantity(4.4, "mS / cm^2")
    """
    return {
        "C_m": 20.0 * u.uF / u.cm**2,
        "g_Ca": 4.4 * _CONDUCTANCE,
        "g_K": 8.0 * _CONDUCTANCE,
        "g_L": 2.0 * _CONDUCTANCE,
        "E_Ca": 120.0 * u.mV,
        "E_K": -84.0 * u.mV,
        "E_L": -60.0 * u.mV,
        "V_1": -1.2 * u.mV,
        "V_2": 18.0 * u.mV,
        "V_3": 2.0 * u.mV,
        "V_4": 30.0 * u.mV,
        "phi": 0.04 * u.ms**-1,
        "I": 0.0 * _CURRENT,
    }


def steady(V: Quantity, params: Quantities) -> dict[str, Quantity]:
    """Where the gates come to rest at a voltage, and the rate at which the slow one does.

    Examples
    --------
    >>> at_half = steady(2.0 * u.mV, parameters())
    >>> round(float(at_half["w"]), 3), round(float(at_half["rate"].to_decimal(u.ms**-1)), 3)
    (0.5, 0.04)
    """
    m = _number((V - params["V_1"]) / params["V_2"])
    w = _number((V - params["V_3"]) / params["V_4"])
    return {
        "m": 0.5 * (1 + jnp.tanh(m)),
        "w": 0.5 * (1 + jnp.tanh(w)),
        "rate": params["phi"] * jnp.cosh(w / 2),
    }


def currents(state: Quantities, params: Quantities) -> dict[str, Quantity]:
    """The ionic currents through the membrane, outward positive.

    Parameters
    ----------
    state : dict
        The voltage `V` and the open part `w` of the potassium channels.
    params : dict
        As `parameters` gives it.

    Returns
    -------
    dict of Quantity
        `I_Ca`, `I_K` and `I_L` in uA/cm^2.

    Examples
    --------
    >>> leak = currents({"V": -50.0 * u.mV, "w": 0.0}, parameters())["I_L"]
    >>> float(leak.to_decimal(u.uA / u.cm**2))
    20.0
    """
    V = state["V"]
    flows = {
        "I_Ca": params["g_Ca"] * steady(V, params)["m"] * (V - params["E_Ca"]),
        "I_K": params["g_K"] * state["w"] * (V - params["E_K"]),
        "I_L": params["g_L"] * (V - params["E_L"]),
    }
    return {name: flow.in_unit(_CURRENT) for name, flow in flows.items()}


def dynamics(t: Quantity, state: Quantities, params: Quantities) -> dict[str, Quantity]:
    """The derivative of the state in time.

    Parameters
    ----------
    t : Quantity
        The time.
    state, params : dict
        As for `currents`; the current density `I` may be a stimulus.

    Examples
    --------
    >>> slope = dynamics(0.0 * u.ms, {"V": -60.0 * u.mV, "w": 0.0}, parameters())
    >>> print(slope["V"].unit)
    mV / ms
    """
    ionic = sum(currents(state, params).values(), start=0.0 * _CURRENT)
    gate = steady(state["V"], params)
    return {
        "V": ((value_at(params["I"], t) - ionic) / params["C_m"]).in_unit(u.mV / u.ms),
        "w": gate["rate"] * (gate["w"] - state["w"]),
    }


def _number(ratio: Any) -> Any:
    return rescale(magnitude_of(ratio), unit_of(ratio))
