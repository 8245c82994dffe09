"""Covariances: how they are made, and how they pass through a Jacobian.

Owns: :func:`propagate`, :func:`covariance`. Never touches: factorizations, what a correlation is.

A covariance of a tree x is a matrix whose entry (i, j) is in unit x_i times unit x_j: its rows are
in x's units, its columns in their reciprocals, or both in these times one common unit.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from unitjac._errors import array_text

from ._axis import Axis
from ._correlation import correlations
from ._form import rewritten
from ._matrix import UnitMatrix


def covariance(std: Any, correlation: Any = None) -> UnitMatrix:
    """The covariance of entries with these standard deviations, independent where nothing is said.

    Parameters
    ----------
    std : pytree
        A tree of standard deviations, in the units of what varies.
    correlation : mapping, UnitMatrix or array of shape (n, n), optional
        Correlations by the names of two leaves, ``{("g", "E"): 0.8}``, a pair once: a number, or
        for leaves that are arrays a block with the shape of the first and then of the second. A
        name is what ``C[row, column]`` takes. Or all of them: a UnitMatrix of plain numbers, as
        ``C.correlation()`` gives it, or an array in the order of the leaves. Default: none.

    Returns
    -------
    UnitMatrix
        Entry (i, j) is in unit i times unit j.

    Raises
    ------
    ValueError
        If ``std`` is one square array, which is no tree of standard deviations but most likely a
        covariance; if a pair is given twice; if the numbers are no correlations (this is
        seen where they are no tracers); if an array is given for a dict whose keys
        JAX sorts into another order.
    TypeError
        If ``std`` is a UnitMatrix, or ``correlation`` none of these.
    KeyError
        If a name is that of no leaf.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.linalg import covariance
    >>> C = covariance({"g": 2.0 * u.nS, "E": 3.0 * u.mV})
    >>> C.std()["E"]
    Quantity(3., "mV")
    >>> C = covariance({"g": 2.0 * u.nS, "E": 3.0 * u.mV}, correlation={("g", "E"): 0.5})
    >>> C["g", "E"].in_unit(u.nS * u.mV)
    Quantity(3., "pA")
    """
    if isinstance(std, UnitMatrix):
        raise TypeError(
            "covariance wants a tree of standard deviations, got a UnitMatrix. If it is a "
            "covariance, use it as it is; its standard deviations are C.std()."
        )
    axis = Axis.of(std)
    if axis.is_leaf and len(axis.shapes[0]) == 2 and axis.shapes[0][0] == axis.shapes[0][1]:
        raise ValueError(
            f"covariance wants standard deviations, got one square array of shape "
            f"{axis.shapes[0]}. If it is a covariance of p, write UnitMatrix(array, rows=p, "
            "cols=Axis.of(p).inverse()); if it holds deviations, name it: "
            'covariance({"w": array}).'
        )
    vector = axis.to_vector(std)
    if correlation is None:
        array = jnp.diag(vector**2)
    else:
        inner = correlations(correlation, std, axis).astype(vector.dtype)
        array = vector[:, None] * inner * vector[None, :]
    return UnitMatrix(array, axis, axis.inverse())


def propagate(jacobian: UnitMatrix, cov: UnitMatrix) -> UnitMatrix:
    """The covariance of the outputs, ``J cov J.T``, to first order.

    Parameters
    ----------
    jacobian : UnitMatrix
        Of the outputs by the inputs.
    cov : UnitMatrix
        The covariance of the inputs, its leaves in any order: they are paired by name.

    Returns
    -------
    UnitMatrix
        Entry (i, j) is in output unit i times output unit j.

    Raises
    ------
    ValueError
        If ``cov`` is no covariance of the Jacobian's inputs: other names, shapes or dimensions.
    TypeError
        If one of the two is no UnitMatrix; the text says how to make it one.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.linalg import covariance, jacobian_matrix, propagate
    >>> J = jacobian_matrix(lambda p: p["g"] * p["E"])({"g": 2.0 * u.nS, "E": 10.0 * u.mV})
    >>> propagate(J, covariance({"g": 0.3 * u.nS, "E": 2.0 * u.mV})).std()
    Quantity(5., "pA")
    """
    _check_matrices(jacobian, cov)
    inputs, names = jacobian.cols, ["the Jacobian's columns"] * 2
    array = rewritten(cov, inputs, inputs.inverse(), "the covariance", *names)
    return jacobian @ UnitMatrix(array, inputs, inputs.inverse()) @ jacobian.T


def _check_matrices(jacobian: Any, cov: Any) -> None:
    if not isinstance(jacobian, UnitMatrix):
        raise TypeError(
            f"propagate wants a Jacobian as a UnitMatrix, got {array_text(jacobian)}. Make one "
            "with jacobian_matrix(fun)(...) or UnitMatrix.from_blocks(blocks, outputs, inputs)."
        )
    if not isinstance(cov, UnitMatrix):
        raise TypeError(
            f"propagate wants a covariance as a UnitMatrix, got {array_text(cov)}. If it holds "
            "standard deviations, write propagate(J, covariance(std)); if it is the array of a "
            "covariance, UnitMatrix(array, rows=J.cols, cols=J.cols.inverse())."
        )
