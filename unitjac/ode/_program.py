"""A function as JAX traced it, and what was made of it before, found again by what it does.

Owns: the trace of a function with all that it closes over as arguments, and what is remembered of
such traces. Never touches: units, solvers.

A right-hand side may read what changes between two solves: a variable of a notebook, a state. So it
is traced in every solve, and what it read is an argument of the program. The program is found again
by its text, which is the same where the function does the same.
"""

# pyright: basic

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from unitjac import _typed

_MOST = 128


class Program:
    """A function of arrays, traced once.

    Attributes
    ----------
    text : str
        What it does.

    Notes
    -----
    It holds none of the arrays that the function closed over: they may belong to a trace that ends.
    """

    def __init__(self, jaxpr: Any, structure: Any):
        self.jaxpr = jaxpr
        self._structure = structure
        self.text = str(jaxpr)
        # a step calls it many times, and JAX looks into it once
        self._run: Any = jax.jit(self._evaluated)

    @classmethod
    def of(cls, function: Callable[..., Any], *like: Any) -> tuple[Program, list[Any]]:
        """The program of a function, and the arrays that it closed over."""
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*like)
        constants = [x if isinstance(x, jax.Array) else jnp.asarray(x) for x in closed.consts]
        return cls(closed.jaxpr, _typed.structure(shapes)), constants

    def __call__(self, constants: list[Any], *args: Any) -> Any:
        """What the function gives, with these constants in place of its own."""
        return jax.tree.unflatten(self._structure, self._run(constants, args))

    def _evaluated(self, constants: list[Any], args: tuple[Any, ...]) -> Any:
        run: Any = core.jaxpr_as_fun(core.ClosedJaxpr(self.jaxpr, list(constants)))
        return run(*args)


_known: OrderedDict[Hashable, tuple[Any, Any]] = OrderedDict()
_lock = threading.Lock()


def remembered(key: Hashable, owner: Any, make: Callable[[], Any]) -> Any:
    """What ``make`` gives, once for each key.

    The owner, whose programs the key has the text of, stays alive as long as the key is known. So a
    text that names an object by its address names the same object.
    """
    with _lock:
        found = _known.pop(key, None)
    if found is None:
        found = (make(), owner)
    with _lock:
        _known[key] = found
        while len(_known) > _MOST:
            _known.popitem(last=False)
    return found[0]


def compiled(
    key: Hashable, owner: Any, make: Callable[[], Callable[..., Any]]
) -> Callable[..., Any]:
    """The compiled function with this key; ``make`` gives the one to compile."""
    return remembered(key, owner, lambda: jax.jit(make()))
