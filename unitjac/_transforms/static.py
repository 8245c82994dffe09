"""Trees that hold anything, made fit for JAX: arrays as children, all else as static data.

Owns: :class:`Packed`, its split and its way back. Never touches: units, states, derivatives.

JAX moves only arrays across the boundary of a transformed function. A tree that holds strings,
flags or objects beside its arrays crosses as a :class:`Packed`: its arrays are children, the
rest is part of the tree's structure, and so of the key under which ``jax.jit`` finds a
compiled program again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax

from unitjac import _key_order, _typed
from unitjac._errors import path_text

from .opened import Mould, mould_of

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
    """A tree of anything: ``arrays`` are its children, the skeleton is static.

    The skeleton has an entry for each leaf, and none where all leaves are arrays.
    """

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

    @property
    def is_all_arrays(self) -> bool:
        """Whether there is nothing but arrays in the tree."""
        return not self.skeleton

    def unpack(self) -> Any:
        """The tree that was packed."""
        if self.is_all_arrays:
            return self.treedef.unflatten(self.arrays)
        arrays = iter(self.arrays)
        leaves = [_filled(static.value, arrays) for static in self.skeleton]
        return self.treedef.unflatten(leaves)


def _in_the_result(path: tuple[Any, ...]) -> str:
    return path_text("the result", path)


def _filled(static: Any, arrays: Iterator[Any]) -> Any:
    if static is _HOLE:
        return next(arrays)
    if isinstance(static, Mould):
        return static.fill(itertools.islice(arrays, len(static.holes)))
    return static


def pack(
    tree: Any,
    is_dynamic: Callable[[Any], bool],
    is_leaf: Callable[[Any], bool] | None = None,
    label: Callable[[tuple[Any, ...]], str] = _in_the_result,
    with_records: bool = False,
    looks_inside: bool = True,
    as_written: bool = False,
) -> Packed:
    """Split ``tree`` into the leaves for which ``is_dynamic`` holds and the static rest.

    An object that holds tracers is taken apart, too.

    Parameters
    ----------
    tree : pytree
        Of anything.
    is_dynamic, is_leaf : callable
        Whether a leaf is an array; whether a node is to be taken for a leaf.
    label : callable, optional
        Gives what messages call the leaf at a key path.
    with_records : bool, default False
        Whether each dataclass and namespace is to be another one when it is unpacked.
    looks_inside : bool, default True
        Whether objects may hold tracers.
    as_written : bool, default False
        Whether keys come back in the order in which they are written here, and not sorted.
    """
    leaves, treedef = _typed.flatten(tree, is_leaf=is_leaf)
    arrays: list[Any] = []
    skeleton: list[Static] = []
    for k, leaf in enumerate(leaves):
        if is_dynamic(leaf):
            arrays.append(leaf)
            skeleton.append(Static(_HOLE))
            continue

        def named(k: int = k) -> str:
            return label(_typed.flatten_with_path(tree, is_leaf=is_leaf)[0][k][0])

        opened = mould_of(leaf, named, with_records) if looks_inside else None
        skeleton.append(Static(leaf if opened is None else opened[0]))
        arrays += [] if opened is None else opened[1]
    if as_written:
        treedef = _key_order.structure(tree, is_leaf)
    is_mixed = any(static.value is not _HOLE for static in skeleton)
    return Packed(arrays, tuple(skeleton) if is_mixed else (), treedef)


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
