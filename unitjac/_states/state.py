"""States, and the trace of what a function reads and writes.

Owns: :class:`State`; :class:`StateTrace`, which a function runs in; when a written value reaches
its state. Never touches: units (a state's value is a tree of anything that JAX knows), derivatives.

While a function runs inside a trace, its writes go to the trace and not to the states. Only
:meth:`StateTrace.commit`, called once all is computed, hands them over: to the trace outside
of this one, or to the states themselves. So a failure at any point leaves every state as
it was, and no tracer of an inner transform stays in a state.
"""

# pyright: reportPrivateUsage=false
# A state and the trace of it are one mechanism: the trace reads what the state holds.

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any, NoReturn

import jax
from jax.core import Tracer

from unitjac import _key_order, _typed
from unitjac._display import Displayed, Report
from unitjac._errors import array_text, has_tracer, is_arraylike, path_text
from unitjac._foreign import is_foreign, refuse_foreign
from unitjac._units.tree_display import ShownTree, leaf_text, leaves_of, value_or_leaf_text

from . import remembered

_UNSET: Any = object()


class _Traces(threading.local):
    """The innermost trace of each thread."""

    innermost: StateTrace | None = None


_traces = _Traces()


# What else watches each trace: the states of other libraries.
watchers: list[Callable[[StateTrace], AbstractContextManager[None]]] = []


class State(Displayed):
    """A value that a function may read and write, and with respect to which one differentiates.

    Parameters
    ----------
    value : pytree
        Arrays, numbers and quantities, of any shapes and units; None is an empty tree.
    name : str, optional
        How messages and plans call the state.

    Raises
    ------
    TypeError
        If ``value`` holds anything that is neither an array nor a number.
    ValueError
        If ``value`` holds a tracer of JAX and no transform of unitjac is running: the state
        would outlive the trace.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> V = uj.State(-65.0 * u.mV, name="V")
    >>> def step(I):
    ...     V.value = V.value + I * (2.0 * u.Mohm)
    ...     return V.value
    >>> dV, dI = uj.jacrev(step, grad_states=V, argnums=0, unit_aware=True)(1.0 * u.nA)
    >>> float(dV), dI.to_decimal(u.Mohm).item()
    (1.0, 2.0)
    >>> V.value
    Quantity(-63., "mV")
    """

    __slots__ = ("__weakref__", "_value", "name")
    holds_itself = False  # whether its value stands in itself while a trace runs

    def __init__(self, value: Any, name: str | None = None):
        self.name = name
        _check_leaves(value, self)
        remembered.note_made()
        trace = _traces.innermost
        if trace is None:
            _check_no_tracer(value, self)
            self._value = value
        else:
            self._value = _UNSET
            trace.created[self] = value

    @property
    def value(self) -> Any:
        """The value; inside a transformed function, the one that this function sees."""
        trace = _traces.innermost
        value = self._value if trace is None else trace.read(self)
        if value is _UNSET:
            raise ValueError(
                f"{self!r} has no value: it was created inside a transformed function that did "
                "not finish, or under an outer jax.jit, whose values end with it. Create the "
                "state outside of the function."
            )
        return value

    @value.setter
    def value(self, value: Any) -> None:
        _check_leaves(value, self)
        trace = _traces.innermost
        if trace is not None:
            trace.write(self, value)
            return
        _check_no_tracer(value, self)
        self._value = value

    def seen(self) -> Any:
        """The value as it is seen now, without anything taking notice."""
        trace = _traces.innermost
        return self._value if trace is None else trace.find(self)[0]

    def is_made_in(self, trace: StateTrace) -> bool:
        """Whether it is a state of another library that was made while ``trace`` ran."""
        return False

    def __repr__(self) -> str:
        return self._line(None, value_or_leaf_text)

    __str__ = __repr__  # in a message a state takes one line

    def report(self) -> Report:
        """The description of what it holds, for a notebook and a terminal."""
        return self._shown().report()

    def full_report(self) -> Report:
        """The same with each entry of its arrays."""
        return self._shown().full_report()

    def _shown(self) -> ShownTree:
        kind, held = self.kind_and_value()
        title = kind if self.name is None else f"{kind} {self.name}"
        return ShownTree("no value yet" if held is _UNSET else held, title=title)

    def text(self, label: str | None = None) -> str:
        """Kind, name and what it holds; ``label`` is the name of a state that has none."""
        return self._line(label, leaf_text)

    def _line(self, label: str | None, text: Callable[[Any], str]) -> str:
        kind, held = self.kind_and_value()
        leaves = ["no value yet"] if held is _UNSET else map(text, leaves_of(held))
        name = label if self.name is None else self.name
        return f"{kind}({'' if name is None else name + ': '}{', '.join(leaves)})"

    def kind_and_value(self) -> tuple[str, Any]:
        """What messages show."""
        return "State", self._value

    def copied(self, memo: dict[int, Any]) -> State:
        """The copy of this state that ``memo`` of a deep copy has, or the state itself."""
        return memo.get(id(self), self)

    def __getstate__(self) -> tuple[Any, str | None]:
        return self.value, self.name

    def __setstate__(self, state: tuple[Any, str | None]) -> None:
        self._value, self.name = state
        remembered.note_made()


