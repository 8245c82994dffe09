"""Second derivatives: ``hessian``.

Owns: the public function, and how second blocks become trees with units. Never touches: seeds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from unitjac._engine.dtypes import Mode
from unitjac._engine.second import NESTINGS, Hessian, Nesting, nesting_text
from unitjac._engine.second import hessian as engine_hessian
from unitjac._engine.seeds import sizes
from unitjac._engine.sweep import ChunkSize, Sweep
from unitjac._units.quantity import Unit, unit_product, unit_ratio

from .arguments import check_keywords
from .decorator import decorating
from .inputs import Group, Inputs
from .plan import Block
from .traced import Traced
from .transform import Columns, GradientTransform
from .uncut import Uncut, uncut

_KNOWN = (
    "grad_states",
    "argnums",
    "return_value",
    "holomorphic",
    "has_aux",
    "unit_aware",
    "check_states",
    "mode",
    "chunk_size",
    "progress",
    "mesh",
    "axis",
    "jit",
    "debug_nan",
)


class HessianTransform(GradientTransform):
    """Second derivatives: outputs outside, then the first input's tree, then the second's."""

    transform_name = "hessian"
    offers = ("holomorphic",)

    def __init__(self, fun: Callable[..., Any], *, mode: Nesting, sweep: Sweep, **shared: Any):
        self.mode: Nesting = mode
        self.sweep = sweep
        super().__init__(fun, **shared)

    def _rules(self, inputs: Inputs) -> tuple[Mode, Mode]:
        return "fwd", "rev"

    def _work(self, traced: Traced, outputs: list[Any]) -> dict[str, Any]:
        leaves = traced.inputs.leaves
        text = nesting_text(self.mode, leaves, outputs)
        outer, inner = text.split(" over ")
        m, n = sum(sizes(outputs)), sum(sizes(leaves))
        count = (n if outer == "fwd" else m * n) * (n if inner == "fwd" else m)
        reason = f"{m:,} outputs, {n:,} inputs" if self.mode == "auto" else "as asked for"
        return {"mode": text, "reason": reason, "passes": count}

    def _blocks(self, traced: Traced, outputs: list[Any]) -> Iterator[Block]:
        rows, columns = traced.output_labels, traced.inputs.labels
        leaves, units = traced.inputs.magnitudes, traced.inputs.units
        order = traced.inputs.order
        for i, j, k in itertools.product(traced.outputs.order, order, order):
            under = unit_product(units[j], units[k])
            yield Block(
                rows[i],
                f"{columns[j]}, {columns[k]}",
                np.shape(outputs[i]) + np.shape(leaves[j]) + np.shape(leaves[k]),
                self._unit_text(leaves[k], traced.outputs.units[i], under),
            )

    def _places(self, traced: Traced) -> Iterator[str]:
        labels, groups = traced.inputs.labels, traced.inputs.groups
        states = len(self.selection.states)
        kinds = groups[:states], groups[states:]
        for xs, ys in itertools.product(kinds, kinds):
            for x, y, row in itertools.product(xs, ys, traced.output_labels):
                for j, k in itertools.product(x.columns, y.columns):
                    yield f"{row} by {labels[j]} and {labels[k]}"

    def _differentiate(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        inputs = traced.inputs
        found = engine_hessian(traced, inputs.leaves, self.mode, self.sweep)
        count, active = range(len(found.outputs)), inputs.active
        self._warn_of_dropped_units(
            self._unit(traced, i, j, k) for i in count for j in active for k in active
        )
        if found.is_joined:
            rows = self._uncut(traced, found)
            if rows is not None:
                return rows, rows, found.outputs, found.carried
        blocks = found.blocks()
        lines = [
            {
                j: {
                    k: self._attach(block, self._unit(traced, i, j, k))
                    for k, block in zip(active, second, strict=True)
                }
                for j, second in zip(active, blocks[i], strict=True)
            }
            for i in count
        ]
        pairs = _pairs(inputs, traced.outputs.structure, lines)
        return *pairs, found.outputs, found.carried

    def _uncut(self, traced: Traced, found: Hessian) -> Uncut | None:
        """The second derivatives, a row for each output and first input."""
        # the recipe outlives the call, and so must hold none of its arrays
        structure, outside = traced.inputs.abstract(), traced.outputs.structure
        n = len(found.inputs)

        def tree(blocks: list[list[Any]]) -> Any:
            columns = [dict(enumerate(line)) for line in blocks]
            firsts = [columns[at : at + n] for at in range(0, len(columns), n)]
            lines = [dict(enumerate(line)) for line in firsts]
            return structure.selection.pair(*_pairs(structure, outside, lines))

        pairs = list(itertools.product(range(len(found.outputs)), range(n)))
        units = [[self._unit(traced, i, j, k) for k in range(n)] for i, j in pairs]
        in_shapes = [np.shape(leaf) for leaf in found.inputs]
        return uncut(
            found.rows(),
            [np.shape(found.outputs[i]) + in_shapes[j] for i, j in pairs],
            in_shapes,
            units if self.unit_aware else None,
            tree,
        )

    def _unit(self, traced: Traced, i: int, j: int, k: int) -> Unit:
        """The unit of block (i, j, k)."""
        units = traced.inputs.units
        return unit_ratio(unit_ratio(traced.outputs.units[i], units[j]), units[k])


def _pairs(inputs: Inputs, outside: Any, lines: list[dict[int, Columns]]) -> list[Any]:
    """The parts of states and of arguments, each against both, from ``lines[i][j][k]``."""

    def pair_of(first: Group, second: Group) -> Any:
        return outside.unflatten(
            [first.tree({j: second.tree(line[j]) for j in first.columns}) for line in lines]
        )

    def part(a: int, b: int) -> Any:
        """Of states (0) or arguments (1) against states or arguments."""
        return inputs.parts(lambda x: inputs.parts(lambda y: pair_of(x, y))[b])[a]

    return [inputs.selection.pair(part(a, 0), part(a, 1)) for a in (0, 1)]


@decorating
def hessian(
    fun: Callable[..., Any],
    grad_states: Any = None,
    argnums: Any = None,
    return_value: bool = False,
    holomorphic: bool = False,
    has_aux: bool | None = None,
    unit_aware: bool = False,
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
    """The second derivatives of ``fun``, with the unit output / input / input of each block.

    Parameters
    ----------
    fun : callable
        Scalar or not; from arrays and quantities in any trees to arrays and quantities in any
        tree.
    grad_states, argnums, return_value, holomorphic, has_aux, unit_aware, check_states
        As in :func:`jacrev`.
    jit, debug_nan
        As in :func:`jacrev`.
    mode : {"auto", "fwd-over-rev", "rev-over-rev", "fwd-over-fwd", "rev-over-fwd"}
        How the two derivatives are taken. ``"auto"`` pushes forward through the Jacobian's
        cheaper mode.
    chunk_size, progress, mesh, axis
        As in :func:`jacrev`, for both derivatives.

    Returns
    -------
    GradientTransform
        For arguments: the tree of the output, in it the tree of the input, in it the tree of the
        input again, as :func:`jax.hessian` gives. For states: the structure of ``grad_states``
        twice outside, so that entry ``[a][b]`` is the whole block of states a and b. For both:
        ``((states-states, states-args), (args-states, args-args))``.

    Raises
    ------
    TypeError, ValueError
        As in :func:`jacrev`, and where ``mode`` is none of those above.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> energy = lambda C, V: 0.5 * C * V**2
    >>> H = uj.hessian(energy, argnums=(0, 1), unit_aware=True)(2.0 * u.nF, 3.0 * u.mV)
    >>> H[0][1].unit, H[0][1].mantissa.item()
    (Unit("mV"), 3.0)
    >>> H[1][1].unit, H[1][1].mantissa.item()
    (Unit("nF"), 2.0)
    """
    check_keywords(kwargs, _KNOWN, "hessian")
    if mode not in NESTINGS:
        raise ValueError(f"mode must be one of {', '.join(NESTINGS)}, got {mode!r}.")
    return HessianTransform(
        fun,
        mode=mode,
        sweep=Sweep.of(chunk_size, progress, mesh, axis),
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        holomorphic=holomorphic,
        unit_aware=unit_aware,
        check_states=check_states,
        jit=jit,
        debug_nan=debug_nan,
    )
