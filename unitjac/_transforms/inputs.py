"""The differentiated inputs of one call: stripped, flat, with labels, and the way back.

Owns: which leaf of which state or argument is which column. Never touches: derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._engine.dtypes import Mode, Offers, check_input, has_tangent
from unitjac._errors import (
    abstract,
    array_text,
    dtype_of,
    is_arraylike,
    path_text,
    refuse_foreign_in,
)
from unitjac._foreign import refuse_foreign
from unitjac._states.adopted import as_state
from unitjac._states.state import State
from unitjac._units.quantity import Stripped, Unit, float0_block, strip

from .arguments import Selection, argument_name


@dataclass(frozen=True)
class Group:
    """One input: a state's value, or the selected arguments; its leaves are columns."""

    roots: tuple[str, ...]
    stripped: Stripped
    start: int
    is_tuple: bool = False

    @property
    def columns(self) -> range:
        """The columns of this input's leaves."""
        return range(self.start, self.start + len(self.stripped.units))

    @cached_property
    def labels(self) -> list[str]:
        """What messages and plans call each leaf."""
        if not self.is_tuple:
            return [path_text(self.roots[0], path) for path in self.stripped.paths]
        # a tuple of arguments: the first step of the path says which one
        return [path_text(self.roots[int(path[0].idx)], path[1:]) for path in self.stripped.paths]

    def tree(self, columns: dict[int, Any]) -> Any:
        """What the columns hold, as a tree like this input."""
        return self.stripped.structure.unflatten([columns[j] for j in self.columns])


