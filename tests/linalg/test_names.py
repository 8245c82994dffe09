"""Leaves are paired by their names wherever two trees meet; names that collide stay apart."""

from collections import OrderedDict
from typing import NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import q
from jax.experimental.sparse import BCOO

from linalg.matrices import assert_numbers
from unitjac.linalg import (
    Axis,
    UnitMatrix,
    cholesky,
    covariance,
    det,
    eigvals,
    jacobian_matrix,
    lstsq,
    propagate,
    solve,
    trace,
)


class State(NamedTuple):
    """In another order than that of the letters."""

    w: object
    V: object


WV = State(w=jnp.ones(2) * u.nA, V=1.0 * u.mV)
VW = {"V": 1.0 * u.mV, "w": jnp.ones(2) * u.nA}
INTO_VW = [2, 0, 1]  # where the entries of VW stand in WV
A = np.array([[4.0, 1.0, 0.5], [2.0, 5.0, 1.5], [0.25, 0.75, 6.0]])
B = A[INTO_VW][:, INTO_VW]
"""The same as A where rows and columns are in the order of VW."""
FORMS = pytest.mark.parametrize("form", [jnp.asarray, lambda a: BCOO.fromdense(a, nse=11)])


def currents(p):
    """Two currents; the names of the conductances are what the test gives."""
    return (p["g"] * p["E"]).in_unit(u.pA)


def test_one_covariance_whatever_the_parameters_are_called():
    """31.6 pA; in the order of sorted keys it was 60.2 pA where the names were others."""
    J = UnitMatrix(jnp.array([[30.0, 10.0]]), rows=1.0 * u.pA, cols={"K_i": 1.0, "Na_i": 1.0})
    C = covariance({"K_i": 1.0, "Na_i": 1.0})
    assert float(propagate(J, C).std().to_decimal(u.pA)) == pytest.approx(np.hypot(30, 10))
    with pytest.raises(
        ValueError,
        match=r"the Jacobian's columns are K_i, Na_i, the covariance's rows are E_K, E_Na: leaves "
        r"are paired by their names, and these differ\. Give both the same keys; UnitMatrix\(A",
    ):
        propagate(J, covariance({"E_K": 1.0, "E_Na": 1.0}))


@FORMS
def test_the_same_names_in_another_order(form):
    one = UnitMatrix(form(A), WV, WV)
    other = UnitMatrix(form(B), VW, VW)
    for found in (one + other, one - (-other)):
        assert found.rows == one.rows
        assert_numbers(found.dense, 2 * A)
    assert_numbers((one @ other).dense, (A @ A)[:, INTO_VW], 1e-6)
    assert_numbers((other @ one).dense, (A @ A)[INTO_VW], 1e-6)
    assert (one @ other).cols == other.cols


def test_equations_pair_by_name():
    with jax.enable_x64(True):
        one, other = UnitMatrix(jnp.asarray(A), WV, WV), UnitMatrix(jnp.asarray(B), VW, VW)
        assert_numbers(solve(one, other).dense, np.eye(3)[:, INTO_VW], 1e-12)
        symmetric = A + A.T
        mixed = UnitMatrix(jnp.asarray(symmetric[:, INTO_VW]), Axis.of(WV), Axis.of(VW).inverse())
        std = np.sqrt(np.diagonal(symmetric))
        assert_numbers(mixed.std().w.mantissa, std[:2])
        assert_numbers(mixed.correlation().dense, symmetric / np.outer(std, std))
        assert_numbers(cholesky(mixed).dense, np.linalg.cholesky(symmetric))
        right = State(w=jnp.array([1.0, 2.0]) * u.nA, V=3.0 * u.mV)
        found = solve(mixed, right, assume_symmetric=True)
        expected = np.linalg.solve(symmetric, [1.0, 2.0, 3.0])
        assert_numbers(found["V"].mantissa, expected[2])
        assert_numbers(found["w"].mantissa, expected[:2])


def test_spectra_pair_rows_and_columns_by_name():
    """A derivative given as a NamedTuple of the same fields as the dict of the state."""
    with jax.enable_x64(True):
        rates = State(w=jnp.ones(2) * u.nA / u.ms, V=1.0 * u.mV / u.ms)
        M = UnitMatrix(jnp.asarray(A[:, INTO_VW]), rates, VW)
        assert_numbers(trace(M).to_decimal(u.ms**-1), np.trace(A))
        found = np.sort(np.asarray(eigvals(M).to_decimal(u.ms**-1)).real)
        assert_numbers(found, np.sort(np.linalg.eigvals(A).real))
        other = UnitMatrix(jnp.asarray(A), [jnp.ones(2) * u.nA, 1.0 * u.mV], WV)
        for function, name in ((trace, "trace"), (eigvals, "eigvals")):
            with pytest.raises(
                ValueError, match=rf"^{name}: the matrix's columns are w, V, its rows are 0, 1: l"
            ):
                function(other)
        with pytest.raises(ValueError, match=r"^a symmetric matrix's rows are 0, 1, its columns"):
            other.std()


