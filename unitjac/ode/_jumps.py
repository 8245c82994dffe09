"""Where a right-hand side is not smooth in time.

Owns: the breakpoints that stimuli bring along, the search for comparisons with time, and the
warning. Never touches: how a solver ends a step.
"""

# pyright: basic

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from unitjac import _typed
from unitjac._errors import warn_user
from unitjac._units.quantity import is_quantity
from unitjac.models.protocols import Stimulus

from ._program import Program

_COMPARING = {"eq", "ne", "lt", "le", "gt", "ge", "sign", "floor", "ceil", "round"}
_math: Any = u.math


class JumpWarning(UserWarning):
    """The right-hand side compares with the time, and no breakpoint says where."""


def breakpoints_of(given: Any, params: Any) -> Any:
    """The times at which a step has to end; None where there are none.

    Those given, as a function of the parameters or as they are, and those of the stimuli among
    the parameters.
    """
    found = given(params) if isinstance(given, Callable) else given
    rows = [] if found is None else [_row(found)]
    leaves = jax.tree.leaves(params, is_leaf=_is_stimulus)
    rows += [_row(leaf.breakpoints) for leaf in leaves if _is_stimulus(leaf)]
    if not rows:
        return None
    return rows[0] if len(rows) == 1 else _math.concatenate(rows)


def _is_stimulus(node: Any) -> bool:
    return isinstance(node, Stimulus)


def _row(times: Any) -> Any:
    if _typed.is_a(times, list | tuple):
        times = _math.stack(list(times))
    return times.reshape((-1,)) if is_quantity(times) else jnp.ravel(jnp.asarray(times))


def warn_of_jumps(rhs: Program) -> None:
    """Warn where the right-hand side compares with the time."""
    if compares_time(rhs):
        warn_user(
            "rhs compares with the time t, and there are no breakpoints: a step may pass over a "
            "short pulse, and derivatives with respect to the times of jumps are zero. Give "
            "breakpoints= (times, or a function of params), or a stimulus of "
            "unitjac.models.protocols among params, which brings its own.",
            JumpWarning,
        )


def compares_time(rhs: Program) -> bool:
    """Whether a comparison depends on the first argument, and on no state."""
    jaxpr = rhs.jaxpr
    time, state, *_ = jaxpr.invars
    return _compares(jaxpr, {time: True}, {state: True})[0]


def _compares(jaxpr: Any, times: dict[Any, bool], states: dict[Any, bool]) -> tuple[bool, Any, Any]:
    """Whether there is one; and which results depend on time, and on a state."""

    def of(atom: Any, known: dict[Any, bool]) -> bool:
        return not isinstance(atom, Literal) and known.get(atom, False)

    found = False
    for eqn in jaxpr.eqns:
        in_time = [of(atom, times) for atom in eqn.invars]
        in_state = [of(atom, states) for atom in eqn.invars]
        if any(in_time) and not any(in_state) and eqn.primitive.name in _COMPARING:
            return True, None, None
        out_time = [any(in_time)] * len(eqn.outvars)
        for inner in _programs(eqn):
            if len(inner.invars) > len(in_time):
                continue
            skipped = len(in_time) - len(inner.invars)
            found, marked, _ = _compares(
                inner,
                dict(zip(inner.invars, in_time[skipped:], strict=True)),
                dict(zip(inner.invars, in_state[skipped:], strict=True)),
            )
            if found:
                return True, None, None
            if marked is not None and len(marked) == len(out_time):
                out_time = marked
        times |= dict(zip(eqn.outvars, out_time, strict=True))
        states |= dict.fromkeys(eqn.outvars, any(in_state))
    return found, [of(atom, times) for atom in jaxpr.outvars], None


def _programs(eqn: Any) -> Sequence[Any]:
    found: list[Any] = []
    for value in eqn.params.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            inner = getattr(one, "jaxpr", one)
            if hasattr(inner, "eqns"):
                found.append(inner)
    return found
