"""Linear algebra with units: the Jacobian as a matrix.

>>> import brainunit as u
>>> from unitjac.linalg import jacobian_matrix
>>> power = lambda p: {"P": p["U"] ** 2 / p["R"]}
>>> jacobian_matrix(power)({"U": 6.0 * u.volt, "R": 3.0 * u.ohm}).shape
(1, 2)

The matrix:

    jacobian_matrix  the Jacobian of a function as one matrix
    hessian_matrix   the Hessian of a scalar function, symmetric
    UnitMatrix       a matrix with a unit for each row and each column
    Axis             the leaves along its rows or columns

Solving:

    solve            the x with ``matrix @ x = right``
    lstsq            the x that fits best, weighted
    inv              the inverse
    cholesky         the lower triangular factor L of ``L @ L.T``

What no choice of units changes:

    det              the determinant
    trace            the sum of the diagonal
    eig              eigenvalues and eigenvectors
    eigvals          the eigenvalues alone

Uncertainty:

    covariance       of entries with these standard deviations
    propagate        from inputs to outputs, to first order

Refused, as they depend on the choice of units; the error says what to type
instead, such as ``jnp.linalg.svd(A.scaled(rows=..., cols=...))``:

    svd              the singular values
    cond             the condition number
    norm             the norm
    pinv             the pseudo-inverse
"""

# Owns: the public names of the linear algebra. Never touches: how a derivative is computed.

from ._axis import Axis
from ._cholesky import cholesky
from ._covariance import covariance, propagate
from ._invariants import det, trace
from ._jacobian_matrix import hessian_matrix, jacobian_matrix
from ._matrix import UnitMatrix
from ._solve import inv, lstsq, solve
from ._spectrum import cond, eig, eigvals, norm, pinv, svd

__all__ = [
    "Axis",
    "UnitMatrix",
    "cholesky",
    "cond",
    "covariance",
    "det",
    "eig",
    "eigvals",
    "hessian_matrix",
    "inv",
    "jacobian_matrix",
    "lstsq",
    "norm",
    "pinv",
    "propagate",
    "solve",
    "svd",
    "trace",
]
