"""Tangents and cotangents as the user gives them: their trees, shapes and units.

Owns: the checks, the conversion of units, and the unit of what is pulled back. Never touches: how
a tangent is pushed or a cotangent pulled.

A tangent of an input in unit V is in V, or in another unit of its dimension, and is converted.
A cotangent may have any unit: with W = cotangent unit * output unit, what is pulled back to an
input in V is in W / V. All leaves of a cotangent agree about W.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._engine.dtypes import has_tangent, is_complex
from unitjac._errors import abstract, array_text, dtype_of, is_arraylike
from unitjac._units.quantity import (
    Stripped,
    Unit,
    attach_block,
    float0_block,
    is_dimensionless,
    rescale,
    same_dimension,
    strip,
    unit_product,
    unit_ratio,
    unit_text,
)

from .advice import advise
from .inputs import Group, Inputs
from .traced import Traced

Given = tuple[Any, "Unit | None"]
"""Magnitude and unit of a leaf that the user gave."""


class PullBack:
    """From a cotangent, a tree like the output, to a tree like the inputs.

    It outlives the call that made it, and so keeps shapes and units of that call, but no array.
    """

    def __init__(self, traced: Traced, outputs: list[Any]):
        self.inputs = traced.inputs.abstract()
        self.structure = traced.outputs
        self.outputs = list(map(abstract, outputs))
        self.labels = [f"the cotangent of {traced.output_label(i)}" for i in range(len(outputs))]

    def __call__(self, pull: Callable[..., Any], cotangent: Any) -> Any:
        given = _match(cotangent, self.structure, "the cotangent", "the output")
        product = self._common_product(given)
        seeds = [
            _seed((ct, unit_ratio(unit_product(unit, out), product)), like, label)
            for ct, unit, out, like, label in zip(
                given.magnitudes,
                given.units,
                self.structure.units,
                self.outputs,
                self.labels,
                strict=True,
            )
        ]
        try:
            (pulled,) = pull(seeds)
        except ValueError as error:
            advise(error, "vjp")
            raise
        columns = {j: float0_block(leaf.shape) for j, leaf in enumerate(self.inputs.magnitudes)}
        for j, ct in zip(self.inputs.active, pulled, strict=True):
            columns[j] = attach_block(ct, unit_ratio(product, self.inputs.units[j]))
        parts = self.inputs.parts(lambda group: group.tree(columns))
        return self.inputs.selection.pair(*parts)

    def _common_product(self, given: Stripped) -> Unit | None:
        """W, the unit of cotangent times output, about which all leaves agree."""
        outs = self.structure.units
        products = [unit_product(ct, out) for ct, out in zip(given.units, outs, strict=True)]
        for i, product in enumerate(products):
            if not same_dimension(product, products[0]):
                raise ValueError(
                    f"{self.labels[i]} is in {unit_text(given.units[i])}, which times the "
                    f"output's unit is {unit_text(product)}, while the first leaf makes "
                    f"{unit_text(products[0])}. Give {_wanted(unit_ratio(products[0], outs[i]))}, "
                    "so that what is summed over the outputs has one unit."
                )
        return products[0] if products else None


class PushForward:
    """From a tangent, a tree like the inputs, to a tree like the output, in its units.

    It outlives the call that made it, and so keeps shapes and units of that call, but no array.
    """

    def __init__(self, traced: Traced):
        self.inputs = traced.inputs.abstract()
        self.structure = traced.outputs

    def __call__(self, push: Callable[..., Any], tangent: Any) -> Any:
        given = seeds(self.inputs, tangent)
        try:
            pushed = push(given)
        except TypeError as error:
            advise(error, "linearize")
            raise
        return self.structure.attach(pushed)


def seeds(inputs: Inputs, tangent: Any) -> list[Any]:
    """The magnitudes of a tangent in the columns that have one, each in its input's unit."""
    found: list[Any] = []
    for j, (magnitude, unit) in _columns(inputs, tangent).items():
        label, like = f"the tangent of {inputs.labels[j]}", inputs.magnitudes[j]
        if not has_tangent(like):
            if dtype_of(magnitude) != jax.dtypes.float0:
                raise TypeError(
                    f"{label} must be float0, as {array_text(like)} has no tangents, got "
                    f"{array_text(magnitude)}. Give numpy.zeros(shape, jax.dtypes.float0)."
                )
            continue
        _check_array(magnitude, label)
        if not same_dimension(unit, inputs.units[j]):
            raise ValueError(
                f"{label} is in {unit_text(unit)}, but a tangent has the dimension of its input, "
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


def _check_array(magnitude: Any, label: str) -> None:
    if not is_arraylike(magnitude):
        raise TypeError(
            f"{label} must be an array, a number or a quantity, got {array_text(magnitude)}. Give "
            "one of the shape and unit that belong there."
        )


def _seed(given: Given, like: Any, label: str) -> Any:
    """A magnitude scaled to its place: with the shape and dtype of ``like``."""
    magnitude, unit = given
    _check_array(magnitude, label)
    if np.shape(magnitude) != like.shape or (is_complex(magnitude) and not is_complex(like)):
        raise ValueError(
            f"{label} must be {array_text(like)}, got {array_text(magnitude)}. "
            "Give it that shape, and a dtype that this one can hold."
        )
    return rescale(jnp.asarray(magnitude, like.dtype), unit or unit_ratio(None, None))
