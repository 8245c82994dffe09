"""Second derivatives: a Jacobian of the blocks of a Jacobian.

Owns: how two modes are nested. Never touches: units, states, trees of the user.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from .dense import WHOLE, Pure, Stacks, choose_mode, jacobian
from .seeds import MANY, cut, cut_rows, is_symbolic, offsets, sizes
from .sweep import Sweep

Nesting = Literal["auto", "fwd-over-rev", "rev-over-rev", "fwd-over-fwd", "rev-over-fwd"]
NESTINGS: tuple[Nesting, ...] = (
    "auto",
    "fwd-over-rev",
    "rev-over-rev",
    "fwd-over-fwd",
    "rev-over-fwd",
)


class Hessian(NamedTuple):
    """The second derivatives as the engine finds them, not yet cut into blocks.

    M numbers go out, N numbers come in. ``stacks`` are those of the first blocks, or of all first
    blocks as one matrix of shape (M, N) where they are joined: then the compiler sees one array in
    place of thousands.
    """

    outputs: list[Any]
    inputs: list[Any]
    stacks: Stacks
    is_joined: bool
    carried: Any

    def tensor(self) -> Any:
        """All of it as one array of shape (M, N, N), where it is joined."""
        m, n = sum(sizes(self.outputs)), sum(sizes(self.inputs))
        return self.stacks.matrix().reshape(m, n, n)

    def rows(self) -> list[Any]:
        """The tensor cut by output and first input: row (i, j) is (out_i.size * in_j.size, N)."""
        n = sum(sizes(self.inputs))
        return [
            jnp.reshape(part, (-1, n))
            for line in cut_rows(self.tensor(), self.outputs)
            for part in jnp.split(line, offsets(self.inputs)[1:-1], axis=1)
        ]

    def blocks(self) -> list[list[list[Any]]]:
        """Block (i, j, k) of shape ``out_i + in_j + in_k``."""
        n = len(self.inputs)
        if self.is_joined:
            shapes = [np.shape(out) + np.shape(x) for out in self.outputs for x in self.inputs]
            flat = [
                [block.reshape(shape + block.shape[1:]) for block in cut(row, self.inputs, 1)]
                for row, shape in zip(self.rows(), shapes, strict=True)
            ]
        else:
            flat = self.stacks.blocks()
        return [flat[i * n : (i + 1) * n] for i in range(len(self.outputs))]


def hessian(
    fun: Pure, leaves: list[Any], nesting: Nesting, sweep: Sweep = WHOLE, *, join: bool = False
) -> Hessian:
    """The second derivatives of ``fun`` at ``leaves``. ``fun`` is called once.

    Parameters
    ----------
    join : bool, default False
        Join the first blocks; else that is done where there are many, and they have one dtype.
    """
    outer, inner = modes(nesting)
    # the outer seeds are spread over the devices, and each device does its inner ones alone
    alone = replace(sweep, mesh=None, axis=None)

    def first(inner_leaves: list[Any]) -> tuple[list[Any], Any]:
        found = jacobian(fun, inner_leaves, inner, alone)
        is_joined = join or (sweep.mesh is None and _is_worth_joining(found))
        blocks = (
            [found.matrix()] if is_joined else [block for row in found.blocks() for block in row]
        )
        return blocks, (found.outputs, is_joined, found.carried)

    found = jacobian(first, leaves, outer, sweep)
    outputs, is_joined, carried = found.carried
    return Hessian(outputs, leaves, found, is_joined, carried)


def _is_worth_joining(first: Stacks) -> bool:
    count = len(first.outputs) * len(first.inputs) ** 2
    if count < MANY or is_symbolic([*first.outputs, *first.inputs]):
        return False
    return len({stack.dtype for stack in first.stacks}) == 1


def modes(nesting: Nesting) -> tuple[Any, Any]:
    """The outer and the inner mode.

    The outer one of ``"auto"`` is forward: there are never more inputs than entries of the
    Jacobian. The inner one is the engine's own choice.
    """
    if nesting == "auto":
        return "fwd", "auto"
    outer, inner = nesting.split("-over-")
    return outer, inner


def nesting_text(nesting: Nesting, leaves: list[Any], outputs: list[Any]) -> str:
    """The nesting in words, ``"fwd over rev"``."""
    outer, inner = modes(nesting)
    return f"{outer} over {choose_mode(leaves, outputs) if inner == 'auto' else inner}"
