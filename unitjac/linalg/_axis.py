"""The rows or the columns of a matrix: which belong to which leaf of a tree, and in which unit.

Owns: :class:`Axis`, the way from a tree to a vector and back, the algebra of units along an axis.
Never touches: the entries of a matrix.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._display import Displayed, Report
from unitjac._engine.seeds import gathered
from unitjac._errors import array_text, as_int, index_text, is_arraylike
from unitjac._foreign import refuse_foreign
from unitjac._key_order import Written
from unitjac._units.quantity import (
    Stripped,
    Unit,
    attach,
    is_one,
    rescale,
    same_dimension,
    strip,
    unit_product,
    unit_ratio,
)
from unitjac._units.unit_text import unit_text

from ._dtypes import joined_along
from ._given_unit import as_unit, is_unit
from ._names import (
    Name,
    beginning_with,
    differing,
    labels_of,
    name_of_path,
    order_by_name,
)
from ._show_axis import described
from ._unit_algebra import quotient


@dataclass(frozen=True, repr=False)
class Axis(Displayed):
    """Leaves laid one after the other along the rows or columns of a matrix.

    Static and hashable: an axis is part of a matrix's tree structure. Units are held leaf by
    leaf, so that a state of 10,000 voltages is one unit; None stands for a plain array.

    It is the way from a tree of quantities to the vector of plain numbers that solvers of other
    libraries want, and back: ``Axis.of(tree)``, :meth:`to_vector`, :meth:`to_tree`.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.linalg import Axis
    >>> axis = Axis.of({"V": 1.0 * u.mV, "w": 1.0 * u.nA})
    >>> axis.to_vector({"V": 0.002 * u.volt, "w": 3.0 * u.nA}).tolist()
    [2.0, 3.0]
    >>> axis.to_tree(axis.to_vector({"V": 0.002 * u.volt, "w": 3.0 * u.nA}))["V"]
    Quantity(2., "mV")
    """

    treedef: Any
    shapes: tuple[tuple[int, ...], ...]
    units: tuple[Unit | None, ...]
    names: tuple[Name, ...]
    # the names within the tree, of which treedef knows; a part has longer ones, those of the whole
    keys: tuple[Name, ...] = field(compare=False)
    # the tree as it was written, where JAX sorts its keys: a matter of display alone
    written: Written | None = field(compare=False, default=None)

    def __repr__(self) -> str:
        return self.to_text()

    def report(self) -> Report:
        """The description that all ways of showing the axis share; of its leaves the first 40."""
        return described(self, most=40)

    def full_report(self) -> Report:
        """The same with all of the leaves."""
        return described(self, most=None)

    @classmethod
    def of(cls, tree: Any) -> Axis:
        """The axis that a tree of arrays and quantities is laid along."""
        if isinstance(tree, Axis):
            return tree
        stripped = strip(tree)
        paths = stripped.paths
        for magnitude, path in zip(stripped.magnitudes, paths, strict=True):
            if not is_arraylike(magnitude):
                refuse_foreign(magnitude, f"leaf {jax.tree_util.keystr(path) or 'of the tree'}")
                raise TypeError(
                    f"leaf {jax.tree_util.keystr(path) or 'of the tree'} must be an array, a "
                    f"number or a quantity, got {array_text(magnitude)}."
                )
        names = tuple(map(name_of_path, paths))
        shapes = tuple(np.shape(m) for m in stripped.magnitudes)
        return cls(stripped.treedef, shapes, stripped.units, names, names, stripped.written)

    @cached_property
    def _hash(self) -> int:
        return hash((self.treedef, self.shapes, self.units, self.names))

    def __hash__(self) -> int:
        # kept, since every call of a compiled function asks for it
        return self._hash

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What each leaf is called: ``p/g``; ``['p']['g']`` where two would read alike."""
        return labels_of(self.names)

    @property
    def shown(self) -> Sequence[int]:
        """The numbers of the leaves in the order in which they are shown: the one as written."""
        return range(len(self.units)) if self.written is None else self.written.order

    @property
    def shown_entries(self) -> np.ndarray:
        """The numbers of the entries in the order in which they are shown."""
        return self.positions(self.shown)

    @property
    def shown_labels(self) -> list[str]:
        """The labels in the order in which they are shown."""
        return [self.labels[k] for k in self.shown]

    @cached_property
    def sizes(self) -> list[int]:
        """How many entries each leaf has."""
        return [math.prod(shape) for shape in self.shapes]

    @property
    def structure(self) -> Any:
        """What makes a tree of leaves, its keys in the order as written."""
        return self.treedef if self.written is None else self.written.structure

    @property
    def is_leaf(self) -> bool:
        """Whether this is one leaf, and no tree around it."""
        return self.treedef == _typed.structure(0)

    @cached_property
    def size(self) -> int:
        """How many entries there are."""
        return sum(self.sizes)

    @cached_property
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
            label + index_text(index)
            for label, shape in zip(self.labels, self.shapes, strict=True)
            for index in np.ndindex(shape)
        ]

    @property
    def entry_units(self) -> list[Unit | None]:
        """The unit of each entry."""
        pairs = zip(self.units, self.sizes, strict=True)
        return [unit for unit, size in pairs for _ in range(size)]

    def to_vector(self, tree: Any, what: str = "the vector") -> Any:
        """The entries of a tree like this axis as one array, in this axis' units.

        Parameters
        ----------
        tree : pytree
            Like the tree that the axis was made of, in units of the same dimensions. A tree of
            another kind with the same names will do: leaves are paired by their names.
        what : str
            What the tree is called in messages.

        Returns
        -------
        array of shape (size,)
            Plain numbers, the leaves one after the other, in their common dtype.

        Raises
        ------
        ValueError
            If the tree, a shape or a dimension is another one; the leaf is named.
        """
        given = strip(tree)
        parts: list[jax.Array] = []
        for k, at in enumerate(self._places_in(given, what)):
            magnitude, unit = given.magnitudes[at], given.units[at]
            where = f"{what}, leaf {self.labels[k] or '(the only one)'},"
            refuse_foreign(magnitude, where)
            if np.shape(magnitude) != self.shapes[k]:
                raise ValueError(
                    f"{where} must have shape {self.shapes[k]}, got {np.shape(magnitude)}."
                )
            if not same_dimension(unit, self.units[k]):
                raise ValueError(
                    f"{where} is in {unit_text(unit)}, but must be in {unit_text(self.units[k])} "
                    "or another unit of its dimension."
                )
            entries = inexact(jnp.ravel(gathered(magnitude)))
            parts.append(rescale(entries, unit_ratio(unit, self.units[k])))
        return joined_along(0, parts) if parts else jnp.zeros((0,))

    def _places_in(self, given: Stripped, what: str) -> Sequence[int]:
        """Where each leaf stands in a tree: in the same one, or in another with the same names."""
        if given.treedef == self.treedef:
            return range(len(self.units))
        names = tuple(map(name_of_path, given.paths))
        order = None
        if names != ((),):  # without a tree there is no name
            order = order_by_name(self.keys, names) or order_by_name(self.names, names)
        if order is None:
            raise ValueError(
                f"{what} must have the tree {self.treedef}, got {given.treedef}. Give one array, "
                "number or quantity for each leaf."
            )
        return order

    def to_tree(self, vector: Any) -> Any:
        """The tree that a vector in this axis' units stands for.

        Parameters
        ----------
        vector : array of shape (size, ...)
            Plain numbers. Further axes stay at the end of each leaf.

        Returns
        -------
        pytree
            With the tree, the shapes and the units of the axis.
        """
        rest = vector.shape[1:]
        leaves = [
            attach(part.reshape(shape + rest), unit)
            for part, shape, unit in zip(self.cut(vector), self.shapes, self.units, strict=True)
        ]
        return self.structure.unflatten(leaves)

    def cut(self, array: Any, axis: int = 0) -> list[Any]:
        """One axis of ``array`` in pieces of the leaves' sizes."""
        # one split for all, since eager slices are slow
        return jnp.split(gathered(array), self.offsets[1:-1], axis=axis) if self.units else []

    def with_units(self, units: Sequence[Unit | None]) -> Axis:
        """The same leaves in other units."""
        return replace(self, units=tuple(units))

    def map_units(self, function: Callable[[Unit | None], Unit | None]) -> Axis:
        """The same leaves, their units changed one by one."""
        return self.with_units([function(unit) for unit in self.units])

    def inverse(self) -> Axis:
        """The same leaves in the reciprocal units."""
        return self.map_units(lambda unit: quotient(None, unit))

    def times(self, factor: Unit | None) -> Axis:
        """The same leaves in units multiplied by ``factor``."""
        if is_one(factor):
            return self
        return self.map_units(lambda unit: unit_product(unit, factor))

    def in_units(self, units: Any) -> Axis:
        """The same leaves in units that are given: one for all, or a tree of them.

        A unit is a unit, its text, or a quantity that has it; None or a plain number for none.
        """
        if isinstance(units, Axis):
            leaves, names = list(units.units), units.names
        else:
            found = _typed.flatten_with_path(units, is_leaf=is_unit)[0]
            leaves = [leaf for _, leaf in found]
            names = tuple(name_of_path(path) for path, _ in found)
        if names not in (((),), _list_keys(len(names))):  # units in a list are in our order
            order = order_by_name(self.keys, names) or order_by_name(self.names, names)
            if order is None:
                mine, theirs = differing(self.shown_labels, labels_of(names))
                raise ValueError(
                    f"there are the leaves {mine}, got units for {theirs}. Give one for each leaf, "
                    "by its name or in a list, or a single one for all."
                )
            leaves = [leaves[k] for k in order]
        if len(leaves) == 1:
            leaves *= len(self.units)
        if len(leaves) != len(self.units):
            raise ValueError(
                f"there are {len(self.units)} leaves ({', '.join(self.shown_labels)}), got "
                f"{len(leaves)} units. Give one for each leaf, or a single one for all."
            )
        return self.with_units(list(map(as_unit, leaves)))

    def order_of(self, other: Axis, what: str, that: str) -> list[int]:
        """For each leaf here the number of the leaf of ``other`` that has its name.

        A part of an axis goes by the names that it had in the whole, and by those of its own
        tree. One array without a tree has no name, and belongs to any single leaf.

        Parameters
        ----------
        what, that : str
            What this axis and the other are called in messages.

        Raises
        ------
        ValueError
            If names or shapes differ.
        """
        order = self.pairing(other)
        if order is None:
            mine, theirs = differing(self.shown_labels, other.shown_labels)
            raise ValueError(
                f"{what} are {mine}, {that} are {theirs}: leaves are paired by their names, and "
                "these differ. Give both the same keys; UnitMatrix(A.array, rows=tree, cols=tree) "
                "gives a matrix other ones."
            )
        for k, at in enumerate(order):
            if self.shapes[k] != other.shapes[at]:
                raise ValueError(
                    f"{what} and {that} have one shape for each leaf, but leaf "
                    f"{self.labels[k] or '(the only one)'} has {self.shapes[k]} in the first and "
                    f"{other.shapes[at]} in the second."
                )
        return order

    def pairing(self, other: Axis) -> list[int] | None:
        """As :meth:`order_of`, but None where names differ; shapes are not looked at."""
        one, two = self.names, other.names
        if len(one) == len(two) == 1 and () in (one[0], two[0]):
            return [0]
        order = order_by_name(one, two)
        if order is None and other.names == other.keys and not self.is_leaf:
            order = order_by_name(self.keys, two)
        if order is None and self.names == self.keys and not other.is_leaf:
            order = order_by_name(one, other.keys)
        return order

    def positions(self, leaves: Sequence[int]) -> np.ndarray:
        """The numbers of the entries of some leaves."""
        return np.array([n for k in leaves for n in range(*self.offsets[k : k + 2])], int)

    def lies_like(self, other: Axis) -> bool:
        """Whether both have leaves of the same names and shapes in the same order."""
        return self.shapes == other.shapes and self.pairing(other) == list(range(len(self.units)))

    def factors(self, units: Sequence[Unit | None]) -> np.ndarray:
        """What each entry is multiplied by to be in ``units`` (leaf by leaf, same dimensions)."""
        pairs = zip(self.units, units, strict=True)
        return self.spread([unit_ratio(mine, theirs).magnitude for mine, theirs in pairs])

    @property
    def unit_sizes(self) -> np.ndarray:
        """How large the unit of each leaf is in base units."""
        return np.array([1.0 if unit is None else unit.magnitude for unit in self.units])

    def spread(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        """A number for each leaf as a number for each entry."""
        return np.repeat(np.asarray(values, float), self.sizes)

    def take(self, index: Any, name: str) -> tuple[Axis, np.ndarray]:
        """A part of the axis, and the positions of its entries.

        Parameters
        ----------
        index : str, tuple, int, slice or array of int or bool
            A key, or a tuple of keys, of a leaf or a subtree; or entries by their number.
        name : str
            ``"row"`` or ``"column"``, for messages.
        """
        if _typed.is_a(index, slice | tuple) and index in (slice(None), ()):
            return self, np.arange(self.size)
        if isinstance(index, str):
            return self._take_keys((index,), name)
        if _typed.is_a(index, tuple):
            return self._take_keys(index, name)
        if isinstance(index, slice):
            return self._take_positions(np.arange(self.size)[index])
        if _typed.is_a(index, list | np.ndarray | jax.Array) and np.ndim(index) == 1:
            chosen = np.asarray(index) if len(index) else np.zeros(0, int)
            return self._take_positions(np.arange(self.size)[chosen])
        return self._take_entry(index, name)

    def _take_keys(self, keys: tuple[Any, ...], name: str) -> tuple[Axis, np.ndarray]:
        depth, found = beginning_with(tuple(map(str, keys)), self.names)
        if not found:
            raise KeyError(
                f"there is no {name} leaf {'/'.join(map(str, keys))!r}; there are "
                f"{', '.join(self.shown_labels)}."
            )
        names = tuple(self.names[k] for k in found)
        written = None
        outside = len(names[0]) - len(self.keys[found[0]])
        if outside >= 0 and all(self.names[k][outside:] == self.keys[k] for k in found):
            treedef = _subtree(self.treedef, found[0], depth - outside)
            if self.written is not None:
                order = [found.index(k) for k in self.shown if k in found]
                structure = _subtree(self.structure, found[0], depth - outside)
                written = Written(structure, tuple(order))
            inner = tuple(self.keys[k][max(depth - outside, 0) :] for k in found)
        else:  # entries that were taken one by one stand in a list, whatever their names
            treedef = _typed.structure([0] * len(found) if len(found) > 1 else 0)
            inner = _list_keys(len(found)) if len(found) > 1 else ((),)
        part = Axis(
            treedef,
            tuple(self.shapes[k] for k in found),
            tuple(self.units[k] for k in found),
            names,
            inner,
            written,
        )
        return part, self.positions(found)

    def _take_entry(self, index: Any, name: str) -> tuple[Axis, np.ndarray]:
        position = as_int(index)
        if position is None:
            raise TypeError(
                f"a {name} index is a key of the tree, a tuple of keys, an int, a slice or an "
                f"array of ints, got {index!r}."
            )
        if not -self.size <= position < self.size:
            raise IndexError(
                f"{name} index {position} is out of range: there are {self.size} {name}s."
            )
        position %= self.size
        leaf = int(np.searchsorted(self.offsets, position, side="right")) - 1
        own, shape = self.names[leaf], self.shapes[leaf]
        if shape:
            within = np.unravel_index(position - self.offsets[leaf], shape)
            last = own[-1] if own else ""
            own = (*own[:-1], last + index_text(within))
        part = Axis(jax.tree.structure(0), ((),), (self.units[leaf],), (own,), ((),))
        return part, np.array([position])

    def _take_positions(self, positions: np.ndarray) -> tuple[Axis, np.ndarray]:
        """Entries one by one, those of one leaf that follow each other as one leaf."""
        runs = list(_runs(np.searchsorted(self.offsets, positions, side="right") - 1))
        part = Axis(
            jax.tree.structure([0] * len(runs)),
            tuple((count,) for _, count in runs),
            tuple(self.units[k] for k, _ in runs),
            tuple(self.names[k] for k, _ in runs),
            _list_keys(len(runs)),
        )
        return part, positions


def inexact(array: Any) -> Any:
    """``array`` in a dtype that units can scale: whole numbers become floating ones."""
    array = jnp.asarray(array)
    return array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(float)


def _subtree(tree: Any, leaf: int, depth: int) -> Any:
    """The tree around a leaf, ``depth`` keys inside of the whole."""
    for _ in range(depth):
        for child in tree.children():
            if leaf < child.num_leaves:
                tree = child
                break
            leaf -= child.num_leaves
    return tree


def _runs(leaves: np.ndarray) -> Iterator[tuple[int, int]]:
    start = 0
    for k in range(1, len(leaves) + 1):
        if k == len(leaves) or leaves[k] != leaves[start]:
            yield int(leaves[start]), k - start
            start = k


def _list_keys(count: int) -> tuple[Name, ...]:
    return tuple((str(k),) for k in range(count))
