"""Linear algebra with units: the Jacobian as a matrix.

Owns: the public names of the linear algebra. Never touches: how a derivative is computed.
"""

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
