"""Jacobians that know their units and their states.

Owns: the public names. Never touches: anything; it only gathers what the modules define.
"""

from typing import TYPE_CHECKING, Any

from ._errors import UnitsDroppedWarning
from ._states.state import State
from ._transforms.check_units import check_units
from ._transforms.gradient import grad, value_and_grad, vector_grad
from ._transforms.hessian import hessian
from ._transforms.jacobian import jacfwd, jacobian, jacrev
from ._transforms.linear import jvp, linear_transpose, linearize, vjp
from ._transforms.plan import Plan
from ._transforms.transform import GradientTransform

if TYPE_CHECKING:
    from .sparse import sparse_hessian, sparse_jacobian

__version__ = "0.1.0"

__all__ = [
    "GradientTransform",
    "Plan",
    "State",
    "UnitsDroppedWarning",
    "__version__",
    "check_units",
    "grad",
    "hessian",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linear_transpose",
    "linearize",
    "sparse_hessian",
    "sparse_jacobian",
    "value_and_grad",
    "vector_grad",
    "vjp",
]


def __getattr__(name: str) -> Any:
    if name in ("sparse_hessian", "sparse_jacobian"):  # linear algebra, which takes its time
        from . import sparse

        return getattr(sparse, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
