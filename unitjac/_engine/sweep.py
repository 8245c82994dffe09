"""How the seeds are swept: all at once, or in chunks.

Owns: :class:`Sweep`, the choice of the chunk, the loop over chunks. Never touches: the function
itself, units, states.

A linear map is applied to every vector of the standard basis of some leaves. All at once, the
whole basis and every intermediate of every row are held; in chunks, those of one chunk, and
its seeds are made on the fly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from unitjac import _typed
from unitjac._errors import abstract, as_int
from unitjac._typed import Linear

from .progress import Progress
from .seeds import basis, is_symbolic, one_hot, sizes
from .sharded import check_mesh, check_unspread, sharded_blocks

ChunkSize = int | Literal["auto"] | None

# Measured in benchmarks/big.py: below this, one sweep over the whole basis is the fastest.
_WHOLE_ROWS = 128
_WHOLE_BYTES = 64 * 2**20
# What the rows of one chunk should take; a chunk has at least 64 and at most 1,024 rows.
_CHUNK_BYTES = 16 * 2**20
_CHUNK_ROWS = (64, 1024)


@dataclass(frozen=True)
class Sweep:
    """How the seeds of one Jacobian are swept.

    Attributes
    ----------
    chunk_size : int, "auto" or None
        How many seeds at once; None for all, ``"auto"`` for a choice by the memory of one row.
    progress : bool
        Whether a bar moves with the chunks.
    mesh : jax.sharding.Mesh, optional
        The devices that the seeds are spread over.
    axis : str, optional
        The axis of the mesh along which they are.
    """

    chunk_size: ChunkSize = None
    progress: bool = False
    mesh: Mesh | None = None
    axis: str | None = None

    @classmethod
    def of(cls, chunk_size: Any, progress: Any, mesh: Any, axis: Any) -> Sweep:
        """A sweep from what the user gave.

        Raises
        ------
        TypeError, ValueError
            If one of them is not what it must be.
        """
        return cls(check_chunk_size(chunk_size), bool(progress), mesh, check_mesh(mesh, axis))

    def is_whole(self, leaves: Sequence[Any]) -> bool:
        """Whether all seeds are swept at once, on one device, without a look at the program."""
        if self.mesh is not None:
            return False
        if is_symbolic(leaves):  # how many chunks there are is not known
            return True
        rows = sum(sizes(leaves))
        if self.chunk_size == "auto":
            return rows <= _WHOLE_ROWS
        if self.chunk_size == 1:  # one by one, even where there is but one: without vmap
            return False
        return self.chunk_size is None or self.chunk_size >= rows

    def chunk(self, apply: Linear, leaves: Sequence[Any]) -> int | None:
        """The number of seeds in a chunk, or None for all at once."""
        if self.is_whole(leaves) or self.chunk_size is None:
            return None
        if self.chunk_size != "auto":
            return self.chunk_size
        rows, each = sum(sizes(leaves)), row_bytes(apply, leaves)
        if rows * each <= _WHOLE_BYTES:
            return None
        fitting = 2 ** int(math.log2(max(_CHUNK_BYTES / each, 1)))
        chunk = min(max(fitting, _CHUNK_ROWS[0]), _CHUNK_ROWS[1])
        return None if chunk >= rows else chunk

    def run(self, apply: Linear, leaves: Sequence[Any]) -> list[Any]:
        """``apply`` on the standard basis of ``leaves``: arrays of shape ``(rows, *out.shape)``."""
        chunk = self.chunk(apply, leaves)
        if chunk is None:
            with advising_one_by_one():
                return jax.vmap(apply)(basis(leaves))
        return self._in_chunks(apply, leaves, jnp.arange(sum(sizes(leaves))), chunk)

    def run_sharded(
        self, apply: Linear, leaves: Sequence[Any], others: Sequence[Any], first: bool
    ) -> list[list[Any]]:
        """The same over the mesh: for each leaf its blocks against the others."""
        assert self.mesh is not None
        assert self.axis is not None
        check_unspread([*leaves, *others])
        chunk = self.chunk(apply, leaves)

        def local(rows: Any) -> list[Any]:
            return self._in_chunks(apply, leaves, rows, chunk or rows.shape[0])

        return sharded_blocks(local, leaves, others, self.mesh, self.axis, first)

    def _in_chunks(self, apply: Linear, leaves: Sequence[Any], rows: Any, chunk: int) -> list[Any]:
        """``apply`` on some vectors of the basis, ``chunk`` of them at once."""
        bar = Progress(math.ceil(rows.shape[0] / max(chunk, 1))) if self.progress else None

        def swept(part: Any) -> list[Any]:
            if bar is not None:
                jax.debug.callback(bar.step)
            seeds = one_hot(part, leaves)
            if chunk == 1 and part.size:  # what has no batching rule can be swept so
                return [out[None] for out in apply([seed[0] for seed in seeds])]
            with advising_one_by_one():
                return jax.vmap(apply)(seeds)

        return in_chunks(swept, rows, chunk)


@contextmanager
def advising_one_by_one() -> Generator[None]:
    """Say on JAX's error what works where an operation has no batching rule."""
    try:
        yield
    except NotImplementedError as error:
        if "vmap" in str(error) or "atching rule" in str(error):
            error.add_note(
                "the seeds were swept at once, by jax.vmap; chunk_size=1 sweeps them one by one, "
                "without it."
            )
        raise


