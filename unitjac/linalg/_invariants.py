"""What a square matrix has whatever the basis: ``det`` and ``trace``.

Owns: these two, and for which units they are defined. Never touches: equations, eigenvalues.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._units.quantity import (
    UNITLESS,
    Unit,
    attach_block,
    is_dimensionless,
    unit_product,
    unit_ratio,
)

from ._axis import Axis
from ._entries import diagonal, scaled
from ._form import check_square, one_unit, power
from ._lapack import by_lapack
from ._matrix import UnitMatrix
from ._scaling import exponents, power_of_two


@by_lapack
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

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.linalg import UnitMatrix, det
    >>> rows, cols = [1.0 * u.mV, 1.0 * u.mV], [1.0 * u.mV, 1.0]
    >>> det(UnitMatrix(jnp.array([[2.0, 0.0], [0.0, 3.0]]), rows=rows, cols=cols))
    Quantity(6., "mV")
    """
    check_square(matrix, "det")
    unit = unit_ratio(_product_of(matrix.rows), _product_of(matrix.cols))
    if is_dimensionless(unit):  # the scales of many units would leave what the dtype holds
        matrix, unit = _in_base_units(matrix), UNITLESS
    array = matrix.dense
    rho, gamma = exponents(array, matrix.rows, matrix.cols)
    up, down = power_of_two(-rho), power_of_two(-gamma)
    value = _typed.det(array * up[:, None] * down)
    return attach_block(_times_power(value, rho.sum() + gamma.sum()), unit)


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

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.linalg import UnitMatrix, trace
    >>> V = jnp.ones(2) * u.mV
    >>> A = UnitMatrix(jnp.array([[1.0, 0.0], [0.0, 2.0]]), rows=V / u.ms, cols=V)
    >>> trace(A).to_decimal(u.ms**-1)
    Array(3., dtype=float32)
    """
    array, rows, unit = one_unit(matrix, "trace")
    up = rows.factors([unit_product(unit, col) for col in matrix.cols.units])
    return attach_block(jnp.sum(diagonal(scaled(array, up, np.ones(matrix.cols.size)))), unit)


def _product_of(axis: Axis) -> Unit:
    """The product of the units of all entries."""
    product: Unit = UNITLESS
    for unit, size in zip(axis.units, axis.sizes, strict=True):
        product = unit_product(product, power(unit, size))
    return product


def _in_base_units(matrix: UnitMatrix) -> UnitMatrix:
    rows, cols = (
        axis.map_units(lambda unit: unit and Unit(dim=unit.dim))
        for axis in (matrix.rows, matrix.cols)
    )
    return matrix.to(rows=rows, cols=cols)


def _times_power(value: Any, exponent: Any) -> Any:
    """``value * 2.0 ** exponent``, where the power alone may leave what the dtype holds."""
    half = jnp.floor(exponent / 2)
    return value * power_of_two(half) * power_of_two(exponent - half)
