"""``solve``: an equation in quantities, in time.

Owns: the public function and its options. Never touches: methods, derivatives.
"""

# pyright: basic

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from unitjac._engine import direction
from unitjac._errors import as_int, has_tracer

from ._blocks import courses_of
from ._problem import Problem, Rhs, pose
from ._program import compiled
from ._solution import Solution, Stats
from ._status import SolveError
from ._tolerances import check_rtol, given, typical

if TYPE_CHECKING:
    from ._run import Raw, Ways

direction.ask()


def solve(
    rhs: Rhs,
    t: Any,
    y0: Any,
    params: Any = None,
    *,
    outputs: Rhs | None = None,
    solver: Any = "auto",
    rtol: float = 1e-6,
    atol: Any = None,
    breakpoints: Any = None,
    max_steps: int = 100_000,
    adjoint: Literal["auto", "reverse", "forward", "both"] = "auto",
    jit: bool = True,
    throw: bool = True,
    progress: bool = False,
) -> Solution:
    """Solve ``dy/dt = rhs(t, y, params)`` in quantities.

    What is differentiated through it has the control of y: steps are as small as y wants them, and
    not smaller for its derivatives. Those of :func:`sensitivities` have their own control; of
    ``jacfwd`` and ``jacrev`` over ``solve``, give a smaller ``rtol``.

    Parameters
    ----------
    rhs : callable
        Of ``(t, y, params)``; it gives a tree like y, in the units of y over that of t.
    t : Quantity of shape (m,), or list of quantities
        The times at which states are wanted. The first is where ``y0`` holds.
    y0 : pytree, or callable
        The initial state: quantities, numbers and arrays. Or a function of ``params``.
    params : pytree
        What ``rhs`` gets: quantities, numbers, stimuli of :mod:`unitjac.models.protocols`.
    outputs : callable, optional
        Of ``(t, y, params)``: what else is wanted at these times, currents say.
    solver : str or diffrax solver
        ``"auto"`` is Rodas5P where the state is small or touches itself sparsely, else Tsit5.
        ``"rodas5p"``, a name of an explicit adaptive solver of diffrax, or one itself.
    rtol : float
        The error of a step relative to the state.
    atol : pytree, optional
        The error of a step where a state is near zero: like ``y0``, a quantity for each leaf. By
        default a hundredth of ``rtol`` times the largest number of each leaf of ``y0``.
    breakpoints : Quantity of shape (k,), or callable, optional
        Times at which a step has to end, as they are or as a function of ``params``. Stimuli among
        the parameters bring their own.
    max_steps : int
        How many steps there may be.
    adjoint : str
        What the solve can be differentiated by. Transforms of this library tell by themselves;
        under those of JAX ``"auto"`` is ``"reverse"``, and ``jax.jacfwd`` wants ``"forward"``.
    jit : bool
        Compile it. What ``rhs`` reads is read anew in each call.
    throw : bool
        Raise where the last time is not reached. Else ``status`` says so, and numbers are nan.
    progress : bool
        Show a bar of progress, by tqdm.

    Returns
    -------
    Solution
        Times, states, outputs, and what they cost.

    Raises
    ------
    SolveError
        If the last time is not reached: the time and the leaf are named.
    TypeError, ValueError
        If ``rhs`` does not give ``y / t``, or an option is none.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.ode import solve
    >>> charging = lambda t, y, p: (p["R"] * p["I"] - y) / p["tau"]
    >>> params = {"R": 100.0 * u.Mohm, "I": 0.2 * u.nA, "tau": 10.0 * u.ms}
    >>> t = jnp.linspace(0.0, 50.0, 6) * u.ms
    >>> solution = solve(charging, t, 0.0 * u.mV, params)
    >>> round(float(solution.y[-1].to_decimal(u.mV)), 2)
    19.87
    """
    problem, ways, tolerances = prepared(
        rhs, t, y0, params, outputs=outputs, solver=solver, rtol=rtol, atol=atol,
        breakpoints=breakpoints, max_steps=max_steps, adjoint=adjoint, progress=progress,
    )  # fmt: skip
    from ._run import runner

    equation = problem.equation  # which holds no array of a trace

    def make() -> Callable[..., Raw]:
        return runner(equation, ways)

    run = compiled(("solve", equation.text, ways.key), equation, make) if jit else make()
    try:
        raw = run(problem.numbers, tolerances)
    except Exception as error:
        _say_which_adjoint(error, ways)
        raise
    return finished(problem, ways, raw, throw=throw)


def prepared(
    rhs: Rhs,
    t: Any,
    y0: Any,
    params: Any,
    *,
    outputs: Rhs | None,
    solver: Any,
    rtol: float,
    atol: Any,
    breakpoints: Any,
    max_steps: int,
    adjoint: str,
    progress: bool,
) -> tuple[Problem, Ways, Any]:
    """The equation of vectors, how it is solved, and the absolute tolerances.

    Raises
    ------
    TypeError, ValueError
        As in :func:`solve`.
    """
    rtol = check_rtol(rtol)
    count = as_int(max_steps)
    if count is None or count < 1:
        raise ValueError(
            f"max_steps must be a number of steps, such as 100_000, got {max_steps!r}."
        )
    names = ("auto", "reverse", "forward", "both")
    if adjoint not in names:
        raise ValueError(f"adjoint must be one of {', '.join(names)}, got {adjoint!r}.")
    problem = pose(rhs, t, y0, params, outputs, breakpoints)
    from ._run import Ways, adjoint_of
    from ._solvers import chosen

    numbers = problem.numbers
    ways = Ways(
        chosen(problem, solver),
        rtol,
        count,
        adjoint_of(direction.current()) if adjoint == "auto" else adjoint,  # type: ignore[arg-type]
        warps=bool(numbers.breaks.shape[0]) or has_tracer(numbers.t),
        progress=progress,
    )
    tolerances = typical(problem, rtol) if atol is None else given(problem, atol)
    return problem, ways, tolerances


def finished(problem: Problem, ways: Ways, raw: Raw, *, throw: bool) -> Solution:
    """What came of a solve, in quantities.

    Raises
    ------
    SolveError
        If it failed, and that is to be raised.
    """
    from ._failure import SUCCESS, message
    from ._guard import guarded

    results = (raw.y, raw.outputs)
    text = "not known yet"
    if has_tracer((raw.status, raw.y)):
        results = guarded(results, raw.status, problem.numbers, throw=throw)
    elif int(raw.status) == 0:
        text = SUCCESS
    else:
        text = message(problem, ways, raw)
        if throw:
            raise SolveError(text)
        results = guarded(results, raw.status, problem.numbers, throw=False)
    y, seen = results
    calls = ways.chosen.calls
    return Solution(
        t=problem.times(problem.numbers.t),
        y=courses_of(problem.states, y),
        outputs=None if problem.output_axis is None else courses_of(problem.output_axis, seen),
        stats=Stats(raw.steps, raw.rejected, None if calls is None else raw.steps * calls),
        status=raw.status,
        solver=f"{ways.chosen.name} ({ways.chosen.why})",
        message=text,
    )


def _say_which_adjoint(error: Exception, ways: Ways) -> None:
    text = str(error)
    if "orward-mode" in text or "everse-mode" in text:
        other = {"reverse": "forward", "forward": "reverse"}.get(ways.adjoint, "both")
        error.add_note(
            f'this solve was made to be differentiated by adjoint="{ways.adjoint}". Type '
            f'adjoint="{other}", or a transform of unitjac in place of that of JAX.'
        )
