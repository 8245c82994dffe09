"""Second derivatives: a Jacobian of the blocks of a Jacobian.

Owns: how two modes are nested. Never touches: units, states, trees of the user.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple

from .dense import WHOLE, Pure, choose_mode, jacobian
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
    """Outputs, blocks[i][j][k] of shape ``out_i + in_j + in_k``, and what was carried along."""

    outputs: list[Any]
    blocks: list[list[list[Any]]]
    carried: Any


def hessian(fun: Pure, leaves: list[Any], nesting: Nesting, sweep: Sweep = WHOLE) -> Hessian:
    """The second derivatives of ``fun`` at ``leaves``. ``fun`` is called once."""
    outer, inner = modes(nesting)
    # the outer seeds are spread over the devices, and each device does its inner ones alone
    alone = replace(sweep, mesh=None, axis=None)

    def first(inner_leaves: list[Any]) -> tuple[list[Any], Any]:
        found = jacobian(fun, inner_leaves, inner, alone)
        blocks = [block for row in found.blocks() for block in row]
        return blocks, (found.outputs, found.carried)

    found = jacobian(first, leaves, outer, sweep)
    outputs, carried = found.carried
    flat, n = found.blocks(), len(leaves)
    return Hessian(outputs, [flat[i * n : (i + 1) * n] for i in range(len(outputs))], carried)


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
