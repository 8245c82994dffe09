"""The keys of dicts in the order in which they were written, where JAX sorts them.

Owns: the structure that makes a tree's dicts as they were written, and the order of leaves in it.
Never touches: what a leaf is, how a tree is shown.

JAX takes the leaves of a dict by its sorted keys, and makes dicts with their keys sorted. To make
one as it was written, a class of ours stands in for it in the structure: its leaves come in JAX's
order too, and what JAX makes of it is a dict, its keys in the order that the class knows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax

from . import _typed

IsLeaf = Callable[[Any], bool]
Places = tuple[tuple[Any, int], ...]
"""The keys as they were written, each with its place among the sorted ones."""

_DICTS = (dict, defaultdict)  # those that JAX sorts


class Written(NamedTuple):
    """A tree of which some dict has its keys in another order than the sorted one.

    Attributes
    ----------
    structure : PyTreeDef
        Of the leaves in JAX's order it makes a tree whose keys are in the order as written.
    order : tuple of int
        The numbers of the leaves (in JAX's order) in the order as written.
    """

    structure: Any
    order: tuple[int, ...]


def flatten(
    tree: Any, is_leaf: IsLeaf | None = None
) -> tuple[list[tuple[tuple[Any, ...], Any]], Any, Written | None]:
    """Leaves with their key paths and the structure as JAX has them; and the tree as written.

    None stands for a tree of which JAX's order is the one as written.
    """
    dicts: list[Any] = []

    def visited(node: Any) -> bool:
        if _typed.is_exactly(node, *_DICTS):
            dicts.append(node)
        return is_leaf is not None and is_leaf(node)

    entries, treedef = _typed.flatten_with_path(tree, is_leaf=visited)
    if not any(map(_is_unsorted, dicts)):
        return entries, treedef, None
    stand_in, order = _standing_in(tree, is_leaf)
    structure = _typed.structure(stand_in, is_leaf=is_leaf)
    return entries, treedef, Written(structure, tuple(order))


def structure(tree: Any, is_leaf: IsLeaf | None = None) -> Any:
    """The structure that makes a tree's dicts with their keys as they are written there."""
    _, treedef, written = flatten(tree, is_leaf)
    return treedef if written is None else written.structure


def is_sorted(tree: Any) -> bool:
    """Whether JAX's order of the keys is the one in which they are written."""
    return flatten(tree)[2] is None


def like(tree: Any, leaves: Iterable[Any], is_leaf: IsLeaf | None = None) -> Any:
    """The tree with other leaves, which are in JAX's order, and its keys as they are written."""
    return structure(tree, is_leaf).unflatten(leaves)


def as_in(tree: Any, original: Any) -> Any:
    """``tree`` with its keys as they are written in ``original``, which is the same tree to JAX."""
    entries, _, written = flatten(original)
    if written is None:
        return tree
    found, _ = _typed.flatten(tree)
    # what stands in place of a static leaf need not be the same tree
    return written.structure.unflatten(found) if len(found) == len(entries) else tree


def leaves(tree: Any, is_leaf: IsLeaf | None = None) -> list[tuple[tuple[Any, ...], Any]]:
    """Leaves with their key paths, in the order in which they were written."""
    entries, _, written = flatten(tree, is_leaf)
    return entries if written is None else [entries[k] for k in written.order]


class _Dict(dict[Any, Any]):
    """Stands in for a dict in a structure."""


class _DefaultDict(defaultdict[Any, Any]):
    """Stands in for a defaultdict in a structure."""


def _is_unsorted(node: Any) -> bool:
    return len(node) > 1 and list(node) != sorted(node)


def _standing_in(node: Any, is_leaf: IsLeaf | None, start: int = 0) -> tuple[Any, list[int]]:
    """What stands in for a node, and the numbers of its leaves, from ``start``, as written."""
    if is_leaf is not None and is_leaf(node):
        return node, [start]
    if _typed.is_exactly(node, *_DICTS) and _is_unsorted(node):
        return _dict_standing_in(node, is_leaf, start)

    def is_part(part: Any) -> bool:
        return part is not node

    parts, outer = _typed.flatten(node, is_leaf=is_part)
    if len(parts) == 1 and parts[0] is node:
        return node, [start]
    made, numbers = _all_standing_in(parts, is_leaf, start)
    if any(one is not other for one, other in zip(made, parts, strict=True)):
        node = outer.unflatten(made)
    return node, [k for own in numbers for k in own]


def _dict_standing_in(node: Any, is_leaf: IsLeaf | None, start: int) -> tuple[Any, list[int]]:
    keys = sorted(node)
    made, numbers = _all_standing_in([node[key] for key in keys], is_leaf, start)
    parts, order = (dict(zip(keys, found, strict=True)) for found in (made, numbers))
    pairs = [(key, parts[key]) for key in node]
    is_default = _typed.is_a(node, defaultdict)
    stand_in = _DefaultDict(node.default_factory, pairs) if is_default else _Dict(pairs)
    return stand_in, [k for key in node for k in order[key]]


def _all_standing_in(
    parts: Iterable[Any], is_leaf: IsLeaf | None, start: int
) -> tuple[list[Any], list[list[int]]]:
    made: list[Any] = []
    numbers: list[list[int]] = []
    for part in parts:
        stand_in, own = _standing_in(part, is_leaf, start)
        made.append(stand_in)
        numbers.append(own)
        start += len(own)
    return made, numbers


def _places(node: Any) -> Places:
    at = {key: k for k, key in enumerate(sorted(node))}
    return tuple((key, at[key]) for key in node)


# A stand-in comes back as what it stands in for, of which the types of JAX know nothing.
def _made(places: Places, parts: Iterable[Any]) -> Any:
    in_order = list(parts)
    return {key: in_order[at] for key, at in places}


def _made_default(aux: tuple[Any, Places], parts: Iterable[Any]) -> Any:
    factory, places = aux
    return defaultdict(factory, _made(places, parts))


jax.tree_util.register_pytree_with_keys(
    _Dict,
    lambda node: ([(jax.tree_util.DictKey(k), node[k]) for k in sorted(node)], _places(node)),
    _made,
)
jax.tree_util.register_pytree_with_keys(
    _DefaultDict,
    lambda node: (
        [(jax.tree_util.DictKey(k), node[k]) for k in sorted(node)],
        (node.default_factory, _places(node)),
    ),
    _made_default,
)
