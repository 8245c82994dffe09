"""Which method an equation is solved by.

Owns: the choice, and the names. Never touches: steps.
"""

# pyright: basic

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import jax

from unitjac._engine.found import NotFound, find
from unitjac._errors import abstract

from ._elimination import Elimination
from ._factors import Dense, Factors, Unrolled
from ._open import dfx, eqx
from ._problem import Equation, Numbers, Problem
from ._program import remembered
from ._rodas5p import STAGES, Rodas5P

# So many unknowns are eliminated without a loop, and so many by LU where there is no pattern.
_UNROLLED, _DENSE = 8, 32
# A pattern is worth an elimination along it where it is this thin, and stays thin.
_THIN, _FILL, _ROUNDS = 0.25, 4.0, 64


@dataclass(frozen=True)
class Chosen:
    """A method.

    Attributes
    ----------
    name, why : str
        What it is called, and what decided.
    calls : int or None
        How often the right-hand side is called in a step.
    """

    name: str
    why: str
    key: Hashable
    calls: int | None
    given: Any = None
    factors: Factors | None = None

    @property
    def solver(self) -> Any:
        """The method as a solver of diffrax."""
        return self.given if self.factors is None else Rodas5P(self.factors)


def chosen(problem: Problem, solver: Any) -> Chosen:
    """The method for an equation.

    Raises
    ------
    TypeError, ValueError
        If there is no such method, or it is one that this library cannot vouch for.
    """
    if isinstance(solver, str):
        if solver == "auto":
            return _automatic(problem)
        if solver.lower() == "rodas5p":
            return _rosenbrock(problem, must=True) or _of_diffrax("Tsit5", "")
        return _of_diffrax(solver, "as asked for")
    if not isinstance(solver, dfx.AbstractAdaptiveSolver):
        raise TypeError(
            'solver must be "auto", "rodas5p", the name of an adaptive solver of diffrax such as '
            f'"Tsit5", or one itself, got {solver!r}.'
        )
    return _checked(solver, type(solver).__name__, "as asked for")


def _automatic(problem: Problem) -> Chosen:
    found = _rosenbrock(problem, must=False)
    return found or _of_diffrax("Tsit5", "many states that touch each other")


def _of_diffrax(name: str, why: str) -> Chosen:
    kind = getattr(dfx, name, None)
    if not isinstance(kind, type) or not issubclass(kind, dfx.AbstractAdaptiveSolver):
        raise ValueError(
            f'there is no solver {name!r}. Write "auto", "rodas5p" or one of "Tsit5", "Dopri5", '
            '"Dopri8", "Bosh3", "Heun".'
        )
    return _checked(kind(), name, why)


def _checked(solver: Any, name: str, why: str) -> Chosen:
    if isinstance(solver, dfx.AbstractImplicitSolver):
        raise ValueError(
            f"{name} solves its stages by an iteration whose tolerance depends on the units of "
            'the state. Write solver="rodas5p" for a stiff equation.'
        )
    tableau: Any = getattr(solver, "tableau", None)
    calls = len(tableau.c) + 1 if hasattr(tableau, "c") else None
    if calls and getattr(tableau, "fsal", False):
        calls -= 1
    leaves, structure = jax.tree.flatten(solver)
    return Chosen(name, why, (name, str(structure), str(leaves)), calls, given=solver)


def _rosenbrock(problem: Problem, *, must: bool) -> Chosen | None:
    n = problem.states.size
    if n <= _UNROLLED:
        return _with(Unrolled(), f"{n} states" if n > 1 else "one state")
    eliminated = _eliminated(problem)
    if eliminated is not None:
        return _with(eliminated, eliminated.text)
    if must or n <= _DENSE:
        return _with(Dense(), f"{n} states")
    return None


def _with(factors: Factors, why: str) -> Chosen:
    return Chosen("Rodas5P", why, ("Rodas5P", factors.key), STAGES, factors=factors)


def _eliminated(problem: Problem) -> Elimination | None:
    """An elimination along the pattern of the Jacobian, where that pays; found once."""
    equation, numbers = problem.equation, jax.tree.map(abstract, problem.numbers)
    key = ("elimination", equation.rhs.text)
    return remembered(key, equation, lambda: _found(equation, numbers))


def _found(equation: Equation, numbers: Numbers) -> Elimination | None:
    def slopes(leaves: list[Any], rest: Any) -> list[Any]:
        closed, t, p = rest
        return [equation.rhs(closed, t, leaves[0], p)]

    like = jax.ShapeDtypeStruct((), numbers.t.dtype)
    rest = (numbers.closed[0], like, numbers.p)
    try:
        pattern = find(slopes, [numbers.y], rest, [numbers.y]).pattern
    except NotFound:
        return None
    n = pattern.shape[0]
    if len(pattern.rows) > _THIN * n * n:
        return None
    found = Elimination(pattern)
    return found if found.rounds <= _ROUNDS and found.fill <= _FILL else None


def unlooped(solver: Any) -> Any:
    """A solver of diffrax whose stages can be differentiated forward."""
    if not isinstance(solver, dfx.AbstractRungeKutta):
        return solver

    def is_none(x: Any) -> bool:
        return x is None

    return eqx.tree_at(lambda s: s.scan_kind, solver, "lax", is_leaf=is_none)
