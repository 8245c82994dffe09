"""A matrix of BCOO magnitudes gives what the dense one gives, and stays sparse where it can."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

from linalg.matrices import Leaves, assert_numbers, vector
from unitjac.linalg import (
    UnitMatrix,
    cholesky,
    det,
    eigvals,
    inv,
    lstsq,
    propagate,
    solve,
    trace,
)

G = u.parse_unit("mS/cm^2")
ROWS = Leaves(((2,), (2,)), (u.mV, None))
COLS = Leaves(((2,), (), ()), (u.nA, u.ms, G))
STATE = Leaves(((2,), (2,)), (u.mV, u.nA))
RATE = STATE.times(u.ms**-1)
WEIGHTS = {"x0": jnp.array([1.0, 2.0]) * u.mV**-2, "x1": jnp.ones(2)}
NUMBERS = np.array([[2.0, 0, 0, 1], [0, 3, 0, 0], [1, 0, 4, 0], [0, 0, 0, 5]])
OTHER = np.array([[0.0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 3], [0, 4, 0, 1]])
SYMMETRIC = np.array([[4.0, 1, 0, 0], [1, 9, 2, 0], [0, 2, 16, 0], [0, 0, 0, 1]])


def stored(numbers, rows, cols) -> UnitMatrix:
    """A BCOO with an entry in two parts and one that lies outside, as operations leave behind."""
    array = BCOO.fromdense(jnp.asarray(numbers, float))
    data = jnp.concatenate([array.data.at[0].multiply(0.25), array.data[:1] * 0.75, jnp.ones(1)])
    indices = jnp.concatenate([array.indices, array.indices[:1], jnp.array([[4, 4]])])
    array = BCOO((data, indices), shape=array.shape)
    return UnitMatrix(array, rows.tree(), cols.tree())


def full(numbers, rows, cols) -> UnitMatrix:
    return UnitMatrix(jnp.asarray(numbers, float), rows.tree(), cols.tree())


def assert_same_matrix(found: UnitMatrix, expected: UnitMatrix) -> None:
    assert found.rows == expected.rows
    assert found.cols == expected.cols
    assert found.dtype == expected.dtype
    assert_numbers(found.dense, expected.dense, 1e-6)


STAYS_SPARSE = {
    "transpose": lambda A: A.T,
    "negative": lambda A: -A,
    "sum": lambda A: A + A,
    "difference": lambda A: A - 3.0 * A,
    "scalar": lambda A: A * (2.0 * u.mV),
    "quotient": lambda A: A / (2.0 * u.mV),
    "from the left": lambda A: (2.0 * u.mV) * A,
    "other units": lambda A: A.to(rows=["V", "1"], cols=["uA", "s", "S/cm^2"]),
    "product": lambda A: A @ (stored if A.is_sparse else full)(OTHER, COLS, STATE),
    "a row": lambda A: A["x0", :],
    "a subtree": lambda A: A[:, ("x0",)],
    "a slice": lambda A: A[1:3, 0:2],
    "all": lambda A: A[:, :],
}


@pytest.mark.parametrize("name", STAYS_SPARSE)
def test_what_stays_sparse(name):
    found = STAYS_SPARSE[name](stored(NUMBERS, ROWS, COLS))
    assert found.is_sparse
    assert_same_matrix(found.todense(), STAYS_SPARSE[name](full(NUMBERS, ROWS, COLS)))


BECOMES_DENSE = {
    "blocks": lambda A: A.blocks(),
    "a block": lambda A: A["x0", "x0"],
    "an entry": lambda A: A[0, 3],
    "rows with gaps": lambda A: A[::2, :].array,
    "chosen columns": lambda A: A[:, [3, 0]].array,
    "no rows": lambda A: A[0:0, :].array,
    "scaled": lambda A: A.scaled(ROWS.tree(), COLS.tree()),
    "todense": lambda A: A.todense().array,
    "inv": lambda A: inv(A).array,
    "solve": lambda A: solve(A, ROWS.tree(np.arange(4.0))),
    "solve matrix": lambda A: solve(A, A @ stored(OTHER, COLS, STATE)).dense,
    "det": det,
    "lstsq": lambda A: lstsq(A, ROWS.tree(np.ones(4)), WEIGHTS),
    "vector": lambda A: A @ COLS.tree(np.arange(4.0)),
    "sum with a dense one": lambda A: (A + full(OTHER, ROWS, COLS)).array,
    "sum to a dense one": lambda A: (full(OTHER, ROWS, COLS) + A).array,
    "product with a dense one": lambda A: (A @ full(OTHER, COLS, STATE)).array,
    "product to a dense one": lambda A: (full(OTHER, STATE, ROWS) @ A).array,
}


@pytest.mark.parametrize("name", BECOMES_DENSE)
def test_what_becomes_dense(name):
    found = BECOMES_DENSE[name](stored(NUMBERS, ROWS, COLS))
    expected = BECOMES_DENSE[name](full(NUMBERS, ROWS, COLS))
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for mine, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert_numbers(mine, theirs, 1e-5)


SQUARE = {
    "trace": (trace, NUMBERS, RATE, STATE),
    "eigvals": (eigvals, np.diag([1.0, 2, 3, 4]), RATE, STATE),
    "cholesky": (lambda C: cholesky(C).array, SYMMETRIC, STATE, STATE.inverse()),
    "std": (lambda C: C.std(), SYMMETRIC, STATE, STATE.inverse()),
    "correlation": (lambda C: C.correlation().array, SYMMETRIC, STATE, STATE.inverse()),
    "symmetric": (
        lambda C: solve(C, STATE.tree(vector(1, 4)), assume_symmetric=True),
        SYMMETRIC,
        STATE,
        STATE.inverse(),
    ),
    "propagate": (
        lambda C: propagate(full(NUMBERS, ROWS, STATE), C).dense,
        SYMMETRIC,
        STATE,
        STATE.inverse(),
    ),
    "propagate sparse": (
        lambda C: propagate(stored(NUMBERS, ROWS, STATE), C).dense,
        SYMMETRIC,
        STATE,
        STATE.inverse(),
    ),
}


@pytest.mark.parametrize("name", SQUARE)
def test_square_ones_and_covariances(name):
    operation, numbers, rows, cols = SQUARE[name]
    found, expected = operation(stored(numbers, rows, cols)), operation(full(numbers, rows, cols))
    for mine, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert_numbers(mine, theirs, 1e-5)


def test_dtypes():
    whole = UnitMatrix(BCOO.fromdense(jnp.array([[2, 0]])), 1.0 * u.mV, [1.0, 1.0])
    assert whole.dtype == jnp.float32
    assert float(whole.to(rows="V").dense[0, 0]) == pytest.approx(0.002)
    half = UnitMatrix(BCOO.fromdense(jnp.array([[1e-3]], jnp.float16)), 1.0 * u.volt, 1.0)
    assert half.to(rows="uV").dtype == jnp.float16
    assert float(half.to(rows="uV").dense[0, 0]) == pytest.approx(1000.0, rel=1e-2)


KEEPS_PLACES = {
    "made": lambda A: A,
    "negative": lambda A: -A,
    "quotient": lambda A: A / (2.0 * u.mV),
    "other units": lambda A: A.to(rows=["V", "1"], cols=["uA", "s", "S/cm^2"]),
    "all": lambda A: A[:, :],
}


@pytest.mark.parametrize("name", KEEPS_PLACES)
@pytest.mark.parametrize("known", [True, False])
def test_what_is_known_of_the_places_is_kept(name, known):
    """Where it is forgotten, JAX sorts and adds up in the next product or sum."""
    given = BCOO.fromdense(jnp.asarray(NUMBERS))
    array = BCOO(
        (given.data, given.indices), shape=given.shape, indices_sorted=known, unique_indices=known
    )
    found = KEEPS_PLACES[name](UnitMatrix(array, ROWS.tree(), COLS.tree())).array
    assert (found.indices_sorted, found.unique_indices) == (known, known)


def test_a_part_does_not_know_its_places():
    """What is cut off stays as entries outside of the shape: neither sorted nor unique."""
    A = UnitMatrix(BCOO.fromdense(jnp.asarray(NUMBERS)), ROWS.tree(), COLS.tree())
    for found in (A["x0", :], A[1:3, 0:2]):
        assert not found.array.indices_sorted
        assert not found.array.unique_indices
        wide = jnp.arange(1.0, found.shape[1] + 1)
        assert_numbers(found.array @ wide, found.dense @ wide, 1e-6)


def test_transformations():
    A = stored(NUMBERS, ROWS, COLS)
    x = COLS.tree(np.arange(4.0))
    expected = (full(NUMBERS, ROWS, COLS) @ x)["x0"].mantissa
    assert_numbers(jax.jit(lambda A: A @ x)(A)["x0"].mantissa, expected, 1e-6)
    batch = jax.vmap(lambda k: A * k)(jnp.array([1.0, 2.0]))
    found = jax.vmap(lambda B: B @ x)(batch)["x0"].mantissa
    assert_numbers(found, np.stack([expected, 2 * expected]), 1e-6)
    with pytest.raises(ValueError, match=r"this is a batch of matrices \(4, 4\), with an array of"):
        batch @ x
    slope = jax.grad(lambda k: jnp.sum(((A * k) @ x)["x0"].mantissa))(2.0)
    assert float(slope) == pytest.approx(float(np.sum(expected)))


def test_a_large_one_is_never_made_dense():
    """A million by a million entries would not fit; a chain's fifty thousand do."""
    n = 1_000_000
    k = jnp.arange(50_000)
    array = BCOO((jnp.ones(50_000), jnp.stack([k, k + 1], axis=1)), shape=(n, n))
    A = UnitMatrix(array, jnp.zeros(n) * u.mV, jnp.zeros(n) * u.nA)
    y = ((2.0 * A).to(rows="V", cols="pA") + A).T @ (jnp.ones(n) * u.mV**-1)
    assert y.shape == (n,)
    assert "BCOO with 50,000 entries" in repr(A)
    assert A[:10, 5:20].shape == (10, 15)
    assert trace(UnitMatrix(array, jnp.zeros(n) * u.mV, jnp.zeros(n) * u.mV)) == 0.0
    assert A.T.is_sparse
