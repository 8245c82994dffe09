"""What a call costs: compiled, eager, with states; what importing costs; what the program costs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import brainunit as u
import jax
import jax.numpy as jnp
import saiunit.autograd

import unitjac as uj

from .race import race
from .report import rows, show


def product(x, y):
    return x * y


def run() -> None:
    compiled()
    eager()
    program()
    importing()


def compiled() -> None:
    """A second call with ``jit=True`` against ``jax.jit(jax.jacrev(f))`` on bare arrays."""
    x, y = jnp.arange(16.0) + 1, jnp.arange(16.0) + 2
    qx, qy = x * u.mV, y * u.nS
    bare = jax.jit(jax.jacrev(product, argnums=(0, 1)))
    handed = jax.jit(lambda a, b: (a, b))
    ours = uj.jacrev(product, argnums=(0, 1), unit_aware=True, jit=True)
    of_dict = uj.jacrev(lambda p: p["x"] * p["y"], unit_aware=True, jit=True)
    g = uj.State(qy)
    h = uj.State(qy)

    def reads(a):
        return a * g.value

    def writes(a):
        h.value = h.value * 1.0
        return a * h.value

    reading = uj.jacrev(reads, grad_states=g, argnums=0, unit_aware=True, jit=True)
    writing = uj.jacrev(writes, grad_states=h, argnums=0, unit_aware=True, jit=True)
    results = race(
        {
            "jax.jit(jax.jacrev(f)), bare arrays": lambda: bare(x, y),
            "jax.jit of the identity, quantities": lambda: handed(qx, qy),
            "unitjac.jacrev(f, jit=True)": lambda: ours(qx, qy),
            "  one argument, a dict": lambda: of_dict({"x": qx, "y": qy}),
            "  a state differentiated": lambda: reading(qx),
            "  a state differentiated and written": lambda: writing(qx),
        }
    )
    show("A second call, compiled; two inputs of 16 numbers", results)


def eager() -> None:
    """An eager call against the two other libraries; the first line is our compiled call."""
    x, y = jnp.arange(16.0) + 1, jnp.arange(16.0) + 2
    qx, qy = x * u.mV, y * u.nS
    ours = uj.jacrev(product, argnums=(0, 1), unit_aware=True)
    compiled = uj.jacrev(product, argnums=(0, 1), unit_aware=True, jit=True)
    sai = saiunit.autograd.jacrev(product, argnums=(0, 1))
    bare = jax.jacrev(product, argnums=(0, 1))
    functions = {
        "unitjac.jacrev(f, jit=True)": lambda: compiled(qx, qy),
        "unitjac.jacrev(f)": lambda: ours(qx, qy),
        "jax.jacrev(f), bare arrays": lambda: bare(x, y),
        "saiunit.autograd.jacrev(f)": lambda: sai(qx, qy),
    }
    if importlib.util.find_spec("brainstate") is not None:
        import brainstate

        brain = brainstate.transform.jacrev(product, argnums=(0, 1), unit_aware=True)
        functions["brainstate.transform.jacrev(f, unit_aware=True)"] = lambda: brain(qx, qy)
    show("An eager call; two inputs of 16 numbers", race(functions, rounds=20))


def program() -> None:
    """Flops and bytes of the compiled program, with units and without."""
    lines = []
    for name, ours, theirs in (
        ("jacrev", uj.jacrev, jax.jacrev),
        ("jacfwd", uj.jacfwd, jax.jacfwd),
    ):
        x, y = jnp.arange(64.0), jnp.arange(64.0) + 1
        f = _tanh_of_product
        bare = _cost(jax.jit(theirs(f, argnums=(0, 1))), x, y)
        with_units = _cost(
            jax.jit(ours(f, argnums=(0, 1), unit_aware=True)), x * u.mV, y * u.mV ** (-1)
        )
        lines.append((name, *(f"{v:,.0f}" for v in (*bare, *with_units))))
    header = ("", "flops, bare", "bytes, bare", "flops, units", "bytes, units")
    rows("The compiled program", header, lines)


def importing() -> None:
    """What ``import unitjac`` adds to ``import jax, brainunit``.

    After a garbage collection: one of all that JAX made takes longer than the import, and falls
    into it or not by the number of objects made before.
    """
    code = (
        "import jax, brainunit, gc, time; gc.collect(); "
        "t = time.perf_counter(); import unitjac; "
        "print(time.perf_counter() - t)"
    )
    times = sorted(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(7)
    )
    rows(
        "import unitjac, after import jax, brainunit",
        ("least", "median", "most"),
        [tuple(f"{t * 1e3:.1f} ms" for t in (times[0], times[3], times[-1]))],
    )


def _tanh_of_product(x, y):
    z = x * y
    return jnp.tanh(z.to_decimal() if isinstance(z, u.Quantity) else z)


def _cost(function, *args) -> tuple[float, float]:
    analysis = function.lower(*args).compile().cost_analysis()
    return analysis["flops"], analysis["bytes accessed"]
