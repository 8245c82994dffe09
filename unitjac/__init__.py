"""Jacobians that know their units and their states.

>>> import brainunit as u, unitjac as uj
>>> slope = uj.grad(lambda U, R: U**2 / R, unit_aware=True)
>>> print(slope(6.0 * u.volt, 3.0 * u.ohm).unit)
A

The transforms are called as those of JAX, with ``unit_aware=True`` for
units on the result.

First derivatives:

    grad              of a scalar function
    value_and_grad    the same, with the value before it
    vector_grad       of the sum of all outputs
    jacobian          outputs by inputs, by the mode with fewer passes
    jacrev            the same, by reverse mode
    jacfwd            the same, by forward mode
    sparse_jacobian   as a sparse matrix: planned once, run many times
    fwd_grad          a random estimate of the gradient, by forward mode

Second derivatives:

    hessian           all blocks, in output / input / input unit
    sparse_hessian    as a sparse matrix: planned once, run many times

Along a direction:

    jvp               the value, and the derivative along a tangent
    vjp               the value, and what pulls cotangents back
    linearize         the value, and what pushes tangents forward
    linear_transpose  the transpose of a linear function

States, units, plans, and what is seen of them:

    show                 blocks, or any tree of quantities, as a table
    State                a value that a function may read and write
    check_units          units of the outputs, without a run
    Plan                 what a transform will do, before it does it
    GradientTransform    what the transforms give back
    UnitsDroppedWarning  a result lost its units

Modules:

    linalg       linear algebra with units: the Jacobian as a matrix
    sparse       patterns, and plans to save and load
    sensitivity  which input matters most, as a table
    plot         pictures of derivatives
    testing      checks that derivatives are right
    ode          equations in time, with exact sensitivities
    optim        training in units, with the optimizers of optax
    interop      quantities of pint, astropy and unxt
    models       models of neurons, to try things on
"""

# Owns: the public names. Never touches: anything; it only gathers what the modules define.

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import interop as interop
    from . import linalg as linalg
    from . import models as models
    from . import ode as ode
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
    "ode",
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
