"""Symmetric positive definite matrices: ``cholesky``, and how equations with them are solved.

Owns: the Cholesky factor, its scaling, the solution by it. Never touches: other matrices.

The matrix is divided by the roots of its diagonal first, which makes its diagonal one: the answer
then does not depend on the units, and no other diagonal scaling does much better (A. van der
Sluis, Numer. Math. 14 (1969) 14). A BCOO is made dense.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np

from unitjac import _typed

from ._entries import dense, diagonal
from ._form import mirrored
from ._lapack import by_lapack
from ._matrix import UnitMatrix


@by_lapack
def cholesky(matrix: UnitMatrix) -> UnitMatrix:
    """The lower triangular L with ``L @ L.T`` equal to a symmetric positive definite matrix.

    Parameters
    ----------
    matrix : UnitMatrix
        Symmetric, units included: entry (i, j) has the unit of entry (j, i). Where two such entries
        differ, as by a rounding, their mean counts. A BCOO is made dense.

    Returns
    -------
    UnitMatrix
        With plain columns, and rows in the square roots of the diagonal's units. nan where the
        matrix is not positive definite, as in :func:`jax.numpy.linalg.cholesky`.

    Raises
    ------
    ValueError
        If the units do not mirror.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.linalg import cholesky, covariance
    >>> L = cholesky(covariance({"g": 2.0 * u.nS, "E": 3.0 * u.mV}))
    >>> L["E", "E"]
    Quantity(3., "mV")
    """
    array, root, *_ = mirrored(matrix)
    lower, d = _factor(array)
    return UnitMatrix(lower * d[:, None], root, root.with_units([None] * len(root.units)))


def solve_symmetric(matrix: UnitMatrix, right: Any) -> Any:
    """The magnitudes of the solution, for a right side in the units of the rows."""
    array, _, factors, columns = mirrored(matrix)
    lower, d = _factor(array)
    by_rows = (-1, *[1] * (right.ndim - 1))
    d = d.reshape(by_rows)
    found = jax.scipy.linalg.cho_solve((lower, True), right / d)
    found = found * (jnp.asarray(factors, d.dtype).reshape(by_rows) / d)
    return found if columns is None else found[np.argsort(columns)]


def _factor(array: Any) -> tuple[Any, Any]:
    """The factor of the matrix with a diagonal of ones, and the roots of the diagonal it had."""
    array = dense(array)
    d = jnp.sqrt(diagonal(array))
    return _typed.cholesky(array / d[None, :] / d[:, None]), d
