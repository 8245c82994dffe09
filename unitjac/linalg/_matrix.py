"""``UnitMatrix``: a matrix whose entry (i, j) is in row unit i over column unit j.

Owns: the class, its constructors and its algebra. Never touches: factorizations, displays.

The algebra of such matrices is that of G. W. Hart, *Multidimensional Analysis: Algebras and
Systems for Science and Engineering*, Springer 1995: m + n units stand for the m times n of the
entries, a product is defined where the inner units cancel, and all of it stays what it is when
any row or column is written in another unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO

from unitjac._quantity import (
    Unit,
    attach_block,
    is_dimensionless,
    is_quantity,
    rescale,
    same_dimension,
    strip,
    unit_product,
    unit_ratio,
    unit_text,
)

from ._axis import Axis
from ._show import as_frame, as_html, as_text


@jax.tree_util.register_pytree_node_class
class UnitMatrix:
    """A matrix of derivatives: entry (i, j) is in row unit i over column unit j.

    Parameters
    ----------
    array : array or BCOO of shape (m, n)
        The magnitudes.
    rows, cols : pytree or Axis
        Trees of arrays or quantities whose leaves, one after the other, the rows and the columns
        belong to; their units are the row units and the column units.

    Raises
    ------
    ValueError
        If the array's shape is not that of the two trees.

    Notes
    -----
    A pytree: the magnitudes are its child, trees and units are static, so that it passes through
    :func:`jax.jit`, :func:`jax.vmap`, :func:`jax.lax.scan` and :func:`jax.grad`.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.linalg import UnitMatrix
    >>> V, I = 1.0 * u.mV, 1.0 * u.nA
    >>> R = UnitMatrix(jnp.array([[2.0]]), rows=V, cols=I)
    >>> R @ (3.0 * u.nA)
    Quantity(6., "mV")
    """

    __slots__ = ("array", "cols", "rows")

    def __init__(self, array: Any, rows: Any, cols: Any):
        self.rows = Axis.of(rows)
        self.cols = Axis.of(cols)
        self.array = array if isinstance(array, BCOO) else jnp.asarray(array)
        if tuple(self.array.shape[-2:]) != (self.rows.size, self.cols.size):
            raise ValueError(
                f"rows and cols have {self.rows.size} and {self.cols.size} entries, but the array "
                f"has shape {tuple(self.array.shape)}."
            )

    # -- trees -------------------------------------------------------------------------------

    def tree_flatten(self) -> tuple[tuple[Any], tuple[Axis, Axis]]:
        """The magnitudes as child; the axes as static data."""
        return (self.array,), (self.rows, self.cols)

    @classmethod
    def tree_unflatten(cls, axes: tuple[Axis, Axis], children: Any) -> UnitMatrix:
        """The inverse of :meth:`tree_flatten`."""
        matrix = object.__new__(cls)
        (matrix.array,) = children
        matrix.rows, matrix.cols = axes
        return matrix

    @classmethod
    def from_blocks(cls, blocks: Any, like_outputs: Any, like_inputs: Any) -> UnitMatrix:
        """The matrix of a tree of blocks, as :func:`unitjac.jacrev` gives it.

        Parameters
        ----------
        blocks : pytree
            The tree of the outputs outside, the tree of the inputs inside.
        like_outputs, like_inputs : pytree
            Trees with the shapes and units of the outputs and of the inputs.

        Raises
        ------
        ValueError
            If a block has another tree, shape or dimension than the two trees say.
        """
        rows, cols = Axis.of(like_outputs), Axis.of(like_inputs)
        given = strip(blocks)
        nested = rows.treedef.compose(cols.treedef)
        if given.treedef != nested:
            raise ValueError(f"blocks must have the tree {nested}, got {given.treedef}.")
        n = len(cols.units)
        table = []
        for i, (m, row_unit) in enumerate(zip(rows.sizes, rows.units, strict=True)):
            line = []
            for j, (k, col_unit) in enumerate(zip(cols.sizes, cols.units, strict=True)):
                magnitude, unit = given.magnitudes[i * n + j], given.units[i * n + j]
                want = unit_ratio(row_unit, col_unit)
                where = f"block ({rows.labels[i]}, {cols.labels[j]})"
                if np.shape(magnitude) != rows.shapes[i] + cols.shapes[j]:
                    raise ValueError(
                        f"{where} must have shape {rows.shapes[i] + cols.shapes[j]}, got "
                        f"{np.shape(magnitude)}."
                    )
                if not same_dimension(unit, want):
                    raise ValueError(
                        f"{where} is in {unit_text(unit)}, but its output over its input is in "
                        f"{unit_text(want)}."
                    )
                line.append(rescale(jnp.reshape(magnitude, (m, k)), unit_ratio(unit, want)))
            table.append(line)
        return cls(_assembled(table, rows.size, cols.size), rows, cols)

    def blocks(self) -> Any:
        """The tree of blocks: outputs outside, inputs inside, a unit on each."""
        array = self.dense
        return self.rows.treedef.unflatten(
            [
                self.cols.treedef.unflatten(
                    [self._block(array, i, j) for j in range(len(self.cols.units))]
                )
                for i in range(len(self.rows.units))
            ]
        )

    def _block(self, array: Any, i: int, j: int) -> Any:
        part = array[self.rows.spans[i], self.cols.spans[j]]
        unit = unit_ratio(self.rows.units[i], self.cols.units[j])
        return attach_block(part.reshape(self.rows.shapes[i] + self.cols.shapes[j]), unit)

    # -- hand-made ones ----------------------------------------------------------------------

    @classmethod
    def from_columns(cls, columns: Sequence[Any], like_inputs: Any) -> UnitMatrix:
        """The matrix whose j-th column is the j-th tree, a derivative by the j-th input.

        Parameters
        ----------
        columns : sequence of pytree
            For each entry of the inputs a tree of derivatives, in output unit / input unit.
        like_inputs : pytree
            A tree with the shapes and units of the inputs.
        """
        cols = Axis.of(like_inputs)
        if len(columns) != cols.size:
            raise ValueError(f"like_inputs has {cols.size} entries, got {len(columns)} columns.")
        units = cols.entry_units
        rows = Axis.of(columns[0]).times(units[0])
        vectors = [
            rows.times(unit_ratio(None, unit)).vector(column, f"column {j}")
            for j, (column, unit) in enumerate(zip(columns, units, strict=True))
        ]
        return cls(jnp.stack(vectors, axis=1), rows, cols)

    @classmethod
    def diag(cls, entries: Any, like_inputs: Any = None) -> UnitMatrix:
        """The diagonal matrix of a tree of entries.

        Parameters
        ----------
        entries : pytree
            What stands on the diagonal.
        like_inputs : pytree, optional
            A tree whose units are those of the columns; the rows are in entry unit times
            column unit. Default: plain columns.
        """
        axis = Axis.of(entries)
        cols = axis.with_units([None] * len(axis.units))
        if like_inputs is not None:
            cols = Axis.of(like_inputs)
            if not cols.lies_like(axis):
                raise ValueError(
                    f"like_inputs must have the leaves of the entries, of shapes {axis.shapes}, "
                    f"got {cols.shapes}."
                )
        pairs = zip(axis.units, cols.units, strict=True)
        rows = axis.with_units([unit_product(entry, col) for entry, col in pairs])
        return cls(jnp.diag(axis.vector(entries)), rows, cols)

    @classmethod
    def identity(cls, like: Any, dtype: Any = None) -> UnitMatrix:
        """The identity on trees like ``like``."""
        axis = Axis.of(like)
        return cls(jnp.eye(axis.size, dtype=dtype), axis, axis)

    # -- parts and forms ---------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns."""
        return self.rows.size, self.cols.size

    @property
    def dtype(self) -> Any:
        """Dtype of the magnitudes."""
        return self.array.dtype

    @property
    def is_sparse(self) -> bool:
        """Whether the magnitudes are a BCOO."""
        return isinstance(self.array, BCOO)

    @property
    def T(self) -> UnitMatrix:
        """The transpose: entry (j, i) in the unit that (i, j) had."""
        return UnitMatrix(self.array.T, self.cols.inverse(), self.rows.inverse())

    @property
    def dense(self) -> jax.Array:
        """The magnitudes as one dense array."""
        return self.array.todense() if isinstance(self.array, BCOO) else self.array

    def todense(self) -> UnitMatrix:
        """The same matrix, its magnitudes one dense array."""
        return UnitMatrix(self.dense, self.rows, self.cols)

    def unit_of(self, i: int, j: int) -> Unit:
        """The unit of the block of output leaf i and input leaf j."""
        return unit_ratio(self.rows.units[i], self.cols.units[j])

    def to(self, rows: Any = None, cols: Any = None) -> UnitMatrix:
        """The same matrix written in other units.

        Parameters
        ----------
        rows, cols : unit, str, or pytree of them, optional
            One for all leaves, or one for each, of the dimension that is there.

        Raises
        ------
        ValueError
            If a unit has another dimension; the leaf is named.
        """
        new_rows = self.rows if rows is None else self.rows.in_units(rows)
        new_cols = self.cols if cols is None else self.cols.in_units(cols)
        for old, new, name in ((self.rows, new_rows, "row"), (self.cols, new_cols, "column")):
            _check_dimensions(old, new, name)
        up = self.rows.factors(new_rows.units)
        down = new_cols.factors(self.cols.units)
        return UnitMatrix(scaled(self.array, up, down), new_rows, new_cols)

    def scaled(self, rows: Any, cols: Any) -> Any:
        """The plain matrix of the outputs in parts of ``rows`` by the inputs in parts of ``cols``.

        Entry (i, j) is the entry here, times the typical input j, over the typical output i. On
        this matrix singular values, norms and condition numbers mean something.

        Parameters
        ----------
        rows, cols : pytree
            Typical outputs and inputs: trees like those of the rows and of the columns.

        Returns
        -------
        array of shape (m, n)
        """
        typical_rows = self.rows.vector(rows, "the typical outputs")
        typical_cols = self.cols.vector(cols, "the typical inputs")
        return self.dense * typical_cols / typical_rows[:, None]

    def std(self) -> Any:
        """The standard deviations that a covariance has, as a tree in the rows' units.

        Raises
        ------
        ValueError
            If this is no covariance: entry (i, j) in unit i times unit j.
        """
        return self.rows.tree(jnp.sqrt(jnp.diagonal(self._as_covariance())))

    def correlation(self) -> UnitMatrix:
        """The correlations that a covariance has: plain numbers with the labels of this matrix.

        nan where an entry does not vary.

        Raises
        ------
        ValueError
            If this is no covariance: entry (i, j) in unit i times unit j.
        """
        array = self._as_covariance()
        d = jnp.sqrt(jnp.diagonal(array))
        plain = self.rows.with_units([None] * len(self.rows.units))
        return UnitMatrix(array / d / d[:, None], plain, plain)

    def _as_covariance(self) -> Any:
        pattern = UnitMatrix(jnp.zeros(self.shape), self.rows, self.rows.inverse())
        return like(self, pattern).dense

    def __getitem__(self, index: Any) -> Any:
        if not (isinstance(index, tuple) and len(index) == 2):
            raise TypeError(
                f"a matrix wants two indices, got {index!r}. Write J[row, column], each a key of "
                "the tree, a tuple of keys, an int, or a slice."
            )
        i, j = index
        rows, at_rows = self.rows.take(i)
        cols, at_cols = self.cols.take(j)
        part = self.dense[np.ix_(at_rows, at_cols)]
        single = self.rows.is_leaf(i) and self.cols.is_leaf(j)
        if single or (isinstance(i, int) and isinstance(j, int)):
            shape = rows.shapes[0] + cols.shapes[0] if single else ()
            return attach_block(part.reshape(shape), unit_ratio(rows.units[0], cols.units[0]))
        return UnitMatrix(part, rows, cols)

    # -- algebra -----------------------------------------------------------------------------

    def __matmul__(self, other: Any) -> Any:
        """The product with another matrix, or with a tree in the columns' dimensions."""
        if isinstance(other, UnitMatrix):
            return _product(self, other)
        return self.rows.tree(self.array @ self.cols.vector(other))

    def __neg__(self) -> UnitMatrix:
        return UnitMatrix(-self.array, self.rows, self.cols)

    def __add__(self, other: Any) -> UnitMatrix:
        if not isinstance(other, UnitMatrix):
            return NotImplemented
        return UnitMatrix(self.array + like(other, self).array, self.rows, self.cols)

    def __sub__(self, other: Any) -> UnitMatrix:
        if not isinstance(other, UnitMatrix):
            return NotImplemented
        return self + (-other)

    def __mul__(self, factor: Any) -> UnitMatrix:
        """The product with a number or a scalar quantity."""
        if isinstance(factor, UnitMatrix):
            raise TypeError("the product of two matrices is written A @ B.")
        if np.shape(factor.mantissa if is_quantity(factor) else factor) != ():
            raise ValueError(
                "a matrix can be multiplied by a number or a scalar quantity. For a diagonal "
                "matrix write UnitMatrix.diag(entries) @ A."
            )
        stripped = strip(factor)
        magnitude, unit = stripped.magnitudes[0], stripped.units[0]
        rows = self.rows if is_dimensionless(unit) else self.rows.times(unit)
        magnitude = rescale(magnitude, unit) if unit and is_dimensionless(unit) else magnitude
        return UnitMatrix(self.array * magnitude, rows, self.cols)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> UnitMatrix:
        return self * (1 / divisor)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def to_pandas(self) -> Any:
        """A data frame of magnitudes, its rows and columns labelled with names and units.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return as_frame(self)


def like(matrix: UnitMatrix, pattern: UnitMatrix) -> UnitMatrix:
    """``matrix`` in the units of ``pattern``, whose entries have the same dimensions.

    Raises
    ------
    ValueError
        If a block has another shape or dimension.
    """
    if not (matrix.rows.lies_like(pattern.rows) and matrix.cols.lies_like(pattern.cols)):
        raise ValueError(
            f"the matrices have other leaves: {matrix.rows.shapes} by {matrix.cols.shapes}, and "
            f"{pattern.rows.shapes} by {pattern.cols.shapes}."
        )
    for i, row in enumerate(pattern.rows.labels):
        for j, col in enumerate(pattern.cols.labels):
            mine, theirs = matrix.unit_of(i, j), pattern.unit_of(i, j)
            if not same_dimension(mine, theirs):
                raise ValueError(
                    f"block ({row}, {col}) is in {unit_text(mine)}, expected {unit_text(theirs)} "
                    "or another unit of its dimension."
                )
    # entry units agree up to scale; the rows' and columns' own units may differ by one common
    # unit, which is taken out here
    gauge = unit_ratio(pattern.cols.units[0], matrix.cols.units[0]) if pattern.cols.units else None
    rows, cols = matrix.rows.times(gauge), matrix.cols.times(gauge)
    up = rows.factors(pattern.rows.units)
    down = pattern.cols.factors(cols.units)
    return UnitMatrix(scaled(matrix.array, up, down), pattern.rows, pattern.cols)


def scaled(array: Any, up: np.ndarray, down: np.ndarray) -> Any:
    """``array`` with its rows multiplied by ``up`` and its columns by ``down``."""
    if np.all(up == 1) and np.all(down == 1):
        return array
    if isinstance(array, BCOO):
        i, j = array.indices[..., 0], array.indices[..., 1]
        factor = jnp.asarray(up, array.dtype)[i] * jnp.asarray(down, array.dtype)[j]
        return BCOO((array.data * factor, array.indices), shape=array.shape)
    return array * jnp.asarray(up, array.dtype)[:, None] * jnp.asarray(down, array.dtype)


def _product(left: UnitMatrix, right: UnitMatrix) -> UnitMatrix:
    inner, outer = left.cols, right.rows
    if not inner.lies_like(outer):
        raise ValueError(
            f"the left matrix has columns of shapes {inner.shapes} ({', '.join(inner.labels)}), "
            f"the right one rows of shapes {outer.shapes} ({', '.join(outer.labels)})."
        )
    ratios = [unit_ratio(r, c) for r, c in zip(outer.units, inner.units, strict=True)]
    for k, ratio in enumerate(ratios):
        if not same_dimension(ratio, ratios[0]):
            raise ValueError(
                f"the inner units do not cancel: leaf {outer.labels[k]!r} of the right matrix's "
                f"rows is in {unit_text(outer.units[k])}, expected "
                f"{unit_text(unit_product(ratios[0], inner.units[k]))} or another unit of its "
                f"dimension, as the left matrix's column {inner.labels[k]!r} is in "
                f"{unit_text(inner.units[k])}."
            )
    common = ratios[0] if ratios else None
    array = right.array
    if ratios:
        up = np.repeat([unit_ratio(r, common).magnitude for r in ratios], outer.sizes)
        array = scaled(array, up, np.ones(right.cols.size))
    rows = left.rows.times(common) if common is not None else left.rows
    return UnitMatrix(left.array @ array, rows, right.cols)


def _check_dimensions(old: Axis, new: Axis, name: str) -> None:
    for label, mine, theirs in zip(old.labels, old.units, new.units, strict=True):
        if not same_dimension(mine, theirs):
            raise ValueError(
                f"{name} {label!r} is in {unit_text(mine)} and cannot be written in "
                f"{unit_text(theirs)}, which has another dimension."
            )


def _assembled(table: list[list[Any]], m: int, n: int) -> Any:
    if not m or not n:
        return jnp.zeros((m, n))
    return jnp.concatenate([jnp.concatenate(line, axis=1) for line in table], axis=0)
