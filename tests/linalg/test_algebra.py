"""The algebra of matrices with units: its laws for random units and leaves, its errors."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import both_precisions, is_quantity
from hypothesis import strategies as st

from linalg.matrices import (
    Leaves,
    assert_numbers,
    exponents,
    leaves,
    matrix,
    numbers_of,
    numbers_of_tree,
    property_test,
    seeds,
    vector,
    well_conditioned,
    written,
)
from unitjac.linalg import UnitMatrix

V, G, PLAIN = u.mV, u.parse_unit("mS/cm^2"), None
ROWS = Leaves(((2,), ()), (V, PLAIN))
COLS = Leaves(((), (2,)), (G, u.ms))
A = np.arange(9.0).reshape(3, 3) + np.eye(3)
UNITS = st.sampled_from(["mV", "nA", "1", "ms"]).map(u.parse_unit)


@both_precisions
def test_product_with_a_tree_is_the_linear_map(x64):
    with jax.enable_x64(x64):
        dx = {"x0": 0.5 * G, "x1": jnp.array([2.0, -1.0]) * u.ms}
        found = matrix(A, ROWS, COLS) @ dx
        # rows of A times (0.5, 2, -1)
        assert found["x0"].unit == V
        assert_numbers(found["x0"].mantissa, [0.5 * 1 + 2 * 1 - 2, 0.5 * 3 + 2 * 5 - 5])
        assert not is_quantity(found["x1"])
        assert_numbers(found["x1"], 0.5 * 6 + 2 * 7 - 9)


def test_a_tree_in_another_unit_of_the_dimension_is_the_same_tree():
    J = matrix(A, ROWS, COLS)
    dx = {"x0": 0.05 * u.parse_unit("S/m^2"), "x1": jnp.array([0.002, -0.001]) * u.second}
    same = {"x0": 0.005 * G, "x1": jnp.array([2.0, -1.0]) * u.ms}
    assert_numbers(numbers_of_tree(J @ dx, ROWS), numbers_of_tree(J @ same, ROWS), 1e-6)


def test_whole_numbers_are_scaled_as_others_are():
    J = UnitMatrix(np.array([[2]]), rows=1 * u.volt, cols=1 * u.ampere)
    assert J.to(rows=u.mV, cols=u.nA).array[0, 0] == pytest.approx(2e-6)
    found = J @ u.Quantity(jnp.array(3), unit=u.nA)
    assert float(found.to_decimal(u.nvolt)) == pytest.approx(6.0)


@property_test(40, rows=leaves(), inner=leaves(), cols=leaves(), seed=seeds, other=exponents())
def test_product_of_two_matrices(rows, inner, cols, seed, other):
    """Entry by entry the sum over the inner index, whatever units the inner side is written in."""
    left, right = well_conditioned(seed), well_conditioned(seed + 1)
    shifted = inner.rewritten(other)
    with jax.enable_x64(True):
        B = written(right, inner, cols, shifted, cols)
        found = matrix(left, rows, inner) @ B
        assert_numbers(numbers_of(found, rows, cols), left @ right)
        assert found.rows.units == rows.units, "rows stay in the units that the left matrix has"


@property_test(25, outer=leaves(), one=leaves(), two=leaves(), other=leaves(), seed=seeds)
def test_products_associate(outer, one, two, other, seed):
    a, b, c = (well_conditioned(seed + k) for k in range(3))
    with jax.enable_x64(True):
        A, B, C = matrix(a, outer, one), matrix(b, one, two), matrix(c, two, other)
        assert_numbers(numbers_of((A @ B) @ C, outer, other), a @ b @ c)
        assert_numbers(numbers_of(A @ (B @ C), outer, other), a @ b @ c)
        x = other.tree(vector(seed))
        expected = numbers_of_tree((A @ B @ C) @ x, outer)
        assert_numbers(numbers_of_tree(A @ (B @ (C @ x)), outer), expected)


@property_test(25, rows=leaves(), inner=leaves(), cols=leaves(), seed=seeds, common=UNITS)
def test_transpose_of_a_product(rows, inner, cols, seed, common):
    """(A B).T is B.T A.T, also where the inner units cancel up to a common one."""
    a, b = well_conditioned(seed), well_conditioned(seed + 1)
    with jax.enable_x64(True):
        A, B = matrix(a, rows, inner), matrix(b, inner.times(common), cols)
        product = rows.times(common)
        assert_numbers(numbers_of((A @ B).T, cols.inverse(), product.inverse()), (a @ b).T)
        assert_numbers(numbers_of(B.T @ A.T, cols.inverse(), product.inverse()), (a @ b).T)
        assert_numbers(numbers_of(A.T.T, rows, inner), a)


@property_test(25, rows=leaves(), cols=leaves(), seed=seeds, one=exponents(), common=UNITS)
def test_sums(rows, cols, seed, one, common):
    """Matrices add where their entries do, in whatever units rows and columns are written."""
    a, b = well_conditioned(seed), well_conditioned(seed + 1)
    other_rows, other_cols = rows.times(common).rewritten(one), cols.times(common).rewritten(one)
    with jax.enable_x64(True):
        A = matrix(a, rows, cols)
        B = written(b, rows.times(common), cols.times(common), other_rows, other_cols)
        assert_numbers(numbers_of(A + B, rows, cols), a + b)
        assert_numbers(numbers_of(B + A, rows, cols), a + b)
        assert_numbers(numbers_of(A - B, rows, cols), a - b)
        assert_numbers(numbers_of(-A, rows, cols), -a)
        assert (A + B).rows == A.rows, "the sum is in the units of the first"


SCALARS = {
    "number": (2.0, u.UNITLESS),
    "int": (2, u.UNITLESS),
    "numpy": (np.float64(2.0), u.UNITLESS),
    "array": (jnp.array(2.0), u.UNITLESS),
    "quantity": (2.0 * u.nA, u.nA),
    "int quantity": (u.Quantity(jnp.array(2), unit=u.nA), u.nA),
    "ratio": (u.Quantity(2000, unit=u.mV / u.volt), u.UNITLESS),
}


@pytest.mark.parametrize("name", SCALARS)
def test_scalars(name):
    factor, unit = SCALARS[name]
    J = matrix(A, ROWS, COLS)
    for found in (J * factor, factor * J):
        assert isinstance(found, UnitMatrix)
        assert_numbers(numbers_of(found, ROWS.times(unit), COLS), 2 * A, 1e-6)
    assert_numbers(numbers_of(J / factor, ROWS.times(unit**-1), COLS), A / 2, 1e-6)


def test_a_scalar_in_percent_is_no_new_unit():
    J = matrix(A, ROWS, COLS)
    assert (J * u.Quantity(3.0, unit=u.mV / u.volt)).rows == J.rows


def test_plain_leaves_stay_plain():
    """What had no unit gets none by being transposed, multiplied or inverted twice."""
    J, K = matrix(A, ROWS, COLS), matrix(A, COLS, ROWS)
    for found in (J.T.T, J @ K @ J, 2.0 * J, J + J, UnitMatrix.diag(ROWS.tree())):
        assert found.rows.units == ROWS.units
    x = COLS.tree()
    assert not is_quantity((J.T.T @ x)["x1"])
    assert not is_quantity((J @ K @ J @ x)["x1"])
    assert J.T.T.rows == J.rows
    assert J.T.T.cols == J.cols


def test_inner_units_that_do_not_cancel():
    left = matrix(A, ROWS, COLS)
    text = (
        r"the inner units do not cancel: leaf 'x1' of the right matrix's rows is in ms\^2, "
        r"expected the dimension of the left matrix's column 'x1', ms\."
    )
    with pytest.raises(ValueError, match=text):
        left @ matrix(A, Leaves(COLS.shapes, (G, u.ms**2)), ROWS)
    text = (
        r"leaf 'x1' of the right matrix's rows is in ms, expected the dimension of the left "
        r"matrix's column 'x1', ms times mV, which is left over from leaf 'x0'\."
    )
    with pytest.raises(ValueError, match=text):
        left @ matrix(A, Leaves(COLS.shapes, (G * u.mV, u.ms)), ROWS)


def test_other_leaves_are_refused():
    J = matrix(A, ROWS, COLS)
    text = (
        r"the left matrix's columns and the right matrix's rows have one shape for each leaf, but "
        r"leaf x0 has \(\) in the first and \(2,\) in the second\."
    )
    with pytest.raises(ValueError, match=text):
        J @ J
    with pytest.raises(ValueError, match=r"the first matrix's rows and the second matrix's rows h"):
        J + matrix(A, COLS, ROWS)


def test_entries_of_another_dimension_cannot_be_added():
    J = matrix(A, ROWS, COLS)
    by_row = matrix(A, Leaves(ROWS.shapes, (V, u.nA)), COLS)
    text = r"block \(x1, x0\) is in .*, expected .* or another unit of its dimension\."
    with pytest.raises(ValueError, match=text):
        J + by_row
    by_column = matrix(A, ROWS, Leaves(COLS.shapes, (G, u.mV)))
    with pytest.raises(ValueError, match=r"block \(x0, x1\) is in 1, expected mV/ms or another"):
        J + by_column
    first = matrix(A, Leaves(ROWS.shapes, (V * u.ms, PLAIN)), COLS)
    with pytest.raises(ValueError, match=r"block \(x0, x0\) is in .* expected .* or another unit"):
        J - first


def test_trees_that_do_not_fit():
    J = matrix(A, ROWS, COLS)
    text = (
        r"the vector must have the tree PyTreeDef.*, got PyTree.*\. Give one array, number or "
        r"quantity for each leaf\."
    )
    with pytest.raises(ValueError, match=text):
        J @ [1.0, 2.0]
    with pytest.raises(ValueError, match=r"leaf x1, must have shape \(2,\), got \(3,\)\."):
        J @ {"x0": 1.0 * G, "x1": jnp.ones(3) * u.ms}
    text = r"the vector, leaf x1, is in mV, but must be in ms or another unit of its dimension\."
    with pytest.raises(ValueError, match=text):
        J @ {"x0": 1.0 * G, "x1": jnp.ones(2) * u.mV}


@pytest.mark.parametrize("factor", ["2", None, [1.0], np.ones(2), jnp.ones(3) * u.mV, {"a": 1.0}])
def test_only_scalars_multiply(factor):
    J = matrix(A, ROWS, COLS)
    for operation in (lambda: J * factor, lambda: J / factor):
        with pytest.raises(TypeError, match=r"multiplied or divided by a number or a scalar quan"):
            operation()


def test_what_has_another_notation():
    J = matrix(A, ROWS, COLS)
    refused = {
        r"the product of two matrices is written A @ B": lambda: J * J,
        r"a matrix cannot be divided by a matrix\. Write A @ inv": lambda: J / J,
        r"nothing can be divided by a matrix\. Its inverse is": lambda: 1.0 / J,
        r"a tree stands on the right of a matrix, A @ x": lambda: ROWS.tree() @ J,
        r"a tree stands on the right of a matrix, A @ x\. For": lambda: (1.0 * u.mV) @ J,
    }
    for text, operation in refused.items():
        with pytest.raises(TypeError, match=text):
            operation()


@pytest.mark.parametrize("other", [1.0, np.ones((3, 3)), jnp.ones((3, 3)), 1.0 * u.mV])
def test_a_matrix_adds_to_matrices_only(other):
    J = matrix(A, ROWS, COLS)
    for operation in (
        lambda: J + other,
        lambda: other + J,
        lambda: J - other,
        lambda: other - J,
    ):
        with pytest.raises(TypeError, match=r"only a UnitMatrix adds to a UnitMatrix, got "):
            operation()
