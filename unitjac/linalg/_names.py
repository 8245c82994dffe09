"""The names of leaves: their labels, and which leaf of one tree is which of another.

Owns: a name as the keys that lead to a leaf, its text, the pairing by name. Never touches: arrays,
units.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import jax

Name = tuple[str, ...]
"""The keys that lead to a leaf, from outside to inside; none for a leaf without a tree."""

_MOST = 12


def name_of_path(path: tuple[Any, ...]) -> Name:
    """The keys of a key path of JAX."""
    return tuple(jax.tree_util.keystr((key,), simple=True) for key in path)


def labels_of(names: Sequence[Name]) -> tuple[str, ...]:
    """A text for each name, ``p/g``; ``['p']['g']`` where two names would read alike."""
    texts = ["/".join(name) for name in names]
    readings = Counter(_folded("/".join(name)) for name in set(names))
    return tuple(
        text if readings[_folded(text)] == 1 else "".join(f"[{key!a}]" for key in name)
        for text, name in zip(texts, names, strict=True)
    )


def order_by_name(mine: Sequence[Name], theirs: Sequence[Name]) -> list[int] | None:
    """For each of my names the place where it stands among theirs; None where they differ.

    Letters that Python takes for one in identifiers are one here, where that confuses none of the
    names: U+00B5 and U+03BC for micro.
    """
    if mine == theirs:
        return list(range(len(mine)))
    for fold in _READINGS:
        one, other = ([tuple(map(fold, name)) for name in names] for names in (mine, theirs))
        places = {name: k for k, name in enumerate(other)}
        if len(set(one)) == len(one) == len(other) == len(places) and places.keys() == set(one):
            return [places[name] for name in one]
    return None


def beginning_with(keys: Name, names: Sequence[Name]) -> tuple[int, list[int]]:
    """The names that begin with these keys, and how many keys of theirs that are.

    A single key may be several, written as a label has it: ``p/g``.
    """
    for fold in _READINGS:
        wanted = tuple(map(fold, keys))
        folded = [tuple(map(fold, name)) for name in names]
        found = [k for k, name in enumerate(folded) if name[: len(wanted)] == wanted]
        if found:
            return len(wanted), found
        text = "/".join(wanted)
        for depth in range(1, max(map(len, names), default=0) + 1):
            found = [k for k, name in enumerate(folded) if "/".join(name[:depth]) == text]
            if found:
                return depth, found
    return 0, []


def differing(mine: Sequence[str], theirs: Sequence[str]) -> tuple[str, str]:
    """Two lists of labels in a message; of long ones only what the other does not have."""
    if max(len(mine), len(theirs)) > _MOST:
        ours, others = set(mine), set(theirs)
        mine = [label for label in mine if label not in others] or mine
        theirs = [label for label in theirs if label not in ours] or theirs
    return _listed(mine), _listed(theirs)


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MOST:,} more" if len(labels) > _MOST else ""
    shown = (label or "one leaf without a name" for label in labels[:_MOST])
    return (", ".join(shown) or "none") + more


def _folded(key: str) -> str:
    return key if key.isascii() else unicodedata.normalize("NFKC", key)


# as it is written, and then as Python reads it
_READINGS: tuple[Callable[[str], str], ...] = (str, _folded)
