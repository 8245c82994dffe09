"""Jacobians that know their units and their states.

Owns: the public names. Never touches: anything; it only gathers what the modules define.
"""

from ._check_units import check_units
from ._errors import UnitsDroppedWarning
from ._gradient import grad, value_and_grad, vector_grad
from ._hessian import hessian
from ._jacobian import jacfwd, jacobian, jacrev
from ._linear import jvp, linear_transpose, linearize, vjp
from ._plan import Plan
from ._state import State
from ._transform import GradientTransform

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
    "value_and_grad",
    "vector_grad",
    "vjp",
]
