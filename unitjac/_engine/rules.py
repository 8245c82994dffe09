"""Single operations: which numbers of a result depend on the tangent.

Owns: which rule an operation has, and the rules of those that do not pick. Never touches: programs
inside of operations, the search for entries.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .choices import CHOICES
from .sweep import programs
from .values import Level, Rule, Value, along, bind, is_float, marked, summed

_ELEMENTWISE = frozenset(
    (
        *("abs", "add", "add_any", "clamp", "copy", "copy_p", "div", "max", "min", "neg", "sub"),
        *("complex", "conj", "convert_element_type", "imag", "real", "reduce_precision"),
        *("cbrt", "exp", "exp2", "expm1", "integer_pow", "log", "log1p", "logistic", "pow"),
        *("ceil", "floor", "nextafter", "rem", "round", "rsqrt", "sign", "sqrt", "square"),
        *("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh"),
        *("cos", "cosh", "sin", "sinh", "tan", "tanh", "erf", "erf_inv", "erfc"),
        *("and", "eq", "ge", "gt", "is_finite", "le", "lt", "ne", "not", "or", "xor"),
    )
)
# Moved about or added up, and nothing else: run on carriers as they are.
_MOVING = frozenset(
    (
        *("broadcast_in_dim", "concatenate", "cumsum", "expand_dims", "pad", "reduce_sum"),
        *("reduce_window_sum", "reshape", "rev", "slice", "split", "squeeze", "transpose"),
    )
)
# Where a value lies does not matter here: it is handed on.
PLACING = frozenset(("mesh_cast", "pcast", "pvary", "reshard", "sharding_constraint"))
# Code that is not JAX's: not run, and anything may depend on anything.
OPAQUE = frozenset(("ffi_call", "io_callback", "pallas_call", "pure_callback"))


def carriers(eqn: Any, values: list[Value]) -> list[Any] | None:
    """The carriers of an equation's results, of whose operands one depends on the tangent.

    None where there is no rule, and numbers or truth values that depend on the point, or what is
    not JAX's, may choose.
    """
    name = eqn.primitive.name
    if name in _RULES:
        return _RULES[name](eqn, values)
    if name in _ELEMENTWISE:
        return [summed(values, eqn.outvars[0].aval.shape)]
    if name in _MOVING:
        return bind(eqn, [value.carrier for value in values])
    return _run(eqn, values)


def dense(eqn: Any, values: list[Value]) -> list[Any]:
    """Carriers by which all results depend on all that the operands depend on."""
    total = functools.reduce(
        lax.add, [jnp.sum(value.array) for value in values if value.is_tangent]
    )
    return [jnp.broadcast_to(total, v.aval.shape) for v in eqn.outvars]


def _run(eqn: Any, values: list[Value]) -> list[Any] | None:
    """An operation without a rule, as it is: it is linear in the tangent, and nan stays nan."""
    atoms = [v.aval for v in eqn.outvars] + [v.aval for v in values if v.level is not Level.FIXED]
    if eqn.primitive.name in OPAQUE or programs(eqn) or not all(map(is_float, atoms)):
        return None
    found = bind(eqn, [_stand_in(value) for value in values])
    return [marked(jnp.isnan(array)) for array in found]


def _stand_in(value: Value) -> Any:
    """An array of the value's own dtype, finite but for the nans of the tangent."""
    if value.is_tangent:
        # in both parts of a complex number, so that neither hides it
        nan = jnp.asarray(complex(np.nan, np.nan) if _is_complex(value.aval) else np.nan)
        zero = jnp.zeros((), value.aval.dtype)
        return jnp.where(jnp.isnan(value.array), nan.astype(value.aval.dtype), zero)
    if value.level is Level.POINT:
        return jnp.ones(value.aval.shape, value.aval.dtype)
    if not is_float(value.aval):
        return value.array
    return jnp.where(jnp.isfinite(value.array), value.array, jnp.ones_like(value.array))


def _is_complex(aval: Any) -> bool:
    return jnp.issubdtype(aval.dtype, jnp.complexfloating)


