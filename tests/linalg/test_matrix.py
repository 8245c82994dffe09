"""What a matrix is made of: constructors, blocks, parts, units, and its life as a pytree."""

import copy
import pickle
from typing import NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_same, both_precisions, is_quantity, q
from jax.experimental.sparse import BCOO

import unitjac
from linalg.matrices import (
    Leaves,
    assert_numbers,
    exponents,
    leaves,
    matrix,
    numbers_of,
    property_test,
    seeds,
    well_conditioned,
)
from unitjac.linalg import Axis, UnitMatrix, jacobian_matrix, solve

G = u.parse_unit("mS/cm^2")


class Params(NamedTuple):
    g: object
    E: object


OUTPUTS = {"I": jnp.ones(2) * u.nA, "n": 1.0}
INPUTS = {"p": Params(g=2.0 * u.nS, E=jnp.ones(2) * u.mV), "t": 1.0 * u.ms}
BLOCKS = {
    "I": {
        "p": Params(
            g=jnp.array([1.0, 2.0]) * u.mV,
            E=jnp.array([[3.0, 4.0], [5.0, 6.0]]) * u.nS,
        ),
        "t": jnp.array([7.0, 8.0]) * u.nA / u.ms,
    },
    "n": {
        "p": Params(g=9.0 * u.nS**-1, E=jnp.array([10.0, 11.0]) * u.mV**-1),
        "t": 12.0 * u.ms**-1,
    },
}


def jacobian() -> UnitMatrix:
    return UnitMatrix.from_blocks(BLOCKS, OUTPUTS, INPUTS)


# Blocks


def test_blocks_become_one_array_in_the_units_of_the_trees():
    J = jacobian()
    # nS mV is pA, and the rows are in nA
    expected = [[1e-3, 3e-3, 4e-3, 7], [2e-3, 5e-3, 6e-3, 8], [9, 10, 11, 12]]
    assert_numbers(J.array, expected, 1e-6)
    assert J.rows.labels == ("I", "n")
    assert J.cols.labels == ("p/g", "p/E", "t")
    assert J.rows.units == (u.nA, None)
    assert J.shape == (3, 4)


@both_precisions
def test_blocks_come_back(x64):
    with jax.enable_x64(x64):
        blocks = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), BLOCKS)
        found = UnitMatrix.from_blocks(blocks, OUTPUTS, INPUTS).blocks()
        assert jax.tree.structure(found, is_leaf=is_quantity) == jax.tree.structure(
            blocks, is_leaf=is_quantity
        )
        assert found["I"]["p"].E.unit.has_same_dim(u.nS)
        assert_numbers(found["I"]["p"].E.to_decimal(u.nS), [[3, 4], [5, 6]], 1e-6)
        assert float(found["n"]["p"].g.to_decimal(u.nS**-1)) == pytest.approx(9.0)


@property_test(20, rows=leaves(), cols=leaves(), seed=seeds)
def test_blocks_round_trip(rows, cols, seed):
    numbers = well_conditioned(seed)
    with jax.enable_x64(True):
        J = matrix(numbers, rows, cols)
        again = UnitMatrix.from_blocks(J.blocks(), rows.tree(), cols.tree())
        assert again.rows == J.rows
        assert again.cols == J.cols
        assert_numbers(again.array, numbers, 1e-14)


def test_a_block_without_dimension_is_a_plain_array():
    J = UnitMatrix.from_blocks(jnp.array(2000.0), 1.0 * u.mV, 1.0 * u.volt)
    assert float(J.array[0, 0]) == 2e6, "2000 is a number of volts over volts"
    assert float(J.blocks()) == pytest.approx(2000.0)
    assert not is_quantity(J.blocks())


@pytest.mark.parametrize(
    ("blocks", "text"),
    [
        ([[1.0]], r"blocks must have the tree .*, outputs outside and inputs inside, got PyTree"),
        ({"a": {"x": jnp.ones(2) * u.mV}}, r"block \(a, x\) must have shape \(\), got \(2,\)\."),
        ({"a": {"x": 1.0 * u.mV}}, r"block \(a, x\) is in mV, but its output over its input is in"),
    ],
)
def test_blocks_that_do_not_fit(blocks, text):
    with pytest.raises(ValueError, match=text):
        UnitMatrix.from_blocks(blocks, {"a": 1.0 * u.mV}, {"x": 1.0 * u.ms})


