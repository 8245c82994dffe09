"""Sparse Jacobians: one seed for each colour, and each entry picked from what comes back.

Owns: :class:`Compression` (made once, from a pattern), the sweep over its seeds, the pick.
Never touches: units, states, trees of the user.

A pattern is coloured block by block, one output leaf against one input leaf: a block that is
diagonal takes one seed however wide the band of its neighbour is, and a dense row can be pulled
while the rest is pushed. The seeds of a leaf pass through nothing but what depends on that leaf.
Small leaves that lie next to each other count as one, so that many parameters are few blocks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._errors import array_text, common_dtype, dtype_of
from unitjac._typed import Linear

from . import direction
from .colouring import colour, fewest
from .dense import Modes, Pure
from .dtypes import Mode, is_complex
from .pattern import Block, Pattern, split
from .seeds import cut, filled, gathered, joined, placed_like, sizes
from .sweep import ChunkSize, in_chunks

# Leaves of fewer numbers are joined to their neighbours.
_SMALL = 64
# With more blocks than this, compiling a sweep for each costs more than it saves.
_MOST_BLOCKS = 128
# Seeds swept at once under "auto": a seed of a sparse Jacobian is as long as its leaf.
_CHUNK = 64
# Images of up to so many seeds are joined row by row.
_FEW = 16
# What an int32 can count: the numbers that the seeds bring back.
_MOST_NUMBERS = 2**31 - 1


@dataclass(frozen=True)
class Seeding:
    """The seeds of one part, in so many colours, and the parts that are read of their images.

    Forward, a part of the inputs is seeded, and parts of the outputs are read; in reverse mode
    the other way round.
    """

    mode: Mode
    part: int
    count: int
    reads: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Compression:
    """How the Jacobian of a pattern is found: which seeds, and where each entry comes back.

    Attributes
    ----------
    pattern : Pattern
        The entries, row by row.
    inputs, outputs : list of range
        The parts: which leaves belong to each.
    seedings : list of Seeding
        What is swept.
    colours : list of int32 array
        For each seeding the colour of each number of its part.
    picks : int32 array of shape (nse,)
        Where each entry stands among all the numbers that the seeds bring back.
    is_choice : bool
        Whether modes were chosen by the numbers of colours.
    """

    pattern: Pattern
    inputs: list[range]
    outputs: list[range]
    seedings: list[Seeding]
    colours: list[np.ndarray]
    picks: np.ndarray
    is_choice: bool

    @property
    def passes(self) -> int:
        """How many seeds there are."""
        return sum(seeding.count for seeding in self.seedings)

    @property
    def modes(self) -> list[Mode]:
        """The modes that are used, forward first."""
        return sorted({seeding.mode for seeding in self.seedings})

    @property
    def tables(self) -> tuple[np.ndarray, ...]:
        """The arrays that a sweep needs: to be handed over, so that no program contains them."""
        return (*self.colours, self.picks)


def compress(
    pattern: Pattern, inputs: Sequence[Any], outputs: Sequence[Any], mode: Modes
) -> Compression:
    """The compression of a pattern, for leaves of these shapes and dtypes.

    Parameters
    ----------
    pattern : Pattern
        Of shape (M, N).
    inputs, outputs : sequence of array
        The leaves, of N and of M numbers in all.
    mode : {"auto", "fwd", "rev"}
        ``"auto"`` takes for each block the mode with fewer colours; forward where they are equal.

    Raises
    ------
    ValueError
        If the seeds bring back more numbers than an int32 can count.
    """
    is_choice = mode == "auto"
    mode = _only_mode(inputs, outputs) if is_choice else mode
    in_parts, out_parts, blocks = _cut(pattern, sizes(inputs), sizes(outputs))
    found: dict[Any, tuple[np.ndarray, int, list[Block]]] = {}
    for block in blocks:
        chosen, colours, count = _coloured(block, mode)
        key = chosen, block.col if chosen == "fwd" else block.row, colours.tobytes()
        found.setdefault(key, (colours, count, []))[2].append(block)
    seedings: list[Seeding] = []
    tables: list[np.ndarray] = []
    picks, start = np.empty(pattern.nse, np.int64), 0
    for (chosen, part, _), (colours, count, mine) in found.items():
        forward = chosen == "fwd"
        for block in mine:
            seeded, read = (block.cols, block.rows) if forward else (block.rows, block.cols)
            size = block.shape[0 if forward else 1]
            picks[block.entries] = start + colours[seeded].astype(np.int64) * size + read
            start += count * size
        reads = tuple(block.row if forward else block.col for block in mine)
        seedings.append(Seeding(chosen, part, count, reads))
        tables.append(colours)
    if start > _MOST_NUMBERS:
        raise ValueError(
            f"the seeds of this pattern bring back {start:,} numbers, more than an int32 can "
            "count. Differentiate fewer outputs or inputs at once."
        )
    return Compression(
        pattern, in_parts, out_parts, seedings, tables, picks.astype(np.int32), is_choice
    )


def entries(
    fun: Pure,
    leaves: list[Any],
    compression: Compression,
    tables: Sequence[Any],
    chunk_size: ChunkSize = None,
) -> tuple[Any, list[Any], Any]:
    """The entries of the Jacobian of ``fun``, in the order of the pattern.

    Parameters
    ----------
    fun : callable
        From leaves to ``(outputs, carried)``. It is called once.
    leaves : list of array
        Where.
    compression : Compression
        Of leaves and outputs of these shapes.
    tables : sequence of array
        ``compression.tables``, as they are or traced.
    chunk_size : int, "auto" or None
        How many of the seeds of a part are swept at once.

    Returns
    -------
    array of shape (nse,), list of array, pytree
        The entries in the common dtype of what is read, the outputs, and what was carried along.
    """
    *colours, picks = tables
    if not compression.seedings:
        outputs, carried = fun(leaves)
        return jnp.zeros(0, common_dtype(outputs or leaves)), outputs, carried
    outputs, maps, carried = linear_maps(fun, leaves, compression.modes)
    numbers: list[Any] = []
    for seeding, colour_of in zip(compression.seedings, colours, strict=True):
        apply = maps[seeding.mode]
        try:
            numbers += _images(seeding, colour_of, apply, compression, leaves, outputs, chunk_size)
        except Exception as error:
            if compression.is_choice:  # custom_vjp knows no forward mode, while_loop no reverse one
                error.add_note(
                    f"{seeding.mode!r} was chosen by the numbers of colours; another mode may work "
                    "here: see the parameter mode."
                )
            raise
    read = [*(outputs if "fwd" in maps else []), *(leaves if "rev" in maps else [])]
    dtype = common_dtype(read)
    flat = jnp.concatenate([number.astype(dtype) for number in numbers])
    return flat.at[picks].get(mode="promise_in_bounds", unique_indices=True), outputs, carried


def gradient_of(fun: Pure) -> Pure:
    """The gradient of a function with one scalar output, as a function of the same leaves.

    It carries along ``(outputs, carried)`` of the function.

    Raises
    ------
    TypeError
        If there is another output than one scalar.
    """

    def gradient(leaves: list[Any]) -> tuple[list[Any], Any]:
        outputs, pull, carried = direction.vjp(fun, leaves, has_aux=True)
        if len(outputs) != 1 or np.shape(outputs[0]) != ():
            came = ", ".join(map(array_text, outputs)) or "none"
            raise TypeError(
                f"a sparse Hessian wants one scalar output, got {came}. Sum what is to be "
                "differentiated, or take unitjac.sparse_jacobian of the gradient."
            )
        return pull([filled(1, outputs[0])])[0], (outputs, carried)

    return gradient


def _only_mode(inputs: Sequence[Any], outputs: Sequence[Any]) -> Modes:
    """The one mode that is defined for complex leaves on one side."""
    complex_in, complex_out = any(map(is_complex, inputs)), any(map(is_complex, outputs))
    if complex_in == complex_out:
        return "auto"
    return "rev" if complex_in else "fwd"


def _cut(
    pattern: Pattern, in_sizes: list[int], out_sizes: list[int]
) -> tuple[list[range], list[range], list[Block]]:
    """The parts of inputs and outputs, and the blocks of the pattern that have entries."""
    in_parts, out_parts = _parts(in_sizes), _parts(out_sizes)
    blocks = split(pattern, _part_sizes(out_parts, out_sizes), _part_sizes(in_parts, in_sizes))
    if len(blocks) > _MOST_BLOCKS:
        in_parts, out_parts = [range(len(in_sizes))], [range(len(out_sizes))]
        blocks = split(pattern, [sum(out_sizes)], [sum(in_sizes)])
    return in_parts, out_parts, blocks


def _parts(leaf_sizes: list[int]) -> list[range]:
    """Each leaf for itself; small neighbours together."""
    bounds = [
        k
        for k in range(1, len(leaf_sizes))
        if leaf_sizes[k - 1] >= _SMALL or leaf_sizes[k] >= _SMALL
    ]
    return [range(a, b) for a, b in itertools.pairwise([0, *bounds, len(leaf_sizes)])]


def _part_sizes(parts: list[range], leaf_sizes: list[int]) -> list[int]:
    return [sum(leaf_sizes[k] for k in part) for part in parts]


def _coloured(block: Block, mode: Modes) -> tuple[Mode, np.ndarray, int]:
    """The mode of a block, and the colours of its columns, or of its rows in reverse mode."""
    sides: list[tuple[Mode, Any]] = [
        ("fwd", (block.rows, block.cols, block.shape[1])),
        ("rev", (block.cols, block.rows, block.shape[0])),
    ]
    if mode != "auto":
        sides = [side for side in sides if side[0] == mode]
    # the side that may need fewer colours first: often the other need not be tried
    sides.sort(key=lambda side: fewest(side[1][0]))
    best: tuple[Mode, np.ndarray, int] | None = None
    for chosen, side in sides:
        if best is None or fewest(side[0]) < best[2]:
            colours, count = colour(*side)
            if best is None or count < best[2]:
                best = chosen, colours, count
    assert best is not None
    return best


def linear_maps(
    fun: Pure, leaves: list[Any], modes: list[Mode]
) -> tuple[list[Any], dict[Mode, Linear], Any]:
    """The outputs, the pushes and pulls that are needed, and what was carried along."""
    if modes == ["rev"]:
        outputs, pull, carried = direction.vjp(fun, leaves, has_aux=True)
        return outputs, {"rev": lambda cotangents: pull(cotangents)[0]}, carried
    outputs, push, carried = direction.linearize(fun, leaves, has_aux=True)
    maps: dict[Mode, Linear] = {"fwd": push}
    if "rev" in modes:
        transpose = _typed.linear_transpose(push, leaves)
        maps["rev"] = lambda cotangents: transpose(cotangents)[0]
    return outputs, maps, carried


def _images(
    seeding: Seeding,
    colours: Any,
    apply: Linear,
    compression: Compression,
    leaves: list[Any],
    outputs: list[Any],
    chunk_size: ChunkSize,
) -> Iterator[Any]:
    """The images of all seeds, one part that is read after the other, colour by colour."""
    forward = seeding.mode == "fwd"
    seeded, read = (leaves, outputs) if forward else (outputs, leaves)
    seed_parts, read_parts = (
        (compression.inputs, compression.outputs)
        if forward
        else (compression.outputs, compression.inputs)
    )
    part = seed_parts[seeding.part]
    mine = [seeded[k] for k in part]
    colour_of = cut(colours, mine, 0)
    restricted = _restricted(apply, seeded, part)
    wanted = [k for p in seeding.reads for k in read_parts[p]]

    def image(colour: Any) -> list[Any]:
        seeds = [
            placed_like((own == colour).astype(dtype_of(leaf)), leaf)
            for own, leaf in zip(colour_of, mine, strict=True)
        ]
        images = restricted(seeds)
        return [images[k] for k in wanted]

    stacks = iter(_swept(image, seeding.count, chunk_size))
    for p in seeding.reads:
        own = [
            gathered(next(stacks)).reshape(seeding.count, math.prod(np.shape(read[k])))
            for k in read_parts[p]
        ]
        stack = own[0] if len(own) == 1 else joined(own, axis=1)
        # joined row by row, they are copied; as one long row, they are computed once more
        yield from stack if seeding.count <= _FEW else [stack.reshape(-1)]


def _restricted(apply: Linear, leaves: list[Any], part: range) -> Linear:
    """``apply`` on the leaves of one part, where all others are zero.

    Linearized once more: what only zeros would pass through is left out.
    """
    if len(part) == len(leaves):
        return apply
    zeros = [filled(0, leaf) for leaf in leaves]

    def of_part(some: list[Any]) -> list[Any]:
        return apply([*zeros[: part.start], *some, *zeros[part.stop :]])

    return _typed.linearize(of_part, zeros[part.start : part.stop])[1]


def _swept(image: Callable[[Any], list[Any]], count: int, chunk_size: ChunkSize) -> list[Any]:
    chunk = _CHUNK if chunk_size == "auto" else chunk_size
    swept, seeds = jax.vmap(image), jnp.arange(count, dtype=np.int32)  # as colours are
    return swept(seeds) if chunk is None or chunk >= count else in_chunks(swept, seeds, chunk)
