r"""A cable of N compartments with sealed ends, passive or with the membrane of Hodgkin and Huxley.

>>> from unitjac.models.cable import derivatives, parameters, resting_state
>>> derivatives(resting_state(100, parameters()), parameters())["V"].shape
(100,)

The cable of the squid's membrane:

    parameters           of the squid's giant axon
    resting_state        where nothing changes
    derivatives          of the state in time
    dynamics             the same, of time, state and parameters
    pattern              where their Jacobian may be other than zero

The passive cable:

    passive_parameters   of a thin dendrite
    passive_derivatives  of the state in time
    constants            length constant, input resistance and more
    constants_inputs     the inputs of `constants`

Both:

    axial_currents       from each compartment into the next
    axial_density        the same, into each area of membrane

A cylinder of diameter d is cut into N compartments of length dx, each at
one voltage. Between the middles of two neighbours lies the axial resistance
``R_i dx / (pi d^2 / 4)``, and what flows through it charges a membrane of
area ``pi d dx``:

    C_m dV_i/dt = -i_ionic(V_i) + I_ext
                + d / (4 R_i dx^2) (V_{i-1} - 2 V_i + V_{i+1}),

where at an end the neighbour that is not there takes no current (a sealed
end). It is the cable equation to second order in dx. A state is a dict
``{"V": ..., "m": ..., "h": ..., "n": ...}`` of arrays of length N, for the
passive cable ``{"V": ...}``.

References
----------
W. Rall (1959), "Branching dendritic trees and motoneuron membrane
resistivity", Exp. Neurol. 1, 491-527, for the passive cable with a sealed
end.
P. Dayan and L. F. Abbott (2001), "Theoretical Neuroscience", sections 6.3
and 6.6, for the length constant, the input resistance and the compartments.
A. L. Hodgkin and A. F. Huxley (1952), J. Physiol. 117, 500-544, for the
squid's axon.
"""

# Owns: the equations and the parameters of that one geometry. Never touches: differentiation; the
# membrane is that of `unitjac.models.hodgkin_huxley`.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax.numpy as jnp

from unitjac._engine.pattern import Pattern, banded
from unitjac.models import hodgkin_huxley
from unitjac.models.protocols import value_at

__all__ = [
    "axial_currents",
    "axial_density",
    "constants",
    "constants_inputs",
    "derivatives",
    "dynamics",
    "parameters",
    "passive_derivatives",
    "passive_parameters",
    "pattern",
    "resting_state",
]

# A value that is a `Quantity`, or a plain number or array where it has no dimension.
Quantity = Any
Quantities = Mapping[str, Quantity]

_DENSITY = u.uA / u.cm**2
_GATES = ("m", "h", "n")


def parameters() -> dict[str, Quantity]:
    """The parameters of the squid's giant axon, cut into pieces of half a millimetre.

    Returns
    -------
    dict of Quantity
        What `hodgkin_huxley.parameters` holds, the diameter `d`, the axial resistivity `R_i`, and
        the length `dx` of a compartment.

    Examples
    --------
    >>> parameters()["d"]
    Quantity(476., "um")
    """
    return {
        **hodgkin_huxley.parameters(),
        "d": 476.0 * u.um,
        "R_i": 35.4 * u.ohm * u.cm,
        "dx": 500.0 * u.um,
    }


def passive_parameters() -> dict[str, Quantity]:
    """The parameters of a thin dendrite without voltage-gated channels.

    Returns
    -------
    dict of Quantity
        The capacitance `C_m`, the leak `g_L` and its reversal potential `E_L`, the diameter `d`,
        the axial resistivity `R_i`, and the length `dx` of a compartment.

    Examples
    --------
    >>> sorted(passive_parameters())
    ['C_m', 'E_L', 'R_i', 'd', 'dx', 'g_L']
    """
    return {
        "C_m": 1.0 * u.uF / u.cm**2,
        "g_L": 0.05 * u.mS / u.cm**2,
        "E_L": -65.0 * u.mV,
        "d": 2.0 * u.um,
        "R_i": 150.0 * u.ohm * u.cm,
        "dx": 20.0 * u.um,
    }