def test_blocks_by_whole_numbers():
    jac = unitjac.jacrev(lambda x: x * 1.0, allow_int=True, unit_aware=True)
    with pytest.raises(TypeError, match=r"block \(, \) is of dtype float0: its input holds whole"):
        UnitMatrix.from_blocks(jac(3), 1.0, 3)


# Hand-made ones


def test_from_columns():
    state = {"V": 1.0 * u.mV, "w": 1.0 * u.nA}
    by_g = {"V": 2.0 * u.volt / u.nS, "w": 3.0 * u.mV}
    by_t = {"V": 4.0 * u.mV / u.ms, "w": 5.0 * u.nA / u.second}
    J = UnitMatrix.from_columns([by_g, by_t], [1.0 * u.nS, 1.0 * u.ms])
    assert_numbers(J[:, 0].to(rows=[u.mV, u.nA]).array, [[2000.0], [3e-3]], 1e-6)
    dx = J @ [1.0 * u.nS, 2.0 * u.ms]
    assert float(dx["V"].to_decimal(u.mV)) == pytest.approx(2008.0)
    assert float(dx["w"].to_decimal(u.nA)) == pytest.approx(0.013)
    assert list(dx) == list(state)


def test_from_columns_of_plain_trees():
    J = UnitMatrix.from_columns([[1.0, 2.0], [3.0, 4.0]], jnp.ones(2))
    assert J.rows.units == (None, None)
    assert_numbers(J.array, [[1, 3], [2, 4]])


@pytest.mark.parametrize(("columns", "like"), [([], []), ([[1.0]], [1.0, 2.0])])
def test_from_columns_wants_one_for_each_input(columns, like):
    text = rf"one column for each of the {len(like)} entries of like_inputs, and at least one, was"
    with pytest.raises(ValueError, match=text):
        UnitMatrix.from_columns(columns, like)


def test_a_column_in_another_dimension():
    with pytest.raises(ValueError, match=r"column 1, leaf 0, is in mV, but must be in mV/ms or"):
        UnitMatrix.from_columns([[1.0 * u.mV], [1.0 * u.mV]], [1.0, 1.0 * u.ms])


def test_diagonal():
    W = UnitMatrix.diag({"V": jnp.array([4.0, 9.0]) * u.mV**-2, "t": 2.0})
    assert_numbers(W.array, np.diag([4.0, 9.0, 2.0]))
    assert W.cols.units == (None, None)
    W = UnitMatrix.diag({"V": jnp.ones(2) * u.mV**-2}, like_inputs={"V": jnp.ones(2) * u.mV})
    assert W.rows.units[0] == u.mV**-1
    with pytest.raises(ValueError, match=r"the entries and like_inputs have one shape for each"):
        UnitMatrix.diag([1.0 * u.mV], like_inputs=[jnp.ones(2)])


def test_identity_maps_a_tree_to_itself():
    eye = UnitMatrix.identity(INPUTS)
    assert_same(eye @ INPUTS, jax.tree.map(jnp.asarray, INPUTS))


def test_the_array_has_the_size_of_the_trees():
    text = r"rows and cols have 2 and 1 entries, but the array has shape \(2, 2\)\."
    with pytest.raises(ValueError, match=text):
        UnitMatrix(jnp.eye(2), rows=jnp.ones(2) * u.mV, cols=1.0)


@pytest.mark.parametrize("array", [jnp.ones(2), jnp.ones((3, 2, 2)), 1.0])
def test_the_array_has_two_dimensions(array):
    with pytest.raises(ValueError, match=r"an array of two dimensions was expected, got float32\["):
        UnitMatrix(array, rows=jnp.ones(2), cols=jnp.ones(2))


