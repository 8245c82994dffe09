"""Models that run in time, with exact sensitivities in units.

>>> import brainunit as u, jax.numpy as jnp
>>> from unitjac.ode import solve
>>> decay = lambda t, y, p: -y / p["tau"]
>>> t = jnp.linspace(0.0, 20.0, 5) * u.ms
>>> solve(decay, t, 8.0 * u.mV, {"tau": 10.0 * u.ms}).y.shape
(5,)

Solve an equation, alone or with derivatives:

    solve          states at given times
    Solution       what it gives: times, states, outputs, what they cost
    sensitivities  states, and their derivatives by parameters in time
    Sensitivities  what it gives: blocks, tables, matrices, pictures
    Stats          steps and calls
    SolveError     raised where the last time is not reached
    JumpWarning    where a jump in time may be passed over

Each needs diffrax (``pip install 'unitjac[ode]'``). States, times and
parameters are any trees of quantities, and nothing depends on the units
that they are written in: steps, tolerances, results.
"""

# Owns: the names. Never touches: the libraries of solvers, which come when an equation is solved.

from ._jumps import JumpWarning
from ._sensitivities import sensitivities
from ._sensitivity_courses import Sensitivities
from ._solution import Solution, Stats
from ._solve import solve
from ._status import SolveError

__all__ = [
    "JumpWarning",
    "Sensitivities",
    "Solution",
    "SolveError",
    "Stats",
    "sensitivities",
    "solve",
]
