"""The plan of a call: what is decided before numbers flow.

Owns: :class:`Plan` and what it says. Never touches: arrays, states, derivatives, how it is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unitjac._display import Displayed, Facts, Label, Report, Table, Words
from unitjac._display import Unit as UnitColumn
from unitjac._errors import dtype_of
from unitjac._units.quantity import Unit
from unitjac._units.unit_text import unit_text

_MOST_ROWS = 40


@dataclass(frozen=True)
class Leaf:
    """One input or output: label, dtype and shape, unit as text."""

    label: str
    shape: tuple[int, ...]
    dtype: str
    unit: str


def leaf_of(label: str, magnitude: Any, unit: Unit | None) -> Leaf:
    """A leaf as plans list it."""
    return Leaf(label, np.shape(magnitude), str(dtype_of(magnitude)), unit_text(unit))


@dataclass(frozen=True)
class Block:
    """One output leaf against one input leaf."""

    output: str
    input: str
    shape: tuple[int, ...]
    unit: str


@dataclass(frozen=True)
class Plan(Displayed):
    """What a transform will do with arguments like these.

    Attributes
    ----------
    title : str
        The transform and its function.
    mode : str
        ``"fwd"`` or ``"rev"``; for second derivatives both, as in ``"fwd over rev"``.
    reason : str
        Why this mode.
    passes : int
        How many seeds are pushed forward or pulled back.
    chunk : int or None
        How many of them at once; None for all.
    memory : int
        About how many bytes the derivative and its intermediates take; 0 where it is not known.
    inputs, outputs : tuple of Leaf
        What is differentiated with respect to, and what is differentiated.
    reads, writes : tuple of str
        The states that the function reads and writes.
    blocks : tuple of Block
        The table of blocks, row by row.
    notes : tuple of str
        What else is worth knowing.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> plan = uj.jacrev(lambda x: x**2, unit_aware=True).plan(3.0 * u.mV)
    >>> plan
    <plan of jacrev of <lambda>: rev, 1 pass>
    >>> plan.blocks[0].unit
    'mV'
    """

    title: str
    mode: str
    reason: str
    passes: int
    inputs: tuple[Leaf, ...]
    outputs: tuple[Leaf, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    blocks: tuple[Block, ...]
    chunk: int | None = None
    memory: int = 0
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<plan of {self.title}: {self.mode}, {_count(self.passes, 'pass', 'passes')}>"

    def report(self) -> Report:
        """The description that all ways of showing the plan share; of the blocks the first 40."""
        return self._report(self.blocks[:_MOST_ROWS])

    def full_report(self) -> Report:
        """The same with all of the blocks."""
        return self._report(self.blocks)

    def _report(self, blocks: tuple[Block, ...]) -> Report:
        hidden = len(self.blocks) - len(blocks)
        table = Table(
            (
                Label("output", [block.output for block in blocks]),
                Label("input", [block.input for block in blocks]),
                Words("shape", [_shape(block.shape) for block in blocks]),
                UnitColumn("unit", [block.unit for block in blocks]),
            ),
            notes=[f"and {_count(hidden, 'block')} more"] if hidden else [],
        )
        return Report(self.title, [Facts(list(self._facts())), *([table] if blocks else [])])

    def _facts(self) -> Iterator[tuple[str, str]]:
        name = self.mode.replace("fwd", "forward").replace("rev", "reverse")
        yield "mode", f"{name} ({self.reason}), {_count(self.passes, 'pass', 'passes')}"
        if self.chunk is not None:
            count = math.ceil(self.passes / self.chunk)
            yield "chunks", f"{_count(count, 'chunk')} of {self.chunk:,}"
        if self.memory:
            yield "memory", f"about {_bytes(self.memory)}"
        yield "inputs", _sizes(self.inputs)
        yield "outputs", _sizes(self.outputs)
        yield "reads", ", ".join(self.reads) or "no state"
        yield "writes", ", ".join(self.writes) or "no state"
        yield from (("note", note) for note in self.notes)


def _sizes(leaves: Sequence[Leaf]) -> str:
    total = sum(math.prod(leaf.shape) for leaf in leaves)
    return f"{_count(total, 'number')} in {_count(len(leaves), 'leaf', 'leaves')}"


def _shape(shape: Sequence[int]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def _bytes(size: int) -> str:
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= step:
            return f"{size / step:.3g} {unit}"
    return f"{size} bytes"


def _count(n: int, one: str, many: str | None = None) -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"