class StateTrace:
    """What a function that runs inside ``with StateTrace(...)`` reads and writes.

    Parameters
    ----------
    seeds : mapping from State to value, optional
        Values that the function sees in place of the states' own.
    is_inside : bool, default False
        Whether all of it runs inside a function that JAX traces by itself, in the trace outside.
    """

    def __init__(self, seeds: Mapping[State, Any] | None = None, is_inside: bool = False):
        self.seeds: dict[State, Any] = dict(seeds or {})
        self.is_inside = is_inside
        self.reads: dict[State, None] = {}
        self.writes: dict[State, Any] = {}
        # weak: a state that lives only inside the function is nobody's business afterwards
        self.created: weakref.WeakKeyDictionary[State, Any] = weakref.WeakKeyDictionary()
        self.made: set[int] = set()  # the ids of those of another library that were made
        self.parent: StateTrace | None = None
        self._watches = ExitStack()

    def __enter__(self) -> StateTrace:
        for watch in watchers:
            self._watches.enter_context(watch(self))
        self.parent = _traces.innermost
        self._level = remembered.level()
        _traces.innermost = self
        remembered.note_changed(self.seeds)
        return self

    def __exit__(self, *exc: object) -> None:
        remembered.note_changed([*self.seeds, *self.writes, *self.created])
        _traces.innermost = self.parent
        self.parent = None
        self._watches.close()

    def read(self, state: State) -> Any:
        """The value of ``state`` as the function sees it now."""
        if state.holds_itself:
            self._note_read(state)
            return state._value
        value, readers = self.find(state)
        for trace in readers:
            trace.reads[state] = None
        if self.is_read_inside(state):
            remembered.note_read(state, value)
        return value

    def is_read_inside(self, state: State) -> bool:
        """Whether what runs now is inside a function that JAX traces by itself.

        It is what the value comes from the outside of: one that is given inside too is no business
        of what JAX remembers.
        """
        trace: StateTrace = self
        is_inside = remembered.is_inside(self._level)
        while not is_inside and trace.parent is not None and not trace._gives(state):
            trace, is_inside = trace.parent, trace.is_inside
        return is_inside

    def now_inside(self) -> bool:
        """Whether what runs now is inside a function that JAX traces by itself."""
        return remembered.is_inside(self._level)

    def find(self, state: State) -> tuple[Any, list[StateTrace]]:
        """The value of ``state`` as it is seen now, and the traces in which that is a read."""
        readers: list[StateTrace] = []
        trace: StateTrace | None = self
        while trace is not None:
            if state in trace.writes:
                return trace.writes[state], readers
            if state in trace.created:
                return trace.created[state], readers
            if state.is_made_in(trace):
                return state._value, readers
            readers.append(trace)
            if state in trace.seeds:
                return trace.seeds[state], readers
            trace = trace.parent
        return fresh(state._value), readers

    def _gives(self, state: State) -> bool:
        is_given = state in self.writes or state in self.created or state in self.seeds
        return is_given or state.is_made_in(self)

    def write(self, state: State, value: Any) -> None:
        """Keep ``value`` as what the function wrote last."""
        remembered.note_changed([state])
        if state.holds_itself:
            state._value = value
        elif state in self.created:
            self.created[state] = value
        else:
            self.writes[state] = value

    def _note_read(self, state: State) -> None:
        self.reads[state] = None
        if self.parent is not None and state not in self.seeds:
            self.parent._note_read(state)

    def used(self, state: State) -> bool:
        """Whether the function read or wrote ``state``."""
        return state in self.reads or state in self.writes

    def outcome(self) -> dict[State, Any]:
        """The values to hand over: of the states written, and of those created and still alive."""
        return {**self.writes, **dict(self.created)}


