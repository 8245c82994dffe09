"""From a tree of blocks to the array of a matrix, and back.

Owns: the checks of each block against the two axes, the joining and the cutting. Never touches:
the class, algebra.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._engine.seeds import gathered
from unitjac._errors import dtype_of
from unitjac._foreign import refuse_foreign
from unitjac._transforms.arguments import Selection
from unitjac._units.quantity import Unit, attach_block, rescale, same_dimension, strip, unit_ratio
from unitjac._units.unit_text import unit_text

from ._axis import Axis, inexact
from ._dtypes import joined_along


class Part(NamedTuple):
    """The blocks of one input, and what they and the tree of that input are called in messages."""

    blocks: Any
    treedef: Any
    what: str = "blocks"


def joined(parts: Sequence[Part], rows: Axis, cols: Axis) -> jax.Array:
    """The blocks of all inputs as one array, in the units of the axes.

    Raises
    ------
    ValueError
        If a block has another tree, shape or dimension than the axes say.
    TypeError
        If a block is of dtype ``float0``.
    """
    inputs = [_by_rows(part, rows) for part in parts]
    lines: list[list[Any]] = []
    for i in range(len(rows.units)):
        line = [leaf for by_rows in inputs for leaf in by_rows[i]]
        lines.append([_entries(*leaf, rows, i, cols, j) for j, leaf in enumerate(line)])
    if not rows.size or not cols.size:
        return jnp.zeros((rows.size, cols.size))
    return joined_along(0, [joined_along(1, line) for line in lines])


def parts_of(blocks: Any, inputs: Any, selection: Selection) -> list[Part]:
    """The blocks by states, one part for each, and those by arguments, as the transforms give them.

    Raises
    ------
    ValueError
        If the blocks are not nested so.
    """
    by_states = blocks
    parts: list[Part] = []
    if selection.argnums is not None:
        if not (_typed.is_a(blocks, tuple) and len(blocks) == 2):
            raise ValueError(
                "with grad_states and like_inputs blocks must be the pair (by_states, by_arguments)"
                f", as jacrev gives it, got {strip(blocks).treedef}."
            )
        by_states, by_arguments = blocks
        parts = [Part(by_arguments, strip(inputs).treedef, "the blocks by arguments")]
    try:
        found = selection.state_tree.flatten_up_to(by_states)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"the blocks by states must have grad_states outside, {selection.state_tree}, got "
            f"{strip(by_states).treedef}."
        ) from error
    of_states = [
        Part(part, strip(state.value).treedef, f"the blocks of {label}")
        for part, (state, label) in zip(found, selection.labelled_states, strict=True)
    ]
    return of_states + parts


def _by_rows(part: Part, rows: Axis) -> list[list[tuple[Any, Unit | None]]]:
    """Magnitude and unit of each block of one input, in a list for each leaf of the outputs."""
    given, nested = strip(part.blocks), rows.treedef.compose(part.treedef)
    if given.treedef != nested:
        raise ValueError(
            f"{part.what} must have the tree {nested}, outputs outside and inputs inside, got "
            f"{given.treedef}. Blocks by states, which stand outside, want grad_states=states."
        )
    leaves = list(zip(given.magnitudes, given.units, strict=True))
    n = part.treedef.num_leaves
    return [leaves[i * n : (i + 1) * n] for i in range(len(rows.units))]


def cut(array: Any, rows: Axis, cols: Axis) -> Any:
    """The tree of blocks: outputs outside, inputs inside, a unit on each."""

    def block(part: Any, i: int, j: int) -> Any:
        unit = unit_ratio(rows.units[i], cols.units[j])
        return attach_block(part.reshape(rows.shapes[i] + cols.shapes[j]), unit)

    return rows.structure.unflatten(
        cols.structure.unflatten(block(part, i, j) for j, part in enumerate(cols.cut(line, axis=1)))
        for i, line in enumerate(rows.cut(array))
    )


def _entries(magnitude: Any, unit: Unit | None, rows: Axis, i: int, cols: Axis, j: int) -> Any:
    """One block as a matrix in the unit that the axes say."""
    where = f"block ({rows.labels[i]}, {cols.labels[j]})"
    shape, want = rows.shapes[i] + cols.shapes[j], unit_ratio(rows.units[i], cols.units[j])
    refuse_foreign(magnitude, where)
    if np.shape(magnitude) != shape:
        raise ValueError(f"{where} must have shape {shape}, got {np.shape(magnitude)}.")
    if dtype_of(magnitude) == jax.dtypes.float0:
        raise TypeError(
            f"{where} is of dtype float0: its input holds whole numbers, by which there is no "
            "derivative. Leave that input out."
        )
    if not same_dimension(unit, want):
        raise ValueError(
            f"{where} is in {unit_text(unit)}, but its output over its input is in "
            f"{unit_text(want)}."
        )
    entries = inexact(jnp.reshape(gathered(magnitude), (rows.sizes[i], cols.sizes[j])))
    return rescale(entries, unit_ratio(unit, want))
