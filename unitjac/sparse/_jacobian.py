"""``sparse_jacobian``: the Jacobian of which most entries are zero.

Owns: the public function, and what is a row and what a column. Never touches: seeds, patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from unitjac._engine.dense import Modes, Pure
from unitjac._engine.dtypes import Mode, is_complex
from unitjac._engine.sweep import ChunkSize, check_chunk_size
from unitjac._transforms.decorator import decorating_with_samples
from unitjac._transforms.inputs import Inputs

from ._outline import Outputs
from ._side import Side, columns
from ._transform import Fallback, SparseTransform, planned


class SparseJacobian(SparseTransform):
    """A function that computes a sparse Jacobian: outputs are rows, inputs are columns."""

    transform_name = "sparse_jacobian"
    dense_name = "jacobian"

    def _rules(self, inputs: Inputs) -> tuple[Mode, Mode]:
        if self.mode != "auto":
            return self.mode, self.mode
        # complex inputs leave reverse mode only, complex outputs forward mode only
        return "rev", "rev" if any(map(is_complex, inputs.magnitudes)) else "fwd"

    def _derive(self, fun: Pure) -> Pure:
        return fun

    def _outcome(self, images: list[Any], carried: Any) -> tuple[list[Any], Any]:
        return images, carried

    def _sides(self, inputs: Inputs, outputs: Outputs) -> tuple[Side, Side]:
        return Side(outputs.axis, outputs.labels), columns(inputs)


@decorating_with_samples
def sparse_jacobian(
    fun: Callable[..., Any],
    *sample_args: Any,
    grad_states: Any = None,
    argnums: Any = None,
    has_aux: bool | None = None,
    return_value: bool = False,
    holomorphic: bool = False,
    check_states: bool = True,
    mode: Modes = "auto",
    pattern: Any = None,
    fallback: Fallback = None,
    check: bool = False,
    chunk_size: ChunkSize = "auto",
    jit: bool = False,
    debug_nan: bool = False,
    kwargs: Mapping[str, Any] | None = None,
) -> SparseJacobian:
    """A function that computes the Jacobian of ``fun`` as a sparse matrix with units.

    Planned once, run many times: the pattern and its colours are found here, from shapes alone;
    each call pushes or pulls one seed for each colour, however large the matrix is.

    Parameters
    ----------
    fun : callable
        From arrays and quantities (in any trees) to arrays and quantities (in any tree). Left out,
        ``sparse_jacobian`` gives a decorator, to which the sample arguments go by name:
        ``@sparse_jacobian(sample_args=(V, g))``.
    *sample_args
        Arguments like those of the later calls: arrays and quantities, or their shapes
        (:class:`jax.ShapeDtypeStruct`, or a quantity around one). Values are not looked at, but
        for strings, flags, sizes and objects, which are part of the plan.
    grad_states, argnums, has_aux, return_value, holomorphic, check_states
        As in :func:`unitjac.jacobian`, by keyword. With states and arguments the columns belong
        to the pair ``(states, arguments)``.
    mode : {"auto", "fwd", "rev"}, default "auto"
        ``"auto"`` pushes or pulls, block by block, whichever takes fewer seeds. ``"rev"`` for
        functions with ``custom_vjp``, ``"fwd"`` for those with ``while_loop``.
    pattern : optional
        Which entries may be other than zero, so that none has to be found: a
        :class:`Pattern` (see :func:`banded`), a matrix of scipy.sparse, a BCOO or an array, of as
        many rows as numbers come out and as many columns as go in. Or a tree of these as the
        Jacobian has it, outputs outside, inputs inside; there None is a block of zeros. Default:
        it is found, for all values of the arguments; :meth:`describe` says how.
    fallback : {None, "dense"}, default None
        Where the pattern cannot be found, since the derivative of ``fun`` can neither be pushed
        nor pulled: an error, or a pattern without zeros.
    check : bool, default False
        Compare products of the matrix with those of ``fun`` at the sample arguments. A pattern
        that lacks an entry gives wrong numbers without a sound; the method ``check`` of the result
        does this at any other arguments.
    chunk_size : int, "auto" or None, default "auto"
        How many seeds of a leaf are swept at once; None for all, ``"auto"`` for up to 64.
    jit : bool, default False
        Compile each call, as in :func:`unitjac.jacobian`. What a plan is made for, loops, is much
        faster so, or inside of the caller's own :func:`jax.jit`.
    debug_nan : bool, default False
        As in :func:`unitjac.jacrev`.
    kwargs : mapping, optional
        Sample keyword arguments.

    Returns
    -------
    SparseJacobian
        A function of the arguments of ``fun``. It gives a :class:`unitjac.linalg.UnitMatrix` over
        a BCOO, its entries row by row, then the value, then aux, as asked for.

    Raises
    ------
    NotImplementedError
        If the pattern cannot be found.
    TypeError, ValueError
        As in :func:`unitjac.jacobian`; if ``pattern`` does not fit; if a size is a symbol of
        ``jax.export``; from calls, if the arguments or the outputs are not those that were planned
        for, as a table of the two.

    See Also
    --------
    unitjac.linalg.jacobian_matrix : the same as a dense matrix.

    Notes
    -----
    Entries of one colour are found by one seed, as in A. R. Curtis, M. J. D. Powell and
    J. K. Reid, J. Inst. Maths Applics 13 (1974) 117.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp, unitjac as uj
    >>> from unitjac.sparse import banded
    >>> def diffusion(V, g):  # between neighbours
    ...     I = g * (V[1:] - V[:-1])
    ...     return u.math.concatenate([I, 0 * I[:1]]) - u.math.concatenate([0 * I[:1], I])
    >>> V, g = jnp.arange(5.0) * u.mV, 2.0 * u.nS
    >>> jac = uj.sparse_jacobian(diffusion, V, g, pattern=banded(5, 1, 1))
    >>> jac
    <unitjac.sparse_jacobian of diffusion: <pattern of 5 x 5, 13 entries>, 3 passes>
    >>> J = jac(V, g)
    >>> J[0, 1]
    Quantity(2., "nS")
    >>> (J @ (jnp.ones(5) * u.mV)).unit
    Unit("pA")
    """
    if mode not in ("auto", "fwd", "rev"):
        raise ValueError(f'mode must be "auto", "fwd" or "rev", got {mode!r}.')
    transform = SparseJacobian(
        fun,
        mode=mode,
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
