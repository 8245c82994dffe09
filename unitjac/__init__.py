"""Jacobians that know their units and their states.

Owns: the public names. Never touches: anything; it only gathers what the modules define.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import interop as interop
    from . import linalg as linalg
    from . import models as models
    from . import optim as optim
    from . import plot as plot
    from . import sensitivity as sensitivity
    from . import sparse as sparse
    from . import testing as testing
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
    from ._units.tree_display import show
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
    "show",
    "sparse_hessian",
    "sparse_jacobian",
    "value_and_grad",
    "vector_grad",
    "vjp",
]


# JAX takes a second to import, so that everything comes when it is asked for: the program says its
# version and its help without. Which module has which name:
_PLACES = {
    "_errors": ("UnitsDroppedWarning",),
    "_states.state": ("State",),
    "_transforms.check_units": ("check_units",),
    "_transforms.forward_gradient": ("fwd_grad",),
    "_transforms.gradient": ("grad", "value_and_grad", "vector_grad"),
    "_transforms.hessian": ("hessian",),
    "_transforms.jacobian": ("jacfwd", "jacobian", "jacrev"),
    "_transforms.linear": ("jvp", "linear_transpose", "linearize", "vjp"),
    "_transforms.plan": ("Plan",),
    "_transforms.transform": ("GradientTransform",),
    "_units.tree_display": ("show",),
    "sparse": ("sparse_hessian", "sparse_jacobian"),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}
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


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f".{name}", __name__)
    if name in _PLACE_OF:
        found = getattr(importlib.import_module(f".{_PLACE_OF[name]}", __name__), name)
        globals()[name] = found  # and from now on Python finds it by itself
        return found
    # with these two Python adds which name it may have been
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__]
    )


def __dir__() -> list[str]:
    own = [name for name in globals() if name.startswith("__")]
    return sorted({*own, *__all__, *_PACKAGES})