def test_trees_pair_by_name():
    J = UnitMatrix(jnp.asarray(A), VW, VW)
    same = State(w=jnp.array([2.0, 3.0]) * u.nA, V=1.0 * u.mV)
    for x in (same, OrderedDict(w=same.w, V=same.V), {"w": same.w, "V": same.V}):
        assert_numbers((J @ x)["V"].mantissa, A[0] @ [1, 2, 3], 1e-6)
        assert_numbers(J.scaled(rows=x, cols=VW), A / np.array([[1.0], [2.0], [3.0]]), 1e-6)
        found = lstsq(J, x, weights=State(w=jnp.ones(2) * u.nA**-2, V=1.0 * u.mV**-2))
        assert_numbers(found["w"].mantissa, np.linalg.solve(A, [1, 2, 3])[1:], 1e-5)
        assert UnitMatrix.diag(x, VW).cols.units == Axis.of(x).units
    for x in ([1.0 * u.mV, jnp.ones(2) * u.nA], {"V": 1.0 * u.mV, "u": jnp.ones(2) * u.nA}):
        with pytest.raises(ValueError, match=r"^the vector must have the tree PyTreeDef.*, got "):
            J @ x
        with pytest.raises(ValueError, match=r"^the entries are .*, like_inputs are V, w: leaves"):
            UnitMatrix.diag(x, VW)


def test_units_pair_by_name():
    J = UnitMatrix(jnp.eye(2), rows={"a": 1.0 * u.mV, "b": 1.0 * u.volt}, cols=[1.0, 1.0])
    found = J.to(rows=OrderedDict(b="uV", a="V"))
    assert found.rows.units == (u.volt, u.uvolt)
    with pytest.raises(ValueError, match=r"^there are the leaves a, b, got units for a, c\. Give"):
        J.to(rows={"a": "V", "c": "uV"})


def test_parts_pair_by_the_names_of_the_whole_or_of_their_own_tree():
    cells = {"dend": VW, "soma": VW}
    J = UnitMatrix(jnp.asarray(np.hstack([A, 2 * A])), VW, cells)
    K = UnitMatrix(jnp.asarray(B), WV, WV)
    # a part by its key has the tree of the key, and goes with what has that tree
    found = J[:, "soma"] @ UnitMatrix(jnp.asarray(A), VW, VW)
    assert_numbers(found.dense, 2 * A @ A, 1e-6)
    assert_numbers((J[:, "soma"] @ K).dense, 2 * A @ B[INTO_VW], 1e-6)
    both = J[:, "soma"] + J[:, "soma"]
    assert_numbers(both.dense, 4 * A)
    with pytest.raises(ValueError, match=r"columns are dend/V, dend/w, the second matrix's colum"):
        J[:, "dend"] + J[:, "soma"]
    # single leaves and entries have the names of the whole
    with pytest.raises(ValueError, match=r"the left matrix's columns are soma/V, the right matrix"):
        J[:, ("soma", "V")] @ UnitMatrix(jnp.ones((1, 1)), rows={"E": 1.0 * u.mV}, cols=1.0)
    with pytest.raises(ValueError, match=r"columns are dend/w\[1\], the second matrix's columns a"):
        J[:, 2] + J[:, 5]
    picked = UnitMatrix(jnp.asarray(A), VW, VW)[:, [1, 0]]
    x = {"V": jnp.array([2.0]) * u.mV, "w": jnp.array([3.0]) * u.nA}
    assert_numbers((picked @ x)["V"].mantissa, A[0, [1, 0]] @ [3, 2], 1e-6)


def test_an_array_without_a_tree_has_no_name():
    M = UnitMatrix(jnp.asarray(A), jnp.ones(3) * u.mV, jnp.ones(3) * u.nA)
    named = UnitMatrix(jnp.asarray(A), {"I": jnp.ones(3) * u.nA}, jnp.ones(3) * u.ms)
    assert_numbers((M @ named).dense, A @ A, 1e-6)


