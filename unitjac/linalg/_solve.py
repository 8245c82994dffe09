"""Equations: ``solve``, ``lstsq``, ``inv``, ``det``, ``trace``, ``cholesky``.

Owns: which of them is defined for which units, and the scaling that makes their answers
independent of the units. Never touches: eigenvalues, displays.

A BCOO is made dense here: all but ``trace`` factorize.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np

from unitjac._quantity import (
    UNITLESS,
    Unit,
    attach_block,
    same_dimension,
    unit_product,
    unit_ratio,
    unit_text,
)

from ._axis import Axis, common_unit
from ._matrix import UnitMatrix, like
from ._scaling import column_norms, equilibrate


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
        a minimum): it is factorized by Cholesky.

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
    _check_square(matrix, "solve")
    if isinstance(right, UnitMatrix):
        _check_rows(matrix, right)
        factor, common = _converted(right, matrix.rows)
        found = _solve_array(matrix, right.dense * factor[:, None], assume_symmetric)
        return UnitMatrix(found, matrix.cols.times(common), right.cols)
    found = _solve_array(matrix, matrix.rows.vector(right, "the right side"), assume_symmetric)
    return matrix.cols.tree(found)


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
    """
    _check_square(matrix, "inv")
    scaled, r, c = equilibrate(matrix.dense)
    inverse = jnp.linalg.inv(scaled) / r / c[:, None]
    return UnitMatrix(inverse, matrix.cols, matrix.rows)


