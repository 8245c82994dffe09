"""Numbers of a solve that failed are nan, and so is each derivative of them.

Owns: what makes them so, and where a failure is raised. Never touches: what is said of it.

``where(ok, y, nan)`` has the derivative zero where it is nan: a wrong number without a sound. So
what is added is a number times the inputs, that is zero where all went well. Its derivative needs
that number too, and with it the check that stands before.
"""

# pyright: basic

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ._failure import UNKNOWN
from ._open import eqx
from ._problem import Numbers
from ._status import OK


def guarded(results: Any, status: Any, numbers: Numbers, *, throw: bool) -> Any:
    """The results; nan, or an error of the program that runs, where not all went well."""
    ok = status == OK
    # what was not reached is inf
    results = jax.tree.map(lambda x: jnp.where(jnp.isfinite(x), x, 0), results)
    poison = jnp.where(ok, 0.0, jnp.nan).astype(numbers.y.dtype)
    if throw:
        poison = eqx.error_if(poison, ~ok, UNKNOWN)
    leaves = [x for x in jax.tree.leaves(numbers) if jnp.issubdtype(x.dtype, jnp.floating)]
    total = sum((jnp.sum(jnp.where(jnp.isfinite(x), x, 0)) for x in leaves), start=0.0)
    return jax.tree.map(lambda x: x + poison * total, results)
