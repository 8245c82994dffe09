"""Eigenvalues and eigenvectors, and what is refused without scales.

Owns: ``eig``, ``eigvals``, and the messages of ``svd``, ``norm``, ``cond``, ``pinv``. Never
touches: equations.

A BCOO is made dense here.
"""

from __future__ import annotations

from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np

from unitjac._units.quantity import Unit, attach_block, unit_product

from ._axis import Axis
from ._entries import dense, scaled
from ._form import one_unit
from ._lapack import by_lapack
from ._matrix import UnitMatrix


@by_lapack
def eig(matrix: UnitMatrix) -> tuple[Any, UnitMatrix]:
    """Eigenvalues and eigenvectors, where all rows have one unit over their columns'.

    So it is for the Jacobian of a dynamical system: rows in state unit / time, columns in state
    unit. Its eigenvalues are in 1 / time, its eigenvectors in the units of the states.

    Parameters
    ----------
    matrix : UnitMatrix
        Square, rows and columns with the same leaves. A BCOO is made dense.

    Returns
    -------
    values : Quantity or array of shape (n,)
        Complex, in row unit over column unit.
    vectors : UnitMatrix
        Column k is the direction in the state space that belongs to value k. Its length has no
        meaning beyond that it is one where all is written in base units.

    Raises
    ------
    ValueError
        If row unit over column unit differs from leaf to leaf; the text says what to do.

    Notes
    -----
    The eigenvalues are those of the matrix in base units, which LAPACK balances by powers of two
    before it begins, so that neither values nor vectors depend on the units that it is written in.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.linalg import UnitMatrix, eig
    >>> state = {"V": 1.0 * u.mV, "w": 1.0 * u.nA}
    >>> rate = {"V": 1.0 * u.mV / u.ms, "w": 1.0 * u.nA / u.ms}
    >>> A = UnitMatrix(jnp.array([[-1.0, 0.0], [0.5, -2.0]]), rows=rate, cols=state)
    >>> values, vectors = eig(A)
    >>> sorted(values.to_decimal(u.ms**-1).real.tolist())
    [-2.0, -1.0]
    """
    array, base, unit = _in_base_units(matrix, "eig")
    values, vectors = jnp.linalg.eig(array)
    modes = Axis.of([jnp.zeros(matrix.cols.size)])
    vectors = scaled(vectors, 1 / base, np.ones(matrix.cols.size))
    return attach_block(values, unit), UnitMatrix(vectors, matrix.cols, modes)


@by_lapack
def eigvals(matrix: UnitMatrix) -> Any:
    """The eigenvalues alone; see :func:`eig`.

    Parameters
    ----------
    matrix : UnitMatrix
        As for :func:`eig`.

    Returns
    -------
    Quantity or array of shape (n,)

    Raises
    ------
    ValueError
        As :func:`eig`.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.linalg import UnitMatrix, eigvals
    >>> V = 1.0 * u.mV
    >>> eigvals(UnitMatrix(jnp.array([[-0.1]]), rows=V / u.ms, cols=V))[0].to_decimal(u.ms**-1)
    Array(-0.1+0.j, dtype=complex64)
    """
    array, _, unit = _in_base_units(matrix, "eigvals")
    return attach_block(jnp.linalg.eigvals(array), unit)


def svd(matrix: UnitMatrix) -> NoReturn:
    """Refused: singular values depend on the choice of units. Use ``A.scaled(...)``.

    Raises
    ------
    TypeError
        Always; the text says what to type instead.
    """
    _refuse("svd")


def norm(matrix: UnitMatrix) -> NoReturn:
    """Refused: a norm depends on the choice of units. Use ``A.scaled(...)``.

    Raises
    ------
    TypeError
        Always; the text says what to type instead.
    """
    _refuse("norm")


def cond(matrix: UnitMatrix) -> NoReturn:
    """Refused: a condition number depends on the choice of units. Use ``A.scaled(...)``.

    Raises
    ------
    TypeError
        Always; the text says what to type instead.
    """
    _refuse("cond")


def pinv(matrix: UnitMatrix) -> NoReturn:
    """Refused: a pseudo-inverse depends on the choice of units. Use ``A.scaled(...)``.

    Raises
    ------
    TypeError
        Always; the text says what to type instead.
    """
    _refuse("pinv")


def _refuse(name: str) -> NoReturn:
    raise TypeError(
        f"{name} of a matrix with units is not defined: it measures trees of several units by one "
        "length, and would change with the choice of units. Say what is typical, and take "
        f"jnp.linalg.{name}(A.scaled(rows=typical_outputs, cols=typical_inputs)), a plain matrix."
    )


def _in_base_units(matrix: UnitMatrix, what: str) -> tuple[Any, np.ndarray, Unit]:
    """The array with the columns in base units, their sizes, and the unit of the eigenvalues."""
    array, rows, unit = one_unit(matrix, what)
    up = rows.factors([unit_product(unit, col) for col in matrix.cols.units])
    base = matrix.cols.spread(matrix.cols.unit_sizes)
    return scaled(dense(array), up * base, 1 / base), base, unit
