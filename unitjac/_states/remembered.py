"""Programs that JAX remembers, and the states that are read in them.

Owns: which states were read inside a function that JAX traces by itself, and how a call is done so
that JAX finds none of the programs that it remembers. Never touches: values, units, derivatives.

JAX keeps the program of a function that it traces by itself (``jax.jit``, ``lax.scan``, ``cond``,
``while_loop``, ``jax.checkpoint``) by the function and the shapes of its arguments. A state that
such a function reads is no argument of it: a later call may find the program of an earlier one,
with the value that the state had then, or with a tracer of a trace that has ended. So derivatives
have programs of their own, apart from those of plain calls; the reads in them are counted, and
where some are missing, or a tracer is a stale one, the call is done once more with nothing
remembered. A function that is made anew in each call is traced anew in each, and pays nothing.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Generator, Hashable, Iterable
from contextlib import contextmanager
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.core import Tracer

from unitjac import _typed

Result = TypeVar("Result")
Call = Callable[[], tuple[Result, int]]
"""Gives a result, and how often states were read inside of what JAX traces by itself."""

# Its value is part of the key by which JAX remembers a program: None in a plain call.
_context = jax.make_user_context(None)
_numbers = itertools.count()


class _Thread(threading.local):
    """Whether the programs that JAX finds now are those of derivatives."""

    is_apart = False


class _Shared:
    """What all functions have in common.

    Attributes
    ----------
    generation : int
        The context of functions of which nothing is known. What was traced in it read no state
        that has been written since.
    read_inside : set of State
        The states that programs have read, of this generation and maybe others.
    """

    def __init__(self) -> None:
        self.generation = next(_numbers)
        self.read_inside: weakref.WeakSet[Any] = weakref.WeakSet()


_thread, _shared = _Thread(), _Shared()
_any_made, _any_read = threading.Event(), threading.Event()


def level() -> Any:
    """The trace of JAX that runs, to be compared with another one."""
    return _typed.get_opaque_trace_state(convention="unitjac")


def is_inside(of: Any) -> bool:
    """Whether a program is being traced, by another trace than ``of``.

    A trace that computes numbers, as that of ``jax.vmap`` does, makes no program to remember.
    """
    return level() != of and _is_staged()


def _is_staged() -> bool:
    """Whether what runs becomes a program, in place of being computed."""
    return isinstance(jax.lax.iota(jnp.int32, 1), Tracer)


def note_made() -> None:
    """There is a state."""
    _any_made.set()


def note_read(state: Any) -> None:
    """A program that JAX may remember has read ``state``."""
    _any_read.set()
    _shared.read_inside.add(state)


def note_written(state: Any) -> None:
    """``state`` has another value than it may have had when a program read it."""
    if _any_read.is_set() and state in _shared.read_inside:
        _shared.generation = next(_numbers)
        _shared.read_inside.clear()


class Memory:
    """What is known of the reads of states in a function, from one call to the next.

    Attributes
    ----------
    number : int or None
        The context that it was called in.
    reads : int or None
        How often states are read inside of what JAX traces by itself, where all of it is traced;
        None as long as that is not known.
    is_stale : bool
        Whether its programs hold values of an earlier call, whenever they are remembered.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.reads: int | None = None
        self.is_stale = False

    @classmethod
    def of(cls, fun: Any, transform: str) -> Memory:
        """The one memory of a function in transforms of one kind, which trace it in one way."""
        try:
            return _memories.setdefault(fun, {}).setdefault(transform, cls())
        except TypeError:  # no hash, or no weak references to it
            return cls()

    def run(self, call: Call[Result], states: Iterable[Any]) -> Result:
        """The result of ``call``, for which JAX used no program with values of an earlier call.

        Parameters
        ----------
        call : callable
            It is called again where JAX remembered programs.
        states : iterable of State
            Those that have other values in this call than their own.
        """
        if not _any_made.is_set():
            return call()[0]
        is_due = self.is_stale or self._may_be_stale(states)
        tried = None if is_due else self._try(call)
        if tried is not None and self._is_whole(tried):
            return tried[0]
        self.number = next(_numbers)
        with _programs(self.number):
            result, reads = call()
        self._learn(reads)
        if not is_due:
            self.is_stale = tried is None or not self._is_whole(tried)
        return result

    def _may_be_stale(self, states: Iterable[Any]) -> bool:
        """Whether a program with another value may be found, and go unnoticed or in the way."""
        # what is tried leaves its equations in the program around it
        if (self.reads or _shared.read_inside) and _is_staged():
            return True
        if self.reads is not None:
            return False
        is_of_before = self.number not in (None, _shared.generation)
        return is_of_before or any(state in _shared.read_inside for state in states)

    def _try(self, call: Call[Result]) -> tuple[Result, int] | None:
        """What ``call`` gives; None if JAX remembered a program with a tracer."""
        is_first = not _shared.read_inside
        if self.reads is None or self.number is None:
            self.number = _shared.generation
        try:
            with _programs(self.number, unless_apart=True):
                tried = call()
        except jax.errors.UnexpectedTracerError:
            return None
        if self.reads is not None or is_first:
            self._learn(tried[1])
        return tried

    def _learn(self, reads: int) -> None:
        # the most of all ways that the function goes: too many cost time, too few an answer
        self.reads = reads if self.reads is None else max(self.reads, reads)

    def _is_whole(self, tried: tuple[Any, int]) -> bool:
        """Whether all of the function was traced."""
        return self.reads is None or tried[1] >= self.reads


_memories: weakref.WeakKeyDictionary[Hashable, dict[str, Memory]] = weakref.WeakKeyDictionary()


@contextmanager
def _programs(number: int, unless_apart: bool = False) -> Generator[None]:
    """Let JAX find the programs of one context only, and none that a plain call left behind."""
    before = _thread.is_apart
    if before and unless_apart:  # inside of another function, it is called in its context
        yield
        return
    _thread.is_apart = True
    try:
        with _context(number):
            yield
    finally:
        _thread.is_apart = before
