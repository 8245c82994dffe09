"""``jax.jit`` for a function of any arguments that reads and writes states.

Owns: what is static and what is traced, which states go in and come out. Never touches:
derivatives.

Quantities are pytrees with a static unit, so they cross the boundary as they are. Strings, flags
and objects are packed into the static part. States go in as arguments: a state that has another
shape, dtype, tree or unit than before is another program, as any argument would be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from unitjac import _key_order, _typed
from unitjac._errors import array_text, is_arraylike, path_text, refuse_foreign_in
from unitjac._foreign import refuse_foreign
from unitjac._states.remembered import level
from unitjac._states.state import State, StateTrace, commit, raise_leak
from unitjac._units.quantity import Quantity, is_quantity, with_units_of

from .arguments import argument_name
from .static import Packed, is_hashable, pack
from .uncut import cut_out, is_uncut

_NOTHING_TRACED = level()
_traced_types: set[type] = {Quantity}  # the types for which is_traced holds, as they come


Call = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class _Call(threading.local):
    """The arguments of the call that goes on in each thread, their keys as they were written."""

    arguments: Any = ((), {})


class Compiled:
    """``fun(args, kwargs)``, compiled, with its states as inputs and outputs.

    Which states ``fun`` reads is found out while it is traced: a trace that meets a new one is
    given up and begun anew with that state among its inputs. The list only grows, so that its
    length says which states the inputs of a compiled program are.
    """

    def __init__(self, fun: Call, states: Iterable[State]):
        self._fun = fun
        self._states = tuple(states)
        self._adopts = any(state.holds_itself for state in self._states)
        self._written: tuple[State, ...] = ()  # by the last trace, for messages
        self._lock = threading.Lock()
        self._call = _Call()
        self._jitted: Any = jax.jit(self._run)

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result, rest = self._with_states(self._jitted, args, kwargs)
        if rest is None:
            return result
        if rest.outcome:
            commit(rest.outcome)
        return cut_out(result.unpack() if type(result) is Packed else result)

    def lower(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The lowered program of one call, as :meth:`jax.stages.Wrapped.lower` gives it."""
        return self._with_states(self._jitted.lower, args, kwargs)

    def _with_states(self, program: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        # the short way of most calls, then the sure one
        before, self._call.arguments = self._call.arguments, (args, kwargs)
        try:
            return self._run_program(program, args, kwargs)
        finally:
            self._call.arguments = before

    def _run_program(self, program: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        known = _are_traced(args) and _are_traced(kwargs.values())
        if not (known or _all_traced(args, kwargs)):
            args, kwargs = _pack_arguments(args, kwargs), None
        while True:
            values: list[Any] = []
            if states := self._states:  # read once: another thread may learn of more meanwhile
                values = [state.value for state in states]
                if self._adopts:
                    _check_values(states, values)
            try:
                return program(values, args, kwargs)
            except _NewStates as found:
                self._learn(found.states)
            except jax.errors.UnexpectedTracerError as error:
                raise_leak(error, self._written)

    def _run(self, values: list[Any], args: Any, kwargs: Any) -> tuple[Any, Rest | None]:
        states = self._states[: len(values)]
        if kwargs is None:
            args, kwargs = args.unpack()
        args, kwargs = _key_order.as_in((args, kwargs), self._call.arguments)
        with StateTrace(dict(zip(states, values, strict=True))) as trace:
            result = self._fun(args, kwargs)
        new = [state for state in trace.reads if state not in trace.seeds]
        if new:
            raise _NewStates(new)
        packed = pack(result, _is_output, with_records=True, as_written=True)
        outcome = {
            state: with_units_of(value, trace.seeds[state]) if state in trace.seeds else value
            for state, value in trace.outcome().items()
        }
        self._written = tuple(outcome)
        # JAX gives a dict back with its keys sorted
        is_bare = packed.is_all_arrays and _key_order.is_sorted(result)
        if outcome or not is_bare or is_uncut(result):
            return result if is_bare else packed, Rest(outcome)
        return result, None

    def _learn(self, found: list[State]) -> None:
        with self._lock:
            known = set(self._states)
            self._states += tuple(state for state in found if state not in known)
            self._adopts = any(state.holds_itself for state in self._states)


def _check_values(states: Iterable[State], values: Iterable[Any]) -> None:
    """Raise where a state of another library, which takes anything, would lose a unit."""
    for state, value in zip(states, values, strict=True):
        if state.holds_itself and type(value) not in _traced_types:
            refuse_foreign_in(value, lambda state=state: repr(state), trees_pass=True)


@jax.tree_util.register_pytree_node_class
class Rest:
    """What is left to do after a call: values for states, and to finish what is given back.

    The values are children, their states static.
    """

    __slots__ = ("outcome",)

    def __init__(self, outcome: dict[State, Any]):
        self.outcome = outcome

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[State, ...]]:
        """The values as children, the states as static data."""
        return tuple(self.outcome.values()), tuple(self.outcome)

    @classmethod
    def tree_unflatten(cls, states: tuple[State, ...], values: Iterable[Any]) -> Rest:
        """The inverse of :meth:`tree_flatten`."""
        return cls(dict(zip(states, values, strict=True)))


class _NewStates(Exception):
    """A trace read states that are not yet among the inputs of the compiled function."""

    def __init__(self, states: list[State]):
        super().__init__(states)
        self.states = states


def _are_traced(nodes: Iterable[Any]) -> bool:
    """Whether these are arrays and quantities, or plain containers of such, as far as is known."""
    for node in nodes:
        if type(node) in _traced_types:
            continue
        if _typed.is_exactly(node, dict):
            children: Iterable[Any] = node.values()
        elif _typed.is_exactly(node, list, tuple):
            children = node
        else:
            return False
        if not (_traced_types.issuperset(map(type, children)) or _are_traced(children)):
            return False
    return True


def _all_traced(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether all leaves of the arguments are traced, so that nothing has to be packed."""
    leaves: list[object] = jax.tree.leaves((args, kwargs), is_leaf=is_quantity)
    for leaf in leaves:
        if type(leaf) not in _traced_types:
            if not is_traced(leaf):
                return False
            if type(leaf) is not np.ndarray:  # which may hold anything
                _traced_types.add(type(leaf))
    return True


def is_traced(leaf: Any) -> bool:
    """Whether a leaf of the arguments is traced; what is not, is static.

    Arrays, quantities, floats and complex numbers are traced; ints and bools (sizes and flags),
    strings, None, callables and other objects are static.
    """
    return is_quantity(leaf) or (is_arraylike(leaf) and not isinstance(leaf, int))


def _is_output(leaf: Any) -> bool:
    """Whether a leaf of the result is an output of the program, and not part of it.

    NumPy's arrays are outputs too: they can be written to, and the program is used again. Those
    of dtype float0 hold nothing.
    """
    if _typed.is_a(leaf, np.ndarray):
        return is_arraylike(leaf) and leaf.dtype != jax.dtypes.float0
    return isinstance(leaf, jax.Array)


def _pack_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Packed:
    is_traced_outside = level() != _NOTHING_TRACED
    packed = pack((args, kwargs), is_traced, is_quantity, looks_inside=is_traced_outside)
    for k, static in enumerate(packed.skeleton):
        refuse_foreign(static.value, lambda k=k: _argument_label(args, kwargs, k))
        if not is_hashable(static.value):
            raise TypeError(
                f"{_argument_label(args, kwargs, k)} is {array_text(static.value)}, which "
                "cannot be hashed: under jit=True an argument that is no array is static. Pass "
                "something hashable (a tuple, a frozenset, a frozen dataclass), or use jit=False."
            )
    return packed


def _argument_label(args: tuple[Any, ...], kwargs: dict[str, Any], k: int) -> str:
    entries, _ = _typed.flatten_with_path((args, kwargs), is_leaf=is_quantity)
    (where, key, *rest), _ = entries[k]
    name = argument_name(key.idx if where.idx == 0 else key.key)
    return path_text(name, tuple(rest))
