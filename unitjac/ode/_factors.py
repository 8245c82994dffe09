"""The systems that the stages of a Rosenbrock method solve, each by what is known of it.

Owns: three ways to factorize ``shift - J`` where J is the Jacobian of a right-hand side, and the
choice between them. Never touches: the method.
"""

# pyright: basic

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg as dense_linalg

Vector = Any
Solve = Callable[[Vector], Vector]


class Factors(ABC):
    """A way to solve with ``shift - J``."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What it is, in words."""

    @property
    def key(self) -> Hashable:
        """What tells it from others."""
        return self.text

    @abstractmethod
    def factorized(self, slope: Solve, y: Vector, shift: Any, scale: Vector) -> Solve:
        """What solves with ``shift - J``, where J is that of ``slope`` at y.

        ``scale`` is the typical size of each number of y, for whom a pivot is chosen by size.
        """


def or_nan(entries: Any) -> Any:
    """The entries, nan for inf: a pivot of inf would solve to zero, and pass for a solution."""
    return jnp.where(jnp.isfinite(entries), entries, jnp.nan)


@dataclass(frozen=True)
class Unrolled(Factors):
    """Elimination of a few unknowns without a loop, which the compiler fuses with all around it.

    There are no pivots to choose: a step that is small enough has the shift on the diagonal, and
    one that is too large is rejected.
    """

    @property
    def text(self) -> str:
        """What it is."""
        return "elimination without a loop"

    def factorized(self, slope: Solve, y: Vector, shift: Any, scale: Vector) -> Solve:
        """As in :class:`Factors`."""
        n = y.shape[0]
        matrix = or_nan(shift * jnp.eye(n, dtype=y.dtype) - jax.jacfwd(slope)(y))
        rows = [[matrix[i, j] for j in range(n)] for i in range(n)]
        factors: dict[tuple[int, int], Any] = {}
        for k in range(n):
            for i in range(k + 1, n):
                m = factors[i, k] = rows[i][k] / rows[k][k]
                rows[i] = [a - m * b for a, b in zip(rows[i], rows[k], strict=True)]

        def solve(right: Vector) -> Vector:
            x = [right[i] for i in range(n)]
            for (i, k), m in factors.items():
                x[i] = x[i] - m * x[k]
            for k in reversed(range(n)):
                for j in range(k + 1, n):
                    x[k] = x[k] - rows[k][j] * x[j]
                x[k] = x[k] / rows[k][k]
            return jnp.stack(x)

        return solve


@dataclass(frozen=True)
class Dense(Factors):
    """LU factorization with pivots, chosen in scales that do not depend on units."""

    @property
    def text(self) -> str:
        """What it is."""
        return "dense LU"

    def factorized(self, slope: Solve, y: Vector, shift: Any, scale: Vector) -> Solve:
        """As in :class:`Factors`."""
        # powers of two: scaling rounds nothing
        size = jnp.exp2(jnp.round(jnp.log2(scale)))
        matrix = or_nan(shift * jnp.eye(y.shape[0], dtype=y.dtype) - jax.jacfwd(slope)(y))
        factors = dense_linalg.lu_factor(matrix * size / size[:, None])

        def solve(right: Vector) -> Vector:
            return dense_linalg.lu_solve(factors, right / size) * size

        return solve