def axial_currents(V: Quantity, params: Quantities) -> Quantity:
    """The currents from each compartment into the next.

    Parameters
    ----------
    V : Quantity of shape (N,)
        Voltage.
    params : dict
        `d`, `R_i` and `dx`, in any units of the same dimensions.

    Returns
    -------
    Quantity of shape (N - 1,)
        In nA.

    Examples
    --------
    >>> axial_currents(jnp.zeros(3) * u.mV, parameters())
    Quantity([0. 0.], "nA")
    """
    conductance = jnp.pi * params["d"] ** 2 / (4.0 * params["R_i"] * params["dx"])
    return (conductance * (V[:-1] - V[1:])).in_unit(u.nA)


def axial_density(V: Quantity, params: Quantities) -> Quantity:
    """The current that comes in from both neighbours, for each area of membrane.

    Parameters
    ----------
    V, params
        As for `axial_currents`.

    Returns
    -------
    Quantity of shape (N,)
        In uA/cm^2. Over all compartments it sums up to zero: both ends are sealed.

    Examples
    --------
    >>> axial_density(jnp.ones(3) * u.mV, parameters())
    Quantity([0. 0. 0.], "uA / cm^2")
    """
    through = jnp.pad(axial_currents(V, params).to_decimal(u.nA), 1)  # and none at the ends
    area = jnp.pi * params["d"] * params["dx"]
    return ((through[:-1] - through[1:]) * u.nA / area).in_unit(_DENSITY)


def passive_derivatives(
    state: Quantities, params: Quantities, I_ext: Quantity = 0.0 * _DENSITY
) -> dict[str, Quantity]:
    """The derivative of the passive cable's state in time.

    Parameters
    ----------
    state : dict
        Voltage `V` of shape (N,).
    params : dict
        As `passive_parameters` gives it.
    I_ext : Quantity of shape () or (N,)
        Current density that electrodes pass into the compartments.

    Returns
    -------
    dict of Quantity
        `V` in mV/ms.

    Examples
    --------
    >>> V = jnp.full(3, -60.0) * u.mV
    >>> passive_derivatives({"V": V}, passive_parameters())["V"].to_decimal(u.mV / u.ms).round(3)
    Array([-0.25, -0.25, -0.25], dtype=float32)
    """
    V = state["V"]
    charging = I_ext + axial_density(V, params) - params["g_L"] * (V - params["E_L"])
    return {"V": (charging / params["C_m"]).in_unit(u.mV / u.ms)}


def derivatives(
    state: Quantities, params: Quantities, I_ext: Quantity = 0.0 * _DENSITY
) -> dict[str, Quantity]:
    """The derivative of the state of a cable with the membrane of Hodgkin and Huxley in time.

    Parameters
    ----------
    state : dict
        Voltage `V` and gates `m`, `h`, `n`, of shape (N,).
    params : dict
        As `parameters` gives it.
    I_ext : Quantity of shape () or (N,)
        Current density that electrodes pass into the compartments.

    Returns
    -------
    dict of Quantity
        `V` in mV/ms and `m`, `h`, `n` in 1/ms, with the keys of `state`.

    Examples
    --------
    >>> state = resting_state(100, parameters())
    >>> {name: slope.shape for name, slope in derivatives(state, parameters()).items()}
    {'V': (100,), 'm': (100,), 'h': (100,), 'n': (100,)}
    """
    return hodgkin_huxley.derivatives(state, params, I_ext + axial_density(state["V"], params))


