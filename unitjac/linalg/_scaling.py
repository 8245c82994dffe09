"""Powers of two by which rows and columns are multiplied before a matrix is factorized.

Owns: these scales, none of which rounds a number. Never touches: the equations.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._units.quantity import real_dtype

from ._axis import Axis

_SWEEPS = 4


def inverse_powers(sizes: Any) -> Any:
    """Powers of two by which sizes come to lie between one and two; one for nought, inf and nan."""
    # by the bits of the exponent: one kernel of few operations, in all of those that multiply by it
    kind = _typed.finfo(sizes.dtype)
    bits = jax.lax.bitcast_convert_type(sizes, np.dtype(f"uint{kind.bits}"))
    exponents, one = bits >> int(kind.nmant), int(kind.maxexp) - 1
    usable = (exponents > 0) & (exponents < 2 * one)
    inverse = jnp.where(usable, 2 * one - exponents, one)
    return jax.lax.bitcast_convert_type(inverse << int(kind.nmant), sizes.dtype)


def times(array: Any, factors: Any) -> Any:
    """The product with real factors, where strict promotion takes no other dtype than one."""
    alike = factors.dtype == real_dtype(array.dtype)
    return array * (factors.astype(array.dtype) if alike else factors)


def base_powers(axis: Axis, dtype: Any) -> np.ndarray:
    """Powers of two, one over the units' sizes, times one power that all have in common.

    Columns multiplied by them are, up to a factor of two, those of the matrix in base units.
    """
    _, exponents = np.frexp(axis.unit_sizes)
    middle = (exponents.max() + exponents.min()) // 2 if exponents.size else 0
    return np.ldexp(1.0, axis.spread(middle - exponents).astype(int)).astype(real_dtype(dtype))


def balanced(sizes: Any, down: Any) -> tuple[Any, Any]:
    """Scales of rows and columns by which all sums of ``sizes`` come near one.

    By turns over rows and columns, which begin with the columns times ``down`` (R. Sinkhorn and
    P. Knopp, Pacific J. Math. 21 (1967) 343).
    """

    def sweep(_: Any, scales: tuple[Any, Any]) -> tuple[Any, Any]:
        down = inverse_powers(scales[0] @ sizes)
        return inverse_powers(sizes @ down), down

    return _typed.fori_loop(0, _SWEEPS, sweep, (inverse_powers(sizes @ down), down))


def column_norms(array: Any) -> Any:
    """The length of each column, one where it is zero."""
    # by the largest entry first: a square must not overflow because of a unit
    array = jax.lax.stop_gradient(array)
    largest = jnp.max(jnp.abs(array), axis=0, initial=0.0)
    largest = jnp.where(largest == 0, 1, largest)
    norms = _typed.norm(jnp.abs(array) / largest[None, :], axis=0)
    return largest * jnp.where(norms == 0, 1, norms)
