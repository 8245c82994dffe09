"""Detection of sparsity patterns, by asdex.

Owns: the only import of asdex, and what is said where it cannot help. Never touches: units,
colours, values.

asdex follows, operation by operation, which input each number depends on. It is given arrays only:
of quantities it would see the magnitudes and not that they are one. It detects, and nothing else:
colours are found by ``_engine._colouring`` for patterns from anywhere, so that a pattern by hand
needs no asdex, and blocks are coloured one by one, which takes fewer seeds and less work in
each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp

from unitjac._engine._pattern import Pattern

from ._sums import as_sums

_BY_HAND = "pattern=... (a matrix of scipy.sparse, a BCOO, unitjac.sparse.banded, or blocks)"


class UnknownPrimitive(NotImplementedError):
    """A function contains an operation of which the dependence is not known."""


def detect(
    function: Callable[..., Any],
    leaves: Sequence[Any],
    rest: Any,
    shape: tuple[int, int],
    name: str,
) -> Pattern:
    """The pattern of a function for all values of its arguments.

    Parameters
    ----------
    function : callable
        Of ``(leaves, rest)``; it gives a list of arrays.
    leaves : sequence of array or ShapeDtypeStruct
        What is differentiated.
    rest : pytree
        The other arguments, of which only shapes and dtypes are looked at.
    shape : tuple of int
        How many numbers come out, and how many go in.
    name : str
        What messages call the function.

    Raises
    ------
    ImportError
        If asdex is not installed, or does not work with this version of JAX.
    UnknownPrimitive
        If there is an operation that asdex does not know.
    """
    asdex = _asdex()
    if not all(shape):
        return Pattern.at([], [], shape)
    program = jax.make_jaxpr(function)(leaves, rest)
    arrays = [
        _any_array(given, aval)
        for given, aval in zip(jax.tree.leaves((leaves, rest)), program.in_avals, strict=True)
    ]
    selected = tuple(range(len(leaves)))
    try:
        found = asdex.jacobian_sparsity(as_sums(program, len(leaves)), *arrays, argnums=selected)
    except NotImplementedError as error:
        operation = re.search(r"primitive '([^']+)'", str(error))
        if operation is None:
            raise
        raise UnknownPrimitive(
            f"the pattern of {name} cannot be detected: it contains the operation "
            f"{operation[1]!r}, of which asdex {version('asdex')} does not know the dependence. "
            f'Give the pattern by hand, {_BY_HAND}, or take it for dense with fallback="dense".'
        ) from error
    return Pattern.at(found.rows, found.cols, found.shape)


def _any_array(given: Any, aval: Any) -> Any:
    """An array of this shape and dtype: asdex wants one, and does not read it."""
    return jnp.zeros(aval.shape, aval.dtype) if isinstance(given, jax.ShapeDtypeStruct) else given


def _asdex() -> Any:
    try:
        import asdex
    except ModuleNotFoundError as error:
        if error.name != "asdex":
            raise
        raise ImportError(
            "detecting a pattern needs asdex, which is not installed. Type: pip install "
            f"'unitjac[sparse]', or give the pattern by hand, {_BY_HAND}."
        ) from error
    except ImportError as error:
        raise ImportError(
            f"the asdex that is installed does not work with JAX {jax.__version__} ({error}). Give "
            f"the pattern by hand, {_BY_HAND}; that needs no asdex."
        ) from error
    return asdex
