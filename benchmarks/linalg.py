"""Equations with units against the same calls of `jax.numpy` and lineax on bare arrays.

All compiled, with the inputs as arguments of the compiled function. Half of the columns (and rows
of square matrices) are in mV, the other half in pA, so that scales have to be found.
"""

from __future__ import annotations

import functools

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from unitjac.linalg import UnitMatrix, inv, lstsq, solve

from .race import race
from .report import show

SIZES = (10, 100, 1_000)
DTYPES = ("float32", "float64")


def run() -> None:
    for dtype in DTYPES:
        with jax.enable_x64(dtype == "float64"):
            for n in SIZES:
                equations(n, dtype)
                least_squares(2 * n, n, dtype)


def equations(n: int, dtype: str) -> None:
    """``solve`` and ``inv`` of a square matrix."""
    a, b = _numbers((n, n), dtype) + n**0.5 * np.eye(n, dtype=dtype), _numbers((n,), dtype)
    matrix, right = UnitMatrix(jnp.asarray(a), _halves(n, dtype), _halves(n, dtype)), b
    tree = matrix.rows.to_tree(jnp.asarray(right))
    _race(
        f"solve, {n:,} x {n:,}, {dtype}",
        {
            "jnp.linalg.solve": (jnp.linalg.solve, (jnp.asarray(a), jnp.asarray(b))),
            "lineax, LU": (_lineax("LU"), (jnp.asarray(a), jnp.asarray(b))),
            "unitjac.linalg.solve": (solve, (matrix, tree)),
        },
    )
    _race(
        f"inv, {n:,} x {n:,}, {dtype}",
        {
            "jnp.linalg.inv": (jnp.linalg.inv, (jnp.asarray(a),)),
            "unitjac.linalg.inv": (inv, (matrix,)),
        },
    )


def least_squares(m: int, n: int, dtype: str) -> None:
    """``lstsq`` of a tall matrix."""
    a, b = jnp.asarray(_numbers((m, n), dtype)), jnp.asarray(_numbers((m,), dtype))
    rows = jnp.zeros(m, dtype) * u.mV
    matrix = UnitMatrix(a, rows, _halves(n, dtype))
    full_rank = functools.partial(lstsq, assume_full_rank=True)
    _race(
        f"lstsq, {m:,} x {n:,}, {dtype}",
        {
            "jnp.linalg.lstsq": (lambda a, b: jnp.linalg.lstsq(a, b)[0], (a, b)),
            "lineax, SVD": (_lineax("SVD"), (a, b)),
            "lineax, QR": (_lineax("QR"), (a, b)),
            "unitjac.linalg.lstsq": (lstsq, (matrix, b * u.mV)),
            "unitjac, assume_full_rank": (full_rank, (matrix, b * u.mV)),
        },
    )


def _race(title: str, programs: dict) -> None:
    functions = {
        name: functools.partial(jax.jit(fun), *args)
        for name, (fun, args) in programs.items()
        if fun is not None
    }
    show(title, race(functions, rounds=20, budget=0.05))


def _lineax(solver: str):
    try:
        import lineax
    except ImportError:
        return None

    def solution(a, b):
        operator = lineax.MatrixLinearOperator(a)
        return lineax.linear_solve(operator, b, getattr(lineax, solver)()).value

    return solution


def _halves(n: int, dtype: str) -> dict:
    return {"V": jnp.zeros(n // 2, dtype) * u.mV, "I": jnp.zeros(n - n // 2, dtype) * u.pA}


def _numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)
