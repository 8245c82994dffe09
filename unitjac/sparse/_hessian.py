"""``sparse_hessian``: the Hessian of which most entries are zero.

Owns: the public function, and what is a row and what a column. Never touches: seeds, patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from unitjac._engine.dense import Pure
from unitjac._engine.dtypes import Mode
from unitjac._engine.pattern import Pattern
from unitjac._engine.second import modes
from unitjac._engine.sparse import gradient_of
from unitjac._engine.sweep import ChunkSize, check_chunk_size
from unitjac._transforms.decorator import decorating_with_samples
from unitjac._transforms.inputs import Inputs
from unitjac._transforms.traced import Traced
from unitjac._units.quantity import unit_ratio

from ._given import check_symmetric
from ._outline import Outputs
from ._side import Side, columns
from ._transform import Fallback, SparseTransform, planned

Nesting = Literal["fwd-over-rev", "rev-over-rev"]
_NESTINGS: tuple[Nesting, ...] = ("fwd-over-rev", "rev-over-rev")


class SparseHessian(SparseTransform):
    """A function that computes a sparse Hessian: inputs are rows, and columns."""

    transform_name = "sparse_hessian"
    dense_name = "hessian"

    def _rules(self, inputs: Inputs) -> tuple[Mode, Mode]:
        return "fwd", "rev"

    def _derive(self, fun: Pure) -> Pure:
        return gradient_of(fun)

    def _work(self, traced: Traced, outputs: list[Any]) -> dict[str, Any]:
        return {**super()._work(traced, outputs), "mode": f"{self.mode} over rev"}

    def _outcome(self, images: list[Any], carried: Any) -> tuple[list[Any], Any]:
        return carried

    def _sides(self, inputs: Inputs, outputs: Outputs) -> tuple[Side, Side]:
        cols = columns(inputs)
        (unit,) = outputs.structure.units
        return Side(cols.axis.map_units(lambda below: unit_ratio(unit, below)), cols.labels), cols

    def _given(self, given: Any, rows: Side, cols: Side) -> Pattern:
        pattern = super()._given(given, rows, cols)
        check_symmetric(pattern, cols)
        return pattern


@decorating_with_samples
def sparse_hessian(
    fun: Callable[..., Any],
    *sample_args: Any,
    grad_states: Any = None,
    argnums: Any = None,
    has_aux: bool | None = None,
    return_value: bool = False,
    holomorphic: bool = False,
    check_states: bool = True,
    mode: Nesting = "fwd-over-rev",
    pattern: Any = None,
    fallback: Fallback = None,
    check: bool = False,
    chunk_size: ChunkSize = "auto",
    jit: bool = False,
    debug_nan: bool = False,
    kwargs: Mapping[str, Any] | None = None,
) -> SparseHessian:
    """A function that computes the Hessian of a scalar ``fun`` as a sparse matrix with units.

    Planned once, run many times, as :func:`sparse_jacobian` is: seeds are pushed forward through
    the gradient, or pulled back through it.

    Parameters
    ----------
    fun : callable
        From arrays and quantities (in any trees) to one scalar.
    *sample_args, grad_states, argnums, has_aux, return_value, holomorphic, check_states
        As in :func:`sparse_jacobian`.
    mode : {"fwd-over-rev", "rev-over-rev"}, default "fwd-over-rev"
        The second is slower, and works where ``fun`` has a ``custom_vjp``.
    pattern, fallback, check, chunk_size, jit, debug_nan, kwargs
        As in :func:`sparse_jacobian`. A pattern is symmetric, and as a tree of blocks it has the
        tree of the inputs outside, and again inside.

    Returns
    -------
    SparseHessian
        A function of the arguments of ``fun``. It gives a symmetric
        :class:`unitjac.linalg.UnitMatrix` over a BCOO, then the value, then aux, as asked for.
        Rows are in output unit over input unit, columns in input unit.

    Raises
    ------
    NotImplementedError, TypeError, ValueError
        As in :func:`sparse_jacobian`, and if the output of ``fun`` is not one scalar.

    See Also
    --------
    unitjac.linalg.hessian_matrix : the same as a dense matrix.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp, unitjac as uj
    >>> from unitjac.sparse import banded
    >>> def energy(x):  # of a chain of springs
    ...     return 0.5 * (3.0 * u.newton / u.metre) * u.math.sum((x[1:] - x[:-1]) ** 2)
    >>> x = jnp.arange(4.0) * u.metre
    >>> H = uj.sparse_hessian(energy, x, pattern=banded(4, 1, 1))(x)
    >>> H.dense.astype(int).tolist()
    [[3, -3, 0, 0], [-3, 6, -3, 0], [0, -3, 6, -3], [0, 0, -3, 3]]
    >>> H[1, 2].to_decimal(u.newton / u.metre).item()
    -3.0
    """
    if mode not in _NESTINGS:
        raise ValueError(f"mode must be one of {', '.join(_NESTINGS)}, got {mode!r}.")
    transform = SparseHessian(
        fun,
        mode=modes(mode)[0],
        chunk_size=check_chunk_size(chunk_size),
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        holomorphic=holomorphic,
        check_states=check_states,
        jit=jit,
        debug_nan=debug_nan,
    )
    return planned(transform, sample_args, kwargs, pattern, fallback, check)