def innermost() -> StateTrace | None:
    """The trace that runs in this thread."""
    return _traces.innermost


def runs_inside() -> bool:
    """Whether a trace runs, and what runs now is inside a function that JAX traces by itself."""
    trace = _traces.innermost
    return trace is not None and trace.now_inside()


def fresh(value: Any) -> Any:
    """The same leaves in new containers, keys in their own order.

    ``V.value += dV`` asks a quantity to change itself, and the one that a state holds stays as it
    is until all is computed.
    """
    if _typed.is_exactly(value, dict):
        return {key: fresh(part) for key, part in value.items()}
    if _typed.is_exactly(value, list, tuple):
        return type(value)(map(fresh, value))
    if isinstance(value, jax.Array):
        return value
    return _key_order.like(value, jax.tree.leaves(value))


def commit(outcome: Mapping[State, Any]) -> None:
    """Hand values over, each state once: to the trace outside, or to the states themselves."""
    trace = _traces.innermost
    if trace is not None:
        for state, value in outcome.items():
            if not state.holds_itself and state._value is _UNSET and state not in trace.writes:
                trace.created[state] = value
            else:
                trace.write(state, value)
        return
    traced = [state for state, value in outcome.items() if has_tracer(value)]
    for state in traced:
        if not state.holds_itself and state._value is not _UNSET:
            _check_no_tracer(outcome[state], state)
    taking: Iterable[State] = outcome
    if traced:
        # those that hold themselves first: whether they take a tracer is for their library to say
        theirs = [state for state in traced if state.holds_itself]
        taking = [*theirs, *(state for state in outcome if state not in traced)]
    for state in taking:
        state._value = outcome[state]


def raise_leak(error: Exception, written: Iterable[State]) -> NoReturn:
    """Say of a tracer that left its trace which state carried it out."""
    names = ", ".join(map(repr, written))
    if not names:
        raise error
    raise ValueError(
        f"a tracer of JAX left its trace, and {names} was written: a state cannot be written "
        "inside a function that JAX traces by itself (lax.scan, cond, while_loop, jit, vmap, "
        "grad, checkpoint). The states keep their values. Return the value from the inner "
        "function, and write it outside of that function."
    ) from error


def _check_leaves(value: Any, state: State) -> None:
    for path, leaf in _typed.flatten_with_path(value, is_leaf=is_foreign)[0]:
        if not is_arraylike(leaf):
            refuse_foreign(leaf, lambda path=path: path_text(_name(state) + ".value", path))
            raise TypeError(
                f"{path_text(_name(state) + '.value', path)} must be an array, a number or a "
                f"quantity, got {array_text(leaf)}. Keep other objects beside the state."
            )


def _check_no_tracer(value: Any, state: State) -> None:
    if not has_tracer(value):
        return
    for path, leaf in _typed.flatten_with_path(value)[0]:
        if isinstance(leaf, Tracer):
            raise ValueError(
                f"{path_text(_name(state) + '.value', path)} would hold a tracer of JAX "
                f"({array_text(leaf)}), which must not outlive its trace; the state keeps its "
                "value. A state was written under jax.jit, jax.vmap, jax.grad, lax.scan or the "
                "like. Let a transform of unitjac be the outermost one (jit=True compiles it, "
                "states included), or return the value instead of writing it."
            )


def _name(state: State) -> str:
    return f"State({state.name})" if state.name else "State"