def test_a_bcoo_has_two_sparse_dimensions():
    batched = BCOO.fromdense(jnp.ones((3, 2, 2)), n_batch=1)
    text = r"a BCOO of two sparse dimensions was expected, got one of shape \(3, 2, 2\) with 1 bat"
    with pytest.raises(ValueError, match=text):
        UnitMatrix(batched, rows=jnp.ones(2), cols=jnp.ones(2))
    with pytest.raises(ValueError, match=r"with 0 batched and 1 dense dimensions"):
        UnitMatrix(BCOO.fromdense(jnp.ones((2, 2)), n_dense=1), rows=jnp.ones(2), cols=jnp.ones(2))


def test_leaves_are_arrays():
    with pytest.raises(
        TypeError, match=r"leaf \['a'\] must be an array, a number or a quantity, got a str"
    ):
        UnitMatrix(jnp.ones((1, 1)), rows={"a": "mV"}, cols=1.0)
    with pytest.raises(TypeError, match=r"leaf of the tree must be an array, .* got a str"):
        UnitMatrix(jnp.ones((1, 1)), rows=1.0, cols="mV")


# Parts

FULL = np.array([[1e-3, 3e-3, 4e-3, 7], [2e-3, 5e-3, 6e-3, 8], [9, 10, 11, 12]])


def test_a_block_by_two_keys():
    J = jacobian()
    found = J["I", ("p", "E")]
    assert found.shape == (2, 2)
    assert_numbers(found.to_decimal(u.nS), [[3, 4], [5, 6]], 1e-6)
    assert float(J["n", "p/g"].to_decimal(u.nS**-1)) == pytest.approx(9.0)
    assert float(J[("n",), "t"].to_decimal(u.ms**-1)) == pytest.approx(12.0)


def test_a_subtree_by_a_key():
    J = jacobian()
    part = J["I", "p"]
    assert part.cols.treedef == jax.tree.structure(INPUTS["p"], is_leaf=is_quantity)
    assert part.rows.is_leaf
    found = part @ Params(g=1.0 * u.nS, E=jnp.array([1.0, 0.0]) * u.mV)
    assert_numbers(found.to_decimal(u.pA), [4.0, 7.0], 1e-6)
    again = part[:, ("p", "E")]
    assert again.cols.is_leaf
    assert_numbers(again.array, FULL[:2, 1:3], 1e-6)
    assert_numbers(part[:, "p"].array, FULL[:2, :3], 1e-6)


@pytest.mark.parametrize(
    ("index", "rows", "cols"),
    [
        ((slice(None), slice(None)), slice(None), slice(None)),
        (((), "t"), slice(None), slice(3, 4)),
        ((slice(1, 3), slice(0, 2)), slice(1, 3), slice(0, 2)),
        ((slice(None, None, 2), slice(None)), slice(None, None, 2), slice(None)),
        ((slice(None), slice(None, None, -1)), slice(None), slice(None, None, -1)),
        (([2, 0], slice(None)), [2, 0], slice(None)),
        (([], slice(None)), slice(0, 0), slice(None)),
        ((np.array([True, False, True]), slice(None)), [0, 2], slice(None)),
        ((slice(None), jnp.array([3, 3])), slice(None), [3, 3]),
        ((slice(0, 0), slice(None)), slice(0, 0), slice(None)),
        ((1, slice(None)), slice(1, 2), slice(None)),
        ((slice(None), np.int64(-1)), slice(None), slice(3, 4)),
    ],
)
def test_parts_by_number(index, rows, cols):
    found = jacobian()[index]
    assert isinstance(found, UnitMatrix)
    assert_numbers(found.array, FULL[rows][:, cols], 1e-6)
    units = np.array([str(unit) for unit in jacobian().cols.entry_units])
    assert [str(unit) for unit in found.cols.entry_units] == list(units[cols])


def test_one_entry():
    J = jacobian()
    for index in ((1, 2), (-2, -2), (np.int64(1), jnp.array(2))):
        assert float(J[index].to_decimal(u.nS)) == pytest.approx(6.0)
    assert J[1, :].rows.labels == ("I[1]",)
    assert J[1, :].rows.is_leaf
    assert (J[1, :] @ INPUTS).shape == ()


