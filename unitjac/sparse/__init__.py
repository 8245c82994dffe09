"""Sparse Jacobians and Hessians: planned once, run many times.

Owns: the public names of the sparse derivatives. Never touches: how a derivative is computed.
"""

from unitjac._engine.pattern import Pattern, banded

from ._hessian import SparseHessian, sparse_hessian
from ._jacobian import SparseJacobian, sparse_jacobian
from ._load import load

__all__ = [
    "Pattern",
    "SparseHessian",
    "SparseJacobian",
    "banded",
    "load",
    "sparse_hessian",
    "sparse_jacobian",
]
