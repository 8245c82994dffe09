"""Sparsity patterns: which entries of a matrix may be other than zero.

Owns: :class:`Pattern`, the forms in which one is given by hand, how blocks are joined to one and
found in one again. Never touches: values of entries, derivatives, trees of the user.

Everything here is plain NumPy and happens before numbers flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental.sparse import BCOO

from unitjac import _typed
from unitjac._errors import as_int, has_tracer


@dataclass(frozen=True, eq=False)
class Pattern:
    """The entries of a matrix that may be other than zero.

    Attributes
    ----------
    rows, cols : int32 array of shape (nse,)
        Where the entries stand, row by row, each once.
    shape : tuple of int
        How many rows and columns the matrix has.

    Examples
    --------
    >>> from unitjac.sparse import banded
    >>> pattern = banded(3, lower=1, upper=0)
    >>> pattern
    <pattern of 3 x 3, 5 entries>
    >>> pattern.todense().astype(int).tolist()
    [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    """

    rows: np.ndarray
    cols: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def at(cls, rows: Any, cols: Any, shape: tuple[int, int]) -> Pattern:
        """The pattern of entries named in any order; one named twice counts once."""
        keys = np.sort(np.asarray(rows, np.int64) * shape[1] + np.asarray(cols, np.int64))
        keys = keys[np.diff(keys, prepend=-1) > 0]  # np.unique takes ten times as long
        # a matrix without columns has no entries, and cannot divide by their number
        rows, cols = np.divmod(keys, max(shape[1], 1))
        return cls(rows.astype(np.int32), cols.astype(np.int32), shape)

    @property
    def nse(self) -> int:
        """How many entries may be other than zero."""
        return len(self.rows)

    @property
    def T(self) -> Pattern:
        """The pattern of the transpose."""
        return Pattern.at(self.cols, self.rows, (self.shape[1], self.shape[0]))

    def todense(self) -> np.ndarray:
        """The pattern as an array of bools."""
        dense = np.zeros(self.shape, bool)
        dense[self.rows, self.cols] = True
        return dense

    def __repr__(self) -> str:
        m, n = self.shape
        return f"<pattern of {m:,} x {n:,}, {self.nse:,} entr{'y' if self.nse == 1 else 'ies'}>"


class Block(NamedTuple):
    """A part of a pattern: rows and columns count from its corner.

    ``entries`` says which entries of the whole pattern these are.
    """

    row: int
    col: int
    entries: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    shape: tuple[int, int]


def is_matrix(given: Any) -> bool:
    """Whether ``given`` is one matrix, and not a tree of them."""
    return (
        isinstance(given, Pattern | BCOO | np.ndarray | jax.Array)
        or callable(getattr(given, "tocoo", None))  # of scipy.sparse, in any of its formats
    )


def as_pattern(given: Any, where: str) -> Pattern:
    """The pattern that a matrix has.

    Parameters
    ----------
    given : Pattern, scipy.sparse matrix or array, BCOO, or dense array
        What is stored in a sparse matrix counts, explicit zeros too; in a dense one, what is
        not zero.
    where : str
        What messages call it.

    Raises
    ------
    TypeError
        If it is none of these, or is traced.
    ValueError
        If it does not have two dimensions.
    """
    if isinstance(given, Pattern):
        return given
    if not is_matrix(given):
        raise TypeError(
            f"{where} must be a pattern, a matrix of scipy.sparse, a BCOO or a dense array, got "
            f"{given!r} ({type(given).__name__}). Write unitjac.sparse.banded(n, lower, upper), or "
            "an array of bools."
        )
    if has_tracer(given):
        raise TypeError(
            f"{where} is traced, but a pattern is needed before numbers flow. Make the plan "
            "outside of the transformed function."
        )
    if np.ndim(given) != 2 or (isinstance(given, BCOO) and given.n_sparse != 2):
        raise ValueError(
            f"{where} must have two dimensions, both of them sparse, got shape "
            f"{tuple(np.shape(given))}."
        )
    return _of_matrix(given)


def banded(n: int | tuple[int, int], lower: int, upper: int) -> Pattern:
    """A band about the diagonal: entry (i, j) with ``-lower <= j - i <= upper``.

    Parameters
    ----------
    n : int or tuple of int
        How many rows and columns; one number where they are as many.
    lower, upper : int
        How many diagonals below and above the main one.

    Returns
    -------
    Pattern

    Raises
    ------
    TypeError
        If one of them is no int.
    ValueError
        If one of them is negative.

    Examples
    --------
    >>> from unitjac.sparse import banded
    >>> banded(100_000, 1, 1)  # each compartment and its neighbours
    <pattern of 100,000 x 100,000, 299,998 entries>
    >>> banded((2, 3), 0, 1).todense().astype(int).tolist()
    [[1, 1, 0], [0, 1, 1]]
    """
    m, k = n if isinstance(n, tuple) else (n, n)
    m, k, lower, upper = (
        _size(value, name)
        for value, name in ((m, "n"), (k, "n"), (lower, "lower"), (upper, "upper"))
    )
    lower, upper = min(lower, max(m - 1, 0)), min(upper, max(k - 1, 0))
    rows, steps = np.broadcast_arrays(np.arange(m)[:, None], np.arange(-lower, upper + 1))
    cols = rows + steps
    inside = (cols >= 0) & (cols < k)
    return Pattern(rows[inside].astype(np.int32), cols[inside].astype(np.int32), (m, k))


def joined(blocks: Sequence[Sequence[Pattern | None]], heights: Any, widths: Any) -> Pattern:
    """The pattern that is made of blocks; None is a block of zeros."""
    tops, lefts = (
        np.concatenate([[0], np.cumsum(sizes, dtype=int)]) for sizes in (heights, widths)
    )
    rows, cols = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for line, top in zip(blocks, tops[:-1], strict=True):
        for block, left in zip(line, lefts[:-1], strict=True):
            if block is not None:
                rows.append(block.rows + top)
                cols.append(block.cols + left)
    shape = int(tops[-1]), int(lefts[-1])
    return Pattern.at(np.concatenate(rows), np.concatenate(cols), shape)


def split(pattern: Pattern, heights: Sequence[int], widths: Sequence[int]) -> list[Block]:
    """The blocks of a pattern that have entries, row by row."""
    tops, lefts = (np.cumsum(sizes, dtype=int) for sizes in (heights, widths))
    row = np.searchsorted(tops, pattern.rows, side="right")
    col = np.searchsorted(lefts, pattern.cols, side="right")
    number = row * len(widths) + col
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    blocks: list[Block] = []
    for entries in np.split(order, starts[1:]) if pattern.nse else []:
        i, j = divmod(int(number[entries[0]]), len(widths))
        blocks.append(
            Block(
                i,
                j,
                entries,
                pattern.rows[entries] - (tops[i] - heights[i]),
                pattern.cols[entries] - (lefts[j] - widths[j]),
                (heights[i], widths[j]),
            )
        )
    return blocks


def stable_order(keys: np.ndarray) -> np.ndarray:
    """What sorts keys that are not negative, and leaves equal ones in order.

    By 16 bits at a time: numbers of so many bits NumPy sorts ten times as fast.
    """
    low = (keys & 0xFFFF).astype(np.uint16)
    order = np.argsort(low, kind="stable")
    if keys.max(initial=0) > 0xFFFF:
        high = (keys[order] >> 16).astype(np.uint16)
        order = order[np.argsort(high, kind="stable")]
    return order


def _of_matrix(given: Any) -> Pattern:
    m, n = np.shape(given)
    if isinstance(given, BCOO):
        rows, cols = np.asarray(given.indices, np.int64).reshape(-1, 2).T
        inside = (rows < m) & (cols < n)  # a BCOO is padded with indices that lie outside
        return Pattern.at(rows[inside], cols[inside], (m, n))
    if _typed.is_a(given, np.ndarray | jax.Array):
        rows, cols = np.nonzero(np.asarray(given))
        return Pattern.at(rows, cols, (m, n))
    coo = given.tocoo()
    return Pattern.at(coo.row, coo.col, (m, n))


def _size(value: Any, name: str) -> int:
    size = as_int(value)
    if size is None:
        raise TypeError(
            f"{name} of a band must be an int, got {value!r} ({type(value).__name__}). Write "
            "banded(100, lower=1, upper=1)."
        )
    if size < 0:
        raise ValueError(
            f"{name} of a band must not be negative, got {size}. Write banded(100, lower=1, "
            "upper=1) for the main diagonal and one on each side."
        )
    return size
