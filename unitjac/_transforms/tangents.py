"""Tangents and cotangents as the user gives them: their trees, shapes and units.

Owns: the checks, the conversion of units, and the unit of what is pulled back. Never touches: how
a tangent is pushed or a cotangent pulled.

A tangent of an input in unit V is in V, or in another unit of its dimension, and is converted.
A cotangent may have any unit: with W = cotangent unit * output unit, what is pulled back to an
input in V is in W / V. All leaves of a cotangent agree about W.
Whole numbers have neither: what stands in their place is of dtype ``float0``, without a unit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._engine.dtypes import Label, has_tangent, is_complex
from unitjac._errors import abstract, array_text, dtype_of, in_full, is_arraylike, path_text
from unitjac._foreign import refuse_foreign
from unitjac._units.quantity import (
    Stripped,
    Unit,
    attach,
    attach_block,
    float0_block,
    is_dimensionless,
    rescale,
    same_dimension,
    strip,
    unit_product,
    unit_ratio,
)
from unitjac._units.unit_text import unit_text

from .advice import advise
from .arguments import name_of
from .inputs import Group, Inputs
from .traced import Traced

Given = tuple[Any, "Unit | None"]
"""Magnitude and unit of a leaf that the user gave."""


class PullBack:
    """From a cotangent, a tree like the output, to a tree like the inputs.

    It outlives the call that made it, and so keeps shapes and units of that call, but no array.

    Parameters
    ----------
    traced : Traced
        The function, after its call.
    outputs : list of array
        Its outputs.
    pulled : sequence of int, optional
        The outputs whose cotangents the linear function takes. Default: all.
    """

    def __init__(self, traced: Traced, outputs: list[Any], pulled: Sequence[int] | None = None):
        self.inputs = traced.inputs.abstract()
        self.structure = traced.outputs
        self.outputs = list(map(abstract, outputs))
        self.pulled = range(len(outputs)) if pulled is None else pulled
        self.name = name_of(traced.fun)

    def __call__(self, pull: Callable[..., Any], *cotangents: Any) -> Any:
        cotangent = _only(cotangents, "a pull takes one cotangent, a tree like the output")
        given = _match(cotangent, self.structure, "the cotangent", "the output")
        for i, magnitude in enumerate(given.magnitudes):
            _check_array(magnitude, functools.partial(self._label, i))
        outs = self.structure.units
        products = [unit_product(ct, out) for ct, out in zip(given.units, outs, strict=True)]
        product = self._common(products, given)
        seeds = [
            self._seed(i, ct, unit_ratio(of_leaf, product), like)
            for i, (ct, of_leaf, like) in enumerate(
                zip(given.magnitudes, products, self.outputs, strict=True)
            )
        ]
        try:
            (pulled,) = pull([seeds[i] for i in self.pulled])
        except ValueError as error:
            advise(error, "vjp")
            raise
        found = {
            j: attach_block(ct, unit_ratio(product, self.inputs.units[j]))
            for j, ct in zip(self.inputs.active, pulled, strict=True)
        }
        columns = self.inputs.filled(found, ())
        parts = self.inputs.parts(lambda group: group.tree(columns))
        return self.inputs.selection.pair(*parts)

    def _seed(self, i: int, cotangent: Any, unit: Unit, like: Any) -> Any:
        if not has_tangent(like) and is_arraylike(cotangent) and not has_tangent(cotangent):
            cotangent = float0_block(np.shape(cotangent))  # a whole number, as JAX takes it
        return _seed((cotangent, unit), like, functools.partial(self._label, i))

    def _label(self, i: int) -> str:
        path = self.structure.paths[i]
        return f"the cotangent of {path_text('output', path)} of {self.name}"

    def _common(self, products: list[Unit], given: Stripped) -> Unit | None:
        """W, the unit of cotangent times output, about which all leaves with tangents agree."""
        active = [i for i, out in enumerate(self.outputs) if has_tangent(out)]
        for i in active:
            first = products[active[0]]
            if not same_dimension(products[i], first):
                wanted = _wanted(unit_ratio(first, self.structure.units[i]))
                raise ValueError(
                    f"{self._label(i)} is in {unit_text(given.units[i])}, which times the "
                    f"output's unit is {unit_text(products[i])}, while the first leaf makes "
                    f"{unit_text(first)}. Give {wanted}, so that what is summed over the outputs "
                    "has one unit."
                )
        return products[active[0]] if active else None


class PushForward:
    """From a tangent, a tree like the inputs, to a tree like the output, in its units.

    It outlives the call that made it, and so keeps shapes and units of that call, but no array.
    """

    def __init__(self, traced: Traced):
        self.inputs = traced.inputs.abstract()
        self.structure = traced.outputs

    def __call__(self, push: Callable[..., Any], *tangents_in: Any) -> Any:
        what = "a push takes one tangent, a tree like what is differentiated"
        given = seeds(self.inputs, _only(tangents_in, what))
        try:
            tangents = push(given)
        except TypeError as error:
            advise(error, "linearize")
            raise
        return pushed(self.structure, tangents)


def _only(given: tuple[Any, ...], what: str) -> Any:
    if len(given) == 1:
        return given[0]
    raise TypeError(f"{what}, got {len(given)}. Write them as one tuple where there are several.")


def pushed(structure: Stripped, tangents: list[Any]) -> Any:
    """What was pushed as a tree like the output, in its units."""
    leaves = [
        ct if dtype_of(ct) == jax.dtypes.float0 else attach(ct, unit)
        for ct, unit in zip(tangents, structure.units, strict=True)
    ]
    return structure.structure.unflatten(leaves)


def seeds(inputs: Inputs, tangent: Any) -> list[Any]:
    """The magnitudes of a tangent in the columns that have one, each in its input's unit."""
    found: list[Any] = []
    for j, (magnitude, unit) in _columns(inputs, tangent).items():
        like = inputs.magnitudes[j]

        def label(j: int = j) -> str:
            return f"the tangent of {inputs.labels[j]}"

        _check_array(magnitude, label)
        if not has_tangent(like):
            _seed((magnitude, None), like, label)
            continue
        if not same_dimension(unit, inputs.units[j]):
            raise ValueError(
                f"{label()} is in {unit_text(unit)}, but a tangent has the dimension of its input, "
                f"which is in {unit_text(inputs.units[j])}. Give it in that unit, or in another "
                "one of its dimension."
            )
        found.append(_seed((magnitude, unit_ratio(unit, inputs.units[j])), like, label))
    return found


