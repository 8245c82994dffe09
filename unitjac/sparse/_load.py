"""Plans from files.

Owns: :func:`load`. Never touches: the format of the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from unitjac import _typed

from ._hessian import SparseHessian
from ._jacobian import SparseJacobian
from ._store import read

_KINDS = {kind.transform_name: kind for kind in (SparseJacobian, SparseHessian)}


def load(
    path: str | os.PathLike[str], fun: Callable[..., Any], grad_states: Any = None
) -> SparseJacobian | SparseHessian:
    """The plan that was saved in a file, for a function.

    Parameters
    ----------
    path : path
        What the method ``save`` of a plan wrote.
    fun : callable
        The function that it was planned for.
    grad_states : State or sequence or dict of State, optional
        The states to differentiate with respect to, as when it was planned.

    Returns
    -------
    SparseJacobian or SparseHessian
        With the options of the plan that was saved. ``fun`` is not called; a call with other
        arguments than those that were planned for, or of a function with other outputs, is an
        error with a table of what was planned and what came.

    Raises
    ------
    ValueError
        If the file holds no plan.

    Examples
    --------
    >>> import os, tempfile, brainunit as u, jax.numpy as jnp, unitjac as uj
    >>> from unitjac.sparse import banded, load
    >>> V = jnp.arange(3.0) * u.mV
    >>> square = lambda V: V**2
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "square.npz")
    ...     uj.sparse_jacobian(square, V, pattern=banded(3, 0, 0)).save(path)
    ...     jac = load(path, square)
    >>> jac(V).dense.tolist()
    [[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 4.0]]
    """
    blueprint, options = read(path)
    argnums = options.pop("argnums")
    transform = _KINDS[options.pop("kind")](
        fun,
        grad_states=grad_states,
        argnums=tuple(argnums) if _typed.is_a(argnums, list) else argnums,
        **options,
    )
    transform.follow(blueprint)
    return transform
