"""A solver of the state and its sensitivities, whose steps see both.

Owns: the step of both, and the solve. Never touches: units, what is made of the sensitivities.

A step of a state and its sensitivities is the derivative of a step of the state, with its estimate
of the error: so the control of steps sees the error of the sensitivities too, each relative to the
state over the size of what it is a derivative by. Control of the state alone lets them go wrong: at
rest steps grow to the limit of stability, and the state does not show it.
"""

# pyright: basic

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ._around import Around
from ._control import first_row, largest_row
from ._guarded import Guarded
from ._open import dfx
from ._problem import Equation, Numbers
from ._run import (
    Args,
    Raw,
    Ways,
    controller_of,
    fixed_in_time,
    observed,
    raw_of,
    slope_of,
    solution_of,
)
from ._solvers import unlooped
from ._warp import Warp


class Along(NamedTuple):
    """Directions in which everything that a solve starts from may go, a row for each.

    Attributes
    ----------
    y : array of shape (r, n)
    p : array of shape (r, q)
    breaks : array of shape (r, k)
    """

    y: Any
    p: Any
    breaks: Any


class _Given(NamedTuple):
    args: Args
    p: Any
    shifts: Any


class Tangents(Around):
    """A solver of rows: the state, and its sensitivities in some directions."""

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> None:
        """Nothing is carried from step to step."""

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        """The slope of all rows, of which nobody makes use."""
        return jnp.zeros_like(y0)

    def step(
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: Any,
        args: _Given,
        solver_state: None,
        made_jump: Any,
    ) -> Any:
        """The rows at the end of a step, estimates of their errors, and what is between."""
        given, along_p, along_shifts = args
        warp = given.warp

        def one(y: Any, p: Any, shifts: Any) -> Any:
            own = Args(
                replace(given.numbers, p=p),
                None if warp is None else warp._replace(shifts=shifts),
                given.scale,
            )
            state = self.inner.init(terms, t0, t1, y, own)
            y1, error, dense, _, result = self.inner.step(terms, t0, t1, y, own, state, made_jump)
            return (y1, error, dense), result

        point = (y0[0], given.numbers.p, None if warp is None else warp.shifts)

        def push(s: Any, dp: Any, shift: Any) -> Any:
            return jax.jvp(one, point, (s, dp, shift), has_aux=True)

        pushed: Any = jax.vmap(push, out_axes=(None, 0, None))
        values, rows, result = pushed(y0[1:], along_p, along_shifts)
        y1, error, dense = jax.tree.map(_joined, values, rows)
        return y1, error, dense, None, result


def _joined(value: Any, rows: Any) -> Any:
    """The row of the state before the others, as the last axis but one."""
    return jnp.concatenate([value[..., None, :], jnp.moveaxis(rows, 0, -2)], axis=-2)


def pusher(equation: Equation, ways: Ways, control: str) -> Callable[..., tuple[Raw, Any, Any]]:
    """The solve as a function of numbers, tolerances, directions and the sizes of these.

    It gives what came of the solve, and the derivatives of states and outputs in each direction,
    of shapes ``(r, m, n)``.
    """
    slope = slope_of(equation)

    def of_rows(s: Any, y: Any, args: Any) -> Any:
        return slope(s, y, args) if y.ndim == 1 else jnp.zeros_like(y)

    def run(numbers: Numbers, atol: Any, along: Along, sizes: Any) -> tuple[Raw, Any, Any]:
        scale = atol + ways.rtol * jnp.abs(numbers.y)
        warp, shifts = _warped(numbers, along) if ways.warps else (None, None)
        given = Args(numbers, warp, scale)
        # a direction whose size is not known is not controlled
        rows = jnp.where(sizes[:, None] > 0, atol[None] / sizes[:, None], jnp.inf)
        norm = largest_row if control == "all" else first_row
        controller = controller_of(ways, jnp.concatenate([atol[None], rows]), numbers, warp, norm)
        solution = solution_of(
            ways,
            of_rows,
            Guarded(Tangents(unlooped(ways.chosen.solver)), False),
            given,
            jnp.concatenate([numbers.y[None], along.y]),
            controller,
            dfx.ForwardMode(),
            _Given(given, along.p, shifts),
        )
        raw = raw_of(solution)
        y, moved = raw.y[:, 0], jnp.moveaxis(raw.y[:, 1:], 1, 0)

        def finish(y: Any, p: Any, breaks: Any) -> Any:
            own = replace(numbers, p=p, breaks=breaks)
            if ways.warps:
                y = fixed_in_time(equation, own, Warp.of(breaks, own.t), y)
            return y, observed(equation, own, y)

        def push(s: Any, dp: Any, shift: Any) -> Any:
            return jax.jvp(finish, (y, numbers.p, numbers.breaks), (s, dp, shift))

        pushed: Any = jax.vmap(push, out_axes=(None, 0))
        (y, seen), (dy, dseen) = pushed(moved, along.p, along.breaks)
        raw = replace(raw, y=y, outputs=seen, last_y=raw.last_y[0])
        return raw, dy, dseen

    return run


def _warped(numbers: Numbers, along: Along) -> tuple[Warp, Any]:
    """The map of time, and how its shifts go in each direction."""

    def shifts(breaks: Any) -> Any:
        return Warp.of(breaks, numbers.t).shifts

    def push(tangent: Any) -> Any:
        return jax.jvp(shifts, (numbers.breaks,), (tangent,))[1]

    return Warp.of(numbers.breaks, numbers.t), jax.vmap(push)(along.breaks)


def puller(
    run: Callable[..., Raw],
) -> Callable[..., tuple[Raw, Any, Any]]:
    """The same as :func:`pusher`, row by row of the states and outputs, by reverse mode.

    The shapes are ``(m, n, r)``; the directions are combined at the end.
    """

    def pulled(numbers: Numbers, atol: Any, along: Along) -> tuple[Raw, Any, Any]:
        def of_parts(y: Any, p: Any, breaks: Any) -> Any:
            raw = run(replace(numbers, y=y, p=p, breaks=breaks), atol)
            return (raw.y, raw.outputs), raw

        results, pull, raw = jax.vjp(of_parts, numbers.y, numbers.p, numbers.breaks, has_aux=True)

        def row(cotangent: Any) -> Any:
            by_y, by_p, by_breaks = pull(cotangent)
            return along.y @ by_y + along.p @ by_p + along.breaks @ by_breaks

        found: list[Any] = []
        for k, part in enumerate(results):
            if part is None:
                found.append(None)
                continue
            seeds = jnp.eye(part.size, dtype=part.dtype).reshape(part.size, *part.shape)

            def of_seed(seed: Any, k: int = k) -> Any:
                zeros = [None if x is None else jnp.zeros_like(x) for x in results]
                zeros[k] = seed
                return row(tuple(zeros))

            found.append(jax.vmap(of_seed)(seeds).reshape(*part.shape, -1))
        return raw, found[0], found[1]

    return pulled
