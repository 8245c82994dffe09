"""The plan of a call: what is decided before numbers flow.

Owns: :class:`Plan` and how it is written as text. Never touches: arrays, states, derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
class Plan:
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

    def __str__(self) -> str:
        name = self.mode.replace("fwd", "forward").replace("rev", "reverse")
        head = [
            self.title,
            f"  mode     {name} ({self.reason}), {_count(self.passes, 'pass', 'passes')}",
            *self._size_lines(),
            f"  inputs   {_sizes(self.inputs)}",
            f"  outputs  {_sizes(self.outputs)}",
            f"  reads    {', '.join(self.reads) or 'no state'}",
            f"  writes   {', '.join(self.writes) or 'no state'}",
            *(f"  note     {note}" for note in self.notes),
        ]
        rows = [(b.output, b.input, _shape(b.shape), b.unit) for b in self.blocks[:_MOST_ROWS]]
        table = _table([("output", "input", "shape", "unit"), *rows]) if rows else []
        hidden = len(self.blocks) - len(rows)
        more = [f"  ... and {_count(hidden, 'block')} more"] if hidden else []
        return "\n".join([*head, *table, *more])

    def _size_lines(self) -> list[str]:
        lines: list[str] = []
        if self.chunk is not None:
            count = math.ceil(self.passes / self.chunk)
            lines.append(f"  chunks   {_count(count, 'chunk')} of {self.chunk:,}")
        if self.memory:
            lines.append(f"  memory   about {_bytes(self.memory)}")
        return lines


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    rule = "  ".join("-" * w for w in widths)
    return ["  " + line.rstrip() for line in (lines[0], rule, *lines[1:])]


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