def test_all_of_a_side_keeps_its_tree():
    J = jacobian()
    assert J[:, "t"].rows == J.rows
    assert jax.tree.structure(J["n", :] @ INPUTS) == jax.tree.structure(1.0)


def test_a_key_that_begins_like_another():
    J = UnitMatrix(jnp.arange(3.0)[None], rows=1.0, cols={"g": 1.0, "g_K": 1.0, "g_Na": 1.0})
    assert J[:, "g"].shape == (1, 1)


def test_keys_with_a_slash():
    J = UnitMatrix(jnp.arange(2.0)[None], rows=1.0, cols={"dV/dt": {"a": 1.0}, "x": 1.0})
    part = J[:, "dV/dt"]
    assert part @ {"a": 1.0} == 0.0
    assert J[:, ("dV/dt", "a")].cols.is_leaf


def test_a_matrix_is_no_sequence_and_no_plain_array():
    A = UnitMatrix(jnp.eye(2), rows=[1.0 * u.mV, 1.0], cols=[1.0 * u.mV, 1.0])
    with pytest.raises(TypeError, match="'UnitMatrix' object is not iterable"):
        list(A)
    text = r"^a matrix \(2, 2\) with units is no plain array\. Its magnitudes are A\.dense, its blo"
    for convert in (np.asarray, np.array, jnp.asarray):
        with pytest.raises(TypeError, match=text):
            convert(A)


@pytest.mark.parametrize(
    ("index", "error", "text"),
    [
        (
            "I",
            TypeError,
            r"a matrix wants two indices, got 'I'\. Write J\[row, column\], each a key",
        ),
        (("x", "t"), KeyError, r"there is no row leaf 'x'; there are I, n\."),
        (("I", ("p", "x")), KeyError, r"there is no column leaf 'p/x'; there are p/g, p/E, t\."),
        ((3, 0), IndexError, r"row index 3 is out of range: there are 3 rows\."),
        ((0, -5), IndexError, r"column index -5 is out of range: there are 4 columns\."),
        ((None, 0), TypeError, r"a row index is a key of the tree, a tuple of keys, an int, a sl"),
        ((0, 1.0), TypeError, r"a column index is a key of the tree, .* array of ints, got 1\.0\."),
        ((np.zeros((1, 1), int), 0), TypeError, r"a row index is a key of the tree, a tuple of"),
        ((True, 0), TypeError, r"a row index is a key of the tree, .* array of ints, got True\."),
    ],
)
def test_indices_that_mean_nothing(index, error, text):
    with pytest.raises(error, match=text):
        jacobian()[index]


# Units


@property_test(30, rows=leaves(), cols=leaves(), seed=seeds, up=exponents(), down=exponents())
def test_in_other_units(rows, cols, seed, up, down):
    numbers, new_rows, new_cols = well_conditioned(seed), rows.rewritten(up), cols.rewritten(down)
    with jax.enable_x64(True):
        J = matrix(numbers, rows, cols)
        found = J.to(rows=new_rows.tree(), cols=new_cols.tree())
        assert found.rows.units == tuple(unit or None for unit in new_rows.units)
        assert_numbers(numbers_of(found, rows, cols), numbers)
        assert_numbers(numbers_of(J.to(cols=new_cols.tree()), rows, cols), numbers)
        assert_numbers(found.to(rows=rows.tree(), cols=cols.tree()).array, numbers)


def test_units_are_given_in_several_ways():
    J = UnitMatrix(jnp.eye(2), rows=[1.0 * u.mV, 1.0], cols=jnp.ones(2) * u.ms)
    for units in (["V", "1"], [u.volt, None], [2.0 * u.volt, 1.0], (u.volt, u.UNITLESS)):
        assert_numbers(J.to(rows=units).array, [[1e-3, 0], [0, 1]], 1e-6)
    for unit in ("s", u.second, 3.0 * u.second, [u.second]):
        assert_numbers(J.to(cols=unit).array, 1e3 * np.eye(2), 1e-6)
    assert J.to(rows=J.rows).rows == J.rows


