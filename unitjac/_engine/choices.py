"""Operations that pick: where what picks depends on the point, the result is all that may be.

Owns: the rules of selections, slices, gathers, scatters, windows, sorts. Never touches: other
operations, programs inside of operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from unitjac import _typed

from .values import Level, Rule, Value, along, bind, summed


def _select(eqn: Any, values: list[Value]) -> list[Any]:
    which, *cases = values
    if which.level is Level.FIXED:
        return [lax.select_n(which.array, cases[0].carrier, *[c.carrier for c in cases[1:]])]
    return [summed(values, eqn.outvars[0].aval.shape)]


def _gather(eqn: Any, values: list[Value]) -> list[Any] | None:
    operand, at = values
    if at.is_tangent:
        return None
    if at.level is Level.FIXED:
        return bind(eqn, [operand.array, at.array], fill_value=0)
    sizes, shape = eqn.params["slice_sizes"], operand.aval.shape
    numbers = eqn.params["dimension_numbers"]
    dims = [k for k in numbers.start_index_map if sizes[k] < shape[k]]
    start = jnp.zeros(at.aval.shape, at.aval.dtype)
    clipped = lax.GatherScatterMode.CLIP
    return bind(eqn, [along(operand.array, dims), start], mode=clipped, fill_value=None)


def _dynamic_slice(eqn: Any, values: list[Value]) -> list[Any] | None:
    operand, *starts = values
    if any(start.is_tangent for start in starts):
        return None
    sizes = eqn.params["slice_sizes"]
    dims = _any_start(starts, sizes, operand.aval.shape)
    return [lax.dynamic_slice(along(operand.array, dims), _starts(starts, dims), sizes)]


def _dynamic_update_slice(eqn: Any, values: list[Value]) -> list[Any] | None:
    operand, update, *starts = values
    if any(start.is_tangent for start in starts):
        return None
    dims = _any_start(starts, update.aval.shape, operand.aval.shape)
    at = _starts(starts, dims)
    if not dims:
        return [lax.dynamic_update_slice(operand.carrier, update.carrier, at)]
    put = lax.dynamic_update_slice(jnp.zeros(operand.aval.shape), update.carrier, at)
    return [operand.carrier + along(put, dims)]


def _any_start(starts: list[Value], sizes: Sequence[int], shape: Sequence[int]) -> list[int]:
    """The dimensions along which a slice may stand anywhere."""
    fits = zip(sizes, shape, strict=True)
    free = [size < whole for size, whole in fits]
    return [k for k, v in enumerate(starts) if v.level is not Level.FIXED and free[k]]


def _starts(starts: list[Value], dims: list[int]) -> list[Any]:
    known = [k not in dims and v.level is Level.FIXED for k, v in enumerate(starts)]
    return [
        v.array if is_known else jnp.zeros((), v.aval.dtype)
        for v, is_known in zip(starts, known, strict=True)
    ]


def _scatter(eqn: Any, values: list[Value]) -> list[Any] | None:
    operand, at, updates = values
    if at.is_tangent:
        return None
    numbers = eqn.params["dimension_numbers"]
    if at.level is Level.FIXED:
        if eqn.primitive.name == "scatter":
            mode = eqn.params["mode"]
            return [lax.scatter(operand.carrier, at.array, updates.carrier, numbers, mode=mode)]
        put = _put(operand, at.array, updates, numbers, eqn.params["mode"])
        return [operand.carrier + put]
    start = jnp.zeros(at.aval.shape, at.aval.dtype)
    put = _put(operand, start, updates, numbers, lax.GatherScatterMode.CLIP)
    return [operand.carrier + along(put, numbers.scatter_dims_to_operand_dims)]


def _put(operand: Value, at: Any, updates: Value, numbers: Any, mode: Any) -> Any:
    empty = jnp.zeros(operand.aval.shape, jnp.float32)
    return lax.scatter_add(empty, at, updates.carrier, numbers, mode=mode)


def _gathered_window(eqn: Any, values: list[Value]) -> list[Any] | None:
    """The tangent at the largest number of each window: any of the window."""
    tangents, operand = values
    return None if operand.is_tangent else [_window_sum(tangents.array, eqn.params)]


def _scattered_window(eqn: Any, values: list[Value]) -> list[Any] | None:
    """Its transpose: each number goes to all of its window."""
    source, operand = values
    if operand.is_tangent:
        return None
    like = jax.ShapeDtypeStruct(operand.aval.shape, jnp.float32)

    def gathered(arrays: list[Any]) -> list[Any]:
        return [_window_sum(array, eqn.params) for array in arrays]

    return _typed.linear_transpose(gathered, [like])([source.array])[0]


def _window_sum(array: Any, params: dict[str, Any]) -> Any:
    ones = (1,) * array.ndim
    return lax.reduce_window(
        array,
        np.zeros((), np.float32),
        lax.add,
        params["window_dimensions"],
        params["window_strides"],
        params["padding"],
        params.get("base_dilation", ones),
        params.get("window_dilation", ones),
    )


def _sort(eqn: Any, values: list[Value]) -> list[Any]:
    return [along(summed(values, v.aval.shape), [eqn.params["dimension"]]) for v in values]


_SCATTERS = (
    *("scatter", "scatter-add", "scatter-max", "scatter-min", "scatter-mul", "scatter-sub"),
    *("scatter_add", "scatter_max", "scatter_min", "scatter_mul", "scatter_sub"),
)
CHOICES: dict[str, Rule] = {
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "gather": _gather,
    **dict.fromkeys(_SCATTERS, _scatter),
    "select_and_gather_add": _gathered_window,
    "select_and_scatter_add": _scattered_window,
    "select_n": _select,
    "sort": _sort,
}
"""The rules of this module, by the names of operations."""

_PICKING = {
    "dynamic_slice": slice(1, None),
    "dynamic_update_slice": slice(2, None),
    "gather": slice(1, 2),
    "select_and_gather_add": slice(1, 2),
    "select_and_scatter_add": slice(1, 2),
    "select_n": slice(1),
    "sort": slice(None),
    **dict.fromkeys(_SCATTERS, slice(1, 2)),
}


def picking(name: str, values: list[Value]) -> list[Value]:
    """The operands of an operation that pick among the numbers of the others."""
    return values[_PICKING.get(name, slice(0))]