# Zeros of a fixed factor stay zeros


def _product(eqn: Any, values: list[Value]) -> list[Any]:
    shape = eqn.outvars[0].aval.shape
    total = summed(values, shape)
    for value in values:
        if value.level is Level.FIXED:
            total = jnp.where(jnp.broadcast_to(value.array, shape) == 0, jnp.float32(0), total)
    return [total]


def _dot(eqn: Any, values: list[Value]) -> list[Any]:
    """A product of arrays: all along what is contracted, or what a fixed factor leaves of it."""
    if any(value.level is Level.FIXED for value in values):
        left, right = map(_factor, values)
        return _hits(lax.dot_general(left, right, eqn.params["dimension_numbers"]))
    out = eqn.outvars[0].aval
    found = [
        _of_one_side(value, eqn.params["dimension_numbers"], side, out.shape)
        for side, value in enumerate(values)
        if value.is_tangent
    ]
    return [functools.reduce(lax.add, found)]


def _of_one_side(value: Value, numbers: Any, side: int, shape: Sequence[int]) -> Any:
    """What a product of arrays depends on through one of its factors."""
    contracted, batch = numbers[0][side], numbers[1][side]
    free = [k for k in range(value.array.ndim) if k not in (*contracted, *batch)]
    total = jnp.sum(value.array, tuple(contracted), keepdims=True)
    laid = jnp.transpose(total, (*batch, *free, *contracted))
    laid = laid.reshape(laid.shape[: len(batch) + len(free)])
    own = range(len(shape) - len(free), len(shape)) if side else range(len(batch), laid.ndim)
    return lax.broadcast_in_dim(laid, shape, (*range(len(batch)), *own))


def _convolution(eqn: Any, values: list[Value]) -> list[Any]:
    factors = [_factor(value) for value in values]
    return _hits(bind(eqn, factors, preferred_element_type=None)[0])


def _factor(value: Value) -> Any:
    """One where a factor counts."""
    if value.is_tangent:
        return jnp.isnan(value.array).astype(jnp.float32)
    if value.level is Level.POINT:
        return jnp.ones(value.aval.shape, jnp.float32)
    return (value.array != 0).astype(jnp.float32)


def _hits(counts: Any) -> list[Any]:
    return [marked(counts > 0.5)]


# Operations that mix all along some dimensions


def _fft(eqn: Any, values: list[Value]) -> list[Any]:
    array = values[0].array
    mixed = range(array.ndim - len(eqn.params["fft_lengths"]), array.ndim)
    return [along(array, mixed, eqn.outvars[0].aval.shape)]


def _triangular_solve(eqn: Any, values: list[Value]) -> list[Any]:
    """Each unknown depends on those before it, whatever the matrix is."""
    matrix, sides = values
    if matrix.is_tangent:
        total = along(matrix.array, (-2, -1), (*matrix.aval.shape[:-2], 1, 1))
        return [jnp.broadcast_to(total, sides.aval.shape) + sides.carrier]
    ones = jnp.ones(matrix.aval.shape, jnp.float32)
    return bind(eqn, [ones, sides.array])


def _tridiagonal_solve(eqn: Any, values: list[Value]) -> list[Any]:
    *diagonals, sides = values
    total = along(sides.carrier, [len(sides.aval.shape) - 2])
    for diagonal in diagonals:
        if diagonal.is_tangent:
            mixed = along(diagonal.array, [-1])[..., None]
            total = total + jnp.broadcast_to(mixed, sides.aval.shape)
    return [total]


def _each_its_own(eqn: Any, values: list[Value]) -> list[Any]:
    return [value.carrier for value in values]


_RULES: dict[str, Rule] = {
    **CHOICES,
    "conv_general_dilated": _convolution,
    "dot_general": _dot,
    "fft": _fft,
    "mul": _product,
    "optimization_barrier": _each_its_own,
    "triangular_solve": _triangular_solve,
    "tridiagonal_solve": _tridiagonal_solve,
}
