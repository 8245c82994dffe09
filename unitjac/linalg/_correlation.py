"""What a user says of correlations, as one array.

Owns: the reading and the checks of ``correlation=`` in ``covariance``. Never touches: covariances.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._errors import array_text, has_tracer, is_arraylike
from unitjac._units.quantity import is_quantity

from ._axis import Axis
from ._dtypes import together
from ._entries import dense
from ._form import rewritten
from ._matrix import UnitMatrix


def correlations(given: Any, std: Any, axis: Axis) -> Any:
    """All correlations of the entries along ``axis``, the leaves of ``std``, as an array.

    Raises
    ------
    ValueError
        If they are no correlations, or one is given twice, or the order of an array is not clear.
    TypeError
        If ``given`` is neither a mapping nor a matrix.
    """
    # a mapping of pairs is no tree: its keys cannot always be sorted
    if has_tracer(list(given.values()) if _typed.is_a(given, Mapping) else given):
        return _read(given, std, axis)
    with jax.ensure_compile_time_eval():
        array = _read(given, std, axis)
        _check(np.asarray(array, float), axis)
    return array


def _read(given: Any, std: Any, axis: Axis) -> Any:
    if isinstance(given, UnitMatrix):
        plain, names = axis.with_units([None] * len(axis.units)), ["the deviations"] * 2
        return dense(rewritten(given, plain, plain, "the correlation", *names))
    if _typed.is_a(given, Mapping):
        return _of_pairs(given, axis)
    if _typed.is_a(given, list | tuple):
        given = jnp.array(given)
    if not (is_arraylike(given) or is_quantity(given)):
        raise TypeError(
            f"correlation must be a mapping of pairs, a UnitMatrix or an array, got "
            f'{array_text(given)}. Write correlation={{("g", "E"): 0.8}}.'
        )
    _check_order(std, axis)
    return _block(given, (axis.size, axis.size), "the correlation").reshape(axis.size, axis.size)


def _of_pairs(given: Mapping[Any, Any], axis: Axis) -> Any:
    array, is_given = jnp.eye(axis.size), np.zeros((axis.size, axis.size), bool)
    for pair, value in given.items():
        if not (_typed.is_a(pair, tuple) and len(pair) == 2):
            raise ValueError(
                f"correlation has the key {pair!r}, but wants pairs of names. Write "
                'correlation={("g", "E"): 0.8}.'
            )
        (one, rows), (other, cols) = (axis.take(name, "parameter") for name in pair)
        shape = (len(rows), len(cols))
        if one.is_leaf and other.is_leaf:
            shape = one.shapes[0] + other.shapes[0]
        what = f"the correlation of {pair[0]!r} and {pair[1]!r}"
        block = _block(value, shape, what).reshape(len(rows), len(cols))
        here, there = np.ix_(rows, cols), np.ix_(cols, rows)
        if is_given[here].any():
            raise ValueError(f"{what} is given twice. Name each pair once, in either order.")
        is_given[here] = is_given[there] = True
        array, block = together(array, block)
        array = array.at[here].set(block).at[there].set(block.T)
    return array


def _block(value: Any, shape: tuple[int, ...], what: str) -> Any:
    """Plain numbers of one shape, laid in a row."""
    return Axis.of(np.zeros(shape)).to_vector(value, what)


def _check_order(std: Any, axis: Axis) -> None:
    """An array says nothing of names: it is taken where there is but one order to think of."""

    def is_sorted_anew(node: Any) -> bool:
        return _typed.is_exactly(node, dict) and list(node) != sorted(node)

    if any(map(is_sorted_anew, jax.tree.leaves(std, is_leaf=is_sorted_anew))):
        raise ValueError(
            f"the order of the correlation's rows is not clear: JAX sorts the keys of a dict, to "
            f"{', '.join(axis.labels)}, and here they were written in another order. Write "
            'the dict in this order, or correlation={("g", "E"): 0.8}.'
        )


def _check(array: np.ndarray, axis: Axis) -> None:
    """Raise a ValueError where concrete numbers are those of no correlation."""
    tolerance = 1e-5 * max(axis.size, 1)
    if not np.allclose(np.diagonal(array), 1, atol=tolerance):
        raise ValueError(
            "the correlation of an entry with itself is 1, but the diagonal of correlation is "
            f"{np.diagonal(array)}."
        )
    far = np.argwhere(~(np.abs(array) <= 1 + tolerance))
    if len(far):
        i, j = far[0]
        raise ValueError(
            f"correlations lie between -1 and 1, but that of {axis.entry_labels[i]!r} and "
            f"{axis.entry_labels[j]!r} is {array[i, j]:g}."
        )
    if not np.allclose(array, array.T, atol=tolerance):
        raise ValueError("correlation must be symmetric: that of a and b is that of b and a.")
    try:
        np.linalg.cholesky(array + tolerance * np.eye(axis.size))
    except np.linalg.LinAlgError:
        raise ValueError(
            "no quantities have all of these correlations together: the smallest eigenvalue of "
            f"their matrix is {np.linalg.eigvalsh(array)[0]:.3g}, and must not be negative."
        ) from None
