"""A Jacobian of many blocks on its way out of a compiled program.

Owns: :class:`Uncut`, and the small programs that cut its rows. Never touches: derivatives.

A program that gives back 60 times 60 blocks spends half a minute in the compiler, on nothing but
3,600 cuts. So it gives back one array for each output leaf, and each is cut outside, by a program
that is compiled once for all rows of one shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._units.quantity import (
    Quantity,
    Unit,
    is_dimensionless,
    is_one,
    scale_steps,
    wide_dtype,
)

Shape = tuple[int, ...]


class Recipe:
    """What is known of the blocks before numbers flow: shapes, units, and the tree they make."""

    def __init__(
        self,
        out_shapes: Sequence[Shape],
        in_shapes: Sequence[Shape],
        units: Sequence[Sequence[Unit | None]],
        tree: Callable[[list[list[Any]]], Any],
    ):
        self.out_shapes = tuple(out_shapes)
        self.in_shapes = tuple(in_shapes)
        self.units = units
        self.tree = tree


@jax.tree_util.register_pytree_node_class
class Uncut:
    """The rows of a Jacobian, one array of shape ``(out_i.size, N)`` for each output leaf."""

    __slots__ = ("recipe", "rows")

    def __init__(self, rows: list[Any], recipe: Recipe):
        self.rows = rows
        self.recipe = recipe

    def tree_flatten(self) -> tuple[list[Any], Recipe]:
        """The rows as children, the recipe as static data."""
        return self.rows, self.recipe

    @classmethod
    def tree_unflatten(cls, recipe: Recipe, rows: Any) -> Uncut:
        """The inverse of :meth:`tree_flatten`."""
        return cls(list(rows), recipe)

    def cut(self) -> Any:
        """The tree of blocks."""
        recipe = self.recipe
        blocks: list[list[Any]] = []
        for row, shape, units in zip(self.rows, recipe.out_shapes, recipe.units, strict=True):
            parts = _cutter(shape, recipe.in_shapes)(row)
            blocks.append(
                [
                    part if unit is None else Quantity.tree_unflatten(unit, (part,))
                    for part, unit in zip(parts, units, strict=True)
                ]
            )
        return recipe.tree(blocks)


def uncut(
    rows: Sequence[Any],
    out_shapes: Sequence[Shape],
    in_shapes: Sequence[Shape],
    units: Sequence[Sequence[Unit]] | None,
    tree: Callable[[list[list[Any]]], Any],
) -> Uncut | None:
    """The Jacobian of these rows, all of one dtype; None where a scale takes several steps.

    Parameters
    ----------
    units : sequence of sequence of Unit, or None
        The unit of each block, row by row; None for plain magnitudes.
    tree : callable
        Makes what is handed back from the blocks, row by row.
    """
    if units is None:
        return Uncut(
            list(rows), Recipe(out_shapes, in_shapes, [[None] * len(in_shapes)] * len(rows), tree)
        )
    if not scales_in_one_step(units, rows[0].dtype):
        return None
    widths = [math.prod(shape) for shape in in_shapes]
    scaled = [scaled_row(row, line, widths) for row, line in zip(rows, units, strict=True)]
    kept = [[None if is_dimensionless(unit) else unit for unit in line] for line in units]
    return Uncut(scaled, Recipe(out_shapes, in_shapes, kept, tree))


def is_uncut(result: Any) -> bool:
    """Whether a call gives back, or gives first, a Jacobian that is not yet cut."""
    first = result[0] if _typed.is_exactly(result, tuple) and result else result
    return type(first) is Uncut


def cut_out(result: Any) -> Any:
    """What a call gives back, where it is, or begins with, a Jacobian that is not yet cut."""
    if not is_uncut(result):
        return result
    return (result[0].cut(), *result[1:]) if type(result) is tuple else result.cut()


def in_blocks(found: tuple[Any, Any, list[Any], Any]) -> tuple[Any, Any, list[Any], Any]:
    """What a transform's ``_differentiate`` gave, with its two parts as trees of blocks."""
    _, part, outputs, carried = found
    return (None, part.cut(), outputs, carried) if isinstance(part, Uncut) else found


def scaled_row(row: Any, units: Sequence[Unit | None], in_sizes: Sequence[int]) -> Any:
    """A row with its dimensionless blocks scaled to the number one."""
    factors = [
        1.0 if unit is None or not is_dimensionless(unit) else unit.magnitude for unit in units
    ]
    if all(factor == 1.0 for factor in factors):
        return row
    wide = wide_dtype(row.dtype)
    factor = jnp.asarray(np.repeat(factors, in_sizes), wide)
    return (row.astype(wide) * factor[None, :]).astype(row.dtype)


def scales_in_one_step(units: Sequence[Sequence[Unit | None]], dtype: Any) -> bool:
    """Whether each scale of a dimensionless block is a number that ``dtype`` holds."""
    wide = wide_dtype(dtype)
    distinct = {unit for row in units for unit in row if unit is not None}
    return all(
        len(scale_steps(unit, wide)) == 1
        for unit in distinct
        if is_dimensionless(unit) and not is_one(unit)
    )


@lru_cache(maxsize=256)
def _cutter(out_shape: Shape, in_shapes: tuple[Shape, ...]) -> Callable[[Any], list[Any]]:
    bounds = np.cumsum([int(np.prod(shape)) for shape in in_shapes])[:-1].tolist()

    def cut(row: Any) -> list[Any]:
        parts = jnp.split(row, bounds, axis=1)
        return [
            part.reshape(out_shape + shape) for part, shape in zip(parts, in_shapes, strict=True)
        ]

    return jax.jit(cut)
