"""What is said of a solve that did not reach its end.

Owns: the words, and the search for what is not finite. Never touches: how an equation is
solved.
"""

# pyright: basic

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._display import number_text
from unitjac._units.unit_text import unit_text
from unitjac.linalg import Axis

from ._problem import Problem
from ._run import Raw, Ways
from ._status import NO_STEP, OK, OUT_OF_STEPS

SUCCESS = "the last time was reached"
# where no number is known yet
UNKNOWN = (
    "an equation was not solved until its last time: too many steps, or a right-hand side that is "
    "not finite. Solve it outside of jax.jit to be told where, or give throw=False and look at "
    "status."
)


def message(problem: Problem, ways: Ways, raw: Raw) -> str:
    """What became of a solve, in words."""
    status = int(raw.status)
    if status == OK:
        return SUCCESS
    unit = unit_text(problem.time_unit)
    reached = f"{number_text(float(raw.last_t))} {unit}".removesuffix(" 1")
    end = f"{number_text(float(problem.numbers.t[-1]))} {unit}".removesuffix(" 1")
    if status == OUT_OF_STEPS:
        return (
            f"{ways.max_steps} steps ended at t = {reached} of {end}. Give a larger max_steps or a "
            f"larger rtol{_advice(ways)}."
        )
    assert status == NO_STEP
    return f"no step from t = {reached} is small enough: {_reason(problem, raw)}"


def _advice(ways: Ways) -> str:
    return "" if ways.chosen.name == "Rodas5P" else ', or, where it is stiff, solver="rodas5p"'


def _reason(problem: Problem, raw: Raw) -> str:
    """Which leaf is not finite, at the end or a little beyond."""
    numbers = problem.numbers
    t, y = raw.last_t, raw.last_y

    def slope(s: Any, v: Any) -> Any:
        return problem.equation.rhs(numbers.closed[0], s, v, numbers.p)

    for name, vector in (("y0", y), ("params", numbers.p)):
        axis = problem.states if name == "y0" else problem.parameters.axis
        found = _first_nonfinite(axis, vector)
        if found:
            return f"{name} holds {found}. Give finite numbers."
    here = slope(t, y)
    found = _first_nonfinite(problem.states, here)
    if found:
        return f"rhs gives {found} there. Look at what is divided by, at roots and at logarithms."
    jacobian = jnp.sum(jax.jacfwd(lambda v: slope(t, v))(y), axis=1)
    found = _first_nonfinite(problem.states, jacobian)
    if found:
        return (
            f"the derivative of rhs is {found} there, as that of a root is at zero. Give a state "
            "that is a little larger."
        )
    for power in range(40, 0, -4):
        step = (numbers.t[-1] - numbers.t[0]) * 2.0**-power
        found = _first_nonfinite(problem.states, slope(t + step, y + step * here))
        if found:
            return f"a little later rhs gives {found}. The solution may end there."
    return "its solution may grow without bounds, or rhs may jump there: give breakpoints=."


def _first_nonfinite(axis: Axis, vector: Any) -> str:
    numbers = np.asarray(vector)
    (bad,) = np.nonzero(~np.isfinite(numbers))
    if not bad.size:
        return ""
    return f"{numbers[bad[0]]:g} in {axis.entry_labels[bad[0]] or 'the state'}"
