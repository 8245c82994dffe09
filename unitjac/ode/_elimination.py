"""Elimination along a pattern, many unknowns at once.

Owns: the order in which unknowns are eliminated, found once from a pattern, and the arithmetic.
Never touches: how a pattern is found.

In each round unknowns that do not touch each other are eliminated, those with few neighbours first
(the multiple elimination of J. W. H. Liu, "Modification of the minimum-degree algorithm by multiple
elimination", ACM Trans. Math. Softw. 11 (1985) 141). On a branched cable the gates of all
compartments go in one round, and then half of the voltages that are left in each: what is cyclic
reduction on an unbranched one.
"""

# pyright: basic

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._engine.colouring import colour
from unitjac._engine.pattern import Pattern

from ._factors import Factors, Solve, Vector, or_nan


class _Round(NamedTuple):
    """Numbers of entries, in the order of the store.

    Attributes
    ----------
    pivots, pivot_entries
        The unknowns that go, and where their diagonal entries are.
    lower, lower_rows, lower_pivots
        Entries below pivots, their rows, and the numbers of the pivots within the round.
    upper, upper_cols, upper_pivots
        Entries beside pivots.
    targets, factors, others
        Where a product goes, and of which entry below and beside a pivot it is.
    """

    pivots: np.ndarray
    pivot_entries: np.ndarray
    lower: np.ndarray
    lower_rows: np.ndarray
    lower_pivots: np.ndarray
    upper: np.ndarray
    upper_cols: np.ndarray
    upper_pivots: np.ndarray
    targets: np.ndarray
    factors: np.ndarray
    others: np.ndarray


@dataclass(frozen=True, eq=False)
class Elimination(Factors):
    """The order of an elimination, and what it is done with."""

    pattern: Pattern

    @property
    def text(self) -> str:
        """What it is."""
        return f"elimination along {len(self.pattern.rows)} entries in {len(self._rounds)} rounds"

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from others."""
        return self.pattern.shape, self.pattern.rows.tobytes(), self.pattern.cols.tobytes()

    @property
    def rounds(self) -> int:
        """How many rounds there are."""
        return len(self._rounds)

    @property
    def fill(self) -> float:
        """How many entries there are in the end, for each of the pattern."""
        return len(self._places) / max(len(self.pattern.rows), 1)

    @cached_property
    def _plan(self) -> tuple[list[_Round], dict[tuple[int, int], int]]:
        return _plan(self.pattern)

    @property
    def _rounds(self) -> list[_Round]:
        return self._plan[0]

    @property
    def _places(self) -> dict[tuple[int, int], int]:
        return self._plan[1]

    @cached_property
    def _colours(self) -> tuple[np.ndarray, int]:
        return colour(self.pattern.rows, self.pattern.cols, self.pattern.shape[1])

    def factorized(self, slope: Solve, y: Vector, shift: Any, scale: Vector) -> Solve:
        """As in :class:`~unitjac.ode._factors.Factors`."""
        values = self._matrix(slope, y, shift)
        multipliers: list[Any] = []
        for r in self._rounds:
            below = values[r.lower] / values[r.pivot_entries][r.lower_pivots]
            multipliers.append(below)
            values = values.at[r.targets].add(-below[r.factors] * values[r.others])

        def solve(right: Vector) -> Vector:
            x = right
            for r, below in zip(self._rounds, multipliers, strict=True):
                x = x.at[r.lower_rows].add(-below * x[r.pivots][r.lower_pivots])
            for r in reversed(self._rounds):
                sums = jnp.zeros(len(r.pivots), x.dtype)
                sums = sums.at[r.upper_pivots].add(values[r.upper] * x[r.upper_cols])
                solved = (x[r.pivots] - sums) / values[r.pivot_entries]
                x = x.at[r.pivots].set(solved, unique_indices=True)  # else it has no transpose
            return x

        return solve

    def _matrix(self, slope: Solve, y: Vector, shift: Any) -> Any:
        """The entries of ``shift - J``, with zeros for those that come to be."""
        colours, count = self._colours
        rows, cols = self.pattern.rows, self.pattern.cols
        seeds = jnp.asarray(colours[None] == np.arange(count)[:, None], y.dtype)
        images = jax.vmap(lambda seed: jax.jvp(slope, (y,), (seed,))[1])(seeds)
        entries = [self._places[i, j] for i, j in zip(rows.tolist(), cols.tolist(), strict=True)]
        diagonal = [self._places[k, k] for k in range(y.shape[0])]
        values = jnp.zeros(len(self._places), y.dtype).at[np.array(diagonal)].set(shift)
        return or_nan(values.at[np.array(entries, int)].add(-images[colours[cols], rows]))


def _plan(pattern: Pattern) -> tuple[list[_Round], dict[tuple[int, int], int]]:
    n = pattern.shape[0]
    neighbours: list[set[int]] = [set() for _ in range(n)]
    places = {(k, k): k for k in range(n)}
    for i, j in zip(pattern.rows.tolist(), pattern.cols.tolist(), strict=True):
        if i != j:
            neighbours[i].add(j)
            neighbours[j].add(i)
            for place in ((i, j), (j, i)):
                places.setdefault(place, len(places))
    left, rounds = set(range(n)), list[_Round]()
    while left:
        chosen = _independent(left, neighbours)
        rounds.append(_round(chosen, neighbours, places))
        for k in chosen:
            for i in neighbours[k]:
                neighbours[i] |= neighbours[k]
                neighbours[i] -= {i, k}
        left -= set(chosen)
    return rounds, places


def _independent(left: set[int], neighbours: list[set[int]]) -> list[int]:
    """Unknowns with few neighbours, none of which touches another one."""
    order = sorted(left, key=lambda k: (len(neighbours[k]), k))
    most = 2 * max(len(neighbours[order[0]]), 1)
    chosen, touched = list[int](), set[int]()
    for k in order:
        if len(neighbours[k]) > most:
            break
        if k not in touched:
            chosen.append(k)
            touched |= neighbours[k]
    return chosen


def _round(
    chosen: list[int], neighbours: list[set[int]], places: dict[tuple[int, int], int]
) -> _Round:
    lower, upper, products = list[Any](), list[Any](), list[Any]()
    for number, k in enumerate(chosen):
        beside = sorted(neighbours[k])
        first = len(lower)
        for i in beside:
            lower.append((places[i, k], i, number))
            upper.append((places[k, i], i, number))
        for a, i in enumerate(beside):
            for j in beside:
                target = places.setdefault((i, j), len(places))
                products.append((target, first + a, places[k, j]))
    columns = [np.array(part, int).reshape(-1, 3).T for part in (lower, upper, products)]
    pivots = np.array(chosen, int)
    return _Round(pivots, pivots, *columns[0], *columns[1], *columns[2])
