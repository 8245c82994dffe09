"""The Hodgkin-Huxley cable: sparse Jacobians against one call of the function, asdex and the dense.

The function is the right-hand side of N compartments: 4 N numbers in, 4 N numbers out. Peak memory,
and the dense Jacobian, are those of a process of their own.
"""

from __future__ import annotations

import time

import brainunit as u
import jax
import jax.numpy as jnp

import unitjac as uj
from unitjac._engine.pattern import joined
from unitjac.models import cable

from .own_process import best, dispatch, in_own_process, peak_above
from .race import race, timed
from .report import bytes_text, rows, seconds_text

SIZES = (1_000, 10_000, 100_000)
DENSE = 10_000
NAMES = ("V", "m", "h", "n")


def run() -> None:
    calls()
    plans()
    dense()


def state_of(n: int) -> dict:
    """A travelling wave, so that no two compartments are alike."""
    x = jnp.linspace(0.0, 20.0, n)
    gates = {name: 0.5 + 0.4 * jnp.sin(x + k) for k, name in enumerate("mhn")}
    return {"V": (-60.0 + 30.0 * jnp.sin(x)) * u.mV, **gates}


def slope(state: dict) -> dict:
    return cable.derivatives(state, cable.parameters())


def bare(flat):
    """The same function from one bare array to another."""
    V, m, h, n = jnp.split(flat, 4)
    found = slope({"V": V * u.mV, "m": m, "h": h, "n": n})
    return jnp.concatenate(
        [found["V"].to_decimal(u.mV / u.ms), *(found[g].to_decimal(u.ms**-1) for g in "mhn")]
    )


def flat(state: dict):
    return jnp.concatenate([u.get_mantissa(state[name]) for name in NAMES])


def calls() -> None:
    """What a second call costs: the sparse Jacobian, one call of the function, asdex."""
    lines = []
    for n in SIZES:
        state = state_of(n)
        x = flat(state)
        jac = uj.sparse_jacobian(slope, state, pattern=cable.pattern(n), jit=True)
        function = jax.jit(slope)
        programs = {"unitjac": lambda jac=jac, s=state: jac(s).array.data}
        programs["function"] = lambda f=function, s=state: f(s)
        theirs = _asdex(x)
        if theirs is not None:
            programs["asdex"] = lambda f=theirs, x=x: f(x).data
        found = {one.name: one.seconds for one in race(programs, rounds=20, budget=0.03)}
        peak = in_own_process(__name__, "peak", str(n))["peak"]
        lines.append(
            (
                f"{n:,}",
                seconds_text(found["unitjac"]),
                f"{found['unitjac'] / found['function']:.3g}",
                f"{found['unitjac'] / found['asdex']:.3g}" if "asdex" in found else "-",
                f"{jac.passes}",
                bytes_text(peak),
            )
        )
    header = ("compartments", "sparse_jacobian", "/ function", "/ asdex", "passes", "peak memory")
    rows("Hodgkin-Huxley cable, compiled, second call", header, lines)


def plans() -> None:
    """What a plan costs: with a pattern that is found, of the process's own time, and by hand."""
    lines = []
    for n in SIZES:
        state = state_of(n)
        by_hand = timed(lambda n=n, s=state: uj.sparse_jacobian(slope, s, pattern=cable.pattern(n)))
        found = in_own_process(__name__, "plan", str(n))
        line = seconds_text(found["seconds"]), bytes_text(found["peak"]), seconds_text(by_hand)
        lines.append((f"{n:,}", *line))
    header = ("compartments", "found and coloured", "peak memory", "pattern by hand")
    rows("Planning the same", header, lines)


def dense() -> None:
    """The sparse Jacobian against the dense one, of 40,000 by 40,000 numbers.

    That is `unitjac.jacrev` in chunks: all at once, `jax.jacrev` needs more memory than most have.
    """
    found = {
        "unitjac.jacrev": in_own_process(__name__, "dense", str(DENSE)),
        "unitjac.sparse_jacobian": in_own_process(__name__, "peak", str(DENSE)),
    }
    base = found["unitjac.sparse_jacobian"]["seconds"]
    lines = [
        (
            name,
            seconds_text(one["seconds"]),
            f"{one['seconds'] / base:,.0f}",
            bytes_text(one["peak"]),
        )
        for name, one in found.items()
    ]
    header = ("", "second call", "ratio", "peak memory")
    rows(f"{DENSE:,} compartments, dense and sparse", header, lines)


def _asdex(x):
    try:
        import asdex
    except ImportError:
        return None
    n, blocks = x.size // 4, cable.pattern(x.size // 4)
    ours = joined([[blocks[out][name] for name in NAMES] for out in NAMES], [n] * 4, [n] * 4)
    pattern = asdex.SparsityPattern(ours.rows, ours.cols, ours.shape)
    colored = asdex.jacobian_coloring_from_sparsity(pattern)
    return jax.jit(asdex.jacobian_from_coloring(bare, colored))


# -- what runs in a process of its own ------------------------------------------------------------


def _own_peak(n: str) -> dict[str, float]:
    state = state_of(int(n))
    with peak_above() as peak:
        jac = uj.sparse_jacobian(slope, state, pattern=cable.pattern(int(n)), jit=True)
        seconds = best(lambda: jac(state).array.data)
    return {"seconds": seconds, "peak": peak()}


def _own_plan(n: str) -> dict[str, float]:
    state = state_of(int(n))
    with peak_above() as peak:
        start = time.process_time()
        uj.sparse_jacobian(slope, state)
        seconds = time.process_time() - start
    return {"seconds": seconds, "peak": peak()}


def _own_dense(n: str) -> dict[str, float]:
    state = state_of(int(n))
    with peak_above() as peak:
        jac = uj.jacrev(slope, unit_aware=True, jit=True)
        seconds = best(lambda: jac(state), repeats=1)
    return {"seconds": seconds, "peak": peak()}


if __name__ == "__main__":
    dispatch({"peak": _own_peak, "plan": _own_plan, "dense": _own_dense})
