"""Seeds spread over the devices of a mesh.

Owns: which device takes which seeds, and how the blocks come out sharded. Never touches: the
function itself, units, states.

Each device applies the linear map to its share of the seeds, and no device needs what another one
finds. Where the first axis of a leaf divides by the number of devices, a device takes a slab
of it, and the blocks come out sharded along that axis. Where it does not, shares are padded with
seeds of zeros, and what comes out is gathered and cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from unitjac._errors import array_text, sharding_of

from .seeds import offsets, sizes

Local = Callable[[Any], list[Any]]
"""From the numbers of seeds to what the linear map makes of them, ``(k, *out.shape)`` each."""


def check_mesh(mesh: Any, axis: Any) -> str | None:
    """The name of the axis that seeds are spread along.

    Raises
    ------
    TypeError
        If ``mesh`` is no mesh.
    ValueError
        If the mesh has no such axis, or ``axis`` comes without a mesh.
    """
    if mesh is None:
        if axis is not None:
            raise ValueError(f"axis={axis!r} wants a mesh. Pass mesh=jax.make_mesh(...) with it.")
        return None
    if not isinstance(mesh, Mesh):
        raise TypeError(
            f"mesh must be a jax.sharding.Mesh, got {type(mesh).__name__}. "
            'Write mesh=jax.make_mesh((4,), ("rows",)).'
        )
    if axis is None:
        return mesh.axis_names[0]
    if axis not in mesh.axis_names:
        raise ValueError(
            f"the mesh has the axes {', '.join(map(repr, mesh.axis_names))}, got axis={axis!r}."
        )
    return axis


def check_unspread(leaves: Sequence[Any]) -> None:
    """Raise a ValueError where an array's own axes are spread: a device has no whole rows of it."""
    for leaf in leaves:
        sharding = sharding_of(leaf)
        if sharding is not None:
            raise ValueError(
                "mesh= spreads the seeds over devices that each see whole arrays, and a "
                f"{array_text(leaf)} is spread itself, by {sharding.spec}. Leave mesh out, and "
                "blocks come out spread as their arrays are; or bring it together first, with "
                "jax.sharding.reshard(x, jax.P())."
            )


def sharded_blocks(
    local: Local, seeded: Sequence[Any], others: Sequence[Any], mesh: Mesh, axis: str, first: bool
) -> list[list[Any]]:
    """The blocks of each seeded leaf against each of the others.

    Parameters
    ----------
    local : callable
        What a device does with its share.
    seeded : sequence of array
        The leaves whose basis is swept.
    others : sequence of array
        The leaves that the linear map goes to.
    mesh, axis
        Where the seeds are spread.
    first : bool
        Whether the seeded leaf's shape comes first in a block (reverse mode), or last.

    Returns
    -------
    list of list of array
        For each seeded leaf the blocks against all others.
    """
    count = mesh.shape[axis]
    shares = [math.ceil(size / count) for size in sizes(seeded)]
    slabs = [bool(np.shape(leaf)) and np.shape(leaf)[0] % count == 0 for leaf in seeded]

    def share() -> list[list[Any]]:
        found = local(_share_of(jax.lax.axis_index(axis), seeded, shares))
        bounds = np.cumsum(shares)[:-1].tolist()
        columns = [jnp.split(stack, bounds, axis=0) for stack in found]
        return [
            [
                _shaped(column[k], leaf, slab, other, count, first)
                for column, other in zip(columns, others, strict=True)
            ]
            for k, (leaf, slab) in enumerate(zip(seeded, slabs, strict=True))
        ]

    specs = [
        [PartitionSpec(axis) if first else _last(axis, other) for other in others] for _ in seeded
    ]
    blocks = jax.shard_map(share, mesh=mesh, in_specs=(), out_specs=specs, check_vma=False)()
    return [
        row if slab else [_cut(block, leaf, other, mesh, first) for block, other in pairs]
        for row, slab, leaf in zip(blocks, slabs, seeded, strict=True)
        for pairs in [list(zip(row, others, strict=True))]
    ]


def _share_of(device: Any, seeded: Sequence[Any], shares: Sequence[int]) -> Any:
    """The numbers of the seeds that a device takes; -1 beyond the end of a leaf."""
    parts: list[Any] = []
    for start, size, share in zip(offsets(seeded), sizes(seeded), shares, strict=False):
        rows = device * share + jnp.arange(share)
        parts.append(jnp.where(rows < size, start + rows, -1))
    return jnp.concatenate(parts)


def _shaped(part: Any, leaf: Any, slab: bool, other: Any, count: int, first: bool) -> Any:
    """A device's part of a block: the slab of the leaf, or its flat share."""
    shape = np.shape(leaf)
    own = (shape[0] // count, *shape[1:]) if slab else (part.shape[0],)
    if first:
        return part.reshape(*own, *np.shape(other))
    return jnp.moveaxis(part, 0, -1).reshape(*np.shape(other), *own)


def _last(axis: str, other: Any) -> PartitionSpec:
    return PartitionSpec(*[None] * np.ndim(other), axis)


def _cut(block: Any, leaf: Any, other: Any, mesh: Mesh, first: bool) -> Any:
    """A padded flat block, gathered, cut and brought into shape."""
    block = jax.sharding.reshard(block, NamedSharding(mesh, PartitionSpec()))
    size = math.prod(np.shape(leaf))
    if first:
        return block[:size].reshape(*np.shape(leaf), *np.shape(other))
    return block[..., :size].reshape(*np.shape(other), *np.shape(leaf))
