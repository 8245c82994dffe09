"""The variables of flax.nnx.

Owns: how such a variable is read and written inside a function that is transformed. Never touches:
units, derivatives.

A variable tells nobody that it is read, and everything that reads it, from ``get_value`` and the
operators to ``nnx.split``, does so through one slot of its class. That slot is replaced, as soon as
a trace has run, by one that asks the trace of this thread what the value is; where no trace runs,
it is as it was. So a variable is read as a state of ours is, by any number of threads.
"""

# pyright: reportPrivateUsage=false
# A variable of flax keeps its value under a private name.

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import jax

from unitjac import _typed
from unitjac._errors import has_tracer, is_arraylike

from .foreign import Adopted
from .state import StateTrace, innermost, watchers

_SLOT = "_raw_value"


class FlaxVariable(Adopted):
    """A ``flax.nnx.Variable`` of any kind: read, and not written, inside a transformed function.

    flax lets a variable be written in the trace only that it was made in.
    """

    __slots__ = ()
    module, type_name = "flax.nnx", "Variable"

    @classmethod
    def known(cls) -> Any:
        """The class of variables, if it keeps their values where they can be watched."""
        known = super().known()
        return known if known is not None and _SLOT in _typed.contents(known) else None

    @property
    def name(self) -> Any:
        """What the variable's metadata calls it, if they do."""
        return self.origin.get_metadata("name", None)

    @property
    def _value(self) -> Any:
        value = self.held()
        return value[...] if _typed.is_a(value, jax.Ref) else value

    @_value.setter
    def _value(self, value: Any) -> None:
        self.origin.set_raw_value(value)

    def held(self) -> Any:
        """What the variable itself holds, whatever a trace says."""
        return _slot_of(self.known()).__get__(self.origin)

    def is_made_in(self, trace: StateTrace) -> bool:
        """Whether the variable was made while ``trace`` ran."""
        return id(self.origin) in trace.made


class _Watched:
    """The slot of a variable's value: in a trace, what that trace says.

    A variable that holds a tracer, as one does that JAX has made of the leaves of an argument, is
    no state, and neither is one that holds a Ref or something that is no array.
    """

    def __init__(self, slot: Any):
        self.slot = slot

    def __get__(self, variable: Any, owner: type | None = None) -> Any:
        if variable is None:
            return self
        value, trace = self.slot.__get__(variable), innermost()
        if trace is None:
            return value
        state = FlaxVariable(variable)
        leaves = jax.tree.leaves(value)
        is_state = not has_tracer(leaves) and all(map(is_arraylike, leaves))
        return trace.read(state) if is_state or state in trace.seeds else value

    def __set__(self, variable: Any, value: Any) -> None:
        trace = innermost()
        if trace is not None:
            if not self._has_value(variable):  # no other object has its id while the trace runs
                trace.made.add(id(variable))
            elif id(variable) not in trace.made:
                trace.write(FlaxVariable(variable), value)
                return
        self.slot.__set__(variable, value)

    def _has_value(self, variable: Any) -> bool:
        try:
            self.slot.__get__(variable)
        except AttributeError:
            return False
        return True


def _slot_of(variables: Any) -> Any:
    """Where a class of variables keeps their values, whether or not it is watched."""
    slot = _typed.contents(variables)[_SLOT]
    return slot.slot if isinstance(slot, _Watched) else slot


_lock = threading.Lock()


@contextmanager
def _watched(trace: StateTrace) -> Generator[None]:
    """Replace the slot, where flax has been imported since the last trace."""
    known = FlaxVariable.known()
    if known is not None and not isinstance(_typed.contents(known)[_SLOT], _Watched):
        with _lock:
            if not isinstance(_typed.contents(known)[_SLOT], _Watched):
                setattr(known, _SLOT, _Watched(_typed.contents(known)[_SLOT]))
    yield


watchers.append(_watched)
