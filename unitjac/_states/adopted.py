"""States of other libraries, as states of ours: those of brainstate, and the variables of flax.nnx.

Owns: how such a state is read and written, how a function that reads and writes some is watched.
Never touches: units, derivatives; it imports none of these libraries, since who has a state of one
has imported it.

A state of ours asks the trace what its value is. One of another library holds its value itself, so
that the value it is to have in a trace is put into it, and what it had before is put back when the
trace ends. So such a state belongs to one thread at a time.
"""

from __future__ import annotations

import weakref
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from unitjac._errors import has_tracer, imported

from .remembered import note_made
from .state import State, StateTrace, fresh, watchers


def as_state(leaf: Any) -> State | None:
    """``leaf`` as a state; None if it is none, of any library."""
    if isinstance(leaf, State):
        return leaf
    for kind in (BrainState, FlaxVariable):
        known = kind.known()
        if known is not None and isinstance(leaf, known):
            return kind(leaf)
    return None


class Adopted(State):
    """A state of another library; equal to any other one that was made of the same state."""

    __slots__ = ("origin",)
    holds_itself = True
    module: str
    type_name: str

    def __init__(self, origin: Any):
        self.origin = origin
        note_made()

    @classmethod
    def known(cls) -> Any:
        """The class of such states; None where its library is not imported."""
        return imported(cls.module, cls.type_name)

    @property
    def name(self) -> Any:
        """The name that the other library gives it, if any."""
        return getattr(self.origin, "name", None)

    @property
    def _value(self) -> Any:
        return self.origin.value

    @_value.setter
    def _value(self, value: Any) -> None:
        self.origin.value = value

    def note_read(self) -> None:
        """Let the traces of the other library, if it has any, take notice of the state."""

    def held(self) -> Any:
        """The value, without the other library taking notice."""
        raise NotImplementedError

    def install(self, value: Any) -> None:
        """Put a value in, without the other library taking notice."""
        raise NotImplementedError

    def copied(self, memo: dict[int, Any]) -> State:
        """The state of the copy, where the origin was copied."""
        origin = memo.get(id(self.origin))
        return self if origin is None else type(self)(origin)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Adopted) and other.origin is self.origin

    def __hash__(self) -> int:
        return id(self.origin)

    def __reduce__(self) -> Any:
        return type(self), (self.origin,)

    def __repr__(self) -> str:
        return self._text(type(self.origin).__name__, self.held())


class BrainState(Adopted):
    """A ``brainstate.State`` of any kind."""

    __slots__ = ()
    module, type_name = "brainstate", "State"

    def note_read(self) -> None:
        """Let the traces of brainstate that run record a read."""
        _ = self.origin.value

    def held(self) -> Any:
        """The value, without a trace of brainstate recording that it is read."""
        return self.origin._read_value()

    def install(self, value: Any) -> None:
        """Put a value in, without a trace of brainstate recording it, and without hooks."""
        self.origin._write_value(value)


class FlaxVariable(Adopted):
    """A ``flax.nnx.Variable`` of any kind: read, and not written, inside a transformed function.

    flax lets a variable be written in the trace only that it was made in.
    """

    __slots__ = ()
    module, type_name = "flax.nnx", "Variable"

    @property
    def _value(self) -> Any:
        return self.origin.get_value()

    @_value.setter
    def _value(self, value: Any) -> None:
        self.origin.set_value(value)

    def held(self) -> Any:
        """The value, without the variable's hooks."""
        return self.origin.get_raw_value()

    def install(self, value: Any) -> None:
        """Put a value in, whatever trace the variable was made in."""
        object.__setattr__(self.origin, "_raw_value", value)


@contextmanager
def _seeded(trace: StateTrace) -> Generator[None]:
    """Put in the values that a trace has for such states, and put back what they had before."""
    seeded = {s: value for s, value in trace.seeds.items() if isinstance(s, Adopted)}
    for state in seeded:
        state.note_read()  # a trace outside of this one keeps what it sees first
    before = {state: state.held() for state in seeded}
    try:
        for state, value in seeded.items():
            state.install(value)
        yield
    finally:
        for state, value in before.items():
            state.install(value)
            if isinstance(state, FlaxVariable):  # which tells nobody that it is read
                trace.reads[state] = None


@contextmanager
def _recorded(trace: StateTrace) -> Generator[None]:
    """Find out which states of brainstate are read, written and made; they keep what they had."""
    stack = imported("brainstate", "StateTraceStack")
    if stack is None:
        yield
        return

    def held(origin: Any) -> Any:
        return fresh(BrainState(origin).held())

    recorder = stack(new_arg=held)
    made: list[weakref.ref[Any]] = []  # weak: one that nobody keeps is nobody's business
    try:
        with imported("brainstate", "catch_new_states")() as catcher, recorder:
            try:
                yield
            finally:
                made += map(weakref.ref, catcher.get_states())
                del catcher
    finally:
        columns = recorder.states, recorder.been_writen, recorder.original_state_values
        for origin, is_written, original in zip(*columns, strict=True):
            state = BrainState(origin)
            trace.reads[state] = None
            if is_written:
                trace.writes[state] = state.held()
            state.install(original)
        for origin in [found() for found in made]:
            if origin is not None and has_tracer(BrainState(origin).held()):
                state = BrainState(origin)
                trace.writes[state] = state.held()
                state.install(None)  # no tracer stays in it; the value it is to have comes later


# Entered in this order: what is put back last is what the states had before any of it.
watchers += [_seeded, _recorded]
