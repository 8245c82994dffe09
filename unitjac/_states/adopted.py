"""States of other libraries, as states of ours: those of brainstate, and the variables of flax.nnx.

Owns: which objects are such states. Never touches: units, derivatives; it imports none of these
libraries, since who has a state of one has imported it.
"""

from __future__ import annotations

from typing import Any

from .brain import BrainState
from .remembered import libraries
from .state import State
from .variables import FlaxVariable

_KINDS = (BrainState, FlaxVariable)

libraries += [kind.known for kind in _KINDS]


def as_state(leaf: Any) -> State | None:
    """``leaf`` as a state; None if it is none, of any library."""
    if isinstance(leaf, State):
        return leaf
    for kind in _KINDS:
        known = kind.known()
        if known is not None and issubclass(type(leaf), known):
            return kind(leaf)
    return None