def test_units_that_cannot_be():
    J = UnitMatrix(jnp.eye(2), rows=[1.0 * u.mV, 1.0], cols=jnp.ones(2) * u.ms)
    with pytest.raises(
        ValueError,
        match=r"row '0' is in mV and cannot be written in ms, which has another dimension",
    ):
        J.to(rows=["ms", "1"])
    with pytest.raises(ValueError, match=r"column '' is in ms and cannot be written in mV, which"):
        J.to(cols="mV")
    with pytest.raises(
        ValueError, match=r"there are 2 leaves \(0, 1\), got 3 units\. Give one for"
    ):
        J.to(rows=["mV", "1", "1"])
    with pytest.raises(TypeError, match=r"a unit, its text or a quantity was expected, got a obj"):
        J.to(cols=object())


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_sixteen_bits_hold_what_they_can(dtype):
    """The factor 1e6 is beyond float16, the result 1000 is not."""
    J = UnitMatrix(jnp.array([[1e-3]], dtype), rows=1.0 * u.volt, cols=1.0 * u.ms)
    found = J.to(rows="uV")
    assert found.dtype == dtype
    assert float(found.array[0, 0]) == pytest.approx(1000.0, rel=1e-2)


def test_factors_of_rows_and_columns_meet_before_the_entry_does():
    J = UnitMatrix(
        jnp.array([[1e10]]), rows=1.0 * u.parse_unit("Ym"), cols=1.0 * u.parse_unit("Ys")
    )
    found = J.to(rows=u.Unit(dim=u.meter.dim, scale=-9), cols=u.Unit(dim=u.second.dim, scale=-9))
    assert float(found.array[0, 0]) == pytest.approx(1e10)


def test_scaled_is_the_plain_matrix_of_typical_sizes():
    J = UnitMatrix(jnp.array([[2.0, 3.0]]), rows=1.0 * u.mV, cols=[1.0 * u.nA, 1.0 * u.ms])
    found = J.scaled(rows=0.01 * u.volt, cols=[5.0 * u.pA, 20.0 * u.ms])
    assert_numbers(found, [[2 * 5e-3 / 10, 3 * 20 / 10]], 1e-6)
    with pytest.raises(
        ValueError, match=r"the typical outputs, leaf \(the only one\), is in ms, b"
    ):
        J.scaled(rows=1.0 * u.ms, cols=[5.0 * u.pA, 20.0 * u.ms])
    with pytest.raises(ValueError, match=r"the typical inputs must have the tree"):
        J.scaled(rows=1.0 * u.mV, cols=5.0 * u.pA)


# Life as a pytree


def test_jit_takes_and_gives_a_matrix():
    traces = []

    @jax.jit
    def twice(J, x):
        traces.append(J)
        return J + J, J @ x

    J = jacobian()
    doubled, y = twice(J, INPUTS)
    twice(jacobian() * 3.0, INPUTS)
    assert len(traces) == 1, "a second matrix of the same leaves and units is no new program"
    assert doubled.rows == J.rows
    assert_numbers(doubled.array, 2 * FULL, 1e-6)
    assert_same(y, J @ INPUTS)


def test_other_units_are_another_program():
    traces = []

    @jax.jit
    def transposed(J):
        traces.append(J)
        return J.T

    J = jacobian()
    in_pA = transposed(J.to(rows=[u.pA, None]))
    assert_numbers(in_pA.to(cols=J.T.cols).array, transposed(J).array, 1e-6)
    assert len(traces) == 2


def test_vmap():
    factors = jnp.array([1.0, 2.0, 3.0])
    batch = jax.vmap(lambda k: jacobian() * k)(factors)
    found = jax.vmap(lambda J: J @ INPUTS)(batch)
    one = jacobian() @ INPUTS
    assert_numbers(found["I"].mantissa, factors[:, None] * one["I"].mantissa[None], 1e-6)
    blocks = jax.vmap(lambda J: J["I", "t"])(batch)
    assert_numbers(blocks.mantissa, factors[:, None] * jacobian()["I", "t"].mantissa[None], 1e-6)
    for method in (
        lambda J: J.T.array,
        lambda J: (
            (J.T @ UnitMatrix.diag({"I": jnp.ones(2) * u.nA**-2, "n": 1.0}, OUTPUTS) @ J).dense
        ),
        lambda J: J.to(rows=["pA", "1"]).array,
        lambda J: J.scaled(rows=OUTPUTS, cols=INPUTS),
        lambda J: jax.tree.leaves(J.blocks())[0],
    ):
        found = jax.vmap(method)(batch)
        for k, factor in enumerate(factors):
            assert_numbers(found[k], method(jacobian() * factor), 1e-6)


