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
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._errors import dtype_of
from unitjac._typed import Linear, Pull

from . import direction
from .dtypes import Mode, is_complex
from .seeds import basis, cut, gathered, joined, sizes
from .sweep import Sweep, advising_one_by_one

Modes = Literal["fwd", "rev", "auto"]

WHOLE = Sweep()
"""All seeds at once, as in JAX."""

Pure = Callable[[list[Any]], tuple[list[Any], Any]]
"""A function of a list of arrays that gives a list of arrays, and a tree to carry along."""


class Stacks(NamedTuple):
    """A Jacobian as the engine finds it, not yet cut into blocks.

    In reverse mode ``stacks[j]`` is ``(M, *in_j.shape)``: the rows of all outputs. In forward
    mode ``stacks[i]`` is ``(*out_i.shape, N)``: the columns of all inputs.
    """

    mode: Mode
    stacks: list[Any]
    inputs: list[Any]
    outputs: list[Any]
    carried: Any
    sharded: list[list[Any]] | None = None

    @property
    def is_cut(self) -> bool:
        """Whether each stack is a block: the rows of one output, or the columns of one input."""
        return len(self.outputs if self.mode == "rev" else self.inputs) <= 1

    def blocks(self) -> list[list[Any]]:
        """Block (i, j) of shape ``out_i.shape + in_j.shape``."""
        if self.sharded is not None:
            return self.sharded
        if self.mode == "fwd":
            return [cut(stack, self.inputs, -1) for stack in self.stacks]
        columns = [cut(stack, self.outputs, 0) for stack in self.stacks]
        return [[column[i] for column in columns] for i in range(len(self.outputs))]

    def matrix(self) -> Any:
        """All of it as one array of shape (M, N), in the common dtype."""
        m, n = sum(sizes(self.outputs)), sum(sizes(self.inputs))
        if self.sharded is not None:
            return _assembled(self.sharded, sizes(self.outputs), sizes(self.inputs))
        if not self.stacks:
            return jnp.zeros((m, n))
        if self.mode == "fwd":
            pairs = zip(self.stacks, sizes(self.outputs), strict=True)
            return joined([gathered(stack).reshape(k, n) for stack, k in pairs], axis=0)
        pairs = zip(self.stacks, sizes(self.inputs), strict=True)
        return joined([gathered(stack).reshape(m, k) for stack, k in pairs], axis=1)


def jacobian(fun: Pure, leaves: list[Any], mode: Modes, sweep: Sweep = WHOLE) -> Stacks:
    """The Jacobian of ``fun`` at ``leaves``. ``fun`` is called once."""
    return {"rev": _reverse, "fwd": _forward, "auto": _automatic}[mode](fun, leaves, sweep)


def choose_mode(inputs: Sequence[Any], outputs: Sequence[Any]) -> Mode:
    """The mode with fewer passes; forward where they are equal, since it keeps no residuals.

    Of sizes that are symbols it may not be known which is less; then it is reverse mode.

    Where only the inputs are complex, reverse mode alone is defined, and forward mode where only
    the outputs are.
    """
    complex_in, complex_out = any(map(is_complex, inputs)), any(map(is_complex, outputs))
    if complex_in != complex_out:
        return "rev" if complex_in else "fwd"
    more = sum(sizes(inputs)) - sum(sizes(outputs))
    return "fwd" if _typed.is_a(more, int) and more <= 0 else "rev"


def _reverse(fun: Pure, leaves: list[Any], sweep: Sweep) -> Stacks:
    outputs, pull, carried = direction.vjp(fun, leaves, has_aux=True)
    return _pulled(pull, leaves, outputs, carried, sweep)


def _forward(fun: Pure, leaves: list[Any], sweep: Sweep) -> Stacks:
    if not leaves:
        return _constant(*fun(leaves))
    if not sweep.is_whole(leaves):
        outputs, push, carried = direction.linearize(fun, leaves, has_aux=True)
        return _pushed(push, leaves, outputs, carried, sweep)

    def push_once(tangents: list[Any]) -> Any:
        return direction.jvp(fun, (leaves,), (tangents,), has_aux=True)

    # not linearize: nothing is kept of a long loop
    with advising_one_by_one():
        outputs, stacks, carried = jax.vmap(push_once, out_axes=(None, -1, None))(basis(leaves))
    return Stacks("fwd", stacks, leaves, outputs, carried)


def _automatic(fun: Pure, leaves: list[Any], sweep: Sweep) -> Stacks:
    # linearize calls fun once and can be pushed and transposed, so that the choice can wait
    # until the outputs' sizes are known
    outputs, push, carried = direction.linearize(fun, leaves, has_aux=True)
    if not leaves:
        return _constant(outputs, carried)
    mode = choose_mode(leaves, outputs)
    try:
        if mode == "rev":
            pull = _typed.linear_transpose(push, leaves)
            return _pulled(pull, leaves, outputs, carried, sweep)
        return _pushed(push, leaves, outputs, carried, sweep)
    except Exception as error:
        # custom_vjp knows no forward mode, while_loop no reverse mode
        chosen, other = ("forward", "reverse") if mode == "fwd" else ("reverse", "forward")
        error.add_note(
            f"{chosen} mode was chosen by the sizes; {other} mode may work here: see the parameter "
            "mode."
        )
        raise


def _pulled(
    pull: Pull, leaves: list[Any], outputs: list[Any], carried: Any, sweep: Sweep
) -> Stacks:
    def apply(cotangents: list[Any]) -> list[Any]:
        return pull(cotangents)[0]

    if not outputs or not leaves:
        stacks = [jnp.zeros((0, *np.shape(leaf)), dtype_of(leaf)) for leaf in leaves]
        return Stacks("rev", stacks, leaves, outputs, carried)
    if sweep.mesh is None:
        return Stacks("rev", sweep.run(apply, outputs), leaves, outputs, carried)
    blocks = sweep.run_sharded(apply, outputs, leaves, first=True)
    return Stacks("rev", [], leaves, outputs, carried, blocks)


def _pushed(
    push: Linear, leaves: list[Any], outputs: list[Any], carried: Any, sweep: Sweep
) -> Stacks:
    if sweep.mesh is None:
        stacks = [jnp.moveaxis(stack, 0, -1) for stack in sweep.run(push, leaves)]
        return Stacks("fwd", stacks, leaves, outputs, carried)
    columns = sweep.run_sharded(push, leaves, outputs, first=False)
    blocks = [[column[i] for column in columns] for i in range(len(outputs))]
    return Stacks("fwd", [], leaves, outputs, carried, blocks)


def _assembled(blocks: list[list[Any]], out_sizes: list[int], in_sizes: list[int]) -> Any:
    """Blocks as one matrix."""
    lines = [
        joined([b.reshape(m, n) for b, n in zip(row, in_sizes, strict=True)], axis=1)
        for row, m in zip(blocks, out_sizes, strict=True)
    ]
    return joined(lines, axis=0)


def _constant(outputs: list[Any], carried: Any) -> Stacks:
    """The Jacobian with respect to nothing."""
    stacks = [jnp.zeros((*np.shape(out), 0), dtype_of(out)) for out in outputs]
    return Stacks("fwd", stacks, [], outputs, carried)
