"""Jacobians that know their units and their states.

Owns: the public names. Never touches: anything; it only gathers what the modules define.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from ._errors import UnitsDroppedWarning
from ._states.state import State
from ._transforms.check_units import check_units
from ._transforms.forward_gradient import fwd_grad
from ._transforms.gradient import grad, value_and_grad, vector_grad
from ._transforms.hessian import hessian
from ._transforms.jacobian import jacfwd, jacobian, jacrev
from ._transforms.linear import jvp, linear_transpose, linearize, vjp
from ._transforms.plan import Plan
from ._transforms.transform import GradientTransform

if TYPE_CHECKING:
    from . import interop as interop
    from . import linalg as linalg
    from . import models as models
    from . import optim as optim
    from . import plot as plot
    from . import sensitivity as sensitivity
    from . import sparse as sparse
    from . import testing as testing
    from .sparse import sparse_hessian, sparse_jacobian

__version__ = "0.1.0"

__all__ = [
    "GradientTransform",
    "Plan",
    "State",
    "UnitsDroppedWarning",
    "__version__",
    "check_units",
    "fwd_grad",
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


# What takes its time to import comes when it is asked for: packages, and functions of packages.
_PACKAGES = (
    "interop",
    "linalg",
    "models",
    "optim",
    "plot",
    "sensitivity",
    "sparse",
    "testing",
)
_IN_PACKAGES = {"sparse_hessian": "sparse", "sparse_jacobian": "sparse"}


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f".{name}", __name__)
    if name in _IN_PACKAGES:
        return getattr(importlib.import_module(f".{_IN_PACKAGES[name]}", __name__), name)
    # with these two Python adds which name it may have been
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__]
    )


def __dir__() -> list[str]:
    own = [name for name in globals() if name.startswith("__")]
    return sorted({*own, *__all__, *_PACKAGES})
