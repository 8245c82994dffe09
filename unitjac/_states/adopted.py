"""States of other libraries, as states of ours: those of brainstate, and the variables of flax.nnx.

Owns: which objects are such states. Never touches: units, derivatives; it imports none of these
libraries, since who has a state of one has imported it.
"""

from __future__ import annotations

from typing import Any

import jax

from unitjac import _key_order, _typed
from unitjac._errors import imported

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


def without_modules(tree: Any) -> Any:
    """``tree`` with the states of each module in its place: what ``module.states()`` gives.

    Of a module of flax.nnx, that is ``nnx.state(module, nnx.Param)``.
    """
    leaves = [_states_of(leaf) for leaf in jax.tree.leaves(tree, is_leaf=_is_whole)]
    return _key_order.like(tree, leaves, _is_whole)


def _is_whole(part: Any) -> bool:
    return part is None or as_state(part) is not None or _is_module(part)


def _states_of(leaf: Any) -> Any:
    if not _is_module(leaf):
        return leaf
    if _is_of_flax(leaf):
        return imported("flax.nnx", "state")(leaf, imported("flax.nnx", "Param"))
    return leaf.states()


def _is_module(leaf: Any) -> bool:
    if as_state(leaf) is not None:
        return False
    return _is_of_flax(leaf) or hasattr(_typed.class_of(leaf), "states")


def _is_of_flax(leaf: Any) -> bool:
    module = imported("flax.nnx", "Module")
    return module is not None and isinstance(leaf, module)
