"""The states of brainstate.

Owns: how such a state is read and written inside a function that is transformed, and how that is
watched. Never touches: units, derivatives.

A state of ours asks the trace what its value is. One of brainstate holds its value itself, so that
the value it is to have in a trace is put into it, and what it had before is put back when the trace
ends. So while a thread has such states in a trace, other threads wait.
"""

# pyright: reportPrivateUsage=false
# What brainstate has to read and to put in a value without its traces taking notice is private.

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from unitjac import _typed
from unitjac._errors import has_tracer, imported

from .foreign import Adopted
from .remembered import note_changed, note_read
from .state import StateTrace, fresh, watchers

_turn = threading.RLock()  # of the thread whose traces have values in such states


class BrainState(Adopted):
    """A ``brainstate.State`` of any kind."""

    __slots__ = ()
    holds_itself = True
    module, type_name = "brainstate", "State"

    @property
    def _value(self) -> Any:
        with _turn:
            return self.origin.value

    @_value.setter
    def _value(self, value: Any) -> None:
        with _turn:
            self.origin.value = value

    def seen(self) -> Any:
        """The value as it is seen now, without anything taking notice."""
        return _typed.contents(self.origin)["_value"]

    def held(self) -> Any:
        """The value, without a trace of brainstate recording that it is read."""
        return self.origin._read_value()

    def install(self, value: Any) -> None:
        """Put a value in, without a trace of brainstate recording it, and without hooks."""
        self.origin._write_value(value)


@contextmanager
def _seeded(trace: StateTrace) -> Generator[None]:
    """Put in the values that a trace has for such states, and put back what they had before."""
    seeded = {s: value for s, value in trace.seeds.items() if isinstance(s, BrainState)}
    if not seeded:
        yield
        return
    with _turn:
        for state in seeded:
            _ = state.origin.value  # a trace outside of this one keeps what it sees first
        before = {state: state.held() for state in seeded}
        try:
            for state, value in seeded.items():
                state.install(value)
            yield
        finally:
            for state, value in before.items():
                state.install(value)


@contextmanager
def _recorded(trace: StateTrace) -> Generator[None]:
    """Find out which states of brainstate are read, written and made; they keep what they had."""
    stack = imported("brainstate", "StateTraceStack")
    if stack is None:
        yield
        return
    recorder = _recorder_class(stack)(trace)
    made: list[weakref.ref[Any]] = []  # weak: one that nobody keeps is nobody's business
    with recorder.turn:
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
            note_changed(trace.writes)
            for origin in [found() for found in made]:
                if origin is not None and has_tracer(BrainState(origin).held()):
                    state = BrainState(origin)
                    trace.writes[state] = state.held()
                    state.install(None)  # no tracer stays in it; its value is to come later


@functools.cache
def _recorder_class(stack: Any) -> Any:
    """A trace stack of brainstate that tells when a program that JAX remembers reads a state."""

    class Recorder(stack):
        def __init__(self, trace: StateTrace):
            super().__init__(new_arg=_fresh_value)
            self.trace = trace
            self.turn = ExitStack()

        def read_its_value(self, state: Any) -> None:
            if not self.states:
                self.turn.enter_context(_turn)
            super().read_its_value(state)
            adopted = BrainState(state)
            if _is_last(self) and self.trace.is_read_inside(adopted) and not _is_put_back():
                note_read(adopted, adopted.seen())

        def write_its_value(self, state: Any) -> None:
            super().write_its_value(state)
            note_changed([BrainState(state)])

    return Recorder


def _fresh_value(origin: Any) -> Any:
    return fresh(BrainState(origin).held())


def _is_last(recorder: Any) -> bool:
    """Whether no function of brainstate is being traced inside: of one, states are arguments."""
    context = imported("brainstate._state", "TRACE_CONTEXT")
    return context is None or context.state_stack[-1] is recorder


def _is_put_back() -> bool:
    """Whether brainstate records a read since it puts back what a state had before a trace."""
    frame = sys._getframe(2)
    for _ in range(2):
        if frame is not None and frame.f_code.co_name == "record_state_value_restore":
            return True
        frame = frame and frame.f_back
    return False


# Entered in this order: what is put back last is what the states had before any of it.
watchers += [_seeded, _recorded]
