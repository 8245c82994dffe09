"""Covariances: how they are made, and how they pass through a Jacobian.

Owns: :func:`propagate`, :func:`covariance`. Never touches: factorizations.

A covariance of a tree x is a matrix whose entry (i, j) is in unit x_i times unit x_j: its rows are
in x's units, its columns in their reciprocals, or both in these times one common unit.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from ._axis import Axis
from ._form import rewritten
from ._matrix import UnitMatrix


def covariance(std: Any) -> UnitMatrix:
    """The covariance of independent entries with these standard deviations.

    Parameters
    ----------
    std : pytree
        A tree of standard deviations, in the units of what varies.

    Returns
    -------
    UnitMatrix
        Diagonal; entry (i, j) is in unit i times unit j.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.linalg import covariance
    >>> C = covariance({"g": 2.0 * u.nS, "E": 3.0 * u.mV})
    >>> C.std()["E"]
    Quantity(3., "mV")
    """
    axis = Axis.of(std)
    return UnitMatrix(jnp.diag(axis.vector(std) ** 2), axis, axis.inverse())


def propagate(jacobian: UnitMatrix, cov: UnitMatrix) -> UnitMatrix:
    """The covariance of the outputs, ``J cov J.T``, to first order.

    Parameters
    ----------
    jacobian : UnitMatrix
        Of the outputs by the inputs.
    cov : UnitMatrix
        The covariance of the inputs.

    Returns
    -------
    UnitMatrix
        Entry (i, j) is in output unit i times output unit j.

    Raises
    ------
    ValueError
        If ``cov`` is no covariance of the Jacobian's inputs.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.linalg import covariance, jacobian_matrix, propagate
    >>> J = jacobian_matrix(lambda p: p["g"] * p["E"])({"g": 2.0 * u.nS, "E": 10.0 * u.mV})
    >>> propagate(J, covariance({"g": 0.3 * u.nS, "E": 2.0 * u.mV})).std()
    Quantity(5., "pA")
    """
    inputs = jacobian.cols
    array = rewritten(cov, inputs, inputs.inverse())
    return jacobian @ UnitMatrix(array, inputs, inputs.inverse()) @ jacobian.T
