"""The differentiated inputs of one call: stripped, flat, with labels, and the way back.

Owns: which leaf of which state or argument is which column. Never touches: derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ._arguments import Selection
from ._errors import array_text, is_arraylike, path_text
from ._quantity import Stripped, key_paths, strip
from ._state import State


@dataclass(frozen=True)
class Group:
    """One input: a state's value, or the selected arguments; its leaves are columns."""

    roots: tuple[str, ...]
    tree: Any
    stripped: Stripped
    start: int

    @property
    def columns(self) -> range:
        """The columns of this input's leaves."""
        return range(self.start, self.start + len(self.stripped.magnitudes))

    @cached_property
    def labels(self) -> list[str]:
        """What messages and plans call each leaf."""
        if len(self.roots) == 1:
            return [path_text(self.roots[0], path) for path in key_paths(self.tree)]
        # a tuple of arguments: the first step of the path says which one
        return [path_text(self.roots[path[0].idx], path[1:]) for path in key_paths(self.tree)]


class Inputs:
    """What one call differentiates with respect to: the states first, then the arguments.

    Parameters
    ----------
    selection : Selection
        What the transform differentiates.
    args : tuple
        The positional arguments of the call.
    keywords : sequence of str
        The names of its keyword arguments, for messages.
    """

    def __init__(self, selection: Selection, args: tuple[Any, ...], keywords: Sequence[str] = ()):
        self.selection = selection
        self.args = args
        self.positions = selection.positions(len(args), keywords)
        self.groups: list[Group] = []
        for state, label in zip(selection.states, selection.state_labels, strict=True):
            self._add((label,), state.value)
        if self.positions:
            roots = tuple(f"argument {n}" for n in self.positions)
            single = isinstance(selection.argnums, int)
            self._add(roots, args[self.positions[0]] if single else self._picked(args))
        self._check_leaves()

    @property
    def magnitudes(self) -> list[Any]:
        """The magnitude of each column."""
        return [m for group in self.groups for m in group.stripped.magnitudes]

    @property
    def units(self) -> list[Any]:
        """The unit of each column."""
        return [unit for group in self.groups for unit in group.stripped.units]

    @property
    def labels(self) -> list[str]:
        """What messages and plans call each column."""
        return [label for group in self.groups for label in group.labels]

    @property
    def argument_group(self) -> Group | None:
        """The input that stands for the selected arguments."""
        return self.groups[-1] if self.positions else None

    @property
    def state_groups(self) -> list[Group]:
        """The inputs that stand for states."""
        return self.groups[: len(self.selection.states)]

    def place(self, magnitudes: Sequence[Any]) -> tuple[list[Any], dict[State, Any]]:
        """The arguments and the states' values, with other magnitudes in the columns."""
        trees = [group.stripped.attach([magnitudes[j] for j in group.columns]) for group in self.groups]
        args = list(self.args)
        if self.positions:
            single = isinstance(self.selection.argnums, int)
            for n, value in zip(self.positions, (trees[-1],) if single else trees[-1], strict=True):
                args[n] = value
        return args, dict(zip(self.selection.states, trees, strict=False))

    def _picked(self, args: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(args[n] for n in self.positions)

    def _add(self, roots: tuple[str, ...], tree: Any) -> None:
        start = self.groups[-1].columns.stop if self.groups else 0
        self.groups.append(Group(roots, tree, strip(tree), start))

    def _check_leaves(self) -> None:
        for j, leaf in enumerate(self.magnitudes):
            if isinstance(leaf, State):
                raise TypeError(
                    f"{self.labels[j]} is a State, which is no argument to differentiate. "
                    "Name it in grad_states."
                )
            if not is_arraylike(leaf):
                raise TypeError(
                    f"{self.labels[j]} must be an array, a number or a quantity to be "
                    f"differentiated, got {array_text(leaf)}. Name other positions in argnums, "
                    "or pass it outside of the differentiated tree."
                )
