"""The search for entries: groups of columns that a row depends on are halved, level by level.

Owns: the search, and its colours. Never touches: how a push is made.

It begins with about 32 groups. Groups that share a row get different colours, so that a level
takes a handful of pushes however many groups there are; at the last level each group is one
column. Rows that depend on nearly everything would force a colour for each group: they are
taken out, and pulled, one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .pattern import stable_order
from .pushes import CHUNK, Pushes
from .seeds import sizes

DIRECT = 64
"""With so few numbers on one side, each of them is a seed."""

# What a pull of a row costs, in pushes; and how many rows are pulled at most.
_PULL = 2
_MOST_PULLED = 4096


class Search:
    """The entries of a pattern, as pairs of a row and a group of columns that is halved.

    Attributes
    ----------
    rows, groups : int32 array of shape (k,)
        The pairs, row by row.
    bounds : int array
        Where each group begins, and the last one ends.
    """

    rows: np.ndarray
    groups: np.ndarray
    bounds: np.ndarray

    def __init__(self, pushes: Pushes, back: Callable[[int], Pushes | None]):
        self.pushes = pushes
        self.back = back
        self.pulled = np.empty(0, np.int64)
        self.is_exact = True  # no pair is there by another group of its colour
        self.parents: tuple[np.ndarray, int] | None = None  # the last colouring, if proper
        self.rng = np.random.default_rng(0)

    def run(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows and the columns of the entries."""
        n = self.pushes.n
        if n <= DIRECT:
            return self._asked(np.arange(n), n)
        self.bounds = _first_bounds(sizes(self.pushes.ins), n)
        first = np.repeat(np.arange(len(self.bounds) - 1), self.widths)
        self._keep(*self._asked(first, len(self.bounds) - 1))
        while self.widths.max() > 1:
            self._take_full_rows_out()
            children = _halved(self.rows, self.groups, self.bounds)
            if not self._ask_children(children):
                self._ask_columns()
        cols = self.bounds[self.groups]
        if not self.is_exact:
            self.rows, cols = self._confirmed(self.rows, cols)
        return self._with_pulled(self.rows, cols)

    @property
    def widths(self) -> np.ndarray:
        """How many columns each group has."""
        return np.diff(self.bounds)

    def _keep(self, rows: np.ndarray, groups: np.ndarray) -> None:
        order = stable_order(rows)
        self.rows, self.groups = rows[order].astype(np.int32), groups[order].astype(np.int32)

    def _asked(self, groups: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """All pairs of a row and a group that it depends on."""
        rows, found = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
        for start, depends in self.pushes(groups, count):
            group, row = np.nonzero(depends)
            rows.append(row.astype(np.int32))
            found.append((group + start).astype(np.int32))
        return np.concatenate(rows), np.concatenate(found)

    def _answers(
        self, groups: np.ndarray, count: int, rows: np.ndarray, colours: np.ndarray
    ) -> np.ndarray:
        """Whether each row depends on the columns of a colour, pair by pair."""
        order = stable_order(colours)
        by_colour = colours[order]
        answers = np.zeros(len(rows), bool)
        for start, depends in self.pushes(groups, count):
            mine = slice(*np.searchsorted(by_colour, [start, start + len(depends)]))
            answers[order[mine]] = depends[by_colour[mine] - start, rows[order[mine]]]
        return answers

    def _take_full_rows_out(self) -> None:
        """Leave those rows for pulls that would force more pushes."""
        counts = np.bincount(self.rows, minlength=self.pushes.m)
        levels = int(np.ceil(np.log2(self.widths.max())))
        fullest = np.argsort(-counts, kind="stable")[: _MOST_PULLED + 1]
        left = np.append(counts[fullest], 0)[: len(fullest)] if len(fullest) else counts
        cost = _PULL * np.arange(len(left)) + 2 * levels * left
        best = int(np.argmin(cost))
        if not best or cost[best] >= 0.7 * cost[0]:
            return
        out = np.zeros(self.pushes.m, bool)
        out[fullest[:best]] = True
        self.pulled = np.concatenate([self.pulled, fullest[:best]])
        stay = ~out[self.rows]
        self.rows, self.groups = self.rows[stay], self.groups[stay]

    def _ask_children(self, children: _Children) -> bool:
        """Go down one level, unless single columns are asked as quickly."""
        rows, groups = children.rows[children.is_new], children.groups[children.is_new]
        count = len(children.bounds) - 1
        colours, used, is_proper = self._coloured(rows, groups, children)
        asked = np.full(count, -1, np.int32)
        asked[groups] = colours[groups]
        if used > 16 and 4 * used > np.diff(children.bounds)[asked >= 0].sum():
            return False
        self.parents = (colours, used) if is_proper else None
        self.is_exact = self.is_exact and is_proper
        by_column = np.repeat(asked, np.diff(children.bounds))
        keep = np.ones(len(children.rows), bool)
        keep[children.is_new] = self._answers(by_column, used, rows, colours[groups])
        self.rows, self.groups = children.rows[keep], children.groups[keep]
        self.bounds = children.bounds
        return True

    def _coloured(
        self, rows: np.ndarray, groups: np.ndarray, children: _Children
    ) -> tuple[np.ndarray, int, bool]:
        """Colours of the new groups, how many, and whether no row has two groups of one."""
        count = len(children.bounds) - 1
        most = int(np.bincount(rows).max(initial=0))
        if self.parents is not None and 4 * self.parents[1] <= 3 * most:
            colours, used = self.parents
            # of a proper colouring, children twice as many are proper
            return (
                (2 * colours[children.parent] + children.is_second).astype(np.int32),
                2 * used,
                True,
            )
        unlike = _unlike_rows(rows, groups, count, self.rng)
        return _first_free(*unlike, count, max(8, 2 * most), self.rng)

    def _ask_columns(self) -> None:
        """Each column of a group that is left is a seed of its own."""
        owner = np.repeat(np.arange(len(self.widths)), self.widths)
        is_open = self.widths[self.groups] > 1
        wanted = np.zeros(len(self.widths), bool)
        wanted[self.groups[is_open]] = True
        columns = np.flatnonzero(wanted[owner])
        number = np.full(self.pushes.n, -1, np.int32)
        number[columns] = np.arange(len(columns))
        rows, found = self._asked(number, len(columns))
        out = np.zeros(self.pushes.m, bool)
        out[self.pulled] = True
        mine = ~out[rows]
        closed = self.rows[~is_open], self.bounds[self.groups[~is_open]]
        self.bounds = np.arange(self.pushes.n + 1)
        self._keep(
            np.concatenate([closed[0], rows[mine]]),
            np.concatenate([closed[1], columns[found[mine]]]),
        )

    def _confirmed(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Those entries that are there by themselves, and by no other of their colour."""
        if not len(rows):
            return rows, cols
        used, group = np.unique(cols, return_inverse=True)
        colours, count, _ = _first_free(rows, group.astype(np.int32), len(used))
        number = np.full(self.pushes.n, -1, np.int32)
        number[used] = colours
        stay = self._answers(number, count, rows, colours[group])
        return rows[stay], cols[stay]

    def _with_pulled(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The entries, and those of the rows that were left for pulls."""
        if not len(self.pulled):
            return rows, cols
        pulls = self.back(len(self.pulled))
        if pulls is None:
            every = np.arange(self.pushes.n)
            row, col = np.repeat(self.pulled, len(every)), np.tile(every, len(self.pulled))
            return np.concatenate([rows, row]), np.concatenate([cols, col])
        number = np.full(self.pushes.m, -1, np.int32)
        number[self.pulled] = np.arange(len(self.pulled))
        all_rows, all_cols = [rows], [cols]
        for start, depends in pulls(number, len(self.pulled)):
            group, col = np.nonzero(depends)
            all_rows.append(self.pulled[group + start])
            all_cols.append(col)
        return np.concatenate(all_rows), np.concatenate(all_cols)


@dataclass(frozen=True)
class _Children:
    """The groups one level down, and the pairs with all that may be.

    ``is_new`` marks the pairs that are not known from the level above: groups that were halved.
    """

    rows: np.ndarray
    groups: np.ndarray
    is_new: np.ndarray
    bounds: np.ndarray
    parent: np.ndarray
    is_second: np.ndarray


def _halved(rows: np.ndarray, groups: np.ndarray, bounds: np.ndarray) -> _Children:
    widths = np.diff(bounds)
    halves = np.stack([widths - widths // 2, widths // 2], axis=1).ravel()
    is_there = halves > 0
    number = np.cumsum(is_there) - 1
    kept = np.flatnonzero(is_there)
    is_split = widths[groups] > 1
    twice = 1 + is_split
    child = np.repeat(2 * groups, twice)
    ends = np.cumsum(twice)[is_split] - 1
    child[ends] += 1
    return _Children(
        rows=np.repeat(rows, twice),
        groups=number[child].astype(np.int32),
        is_new=np.repeat(is_split, twice),
        bounds=np.concatenate([[0], np.cumsum(halves[kept])]),
        parent=kept // 2,
        is_second=kept % 2,
    )


def _first_bounds(leaf_sizes: Sequence[int], n: int) -> np.ndarray:
    """Where the first groups begin and end: about 32, and where a large leaf ends, one ends."""
    width = max(1, -(-n // CHUNK))
    cuts, at, last = [0], 0, 0
    for size in leaf_sizes:
        if 2 * size >= width:
            parts = max(1, round(size / width))
            cuts += [at + size * k // parts for k in range(parts + 1)]
            last = at + size
        elif at + size - last >= width:
            last = at + size
            cuts.append(last)
        at += size
    return np.unique([*cuts, n])


def _unlike_rows(
    rows: np.ndarray, groups: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of rows that differ: rows with the same groups ask the same of colours."""
    if not len(rows):
        return rows, groups
    key = rng.integers(1, 2**63, count, dtype=np.int64)[groups]
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    sums = np.add.reduceat(key, first)
    by_sum = np.argsort(sums)
    unlike = by_sum[np.diff(sums[by_sum], prepend=-1) != 0]  # np.unique takes twice as long
    lengths = np.diff(np.append(first, len(rows)))
    chosen = np.zeros(len(first), bool)
    chosen[unlike] = True
    mine = np.repeat(chosen, lengths)
    return np.repeat(np.cumsum(chosen) - 1, lengths)[mine], groups[mine]


def _first_free(
    rows: np.ndarray,
    groups: np.ndarray,
    count: int,
    limit: int | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[np.ndarray, int, bool]:
    """The first free colour for each group; where ``limit`` are in use, any of them.

    Returns
    -------
    int32 array of shape (count,), int, bool
        The colours, how many there are, and whether no row has two groups of one colour.
    """
    order = stable_order(groups)
    rows_of: list[int] = rows[order].tolist()
    starts: list[int] = np.searchsorted(groups[order], np.arange(count + 1)).tolist()
    taken = [0] * (int(rows.max(initial=-1)) + 1)  # in each row, a bit for each colour
    colours, is_proper = np.zeros(count, np.int32), True
    any_of: list[int] = [] if rng is None else rng.integers(0, limit, count).tolist()
    for j in range(count):
        mine = rows_of[starts[j] : starts[j + 1]]
        if not mine:
            continue
        used = 0
        for i in mine:
            used |= taken[i]
        free = ~used & (used + 1)
        if limit is not None and free >> limit:
            free, is_proper = 1 << any_of[j], False
        for i in mine:
            taken[i] |= free
        colours[j] = free.bit_length() - 1
    return colours, int(colours.max(initial=0)) + 1, is_proper
