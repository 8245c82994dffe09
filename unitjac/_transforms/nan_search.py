"""What a search for a number that is not finite needs.

Owns: these two records. Never touches: the search itself, which is imported where one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from unitjac._units.quantity import Unit


class Part(NamedTuple):
    """One array that goes in or comes out: what messages call it, its magnitude and unit.

    Where its numbers are of many blocks, ``name`` is what messages call the one at an index.
    """

    label: str
    magnitude: Any
    unit: Unit | None
    name: Callable[[tuple[int, ...]], str] | None = None


Parts = Callable[[list[Any]], list[Part]]
"""A pure function of the magnitudes that go in."""


@dataclass(frozen=True)
class Search:
    """What a search needs: a call that gave a number that is not finite.

    Attributes
    ----------
    title : str
        The transform and its function.
    inputs : list of Part
        What goes in.
    value, derivative : callable
        From the magnitudes of the inputs to the outputs of the function, and to what the
        transform makes of it.
    fixed : callable
        What goes in beside the inputs: other arguments, and states that the function reads. To be
        called once it has been traced.
    """

    title: str
    inputs: list[Part]
    value: Parts
    derivative: Parts
    fixed: Callable[[], Sequence[Part]]
