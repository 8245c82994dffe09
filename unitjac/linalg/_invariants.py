"""What a square matrix has whatever the basis: ``det`` and ``trace``.

Owns: these two, and for which units they are defined. Never touches: equations, eigenvalues.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._units.quantity import (
    UNITLESS,
    Unit,
    attach_block,
    is_dimensionless,
    real_dtype,
    unit_product,
    unit_ratio,
)

from ._axis import Axis
from ._entries import diagonal, reordered, scaled
from ._form import check_square, one_unit, power
from ._lapack import by_lapack
from ._matrix import UnitMatrix
from ._scaling import balanced, base_powers, inverse_powers, times


@by_lapack
def det(matrix: UnitMatrix) -> Any:
    """The determinant, in the product of the row units over the product of the column units.

    Parameters
    ----------
    matrix : UnitMatrix
        Square. A BCOO is made dense. Where rows and columns have leaves of the same names and
        shapes they are paired by name, so that no order of keys turns the sign; else by position.

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
    array, rows, cols = matrix.dense, matrix.rows, matrix.cols
    order = cols.pairing(rows)
    if order is not None and cols.shapes == tuple(rows.shapes[k] for k in order):
        array = reordered(array, rows.positions(order), 0)
    value, exponent = _compiled(array, base_powers(cols, matrix.dtype))
    return attach_block(_times_power(value, exponent), unit)


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


def _scaled_det(array: Any, down: Any) -> tuple[Any, Any]:
    """The determinant over a power of two, and that power's exponent.

    Sums of rows and columns are near one, so that pivots depend on no unit, and rows have lengths
    near one, so that the determinant of a large matrix neither overflows nor underflows.
    """
    sizes = jnp.abs(jax.lax.stop_gradient(array))
    up, down = balanced(sizes, down)
    lengths = _typed.norm(sizes * up[:, None] * down[None, :], axis=1)
    up = up * inverse_powers(lengths * 2**0.5)
    value = _typed.det(times(times(array, up[:, None]), down[None, :]))
    # frexp is 0.5 times two to the power of one more
    exponents = [jnp.sum(1 - jnp.frexp(scales)[1]) for scales in (up, down)]
    return value, exponents[0] + exponents[1]


_compiled: Callable[..., tuple[Any, Any]] = jax.jit(_scaled_det)


def _times_power(value: Any, exponent: Any) -> Any:
    """``value * 2.0 ** exponent``, where the power alone may leave what the dtype holds."""
    most = _typed.finfo(value.dtype).maxexp - 1
    half = exponent // 2
    for part in (half, exponent - half):
        # no inf, so that a determinant of nought stays one
        one = jnp.ones((), real_dtype(value.dtype))
        value = times(value, jnp.ldexp(one, jnp.minimum(part, most)))
    return value
