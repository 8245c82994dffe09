"""What a transform is asked to differentiate: a function, positions of arguments, states.

Owns: the checks of ``fun``, ``argnums``, ``grad_states`` and of keyword arguments of a transform.
Never touches: values of arguments, derivatives.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unitjac import _key_order, _typed
from unitjac._errors import array_text, as_int, path_text
from unitjac._states.adopted import as_state, without_modules
from unitjac._states.state import State


@dataclass(frozen=True)
class Selection:
    """The states and positions that a transform differentiates with respect to.

    ``argnums`` is an int where the user gave one (the input is that argument), a tuple where the
    user gave a sequence (the input is the tuple of those arguments), None for no argument.
    """

    argnums: int | tuple[int, ...] | None
    states: tuple[State, ...]
    state_labels: tuple[str, ...]
    state_tree: Any
    written_states: _key_order.Written | None = None

    @property
    def has_states(self) -> bool:
        """Whether ``grad_states`` was given."""
        return self.state_tree is not None

    @property
    def state_structure(self) -> Any:
        """What makes the tree of states, its keys in the order as written."""
        return self.state_tree if self.written_states is None else self.written_states.structure

    @property
    def state_order(self) -> Sequence[int]:
        """The numbers of the states in the order as written."""
        written = self.written_states
        return range(len(self.states)) if written is None else written.order

    @property
    def is_single(self) -> bool:
        """Whether the input is one argument, and not a tuple of them."""
        return isinstance(self.argnums, int)

    @property
    def labelled_states(self) -> list[tuple[State, str]]:
        """The states, each with what messages call it."""
        return list(zip(self.states, self.state_labels, strict=True))

    def text_of(self, state: State) -> str:
        """What plans call a state: by what grad_states calls it, if it has no name of its own."""
        return state.text(dict(self.labelled_states).get(state))

    def with_states(self, states: tuple[State, ...]) -> Selection:
        """The same selection of other states."""
        return replace(self, states=states)

    def pair(self, state_part: Any, arg_part: Any) -> Any:
        """What comes back: the part that was asked for, or the pair of both."""
        if not self.has_states:
            return arg_part
        return state_part if self.argnums is None else (state_part, arg_part)

    def positions(self, count: int, keywords: Iterable[str]) -> tuple[int, ...]:
        """The positions in a call with ``count`` positional arguments, none of them negative.

        Raises
        ------
        ValueError
            If a position is out of range, or is named twice.
        """
        if self.argnums is None:
            return ()
        wanted = (self.argnums,) if isinstance(self.argnums, int) else self.argnums
        for n in wanted:
            if not -count <= n < count:
                raise ValueError(_out_of_range(n, count, keywords))
        positions = tuple(n % count for n in wanted)
        _check_distinct(wanted, positions)
        return positions

    def check_enough(self, count: int, keywords: Iterable[str]) -> None:
        """Raise a TypeError where a position is beyond ``count`` positional arguments."""
        if self.argnums is None:
            return
        last = self.argnums if isinstance(self.argnums, int) else max(self.argnums)
        if last >= count:
            raise TypeError(_out_of_range(last, count, keywords))


def select(grad_states: Any, argnums: Any) -> Selection:
    """Check ``grad_states`` and ``argnums`` and bring them into one form."""
    if grad_states is None:
        return Selection(0 if argnums is None else _as_argnums(argnums), (), (), None)
    states, labels, tree, written = _flatten_states(grad_states, "grad_states")
    chosen = None if argnums is None else _as_argnums(argnums)
    if not states and chosen is None:
        raise ValueError(
            f"there is nothing to differentiate: grad_states is {grad_states!r} and argnums is "
            "None. Name a state in grad_states, or an argument in argnums."
        )
    return Selection(chosen, tuple(states), tuple(labels), tree, written)


def check_function(fun: Any, transform: str, usage: str) -> None:
    """Raise a TypeError where ``fun`` cannot be differentiated whatever its arguments."""
    if not callable(fun):
        raise TypeError(
            f"{transform} wants a function, got {fun!r} ({type(fun).__name__}). "
            f"Write {transform}{usage}, not {transform}(fun(x)){_as_decorator(transform, usage)}."
        )
    if inspect.isgeneratorfunction(fun) or inspect.iscoroutinefunction(fun):
        kind = "generator" if inspect.isgeneratorfunction(fun) else "coroutine"
        raise TypeError(
            f"{transform} wants a function that returns its value, got the {kind} function "
            f"{name_of(fun)}. Return arrays or quantities instead of yielding or awaiting them."
        )


def _as_decorator(transform: str, usage: str) -> str:
    if usage != "(fun)(x)":  # a function is not all that it takes
        return ""
    return f"; as a decorator it takes options by name, as in @{transform}(argnums=1)"


def check_keywords(unknown: Iterable[str], known: Sequence[str], transform: str) -> None:
    """Raise a TypeError that names the keyword arguments that a transform has."""
    names = sorted(unknown)
    if names:
        raise TypeError(
            f"{transform} has no keyword argument {', '.join(map(repr, names))}. "
            f"It has: {', '.join(known)}."
        )


def argument_name(name: int | str) -> str:
    """How messages call an argument by its position or by its keyword."""
    return f"argument {name!r}"


def name_of(fun: Callable[..., Any]) -> str:
    """How messages call ``fun``."""
    inner = getattr(fun, "func", fun)  # a functools.partial has no name of its own
    return getattr(inner, "__qualname__", None) or type(inner).__name__


def _flatten_states(
    tree: Any, argument: str
) -> tuple[list[State], list[str], Any, _key_order.Written | None]:
    """The states in ``tree``, their labels, the structure around them, and that as written.

    Raises
    ------
    TypeError
        If a leaf is no state.
    ValueError
        If a state stands there twice.
    """

    def is_leaf(x: Any) -> bool:
        return x is None or as_state(x) is not None

    entries, treedef, written = _key_order.flatten(without_modules(tree), is_leaf)
    labels: dict[State, str] = {}
    for path, leaf in entries:
        label, state = path_text(argument, path), as_state(leaf)
        if state is None:
            raise TypeError(
                f"{label} must be a unitjac.State, got {array_text(leaf)}. Pass a State (or one of "
                "brainstate or flax.nnx), or a list, tuple or dict of them."
            )
        if state in labels:
            raise ValueError(
                f"{label} is the same State as {labels[state]} ({state!r}). "
                "Name each state once; its Jacobian can be used twice."
            )
        labels[state] = label
    return list(labels), list(labels.values()), treedef, written


def _as_argnums(argnums: Any) -> int | tuple[int, ...]:
    if not _typed.is_a(argnums, Sequence) or isinstance(argnums, str | bytes):
        return _as_position(argnums)
    positions = tuple(_as_position(n) for n in argnums)
    if not positions:
        raise ValueError(
            "there is nothing to differentiate: argnums is empty. Name at least one position, or "
            "leave argnums out."
        )
    _check_distinct(positions, positions)
    return positions


def _as_position(n: Any) -> int:
    position = as_int(n)
    if position is not None:
        return position
    raise TypeError(
        f"argnums must be an int or a sequence of ints, got {n!r} ({type(n).__name__}). "
        "Write argnums=0, or argnums=(0, 2)."
    )


def _check_distinct(wanted: Sequence[int], positions: Sequence[int]) -> None:
    for i, n in enumerate(positions):
        if n in positions[:i]:
            first = wanted[list(positions).index(n)]
            raise ValueError(
                f"argnums names argument {n} twice, as {first} and as {wanted[i]}. "
                "Name each position once."
            )


def _out_of_range(n: int, count: int, keywords: Iterable[str]) -> str:
    return (
        f"argnums has {n}, but the function was called with {_counted(count)}"
        f"{_by_keyword(keywords)}. Pass what is differentiated by position, and name its position "
        "from 0, or from -1 at the end."
    )


def _counted(count: int) -> str:
    return f"{count} positional argument{'' if count == 1 else 's'}"


def _by_keyword(keywords: Iterable[str]) -> str:
    names = list(keywords)
    return f" and {', '.join(names)} by keyword" if names else ""
