"""Trees that hold anything, made fit for JAX: arrays as children, all else as static data.

Owns: :class:`Packed`, its split and its way back. Never touches: units, states, derivatives.

JAX moves only arrays across the boundary of a transformed function. A tree that holds strings,
flags or objects beside its arrays crosses as a :class:`Packed`: its arrays are children, the
rest is part of the tree's structure, and so of the key under which ``jax.jit`` finds a
compiled program again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from unitjac import _typed

_HOLE = object()


class Static:
    """One object that is no array, compared by type and value, or by identity."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value: object = value

    def __hash__(self) -> int:
        try:
            return hash((type(self.value), self.value))
        except TypeError:
            return object.__hash__(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Static):
            return NotImplemented
        mine, theirs = self.value, other.value
        if mine is theirs:
            return True
        # 1 == True == 1.0, and yet a function may do another thing with each of them
        if type(mine) is not type(theirs) or not (is_hashable(mine) and is_hashable(theirs)):
            return False
        try:
            return bool(mine == theirs)
        except (TypeError, ValueError):  # an array of answers is none
            return False


@jax.tree_util.register_pytree_node_class
class Packed:
    """A tree of anything: ``arrays`` are its children, the skeleton is static."""

    __slots__ = ("arrays", "skeleton", "treedef")

    def __init__(self, arrays: list[Any], skeleton: tuple[Static, ...], treedef: Any):
        self.arrays = arrays
        self.skeleton = skeleton
        self.treedef = treedef

    def tree_flatten(self) -> tuple[list[Any], tuple[tuple[Static, ...], Any]]:
        """The arrays as children; the rest as static data."""
        return self.arrays, (self.skeleton, self.treedef)

    @classmethod
    def tree_unflatten(cls, static: tuple[tuple[Static, ...], Any], arrays: Any) -> Packed:
        """The inverse of :meth:`tree_flatten`."""
        return cls(list(arrays), *static)

    def unpack(self) -> Any:
        """The tree that was packed."""
        arrays = iter(self.arrays)
        leaves = [next(arrays) if s.value is _HOLE else s.value for s in self.skeleton]
        return jax.tree.unflatten(self.treedef, leaves)


def pack(
    tree: Any, is_dynamic: Callable[[Any], bool], is_leaf: Callable[[Any], bool] | None = None
) -> Packed:
    """Split ``tree`` into the leaves for which ``is_dynamic`` holds and the static rest."""
    leaves, treedef = _typed.flatten(tree, is_leaf=is_leaf)
    mask = [is_dynamic(leaf) for leaf in leaves]
    arrays = [leaf for leaf, dynamic in zip(leaves, mask, strict=True) if dynamic]
    skeleton = tuple(
        Static(_HOLE if dynamic else leaf) for leaf, dynamic in zip(leaves, mask, strict=True)
    )
    return Packed(arrays, skeleton, treedef)


def is_jax_array(leaf: Any) -> bool:
    """Whether ``leaf`` is an array of JAX, traced or not."""
    return isinstance(leaf, jax.Array)


def is_hashable(value: Any) -> bool:
    """Whether ``hash(value)`` works."""
    try:
        hash(value)
    except TypeError:
        return False
    return True