def lstsq(
    matrix: UnitMatrix, right: Any, weights: Any = None, *, rcond: float | None = None
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

    Returns
    -------
    pytree
        A tree like the columns, in their units. Where the columns are dependent, the x whose
        entries, each measured by the length of its column, are least.

    Raises
    ------
    ValueError
        If weights are missing or have another tree, shape or dimension.
    """
    vector = matrix.rows.vector(right, "the right side")
    array = matrix.dense
    weight = _root_weights(matrix.rows, weights)
    array, vector = array * weight[:, None], vector * weight
    norms = column_norms(array)
    found, *_ = jnp.linalg.lstsq(array / norms, vector, rcond=rcond)
    return matrix.cols.tree(found / norms)


def det(matrix: UnitMatrix) -> Any:
    """The determinant, in the product of the row units over the product of the column units.

    Parameters
    ----------
    matrix : UnitMatrix
        Square. A BCOO is made dense.

    Returns
    -------
    Quantity or array

    Raises
    ------
    ValueError
        If the matrix is not square.
    """
    _check_square(matrix, "det")
    unit: Unit = UNITLESS
    for row, m in zip(matrix.rows.units, matrix.rows.sizes, strict=True):
        unit = unit_product(unit, _power(row, m))
    for col, n in zip(matrix.cols.units, matrix.cols.sizes, strict=True):
        unit = unit_ratio(unit, _power(col, n))
    return attach_block(jnp.linalg.det(matrix.dense), unit)


def trace(matrix: UnitMatrix) -> Any:
    """The sum of the diagonal, where all its entries have one dimension.

    Parameters
    ----------
    matrix : UnitMatrix
        Square, the leaves of rows and columns of the same shapes.

    Returns
    -------
    Quantity or array

    Raises
    ------
    ValueError
        If the matrix is not square, or entries of its diagonal cannot be added.
    """
    unit = diagonal_unit(matrix, "trace")
    entries = matrix.rows.factors([unit_product(unit, col) for col in matrix.cols.units])
    dense = matrix.dense
    return attach_block(jnp.sum(jnp.diagonal(dense) * jnp.asarray(entries, dense.dtype)), unit)


def cholesky(matrix: UnitMatrix) -> UnitMatrix:
    """The lower triangular L with ``L @ L.T`` equal to a symmetric positive definite matrix.

    Parameters
    ----------
    matrix : UnitMatrix
        Symmetric, units included: entry (i, j) has the unit of entry (j, i). A BCOO is made dense.

    Returns
    -------
    UnitMatrix
        With plain columns, and rows in the square roots of the diagonal's units.

    Raises
    ------
    ValueError
        If the units do not mirror.

    Notes
    -----
    The matrix is divided by the roots of its diagonal first; a matrix that is not positive definite
    gives nan, as in :func:`jax.numpy.linalg.cholesky`.
    """
    rows = _root_units(matrix)
    square = like(matrix, UnitMatrix(jnp.zeros(matrix.shape), rows, rows.inverse())).dense
    d = jnp.sqrt(jnp.diagonal(square))
    lower = jnp.linalg.cholesky(square / d / d[:, None]) * d[:, None]
    return UnitMatrix(lower, rows, rows.with_units([None] * len(rows.units)))


def diagonal_unit(matrix: UnitMatrix, what: str) -> Unit:
    """The one unit that row unit over column unit is for all leaves.

    Raises
    ------
    ValueError
        If the matrix is not square leaf by leaf, or the units differ.
    """
    rows, cols = matrix.rows, matrix.cols
    if not rows.lies_like(cols):
        raise ValueError(
            f"{what} wants rows and columns with the same leaves, got {rows.shapes} and "
            f"{cols.shapes}."
        )
    ratios = [unit_ratio(r, c) for r, c in zip(rows.units, cols.units, strict=True)]
    for k, ratio in enumerate(ratios):
        if not same_dimension(ratio, ratios[0]):
            raise ValueError(
                f"{what} is defined where row unit over column unit is one and the same for all "
                f"leaves: it is {unit_text(ratios[0])} for {rows.labels[0]!r} and "
                f"{unit_text(ratio)} for {rows.labels[k]!r}. For a plain matrix write "
                "A.scaled(rows=typical_outputs, cols=typical_inputs)."
            )
    return ratios[0] if ratios else UNITLESS


def _solve_array(matrix: UnitMatrix, right: Any, assume_symmetric: bool) -> Any:
    array = matrix.dense
    if assume_symmetric:
        _root_units(matrix)
        d = jnp.sqrt(jnp.diagonal(array))
        lower = jax.scipy.linalg.cho_factor(array / d / d[:, None], lower=True)
        return _divided(jax.scipy.linalg.cho_solve(lower, _divided(right, d)), d)
    scaled, r, c = equilibrate(array)
    return _divided(jnp.linalg.solve(scaled, _divided(right, r)), c)


def _divided(array: Any, rows: Any) -> Any:
    return array / (rows if array.ndim == 1 else rows[:, None])


def _converted(right: UnitMatrix, rows: Axis) -> tuple[Any, Unit | None]:
    """What brings a matrix' rows into ``rows``, and the common unit that stays over."""
    ratios = [
        unit_ratio(mine, want) for mine, want in zip(right.rows.units, rows.units, strict=True)
    ]
    common = common_unit(ratios)
    if ratios and common is None:
        raise ValueError(
            f"the right side's rows are in {', '.join(map(unit_text, right.rows.units))}, but must "
            f"be in {', '.join(map(unit_text, rows.units))}, times one common unit."
        )
    factors = [unit_ratio(ratio, common).magnitude for ratio in ratios]
    return jnp.asarray(np.repeat(factors, rows.sizes), right.dtype), common


def _root_weights(rows: Axis, weights: Any) -> Any:
    if weights is not None:
        wanted = rows.map_units(lambda unit: unit_ratio(None, _power(unit, 2)))
        return jnp.sqrt(wanted.vector(weights, "the weights"))
    for label, unit in zip(rows.labels, rows.units, strict=True):
        if not same_dimension(unit, rows.units[0]):
            raise ValueError(
                f"the rows have several dimensions ({rows.labels[0]!r} is in "
                f"{unit_text(rows.units[0])}, {label!r} in {unit_text(unit)}), so that their "
                "squares cannot be added. Pass weights, a tree in 1 / row unit squared: one over "
                "the variances."
            )
    return jnp.asarray(rows.factors([rows.units[0]] * len(rows.units)) if rows.units else [])


def _root_units(matrix: UnitMatrix) -> Axis:
    """The rows in units s_i such that entry (i, j) is in s_i * s_j."""
    rows, cols = matrix.rows, matrix.cols
    if not rows.lies_like(cols):
        raise ValueError(
            f"a symmetric matrix has rows and columns with the same leaves, got {rows.shapes} and "
            f"{cols.shapes}."
        )
    products = [unit_product(r, c) for r, c in zip(rows.units, cols.units, strict=True)]
    for k, product in enumerate(products):
        if not same_dimension(product, products[0]):
            raise ValueError(
                f"the units do not mirror: block ({rows.labels[0]}, {cols.labels[k]}) is in "
                f"{unit_text(matrix.unit_of(0, k))}, block ({rows.labels[k]}, {cols.labels[0]}) in "
                f"{unit_text(matrix.unit_of(k, 0))}. A symmetric matrix (a covariance, a Hessian) "
                "has the same unit in both."
            )
    return rows.with_units(
        [_power(unit_ratio(r, c), 0.5) for r, c in zip(rows.units, cols.units, strict=True)]
    )


def _check_square(matrix: UnitMatrix, what: str) -> None:
    if matrix.rows.size != matrix.cols.size:
        raise ValueError(
            f"{what} wants a square matrix, got {matrix.rows.size} rows and {matrix.cols.size} "
            "columns. For more rows than columns write lstsq(A, b)."
        )


def _check_rows(matrix: UnitMatrix, right: UnitMatrix) -> None:
    if not right.rows.lies_like(matrix.rows):
        raise ValueError(
            f"the right side has rows of shapes {right.rows.shapes}, the matrix of shapes "
            f"{matrix.rows.shapes}."
        )


def _power(unit: Unit | None, exponent: float) -> Unit:
    power = (unit or UNITLESS) ** exponent
    assert isinstance(power, Unit)  # brainunit's signature allows for a quantity here
    return power
