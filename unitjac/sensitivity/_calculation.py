"""The sensitivities of a function's outputs to its inputs, as rows of a table.

Owns: the pairing of outputs with inputs, the relative sensitivity, the order of the rows. Never
touches: how a derivative is computed, what is said of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import brainunit as u
import jax
import numpy as np

from unitjac import _typed
from unitjac._transforms.arguments import name_of
from unitjac._transforms.jacobian import jacobian
from unitjac._units.quantity import split, unit_ratio

from ._keywords import of_a_dict, with_defaults
from ._table import Sensitivity, SensitivityTable, Value

__all__ = ["sensitivity_table", "table_of"]

Path = tuple[str, ...]

_MAX_ROWS = 10_000


def sensitivity_table(
    function: Callable[[Any], Any], inputs: Any, *, jit: bool = False
) -> SensitivityTable:
    """Sensitivity of every output of a function to every input, at one point.

    Entries of arrays are rows of their own, labelled with their index: ``w[0]``, ``w[1,2]``.
    Names of nested dicts are joined by dots: ``soma.g_Na``.

    Parameters
    ----------
    function : callable
        From one argument to quantities or arrays: a value, or a dict or other tree of them. Or from
        an argument by name for each parameter; defaults that are quantities are parameters too.
    inputs : dict
        The argument: quantities, floating-point numbers and arrays of any shapes, or a tree. For a
        function of names a dict of them.
    jit : bool
        Compile the derivative as one program, which the function must allow.

    Returns
    -------
    SensitivityTable
        One row for each entry of an output and each entry of an input.

    Raises
    ------
    TypeError
        If an output is complex, the function returns None, or it does not take the inputs.
    ValueError
        If the function returns no number at all, or the table would have more than 10,000 rows.

    Examples
    --------
    >>> import brainunit as u
    >>> ohm = lambda p: {"I": p["U"] / p["R"]}
    >>> table = sensitivity_table(ohm, {"U": 6.0 * u.volt, "R": 4.0 * u.ohm})
    >>> [(row.parameter, row.relative) for row in table.rows]
    [('U', 1.0), ('R', -1.0)]
    >>> by_name = sensitivity_table(lambda U, R=4.0 * u.ohm: U / R, {"U": 6.0 * u.volt})
    >>> [row.parameter for row in by_name.rows]
    ['U', 'R']

    References
    ----------
    A. Saltelli et al. (2008), "Global Sensitivity Analysis: The Primer", section 1.2, where the
    relative sensitivity is called the elasticity of `y` to `p`.
    """
    inputs = with_defaults(function, inputs)
    call = of_a_dict(function, inputs)
    derivative = jacobian(call, unit_aware=True, return_value=True, jit=jit)
    # its messages advise no parameter that a table does not have
    derivative.offers, derivative.lacks = (), ("argnums", "has_aux")
    jac, value = derivative(inputs)
    return table_of(value, inputs, jac, name_of(function))


def table_of(value: Any, inputs: Any, jac: Any, name: str = "the function") -> SensitivityTable:
    """The table of derivatives that are there already.

    Parameters
    ----------
    value : pytree
        The outputs.
    inputs : pytree
        What they were differentiated by.
    jac : pytree
        Blocks ``jac[output][input]``.
    name : str
        What the function is called in messages.

    Raises
    ------
    TypeError, ValueError
        As in :func:`sensitivity_table`.

    Examples
    --------
    >>> import brainunit as u
    >>> block = {"U": {"I": 3.0 * u.ohm}}
    >>> table_of({"U": 6.0 * u.volt}, {"I": 2.0 * u.amp}, block)["U", "I"].relative
    1.0
    """
    blocks = dict(_leaves(jac))
    ins = [_Entries.of(path, leaf, "input") for path, leaf in _leaves(inputs)]
    outs = [_Entries.of(path, leaf, "output") for path, leaf in _leaves(value)]
    _check_size(outs, ins, name)
    rows = [row for o in outs for row in _rows_of(o, ins, blocks)]
    return SensitivityTable(_scalars(ins), _scalars(outs), tuple(rows))


@dataclass(frozen=True)
class _Entries:
    """The entries of one leaf: their labels, and their magnitudes flattened."""

    path: Path
    labels: list[str]
    magnitudes: np.ndarray
    unit: u.Unit | None

    @staticmethod
    def of(path: Path, leaf: Any, root: str) -> _Entries:
        magnitude, unit = split(leaf)
        name = ".".join(path) or root
        labels = [name + _index_text(index) for index in np.ndindex(magnitude.shape)]
        if np.iscomplexobj(magnitude):
            raise TypeError(
                f"{root} {name!r} is complex ({magnitude.dtype}), and a relative sensitivity is "
                "real. Return its real and its imaginary part, or its absolute value."
            )
        return _Entries(path, labels, magnitude.ravel(), unit)

    def value(self, k: int) -> Value:
        return _join(self.magnitudes[k], self.unit)


def _rows_of(out: _Entries, ins: list[_Entries], blocks: Mapping[Path, Any]) -> list[Sensitivity]:
    derivatives = [split(blocks[out.path + i.path]) for i in ins]
    rows: list[Sensitivity] = []
    for k, output in enumerate(out.labels):
        group = [
            Sensitivity(output, label, i.value(j), _join(slope, unit), relative)
            for i, (block, unit) in zip(ins, derivatives, strict=True)
            for j, (label, slope, relative) in enumerate(
                zip(i.labels, *_slopes(out, i, block, unit, k), strict=True)
            )
        ]
        rows += _sorted(group, float(_typed.finfo(out.magnitudes.dtype).eps))
    return rows


def _slopes(
    out: _Entries, i: _Entries, block: np.ndarray, unit: u.Unit | None, k: int
) -> tuple[np.ndarray, list[float | None]]:
    """Derivatives of the k-th entry of an output, and the relative ones."""
    slopes = block.reshape(out.magnitudes.size, i.magnitudes.size)[k]
    # A block without dimension is scaled to the number one, while the values are not.
    scale = 1.0 if unit is not None else float(unit_ratio(out.unit, i.unit).magnitude)
    with np.errstate(all="ignore"):
        relative = i.magnitudes * (slopes / scale) / out.magnitudes[k]
    # Adding 0.0 makes a zero of a negative one.
    return slopes + 0.0, [float(r) + 0.0 if np.isfinite(r) else None for r in relative]


def _sorted(group: list[Sensitivity], eps: float) -> list[Sensitivity]:
    """From the largest to the smallest; without relative ones where the output is only rounding.

    An output is only rounding where a change of one input by its last bit already changes it by a
    hundredth of itself: a difference of near-equal numbers, such as a current at rest.
    """
    largest = max((abs(row.relative) for row in group if row.relative is not None), default=0.0)
    if largest * eps > 0.01:
        return [replace(row, relative=None) for row in group]
    return sorted(group, key=lambda row: (row.relative is None, -abs(row.relative or 0.0)))


def _scalars(entries: Iterable[_Entries]) -> dict[str, Value]:
    return {label: e.value(k) for e in entries for k, label in enumerate(e.labels)}


def _check_size(outs: list[_Entries], ins: list[_Entries], name: str) -> None:
    sizes = [sum(entries.magnitudes.size for entries in side) for side in (outs, ins)]
    if not sizes[0]:
        raise ValueError(
            f"{name} returns no number, so that the table has no output. Return a "
            'quantity, an array, or a dict of them, as in {"I": g * V}.'
        )
    if sizes[0] * sizes[1] > _MAX_ROWS:
        raise ValueError(
            f"{sizes[0]} outputs and {sizes[1]} inputs would make a table of "
            f"{sizes[0] * sizes[1]} rows, which is more than {_MAX_ROWS}. Summarise in the "
            "function, or use unitjac.jacobian for the arrays."
        )


def _join(magnitude: Any, unit: u.Unit | None) -> Value:
    number = float(magnitude)
    return number if unit is None else u.Quantity(number, unit=unit)


def _index_text(index: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, index))}]" if index else ""


def _leaves(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Leaves with their paths, dicts in their own order."""
    if isinstance(tree, u.Quantity):
        yield path, tree
        return
    children = _children(tree)
    if children is None:
        yield path, tree
        return
    for key, child in children:
        yield from _leaves(child, (*path, key))


def _children(tree: Any) -> list[tuple[str, Any]] | None:
    if _typed.is_a(tree, dict):
        return [(str(key), child) for key, child in tree.items()]

    def is_child(node: Any) -> bool:
        return node is not tree

    pairs, _ = _typed.flatten_with_path(tree, is_leaf=is_child)
    if len(pairs) == 1 and not pairs[0][0]:
        return None
    return [(jax.tree_util.keystr(key, simple=True, separator="."), child) for key, child in pairs]
