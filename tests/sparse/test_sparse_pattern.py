"""Patterns: the forms in which they are given, bands, blocks, and what does not fit."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from helpers import q
from jax.experimental.sparse import BCOO

from unitjac import sparse_jacobian
from unitjac._engine.pattern import as_pattern, joined, split
from unitjac.sparse import Pattern, banded

from .scenes import decay, diffusion, ramp, vessel

SHAPES = [(0, 0), (0, 4), (4, 0), (1, 1), (5, 5), (7, 3), (3, 7)]


def random_mask(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.random(shape) < 0.4


def assert_canonical(pattern: Pattern, mask: np.ndarray) -> None:
    """Each entry once, row by row, and no other."""
    np.testing.assert_array_equal(np.stack([pattern.rows, pattern.cols], axis=1), np.argwhere(mask))
    assert pattern.shape == mask.shape
    assert pattern.rows.dtype == pattern.cols.dtype == np.int32


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("bands", [(0, 0), (1, 1), (2, 0), (0, 3), (9, 9)], ids=str)
def test_a_band_is_what_numpy_says(shape, bands):
    lower, upper = bands
    mask = np.tril(np.triu(np.ones(shape, bool), -lower), upper)
    assert_canonical(banded(shape, lower, upper), mask)


def test_a_square_band_takes_one_number():
    assert_canonical(banded(np.int64(4), 1, 0), np.tril(np.triu(np.ones((4, 4), bool), -1)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_of_scipy(rng, shape):
    mask = random_mask(rng, shape)
    for make in (scipy.sparse.coo_array, scipy.sparse.csr_matrix, scipy.sparse.csc_array,
                 scipy.sparse.lil_array, scipy.sparse.dok_array):  # fmt: skip
        assert_canonical(as_pattern(make(mask.astype(float)), "pattern"), mask)


def test_explicit_zeros_of_scipy_count():
    stored = scipy.sparse.coo_array(([0.0, 1.0, 1.0], ([1, 0, 0], [0, 1, 1])), shape=(2, 2))
    assert_canonical(as_pattern(stored, "pattern"), np.array([[False, True], [True, False]]))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_of_dense_arrays(rng, shape):
    mask = random_mask(rng, shape)
    for given in (mask, mask * 2.5, jnp.asarray(mask), mask.astype(int)):
        assert_canonical(as_pattern(given, "pattern"), mask)


def test_of_a_bcoo(rng):
    mask = random_mask(rng, (5, 4))
    indices = rng.permutation(np.argwhere(mask))
    # twice the same entry, and padding, which lies outside
    indices = np.concatenate([indices, indices[:1], [[5, 4]]])
    given = BCOO((jnp.zeros(len(indices)), jnp.asarray(indices)), shape=(5, 4))
    assert_canonical(as_pattern(given, "pattern"), mask)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_transpose_dense_and_repr(rng, shape):
    mask = random_mask(rng, shape)
    pattern = as_pattern(mask, "pattern")
    assert_canonical(pattern.T, mask.T)
    np.testing.assert_array_equal(pattern.todense(), mask)
    assert f"{mask.sum()} entr" in repr(pattern)


def test_split_and_join(rng):
    heights, widths = [3, 0, 4, 1], [2, 5, 0]
    mask = random_mask(rng, (8, 7))
    mask[[0, 0, 3, 7, 7], [0, 2, 2, 0, 2]] = True
    mask[3:7, :2] = False  # a block without entries
    pattern = as_pattern(mask, "pattern")
    blocks = split(pattern, heights, widths)
    assert [(b.row, b.col) for b in blocks] == [(0, 0), (0, 1), (2, 1), (3, 0), (3, 1)]
    table: list[list[Pattern | None]] = [[None] * 3 for _ in range(4)]
    for block in blocks:
        np.testing.assert_array_equal(
            pattern.rows[block.entries] - [0, 3, 3, 7][block.row], block.rows
        )
        np.testing.assert_array_equal(
            pattern.cols[block.entries] - [0, 2, 7][block.col], block.cols
        )
        table[block.row][block.col] = Pattern(block.rows, block.cols, block.shape)
    assert_canonical(joined(table, heights, widths), mask)


def test_the_last_row_of_a_random_mask_is_seen(rng):
    """Blocks of one row and one column each are the entries."""
    mask = random_mask(rng, (3, 4))
    blocks = split(as_pattern(mask, "pattern"), [1] * 3, [1] * 4)
    assert [(b.row, b.col) for b in blocks] == [tuple(at) for at in np.argwhere(mask).tolist()]


# Blocks as the Jacobian has them


def test_a_tree_of_blocks():
    def ones(m, n):
        return np.ones((m, n), bool)

    # rows of A belong to the two numbers of a row of the (3, 2) arrays
    rate = {"A": banded(6, 0, 0), "B": None, "h": None, "k": ones(6, 1), "loss": None}
    pairs = np.kron(np.eye(3, dtype=bool), ones(1, 2))
    loss = scipy.sparse.csr_array(np.tile(np.eye(2), (3, 1)))
    blocks = {
        "dA": rate,
        "dB": {**rate, "B": banded(6, 0, 0), "loss": loss},
        "heat": [{"A": pairs, "B": None, "h": ones(3, 1), "k": ones(3, 1), "loss": None}],
    }
    jac = sparse_jacobian(decay, vessel(), pattern=blocks, check=True)
    dense = np.asarray(jac(vessel()).dense)
    np.testing.assert_array_equal(jac.pattern.todense(), dense != 0)


def test_none_for_a_whole_output():
    def fun(x):
        return {"constant": jnp.ones(2), "square": x**2}

    pattern = {"constant": None, "square": banded(3, 0, 0)}
    J = sparse_jacobian(fun, ramp(3), pattern=pattern, check=True)(ramp(3))
    np.testing.assert_allclose(J.dense, np.pad(np.diag(2 * np.asarray(ramp(3))), ((2, 0), (0, 0))))


# What does not fit

V, G = q(ramp(7), u.mV), q(2.0, u.nS)


@pytest.mark.parametrize(
    ("n", "lower", "upper", "kind", "text"),
    [
        (4, -1, 0, ValueError, "lower of a band must not be negative, got -1"),
        (4, 0, 1.5, TypeError, r"upper of a band must be an int, got 1.5 \(float\)"),
        (True, 0, 0, TypeError, r"n of a band must be an int, got True \(bool\)"),
        ((3, -2), 0, 0, ValueError, "n of a band must not be negative, got -2"),
    ],
)
def test_no_band(n, lower, upper, kind, text):
    with pytest.raises(kind, match=text):
        banded(n, lower, upper)


def test_of_another_shape():
    text = r"pattern must have shape \(7, 7\): a row for each number that comes .* got \(7, 6\)"
    with pytest.raises(ValueError, match=text):
        sparse_jacobian(diffusion, V, G, pattern=banded((7, 6), 1, 1))


def test_a_block_of_another_shape():
    text = (
        r"the block \(output\['b'\], argument 0\['y'\]\) of pattern must have shape \(2, 3\).* "
        r"got \(3, 3\)"
    )
    p = {"x": ramp(2), "y": ramp(3)}
    with pytest.raises(ValueError, match=text):
        sparse_jacobian(
            lambda p: {"a": p["x"], "b": p["x"] * p["y"][:2]},
            p,
            pattern={"a": None, "b": {"x": banded(2, 0, 0), "y": banded(3, 0, 0)}},
        )


def test_of_another_tree():
    text = (
        r"pattern must be one matrix, or a tree of blocks as the Jacobian has them.*For "
        r"argument 0\['x'\], argument 0\['y'\] came a dict of 'x'"
    )
    p = {"x": ramp(2), "y": ramp(2)}
    with pytest.raises(ValueError, match=text):
        sparse_jacobian(lambda p: p["x"] * p["y"], p, pattern={"x": banded(2, 0, 0)})


def test_a_leaf_that_is_no_matrix():
    text = (
        r"the block \(output, argument 0\) of pattern must be a pattern, a matrix of scipy.sparse"
    )
    with pytest.raises(TypeError, match=text):
        sparse_jacobian(diffusion, V, G, pattern="tridiagonal")


@pytest.mark.parametrize("given", [np.ones(7, bool), np.ones((7, 7, 1), bool)], ids=["1", "3"])
def test_no_matrix(given):
    with pytest.raises(ValueError, match=r"pattern must have two dimensions, both of them sparse"):
        sparse_jacobian(diffusion, V, G, pattern=given)


def test_a_bcoo_of_dense_rows():
    given = BCOO.fromdense(jnp.eye(7), n_dense=1)
    with pytest.raises(ValueError, match=r"both of them sparse, got shape \(7, 7\)"):
        sparse_jacobian(diffusion, V, G, pattern=given)


def test_a_traced_pattern():
    with pytest.raises(TypeError, match="pattern is traced, but a pattern is needed before"):
        jax.jit(lambda mask: sparse_jacobian(diffusion, V, G, pattern=mask)(V, G))(jnp.eye(7))
