"""Jacobians: ``jacrev``, ``jacfwd`` and ``jacobian``.

Owns: the public functions, and how blocks become trees with units. Never touches: seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from unitjac._engine.dense import Modes, Stacks
from unitjac._engine.dense import jacobian as engine_jacobian
from unitjac._engine.dtypes import Mode, is_complex
from unitjac._engine.estimate import estimate
from unitjac._engine.seeds import MANY, cut_rows, is_symbolic, sizes
from unitjac._engine.sweep import ChunkSize, Sweep
from unitjac._units.quantity import Unit, unit_ratio

from .arguments import check_keywords
from .decorator import decorating
from .inputs import Group, Inputs
from .plan import Block
from .traced import Traced
from .transform import Columns, GradientTransform
from .uncut import Uncut, uncut

_COMMON = (
    "grad_states",
    "argnums",
    "has_aux",
    "return_value",
    "holomorphic",
    "unit_aware",
    "check_states",
    "chunk_size",
    "progress",
    "mesh",
    "axis",
    "jit",
    "debug_nan",
)


_BOTH = ("holomorphic", "allow_int")


class JacobianTransform(GradientTransform):
    """The Jacobian of a function: a tree of blocks, outputs outside, inputs inside."""

    def __init__(
        self,
        fun: Callable[..., Any],
        *,
        transform_name: str,
        mode: Modes,
        sweep: Sweep,
        **shared: Any,
    ):
        self.transform_name = transform_name
        self.offers = ("holomorphic",) if transform_name == "jacfwd" else _BOTH
        self.mode: Modes = mode
        self.sweep = sweep
        super().__init__(fun, **shared)

    def _rules(self, inputs: Inputs) -> tuple[Mode, Mode]:
        if self.mode != "auto":
            return self.mode, self.mode
        # complex inputs leave reverse mode only, complex outputs forward mode only
        return "rev", "rev" if any(map(is_complex, inputs.magnitudes)) else "fwd"

    def _work(self, traced: Traced, outputs: list[Any]) -> dict[str, Any]:
        leaves = traced.inputs.leaves
        found = estimate(traced, leaves, self.mode, self.sweep)
        m, n = sum(sizes(outputs)), sum(sizes(leaves))
        fewer = "fewer passes" if m != n else "as few passes, no residuals"
        other = min(m, n)
        notes: list[str] = []
        if other * 8 <= found.passes:
            better = "jacfwd" if found.mode == "rev" else "jacrev"
            notes.append(f"unitjac.{better} or jacobian would take {other:,} passes")
        return {
            "mode": found.mode,
            "reason": f"{fewer}: {m:,} outputs, {n:,} inputs"
            if self.mode == "auto"
            else "as asked for",
            "passes": found.passes,
            "chunk": found.chunk,
            "memory": found.memory,
            "notes": tuple(notes),
        }

    def _blocks(self, traced: Traced, outputs: list[Any]) -> Iterator[Block]:
        rows, columns = traced.output_labels, traced.inputs.labels
        for i in traced.outputs.order:
            for j in traced.inputs.order:
                out, leaf = outputs[i], traced.inputs.magnitudes[j]
                yield Block(
                    rows[i],
                    columns[j],
                    np.shape(out) + np.shape(leaf),
                    self._unit_text(leaf, traced.outputs.units[i], traced.inputs.units[j]),
                )

    def _places(self, traced: Traced) -> Iterator[str]:
        rows, columns = traced.output_labels, traced.inputs.labels
        for group in traced.inputs.groups:
            for row in rows:
                yield from (f"{row} by {columns[j]}" for j in group.columns)

    def _differentiate(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        inputs = traced.inputs
        stacks = engine_jacobian(traced, inputs.leaves, self.mode, self.sweep)
        outputs = stacks.outputs
        pairs = [(i, j) for i in range(len(outputs)) for j in inputs.active]
        self._warn_of_dropped_units(self._unit(traced, i, j) for i, j in pairs)
        if self.jit and stacks.sharded is None and len(pairs) >= MANY and not stacks.is_cut:
            rows = self._uncut(traced, stacks)
            if rows is not None:
                return rows, rows, outputs, stacks.carried
        blocks = stacks.blocks()
        lines: list[Columns] = []
        for i, out in enumerate(outputs):
            found = {
                j: self._attach(block, self._unit(traced, i, j))
                for j, block in zip(inputs.active, blocks[i], strict=True)
            }
            lines.append(inputs.filled(found, np.shape(out)))
        structure = traced.outputs.structure
        parts = inputs.parts(lambda group: _tree(structure, group, lines))
        return *parts, outputs, stacks.carried

    def _uncut(self, traced: Traced, stacks: Stacks) -> Uncut | None:
        """The Jacobian row by row, where all of it has one dtype; None where it has not."""
        inputs = traced.inputs
        if len({stack.dtype for stack in stacks.stacks}) > 1:
            return None
        if len(inputs.active) < len(inputs.magnitudes):
            return None
        if is_symbolic([*stacks.outputs, *inputs.leaves]):
            return None
        # the recipe outlives the call, and so must hold none of its arrays
        structure, outside = inputs.abstract(), traced.outputs.structure

        def tree(blocks: list[list[Any]]) -> Any:
            columns = [dict(enumerate(line)) for line in blocks]
            parts = structure.parts(lambda group: _tree(outside, group, columns))
            return structure.selection.pair(*parts)

        count = range(len(stacks.outputs))
        units = [[self._unit(traced, i, j) for j in inputs.active] for i in count]
        return uncut(
            cut_rows(stacks.matrix(), stacks.outputs),
            [np.shape(out) for out in stacks.outputs],
            [np.shape(leaf) for leaf in inputs.leaves],
            units if self.unit_aware else None,
            tree,
        )

    def _unit(self, traced: Traced, i: int, j: int) -> Unit:
        """The unit of block (i, j)."""
        return unit_ratio(traced.outputs.units[i], traced.inputs.units[j])


def _tree(outside: Any, group: Group, rows: list[Columns]) -> Any:
    """The Jacobian with respect to one input: outputs outside, the input's tree inside."""
    return outside.unflatten([group.tree(row) for row in rows])


