"""What a person sees of a tree of quantities: a row for each number, and the range of each array.

Owns: :func:`show`, the description of a tree. Never touches: states, derivatives, how anything is
drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _key_order, _typed
from unitjac._display import Displayed, Label, Number, Report, Section, Table, Words, value_text
from unitjac._display import Unit as UnitColumn
from unitjac._errors import array_text, has_tracer, index_text, is_arraylike
from unitjac._foreign import is_foreign

from .quantity import Unit, is_quantity
from .unit_text import UnitTexts

__all__ = ["ShownTree", "leaf_text", "leaves_of", "show", "value_or_leaf_text"]

_MOST_ROWS = 100
_WRITTEN_OUT = 6  # entries of an array; a longer one has a row of its own, with its range
_TEXTS = UnitTexts()


def show(tree: Any, rows: int | None = _MOST_ROWS) -> Displayed:
    """A tree of blocks, or of any quantities and arrays, as a table.

    In a notebook it shows itself; ``print`` and ``to_text``, ``to_html``, ``to_markdown``,
    ``to_csv`` and ``to_pandas`` give it in other forms. The keys keep the order as written.

    Parameters
    ----------
    tree : pytree
        What :func:`unitjac.jacrev` gives, or any tree of quantities, arrays and numbers of any
        shapes; tracers are shown by shape and dtype. What describes itself, such as a matrix, stays
        as it is.
    rows : int or None, default 100
        How many rows there are at most; None for all.

    Returns
    -------
    Displayed
        A row for each number, in its unit; a longer array has one row: its shape, its smallest and
        its largest entry. Data frames and comma-separated values hold each entry.

    Raises
    ------
    ValueError
        If there is to be less than one row.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> heat = lambda p: {"P": p["U"] ** 2 / p["R"], "I": p["U"] / p["R"]}
    >>> blocks = uj.jacrev(heat, unit_aware=True)({"U": 6.0 * u.volt, "R": 3.0 * u.ohm})
    >>> print(uj.show(blocks))
    4 leaves
    <BLANKLINE>
    P
      leaf   value
      U   4.000 A
      R  -4.000 A^2
    <BLANKLINE>
    I
      leaf   value
      U   0.3333 S
      R  -0.6667 A/ohm
    """
    if rows is not None and rows < 1:
        raise ValueError(f"rows must be at least 1, or None for all of them, got {rows}.")
    return tree if isinstance(tree, Displayed) else ShownTree(tree, rows)


@dataclass(frozen=True, repr=False, eq=False)
class ShownTree(Displayed):
    """A tree that describes itself; see :func:`show`.

    Attributes
    ----------
    tree : pytree
        What is shown.
    rows : int or None
        How many rows there are at most.
    title : str
        What it is; by default the number of leaves.
    """

    tree: Any
    rows: int | None = _MOST_ROWS
    title: str = ""

    def __repr__(self) -> str:
        return self.to_text()

    def report(self) -> Report:
        """The description that all ways of showing the tree share."""
        every = list(_rows(self.tree, _WRITTEN_OUT))
        return self._report(every[: self.rows], len(every))

    def full_report(self) -> Report:
        """The same with a row for each entry."""
        every = list(_rows(self.tree, None))
        return self._report(every, len(every))

    def _report(self, rows: list[_Row], count: int) -> Report:
        leaves = len(_key_order.leaves(self.tree, _is_whole))
        title = self.title or f"{leaves:,} {'leaf' if leaves == 1 else 'leaves'}"
        more = count - len(rows)
        notes = [f"and {more:,} more; show(tree, rows=None) has all"] if more else []
        return Report(title, [_table(rows, notes)] if rows else [])


@dataclass(frozen=True)
class _Row:
    """A number, or an array as a whole: what there is of it."""

    path: tuple[str, ...]
    unit: Unit | None = None
    value: Any = None
    shape: str = ""
    ends: tuple[Any, Any] = (None, None)


def _is_whole(node: Any) -> bool:
    return is_quantity(node) or is_foreign(node) or isinstance(node, Displayed)


def _rows(tree: Any, most: int | None) -> Iterator[_Row]:
    for path, leaf in _key_order.leaves(tree, _is_whole):
        yield from _rows_of(tuple(map(_key_text, path)), leaf, most)


def _rows_of(path: tuple[str, ...], leaf: Any, most: int | None) -> Iterator[_Row]:
    magnitude, unit = (leaf.mantissa, leaf.unit) if is_quantity(leaf) else (leaf, None)
    if isinstance(leaf, str | Displayed):
        yield _Row(path, shape=str(leaf).partition("\n")[0])
    elif not _has_numbers(magnitude):
        yield _Row(path, unit, shape=_array_text(magnitude))
    elif np.ndim(magnitude) == 0:
        yield _Row(path, unit, _scalar(magnitude))
    elif most is None or 0 < np.size(magnitude) <= most:
        values = np.asarray(magnitude)
        for index in np.ndindex(values.shape):
            named = (*path[:-1], (path[-1] if path else "") + index_text(index))
            yield _Row(named, unit, values[index])
    else:
        yield _Row(path, unit, shape=array_text(magnitude), ends=_ends(np.asarray(magnitude)))


def _has_numbers(magnitude: Any) -> bool:
    """Whether there are numbers to be seen: not of a tracer, nor of a block of ``float0``."""
    if not is_arraylike(magnitude) or has_tracer(magnitude):
        return False
    if isinstance(magnitude, jax.Array) and (
        magnitude.is_deleted() or not magnitude.is_fully_addressable
    ):
        return False
    dtype = np.asarray(magnitude).dtype if not hasattr(magnitude, "dtype") else magnitude.dtype
    return dtype != jax.dtypes.float0 and not jnp.issubdtype(dtype, jax.dtypes.extended)


def _array_text(magnitude: Any) -> str:
    if getattr(magnitude, "dtype", None) == jax.dtypes.float0:
        return f"float0[{','.join(map(str, np.shape(magnitude)))}]"  # NumPy has another name for it
    return array_text(magnitude)


def _ends(values: np.ndarray) -> tuple[Any, Any]:
    if not values.size:
        return None, None
    if np.iscomplexobj(values):
        return None, np.max(np.abs(values))
    if values.dtype == bool:
        values = values.astype(int)
    return np.min(values), np.max(values)  # nan where there is one


def _scalar(magnitude: Any) -> Any:
    return np.asarray(magnitude)[()]


def _key_text(key: Any) -> str:
    text = jax.tree_util.keystr((key,), simple=True)
    return f"[{text}]" if isinstance(key, jax.tree_util.SequenceKey) else text


def _table(rows: list[_Row], notes: list[str]) -> Table:
    has_sections = len(rows) > 1 and all(len(row.path) > 1 for row in rows)
    depth = 1 if has_sections else 0
    names = [".".join(row.path[depth:]).replace(".[", "[") for row in rows]
    columns = [Label("leaf", names), *_columns(rows)]
    sections = (
        [Section(key, len(list(group))) for key, group in itertools.groupby(rows, _first)]
        if has_sections
        else []
    )
    return Table(columns, sections=sections, section_title="group", notes=notes)


def _first(row: _Row) -> str:
    return row.path[0]


def _columns(rows: list[_Row]) -> Iterator[Any]:
    units = [_TEXTS.of(row.unit) for row in rows]
    values = [_number(row.value) for row in rows]
    if all(row.value is not None for row in rows):
        yield Number("value", values, units)
        return
    if any(row.value is not None for row in rows):
        yield Number("value", values, undefined="")
    for k, title in enumerate(("smallest", "largest")):
        ends = [_number(row.ends[k]) for row in rows]
        if any(end is not None for end in ends):
            yield Number(title, ends, undefined="")
    if any(units):
        yield UnitColumn("unit", units)
    yield Words("array", [row.shape for row in rows])


def _number(value: Any) -> Any:
    return int(value) if _typed.is_a(value, np.bool_) else value


def leaves_of(tree: Any) -> list[Any]:
    """The leaves in the order as written, quantities whole."""
    return [leaf for _, leaf in _key_order.leaves(tree, _is_whole)]


def leaf_text(leaf: Any) -> str:
    """What a leaf is, for a message: ``float32[3] mV``."""
    magnitude, unit = (leaf.mantissa, leaf.unit) if is_quantity(leaf) else (leaf, None)
    return f"{_array_text(magnitude)} {_TEXTS.of(unit)}".rstrip()


def value_or_leaf_text(leaf: Any) -> str:
    """A single number with its unit, ``-65 mV``; of any other leaf what it is."""
    magnitude, unit = (leaf.mantissa, leaf.unit) if is_quantity(leaf) else (leaf, None)
    if np.ndim(magnitude) or not _has_numbers(magnitude):
        return leaf_text(leaf)
    return f"{value_text(_scalar(magnitude))} {_TEXTS.of(unit)}".rstrip()
