"""Dense Jacobians, all seeds at once.

Owns: the two modes, the choice between them, the cutting of stacked rows or columns into blocks.
Never touches: units, states, trees of the user.

Shapes are written as in: fun maps ``[in_j]`` to ``[out_i]``; block (i, j) has shape
``out_i.shape + in_j.shape``; M numbers go out, N numbers come in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax

from ._dtypes import Mode, is_complex
from ._seeds import basis, cut, sizes

Pure = Callable[[list[Any]], tuple[list[Any], Any]]
"""A function of a list of arrays that gives a list of arrays, and a tree to carry along."""


class Jacobian(NamedTuple):
    """What the engine gives back: outputs, blocks[i][j], and what the function carried along."""

    outputs: list[Any]
    blocks: list[list[Any]]
    carried: Any


def jacobian(fun: Pure, leaves: list[Any], mode: Literal["fwd", "rev", "auto"]) -> Jacobian:
    """The Jacobian of ``fun`` at ``leaves``. ``fun`` is called once."""
    return {"rev": _reverse, "fwd": _forward, "auto": _automatic}[mode](fun, leaves)


def choose_mode(inputs: Sequence[Any], outputs: Sequence[Any]) -> Mode:
    """The mode with fewer passes; forward where they are equal, since it keeps no residuals.

    Where only the inputs are complex, reverse mode alone is defined, and forward mode where only
    the outputs are.
    """
    complex_in, complex_out = any(map(is_complex, inputs)), any(map(is_complex, outputs))
    if complex_in != complex_out:
        return "rev" if complex_in else "fwd"
    return "fwd" if sum(sizes(inputs)) <= sum(sizes(outputs)) else "rev"


def passes(mode: Mode, inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    """How many seeds ``mode`` pushes or pulls."""
    return sum(sizes(inputs if mode == "fwd" else outputs))


def _reverse(fun: Pure, leaves: list[Any]) -> Jacobian:
    outputs, pull, carried = jax.vjp(fun, leaves, has_aux=True)
    return Jacobian(outputs, _pulled(pull, leaves, outputs), carried)


def _forward(fun: Pure, leaves: list[Any]) -> Jacobian:
    if not leaves:
        outputs, carried = fun(leaves)
        return Jacobian(outputs, [[] for _ in outputs], carried)

    def push(tangents: list[Any]) -> Any:
        return jax.jvp(fun, (leaves,), (tangents,), has_aux=True)

    outputs, stacks, carried = jax.vmap(push, out_axes=(None, -1, None))(basis(leaves))
    return Jacobian(outputs, _pushed(stacks, leaves), carried)


def _automatic(fun: Pure, leaves: list[Any]) -> Jacobian:
    # linearize calls fun once and can be pushed and transposed, so that the choice can wait
    # until the outputs' sizes are known
    outputs, push, carried = jax.linearize(fun, leaves, has_aux=True)
    if not leaves:
        return Jacobian(outputs, [[] for _ in outputs], carried)
    mode = choose_mode(leaves, outputs)
    try:
        if mode == "rev":
            pull = jax.linear_transpose(push, leaves)
            return Jacobian(outputs, _pulled(pull, leaves, outputs), carried)
        stacks = jax.vmap(push, out_axes=-1)(basis(leaves))
        return Jacobian(outputs, _pushed(stacks, leaves), carried)
    except Exception as error:
        # custom_vjp knows no forward mode, while_loop no reverse mode
        other = {"fwd": "rev", "rev": "fwd"}[mode]
        error.add_note(f'mode="auto" chose "{mode}" by the sizes; mode="{other}" may work here.')
        raise


def _pulled(pull: Callable[..., Any], leaves: list[Any], outputs: list[Any]) -> list[list[Any]]:
    """Pull the basis of the outputs back; each stack is ``(M, *in_j.shape)``."""
    if not outputs or not leaves:
        return [[] for _ in outputs]
    (stacks,) = jax.vmap(pull)(basis(outputs))
    return _rows([cut(stack, outputs, 0) for stack in stacks])


def _pushed(stacks: list[Any], leaves: list[Any]) -> list[list[Any]]:
    """Cut what was pushed; each stack is ``(*out_i.shape, N)``."""
    return [cut(stack, leaves, -1) for stack in stacks]


def _rows(columns: list[list[Any]]) -> list[list[Any]]:
    """Blocks by column as blocks by row."""
    return [list(row) for row in zip(*columns, strict=True)]