# Names that collide


COLLIDING = {"a": {"b": jnp.array([1.0, 2.0]) * u.mV}, "a/b": 3.0 * u.nA}


def test_labels_that_would_read_alike_are_spelled_out():
    axis = Axis.of(COLLIDING)
    assert axis.labels == ("['a']['b']", "['a/b']")
    assert axis.entry_labels == ["['a']['b'][0]", "['a']['b'][1]", "['a/b']"]
    J = UnitMatrix(jnp.arange(3.0)[None], rows=1.0, cols=COLLIDING)
    assert_numbers(J[0, "a/b"].mantissa, 2.0)
    assert_numbers(J[0, ("a", "b")].mantissa, [0.0, 1.0])
    assert (J[:, "a"] @ {"b": jnp.ones(2) * u.mV}).shape == ()
    assert "['a/b']" in repr(J)
    assert_numbers(J.blocks()["a/b"].mantissa, 2.0)
    K = jacobian_matrix(lambda p: p["a"]["b"].sum() * p["a/b"])(COLLIDING)
    assert_numbers((K @ COLLIDING).to_decimal(u.mV * u.nA), 18.0)


MICRO, MU = "\u00b5", "\u03bc"


def test_two_micros_are_one_name_where_nothing_else_is():
    """Python reads the first as the second in identifiers, and leaves it in strings."""
    assert list(dict(**{MU: 1})) == [MU]
    J = UnitMatrix(jnp.array([[2.0, 3.0]]), rows=1.0, cols={f"g_{MU}": 1.0, "t": 1.0})
    assert float(J[0, f"g_{MICRO}"]) == 2.0
    assert float(J @ {f"g_{MICRO}": 1.0, "t": 1.0}) == 5.0
    C = covariance({f"g_{MICRO}": 3.0, "t": 0.0})
    assert float(propagate(J, C).std()) == pytest.approx(6.0)
    both = Axis.of({MICRO: 1.0, MU: 2.0})
    assert both.labels == (r"['\xb5']", r"['\u03bc']")
    K = UnitMatrix(jnp.array([[2.0, 3.0]]), rows=1.0, cols=both)
    assert [float(K[0, MICRO]), float(K[0, MU])] == [2.0, 3.0]
    assert float(K @ {MU: 1.0, MICRO: 10.0}) == 23.0


def test_keys_stay_in_the_users_order_where_jax_keeps_it():
    for tree in (OrderedDict(w=1.0, V=2.0), State(w=1.0, V=2.0)):
        J = jacobian_matrix(lambda p: p)(tree)
        assert J.rows.labels == J.cols.labels == ("w", "V")
        assert J[:, [1, 0]].cols.labels == ("V", "w")


def test_long_lists_of_names_show_what_differs():
    many = {f"x{k:02}": 1.0 for k in range(20)}
    other = {name.replace("x07", "y"): value for name, value in many.items()}
    with pytest.raises(
        ValueError, match=r"^the first matrix's rows are x07, the second matrix's rows are y: lea"
    ):
        UnitMatrix.identity(many) + UnitMatrix.identity(other)


def test_names_of_entries_taken_one_by_one():
    picked = UnitMatrix(jnp.arange(3.0)[None], rows=1.0, cols=VW)[:, [1, 0, 2]]
    assert picked.cols.labels == ("w", "V", "w")
    found = picked[:, "w"]
    assert found.cols.labels == ("w", "w")
    assert_numbers(found.array, [[1.0, 2.0]])
    assert picked[0, "V"].mantissa.tolist() == [0.0]
    assert_numbers(found @ [jnp.array([1.0]) * u.nA, jnp.array([2.0]) * u.nA], 5.0)


# Correlations

STD = {"K_i": 3.0 * u.mM, "Na_i": jnp.array([2.0, 4.0]) * u.mM, "t": q(0.5, u.ms)}


def test_correlations_by_name():
    """In closed form: the covariance of two is rho times both deviations."""
    C = covariance(STD, correlation={("K_i", "t"): 0.8, ("Na_i", "K_i"): jnp.array([0.1, -0.2])})
    expected = np.array([[9, 0.6, -2.4, 1.2], [0.6, 4, 0, 0], [-2.4, 0, 16, 0], [1.2, 0, 0, 0.25]])
    assert_numbers(C.dense, expected, 1e-6)
    again = covariance(OrderedDict(reversed(STD.items())), correlation=C.correlation())
    assert again.rows.labels == ("t", "Na_i", "K_i")
    assert_numbers((C + again).dense, 2 * expected, 1e-6)
    assert_numbers(covariance(STD, correlation=C.correlation().dense).dense, expected, 1e-6)
    nested = covariance(
        {"c": {"K": 1.0, "Na": 2.0}, "t": 3.0}, {(("c", "K"), "c/Na"): 0.5, ("t", "c/K"): -0.5}
    )
    assert_numbers(nested.dense, [[1, 1, -1.5], [1, 4, 0], [-1.5, 0, 9]])