def dynamics(t: Quantity, state: Quantities, params: Quantities) -> dict[str, Quantity]:
    """The derivative of the state in time, of time, state and parameters as solvers ask for it.

    Parameters
    ----------
    t : Quantity
        The time.
    state : dict
        As for `derivatives`, or the voltage alone for a passive cable.
    params : dict
        As `parameters` or `passive_parameters` gives it, and the current density `I` that an
        electrode passes into the first compartment: a quantity, or a stimulus of
        :mod:`unitjac.models.protocols`.

    Examples
    --------
    >>> rest = {"V": jnp.full(3, -65.0) * u.mV}
    >>> params = {**passive_parameters(), "E_L": -65.0 * u.mV, "I": 1.0 * u.uA / u.cm**2}
    >>> dynamics(0.0 * u.ms, rest, params)["V"]
    Quantity([1. 0. 0.], "mV / ms")
    """
    first = jnp.zeros(state["V"].shape).at[0].set(1.0)
    model = derivatives if "m" in state else passive_derivatives
    return model(state, params, value_at(params["I"], t) * first)


def resting_state(n: int, params: Quantities) -> dict[str, Quantity]:
    """The state in which nothing changes: n compartments at the membrane's resting point.

    Examples
    --------
    >>> {name: x.shape for name, x in resting_state(5, parameters()).items()}
    {'V': (5,), 'm': (5,), 'h': (5,), 'n': (5,)}
    """
    rest = hodgkin_huxley.resting_point(params)
    ones = jnp.ones(n)
    return {name: rest[name] * ones for name in rest}


def pattern(n: int) -> dict[str, dict[str, Pattern | None]]:
    """Which derivatives of `derivatives` by its state may be other than zero.

    Parameters
    ----------
    n : int
        How many compartments.

    Returns
    -------
    dict of dict of Pattern
        Blocks for the parameter `pattern` of `unitjac.sparse_jacobian`: a voltage depends on its
        neighbours and on the gates beside it, a gate on itself and on the voltage beside it.

    Examples
    --------
    >>> pattern(10)["V"]["V"]
    <pattern of 10 x 10, 28 entries>
    """
    beside = banded(n, 0, 0)
    gates = {
        gate: {"V": beside, **{other: beside if other == gate else None for other in _GATES}}
        for gate in _GATES
    }
    return {"V": {"V": banded(n, 1, 1), **dict.fromkeys(_GATES, beside)}, **gates}


def constants(inputs: Quantities) -> dict[str, Quantity]:
    r"""What a passive cable of some length with a sealed far end is like from its near end.

    The length constant ``lambda = sqrt(d / (4 R_i g_L))``, the time constant ``C_m / g_L``, the
    input resistance ``coth(l / lambda) lambda R_i / (pi d^2 / 4)``, and the attenuation
    ``1 / cosh(l / lambda)`` of a steady voltage from the near end to the far one.

    Parameters
    ----------
    inputs : dict
        As `constants_inputs` gives it.

    Returns
    -------
    dict of Quantity
        `length_constant` in um, `time_constant` in ms, `input_resistance` in Mohm, and the plain
        number `attenuation`.

    Examples
    --------
    >>> round(float(constants(constants_inputs())["length_constant"].to_decimal(u.um)))
    816
    """
    d, R_i, g_L = (inputs[name] for name in ("d", "R_i", "g_L"))
    space = ((d / (4.0 * R_i * g_L)) ** 0.5).in_unit(u.um)
    away = jnp.asarray(inputs["l"] / space)
    axial = space * R_i / (jnp.pi * d**2 / 4.0)
    return {
        "length_constant": space,
        "time_constant": (inputs["C_m"] / g_L).in_unit(u.ms),
        "input_resistance": (axial / jnp.tanh(away)).in_unit(u.Mohm),
        "attenuation": 1.0 / jnp.cosh(away),
    }


def constants_inputs() -> dict[str, Quantity]:
    """The inputs of `constants` for a dendrite of half a millimetre.

    Examples
    --------
    >>> constants_inputs()["l"]
    Quantity(500., "um")
    """
    passive = passive_parameters()
    return {**{name: passive[name] for name in ("C_m", "g_L", "d", "R_i")}, "l": 500.0 * u.um}
