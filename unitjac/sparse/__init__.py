"""Sparse Jacobians and Hessians: planned once, run many times.

>>> import brainunit as u, jax.numpy as jnp
>>> from unitjac.sparse import banded, sparse_jacobian
>>> V = jnp.arange(4.0) * u.mV
>>> J = sparse_jacobian(lambda V: V**2, V, pattern=banded(4, 0, 0))
>>> J(V).dense.shape
(4, 4)

Plans:

    sparse_jacobian  plan the Jacobian of a function
    sparse_hessian   plan the Hessian of a scalar function
    SparseJacobian   what the first gives back: call it, save it
    SparseHessian    what the second gives back
    load             read a plan that was saved

Patterns:

    Pattern          which entries may be other than zero
    banded           a band about the diagonal
"""

# Owns: the public names of the sparse derivatives. Never touches: how a derivative is computed.

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
