"""A solve of plain vectors, as one function that is compiled.

Owns: how diffrax is called, and what became of it as a status. Never touches: units, messages.
"""

# pyright: basic

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from ._control import rms
from ._first_step import first_step
from ._guarded import Guarded
from ._open import dfx
from ._problem import Equation, Numbers
from ._solvers import Chosen
from ._status import NO_STEP, OK, OUT_OF_STEPS
from ._warp import Warp, jumps

Adjoint = Literal["reverse", "forward", "both"]


@dataclass(frozen=True)
class Ways:
    """How a solve is done; all of it static.

    Attributes
    ----------
    warps : bool
        Whether times may move.
    """

    chosen: Chosen
    rtol: float
    max_steps: int
    adjoint: Adjoint
    warps: bool
    progress: bool

    @property
    def key(self) -> Any:
        """What tells it from others."""
        return (
            self.chosen.key, self.rtol, self.max_steps, self.adjoint, self.warps, self.progress,
        )  # fmt: skip


class Args(NamedTuple):
    """What a step is given besides time and state.

    Attributes
    ----------
    scale : array
        The typical size of each number of the state.
    """

    numbers: Numbers
    warp: Warp | None
    scale: Any


@dataclass(frozen=True)
class Raw:
    """What came of a solve, in the units of the equation.

    Attributes
    ----------
    y, outputs : array of shape (m, n)
    status, steps, rejected : array of int
    last_t, last_y : array
        How far it came.
    """

    y: Any
    outputs: Any
    status: Any
    steps: Any
    rejected: Any
    last_t: Any
    last_y: Any


jax.tree_util.register_dataclass(
    Raw,
    data_fields=["y", "outputs", "status", "steps", "rejected", "last_t", "last_y"],
    meta_fields=[],
)


def adjoint_of(directions: tuple[str, ...]) -> Adjoint:
    """What a solve has to be able to do that is differentiated in these directions."""
    if directions in ((), ("reverse",)):
        return "reverse"
    return "forward" if set(directions) == {"forward"} else "both"


def slope_of(equation: Equation) -> Any:
    """The right-hand side as diffrax calls it: of a time that stands still, and what it needs."""

    def slope(s: Any, y: Any, args: Args) -> Any:
        numbers, warp, _ = args
        if warp is None:
            return equation.rhs(numbers.closed[0], s, y, numbers.p)
        shift, stretch = warp.at(s)
        return equation.rhs(numbers.closed[0], s + shift, y, numbers.p) * (1 + stretch)

    return slope


def controller_of(
    ways: Ways, atol: Any, numbers: Numbers, warp: Warp | None, norm: Any = rms
) -> Any:
    """What chooses the steps."""
    t = jax.lax.stop_gradient(numbers.t)
    least = jnp.maximum(1e-30 * (t[-1] - t[0]), jnp.finfo(t.dtype).tiny)
    found = dfx.PIDController(rtol=ways.rtol, atol=atol, norm=norm, dtmin=least, force_dtmin=False)
    if warp is None or not numbers.breaks.shape[0]:
        return found
    return dfx.ClipStepSizeController(found, jump_ts=jumps(warp))


def runner(equation: Equation, ways: Ways) -> Any:
    """The solve as a function of :class:`Numbers` and absolute tolerances."""
    adjoints = {
        "reverse": dfx.RecursiveCheckpointAdjoint,
        "forward": dfx.ForwardMode,
        "both": dfx.DirectAdjoint,
    }
    slope = slope_of(equation)

    def run(numbers: Numbers, atol: Any) -> Raw:
        held = jax.lax.stop_gradient
        warp = Warp.of(numbers.breaks, numbers.t) if ways.warps else None
        scale = held(atol + ways.rtol * jnp.abs(numbers.y))
        solution = solution_of(
            ways,
            slope,
            Guarded(ways.chosen.solver, ways.adjoint == "reverse"),
            Args(numbers, warp, scale),
            numbers.y,
            controller_of(ways, held(atol), numbers, warp),
            adjoints[ways.adjoint](),
        )
        raw = raw_of(solution)
        y = raw.y
        if warp is not None:
            y = fixed_in_time(equation, numbers, warp, y)
        return replace(raw, y=y, outputs=observed(equation, numbers, y))

    return run


def solution_of(
    ways: Ways,
    slope: Any,
    solver: Any,
    args: Args,
    y: Any,
    controller: Any,
    adjoint: Any,
    given: Any = None,
) -> Any:
    """What diffrax gives; ``given`` is what the solver gets, where it is more than ``args``."""
    held = jax.lax.stop_gradient(args)
    term, t = dfx.ODETerm(slope), held.numbers.t

    def start(s: Any, v: Any) -> Any:
        return slope(s, v, held)

    step = first_step(start, t, held.numbers.y, held.scale, solver.error_order(term))
    return dfx.diffeqsolve(
        term,
        solver,
        t[0],
        t[-1],
        step,
        y,
        args if given is None else given,
        saveat=dfx.SaveAt(subs=[dfx.SubSaveAt(ts=t), dfx.SubSaveAt(t1=True)]),
        stepsize_controller=controller,
        adjoint=adjoint,
        max_steps=ways.max_steps,
        throw=False,
        progress_meter=dfx.TqdmProgressMeter() if ways.progress else dfx.NoProgressMeter(),
    )


def raw_of(solution: Any) -> Raw:
    """The parts of it."""
    found = solution.result
    status = jnp.where(
        found == dfx.RESULTS.successful,
        OK,
        jnp.where(found == dfx.RESULTS.max_steps_reached, OUT_OF_STEPS, NO_STEP),
    )
    y, last = solution.ys
    return Raw(
        y,
        None,
        status,
        solution.stats["num_steps"],
        solution.stats["num_rejected_steps"],
        solution.ts[1][0],
        last[0],
    )


def fixed_in_time(equation: Equation, numbers: Numbers, warp: Warp, y: Any) -> Any:
    """The states at times that are given, in place of times that stand still."""
    shifts = jax.vmap(warp.at)(jax.lax.stop_gradient(numbers.t))[0]
    moved = numbers.t - jax.lax.stop_gradient(numbers.t) - shifts

    def slope(s: Any, v: Any) -> Any:
        return equation.rhs(numbers.closed[0], s, v, numbers.p)

    slopes = jax.lax.stop_gradient(jax.vmap(slope)(numbers.t, y))
    # where a solve failed there is no slope to go along
    return y + jnp.where(jnp.isfinite(slopes), slopes, 0) * moved[:, None]


def observed(equation: Equation, numbers: Numbers, y: Any) -> Any:
    """The outputs at all times."""
    if equation.outputs is None:
        return None
    program = equation.outputs

    def at(s: Any, v: Any) -> Any:
        return program(numbers.closed[1], s, v, numbers.p)

    return jax.vmap(at)(numbers.t, y)
