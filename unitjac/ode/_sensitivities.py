"""``sensitivities``: how states in time answer to parameters and to where they start.

Owns: the public function, the choice of the mode, the directions. Never touches: steps, displays.
"""

# pyright: basic

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._errors import has_tracer

from ._problem import Problem, Rhs
from ._program import compiled
from ._sensitivity_courses import Part, Sensitivities
from ._solve import finished, prepared
from ._tolerances import PART

if TYPE_CHECKING:
    from ._run import Raw, Ways
    from ._tangents import Along

# A row that is pulled back costs about so much as so many directions that are pushed.
_PULL = 4


def sensitivities(
    rhs: Rhs,
    t: Any,
    y0: Any,
    params: Any,
    *,
    wrt: Literal["params", "y0"] | Iterable[Literal["params", "y0"]] = "params",
    outputs: Rhs | None = None,
    mode: Literal["auto", "forward", "adjoint"] = "auto",
    control: Literal["all", "y"] = "all",
    estimate_error: bool = False,
    solver: Any = "auto",
    rtol: float = 1e-6,
    atol: Any = None,
    breakpoints: Any = None,
    max_steps: int = 100_000,
    jit: bool = True,
    throw: bool = True,
    progress: bool = False,
) -> Sensitivities:
    """Solve an equation together with the derivatives of all its states at all times.

    Value and derivatives come from one program, whose steps are as small as all of them want.

    Parameters
    ----------
    rhs, t, y0, params, outputs, solver, rtol, atol, breakpoints, max_steps, jit, throw, progress
        As in :func:`solve`. Real numbers among ``params`` are the parameters, those of stimuli and
        the times at which they jump too. Where ``y0`` is a function of ``params``, its part in the
        derivatives is among them.
    wrt : {"params", "y0"} or both in a tuple
        What the derivatives are by.
    mode : {"auto", "forward", "adjoint"}
        Push a direction for each parameter, or pull a row for each state and time. ``"auto"`` takes
        what costs less.
    control : {"all", "y"}
        Whether steps see the errors of the sensitivities, or those of the state alone. By adjoint
        they see the state alone.
    estimate_error : bool
        Solve once more with a tenth of the tolerances, and report by how much blocks differ.

    Returns
    -------
    Sensitivities
        Times, states, and blocks in state unit over parameter unit.

    Raises
    ------
    SolveError
        If the last time is not reached.
    TypeError, ValueError
        As in :func:`solve`, and if there is nothing to differentiate by.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.ode import sensitivities
    >>> decay = lambda t, y, p: {"V": -y["V"] / p["tau"]}
    >>> t = jnp.linspace(0.0, 20.0, 3) * u.ms
    >>> found = sensitivities(decay, t, {"V": 8.0 * u.mV}, {"tau": 10.0 * u.ms})
    >>> print(found.dp["V"]["tau"].unit, found.dp["V"]["tau"].mantissa.round(3).tolist()[:1])
    mV / ms [0.0]

    References
    ----------
    A. C. Hindmarsh et al. (2005), "SUNDIALS: Suite of nonlinear and differential/algebraic equation
    solvers", ACM Trans. Math. Softw. 31, 363-396, section 5, for forward and adjoint sensitivities.
    """
    chosen = _checked(wrt, mode, control)
    problem, ways, tolerances = prepared(
        rhs,
        t,
        y0,
        params,
        outputs=outputs,
        solver=solver,
        rtol=rtol,
        atol=atol,
        breakpoints=breakpoints,
        max_steps=max_steps,
        adjoint="reverse",
        progress=progress,
    )
    if "params" in chosen and not problem.parameters.axis.size:
        raise ValueError(
            "params hold no real number, so that there is nothing to differentiate by. Give "
            'quantities, or wrt="y0".'
        )
    along, sizes = _directions(problem, chosen, tolerances, ways.rtol)
    _check_moves(problem, along)
    rows = problem.numbers.t.shape[0] * (
        problem.states.size + (problem.output_axis.size if problem.output_axis else 0)
    )
    count = sizes.shape[0]
    if mode == "auto":
        mode = "adjoint" if count > _PULL * rows else "forward"
    run = _runner(problem, ways, mode, control, jit=jit)
    raw, dy, dseen = run(tolerances, along, sizes)
    solution = finished(problem, ways, raw, throw=throw)
    if has_tracer((raw.status, raw.y)) or int(raw.status):
        from ._guard import guarded

        traced = has_tracer(raw.status)
        dy, dseen = guarded((dy, dseen), raw.status, problem.numbers, throw=throw and traced)
    error = None
    if estimate_error:
        tight = replace(ways, rtol=ways.rtol / 10)
        again = _runner(problem, tight, mode, control, jit=jit)(tolerances / 10, along, sizes)
        error = (again[1] - dy, None if dseen is None else again[2] - dseen)
    return Sensitivities(
        solution=solution,
        params=problem.parameters.axis.to_tree(problem.numbers.p),
        start=problem.states.to_tree(problem.numbers.y),
        parts=_parts(problem, chosen, dy, dseen, error),
        mode=mode,
        why=f"{count} directions; by adjoint {rows} rows",
        control="y" if mode == "adjoint" else control,
    )