BATCH_TEXT = (
    r"this is a batch of matrices \(3, 4\), with an array of shape \(2, 3, 4\)\. Work on it un"
)


@pytest.mark.parametrize(
    "operation",
    [
        lambda B: B @ INPUTS,
        lambda B: B.T,
        lambda B: B + B,
        lambda B: 2.0 * B,
        lambda B: B.blocks(),
        lambda B: B["I", "t"],
        lambda B: B.dense,
        lambda B: B.to(rows=["pA", "1"]),
        lambda B: B.scaled(OUTPUTS, INPUTS),
    ],
)
def test_a_batch_outside_of_vmap_is_refused(operation):
    batch = jax.vmap(lambda k: jacobian() * k)(jnp.ones(2))
    with pytest.raises(ValueError, match=BATCH_TEXT):
        operation(batch)


def test_scan_carries_a_matrix_and_goes_through_a_batch():
    state = {"V": 1.0 * u.mV, "w": 1.0 * u.nA}
    A = UnitMatrix(jnp.array([[0.9, 0.1], [0.2, 0.8]]), state, state)
    power, _ = jax.lax.scan(lambda M, _: (A @ M, None), UnitMatrix.identity(state), length=3)
    assert_numbers(power.array, np.linalg.matrix_power(np.asarray(A.array), 3), 1e-6)
    batch = jax.vmap(lambda k: A * k)(jnp.array([1.0, 2.0]))
    end, steps = jax.lax.scan(lambda x, M: (M @ x, M @ x), state, batch)
    assert_same(end, 2.0 * A @ (A @ state), 10)
    assert steps["V"].shape == (2,)


def test_grad_through_a_matrix():
    """d/dg of V = I / g is -I / g^2, and it carries the unit of that."""

    def voltage(g):
        J = UnitMatrix.from_blocks({"I": {"V": g}}, {"I": 1.0 * u.nA}, {"V": 1.0 * u.mV})
        return solve(J, {"I": 6.0 * u.nA})["V"]

    with jax.enable_x64(True):
        found = unitjac.grad(voltage, unit_aware=True)(q(2.0, u.uS))
        assert float(found.to_decimal(u.mV / u.uS)) == pytest.approx(-1.5, rel=1e-12)


def test_grad_with_respect_to_the_magnitudes():
    J = jacobian()
    slope = jax.grad(lambda M: jnp.sum(M.array**2))(J)
    assert isinstance(slope, UnitMatrix)
    assert_numbers(slope.array, 2 * FULL, 1e-6)


def test_copies_are_equal():
    J = jacobian()
    for again in (copy.copy(J), copy.deepcopy(J), pickle.loads(pickle.dumps(J))):
        assert again.rows == J.rows
        assert again.cols == J.cols
        assert_numbers(again.array, J.array)


def test_abstract_evaluation():
    shape = jax.eval_shape(lambda: jacobian())
    assert (shape.shape, shape.dtype) == ((3, 4), jnp.float32)


# Edges


@pytest.mark.parametrize(("rows", "cols"), [({}, {}), ({}, {"x": 1.0 * u.mV}), ([1.0], ())])
def test_nothing_on_a_side(rows, cols):
    rows_axis, cols_axis = Axis.of(rows), Axis.of(cols)
    J = UnitMatrix(jnp.zeros((rows_axis.size, cols_axis.size)), rows, cols)
    assert J.T.shape == (cols_axis.size, rows_axis.size)
    assert (J.T @ J).shape == (cols_axis.size, cols_axis.size)
    assert (J + J).shape == J.shape
    assert jax.tree.structure(J @ cols) == jax.tree.structure(rows)
    assert UnitMatrix.from_blocks(J.blocks(), rows, cols).shape == J.shape


