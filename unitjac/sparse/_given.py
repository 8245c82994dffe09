"""A pattern as the user gives it: one matrix, or a tree of blocks.

Owns: the way from a tree of blocks to one pattern, and what is said where it does not fit.
Never touches: the search for patterns, colours, values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from unitjac import _typed
from unitjac._engine.pattern import Pattern, as_pattern, is_matrix, joined

from ._side import Side


def given_pattern(given: Any, rows: Side, cols: Side) -> Pattern:
    """The pattern of a matrix with these rows and columns.

    Parameters
    ----------
    given : Pattern, scipy.sparse matrix, BCOO, dense array, or a tree of them
        One matrix for all, or blocks as the Jacobian has them: the tree of the outputs outside,
        the tree of the inputs inside; None is a block of zeros.
    rows, cols : Side
        The leaves along the rows and the columns.

    Raises
    ------
    ValueError
        If the tree or a shape is another one.
    TypeError
        If a leaf is no matrix.
    """
    if is_matrix(given):
        return _checked(as_pattern(given, "pattern"), (rows.axis.size, cols.axis.size), "pattern")
    blocks: list[list[Pattern | None]] = []
    for row, m, line in zip(rows.labels, rows.axis.sizes, _like(rows, given), strict=True):
        found = [None] * len(cols.labels) if line is None else _like(cols, line)
        blocks.append(
            [
                block if block is None else _block(block, (m, n), row, col)
                for block, col, n in zip(found, cols.labels, cols.axis.sizes, strict=True)
            ]
        )
    return joined(blocks, rows.axis.sizes, cols.axis.sizes)


def check_symmetric(pattern: Pattern, side: Side) -> None:
    """Raise a ValueError where an entry is there and its mirror image is not."""
    n = pattern.shape[1]
    rows, cols = pattern.rows.astype(np.int64), pattern.cols.astype(np.int64)
    entries, mirrored = rows * n + cols, cols * n + rows
    found = np.searchsorted(entries, mirrored)
    alone = np.flatnonzero(entries[np.minimum(found, pattern.nse - 1)] != mirrored)
    if alone.size:
        i, j = (side.place(int(k[alone[0]])) for k in (rows, cols))
        raise ValueError(
            f"the pattern of a Hessian is symmetric, but entry ({i}, {j}) is in it and ({j}, {i}) "
            "is not. Write pattern + pattern.T where it is a matrix of scipy.sparse."
        )


def _like(side: Side, tree: Any) -> list[Any]:
    try:
        return side.axis.treedef.flatten_up_to(tree)
    except (ValueError, TypeError) as error:
        raise ValueError(
            "pattern must be one matrix, or a tree of blocks as the Jacobian has them, with None "
            f"for a block of zeros. For {', '.join(side.shown_labels)} came {_short(tree)}."
        ) from error


def _short(tree: Any) -> str:
    if _typed.is_a(tree, dict):
        return f"a dict of {', '.join(map(repr, tree))}"
    return f"a {type(tree).__name__}"


def _block(given: Any, shape: tuple[int, int], row: str, col: str) -> Pattern:
    where = f"the block ({row}, {col}) of pattern"
    return _checked(as_pattern(given, where), shape, where)


def _checked(pattern: Pattern, shape: tuple[int, int], where: str) -> Pattern:
    if pattern.shape != shape:
        raise ValueError(
            f"{where} must have shape {shape}: a row for each number that comes out, a column for "
            f"each that goes in; got {pattern.shape}."
        )
    return pattern
