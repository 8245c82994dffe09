"""The rows or the columns of a matrix: which belong to which leaf of a tree, and in which unit.

Owns: :class:`Axis`, the way from a tree to a vector and back, the algebra of units along an axis.
Never touches: the entries of a matrix.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._errors import array_text, is_arraylike
from unitjac._quantity import (
    Unit,
    attach,
    is_dimensionless,
    is_quantity,
    parse_unit,
    rescale,
    same_dimension,
    strip,
    unit_product,
    unit_ratio,
    unit_text,
)


@dataclass(frozen=True)
class Axis:
    """Leaves laid one after the other along the rows or columns of a matrix.

    Static and hashable: an axis is part of a matrix's tree structure. Units are held leaf by
    leaf, so that a state of 10,000 voltages is one unit; None stands for a plain array.
    """

    treedef: Any
    shapes: tuple[tuple[int, ...], ...]
    units: tuple[Unit | None, ...]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, tree: Any) -> Axis:
        """The axis that a tree of arrays and quantities is laid along."""
        if isinstance(tree, Axis):
            return tree
        stripped = strip(tree)
        for magnitude, path in zip(stripped.magnitudes, stripped.paths, strict=True):
            if not is_arraylike(magnitude):
                raise TypeError(
                    f"leaf {jax.tree_util.keystr(path) or 'of the tree'} must be an array, a "
                    f"number or a quantity, got {array_text(magnitude)}."
                )
        return cls(
            stripped.treedef,
            tuple(np.shape(m) for m in stripped.magnitudes),
            stripped.units,
            tuple(map(_label, stripped.paths)),
        )

    @property
    def sizes(self) -> list[int]:
        """How many entries each leaf has."""
        return [math.prod(shape) for shape in self.shapes]

    @property
    def size(self) -> int:
        """How many entries there are."""
        return sum(self.sizes)

    @property
    def offsets(self) -> list[int]:
        """Where each leaf begins, and where the last one ends."""
        return [0, *np.cumsum(self.sizes, dtype=int).tolist()]

    @property
    def spans(self) -> list[slice]:
        """Where each leaf lies."""
        return [slice(a, b) for a, b in itertools.pairwise(self.offsets)]

    @property
    def entry_labels(self) -> list[str]:
        """A label for each entry: the leaf's, with the index where the leaf is an array."""
        return [
            label + (f"[{', '.join(map(str, index))}]" if shape else "")
            for label, shape in zip(self.labels, self.shapes, strict=True)
            for index in np.ndindex(shape)
        ]

    @property
    def entry_units(self) -> list[Unit | None]:
        """The unit of each entry."""
        pairs = zip(self.units, self.sizes, strict=True)
        return [unit for unit, size in pairs for _ in range(size)]

    def vector(self, tree: Any, what: str = "the vector") -> Any:
        """The entries of a tree like this axis as one array, in this axis' units.

        Raises
        ------
        ValueError
            If the tree, a shape or a dimension is another one; the leaf is named.
        """
        given = strip(tree)
        if given.treedef != self.treedef:
            raise ValueError(
                f"{what} must have the tree {self.treedef}, got {given.treedef}. Give one array, "
                "number or quantity for each leaf."
            )
        parts = []
        for k, (magnitude, unit) in enumerate(zip(given.magnitudes, given.units, strict=True)):
            where = f"{what}, leaf {self.labels[k] or '(the only one)'},"
            if np.shape(magnitude) != self.shapes[k]:
                raise ValueError(
                    f"{where} must have shape {self.shapes[k]}, got {np.shape(magnitude)}."
                )
            if not same_dimension(unit, self.units[k]):
                raise ValueError(
                    f"{where} is in {unit_text(unit)}, but must be in {unit_text(self.units[k])} "
                    "or another unit of its dimension."
                )
            parts.append(rescale(jnp.ravel(magnitude), unit_ratio(unit, self.units[k])))
        return jnp.concatenate(parts) if parts else jnp.zeros((0,))

    def tree(self, vector: Any) -> Any:
        """The tree that a vector in this axis' units stands for; further axes stay at the end."""
        rest = vector.shape[1:]
        leaves = [
            attach(vector[span].reshape(shape + rest), unit)
            for span, shape, unit in zip(self.spans, self.shapes, self.units, strict=True)
        ]
        return self.treedef.unflatten(leaves)

    def with_units(self, units: Sequence[Unit | None]) -> Axis:
        """The same leaves in other units."""
        return replace(self, units=tuple(units))

    def map_units(self, function: Callable[[Unit | None], Unit | None]) -> Axis:
        """The same leaves, their units changed one by one."""
        return self.with_units([function(unit) for unit in self.units])

    def inverse(self) -> Axis:
        """The same leaves in the reciprocal units."""
        return self.map_units(lambda unit: unit_ratio(None, unit))

    def times(self, factor: Unit | None) -> Axis:
        """The same leaves in units multiplied by ``factor``."""
        return self.map_units(lambda unit: unit_product(unit, factor))

    def in_units(self, units: Any) -> Axis:
        """The same leaves in units that are given: one for all, or a tree of them.

        A unit is a unit, its text, or a quantity that has it.
        """
        if isinstance(units, Axis):
            return self.with_units(units.units)
        if isinstance(units, str | Unit):
            return self.map_units(lambda _: _as_unit(units))
        leaves = jax.tree.leaves(units, is_leaf=is_quantity)
        if len(leaves) != len(self.units):
            raise ValueError(
                f"there are {len(self.units)} leaves ({', '.join(self.labels)}), got "
                f"{len(leaves)} units. Give one for each leaf, or a single one for all."
            )
        return self.with_units([_as_unit(unit) for unit in leaves])

    def lies_like(self, other: Axis) -> bool:
        """Whether both have the same leaves, whatever their units."""
        return self.shapes == other.shapes

    def factors(self, units: Sequence[Unit | None]) -> np.ndarray:
        """What each entry is multiplied by to be in ``units`` (leaf by leaf, same dimensions)."""
        scales = [
            unit_ratio(mine, theirs).magnitude
            for mine, theirs in zip(self.units, units, strict=True)
        ]
        return np.repeat(np.asarray(scales, float), self.sizes)

    def take(self, index: Any) -> tuple[Axis, np.ndarray]:
        """A part of the axis, and the positions of its entries.

        ``index`` is a key or a tuple of keys (a leaf or a subtree), a slice, an int, or an
        array of ints.
        """
        if isinstance(index, str) or (isinstance(index, tuple) and index):
            return self._take_keys(index if isinstance(index, tuple) else (index,))
        positions = np.atleast_1d(np.arange(self.size)[index])
        return self._take_positions(positions), positions

    def is_leaf(self, index: Any) -> bool:
        """Whether ``index`` is a key that names exactly one leaf."""
        if not (isinstance(index, str) or (isinstance(index, tuple) and index)):
            return False
        return len(self._leaves_under(index if isinstance(index, tuple) else (index,))) == 1

    def _take_keys(self, keys: tuple[Any, ...]) -> tuple[Axis, np.ndarray]:
        found = self._leaves_under(keys)
        positions = np.concatenate([np.arange(self.size)[self.spans[k]] for k in found])
        return self._part(found), positions

    def _leaves_under(self, keys: tuple[Any, ...]) -> list[int]:
        label = _join(keys)
        found = [k for k, own in enumerate(self.labels) if f"{own}/".startswith(f"{label}/")]
        if not found:
            raise KeyError(f"there is no leaf {label!r}; there are {', '.join(self.labels)}.")
        return found

    def _part(self, leaves: Sequence[int]) -> Axis:
        """Some of the leaves, as a list."""
        return Axis(
            jax.tree.structure([0] * len(leaves)),
            tuple(self.shapes[k] for k in leaves),
            tuple(self.units[k] for k in leaves),
            tuple(self.labels[k] for k in leaves),
        )

    def _take_positions(self, positions: np.ndarray) -> Axis:
        """Entries one by one, those of one leaf that follow each other as one leaf."""
        runs = list(_runs(np.searchsorted(self.offsets, positions, side="right") - 1))
        return Axis(
            jax.tree.structure([0] * len(runs)),
            tuple((count,) for _, count in runs),
            tuple(self.units[k] for k, _ in runs),
            tuple(self.labels[k] for k, _ in runs),
        )


def common_unit(units: Sequence[Unit | None]) -> Unit | None:
    """The first of some units if all have its dimension; None where there is none."""
    for unit in units:
        if not same_dimension(unit, units[0]):
            return None
    return units[0] if units else None


def is_plain(axis: Axis) -> bool:
    """Whether all entries are numbers."""
    return all(map(is_dimensionless, axis.units))


def _runs(leaves: np.ndarray) -> Iterator[tuple[int, int]]:
    start = 0
    for k in range(1, len(leaves) + 1):
        if k == len(leaves) or leaves[k] != leaves[start]:
            yield int(leaves[start]), k - start
            start = k


def _label(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _join(keys: tuple[Any, ...]) -> str:
    return "/".join(map(str, keys))


def _as_unit(unit: Any) -> Unit | None:
    if isinstance(unit, str):
        return parse_unit(unit)
    return unit.unit if is_quantity(unit) else unit