def test_complex_entries():
    Z = UnitMatrix(jnp.array([[1.0 + 2.0j]]), rows=1.0 * u.mV, cols=1.0 * u.nA)
    assert complex(Z.T.to(rows="nA^-1").array[0, 0]) == 1 + 2j, "the transpose does not conjugate"
    assert complex((Z @ (1j * u.uA)).to_decimal(u.mV)) == pytest.approx(-2000 + 1000j)


def test_leaves_of_different_precision():
    with jax.enable_x64(True):
        blocks = {"a": [jnp.float32(1.0) * u.mV, jnp.float64(2.0)]}
        J = UnitMatrix.from_blocks(blocks, {"a": 1.0 * u.mV}, [1.0, 1.0 * u.mV])
        assert J.dtype == jnp.float64
        assert_numbers(J.array, [[1.0, 2.0]])


def test_an_axis_says_what_lies_along_it():
    axis = jacobian().cols
    assert axis.entry_labels == ["p/g", "p/E[0]", "p/E[1]", "t"]
    assert axis.entry_units == [u.nS, u.mV, u.mV, u.ms]
    assert (axis.size, axis.offsets) == (4, [0, 1, 3, 4])
    assert hash(axis) == hash(jacobian().cols)
    assert axis == jacobian().cols
    assert axis != jacobian().rows


def test_wide_leaves_are_one_unit():
    voltages = Leaves(((10_000,),), (u.mV,))
    axis = Axis.of(voltages.tree())
    assert axis.units == (u.mV,)
    assert axis.size == 10_000


# What the base class has


def test_only_what_works_is_listed():
    J = jacobian()
    for listed in (dir(UnitMatrix), dir(J)):
        assert {"blocks", "array", "T", "size", "ndim", "block_until_ready"} <= set(listed)
        assert not {"sum", "with_data", "transpose", "yw_to_w"} & set(listed)
    assert J.block_until_ready() is J
    assert (J.size, J.ndim) == (12, 2)
    for name in (name for name in dir(J) if not name.startswith("_")):
        getattr(J, name)
    with pytest.raises(AttributeError, match=r"^a UnitMatrix has no sum\. Write A\.scaled\(rows"):
        J.sum()
    assert not hasattr(UnitMatrix, "with_data")


