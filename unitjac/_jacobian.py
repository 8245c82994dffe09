"""Jacobians: ``jacrev``, ``jacfwd`` and ``jacobian``.

Owns: the public functions, and how blocks become trees with units. Never touches: seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np

from ._arguments import check_keywords, name_of
from ._engine._dense import choose_mode, jacobian as engine_jacobian, passes
from ._engine._dtypes import Mode, check_input, check_output, has_tangent, is_complex
from ._errors import UnitsDroppedWarning, dtype_of, warn_user
from ._inputs import Group, Inputs
from ._plan import Block, Leaf, Plan
from ._quantity import attach_block, float0_block, is_one, unit_ratio, unit_text
from ._state import StateTrace
from ._traced import Traced
from ._transform import GradientTransform

_COMMON = (
    "grad_states",
    "argnums",
    "has_aux",
    "return_value",
    "holomorphic",
    "unit_aware",
    "check_states",
    "jit",
)


class JacobianTransform(GradientTransform):
    """The Jacobian of a function: a tree of blocks, outputs outside, inputs inside."""

    def __init__(
        self,
        fun: Callable[..., Any],
        *,
        transform_name: str,
        mode: Literal["fwd", "rev", "auto"],
        holomorphic: bool,
        allow_int: bool,
        **shared: Any,
    ):
        self.transform_name = transform_name
        self.mode: Literal["fwd", "rev", "auto"] = mode
        self.holomorphic = bool(holomorphic)
        self.allow_int = bool(allow_int)
        super().__init__(fun, **shared)

    def plan(self, *args: Any, **kwargs: Any) -> Plan:
        """The plan of a call with these arguments, without printing it."""
        traced = self._trace(args, kwargs)
        active = _active(traced.inputs)
        with StateTrace():  # what is written in here is dropped
            outputs, _ = jax.eval_shape(_engine_side(traced, active), _pick(traced.inputs, active))
        return self._write_plan(traced, outputs, active)

    def _trace(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
        traced = self._make_traced(args, kwargs, self._check_output)
        for leaf, label in _labelled(traced.inputs):
            check_input(
                leaf,
                label,
                # what reverse mode refuses in an input, the other modes refuse too
                mode="fwd" if self.mode == "fwd" else "rev",
                holomorphic=self.holomorphic,
                allow_int=self.allow_int,
            )
        return traced

    def _differentiate(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        inputs = traced.inputs
        active = _active(inputs)
        outputs, blocks, carried = engine_jacobian(
            _engine_side(traced, active), _pick(inputs, active), self.mode
        )
        if not self.unit_aware:
            self._warn_of_dropped_units(traced)
        rows = [self._row(traced, i, out, blocks[i], active) for i, out in enumerate(outputs)]
        state_parts = [_tree(traced, group, rows) for group in inputs.state_groups]
        tree = inputs.selection.state_tree
        state_part = tree.unflatten(state_parts) if inputs.selection.has_states else None
        group = inputs.argument_group
        return state_part, _tree(traced, group, rows) if group else None, outputs, carried

    def _row(
        self, traced: Traced, i: int, output: Any, blocks: list[Any], active: list[int]
    ) -> list[Any]:
        """The blocks of one output against every input leaf, with their units."""
        found = dict(zip(active, blocks, strict=True))
        row = []
        for j, (leaf, unit) in enumerate(zip(traced.inputs.magnitudes, traced.inputs.units, strict=True)):
            if j not in found:
                row.append(float0_block(np.shape(output) + np.shape(leaf)))
            elif self.unit_aware:
                row.append(attach_block(found[j], unit_ratio(traced.outputs.units[i], unit)))
            else:
                row.append(found[j])
        return row

    def _check_output(self, leaf: Any, label: str) -> None:
        check_output(
            leaf,
            label,
            mode="rev" if self.mode == "rev" else "fwd",
            holomorphic=self.holomorphic,
        )

    def _warn_of_dropped_units(self, traced: Traced) -> None:
        lost = {
            unit_text(ratio): None
            for out in traced.outputs.units
            for unit in traced.inputs.units
            if not is_one(ratio := unit_ratio(out, unit))
        }
        if lost:
            warn_user(
                f"the Jacobian of {name_of(self.fun)} has blocks in {', '.join(lost)}, which come "
                "back as plain magnitudes in the units of the function's own inputs and outputs. "
                f"Pass unit_aware=True to {self.transform_name} to keep the units.",
                UnitsDroppedWarning,
            )

    def _write_plan(self, traced: Traced, outputs: list[Any], active: list[int]) -> Plan:
        inputs = traced.inputs
        leaves = _pick(inputs, active)
        mode: Mode = choose_mode(leaves, outputs) if self.mode == "auto" else self.mode
        m, n = passes("rev", leaves, outputs), passes("fwd", leaves, outputs)
        fewer = "fewer passes" if m != n else "as few passes, no residuals"
        ins = tuple(
            Leaf(label, np.shape(leaf), str(dtype_of(leaf)), unit_text(unit))
            for label, leaf, unit in zip(inputs.labels, inputs.magnitudes, inputs.units, strict=True)
        )
        outs = tuple(
            Leaf(label, np.shape(leaf), str(dtype_of(leaf)), unit_text(unit))
            for label, leaf, unit in zip(
                traced.output_labels, outputs, traced.outputs.units, strict=True
            )
        )
        return Plan(
            title=f"{self.transform_name} of {name_of(self.fun)}",
            mode=mode,
            reason=f"{fewer}: {m:,} outputs, {n:,} inputs" if self.mode == "auto" else "as asked for",
            passes=n if mode == "fwd" else m,
            inputs=ins,
            outputs=outs,
            reads=tuple(map(repr, traced.reads)),
            writes=tuple(map(repr, traced.writes)),
            blocks=tuple(
                Block(out.label, into.label, out.shape + into.shape, unit_text(unit_ratio(u, v)))
                for out, u in zip(outs, traced.outputs.units, strict=True)
                for into, v in zip(ins, inputs.units, strict=True)
            ),
        )


def jacrev(
    fun: Callable[..., Any],
    grad_states: Any = None,
    argnums: Any = None,
    has_aux: bool | None = None,
    return_value: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    unit_aware: bool = False,
    check_states: bool = True,
    *,
    jit: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """The Jacobian of ``fun`` by reverse mode, with the unit of each block.

    Parameters
    ----------
    fun : callable
        From arrays and quantities (in any trees) to arrays and quantities (in any tree).
    grad_states : State or sequence or dict of State, optional
        States to differentiate with respect to.
    argnums : int or sequence of int, optional
        Positional arguments to differentiate with respect to, negative ones from the end.
        Default: the first, or none where ``grad_states`` is given.
    has_aux : bool, optional
        ``fun`` returns ``(output, aux)``; only ``output`` is differentiated, ``aux`` may be
        anything.
    return_value : bool, default False
        Give the value of ``fun`` back as well.
    holomorphic : bool, default False
        ``fun`` is promised to be holomorphic: complex inputs and outputs.
    allow_int : bool, default False
        Allow integer inputs; their blocks have dtype ``float0``.
    unit_aware : bool, default False
        Each block carries output unit / input unit; without a dimension it is a plain array,
        scaled to the number one. Without this flag blocks are magnitudes, and a
        :class:`UnitsDroppedWarning` says which units were lost.
    check_states : bool, default True
        A state in ``grad_states`` that ``fun`` never uses is an error; else its block is zero.
    jit : bool, default False
        Compile the whole, states included. What ``fun`` closes over is then read when it is
        traced. Arguments that are no arrays, ints and bools among them, are static.

    Returns
    -------
    GradientTransform
        A function of the arguments of ``fun``. It gives the Jacobian, then the value, then aux,
        as asked for; with states and arguments the Jacobian is ``(state_jac, arg_jac)``. The block
        of an output of shape ``out`` and an input of shape ``in`` has shape ``out + in``.

    Raises
    ------
    TypeError
        If ``fun`` is no function, a position no int, a leaf not differentiable, a state no state.
    ValueError
        If a position is out of range or named twice, a state is named twice or never used.

    See Also
    --------
    jacfwd : the same by forward mode.
    jacobian : the mode with fewer passes.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> def power(V, R):
    ...     return (V**2 / R).in_unit(u.mwatt)
    >>> dV, dR = uj.jacrev(power, argnums=(0, 1), unit_aware=True)(3.0 * u.volt, 2.0 * u.kohm)
    >>> dV.unit, dV.mantissa.item()
    (Unit("mW / V"), 3.0)
    >>> dR.unit, dR.mantissa.item()
    (Unit("mW / kohm"), -2.25)
    """
    check_keywords(kwargs, (*_COMMON, "allow_int"), "jacrev")
    return JacobianTransform(
        fun,
        transform_name="jacrev",
        mode="rev",
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        holomorphic=holomorphic,
        allow_int=allow_int,
        unit_aware=unit_aware,
        check_states=check_states,
        jit=jit,
    )


def jacfwd(
    fun: Callable[..., Any],
    grad_states: Any = None,
    argnums: Any = None,
    has_aux: bool | None = None,
    return_value: bool = False,
    holomorphic: bool = False,
    unit_aware: bool = False,
    check_states: bool = True,
    *,
    jit: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """The Jacobian of ``fun`` by forward mode, with the unit of each block.

    Cheaper than :func:`jacrev` where there are fewer inputs than outputs, and in memory for
    long loops, since nothing is kept for a backward pass. Parameters, returns and errors are
    those of :func:`jacrev`, but for ``allow_int``: an integer has no tangent to push.

    Parameters
    ----------
    fun, grad_states, argnums, has_aux, return_value, holomorphic, unit_aware, check_states, jit
        As in :func:`jacrev`.

    Returns
    -------
    GradientTransform
        As in :func:`jacrev`; a block has the dtype of its output.

    Raises
    ------
    TypeError, ValueError
        As in :func:`jacrev`; and where an input is complex without ``holomorphic``.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp, unitjac as uj
    >>> def positions(v):
    ...     return v * (jnp.arange(3.0) * u.second)
    >>> dv = uj.jacfwd(positions, unit_aware=True)(2.0 * u.metre / u.second)
    >>> dv.unit, dv.mantissa.tolist()
    (Unit("s"), [0.0, 1.0, 2.0])
    """
    check_keywords(kwargs, _COMMON, "jacfwd")
    return JacobianTransform(
        fun,
        transform_name="jacfwd",
        mode="fwd",
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        holomorphic=holomorphic,
        allow_int=False,
        unit_aware=unit_aware,
        check_states=check_states,
        jit=jit,
    )


def jacobian(
    fun: Callable[..., Any],
    grad_states: Any = None,
    argnums: Any = None,
    has_aux: bool | None = None,
    return_value: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    unit_aware: bool = False,
    check_states: bool = True,
    *,
    mode: Literal["auto", "fwd", "rev"] = "auto",
    jit: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """The Jacobian of ``fun`` by the mode with fewer passes, with the unit of each block.

    Parameters
    ----------
    fun, grad_states, argnums, has_aux, return_value, holomorphic, allow_int, unit_aware
        As in :func:`jacrev`.
    check_states, jit
        As in :func:`jacrev`.
    mode : {"auto", "fwd", "rev"}, default "auto"
        ``"auto"`` linearizes ``fun`` once and pushes forward where there are no more inputs than
        outputs, else pulls back; ``describe()`` says which. It keeps what a backward pass needs
        in both cases: for a long loop with few inputs ``"fwd"`` needs less memory.

    Returns
    -------
    GradientTransform
        As in :func:`jacrev`.

    Raises
    ------
    TypeError, ValueError
        As in :func:`jacrev`, and where ``mode`` is none of the three.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp, unitjac as uj
    >>> jac = uj.jacobian(lambda x: x**2, unit_aware=True)
    >>> plan = jac.describe(jnp.ones(2) * u.mV)
    jacobian of <lambda>
      mode     forward (as few passes, no residuals: 2 outputs, 2 inputs), 2 passes
      inputs   2 numbers in 1 leaf
      outputs  2 numbers in 1 leaf
      reads    no state
      writes   no state
      output  input       shape   unit
      ------  ----------  ------  ----
      output  argument 0  (2, 2)  mV
    """
    check_keywords(kwargs, (*_COMMON, "allow_int", "mode"), "jacobian")
    if mode not in ("auto", "fwd", "rev"):
        raise ValueError(f'mode must be "auto", "fwd" or "rev", got {mode!r}.')
    return JacobianTransform(
        fun,
        transform_name="jacobian",
        mode=mode,
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        holomorphic=holomorphic,
        allow_int=allow_int,
        unit_aware=unit_aware,
        check_states=check_states,
        jit=jit,
    )


def _tree(traced: Traced, group: Group, rows: list[list[Any]]) -> Any:
    """The Jacobian with respect to one input: the tree of outputs, the input's tree inside."""
    return traced.outputs.treedef.unflatten(
        [group.stripped.treedef.unflatten([row[j] for j in group.columns]) for row in rows]
    )


def _labelled(inputs: Inputs) -> list[tuple[Any, str]]:
    return list(zip(inputs.magnitudes, inputs.labels, strict=True))


def _active(inputs: Inputs) -> list[int]:
    """The columns that have tangents."""
    return [j for j, leaf in enumerate(inputs.magnitudes) if has_tangent(leaf)]


def _pick(inputs: Inputs, active: list[int]) -> list[Any]:
    return [inputs.magnitudes[j] for j in active]


def _engine_side(traced: Traced, active: list[int]) -> Callable[[list[Any]], Any]:
    """``traced`` as a function of the columns that have tangents."""
    still = list(traced.inputs.magnitudes)

    def fun(leaves: list[Any]) -> Any:
        magnitudes = list(still)
        for j, leaf in zip(active, leaves, strict=True):
            magnitudes[j] = leaf
        return traced(magnitudes)

    return fun