def _checked(wrt: Any, mode: Any, control: Any) -> tuple[str, ...]:
    chosen = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    if not chosen or set(chosen) - {"params", "y0"}:
        raise ValueError(f'wrt must be "params", "y0" or ("params", "y0"), got {wrt!r}.')
    if mode not in ("auto", "forward", "adjoint"):
        raise ValueError(f'mode must be "auto", "forward" or "adjoint", got {mode!r}.')
    if control not in ("all", "y"):
        raise ValueError(f'control must be "all" or "y", got {control!r}.')
    return tuple(name for name in ("params", "y0") if name in chosen)


def _directions(
    problem: Problem, chosen: tuple[str, ...], atol: Any, rtol: float
) -> tuple[Along, Any]:
    """What is differentiated by, and how large each of it is."""
    from ._tangents import Along

    numbers = problem.numbers
    (n, q), k = problem.shape, numbers.breaks.shape[0]
    dtype = numbers.y.dtype
    parts: list[Along] = []
    sizes: list[Any] = []
    if "params" in chosen:
        start: Any = jax.jacfwd(problem.start)(numbers.p)
        breaks: Any = jax.jacfwd(problem.breaks_of)(numbers.p)
        parts.append(Along(start.T, jnp.eye(q, dtype=dtype), breaks.T))
        sizes.append(_sizes(problem))
    if "y0" in chosen:
        parts.append(Along(jnp.eye(n, dtype=dtype), jnp.zeros((n, q), dtype), jnp.zeros((n, k))))
        sizes.append(jnp.maximum(jnp.abs(numbers.y), atol / (PART * rtol)))
    joined = [jnp.concatenate(columns).astype(dtype) for columns in zip(*parts, strict=True)]
    return Along(*joined), jnp.concatenate(sizes)


def _sizes(problem: Problem) -> Any:
    """How large each parameter is; one that is zero is as large as the largest beside it."""
    parts = [jnp.abs(part) for part in problem.parameters.axis.cut(problem.numbers.p)]
    return jnp.concatenate(
        [jnp.where(part > 0, part, jnp.max(part, initial=0.0)) for part in parts]
    )


def _check_moves(problem: Problem, along: Along) -> None:
    """Refuse breakpoints at one time that move apart: what is between them is not known."""
    breaks = problem.numbers.breaks
    if has_tracer((breaks, along.breaks)):
        return
    times, moves = np.asarray(breaks), np.asarray(along.breaks)
    for k in range(len(times)):
        for j in range(k):
            if times[j] == times[k] and np.any(moves[:, j] != moves[:, k]):
                raise ValueError(
                    f"two breakpoints at {times[k]:g} depend on parameters of their own: there is "
                    "no derivative by either alone. Let both be one parameter, or move one a "
                    "little."
                )


def _runner(problem: Problem, ways: Ways, mode: str, control: str, *, jit: bool) -> Any:
    from ._run import runner
    from ._tangents import puller, pusher

    equation = problem.equation

    def make() -> Any:
        if mode == "forward":
            return pusher(equation, ways, control)
        return puller(runner(equation, ways))

    key = ("sensitivities", equation.text, ways.key, mode, control)
    run = compiled(key, equation, make) if jit else make()

    def of_directions(atol: Any, along: Along, sizes: Any) -> tuple[Raw, Any, Any]:
        if mode == "adjoint":
            return run(problem.numbers, atol, along)
        raw, dy, dseen = run(problem.numbers, atol, along, sizes)
        dy, dseen = (None if x is None else jnp.moveaxis(x, 0, -1) for x in (dy, dseen))
        return raw, dy, dseen

    return of_directions


def _parts(
    problem: Problem, chosen: tuple[str, ...], dy: Any, dseen: Any, error: Any
) -> tuple[Part, ...]:
    axes = {"params": problem.parameters.axis, "y0": problem.states}
    parts: list[Part] = []
    first = 0
    for name in chosen:
        cols = axes[name]
        at = slice(first, first + cols.size)
        first += cols.size
        pairs = [("y", problem.states, dy, 0), ("outputs", problem.output_axis, dseen, 1)]
        parts += [
            Part(of, name, rows, cols, array[..., at], None if error is None else error[k][..., at])
            for of, rows, array, k in pairs
            if rows is not None
        ]
    return tuple(parts)