class Inputs:
    """What one call differentiates with respect to: the states first, then the arguments.

    Parameters
    ----------
    selection : Selection
        What the transform differentiates.
    positions : tuple of int
        The differentiated arguments' positions, none of them negative.
    groups : list of Group
        The inputs, the states' before the arguments'.
    args : tuple
        All positional arguments of the call.
    """

    def __init__(
        self,
        selection: Selection,
        positions: tuple[int, ...],
        groups: list[Group],
        args: tuple[Any, ...],
    ):
        self.selection = selection
        self.positions = positions
        self.groups = groups
        self.args = args

    @classmethod
    def of(
        cls,
        selection: Selection,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        offers: Offers = ("argnums",),
    ) -> Inputs:
        """The inputs of a call with these arguments, after a check that all are arrays."""
        positions = selection.positions(len(args), kwargs)
        for name, arg in (*enumerate(args), *kwargs.items()):
            if name not in positions:
                refuse_foreign_in(arg, argument_name(name), trees_pass=True)
        groups: list[Group] = []

        def add(roots: tuple[str, ...], tree: Any, is_tuple: bool = False) -> None:
            start = groups[-1].columns.stop if groups else 0
            groups.append(Group(roots, strip(tree), start, is_tuple))

        for state, label in selection.labelled_states:
            add((label,), state.value)
        if positions:
            roots = tuple(map(argument_name, positions))
            picked = tuple(args[n] for n in positions)
            add(roots, picked[0] if selection.is_single else picked, not selection.is_single)
        inputs = cls(selection, positions, groups, args)
        inputs._check_leaves(offers)
        return inputs

    @cached_property
    def magnitudes(self) -> list[Any]:
        """The magnitude of each column."""
        return [m for group in self.groups for m in group.stripped.magnitudes]

    @cached_property
    def units(self) -> list[Unit | None]:
        """The unit of each column."""
        return [unit for group in self.groups for unit in group.stripped.units]

    @cached_property
    def active(self) -> list[int]:
        """The columns that have tangents: integers have none."""
        return [j for j, leaf in enumerate(self.magnitudes) if has_tangent(leaf)]

    @property
    def leaves(self) -> list[Any]:
        """What the engine sees: the magnitudes of the columns that have tangents."""
        return [self.magnitudes[j] for j in self.active]

    @cached_property
    def labels(self) -> list[str]:
        """What messages and plans call each column."""
        return [label for group in self.groups for label in group.labels]

    @property
    def order(self) -> list[int]:
        """The columns in the order in which the user wrote them."""
        groups = [self.groups[k] for k in self.selection.state_order]
        if self.positions:
            groups.append(self.groups[-1])
        return [group.columns[k] for group in groups for k in group.stripped.order]

    def abstract(self) -> Inputs:
        """The same inputs with shapes and dtypes in place of arrays."""
        return self._holding(list(map(abstract, self.magnitudes)), ())

    def with_leaves(self, leaves: Sequence[Any]) -> Inputs:
        """The same inputs with other magnitudes in the active columns."""
        magnitudes = list(self.magnitudes)
        for j, leaf in zip(self.active, leaves, strict=True):
            magnitudes[j] = leaf
        return self._holding(magnitudes, self.args)

    def _holding(self, magnitudes: list[Any], args: tuple[Any, ...]) -> Inputs:
        groups = [
            replace(
                group,
                stripped=group.stripped._replace(magnitudes=[magnitudes[j] for j in group.columns]),
            )
            for group in self.groups
        ]
        return Inputs(self.selection, self.positions, groups, args)

    def filled(self, found: dict[int, Any], shape: tuple[int, ...]) -> dict[int, Any]:
        """``found``, and a ``float0`` block in each column that has no tangents."""
        return {
            j: found[j] if j in found else float0_block(shape + np.shape(leaf))
            for j, leaf in enumerate(self.magnitudes)
        }

    def parts(self, of_group: Callable[[Group], Any]) -> tuple[Any, Any]:
        """Something made for each input: those of the states in their structure, and the last.

        None stands for a part that was not asked for.
        """
        made = [of_group(group) for group in self.groups]
        structure = self.selection.state_structure
        count = len(self.selection.states)
        states = structure.unflatten(made[:count]) if structure is not None else None
        return states, made[-1] if self.positions else None

    def check_dtypes(
        self, *, mode: Mode, holomorphic: bool, allow_int: bool, offers: Offers = ()
    ) -> None:
        """Raise a TypeError where a column cannot be differentiated with respect to."""
        for j, leaf in enumerate(self.magnitudes):
            check_input(
                leaf,
                lambda j=j: self.labels[j],
                mode=mode,
                holomorphic=holomorphic,
                allow_int=allow_int,
                offers=offers,
            )

    def place(self, leaves: Sequence[Any]) -> tuple[list[Any], dict[State, Any]]:
        """The arguments and the states' values, with other magnitudes in the active columns."""
        groups = self.with_leaves(leaves).groups
        trees = [
            group.stripped.attach(list(map(_as_jax, group.stripped.magnitudes))) for group in groups
        ]
        args = list(self.args)
        if self.positions:
            values = (trees[-1],) if self.selection.is_single else trees[-1]
            for n, value in zip(self.positions, values, strict=True):
                args[n] = value
        return args, dict(zip(self.selection.states, trees, strict=False))

    def _check_leaves(self, offers: Offers) -> None:
        for j, leaf in enumerate(self.magnitudes):
            if as_state(leaf) is not None:
                raise TypeError(
                    f"{self.labels[j]} is a State, which is no argument to differentiate. "
                    "Name it in grad_states."
                )
            if not is_arraylike(leaf):
                refuse_foreign(leaf, self.labels[j])
                alone = " (None for the states alone)" if self.selection.has_states else ""
                advice = (
                    f"Name other positions in argnums{alone}, or pass it outside of the "
                    "differentiated tree."
                    if "argnums" in offers
                    else "Leave it out of what is differentiated."
                )
                raise TypeError(
                    f"{self.labels[j]} must be an array, a number or a quantity to be "
                    f"differentiated, got {array_text(leaf)}. {advice}"
                )


def _as_jax(magnitude: Any) -> Any:
    """What JAX would hand to the function: whole numbers too are arrays of its own there."""
    if isinstance(magnitude, jax.Array | jax.ShapeDtypeStruct):
        return magnitude
    return magnitude if dtype_of(magnitude) == jax.dtypes.float0 else jnp.asarray(magnitude)
