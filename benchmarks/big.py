"""Big Jacobians: in chunks, with many leaves, tall and wide, over several devices.

Peak memory is that of a process of its own, above what the imports and the inputs take.
"""

from __future__ import annotations

import os

import brainunit as u
import jax
import jax.numpy as jnp

import unitjac as uj

from .own_process import best, dispatch, in_own_process, peak_above
from .race import race, timed
from .report import bytes_text, rows, seconds_text, show


def run() -> None:
    issue_215()
    many_leaves()
    tall_and_wide()
    devices()


# -- the shapes of JAX's issue 215: (10, 2) to (10, 128, 16) --------------------------------------

WEIGHTS = jnp.sin(jnp.arange(2 * 128 * 16.0)).reshape(2, 128 * 16)


def layer(x):
    """Ten points of the plane through a dense layer."""
    return jnp.tanh(x @ WEIGHTS).reshape(10, 128, 16)


def spread(x):
    """Entry by entry, after each point was spread over the layer: nothing is a matrix product."""
    rates = jnp.linspace(0.1, 1.0, 128 * 16 * 2).reshape(128, 16, 2)
    return jnp.sin(jnp.tanh(x[:, None, None, :] * rates) * rates).sum(axis=-1)


FUNCTIONS = {"layer": layer, "spread": spread}
JACOBIANS = {
    "jax.jacrev": jax.jacrev,
    "jax.jacfwd": jax.jacfwd,
    "jacrev, chunk_size=None": lambda fun: uj.jacrev(fun, chunk_size=None),
    "jacrev": uj.jacrev,
    "jacobian": uj.jacobian,
}


def issue_215() -> None:
    """20,480 rows of 20 numbers, of a dense layer and of a function without matrix products."""
    for fun in FUNCTIONS:
        found = {name: in_own_process(__name__, "issue_215", f"{fun}:{name}") for name in JACOBIANS}
        base = found["jax.jacrev"]
        lines = [
            (
                name,
                seconds_text(one["seconds"]),
                f"{base['seconds'] / one['seconds']:.3g}",
                bytes_text(one["peak"]),
                f"{base['peak'] / max(one['peak'], 1):.3g}",
            )
            for name, one in found.items()
        ]
        header = ("", "second call", "times as fast", "peak", "times as small")
        rows(f"JAX's issue 215, (10, 2) to (10, 128, 16): {fun}, compiled", header, lines)


def many_leaves() -> None:
    """60 scalar parameters against 60 outputs: 3,600 blocks."""
    found = {
        name: in_own_process(__name__, "many_leaves", name)
        for name in ("unitjac.jacrev", "jax.jacrev")
    }
    lines = [
        (name, seconds_text(one["first"]), seconds_text(one["second"]))
        for name, one in found.items()
    ]
    rows("60 scalars against 60 scalars, compiled", ("", "first call", "second call"), lines)


def tall_and_wide() -> None:
    """20,000 by 20 and 20 by 20,000."""
    for name, n, m in (("20,000 outputs, 20 inputs", 20, 20_000), ("wide", 20_000, 20)):
        x = jnp.linspace(0.1, 1.0, n)
        a = jnp.sin(jnp.arange(m * 8.0)).reshape(m, 8)
        b = jnp.cos(jnp.arange(8.0 * n)).reshape(8, n)

        def fun(v, a=a, b=b):
            return jnp.tanh(a @ jnp.tanh(b @ v))

        better = jax.jacfwd if n < m else jax.jacrev
        programs = {
            f"jax.{better.__name__}": jax.jit(better(fun)),
            "unitjac.jacobian": jax.jit(uj.jacobian(fun)),
        }
        if name == "wide":
            name = "20 outputs, 20,000 inputs"
        functions = {k: (lambda f=f, x=x: f(x)) for k, f in programs.items()}
        show(f"{name}, compiled", race(functions, rounds=20, budget=0.05))


def devices() -> None:
    """The same Jacobian on 1, 2 and 4 forced host devices."""
    found = {
        count: in_own_process(__name__, "devices", str(count), devices=count) for count in (1, 2, 4)
    }
    lines = [
        (str(count), seconds_text(one["seconds"]), f"{found[1]['seconds'] / one['seconds']:.3g}")
        for count, one in found.items()
    ]
    note = f"{os.cpu_count()} cores, and XLA uses them all for one device too"
    rows("4,096 rows over host devices", ("devices", "time", "times as fast"), lines, note)


# -- what runs in a process of its own ------------------------------------------------------------


def _own_issue_215(which: str) -> dict[str, float]:
    fun, name = which.split(":")
    x = jnp.linspace(0.0, 1.0, 20).reshape(10, 2)
    jax.block_until_ready(jnp.tanh(x @ x.T))
    with peak_above() as peak:
        program = jax.jit(JACOBIANS[name](FUNCTIONS[fun]))
        seconds = best(lambda: program(x))
    return {"seconds": seconds, "peak": peak()}


def _own_many_leaves(name: str) -> dict[str, float]:
    count = 60

    def fun(p):
        x = [p[f"p{k}"] for k in range(count)]
        return {f"y{k}": x[k] * x[(k + 1) % count] + x[(k + 7) % count] ** 2 for k in range(count)}

    ours = name.startswith("unitjac")
    p = {f"p{k}": jnp.float32(k + 1.0) for k in range(count)}
    if ours:
        p = {k: v * u.mV for k, v in p.items()}
        program = uj.jacrev(fun, unit_aware=True, jit=True)
    else:
        program = jax.jit(jax.jacrev(fun))
    first = timed(lambda: program(p))
    return {"first": first, "second": best(lambda: program(p))}


def _own_devices(name: str) -> dict[str, float]:
    mesh = jax.make_mesh((int(name),), ("rows",))
    x = jnp.linspace(0.1, 1.0, 4096)
    w = jnp.sin(jnp.arange(4096 * 64.0)).reshape(64, 4096) / 64

    def fun(v):
        return jnp.tanh(w.T @ jnp.tanh(w @ v))

    program = jax.jit(uj.jacrev(fun, mesh=mesh))
    return {"seconds": best(lambda: program(x))}


if __name__ == "__main__":
    dispatch(
        {"issue_215": _own_issue_215, "many_leaves": _own_many_leaves, "devices": _own_devices}
    )