@decorating
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
    chunk_size: ChunkSize = "auto",
    progress: bool = False,
    mesh: Any = None,
    axis: str | None = None,
    jit: bool = False,
    debug_nan: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """The Jacobian of ``fun`` by reverse mode, with the unit of each block.

    Parameters
    ----------
    fun : callable
        From arrays and quantities (in any trees) to arrays and quantities (in any tree). Left out,
        ``jacrev`` gives a decorator.
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
    chunk_size : int, "auto" or None, default "auto"
        How many seeds are swept at once. None holds the whole basis, as JAX does; ``"auto"`` does
        so where it is small, and else takes chunks of 64 to 1,024 that fit into memory;
        ``describe()`` says what was picked. With 1 they are swept one by one, without
        :func:`jax.vmap`, for a function that has an operation without a batching rule. A size that
        is a symbol of ``jax.export`` is swept whole.
    progress : bool, default False
        Show a bar that moves with the chunks (extra ``progress``).
    mesh : jax.sharding.Mesh, optional
        Devices to spread the seeds over: each pulls its share, without a word to the others, and
        the blocks come out sharded.
    axis : str, optional
        The axis of the mesh to spread them along. Default: its first.
    jit : bool, default False
        Compile the whole, states included. What ``fun`` closes over is then read when it is
        traced. Arguments that are no arrays, ints and bools among them, are static.
    debug_nan : bool, default False
        Where a nan or an infinity comes out, in the value or in the derivative, raise an error that
        names the block, the operation that made it, its line and the numbers that it took; no
        state is written. Only then ``fun`` is called again. Wants concrete numbers: with
        ``jit=True`` the call is checked outside of what is compiled, in an outer
        :func:`jax.jit` it is an error.

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
    FloatingPointError
        With ``debug_nan=True``, where a number that comes out is not finite.

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
    >>> dV  # mW per V
    Quantity(3., "mA")
    >>> dR.to_decimal(u.mwatt / u.kohm).item()
    -2.25
    """
    check_keywords(kwargs, (*_COMMON, "allow_int"), "jacrev")
    return JacobianTransform(
        fun,
        transform_name="jacrev",
        mode="rev",
        sweep=Sweep.of(chunk_size, progress, mesh, axis),
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        holomorphic=holomorphic,
        allow_int=allow_int,
        unit_aware=unit_aware,
        check_states=check_states,
        jit=jit,
        debug_nan=debug_nan,
    )


