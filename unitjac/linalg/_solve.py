"""Equations: ``solve``, ``inv``, ``lstsq``.

Owns: which of them is defined for which units, and in which scales they are solved. Never touches:
eigenvalues, text.

A BCOO is made dense here, since all of it factorizes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from unitjac._units.quantity import Unit, real_dtype, unit_ratio
from unitjac._units.unit_text import unit_text

from ._axis import Axis
from ._cholesky import solve_symmetric
from ._entries import scaled
from ._form import check_square, in_order, power
from ._judged import solved
from ._lapack import by_lapack
from ._matrix import UnitMatrix
from ._scaling import base_powers, column_norms, inverse_powers, times
from ._unit_algebra import common_unit, odd_one


@by_lapack
def solve(matrix: UnitMatrix, right: Any, *, assume_symmetric: bool = False) -> Any:
    """The solution x of ``matrix @ x = right``.

    Parameters
    ----------
    matrix : UnitMatrix
        Square. A BCOO is made dense.
    right : pytree or UnitMatrix
        A tree like the rows, in their dimensions, or a matrix with such rows.
    assume_symmetric : bool, default False
        ``matrix`` is symmetric and positive definite, units included (a covariance, a Hessian at
        a minimum): it is factorized by Cholesky. Where entries (i, j) and (j, i) differ, their
        mean counts.

    Returns
    -------
    pytree or UnitMatrix
        A tree like the columns, in their units, or a matrix with such rows.

    Raises
    ------
    ValueError
        If the matrix is not square, or ``right`` has another tree, shape or dimension.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.linalg import UnitMatrix, solve
    >>> R = UnitMatrix(jnp.array([[2.0]]), rows=1.0 * u.mV, cols=1.0 * u.nA)
    >>> solve(R, 6.0 * u.mV)
    Quantity(3., "nA")
    """
    check_square(matrix, "solve")
    solved = solve_symmetric if assume_symmetric else _solve_general
    if isinstance(right, UnitMatrix):
        array, common = _right_side(matrix.rows, right)
        return UnitMatrix(solved(matrix, array), matrix.cols.times(common), right.cols)
    return matrix.cols.to_tree(solved(matrix, matrix.rows.to_vector(right, "the right side")))


@by_lapack
def inv(matrix: UnitMatrix) -> UnitMatrix:
    """The inverse: from trees like the rows to trees like the columns.

    Parameters
    ----------
    matrix : UnitMatrix
        Square, of any units. A BCOO is made dense.

    Returns
    -------
    UnitMatrix
        Entry (j, i) is in column unit j over row unit i.

    Raises
    ------
    ValueError
        If the matrix is not square.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.linalg import UnitMatrix, inv
    >>> R = UnitMatrix(jnp.array([[2.0]]), rows=1.0 * u.mV, cols=1.0 * u.nA)
    >>> inv(R) @ (6.0 * u.mV)
    Quantity(3., "nA")
    """
    check_square(matrix, "inv")
    unit_vectors = jnp.eye(matrix.rows.size, dtype=matrix.dtype)
    return UnitMatrix(_solve_general(matrix, unit_vectors), matrix.cols, matrix.rows)


@by_lapack
def lstsq(
    matrix: UnitMatrix,
    right: Any,
    weights: Any = None,
    *,
    rcond: float | None = None,
    assume_full_rank: bool = False,
) -> Any:
    """The x that makes the weighted sum of squares of ``matrix @ x - right`` least.

    Parameters
    ----------
    matrix : UnitMatrix
        Of any shape. A BCOO is made dense.
    right : pytree
        A tree like the rows, in their dimensions.
    weights : pytree, optional
        A tree like the rows, in 1 / row unit squared: one over the variances. They can be left out
        only where all rows have one dimension; else the sum of squares is none.
    rcond : float, optional
        Singular values of the matrix with columns of length one below ``rcond`` times the largest
        are taken for zero. Default: the dtype's precision times the larger side.
    assume_full_rank : bool, default False
        The columns are independent: they are factorized by QR, several times as fast as the
        singular values. Where they are not, the answer means nothing, or is inf or nan.
        Rows are sorted by size, so that weights of very different size cost no digits.

    Returns
    -------
    pytree
        A tree like the columns, in their units. Where the columns are dependent, the x whose
        entries, each measured by the length of its column, are least.

    Raises
    ------
    ValueError
        If weights are missing or have another tree, shape or dimension; if the columns are more
        than the rows, or ``rcond`` is given, though full rank is assumed.

    Notes
    -----
    The way by singular values is right normwise only: its error may be as large as a rounding of
    the largest row, whatever the small ones say. Where weights are of very different size and the
    columns are independent, ``assume_full_rank`` is the way to take.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.linalg import UnitMatrix, lstsq
    >>> V, I = jnp.array([2.0, 4.0, 6.0]) * u.mV, 1.0 * u.nA
    >>> A = UnitMatrix(jnp.array([[1.0], [2.0], [3.0]]), rows=V, cols=I)
    >>> print(round(float(lstsq(A, V).to_decimal(u.nA)), 4))
    2.0
    """
    if assume_full_rank:
        _check_full_rank(matrix, rcond)
    vector = matrix.rows.to_vector(right, "the right side")
    array = matrix.dense
    weight = _root_weights(matrix, weights)
    array, vector = times(array, weight[:, None]), times(vector, weight)
    down = 1 / column_norms(array)
    array = times(array, down[None, :])
    if assume_full_rank:
        found = _by_qr(*_by_size(array, vector))
    else:
        found, *_ = jnp.linalg.lstsq(array, vector, rcond=rcond)
    return matrix.cols.to_tree(times(found, down))


def _by_size(array: Any, vector: Any) -> tuple[Any, Any]:
    """The rows in descending order of their largest entries.

    Reflections mix rows: what a small one says would be rounded away where it stood above a large
    one (A. J. Cox and N. J. Higham, BIT 38 (1998) 34).
    """
    largest = jnp.max(jnp.abs(jax.lax.stop_gradient(array)), axis=1, initial=0.0)
    order = jnp.argsort(largest, descending=True)
    return array[order], vector[order]


@jax.custom_jvp
def _by_qr(array: Any, vector: Any) -> Any:
    """The least squares of a matrix with independent columns; Q is applied and never formed."""
    n = array.shape[1]
    dtype = jnp.promote_types(array.dtype, vector.dtype)
    array, vector = array.astype(dtype), vector.astype(dtype)
    transposed, taus = jnp.linalg.qr(array, mode="raw")
    reflectors = transposed.T
    projected = jax.lax.linalg.ormqr(reflectors, taus, vector[:, None], transpose=True)
    return solve_triangular(reflectors[:n], projected[:n, 0])


@_by_qr.defjvp
def _by_qr_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    """G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10 (1973) 413, for independent columns.

    ``dx = A+ (db - dA x) + (A* A)^-1 dA* (b - A x)``, by a Q and an R that can be differentiated.
    """
    (array, vector), (d_array, d_vector) = primals, tangents
    q, r = jnp.linalg.qr(array)
    x = solve_triangular(r, q.conj().T @ vector)
    turned = solve_triangular(r, d_array.conj().T @ (vector - array @ x), trans="C")
    moved = q.conj().T @ (d_vector - d_array @ x)
    return x, solve_triangular(r, moved + turned)


def _check_full_rank(matrix: UnitMatrix, rcond: float | None) -> None:
    m, n = matrix.shape
    if m < n:
        raise ValueError(
            f"the columns of a matrix of {m} rows and {n} columns are dependent, so that "
            "assume_full_rank does not hold. Leave it out."
        )
    if rcond is not None:
        raise ValueError(
            f"rcond is {rcond}, but with assume_full_rank=True no singular value is looked at. "
            "Leave one of the two out."
        )


def _solve_general(matrix: UnitMatrix, right: Any) -> Any:
    """The magnitudes of the solution, for a right side in the units of the rows."""
    if not right.size:
        return jnp.zeros(right.shape, jnp.promote_types(matrix.dtype, right.dtype))
    return _compiled(matrix.dense, right, base_powers(matrix.cols, matrix.dtype))


def _in_scale(array: Any, right: Any, base: Any) -> jax.Array:
    """Solved with rows in parts of their sums in base units, and columns in parts of theirs.

    So the pivots are the same whatever the units, and no unit makes numbers overflow or underflow.
    Powers of two round nothing.
    """
    dtype = jnp.promote_types(array.dtype, right.dtype)
    array, columns = array.astype(dtype), right.astype(dtype).reshape(len(array), -1)
    sizes = jnp.abs(jax.lax.stop_gradient(array))
    up = inverse_powers(jnp.sum(sizes * base[None, :], axis=1))[:, None]
    down = inverse_powers(jnp.sum(sizes * up, axis=0))[:, None]
    found = solved(times(times(array, up), down.T), times(columns, up))
    return times(found, down).reshape(right.shape)


_compiled: Callable[..., jax.Array] = jax.jit(_in_scale)


def _right_side(rows: Axis, right: UnitMatrix) -> tuple[Any, Unit | None]:
    """The magnitudes of a right side in the units of ``rows`` times one common unit, and that."""
    names = "the right side's rows", "the matrix's rows"
    array, own, _ = in_order(right.dense, right.rows, rows, 0, *names)
    ratios = [unit_ratio(mine, want) for mine, want in zip(own.units, rows.units, strict=True)]
    if odd_one(ratios) is not None:
        raise ValueError(
            f"the right side's rows are in {', '.join(map(unit_text, own.units))}, but must "
            f"be in {', '.join(map(unit_text, rows.units))}, times one common unit."
        )
    common = common_unit(ratios)
    up = rows.spread([unit_ratio(ratio, common).magnitude for ratio in ratios])
    return scaled(array, up, np.ones(right.cols.size)), common


def _root_weights(matrix: UnitMatrix, weights: Any) -> Any:
    """What each row is multiplied by, so that its square is its part of the sum."""
    rows = matrix.rows
    if weights is not None:
        wanted = rows.map_units(lambda unit: unit_ratio(None, power(unit, 2)))
        return jnp.sqrt(wanted.to_vector(weights, "the weights"))
    k = odd_one(rows.units)
    if k is not None:
        raise ValueError(
            f"the rows have several dimensions ({rows.labels[0]!r} is in "
            f"{unit_text(rows.units[0])}, {rows.labels[k]!r} in {unit_text(rows.units[k])}), so "
            "that their squares cannot be added. Pass weights, a tree in 1 / row unit squared: "
            "one over the variances."
        )
    factors = rows.factors(rows.units[:1] * len(rows.units))
    return jnp.asarray(factors, real_dtype(matrix.dtype))
