"""Equations of bare arrays, solved so well that no change of units could show it.

Owns: when a solution is right, and what is done where it is not. Never touches: units, trees.

The judge is the componentwise backward error, the least omega for which x solves equations whose
entries differ from those given by no more than omega times themselves::

    omega = max_i |b - A x|_i / (|A| |x| + |b|)_i

(W. Oettli and W. Prager, Numer. Math. 6 (1964) 405). It stays what it is when a row or a column is
written in another unit. No scaling of the matrix alone makes it small for all matrices, since the
proper one depends on the right side (R. D. Skeel, J. ACM 26 (1979) 494). So equations are solved in
the plainest way, and judged. Where the solution is not right it is refined once, which is enough
for nearly all (R. D. Skeel, Math. Comp. 35 (1980) 817), and else the matrix is factorized anew, in
the scales that the solution itself tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.lax.linalg import lu as lu_factors
from jax.lax.linalg import triangular_solve

from unitjac import _typed

from ._scaling import inverse_powers, times

Solver = Callable[[Any], Any]
"""Solves roughly: from right sides of shape (n, m) to solutions."""

_MOST_FACTORIZATIONS = 8


class _Answer(NamedTuple):
    """Solutions of shape (n, m), and the backward error of each, inf where it is no number."""

    x: Any
    error: Any


class _Equations(NamedTuple):
    """Equations with one matrix of shape (n, n) and right sides of shape (n, m)."""

    matrix: Any
    right: Any

    @property
    def sizes(self) -> Any:
        """How large the entries of the matrix are."""
        return jnp.abs(self.matrix)

    @property
    def tolerance(self) -> float:
        """The backward error that rounding a residual accounts for."""
        return (len(self.matrix) + 5) * float(_typed.finfo(self.matrix.dtype).eps)

    def residual(self, x: Any) -> Any:
        """What is left of the right sides."""
        return self.right - product(self.matrix, x)

    def judged(self, x: Any) -> _Answer:
        """The solutions with their backward errors."""
        least = _typed.finfo(self.matrix.dtype)
        floor = float(least.tiny) / float(least.eps)  # a product that underflows is no error
        rest = jnp.abs(self.residual(x))
        whole = product(self.sizes, jnp.abs(x) + floor) + jnp.abs(self.right)
        omega = jnp.max(jnp.where(rest == 0, 0, rest / jnp.where(whole == 0, 1, whole)), axis=0)
        return _Answer(x, jnp.where(jnp.isfinite(omega), omega, jnp.inf))

    def refined(self, answer: _Answer, roughly: Solver) -> _Answer:
        """The better one of the answer and of what one step of refinement makes of it."""
        return _better(answer, self.judged(answer.x + roughly(self.residual(answer.x))))

    def anew(self, typical: Any) -> _Answer:
        """The answer by a factorization in the scales that typical sizes of x tell.

        The transpose is factorized, so that pivots are chosen among the columns.
        """
        up, down = self._told_by(typical)
        up, down = up[:, None], down[:, None]
        _, turned = factorized(times(times(self.matrix, up), down.T).T)
        return self.judged(times(turned(times(self.right, up)), down))

    def _told_by(self, x: Any) -> tuple[Any, Any]:
        """Rows in parts of ``|A| x`` and columns of x: an answer tells what matters."""
        sizes = self.sizes
        rows = (sizes @ x)[:, None]
        seen = jnp.where((sizes > 0) & (rows > 0), rows / jnp.where(sizes > 0, sizes, 1), jnp.inf)
        least = jnp.min(seen, axis=0)  # an x_j below eps times it matters to no row
        least = jnp.where(jnp.isfinite(least), least, 0) * float(_typed.finfo(x.dtype).eps)
        down = 1 / inverse_powers(jnp.maximum(x, least))
        return inverse_powers(sizes @ down), down


def solved(matrix: Any, right: Any) -> jax.Array:
    """The solution x of ``matrix @ x = right`` for arrays of shapes (n, n) and (n, m).

    Its derivatives are solutions of equations with the same matrix, and as right as it is.
    """
    known = jax.lax.stop_gradient(matrix)
    straight, turned = factorized(known)

    def applied(x: Any) -> Any:
        return product(matrix, x)

    def solve(_: Any, b: Any) -> Any:
        return _solved(known, b, straight)

    def solve_transposed(_: Any, b: Any) -> Any:
        return _solved(known.T, b, turned)

    return _typed.custom_linear_solve(applied, right, solve, solve_transposed)


def factorized(matrix: Any) -> tuple[Solver, Solver]:
    """How to solve equations with a matrix, and with its transpose, by one LU."""
    lu, _, order = lu_factors(matrix)

    def straight(right: Any) -> Any:
        y = right.at[order].get(mode="promise_in_bounds", unique_indices=True)
        y = triangular_solve(lu, y, left_side=True, lower=True, unit_diagonal=True)
        return triangular_solve(lu, y, left_side=True)

    def turned(right: Any) -> Any:
        y = triangular_solve(lu, right, left_side=True, transpose_a=True)
        y = triangular_solve(
            lu, y, left_side=True, lower=True, transpose_a=True, unit_diagonal=True
        )
        return jnp.zeros_like(y).at[order].set(y, mode="promise_in_bounds", unique_indices=True)

    return straight, turned


def product(left: Any, right: Any) -> Any:
    """The product in all digits: accelerators multiply in fewer where they are not told."""
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


def _solved(matrix: Any, right: Any, roughly: Solver) -> Any:
    """The solutions; what is not right at once is refined, or found in another way."""
    one = inverse_powers(jnp.max(jnp.abs(right), axis=0))[None, :]
    equations = _Equations(matrix, times(right, one))
    first = equations.judged(roughly(equations.right))

    def rescued(answer: _Answer) -> _Answer:
        return _rescued(equations, answer, roughly)

    # one condition around all of it: a loop would copy the matrix and its factors
    wrong = anywhere(jnp.any(first.error > equations.tolerance))
    return times(_typed.cond(wrong, rescued, _as_it_is, first).x, 1 / one)


def _as_it_is(answer: _Answer) -> _Answer:
    return answer


def _rescued(equations: _Equations, answer: _Answer, roughly: Solver) -> _Answer:
    """The best of some answers, each by a factorization in the scales of the one before."""

    def goes_on(state: tuple[Any, _Answer, _Answer, Any]) -> Any:
        attempt, _, (_, error), _ = state
        wrong = jnp.any(error > 2 * equations.tolerance)
        # twice without any number: the matrix is singular
        hopeful = (attempt < 2) | jnp.any(jnp.isfinite(error))
        return anywhere((attempt < _MOST_FACTORIZATIONS) & wrong & hopeful)

    def step(state: tuple[Any, _Answer, _Answer, Any]) -> tuple[Any, _Answer, _Answer, Any]:
        attempt, last, best, matrix = state
        # of several right sides the one whose answer is worst tells the scales; nothing is told by
        # the first factorization, which was wrong, nor by what is no number
        column = jnp.argmax(best.error)
        blind = (attempt == 0) | jnp.isinf(last.error[column])
        typical = jnp.where(blind, 1, jnp.abs(last.x[:, column]))
        found = equations._replace(matrix=matrix).anew(typical)
        return attempt + 1, found, _better(best, found), matrix

    refined = equations.refined(answer, roughly)
    # the matrix goes round: what a loop does not change, XLA computes before it, and here always
    state = jnp.asarray(0), refined, refined, equations.matrix
    return _typed.while_loop(goes_on, step, state)[2]


def _better(old: _Answer, new: _Answer) -> _Answer:
    return _Answer(
        jnp.where((new.error < old.error)[None, :], new.x, old.x),
        jnp.minimum(new.error, old.error),
    )


@jax.custom_batching.custom_vmap
def anywhere(condition: Any) -> Any:
    """A condition that under :func:`jax.vmap` holds where it holds for any member of the batch.

    A batched condition would make JAX run both branches, always.
    """
    return condition


@anywhere.def_vmap
def _anywhere_in_batch(size: int, batched: Any, condition: Any) -> tuple[Any, bool]:
    return anywhere(jnp.any(condition, axis=0)), False
