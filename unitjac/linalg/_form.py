"""In which units one and the same matrix can be written, and what its units have to be for what.

Owns: the change from row and column units to others, units that mirror, the one unit of a
diagonal. Never touches: the class, factorizations.

Entry (i, j) is in row unit i over column unit j, so that rows and columns can be multiplied by one
common unit without a change of any entry. Two matrices agree where their entries do, whatever
this common unit is in each.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from unitjac._units.quantity import UNITLESS, Unit, same_dimension, unit_product, unit_ratio
from unitjac._units.unit_text import unit_text

from ._axis import Axis
from ._entries import reordered, scaled
from ._show import entry_unit_text
from ._unit_algebra import common_unit, odd_one


class Written(Protocol):
    """What is needed here of a matrix."""

    @property
    def array(self) -> Any:
        """The magnitudes."""
        ...

    @property
    def rows(self) -> Axis:
        """Its rows."""
        ...

    @property
    def cols(self) -> Axis:
        """Its columns."""
        ...


class Mirrored(NamedTuple):
    """A symmetric matrix in units in which its numbers are symmetric too.

    Entry (i, j) of ``array`` is in ``root`` unit i times ``root`` unit j. The numbers are those of
    the matrix with its columns multiplied by ``factors``. Where columns stood in another order than
    rows, ``columns`` says where each went.
    """

    array: Any
    root: Axis
    factors: np.ndarray
    columns: np.ndarray | None = None


class Line(NamedTuple):
    """Rows or columns in the order of another axis, in the units that they have."""

    array: Any
    axis: Axis
    order: list[int]


def in_order(array: Any, own: Axis, like: Axis, axis: int, what: str, that: str) -> Line:
    """``array`` with its rows (axis 0) or columns (axis 1), which are ``own``, in ``like``'s order.

    Parameters
    ----------
    what, that : str
        What the two axes are called in messages.

    Raises
    ------
    ValueError
        If their leaves have other names or shapes.
    """
    order = like.order_of(own, that, what)
    if order != list(range(len(order))):
        array = reordered(array, own.positions(order), axis)
    return Line(array, like.with_units([own.units[k] for k in order]), order)


def rewritten(
    matrix: Written,
    rows: Axis,
    cols: Axis,
    what: str = "the second matrix",
    row_name: str = "the first matrix's rows",
    column_name: str = "the first matrix's columns",
) -> Any:
    """The magnitudes that ``matrix`` has where rows and columns are in other units or order.

    Raises
    ------
    ValueError
        If leaves have other names, or a block has another shape or dimension.
    """
    array, own_rows, _ = in_order(matrix.array, matrix.rows, rows, 0, f"{what}'s rows", row_name)
    array, own_cols, _ = in_order(array, matrix.cols, cols, 1, f"{what}'s columns", column_name)
    up = [unit_ratio(mine, new) for mine, new in zip(own_rows.units, rows.units, strict=True)]
    down = [unit_ratio(mine, new) for mine, new in zip(own_cols.units, cols.units, strict=True)]
    if up and down:
        # all of them are the common unit of rows and columns, which changes no entry
        first_column, first_row = (
            ((i, 0) for i in range(len(up))),
            ((0, j) for j in range(len(down))),
        )
        for i, j in (*first_column, *first_row):
            if not same_dimension(up[i], down[j]):
                raise ValueError(
                    f"block ({rows.labels[i]}, {cols.labels[j]}) is in "
                    f"{entry_unit_text(own_rows, i, own_cols, j)}, expected "
                    f"{entry_unit_text(rows, i, cols, j)} or another unit of its dimension."
                )
    common = common_unit([*up, *down])
    ups, downs = ([unit_ratio(unit, common).magnitude for unit in side] for side in (up, down))
    return scaled(array, rows.spread(ups), 1 / cols.spread(downs))


def mirrored(matrix: Written) -> Mirrored:
    """A symmetric matrix in symmetric units.

    Raises
    ------
    ValueError
        If rows and columns have other leaves, or the units do not mirror.
    """
    rows = matrix.rows
    names = "its columns", "a symmetric matrix's rows"
    array, cols, order = in_order(matrix.array, matrix.cols, rows, 1, *names)
    # entry (i, j) has the unit of (j, i) where row unit times column unit is one for all leaves
    products = [unit_product(r, c) for r, c in zip(rows.units, cols.units, strict=True)]
    k = odd_one(products)
    if k is not None:
        raise ValueError(
            f"the units do not mirror: block ({rows.labels[0]}, {cols.labels[k]}) is in "
            f"{entry_unit_text(rows, 0, cols, k)}, block ({rows.labels[k]}, {cols.labels[0]}) is "
            f"in {entry_unit_text(rows, k, cols, 0)}. A symmetric matrix (a covariance, a Hessian) "
            "has the same unit in both."
        )
    common = common_unit(products)
    factors = cols.spread([unit_ratio(common, product).magnitude for product in products])
    root = rows if common is None else rows.times(power(common, -0.5))
    columns = None if order == list(range(len(order))) else matrix.cols.positions(order)
    return Mirrored(scaled(array, np.ones(rows.size), factors), root, factors, columns)


class OneUnit(NamedTuple):
    """A matrix with its rows in the order of its columns, and the one unit of its diagonal."""

    array: Any
    rows: Axis
    unit: Unit


def one_unit(matrix: Written, what: str) -> OneUnit:
    """The one unit that row unit over column unit is for all leaves, as simple as one has it.

    Where V is written in volts and its rate in mV/ms, that of the gates still is 1/ms.

    Raises
    ------
    ValueError
        If rows and columns have other leaves, or the units differ.
    """
    cols = matrix.cols
    names = "its rows", f"{what}: the matrix's columns"
    array, rows, _ = in_order(matrix.array, matrix.rows, cols, 0, *names)
    ratios = [unit_ratio(r, c) for r, c in zip(rows.units, cols.units, strict=True)]
    k = odd_one(ratios)
    if k is not None:
        raise ValueError(
            f"{what} is defined where row unit over column unit is one and the same for all "
            f"leaves: it is {entry_unit_text(rows, 0, cols, 0)} for {rows.labels[0]!r} and "
            f"{entry_unit_text(rows, k, cols, k)} for {rows.labels[k]!r}. For a plain matrix write "
            "A.scaled(rows=typical_outputs, cols=typical_inputs)."
        )
    simple = (ratio for ratio in ratios if "*" not in unit_text(ratio))
    return OneUnit(array, rows, next(simple, ratios[0]) if ratios else UNITLESS)


def check_square(matrix: Written, what: str) -> None:
    """Raise a ValueError where there are not as many rows as columns."""
    m, n = matrix.rows.size, matrix.cols.size
    if m != n:
        raise ValueError(
            f"{what} wants a square matrix, got {m} rows and {n} columns. For the x that makes "
            "A @ x - b least write lstsq(A, b)."
        )


def power(unit: Unit | None, exponent: float) -> Unit:
    """A power of a unit."""
    found = (unit or UNITLESS) ** exponent
    assert isinstance(found, Unit)  # brainunit's signature allows for a quantity here
    return found


def check_dimensions(old: Axis, new: Axis, name: str) -> None:
    """Raise a ValueError where an axis cannot be written in the units of another one."""
    for label, mine, theirs in zip(old.labels, old.units, new.units, strict=True):
        if not same_dimension(mine, theirs):
            raise ValueError(
                f"{name} {label!r} is in {unit_text(mine)} and cannot be written in "
                f"{unit_text(theirs)}, which has another dimension."
            )
