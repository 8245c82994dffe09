"""Patterns found by nans: what they reach when they are pushed forward or pulled back.

Owns: the two ways through a derivative, the choice between them, and what is said of it. Never
touches: how a program is joined or compiled, the search itself, units, states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from . import direction
from .halving import DIRECT, Search
from .pattern import Pattern
from .pushes import CHUNK, Pushes
from .seeds import sizes

Way = Literal["push", "pull"]


class NotFound(NotImplementedError):
    """A function has a derivative that can neither be pushed nor pulled for all points."""


@dataclass(frozen=True)
class Found:
    """A pattern, and how it was found, in words."""

    pattern: Pattern
    notes: tuple[str, ...] = ()


def find(
    function: Callable[[list[Any], Any], list[Any]],
    leaves: list[Any],
    rest: Any,
    images: list[Any],
) -> Found:
    """The pattern of the derivative of a function, for all values of its arguments.

    Parameters
    ----------
    function : callable
        Of ``(leaves, rest)``; it gives a list of arrays.
    leaves : list of ShapeDtypeStruct
        What is differentiated.
    rest : pytree of ShapeDtypeStruct
        The other arguments.
    images : list of ShapeDtypeStruct
        What comes out.

    Raises
    ------
    NotFound
        If the derivative can neither be pushed nor pulled.
    """
    shape = m, n = sum(sizes(images)), sum(sizes(leaves))
    if not all(shape):
        return Found(Pattern.at([], [], shape))
    ways = _Ways(function, leaves, rest, images)
    first: Way = "pull" if m < n // 8 or m < min(n, DIRECT + 1) else "push"
    kind, pushes = ways.first(first, min(n, m))
    rows, cols = Search(pushes, ways.back(kind)).run()
    if kind == "pull":
        rows, cols = cols, rows
    return Found(Pattern.at(rows, cols, shape), tuple(ways.notes()))


class _Ways:
    """The pushes and the pulls of one derivative, each made where it is wanted."""

    def __init__(
        self,
        function: Callable[[list[Any], Any], list[Any]],
        leaves: list[Any],
        rest: Any,
        images: list[Any],
    ):
        self.function, self.leaves, self.rest, self.images = function, leaves, rest, images
        self.made: dict[Way, Pushes] = {}
        self.refused: dict[Way, Exception] = {}
        self.dense_rows = 0

    def first(self, kind: Way, smaller: int) -> tuple[Way, Pushes]:
        """The way that was chosen, or the other one where JAX has no rules for it."""
        other: Way = "pull" if kind == "push" else "push"
        for way in (kind, other):
            pushes = self.make(way, DIRECT if smaller <= DIRECT else None)
            if pushes is not None:
                return way, pushes
        error = self.refused[kind]
        raise NotFound(f"{type(error).__name__}: {error}") from error

    def back(self, kind: Way) -> Callable[[int], Pushes | None]:
        """What makes the other way for so many seeds, or gives None."""
        other: Way = "pull" if kind == "push" else "push"

        def make(count: int) -> Pushes | None:
            pushes = self.make(other, min(count, CHUNK))
            self.dense_rows = 0 if pushes else count
            return pushes

        return make

    def make(self, kind: Way, most: int | None) -> Pushes | None:
        """The pushes or the pulls, unless JAX has no rules for them."""
        apply, ins = (self._push, self.leaves) if kind == "push" else (self._pull, self.images)
        try:
            self.made[kind] = Pushes(apply, ins, (self.leaves, self.rest), most)
        except (TypeError, ValueError, NotImplementedError) as error:
            self.refused[kind] = error
        return self.made.get(kind)

    def notes(self) -> Iterator[str]:
        """How the pattern was found."""
        counts = {"push": "pushes", "pull": "pulls"}
        work = [
            f"{pushes.count:,} {kind if pushes.count == 1 else counts[kind]}"
            for kind, pushes in self.made.items()
        ]
        yield f"pattern: found for all values by {' and '.join(work)}"
        joined = [pushes.joined for pushes in self.made.values()]
        choices = {name: None for one in joined for name in one.choices}
        dense = {name: None for one in joined for name in one.taken_dense}
        if choices:
            yield f"joined, since the input chooses there: {', '.join(choices)}"
        if dense:
            yield f"taken as dense, since not known: {', '.join(dense)}"
        if self.dense_rows:
            yield f"taken as dense, since they cannot be pulled: {self.dense_rows:,} full rows"

    def _push(self, tangents: list[Any], point: tuple[list[Any], Any]) -> list[Any]:
        leaves, rest = point

        def at_rest(inner: list[Any]) -> list[Any]:
            return self.function(inner, rest)

        return direction.jvp(at_rest, (leaves,), (tangents,))[1]

    def _pull(self, cotangents: list[Any], point: tuple[list[Any], Any]) -> list[Any]:
        leaves, rest = point

        def at_rest(inner: list[Any]) -> list[Any]:
            return self.function(inner, rest)

        return direction.vjp(at_rest, leaves)[1](cotangents)[0]
