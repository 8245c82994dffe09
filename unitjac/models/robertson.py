"""The three species of Robertson, the classical stiff problem of chemistry.

>>> import brainunit as u
>>> from unitjac.models.robertson import initial_state
>>> float(initial_state()["A"].to_decimal(u.mole / u.litre))
1.0

The model:

    parameters     the three rate constants
    dynamics       the derivative of the state in time
    initial_state  the first species alone

A -> B, 2 B -> B + C, B + C -> A + C: rates that lie nine powers of ten apart,
and a solution that one follows for years.

References
----------
H. H. Robertson (1966), "The solution of a set of reaction rate equations",
in: Numerical Analysis, An Introduction, Academic Press, 178-182.
E. Hairer and G. Wanner (1996), "Solving Ordinary Differential Equations II",
section IV.1.
"""

# Owns: the equations and the parameters of that one model. Never touches: differentiation, solvers.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u

__all__ = ["dynamics", "initial_state", "parameters"]

Quantity = Any
Quantities = Mapping[str, Quantity]

_CONCENTRATION = u.mole / u.litre
_LITRE: Any = u.litre
_PER_MOLE = _LITRE / u.mole / u.second


def parameters() -> dict[str, Quantity]:
    """The rate constants: `k_1` of A, `k_2` of B with C, `k_3` of B with B.

    Examples
    --------
    >>> print(parameters()["k_2"].unit.dim == (u.litre / u.mole / u.second).dim)
    True
    """
    return {"k_1": 0.04 / u.second, "k_2": 1e4 * _PER_MOLE, "k_3": 3e7 * _PER_MOLE}


def initial_state() -> dict[str, Quantity]:
    """One mole of A in a litre, and nothing else.

    Examples
    --------
    >>> sorted(initial_state())
    ['A', 'B', 'C']
    """
    return {name: amount * _CONCENTRATION for name, amount in (("A", 1.0), ("B", 0.0), ("C", 0.0))}


def dynamics(t: Quantity, state: Quantities, params: Quantities) -> dict[str, Quantity]:
    """The derivative of the concentrations in time.

    Parameters
    ----------
    t : Quantity
        The time, on which nothing depends.
    state : dict
        The concentrations `A`, `B` and `C`.
    params : dict
        As `parameters` gives it.

    Examples
    --------
    >>> slope = dynamics(0.0 * u.second, initial_state(), parameters())
    >>> round(float(slope["A"].to_decimal(u.mole / u.litre / u.second)), 3)
    -0.04
    """
    A, B, C = (state[name] for name in "ABC")
    first, second, third = params["k_1"] * A, params["k_2"] * B * C, params["k_3"] * B * B
    return {"A": second - first, "B": first - second - third, "C": third}
