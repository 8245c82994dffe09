"""Gradients: ``grad``, ``value_and_grad`` and ``vector_grad``.

Owns: the public functions, and which cotangent is pulled back. Never touches: seeds of Jacobians.
"""

from __future__ import annotations

import abc
import functools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from unitjac._engine import direction
from unitjac._engine.dtypes import Mode
from unitjac._engine.seeds import filled
from unitjac._errors import array_text
from unitjac._units.quantity import (
    UNITLESS,
    Unit,
    is_dimensionless,
    rescale,
    same_dimension,
    unit_ratio,
)
from unitjac._units.unit_text import unit_text

from .arguments import check_keywords, name_of
from .decorator import decorating
from .inputs import Group, Inputs
from .plan import Block
from .traced import Traced
from .transform import GradientTransform

_COMMON = (
    "grad_states",
    "argnums",
    "has_aux",
    "return_value",
    "unit_aware",
    "check_states",
    "jit",
    "debug_nan",
)


class _Pulled(GradientTransform):
    """Ones pulled back: a tree like the input, no tree of outputs outside."""

    def _work(self, traced: Traced, outputs: list[Any]) -> dict[str, Any]:
        reason = "cotangents of ones are pulled back"
        return {"mode": "rev", "reason": reason, "passes": len(_by_unit(traced))}

    def _rules(self, inputs: Inputs) -> tuple[Mode, Mode]:
        return "rev", "rev"

    def _blocks(self, traced: Traced, outputs: list[Any]) -> Iterator[Block]:
        self._check_outputs(traced, outputs)
        inputs, units = traced.inputs, traced.outputs.units
        over = units[0] if units else None
        for j in inputs.order:
            leaf = inputs.magnitudes[j]
            text = self._unit_text(leaf, over, inputs.units[j])
            yield Block("output", inputs.labels[j], np.shape(leaf), text)

    def _places(self, traced: Traced) -> Iterator[str]:
        return (f"output by {label}" for label in traced.inputs.labels)

    def _differentiate(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        inputs = traced.inputs
        outputs, pull, carried = direction.vjp(traced, inputs.leaves, has_aux=True)
        self._check_outputs(traced, outputs)
        # one pull for each unit among the outputs: scales are applied to what comes back, each once
        pulls = {unit: pull(_ones(outputs, chosen))[0] for unit, chosen in _by_unit(traced).items()}
        units = self._units(traced)
        self._warn_of_dropped_units(units[j] for j in inputs.active)
        found = {
            j: self._sum({unit: g[k] for unit, g in pulls.items()}, inputs.units[j], units[j])
            for k, j in enumerate(inputs.active)
        }
        columns = inputs.filled(found, ())

        def gradient_of(group: Group) -> Any:
            return group.tree(columns)

        return *inputs.parts(gradient_of), outputs, carried

    def _sum(self, summands: dict[Unit, Any], in_unit: Unit | None, unit: Unit) -> Any:
        """The gradient in one column: summands by output unit, each over ``in_unit``."""
        if self.unit_aware and is_dimensionless(unit):
            unit = UNITLESS
        scaled = [
            rescale(g, unit_ratio(unit_ratio(out, in_unit), unit)) for out, g in summands.items()
        ]
        return self._attach(functools.reduce(operator.add, scaled), unit)

    def _units(self, traced: Traced) -> list[Unit]:
        """The unit of the gradient in each column: that of the output over that of the input."""
        units = traced.outputs.units
        return [unit_ratio(units[0] if units else None, unit) for unit in traced.inputs.units]

    @abc.abstractmethod
    def _check_outputs(self, traced: Traced, outputs: list[Any]) -> None:
        """Raise where there is no gradient of these outputs."""


class Gradient(_Pulled):
    """The gradient of a function with one scalar output."""

    def __init__(self, fun: Callable[..., Any], *, value_first: bool = False, **shared: Any):
        self.value_first = value_first
        self.transform_name = "value_and_grad" if value_first else "grad"
        self.offers = ("holomorphic", "allow_int")
        super().__init__(fun, **shared)

    def _trace(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
        # as in jax.grad, and as Python says of an argument that is missing
        self.selection.check_enough(len(args), kwargs)
        return super()._trace(args, kwargs)

    def _returns(self, state_part: Any, arg_part: Any, value: Any, aux: Any) -> Any:
        if not self.value_first:
            return super()._returns(state_part, arg_part, value, aux)
        derivative = self.selection.pair(state_part, arg_part)
        return ((value, aux) if self.has_aux else value), derivative

    def _check_outputs(self, traced: Traced, outputs: list[Any]) -> None:
        if len(outputs) != 1 or np.shape(outputs[0]) != ():
            came = ", ".join(
                f"{label}: {array_text(out)} in {unit_text(unit)}"
                for label, out, unit in zip(
                    traced.output_labels, outputs, traced.outputs.units, strict=True
                )
            )
            raise TypeError(
                f"{self.transform_name} wants one scalar output, {name_of(self.fun)} gave "
                f"{came or 'none'}. Use unitjac.vector_grad for the gradient of the sum of the "
                "outputs, or unitjac.jacrev for the Jacobian."
            )


class VectorGradient(_Pulled):
    """The gradient of the sum of all outputs, which all have one dimension."""

    transform_name = "vector_grad"

    def _check_outputs(self, traced: Traced, outputs: list[Any]) -> None:
        units = traced.outputs.units
        for i, unit in enumerate(units):
            if not same_dimension(unit, units[0]):
                raise ValueError(
                    f"vector_grad sums the outputs, and {traced.output_label(i)} in "
                    f"{unit_text(unit)} cannot be added to {traced.output_labels[0]} in "
                    f"{unit_text(units[0])}. Use unitjac.jacrev for the outputs one by one, or "
                    "give back outputs of one dimension."
                )


def _by_unit(traced: Traced) -> dict[Unit, list[int]]:
    """The outputs by their unit: in a sum with V, mV counts a thousandth."""
    groups: dict[Unit, list[int]] = {}
    for i, unit in enumerate(traced.outputs.units or [None]):
        groups.setdefault(unit or UNITLESS, []).append(i)
    return groups


def _ones(outputs: list[Any], chosen: list[int]) -> list[Any]:
    """Cotangents of one for the chosen outputs, of zero for the others."""
    return [filled(i in chosen, out) for i, out in enumerate(outputs)]


@decorating
def grad(
    fun: Callable[..., Any],
    grad_states: Any = None,
    argnums: Any = None,
    holomorphic: bool = False,
    allow_int: bool = False,
    has_aux: bool | None = None,
    return_value: bool = False,
    unit_aware: bool = False,
    check_states: bool = True,
    *,
    jit: bool = False,
    debug_nan: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """The gradient of a scalar function, with its unit in each leaf.

    Parameters
    ----------
    fun : callable, optional
        Its output is one scalar, of any unit. Left out, ``grad`` gives a decorator.
    grad_states, argnums, holomorphic, allow_int, has_aux, return_value, unit_aware
        As in :func:`jacrev`.
    check_states, jit, debug_nan
        As in :func:`jacrev`.

    Returns
    -------
    GradientTransform
        It gives a tree like what is differentiated with respect to, then the value, then aux, as
        asked for. With states and arguments the gradient is ``(state_grad, arg_grad)``.

    Raises
    ------
    TypeError, ValueError
        As in :func:`jacrev`, and where the output is not one scalar.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> energy = lambda C, V: 0.5 * C * V**2
    >>> dC, dV = uj.grad(energy, argnums=(0, 1), unit_aware=True)(2.0 * u.nF, 3.0 * u.mV)
    >>> dC.unit, dC.mantissa.item()
    (Unit("mV^2"), 4.5)
    >>> dV.unit, dV.mantissa.item()
    (Unit("pC"), 6.0)
    """
    check_keywords(kwargs, (*_COMMON, "holomorphic", "allow_int"), "grad")
    return Gradient(
        fun,
        grad_states=grad_states,
        argnums=argnums,
        holomorphic=holomorphic,
        allow_int=allow_int,
        has_aux=has_aux,
        return_value=return_value,
        unit_aware=unit_aware,
        check_states=check_states,
        jit=jit,
        debug_nan=debug_nan,
    )


@decorating
def value_and_grad(
    fun: Callable[..., Any],
    grad_states: Any = None,
    argnums: Any = None,
    holomorphic: bool = False,
    allow_int: bool = False,
    has_aux: bool | None = None,
    unit_aware: bool = False,
    check_states: bool = True,
    *,
    jit: bool = False,
    debug_nan: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """The value and the gradient of a scalar function, in this order, as in JAX.

    Parameters
    ----------
    fun, grad_states, argnums, holomorphic, allow_int, has_aux, unit_aware, check_states
        As in :func:`grad`; without ``fun`` it gives a decorator.

    Returns
    -------
    GradientTransform
        It gives ``(value, gradient)``, or ``((value, aux), gradient)`` with ``has_aux=True``.

    Raises
    ------
    TypeError, ValueError
        As in :func:`grad`.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> ramp = lambda t: (3.0 * u.mV / u.ms) * t
    >>> value, slope = uj.value_and_grad(ramp, unit_aware=True)(2.0 * u.ms)
    >>> value.unit, slope.unit
    (Unit("mV"), Unit("mV / ms"))
    """
    known = [name for name in _COMMON if name != "return_value"]
    check_keywords(kwargs, (*known, "holomorphic", "allow_int"), "value_and_grad")
    return Gradient(
        fun,
        value_first=True,
        grad_states=grad_states,
        argnums=argnums,
        holomorphic=holomorphic,
        allow_int=allow_int,
        has_aux=has_aux,
        return_value=False,
        unit_aware=unit_aware,
        check_states=check_states,
        jit=jit,
        debug_nan=debug_nan,
    )


@decorating
def vector_grad(
    fun: Callable[..., Any],
    grad_states: Any = None,
    argnums: Any = None,
    return_value: bool = False,
    has_aux: bool | None = None,
    unit_aware: bool = False,
    check_states: bool = True,
    *,
    jit: bool = False,
    debug_nan: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """The gradient of the sum of all outputs, which may be arrays in a tree.

    For a function that works entry by entry this is the derivative of each entry. Outputs in
    different units of one dimension are added as quantities, in the unit of the first.

    Parameters
    ----------
    fun : callable, optional
        Left out, ``vector_grad`` gives a decorator.
    grad_states, argnums, return_value, has_aux, unit_aware, check_states, jit, debug_nan
        As in :func:`grad`.

    Returns
    -------
    GradientTransform
        As in :func:`grad`.

    Raises
    ------
    TypeError
        As in :func:`grad`; integer inputs and complex outputs are refused.
    ValueError
        As in :func:`grad`, and where outputs of different dimensions cannot be added.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp, unitjac as uj
    >>> g = uj.vector_grad(lambda x: x**2, unit_aware=True)(jnp.arange(3.0) * u.mV)
    >>> g.unit, g.mantissa.tolist()
    (Unit("mV"), [0.0, 2.0, 4.0])
    """
    check_keywords(kwargs, _COMMON, "vector_grad")
    return VectorGradient(
        fun,
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        unit_aware=unit_aware,
        check_states=check_states,
        jit=jit,
        debug_nan=debug_nan,
    )
