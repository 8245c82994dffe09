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

from unitjac import _typed
from unitjac._engine.pattern import Pattern
from unitjac._engine.sweep import inner_jaxprs

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
    program, images = jax.make_jaxpr(function, return_shape=True)(leaves, rest)
    if _contains(program.jaxpr, "custom_vjp_call"):
        given = images, (leaves, rest)
        found = _detected(asdex, jax.make_jaxpr(_pulled(function))(*given), given, name)
        return Pattern.at(found.cols, found.rows, shape)
    given = leaves, rest
    if _contains(program.jaxpr, "custom_jvp_call"):
        given = leaves, given
        program = jax.make_jaxpr(_pushed(function))(*given)
    found = _detected(asdex, program, given, name)
    return Pattern.at(found.rows, found.cols, shape)


def _detected(asdex: Any, program: Any, given: tuple[Sequence[Any], Any], name: str) -> Any:
    """What asdex finds of a program by the first of the two things that it is given."""
    arrays = [
        _any_array(leaf, aval)
        for leaf, aval in zip(jax.tree.leaves(given), program.in_avals, strict=True)
    ]
    count = len(given[0])
    try:
        return asdex.jacobian_sparsity(
            as_sums(program, count), *arrays, argnums=tuple(range(count))
        )
    except (NotImplementedError, ValueError) as error:
        # not known at all, or not where what is looked up depends on the input too
        operation = re.search(r"primitive '([^']+)'|'([^']+)' handler assumes", str(error))
        if operation is None:
            raise
        unknown = operation[1] or operation[2]
        raise UnknownPrimitive(
            f"the pattern of {name} cannot be detected: it contains the operation {unknown!r}, of "
            f"which asdex {version('asdex')} does not know the dependence. "
            f'Give the pattern by hand, {_BY_HAND}, or take it for dense with fallback="dense".'
        ) from error


def _pushed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The pushforward, linear in the tangents: with the rules that users give for derivatives.

    A spike is a step, on which nothing depends, and the rule for its derivative is a bump.
    """

    def push(tangents: Any, point: Any) -> Any:
        leaves, rest = point

        def at_rest(inner: Any) -> Any:
            return function(inner, rest)

        return jax.jvp(at_rest, (leaves,), (tangents,))[1]

    return push


def _pulled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The pullback, linear in the cotangents: there are rules for it only, and no pushforward."""

    def pull(cotangents: Any, point: Any) -> Any:
        leaves, rest = point

        def at_rest(inner: Any) -> Any:
            return function(inner, rest)

        return _typed.vjp(at_rest, leaves)[1](cotangents)[0]

    return pull


def _contains(jaxpr: Any, primitive: str) -> bool:
    """Whether a program, or one inside of it, has an operation whose name begins so."""
    return any(
        eqn.primitive.name.startswith(primitive)
        or any(_contains(inner, primitive) for inner in inner_jaxprs(eqn))
        for eqn in jaxpr.eqns
    )


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
