"""What goes into LAPACK, and what comes back.

Owns: that it is a matrix with units, and that 16 bits are factorized in 32. Never touches: units.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp

from unitjac._errors import array_text, dtype_of
from unitjac._typed import finfo

from ._matrix import UnitMatrix

Function = TypeVar("Function", bound=Callable[..., Any])


def by_lapack(function: Function) -> Function:
    """``function`` for a matrix of any dtype: LAPACK has no 16 bits.

    Such a matrix is factorized in float32, and what comes of it is rounded once, at the end.
    """

    @functools.wraps(function)
    def of_matrix(matrix: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(matrix, UnitMatrix):
            raise TypeError(
                f"{function.__name__} wants a UnitMatrix, got {array_text(matrix)}. Make one with "
                "jacobian_matrix(fun)(...) or UnitMatrix.from_blocks(blocks, outputs, inputs); for "
                f"a plain array there is jnp.linalg.{function.__name__}."
            )
        if finfo(matrix.dtype).bits > 16:
            return function(matrix, *args, **kwargs)
        args, kwargs = _widened((args, kwargs))
        return _cast(function(_widened(matrix), *args, **kwargs), matrix.dtype)

    return cast("Function", of_matrix)


def _widened(tree: Any) -> Any:
    """The real numbers of 16 bits in 32; all else as it is."""

    def widened_leaf(leaf: Any) -> Any:
        dtype = getattr(leaf, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating) or finfo(dtype).bits > 16:
            return leaf
        return leaf.astype(jnp.float32)

    return jax.tree.map(widened_leaf, tree)


def _cast(tree: Any, dtype: Any) -> Any:
    """The real numbers of a tree in another dtype; complex eigenvalues stay as they are."""

    def cast_leaf(leaf: Any) -> Any:
        return leaf.astype(dtype) if jnp.issubdtype(dtype_of(leaf), jnp.floating) else leaf

    return jax.tree.map(cast_leaf, tree)
