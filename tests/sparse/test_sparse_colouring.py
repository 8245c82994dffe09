"""Colours: no two columns of one colour share a row, and there are few of them."""

import numpy as np
import pytest

from unitjac._engine.colouring import _greedy, colour, fewest
from unitjac._engine.pattern import Pattern, as_pattern, banded


def coloured(pattern: Pattern) -> tuple[np.ndarray, int]:
    return colour(pattern.rows, pattern.cols, pattern.shape[1])


def assert_proper(pattern: Pattern, colours: np.ndarray, count: int) -> None:
    """Each seed, multiplied by the pattern, meets each row at most once."""
    assert colours.shape == (pattern.shape[1],)
    assert colours.max(initial=-1) < count
    seeds = colours[:, None] == np.arange(count)
    assert np.max(pattern.todense().astype(int) @ seeds, initial=0) <= 1


@pytest.mark.parametrize("bands", [(0, 0), (1, 1), (0, 2), (3, 1)], ids=str)
@pytest.mark.parametrize("shape", [(40, 40), (40, 31), (31, 40)], ids=str)
def test_a_band_takes_as_many_as_it_is_wide(bands, shape):
    pattern = banded(shape, *bands)
    colours, count = coloured(pattern)
    assert count == sum(bands) + 1
    assert_proper(pattern, colours, count)


def test_the_fullest_row_is_the_bound(rng):
    for density in (0.02, 0.1, 0.3):
        pattern = as_pattern(rng.random((60, 80)) < density, "pattern")
        colours, count = coloured(pattern)
        least = pattern.todense().sum(axis=1).max()
        assert fewest(pattern.rows) == least <= count
        # greedily, a column is never refused more colours than it has neighbours
        neighbours = (pattern.todense().T.astype(int) @ pattern.todense()) > 0
        assert count <= neighbours.sum(axis=1).max()
        assert_proper(pattern, colours, count)


def test_a_dense_row_gives_each_column_its_own():
    mask = np.eye(30, dtype=bool)
    mask[7] = True
    mask[:, 11] = False  # a column that is not there needs none
    pattern = as_pattern(mask, "pattern")
    colours, count = coloured(pattern)
    assert count == 29
    assert_proper(pattern, colours, count)


def test_a_dense_column_takes_one_more():
    mask = np.eye(30, dtype=bool)
    mask[:, 7] = True
    pattern = as_pattern(mask, "pattern")
    colours, count = coloured(pattern)
    assert count == 2
    assert_proper(pattern, colours, count)


def test_neighbours_on_a_plate():
    """Five entries in a row, and five colours would do; greedily there are a few more."""
    at = np.arange(20 * 20).reshape(20, 20)
    mask = np.zeros((400, 400), bool)
    mask[at, at] = True
    for a, b in ((at[1:], at[:-1]), (at[:, 1:], at[:, :-1])):
        mask[a, b] = mask[b, a] = True
    pattern = as_pattern(mask, "pattern")
    colours, count = coloured(pattern)
    assert 5 <= count <= 8
    assert_proper(pattern, colours, count)


def test_the_fewer_of_two_orders(rng):
    """In order, or the fullest columns first: each of them takes fewer now and then."""
    saved = 0
    for _ in range(30):
        pattern = as_pattern(rng.random((25, 40)) < 0.15, "pattern")
        fullest_first = np.argsort(-pattern.todense().sum(axis=0), kind="stable")
        orders = np.arange(40), fullest_first
        counts = [_greedy(pattern.rows, pattern.cols, 40, order).max() + 1 for order in orders]
        colours, count = coloured(pattern)
        assert count == min(counts)
        assert_proper(pattern, colours, count)
        saved += counts[0] - count
    assert saved > 0


def test_the_same_each_time(rng):
    pattern = as_pattern(rng.random((50, 50)) < 0.1, "pattern")
    first, second = coloured(pattern)[0], coloured(pattern)[0]
    np.testing.assert_array_equal(first, second)


def test_no_entries():
    colours, count = coloured(as_pattern(np.zeros((3, 4), bool), "pattern"))
    assert (colours.tolist(), count) == ([0, 0, 0, 0], 0)
