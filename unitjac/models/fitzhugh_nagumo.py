"""The oscillator of FitzHugh and Nagumo: excitability with two variables.

>>> from unitjac.models.fitzhugh_nagumo import parameters, resting_point
>>> round(float(resting_point(parameters())["v"]), 4)
-1.1994

The model:

    parameters     those of FitzHugh (1961)
    dynamics       the derivative of the state in time
    resting_point  the state in which nothing changes

Voltage and recovery have no dimension here, time has one. With the
parameters of the paper the rest loses its stability in a Hopf bifurcation
at ``I = 0.3313``.

References
----------
R. FitzHugh (1961), "Impulses and physiological states in theoretical models
of nerve membrane", Biophys. J. 1, 445-466.
J. Nagumo, S. Arimoto and S. Yoshizawa (1962), "An active pulse transmission
line simulating nerve axon", Proc. IRE 50, 2061-2070.
"""

# Owns: the equations and the parameters of that one model. Never touches: differentiation, solvers.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax.numpy as jnp

from unitjac.models.protocols import value_at

__all__ = ["dynamics", "parameters", "resting_point"]

Quantity = Any
Quantities = Mapping[str, Quantity]


def parameters() -> dict[str, Quantity]:
    """The parameters of FitzHugh (1961).

    Returns
    -------
    dict
        `a`, `b`, the ratio `eps` of the two time scales, the faster one `tau`, and the current `I`.

    Examples
    --------
    >>> parameters()["tau"]
    Quantity(1., "ms")
    """
    return {"a": 0.7, "b": 0.8, "eps": 0.08, "tau": 1.0 * u.ms, "I": 0.0}


def dynamics(t: Quantity, state: Quantities, params: Quantities) -> dict[str, Quantity]:
    """The derivative of the state in time.

    Parameters
    ----------
    t : Quantity
        The time.
    state : dict
        The voltage `v` and the recovery `w`.
    params : dict
        As `parameters` gives it; the current may be a stimulus.

    Examples
    --------
    >>> slope = dynamics(0.0 * u.ms, {"v": 0.0, "w": 0.0}, {**parameters(), "I": 0.5})
    >>> float(slope["v"].to_decimal(u.ms**-1))
    0.5
    """
    v, w, current = state["v"], state["w"], value_at(params["I"], t)
    return {
        "v": (v - v**3 / 3 - w + current) / params["tau"],
        "w": params["eps"] * (v + params["a"] - params["b"] * w) / params["tau"],
    }


def resting_point(params: Quantities, current: Quantity = 0.0) -> dict[str, Quantity]:
    """The state in which nothing changes; for ``b < 1`` there is one.

    By the formula of Cardano for the one real root of a cubic.

    Parameters
    ----------
    params : dict
        As `parameters` gives it.
    current : float
        The current.

    Examples
    --------
    >>> {name: round(float(x), 4) for name, x in resting_point(parameters()).items()}
    {'v': -1.1994, 'w': -0.6243}
    """
    # v^3 + p v + q = 0, where p > 0
    p = 3 * (1 / params["b"] - 1)
    q = 3 * (params["a"] / params["b"] - current)
    root = jnp.sqrt((q / 2) ** 2 + (p / 3) ** 3)
    v = jnp.cbrt(-q / 2 + root) + jnp.cbrt(-q / 2 - root)
    return {"v": v, "w": (v + params["a"]) / params["b"]}