def _columns(inputs: Inputs, tangent: Any) -> dict[int, Given]:
    """Magnitude and unit in each column of a tree like what is differentiated."""
    chosen = inputs.selection
    state_part, arg_part = None, tangent
    if chosen.has_states and chosen.argnums is None:
        state_part, arg_part = tangent, None
    elif chosen.has_states:
        if not (_typed.is_a(tangent, tuple | list) and len(tangent) == 2):
            raise TypeError(
                "the tangent must be a pair (states, arguments), since both are differentiated, "
                f"got {array_text(tangent)}. Write push((state_tangents, argument_tangent))."
            )
        state_part, arg_part = tangent
    trees: list[Any] = []
    if chosen.has_states:
        trees += _state_trees(chosen.state_tree, state_part)
    if chosen.argnums is not None:
        trees.append(arg_part)
    columns: dict[int, Given] = {}
    for group, tree in zip(inputs.groups, trees, strict=True):
        columns |= _group_columns(group, tree)
    return columns


def _state_trees(structure: Any, tangent: Any) -> list[Any]:
    try:
        return structure.flatten_up_to(tangent)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"the tangent of the states must have the structure of grad_states, {structure}, got "
            f"{jax.tree.structure(tangent)}."
        ) from error


def _group_columns(group: Group, tree: Any) -> dict[int, Given]:
    what = f"the tangent of {', '.join(group.roots)}"
    given = _match(tree, group.stripped, what, "its primal")
    pairs = zip(given.magnitudes, given.units, strict=True)
    return dict(zip(group.columns, pairs, strict=True))


def _wanted(unit: Unit) -> str:
    if is_dimensionless(unit):
        return "a plain number"
    return f"it in {unit_text(unit)} or another unit of this dimension"


def _match(tree: Any, like: Stripped, what: str, whose: str) -> Stripped:
    """``tree`` without its units, if it has the structure of ``like``."""
    given = strip(tree)
    if given.treedef != like.treedef:
        raise ValueError(
            f"{what} must have the tree of {whose}: expected {like.treedef}, got "
            f"{given.treedef}. Give one array, number or quantity for each leaf."
        )
    return given


def _check_array(magnitude: Any, label: Label) -> None:
    if not is_arraylike(magnitude):
        refuse_foreign(magnitude, label)
        raise TypeError(
            f"{label()} must be an array, a number or a quantity, got {array_text(magnitude)}. "
            "Give one of the shape and unit that belong there."
        )


def _seed(given: Given, like: Any, label: Label) -> Any:
    """A magnitude scaled to its place: with the shape and dtype of the tangents of ``like``."""
    magnitude, unit = given
    if not has_tangent(like):
        if dtype_of(magnitude) != jax.dtypes.float0 or np.shape(magnitude) != like.shape:
            raise TypeError(
                f"{label()} must be float0, as {array_text(like)} has no tangents, got "
                f"{array_text(magnitude)}. Give numpy.zeros({like.shape}, jax.dtypes.float0)."
            )
        return magnitude
    if np.shape(magnitude) != like.shape or (is_complex(magnitude) and not is_complex(like)):
        raise ValueError(
            f"{label()} must be {array_text(like)}, got {array_text(magnitude)}. "
            "Give it that shape, and a dtype that this one can hold."
        )
    with in_full(like.dtype):
        seed = jnp.asarray(magnitude, like.dtype)
    return rescale(seed, unit or unit_ratio(None, None))
