"""Programs that JAX remembers, and the states that are read in them.

Owns: in which context a function is called, so that JAX finds no program in it that has another
value of a state than the function sees. Never touches: units, derivatives.

JAX keeps the program of a function that it traces by itself (``jax.jit``, ``lax.scan``, ``cond``,
``while_loop``, ``jax.checkpoint``) by the function and the shapes of its arguments. A state that
such a function reads is no argument of it: a later call may find the program of an earlier one,
with the value that the state had then, or with a tracer of a trace that has ended.

So derivatives have programs of their own, apart from those of plain calls, and each set of programs
knows which states were read in them, and what these were. As soon as one of these states is to have
another value, the call goes on with a set that is empty. A function whose programs have read no
state, which is the usual case, has those of all others like it.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.core import Tracer

from unitjac import _typed

Result = TypeVar("Result")

# Its value is part of the key by which JAX remembers a program: None in a plain call.
_context = jax.make_user_context(None)
_numbers = itertools.count()
_any_made = threading.Event()

# Tell whether there may be states of another library: its class of them, or None.
libraries: list[Callable[[], Any]] = []


class Programs:
    """What JAX remembers by one number; one thread at a time uses it.

    Attributes
    ----------
    number : int
        The value of the context.
    read : dict of State to value
        The states that these programs have read, and what they were; they still are.
    have_read : bool
        Whether programs have read any since the call began, of another number too.
    """

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.read: dict[Any, Any] = {}
        self.have_read = False
        self._contexts = ExitStack()

    @contextmanager
    def used(self) -> Generator[None]:
        """Let JAX find these programs only, in this thread."""
        self.have_read = False
        with self._contexts:
            self._contexts.enter_context(_context(self.number))
            _thread.programs = self
            try:
                yield
            finally:
                _thread.programs = None

    def renew(self) -> None:
        """Go on without any program."""
        self.number = next(_numbers)
        self.read.clear()
        self._contexts.enter_context(_context(self.number))

    def are_current(self) -> bool:
        """Whether each state that was read is now seen as it was then."""
        return all(_same(state.seen(), value) for state, value in self.read.items())


class _Thread(threading.local):
    """The programs that JAX finds now; None in a plain call."""

    programs: Programs | None = None


_thread = _Thread()
_idle: deque[Programs] = deque()  # that have read no state, one for each thread that is at work


def level() -> Any:
    """The trace of JAX that runs, to be compared with another one."""
    return _typed.get_opaque_trace_state(convention="unitjac")


def is_inside(of: Any) -> bool:
    """Whether a program is being traced, by another trace than ``of``.

    A trace that computes numbers, as that of ``jax.vmap`` does, makes no program to remember.
    """
    # whether what runs becomes a program, in place of being computed
    return level() != of and isinstance(jax.lax.iota(jnp.int32, 1), Tracer)


def note_made() -> None:
    """There is a state."""
    _any_made.set()


def note_read(state: Any, value: Any) -> None:
    """A program that JAX may remember has read ``state``."""
    programs = _thread.programs
    if programs is not None:
        programs.read.setdefault(state, value)
        programs.have_read = True


def note_changed(states: Iterable[Any]) -> None:
    """These states have another value than they may have had when a program read them."""
    programs = _thread.programs
    if programs is not None and programs.read and any(s in programs.read for s in states):
        programs.renew()


class Memory:
    """The programs of a function that reads states in some; None of them as long as it reads none.

    Attributes
    ----------
    has_read : bool
        Whether a program has read a state, in any call so far.
    """

    def __init__(self) -> None:
        self.has_read = False
        self._kept: deque[Programs] = deque(maxlen=1)

    @classmethod
    def of(cls, fun: Any) -> Memory:
        """The one memory of a function, in whatever transforms."""
        try:
            return _memories.setdefault(fun, cls())
        except TypeError:  # no hash, or no weak references to it
            return cls()

    def run(self, call: Callable[[], Result]) -> Result:
        """The result of ``call``, for which JAX finds no program with values of an earlier call."""
        is_needed = _any_made.is_set() or any(known() is not None for known in libraries)
        if not is_needed or _thread.programs is not None:
            return call()  # inside of another function, it has the programs of that one
        programs = self._take()
        try:
            with programs.used():
                return call()
        finally:
            self._put_back(programs)

    def _take(self) -> Programs:
        try:
            programs = (self._kept if self.has_read else _idle).pop()
        except IndexError:  # the first call, or another thread has them
            return Programs()
        return programs if programs.are_current() else Programs()

    def _put_back(self, programs: Programs) -> None:
        self.has_read = self.has_read or programs.have_read
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(list(programs.read.values()))):
            return
        (self._kept if self.has_read else _idle).append(programs)


_memories: weakref.WeakKeyDictionary[Hashable, Memory] = weakref.WeakKeyDictionary()


def _same(now: Any, then: Any) -> bool:
    """Whether a value has the very leaves of another one; arrays of NumPy may have been changed."""
    leaves, tree = _typed.flatten(now)
    others, other_tree = _typed.flatten(then)
    return tree == other_tree and all(
        a is b and isinstance(a, jax.Array | float | complex | int)
        for a, b in zip(leaves, others, strict=True)
    )
