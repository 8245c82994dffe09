"""Colours for the columns of a pattern, so that those of one colour share no row.

Owns: the colouring and its lower bound. Never touches: seeds, derivatives.

All columns of one colour are found by a single seed, since in each row at most one of them has
an entry: A. R. Curtis, M. J. D. Powell and J. K. Reid, J. Inst. Maths Applics 13 (1974) 117. The
rows of a pattern are coloured as the columns of its transpose.
"""

from __future__ import annotations

import numpy as np


def fewest(rows: np.ndarray) -> int:
    """The number of colours below which no colouring can go: the entries of the fullest row."""
    return int(np.bincount(rows).max(initial=0))


def colour(rows: np.ndarray, cols: np.ndarray, n: int) -> tuple[np.ndarray, int]:
    """A colour for each of n columns, and how many there are.

    The same pattern is always coloured the same way. Bands, dense rows and single diagonals get
    the fewest colours that there can be; other patterns are coloured greedily.

    Parameters
    ----------
    rows, cols : int array of shape (nse,)
        Where the entries stand, each once.
    n : int
        How many columns there are. Those without entries have any colour.

    Returns
    -------
    int32 array of shape (n,), int
    """
    least = fewest(rows)
    for guess in (_in_turn, _each_its_own):
        colours = guess(cols, n, least)
        if colours is not None and _is_proper(rows, cols, colours):
            return colours, least
    in_order = np.arange(n)
    colours = _greedy(rows, cols, n, in_order)
    if colours.max() + 1 > least:
        fullest_first = np.argsort(-np.bincount(cols, minlength=n), kind="stable")
        other = _greedy(rows, cols, n, fullest_first)
        colours = other if other.max() < colours.max() else colours
    return colours, int(colours.max()) + 1


def _in_turn(cols: np.ndarray, n: int, least: int) -> np.ndarray | None:
    """0, 1, 2, 0, 1, 2, ...: proper for a band."""
    return (np.arange(n) % least).astype(np.int32) if least else None


def _each_its_own(cols: np.ndarray, n: int, least: int) -> np.ndarray | None:
    """A colour for each column that has entries: the only way where one row has them all."""
    filled = np.flatnonzero(np.bincount(cols, minlength=n))
    if len(filled) != least:
        return None
    colours = np.zeros(n, np.int32)
    colours[filled] = np.arange(least)
    return colours


def _is_proper(rows: np.ndarray, cols: np.ndarray, colours: np.ndarray) -> bool:
    """Whether no row has two columns of one colour."""
    seen = np.sort(rows.astype(np.int64) * (int(colours.max()) + 1) + colours[cols])
    return not np.any(seen[1:] == seen[:-1])


def _greedy(rows: np.ndarray, cols: np.ndarray, n: int, order: np.ndarray) -> np.ndarray:
    """The first colour that is free, column by column."""
    by_column = np.argsort(cols, kind="stable")
    rows_of: list[int] = rows[by_column].tolist()
    starts = np.searchsorted(cols[by_column], np.arange(n + 1)).tolist()
    taken = [0] * (int(rows.max(initial=-1)) + 1)  # in each row, a bit for each colour
    colours = np.zeros(n, np.int32)
    for j in order.tolist():
        mine = rows_of[starts[j] : starts[j + 1]]
        used = 0
        for i in mine:
            used |= taken[i]
        free = ~used & (used + 1)
        for i in mine:
            taken[i] |= free
        colours[j] = free.bit_length() - 1
    return colours