def test_signs_and_what_has_no_meaning():
    J = jacobian()
    assert (+J).array is J.array
    assert_numbers(abs(-J).array, FULL, 1e-6)
    for operation in (lambda: J // 2.0, lambda: 2.0 // J, lambda: J % 2.0, lambda: 2.0 % J):
        with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for"):
            operation()


@pytest.mark.parametrize("held", [None, True, 0, (2, 2), jax.ShapeDtypeStruct((3, 4), "float32")])
def test_a_matrix_of_anything_has_a_text(held):
    """What tree operations put in the array's place: ``jax.tree.map(lambda leaf: None, J)``."""
    found = jax.tree.map(lambda leaf: held, jacobian())
    for text in (repr(found), found._repr_html_()):
        assert "UnitMatrix 3 x 4" in text
        assert "p/g" in text


# Blocks by states


@pytest.mark.parametrize("kept", [lambda s: s["V"], list, tuple, dict])
def test_blocks_by_states(kept):
    """J[state][output], which is what the transforms give, is the matrix of jacobian_matrix."""
    V = unitjac.State({"soma": 2.0 * u.mV, "dend": jnp.array([3.0, 4.0]) * u.mV}, name="V")
    n = unitjac.State(0.5, name="n")
    states = {"V": V, "n": n}
    grad_states = kept(states) if kept in (dict,) or kept(states) is V else kept([V, n])

    def outputs(g=1.0):
        v = V.value
        return {
            "I": g * v["dend"] * n.value * u.nS,
            "E": [v["soma"] ** 2, n.value * g],
        }

    want = {"grad_states": grad_states, "check_states": False}
    J = jacobian_matrix(outputs, **want)()
    like = outputs()
    blocks = unitjac.jacrev(outputs, unit_aware=True, **want)()
    found = UnitMatrix.from_blocks(blocks, like, grad_states=grad_states)
    assert (found.rows, found.cols) == (J.rows, J.cols)
    assert_numbers(found.array, J.array, 1e-6)
    # with an argument: the pair of both
    J = jacobian_matrix(outputs, argnums=0, **want)(2.0)
    blocks = unitjac.jacrev(outputs, argnums=0, unit_aware=True, **want)(2.0)
    found = UnitMatrix.from_blocks(blocks, like, 2.0, grad_states=grad_states)
    assert (found.rows, found.cols) == (J.rows, J.cols)
    assert_numbers(found.array, J.array, 1e-6)


def test_blocks_by_states_that_do_not_fit():
    V, n = unitjac.State(2.0 * u.mV), unitjac.State(0.5)
    states = {"V": V, "n": n}

    def outputs(t=1.0):
        return {"V": V.value * n.value * t, "n": n.value}

    like = outputs()
    blocks = unitjac.jacrev(outputs, grad_states=states, unit_aware=True)()
    # the nestings look alike where the outputs have the states' keys: units tell, and grad_states
    with pytest.raises(ValueError, match=r"block \(V, n\) is in .*, but its output over its in"):
        UnitMatrix.from_blocks(blocks, like, {"V": 2.0 * u.mV, "n": 0.5})
    found = UnitMatrix.from_blocks(blocks, like, grad_states=states)
    assert_numbers(found.array, [[0.5, 2.0], [0.0, 1.0]])
    of_lists = unitjac.jacrev(outputs, grad_states=[V, n], unit_aware=True)()
    text = r"blocks must have the tree .*, got .*\. Blocks by states, which stand outside, want gr"
    with pytest.raises(ValueError, match=text):
        UnitMatrix.from_blocks(of_lists, like, [2.0 * u.mV, 0.5])
    with pytest.raises(ValueError, match=r"the blocks by states must have grad_states outside, Py"):
        UnitMatrix.from_blocks(of_lists, like, grad_states=states)
    with pytest.raises(ValueError, match=r"the blocks of grad_states\['V'\] must have the tree"):
        UnitMatrix.from_blocks({"V": like, "n": 1.0}, [1.0], grad_states=states)
    with pytest.raises(ValueError, match=r"blocks must be the pair \(by_states, by_argum"):
        UnitMatrix.from_blocks(blocks, like, 1.0, grad_states=states)
    with pytest.raises(TypeError, match=r"from_blocks wants a tree like the inputs, or gr"):
        UnitMatrix.from_blocks(blocks, like)


# A tree as a vector


@pytest.mark.parametrize("tree", [INPUTS, {}, 2.0 * u.mV, [jnp.zeros((0, 2)) * u.mV, jnp.eye(2)]])
def test_a_tree_goes_to_a_vector_and_comes_back(tree):
    axis = Axis.of(tree)
    vector = axis.to_vector(tree)
    assert vector.shape == (axis.size,)
    back = axis.to_tree(vector)
    assert_same(back, jax.tree.map(jnp.asarray, tree))
    stack = axis.to_tree(jnp.stack([vector, 2 * vector], axis=1))
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(back)]
    assert [np.shape(leaf) for leaf in jax.tree.leaves(stack)] == [(*s, 2) for s in shapes]


def test_to_vector_and_back_under_jit_vmap_and_grad():
    axis = Axis.of({"V": 1.0 * u.mV, "w": jnp.ones(2) * u.nA})
    tree = {"V": 0.002 * u.volt, "w": jnp.array([3.0, 4.0]) * u.nA}
    assert_numbers(jax.jit(axis.to_vector)(tree), [2.0, 3.0, 4.0], 1e-6)
    batch = jax.vmap(axis.to_tree)(jnp.arange(6.0).reshape(2, 3))
    assert_numbers(batch["w"].mantissa, [[1, 2], [4, 5]])
    slope = jax.grad(lambda v: axis.to_tree(v)["V"].to_decimal(u.volt))(jnp.ones(3))
    assert_numbers(slope, [1e-3, 0, 0], 1e-6)
