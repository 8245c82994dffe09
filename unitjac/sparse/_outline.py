"""A function with nothing known of its arguments and states but shapes, dtypes and units.

Owns: the trace from which a plan is made, and what is seen of a function's outputs. Never touches:
values, patterns, colours.

A plan is to hold for all values. So arguments that are not differentiated, and the states that
the function reads, are as abstract here as those that are: a conductance that happens to be zero
while one plans must not take its entries out of the pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from unitjac._engine.dense import Pure
from unitjac._errors import abstract
from unitjac._states.state import State, StateTrace
from unitjac._transforms.compiled import is_traced
from unitjac._transforms.inputs import Inputs
from unitjac._transforms.static import Packed, pack
from unitjac._transforms.traced import Traced
from unitjac._units.quantity import Stripped, is_quantity
from unitjac.linalg import Axis


class Outputs(NamedTuple):
    """The outputs of the user's function: shapes and dtypes, units and tree, labels."""

    magnitudes: list[Any]
    structure: Stripped
    labels: list[str]

    @property
    def axis(self) -> Axis:
        """The axis along which they are laid."""
        return Axis.of(self.structure.attach(self.magnitudes))


class Watched:
    """The user's function on magnitudes; ``outputs`` holds what the last call gave.

    Parameters
    ----------
    traced : Traced
        The function.
    look : callable, optional
        Called with the outputs; raises where they are not what was planned for.
    """

    outputs: Outputs

    def __init__(self, traced: Traced, look: Callable[[Outputs], None] = lambda outputs: None):
        self.traced = traced
        self.look = look

    def __call__(self, leaves: list[Any]) -> tuple[list[Any], Any]:
        magnitudes, carried = self.traced(leaves)
        shapes = list(map(abstract, magnitudes))
        self.outputs = Outputs(shapes, self.traced.outputs, self.traced.output_labels)
        self.look(self.outputs)
        return magnitudes, carried


class Outline(NamedTuple):
    """What is known of a function before numbers flow.

    Attributes
    ----------
    function : callable
        Of ``(leaves, rest)``: what is differentiated, as a list of arrays.
    leaves, rest
        What it is differentiated with respect to, and all else that goes in.
    images : list of ShapeDtypeStruct
        What it gives.
    outputs : Outputs
        What the user's function gives.
    """

    function: Callable[[list[Any], Any], list[Any]]
    leaves: list[Any]
    rest: Any
    images: list[Any]
    outputs: Outputs


def outline(
    trace: Callable[[Any, Any], Traced],
    derive: Callable[[Pure], Pure],
    inputs: Inputs,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Outline:
    """The outline of a function at arguments like these.

    Parameters
    ----------
    trace : callable
        Makes the :class:`Traced` function of arguments.
    derive : callable
        Makes of it what is differentiated: itself, or its gradient.
    inputs : Inputs
        What is differentiated with respect to.
    args, kwargs
        The arguments: arrays, quantities, or their shapes.
    """
    packed = pack((args, kwargs), is_traced, is_leaf=is_quantity)
    leaves = list(map(abstract, inputs.leaves))
    seen: list[tuple[Outputs, list[State]]] = []  # and no tracer

    def taking(states: list[State]) -> tuple[Callable[[list[Any], Any], list[Any]], Any]:
        """The function with the values of some states among its arguments, and the rest."""

        def function(leaves: list[Any], rest: Any) -> list[Any]:
            arrays, values = rest
            args, kwargs = Packed(arrays, packed.skeleton, packed.treedef).unpack()
            with StateTrace(dict(zip(states, values, strict=True))):
                watched = Watched(trace(args, kwargs))
                images, _ = derive(watched)(leaves)
            seen.append((watched.outputs, watched.traced.reads))
            return images

        return function, (packed.arrays, [state.value for state in states])

    function, rest = taking([])
    images = jax.eval_shape(function, leaves, rest)
    _, reads = seen[-1]
    if reads:
        function, rest = taking(reads)
        images = jax.eval_shape(function, leaves, rest)
    return Outline(function, leaves, rest, images, seen[-1][0])
