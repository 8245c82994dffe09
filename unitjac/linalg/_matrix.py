"""``UnitMatrix``: a matrix whose entry (i, j) is in row unit i over column unit j.

Owns: the class, its constructors and its algebra. Never touches: factorizations, text.

The algebra of such matrices is that of G. W. Hart, *Multidimensional Analysis: Algebras and
Systems for Science and Engineering*, Springer 1995: m + n units stand for the m times n of the
entries, a product is defined where the inner units cancel, and all of it stays what it is when
any row or column is written in another unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from brainunit.sparse import SparseMatrix
from jax.experimental.sparse import BCOO

from unitjac import _typed
from unitjac._display import Displayed, Report
from unitjac._errors import array_text, is_arraylike
from unitjac._foreign import refuse_foreign
from unitjac._transforms.arguments import select
from unitjac._units.quantity import (
    Unit,
    attach_block,
    is_dimensionless,
    is_quantity,
    rescale,
    unit_product,
    unit_ratio,
)
from unitjac._units.unit_text import unit_text

from ._axis import Axis, inexact
from ._blocks import Part, cut, joined, parts_of
from ._dtypes import together
from ._entries import as_entries, dense, diagonal, part, scaled
from ._form import check_dimensions, in_order, mirrored, rewritten
from ._inherited import Absent, Hiding, shown
from ._show import as_frame, described, described_in_full
from ._unit_algebra import common_unit, odd_one, product


@jax.tree_util.register_pytree_node_class
# a quantity hands ``q * A`` to such an A, to no other class
class UnitMatrix(Displayed, SparseMatrix, metaclass=Hiding):
    """A matrix of derivatives: entry (i, j) is in row unit i over column unit j.

    Parameters
    ----------
    array : array or BCOO of shape (m, n)
        The magnitudes. Whole numbers become floating ones.
    rows, cols : pytree or Axis
        Trees of arrays or quantities whose leaves, one after the other, the rows and the columns
        belong to; their units are the row units and the column units.

    Attributes
    ----------
    rows, cols : Axis
        The leaves along the rows and along the columns: trees, shapes, units, labels.
    shape : tuple of int
        How many rows and columns.

    Raises
    ------
    TypeError
        If a leaf of the trees is no array, number or quantity.
    ValueError
        If the array is not of two dimensions, or not of the two trees' sizes.

    Notes
    -----
    A pytree: the magnitudes are its child, trees and units are static, so that it passes through
    :func:`jax.jit`, :func:`jax.vmap`, :func:`jax.lax.scan` and :func:`jax.grad`. What
    :func:`jax.vmap` gives back is a batch of matrices, which is worked on under
    :func:`jax.vmap` again.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.linalg import UnitMatrix
    >>> V, I = 1.0 * u.mV, 1.0 * u.nA
    >>> R = UnitMatrix(jnp.array([[2.0]]), rows=V, cols=I)
    >>> R @ (3.0 * u.nA)
    Quantity(6., "mV")
    """

    __slots__ = ("_array", "cols", "rows", "shape")

    # Python would else count J[0], J[1], ..., which are no parts of a matrix
    __iter__ = None

    # what the base class has and cannot do
    sum: Any = Absent("A.scaled(rows=typical_outputs, cols=typical_inputs).sum()")
    transpose: Any = Absent("A.T")
    with_data: Any = Absent("UnitMatrix(array, A.rows, A.cols)")
    yw_to_w: Any = Absent("A.dense for the magnitudes")

    def __dir__(self) -> list[str]:
        return shown(type(self), super().__dir__())

    def __init__(self, array: Any, rows: Any, cols: Any):
        self.rows: Axis = Axis.of(rows)
        self.cols: Axis = Axis.of(cols)
        self.shape: tuple[int, int] = (self.rows.size, self.cols.size)
        self._array = as_entries(array)
        if tuple(self._array.shape) != self.shape:
            raise ValueError(
                f"rows and cols have {self.rows.size} and {self.cols.size} entries, but the array "
                f"has shape {tuple(self._array.shape)}."
            )

    # -- trees -------------------------------------------------------------------------------

    def tree_flatten(self) -> tuple[tuple[Any], tuple[Axis, Axis]]:
        """The magnitudes as child; the axes as static data."""
        return (self._array,), (self.rows, self.cols)

    @classmethod
    def tree_unflatten(cls, aux_data: tuple[Axis, Axis], children: Any) -> UnitMatrix:
        """The inverse of :meth:`tree_flatten`."""
        matrix = object.__new__(cls)
        (matrix._array,) = children
        matrix.rows, matrix.cols = aux_data
        matrix.shape = matrix.rows.size, matrix.cols.size
        return matrix

    @classmethod
    def from_blocks(
        cls, blocks: Any, like_outputs: Any, like_inputs: Any = None, *, grad_states: Any = None
    ) -> UnitMatrix:
        """The matrix of a tree of blocks, as :func:`unitjac.jacrev` gives it.

        Parameters
        ----------
        blocks : pytree
            By arguments ``J[output][input]``: the tree of the outputs outside, that of the inputs
            inside. By states ``J[state][output]``: ``grad_states`` outside, then the outputs, then
            the state's value. By both the pair of these.
        like_outputs, like_inputs : pytree
            Trees with the shapes and units of the outputs and of the inputs.
        grad_states : State, or list, tuple or dict of State, optional
            As it was given to the transform. The columns are the values that they have now; with
            ``like_inputs`` the pair of states and arguments, as in :func:`jacobian_matrix`.

        Raises
        ------
        ValueError
            If a block has another tree, shape or dimension than the trees say.
        TypeError
            If a block is of dtype ``float0``, as blocks by whole numbers are, or neither
            ``like_inputs`` nor ``grad_states`` is given.
        """
        rows = Axis.of(like_outputs)
        if grad_states is None:
            if like_inputs is None:
                raise TypeError(
                    "from_blocks wants a tree like the inputs, or grad_states. Write "
                    "UnitMatrix.from_blocks(blocks, outputs, inputs)."
                )
            cols = Axis.of(like_inputs)
            return cls(joined([Part(blocks, cols.treedef)], rows, cols), rows, cols)
        selection = select(grad_states, None if like_inputs is None else 0)
        values = selection.state_structure.unflatten([state.value for state in selection.states])
        cols = Axis.of(selection.pair(values, like_inputs))
        return cls(joined(parts_of(blocks, like_inputs, selection), rows, cols), rows, cols)

    def blocks(self) -> Any:
        """The tree of blocks: outputs outside, inputs inside, a unit on each."""
        return cut(self.dense, self.rows, self.cols)

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
        if not columns or len(columns) != cols.size:
            raise ValueError(
                f"one column for each of the {cols.size} entries of like_inputs, and at least one, "
                f"was expected, got {len(columns)}."
            )
        units = cols.entry_units
        rows = Axis.of(columns[0])
        rows = rows.with_units([product(unit, units[0]) for unit in rows.units])
        vectors = [
            rows.times(unit_ratio(None, unit)).to_vector(column, f"column {j}")
            for j, (column, unit) in enumerate(zip(columns, units, strict=True))
        ]
        return cls(jnp.stack(together(*vectors), axis=1), rows, cols)

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
            like = Axis.of(like_inputs)
            order = axis.order_of(like, "the entries", "like_inputs")
            cols = axis.with_units([like.units[k] for k in order])
        pairs = zip(axis.units, cols.units, strict=True)
        rows = axis.with_units([product(entry, col) for entry, col in pairs])
        return cls(jnp.diag(axis.to_vector(entries)), rows, cols)

    @classmethod
    def identity(cls, like: Any, dtype: Any = None) -> UnitMatrix:
        """The identity on trees like ``like``."""
        axis = Axis.of(like)
        return cls(jnp.eye(axis.size, dtype=dtype), axis, axis)

    # -- parts and forms ---------------------------------------------------------------------

    @property
    def array(self) -> Any:
        """The magnitudes.

        Raises
        ------
        ValueError
            If these are those of a batch of matrices.
        """
        if getattr(self._array, "ndim", 2) != 2:
            raise ValueError(
                f"this is a batch of matrices {self.shape}, with an array of shape "
                f"{tuple(self._array.shape)}. Work on it under jax.vmap."
            )
        return self._array

    @property
    def dtype(self) -> Any:
        """Dtype of the magnitudes."""
        return self._array.dtype

    @property
    def is_sparse(self) -> bool:
        """Whether the magnitudes are a BCOO."""
        return isinstance(self._array, BCOO)

    @property
    def T(self) -> UnitMatrix:
        """The transpose: entry (j, i) in the unit that (i, j) had."""
        return UnitMatrix(self.array.T, self.cols.inverse(), self.rows.inverse())

    @property
    def dense(self) -> jax.Array:
        """The magnitudes as one dense array."""
        return dense(self.array)

    def todense(self) -> UnitMatrix:
        """The same matrix, its magnitudes one dense array."""
        return UnitMatrix(self.dense, self.rows, self.cols)

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
            check_dimensions(old, new, name)
        return UnitMatrix(rewritten(self, new_rows, new_cols), new_rows, new_cols)

    def scaled(self, rows: Any, cols: Any) -> Any:
        """The plain matrix of the outputs in parts of ``rows`` by the inputs in parts of ``cols``.

        Entry (i, j) is the entry here, times the typical input j, over the typical output i. On
        this matrix singular values, norms and condition numbers mean something. A BCOO is made
        dense.

        Parameters
        ----------
        rows, cols : pytree
            Typical outputs and inputs: trees like those of the rows and of the columns.

        Returns
        -------
        array of shape (m, n)
        """
        typical_rows = self.rows.to_vector(rows, "the typical outputs")
        typical_cols = self.cols.to_vector(cols, "the typical inputs")
        return scaled(self.dense, 1 / typical_rows, typical_cols)

    def std(self) -> Any:
        """The standard deviations that a covariance has, as a tree like the rows.

        Raises
        ------
        ValueError
            If the units do not mirror, as those of a covariance do.
        """
        array, root, *_ = mirrored(self)
        return root.to_tree(jnp.sqrt(diagonal(array)))

    def correlation(self) -> UnitMatrix:
        """The correlations that a covariance has: plain numbers with the labels of this matrix.

        nan where an entry does not vary. A BCOO is made dense.

        Raises
        ------
        ValueError
            If the units do not mirror, as those of a covariance do.
        """
        array, root, *_ = mirrored(self)
        std = jnp.sqrt(diagonal(array))
        plain = root.with_units([None] * len(root.units))
        return UnitMatrix(dense(array) / std[None, :] / std[:, None], plain, plain)

    def __getitem__(self, index: Any) -> Any:
        """A block by two keys, a part by slices and the like.

        ``J[row, column]``: each a key or a tuple of keys of the tree, an int, a slice, or an array
        of ints. Two leaves or ints give a quantity or an array, all else a matrix. A BCOO stays
        one for what has no gaps.
        """
        if not (_typed.is_a(index, tuple) and len(index) == 2):
            raise TypeError(
                f"a matrix wants two indices, got {index!r}. Write J[row, column], each a key of "
                "the tree, a tuple of keys, an int, a slice, or an array of ints."
            )
        rows, at_rows = self.rows.take(index[0], "row")
        cols, at_cols = self.cols.take(index[1], "column")
        found = part(self.array, at_rows, at_cols)
        if rows.is_leaf and cols.is_leaf and not any(isinstance(i, slice) for i in index):
            block = dense(found).reshape(rows.shapes[0] + cols.shapes[0])
            return attach_block(block, unit_ratio(rows.units[0], cols.units[0]))
        return UnitMatrix(found, rows, cols)

    # -- algebra -----------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        """Refused: an array of NumPy would lose the units without a word."""
        raise TypeError(
            f"a matrix {self.shape} with units is no plain array. Its magnitudes are A.dense, its "
            "blocks A.blocks(), and A.scaled(rows=typical_outputs, cols=typical_inputs) is plain."
        )

    def __matmul__(self, other: Any) -> Any:
        """The product with another matrix, or with a tree in the columns' dimensions."""
        if isinstance(other, UnitMatrix):
            return _product(self, other)
        array, vector = together(self.array, self.cols.to_vector(other))
        return self.rows.to_tree(array @ vector)

    def __rmatmul__(self, other: Any) -> Any:
        raise TypeError("a tree stands on the right of a matrix, A @ x. For x A write A.T @ x.")

    def __floordiv__(self, other: Any) -> Any:
        return NotImplemented

    def __rfloordiv__(self, other: Any) -> Any:
        return NotImplemented

    def __mod__(self, other: Any) -> Any:
        return NotImplemented

    def __rmod__(self, other: Any) -> Any:
        return NotImplemented

    def __abs__(self) -> UnitMatrix:
        """The absolute value of each entry. A BCOO is made dense."""
        return UnitMatrix(abs(self.dense), self.rows, self.cols)

    def __pos__(self) -> UnitMatrix:
        return self

    def __neg__(self) -> UnitMatrix:
        return UnitMatrix(-self.array, self.rows, self.cols)

    def __add__(self, other: Any) -> UnitMatrix:
        """The sum with a matrix whose entries have the same dimensions."""
        if not isinstance(other, UnitMatrix):
            raise TypeError(f"only a UnitMatrix adds to a UnitMatrix, got {array_text(other)}.")
        one, two = together(self.array, rewritten(other, self.rows, self.cols))
        return UnitMatrix(one + two, self.rows, self.cols)

    def __radd__(self, other: Any) -> UnitMatrix:
        return self + other

    def __sub__(self, other: Any) -> UnitMatrix:
        """The difference from a matrix whose entries have the same dimensions."""
        return self + (-other)

    def __rsub__(self, other: Any) -> UnitMatrix:
        return -self + other

    def __mul__(self, other: Any) -> UnitMatrix:
        """The product with a number or a scalar quantity."""
        if isinstance(other, UnitMatrix):
            raise TypeError("the product of two matrices is written A @ B.")
        return self._times(*_scalar(other))

    def __rmul__(self, other: Any) -> UnitMatrix:
        return self * other

    def __truediv__(self, other: Any) -> UnitMatrix:
        """The quotient by a number or a scalar quantity."""
        if isinstance(other, UnitMatrix):
            raise TypeError("a matrix cannot be divided by a matrix. Write A @ inv(B).")
        magnitude, unit = _scalar(other)
        return self._times(1 / magnitude, unit_ratio(None, unit))

    def __rtruediv__(self, other: Any) -> UnitMatrix:
        raise TypeError("nothing can be divided by a matrix. Its inverse is inv(A).")

    def _times(self, magnitude: Any, unit: Unit | None) -> UnitMatrix:
        if is_dimensionless(unit):
            magnitude, unit = rescale(magnitude, unit_product(unit, None)), None
        array, magnitude = together(self.array, magnitude)
        return UnitMatrix(array * magnitude, self.rows.times(unit), self.cols)

    def __repr__(self) -> str:
        return self.to_text()

    def report(self) -> Report:
        """The description that all ways of showing the matrix share.

        Of a large matrix it has the blocks, a picture of the sizes, and the first numbers.
        """
        return described(self._array, self.rows, self.cols)

    def full_report(self) -> Report:
        """The same with all numbers; of a sparse matrix those that are stored."""
        return described_in_full(self.array, self.rows, self.cols)

    def to_pandas(self) -> Any:
        """A data frame of magnitudes, its rows and columns labelled with names and units.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return as_frame(self.array, self.rows, self.cols)


def _product(left: UnitMatrix, right: UnitMatrix) -> UnitMatrix:
    inner = left.cols
    names = "the right matrix's rows", "the left matrix's columns"
    right_array, outer, _ = in_order(right.array, right.rows, inner, 0, *names)
    ratios = [unit_ratio(r, c) for r, c in zip(outer.units, inner.units, strict=True)]
    k = odd_one(ratios)
    if k is not None:
        over = (
            ""
            if is_dimensionless(ratios[0])
            else (
                f" times {unit_text(ratios[0])}, which is left over from leaf {outer.labels[0]!r}"
            )
        )
        raise ValueError(
            f"the inner units do not cancel: leaf {outer.labels[k]!r} of the right matrix's rows "
            f"is in {unit_text(outer.units[k])}, expected the dimension of the left matrix's "
            f"column {inner.labels[k]!r}, {unit_text(inner.units[k])}{over}."
        )
    common = common_unit(ratios)
    up = outer.spread([unit_ratio(ratio, common).magnitude for ratio in ratios])
    one, two = together(left.array, scaled(right_array, up, np.ones(right.cols.size)))
    return UnitMatrix(one @ two, left.rows.times(common), right.cols)


def _scalar(factor: Any) -> tuple[Any, Unit | None]:
    """Magnitude and unit of a number or a scalar quantity."""
    magnitude, unit = (factor.mantissa, factor.unit) if is_quantity(factor) else (factor, None)
    refuse_foreign(magnitude, "the factor of a matrix")
    if not is_arraylike(magnitude) or np.shape(magnitude) != ():
        raise TypeError(
            "a matrix can be multiplied or divided by a number or a scalar quantity, got "
            f"{array_text(magnitude)}. For a diagonal matrix write UnitMatrix.diag(entries) @ A."
        )
    return inexact(magnitude), unit