def test_correlations_in_two_precisions_and_units():
    for x64 in (False, True):
        with jax.enable_x64(x64):
            std = {"a": q(2.0, u.mV), "b": q(3.0, u.nA)}
            small = {"a": q(0.002, u.volt), "b": q(3000.0, u.pA)}
            one, other = (covariance(s, {("a", "b"): 0.5}) for s in (std, small))
            assert one.dtype == (jnp.float64 if x64 else jnp.float32)
            assert_numbers(other.to(rows=one.rows, cols=one.cols).dense, one.dense, 1e-6)


def test_correlations_under_jit_and_vmap():
    std = {"a": 2.0 * u.mV, "b": 3.0 * u.mV}
    sums = UnitMatrix(jnp.ones((1, 2)), rows=1.0 * u.mV, cols=std)

    def spread(rho):
        return propagate(sums, covariance(std, {("b", "a"): rho})).std()

    found = jax.jit(jax.vmap(spread))(jnp.array([-1.0, 0.0, 1.0]))
    assert_numbers(found.to_decimal(u.mV), [1.0, np.sqrt(13.0), 5.0], 1e-6)
    fixed = jax.jit(lambda s: covariance({"a": s, "b": 1.0}, {("a", "b"): 0.5}).dense)(2.0)
    assert_numbers(fixed, [[4.0, 1.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("correlation", "error", "text"),
    [
        ({"a": 0.5}, ValueError, r"correlation has the key 'a', but wants pairs of names\. Write"),
        ({("a", "x"): 0.5}, KeyError, r"there is no parameter leaf 'x'; there are a, b\."),
        ({("a", "b"): 0.5, ("b", "a"): 0.5}, ValueError, r"of 'b' and 'a' is given twice\. Name"),
        ({("a", "b"): 1.5}, ValueError, r"correlations lie between -1 and 1, but that of 'a' and"),
        ({("a", "b"): jnp.nan}, ValueError, r"lie between -1 and 1, but that of 'a' and 'b' is na"),
        ({("a", "a"): 0.5}, ValueError, r"the correlation of an entry with itself is 1, but the d"),
        ({("a", "b"): jnp.ones(2)}, ValueError, r"of 'a' and 'b', leaf .* must have shape \(\), g"),
        (
            {("a", "b"): 0.5 * u.mV},
            ValueError,
            r"^the correlation of 'a' and 'b', .* is in mV, ",
        ),
        (jnp.ones((3, 3)), ValueError, r"the correlation, leaf .*, must have shape \(2, 2\), got "),
        ([[1.0, 0.5], [0.1, 1.0]], ValueError, r"correlation must be symmetric: that of a and b "),
        (0.5, ValueError, r"the correlation, leaf .*, must have shape \(2, 2\), got \(\)\."),
        ("high", TypeError, r"correlation must be a mapping of pairs, a UnitMatrix or an array, g"),
        (
            UnitMatrix.identity({"a": 1.0, "c": 1.0}),
            ValueError,
            r"the deviations are a, b, the correlation's rows are a, c: leaves are paired",
        ),
    ],
)
def test_what_is_no_correlation(correlation, error, text):
    with pytest.raises(error, match=text):
        covariance({"a": 1.0 * u.mV, "b": 2.0 * u.nA}, correlation=correlation)


def test_correlations_that_cannot_be_together():
    pairs = {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9}
    with pytest.raises(ValueError, match=r"no quantities have all of these correlations together"):
        covariance({"a": 1.0, "b": 1.0, "c": 1.0}, correlation=pairs)
    # all of them one and the same noise: singular, and allowed
    covariance({"a": 1.0, "b": 1.0, "c": 1.0}, correlation=jnp.ones((3, 3)))


def test_an_array_of_correlations_wants_a_clear_order():
    rho = jnp.array([[1.0, 0.5], [0.5, 1.0]])
    text = r"JAX sorts the keys of a dict, to K_i, Na_i, and here they were written in another ord"
    for std in ({"Na_i": 1.0, "K_i": 2.0}, [{"Na_i": 1.0, "K_i": 2.0}]):
        with pytest.raises(ValueError, match=text.replace("K_i, Na_i", ".*K_i, .*Na_i")):
            covariance(std, correlation=rho)
    C = covariance(OrderedDict(Na_i=1.0, K_i=2.0), correlation=rho)
    assert_numbers(C.dense, [[1.0, 1.0], [1.0, 4.0]])


def test_what_is_no_tree_of_deviations():
    for array in (jnp.eye(2), np.eye(3), jnp.eye(2) * u.mV**2):
        text = r"covariance wants standard deviations, got one square array of shape \(\d, \d\)\."
        with pytest.raises(ValueError, match=text):
            covariance(array)
    assert covariance({"w": jnp.ones((2, 2))}).shape == (4, 4)
    p = {"a": 1.0 * u.mV, "b": 1.0 * u.nA}
    C = UnitMatrix(jnp.eye(2), rows=p, cols=Axis.of(p).inverse())  # as the text says
    assert_numbers(C.std()["b"].to_decimal(u.nA), 1.0)
    with pytest.raises(TypeError, match=r"wants a tree of standard deviations, got a UnitMatrix\."):
        covariance(C)


def test_propagate_says_what_to_wrap():
    J = jacobian_matrix(currents)({"g": 2.0 * u.nS, "E": 10.0 * u.mV})
    std = {"g": 0.3 * u.nS, "E": 2.0 * u.mV}
    text = (
        r"wants a covariance as a UnitMatrix, got a dict\. If it holds standard deviations, write "
        r"propagate\(J, covariance\(std\)\); if it is the array of a covariance, UnitMatrix\(arr"
    )
    with pytest.raises(TypeError, match=text):
        propagate(J, std)
    assert float(propagate(J, covariance(std)).std().to_decimal(u.pA)) == pytest.approx(5.0)
    array = covariance(std).array  # as the text says
    again = propagate(J, UnitMatrix(array, rows=J.cols, cols=J.cols.inverse()))
    assert float(again.std().to_decimal(u.pA)) == pytest.approx(5.0)
    with pytest.raises(TypeError, match=r"propagate wants a Jacobian as a UnitMatrix, got float32"):
        propagate(J.array, covariance(std))


# Determinants

SIDE = {"a": q(1.0, u.mV), "b": q([1.0, 1.0, 1.0], u.nA)}
TURNED = OrderedDict((("b", SIDE["b"]), ("a", SIDE["a"])))
NUMBERS = np.array([[2.0, 1, 0, 0], [0, 3, 1, 0], [0, 0, 1, 1], [1, 0, 0, 5]])


def number_of(matrix):
    return float(u.get_mantissa(det(matrix)))


def test_determinant_pairs_leaves_by_their_names():
    """One map has one determinant, in whatever order its rows and columns stand: 30 - 1 = 29."""
    A = UnitMatrix(jnp.asarray(NUMBERS), SIDE, SIDE)
    behind = np.array([1, 2, 3, 0])
    by_rows = UnitMatrix(A.array[behind], TURNED, SIDE)
    by_cols = UnitMatrix(A.array[:, behind], SIDE, TURNED)
    sparse = UnitMatrix(BCOO.fromdense(A.array[behind]), TURNED, SIDE)
    both = UnitMatrix(A.array[behind][:, behind], TURNED, TURNED)
    for matrix in (A, by_rows, by_cols, sparse, both):
        assert number_of(matrix) == pytest.approx(29.0, rel=1e-5)
        assert not isinstance(det(matrix), u.Quantity)
        compiled = jax.jit(det)(matrix)
        assert float(compiled) == pytest.approx(29.0, rel=1e-5)
    J = jacobian_matrix(lambda p: OrderedDict(b=2 * p["b"], a=3 * p["a"]))(SIDE)
    assert number_of(J) == pytest.approx(24.0, rel=1e-5)


def test_determinant_goes_by_position_where_names_or_shapes_differ():
    A = UnitMatrix(jnp.asarray(NUMBERS), OrderedDict(c=SIDE["b"], d=SIDE["a"]), SIDE)
    assert number_of(A) == pytest.approx(29.0, rel=1e-5)
    other = OrderedDict(b=SIDE["a"], a=SIDE["b"])
    assert number_of(UnitMatrix(jnp.asarray(NUMBERS), other, SIDE)) == pytest.approx(29.0, rel=1e-5)
    assert number_of(UnitMatrix(jnp.zeros((0, 0)), {}, {})) == 1.0
