"""Objects that are no trees and hold tracers, made fit for JAX: their arrays are taken out.

Owns: :class:`Mould`, how tracers are found in an object and others are put in their place. Never
touches: units, derivatives.

JAX looks into the trees that it knows, and takes anything else for a leaf. A dataclass or a
namespace that a function fills with arrays would carry tracers out of their trace. So such an
object crosses as the tracers that it holds and a mould, of which each call has a copy of its own.
"""

from __future__ import annotations

import copy
import functools
import types
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import is_dataclass
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from unitjac import _typed
from unitjac._errors import array_text, has_tracer, is_arraylike
from unitjac._states.adopted import as_state

_SEQUENCES = (list, tuple, set, frozenset, deque)
_RECORDS = (types.SimpleNamespace, set, deque, bytearray)
_ATOMS = (
    str,
    bytes,
    int,
    float,
    complex,
    type(None),
    type,
    types.ModuleType,
    jax.Array,
    np.generic,
)


class Mould:
    """An object without its arrays."""

    def __init__(self, shape: Any, holes: list[object], kept: list[Any]):
        self.shape = shape
        self.holes = holes
        self.kept = kept

    def fill(self, arrays: Iterable[Any]) -> Any:
        """An object of its own, with these arrays."""
        return _copied(self.shape, self.holes, arrays, self.kept)


def mould_of(
    leaf: Any, label: Callable[[], str], with_records: bool = False
) -> tuple[Mould, list[Any]] | None:
    """The mould of an object that holds tracers, and these; None for any other one.

    Parameters
    ----------
    leaf : object
        What is no tree to JAX.
    label : callable
        Gives what messages call it.
    with_records : bool, default False
        Whether dataclasses and namespaces have a mould whatever they hold, so that each call has
        one of its own.

    Raises
    ------
    TypeError
        If a tracer is held where no other array can be put: by a function, say.
    """
    if isinstance(leaf, _ATOMS):
        return None
    search = _Search(leaf)
    if not search.tracers and not (with_records and _is_record(leaf)):
        return None
    paths, tracers = list(search.tracers.values()), list(search.holders.values())
    holes = [object() for _ in tracers]
    try:
        shape = _copied(leaf, tracers, holes, search.kept)
        left = list(_Search(shape).tracers.values())
    except Exception as error:  # of whatever cannot be copied
        raise TypeError(_refusal(leaf, label(), paths[0], tracers[0])) from error
    if left:
        raise TypeError(_refusal(leaf, label(), left[0], tracers[0]))
    return Mould(shape, holes, search.kept), tracers


class _Search:
    """The tracers in an object, and trees of them: each one's path and itself; what holds none."""

    def __init__(self, thing: Any):
        self.tracers: dict[int, str] = {}
        self.holders: dict[int, Any] = {}
        self.kept: list[Any] = []
        self._seen: dict[int, bool] = {}
        self._alive: list[Any] = []  # no other object takes the id of one that was seen
        self._look(thing, "")

    def _look(self, thing: Any, path: str) -> bool:
        """Whether ``thing`` holds a tracer."""
        if _typed.is_a(thing, Tracer) or _is_tree_of_tracers(thing):
            self.tracers.setdefault(id(thing), path)
            self.holders[id(thing)] = thing
            return True
        if isinstance(thing, _ATOMS) and not isinstance(thing, jax.Array):
            return False
        if id(thing) not in self._seen:
            self._alive.append(thing)
            self._seen[id(thing)] = True  # where it holds itself, it is copied with what holds it
            is_whole = isinstance(thing, jax.Array) or as_state(thing) is not None
            parts = [] if is_whole else list(_parts(thing))
            found = [self._look(part, path + step) for step, part in parts]
            self._seen[id(thing)] = any(found)
            # it stays the object that it is, but for lists and the like
            if not any(found) and not _is_copied(thing):
                self.kept.append(thing)
        return self._seen[id(thing)]


def _is_tree_of_tracers(thing: Any) -> bool:
    """Whether JAX itself can take a tree apart, as a quantity, which holds tracers."""
    if isinstance(thing, (*_ATOMS, dict, *_SEQUENCES)) or jax.tree_util.all_leaves([thing]):
        return False
    return has_tracer(thing) and all(map(is_arraylike, jax.tree.leaves(thing)))


def _parts(thing: Any) -> Generator[tuple[str, Any]]:
    """What an object holds, each with how one would type it."""
    if _typed.is_a(thing, dict):
        yield from ((f"[{key!r}]", part) for key, part in _typed.items(thing))
    elif _typed.is_a(thing, _SEQUENCES) or _is_array_of_objects(thing):
        yield from ((f"[{k}]", part) for k, part in enumerate(_typed.entries(thing)))
    elif isinstance(thing, types.FunctionType):
        cells = zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True)
        for name, cell in cells:
            yield f" (its {name})", _content(cell)
        yield from ((" (a default)", part) for part in thing.__defaults__ or ())
    elif _typed.is_a(thing, types.MethodType):
        yield ".__self__", thing.__self__
    elif _typed.is_a(thing, functools.partial):
        yield from ((".args", thing.args), (".keywords", thing.keywords), (".func", thing.func))
    if not isinstance(thing, types.FunctionType | np.ndarray):
        yield from ((f".{name}", part) for name, part in getattr(thing, "__dict__", {}).items())
        for kind in type(thing).__mro__:
            for name, slot in _typed.contents(kind).items():
                if isinstance(slot, types.MemberDescriptorType):
                    yield f".{name}", _slot_of(thing, slot)


def _is_array_of_objects(thing: Any) -> bool:
    return _typed.is_a(thing, np.ndarray) and thing.dtype == object


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is not yet given
        return None


def _slot_of(thing: Any, slot: types.MemberDescriptorType) -> Any:
    try:
        return slot.__get__(thing)
    except AttributeError:  # nothing is in it
        return None


def _copied(thing: Any, old: Iterable[Any], new: Iterable[Any], kept: Iterable[Any]) -> Any:
    memo = {id(part): part for part in kept}
    memo |= {id(before): after for before, after in zip(old, new, strict=True)}
    return copy.deepcopy(thing, memo)


def _is_record(thing: Any) -> bool:
    return isinstance(thing, _RECORDS) or (is_dataclass(thing) and not isinstance(thing, type))


def _is_copied(thing: Any) -> bool:
    return _is_record(thing) or isinstance(thing, (dict, np.ndarray, *_SEQUENCES))


def _refusal(leaf: Any, label: str, path: str, tracer: Any) -> str:
    return (
        f"{label} is a {type(leaf).__name__} that holds a tracer of JAX ({array_text(tracer)}) at "
        f"{path.strip() or 'some place'}, which must not outlive its trace and cannot be taken "
        "out. Return the array itself, or a tuple, a dict or a dataclass of arrays."
    )
