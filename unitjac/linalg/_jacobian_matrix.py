"""Jacobians and Hessians as matrices with units.

Owns: ``jacobian_matrix`` and ``hessian_matrix``. Never touches: how a derivative is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from unitjac._engine.dense import jacobian as engine_jacobian
from unitjac._engine.second import NESTINGS, Nesting
from unitjac._engine.second import hessian as engine_hessian
from unitjac._engine.sweep import ChunkSize, Sweep
from unitjac._errors import array_text
from unitjac._transforms.arguments import check_keywords, name_of
from unitjac._transforms.decorator import decorating
from unitjac._transforms.hessian import HessianTransform
from unitjac._transforms.inputs import Inputs
from unitjac._transforms.jacobian import JacobianTransform
from unitjac._transforms.traced import Traced
from unitjac._transforms.transform import GradientTransform
from unitjac._transforms.uncut import in_blocks

from ._axis import Axis
from ._matrix import UnitMatrix
from ._unit_algebra import quotient

_KNOWN = (
    "grad_states",
    "argnums",
    "has_aux",
    "return_value",
    "check_states",
    "mode",
    "chunk_size",
    "progress",
    "mesh",
    "axis",
    "jit",
    "debug_nan",
)


class _JacobianMatrix(JacobianTransform):
    """The Jacobian as one matrix: all states and arguments are its columns."""

    def __init__(self, fun: Callable[..., Any], **shared: Any):
        super().__init__(fun, transform_name="jacobian_matrix", **shared)
        self.offers = ()

    def _differentiate(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        stacks = engine_jacobian(traced, traced.inputs.leaves, self.mode, self.sweep)
        rows = _axis_of_outputs(traced, stacks.outputs)
        matrix = UnitMatrix(stacks.matrix(), rows, axis_of_inputs(traced.inputs))
        return matrix, matrix, stacks.outputs, stacks.carried

    def _in_blocks(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        return in_blocks(super()._differentiate(traced))

    def _returns(self, state_part: Any, arg_part: Any, value: Any, aux: Any) -> Any:
        return self._with_extras(state_part, value, aux)


class _HessianMatrix(HessianTransform):
    """The Hessian of a scalar output as one matrix."""

    transform_name = "hessian_matrix"
    offers = ()

    def _differentiate(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        found = engine_hessian(traced, traced.inputs.leaves, self.mode, self.sweep, join=True)
        outputs = found.outputs
        if len(outputs) != 1 or np.shape(outputs[0]) != ():
            came = ", ".join(map(array_text, outputs)) or "none"
            raise TypeError(
                f"hessian_matrix wants one scalar output, {name_of(self.fun)} gave {came}. Use "
                "unitjac.hessian for the blocks of several outputs."
            )
        cols = axis_of_inputs(traced.inputs)
        rows = cols.map_units(lambda unit: quotient(traced.outputs.units[0], unit))
        matrix = UnitMatrix(found.tensor()[0], rows, cols)
        return matrix, matrix, outputs, found.carried

    def _in_blocks(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        return in_blocks(super()._differentiate(traced))

    def _returns(self, state_part: Any, arg_part: Any, value: Any, aux: Any) -> Any:
        return self._with_extras(state_part, value, aux)


@decorating
def jacobian_matrix(
    fun: Callable[..., Any],
    grad_states: Any = None,
    argnums: Any = None,
    has_aux: bool | None = None,
    return_value: bool = False,
    check_states: bool = True,
    *,
    mode: Literal["auto", "fwd", "rev"] = "auto",
    chunk_size: ChunkSize = "auto",
    progress: bool = False,
    mesh: Any = None,
    axis: str | None = None,
    jit: bool = False,
    debug_nan: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """The Jacobian of ``fun`` as one :class:`UnitMatrix`.

    Parameters
    ----------
    fun, grad_states, argnums, has_aux, return_value, check_states, mode, jit, debug_nan
        As in :func:`unitjac.jacobian`.
    chunk_size, progress, mesh, axis
        As in :func:`unitjac.jacobian`. With states and arguments the columns belong to the pair
        ``(states, arguments)``.

    Returns
    -------
    GradientTransform
        It gives the matrix, then the value, then aux, as asked for. The matrix has one dtype,
        the widest of its blocks.

    Raises
    ------
    TypeError, ValueError
        As in :func:`unitjac.jacobian`.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.linalg import jacobian_matrix
    >>> J = jacobian_matrix(lambda p: {"I": p["g"] * p["V"]})({"g": 2.0 * u.nS, "V": 3.0 * u.mV})
    >>> J["I", "V"]
    Quantity(2., "nS")
    >>> J @ {"g": 1.0 * u.nS, "V": 1.0 * u.mV}
    {'I': Quantity(5., "pA")}
    """
    check_keywords(kwargs, _KNOWN, "jacobian_matrix")
    if mode not in ("auto", "fwd", "rev"):
        raise ValueError(f'mode must be "auto", "fwd" or "rev", got {mode!r}.')
    return _JacobianMatrix(
        fun,
        mode=mode,
        sweep=Sweep.of(chunk_size, progress, mesh, axis),
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        unit_aware=True,
        check_states=check_states,
        jit=jit,
        debug_nan=debug_nan,
    )


@decorating
def hessian_matrix(
    fun: Callable[..., Any],
    grad_states: Any = None,
    argnums: Any = None,
    has_aux: bool | None = None,
    return_value: bool = False,
    check_states: bool = True,
    *,
    mode: Nesting = "auto",
    chunk_size: ChunkSize = "auto",
    progress: bool = False,
    mesh: Any = None,
    axis: str | None = None,
    jit: bool = False,
    debug_nan: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """The Hessian of a scalar function as one symmetric :class:`UnitMatrix`.

    Parameters
    ----------
    fun, grad_states, argnums, has_aux, return_value, check_states, mode, jit, debug_nan
        As in :func:`unitjac.jacobian`.
    chunk_size, progress, mesh, axis
        As in :func:`unitjac.hessian`; the output of ``fun`` is one scalar.

    Returns
    -------
    GradientTransform
        It gives the matrix, then the value, then aux, as asked for. Rows are in output unit over
        input unit, columns in input unit.

    Raises
    ------
    TypeError, ValueError
        As in :func:`unitjac.hessian`, and where the output is not one scalar.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.linalg import hessian_matrix
    >>> energy = lambda p: 0.5 * p["C"] * p["V"] ** 2
    >>> H = hessian_matrix(energy)({"C": 2.0 * u.nF, "V": 3.0 * u.mV})
    >>> H["V", "V"]
    Quantity(2., "nF")
    """
    check_keywords(kwargs, _KNOWN, "hessian_matrix")
    if mode not in NESTINGS:
        raise ValueError(f"mode must be one of {', '.join(NESTINGS)}, got {mode!r}.")
    return _HessianMatrix(
        fun,
        mode=mode,
        sweep=Sweep.of(chunk_size, progress, mesh, axis),
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        unit_aware=True,
        check_states=check_states,
        jit=jit,
        debug_nan=debug_nan,
    )


def _axis_of_outputs(traced: Traced, outputs: list[Any]) -> Axis:
    return Axis.of(traced.outputs.attach(outputs))


def axis_of_inputs(inputs: Inputs) -> Axis:
    """The pair of states and arguments, or the one of the two that there is."""
    return Axis.of(
        inputs.selection.pair(*inputs.parts(lambda g: g.stripped.attach(g.stripped.magnitudes)))
    )