def in_chunks(swept: Callable[[Any], list[Any]], rows: Any, chunk: int) -> list[Any]:
    """``swept`` of all rows, ``chunk`` of them at once; its arrays have a line for each row."""
    count, rest = divmod(rows.shape[0], max(chunk, 1))
    if count * chunk == 0:
        return swept(rows)
    stacks = _typed.lax_map(swept, rows[: count * chunk].reshape(count, chunk))
    stacks = [stack.reshape(count * chunk, *stack.shape[2:]) for stack in stacks]
    if rest:
        last = swept(rows[count * chunk :])
        stacks = [jnp.concatenate(pair) for pair in zip(stacks, last, strict=True)]
    return stacks


def check_chunk_size(chunk_size: Any) -> ChunkSize:
    """A chunk size in one form.

    Raises
    ------
    TypeError
        If it is no int, ``"auto"`` or None.
    ValueError
        If it is below one.
    """
    if chunk_size is None or (isinstance(chunk_size, str) and chunk_size == "auto"):
        return chunk_size
    size = as_int(chunk_size)
    if size is None:
        raise TypeError(
            f'chunk_size must be an int, "auto" or None, got {chunk_size!r} '
            f"({type(chunk_size).__name__}). Write chunk_size=128."
        )
    if size < 1:
        raise ValueError(
            f"chunk_size must be at least 1, got {size}. Leave it out for all at once."
        )
    return size


def row_bytes(apply: Linear, leaves: Sequence[Any]) -> int:
    """About how much memory one row takes: the most that is alive at once while it is computed."""
    jaxpr = jax.make_jaxpr(apply)(list(map(abstract, leaves)))
    return max(_peak(jaxpr.jaxpr), 1)


def _peak(jaxpr: Any) -> int:
    """The most bytes that are alive at once: operands, results, and what waits to be used."""
    last_use = {id(v): k for k, eqn in enumerate(jaxpr.eqns) for v in eqn.invars}
    last_use |= {id(v): len(jaxpr.eqns) for v in jaxpr.outvars}
    alive: dict[int, int] = {id(v): _bytes(v) for v in jaxpr.invars}
    peak = sum(alive.values())
    for k, eqn in enumerate(jaxpr.eqns):
        inner = max((_peak(_open(sub)) for sub in programs(eqn)), default=0)
        alive |= {id(v): _bytes(v) for v in eqn.outvars}
        peak = max(peak, sum(alive.values()) + inner)
        alive = {v: size for v, size in alive.items() if last_use.get(v, -1) > k}
    return peak


def programs(eqn: Any) -> list[Any]:
    """The programs that an equation contains: the body of a loop, the branches of a condition."""
    values = [v for p in eqn.params.values() for v in (p if _typed.is_a(p, tuple | list) else (p,))]
    return [v for v in values if hasattr(_open(v), "eqns")]


def _open(program: Any) -> Any:
    """A program without the constants that it may be closed with."""
    return getattr(program, "jaxpr", program)


def _bytes(variable: Any) -> int:
    aval = variable.aval
    if not hasattr(aval, "dtype"):
        return 0
    shape: tuple[int, ...] = aval.shape
    return int(np.prod(shape)) * getattr(aval.dtype, "itemsize", 0)