@decorating
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
    chunk_size: ChunkSize = "auto",
    progress: bool = False,
    mesh: Any = None,
    axis: str | None = None,
    jit: bool = False,
    debug_nan: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """The Jacobian of ``fun`` by forward mode, with the unit of each block.

    Cheaper than :func:`jacrev` where there are fewer inputs than outputs, and in memory for
    long loops, since nothing is kept for a backward pass. Parameters, returns and errors are
    those of :func:`jacrev`, but for ``allow_int``: an integer has no tangent to push.

    Parameters
    ----------
    fun, grad_states, argnums, has_aux, return_value, holomorphic, unit_aware, check_states
        As in :func:`jacrev`.
    chunk_size, progress, mesh, axis, jit, debug_nan
        As in :func:`jacrev`; in chunks, ``fun`` is linearized once, and what its tangents need is
        kept.

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
        sweep=Sweep.of(chunk_size, progress, mesh, axis),
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        holomorphic=holomorphic,
        allow_int=False,
        unit_aware=unit_aware,
        check_states=check_states,
        jit=jit,
        debug_nan=debug_nan,
    )


@decorating
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
    chunk_size: ChunkSize = "auto",
    progress: bool = False,
    mesh: Any = None,
    axis: str | None = None,
    jit: bool = False,
    debug_nan: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """The Jacobian of ``fun`` by the mode with fewer passes, with the unit of each block.

    Parameters
    ----------
    fun, grad_states, argnums, has_aux, return_value, holomorphic, allow_int, unit_aware
        As in :func:`jacrev`.
    check_states, chunk_size, progress, mesh, axis, jit, debug_nan
        As in :func:`jacrev`.
    mode : {"auto", "fwd", "rev"}, default "auto"
        ``"auto"`` linearizes ``fun`` once and pushes forward where there are no more inputs than
        outputs, else pulls back; ``describe()`` says which. It keeps what a backward pass needs
        in both cases: for a long loop with few inputs ``"fwd"`` needs less memory. A function
        with :func:`jax.custom_vjp` wants ``"rev"``, one with :func:`jax.lax.while_loop` ``"fwd"``.

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
      memory   about 48 bytes
      inputs   2 numbers in 1 leaf
      outputs  2 numbers in 1 leaf
      reads    no state
      writes   no state
    <BLANKLINE>
    output  input       shape   unit
    output  argument 0  (2, 2)  mV
    """
    check_keywords(kwargs, (*_COMMON, "allow_int", "mode"), "jacobian")
    if mode not in ("auto", "fwd", "rev"):
        raise ValueError(f'mode must be "auto", "fwd" or "rev", got {mode!r}.')
    return JacobianTransform(
        fun,
        transform_name="jacobian",
        mode=mode,
        sweep=Sweep.of(chunk_size, progress, mesh, axis),
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        holomorphic=holomorphic,
        allow_int=allow_int,
        unit_aware=unit_aware,
        check_states=check_states,
        jit=jit,
        debug_nan=debug_nan,
    )
