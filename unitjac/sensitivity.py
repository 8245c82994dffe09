"""The sensitivities of a function's outputs to its inputs, as rows of a table.

>>> import brainunit as u
>>> from unitjac.sensitivity import sensitivity_table
>>> power = lambda p: {"P": p["U"] ** 2 / p["R"]}
>>> table = sensitivity_table(power, {"U": 6.0 * u.volt, "R": 3.0 * u.ohm})
>>> [(row.parameter, round(row.relative, 3)) for row in table.rows]
[('U', 2.0), ('R', -1.0)]

The table:

    sensitivity_table  every output by every input, at one point
    SensitivityTable   what it gives back: its rows, and a choice of them
    Sensitivity        a row: how one output answers to one input
"""

# Owns: the pairing of outputs with inputs, the relative sensitivity, the order of the rows. Never
# touches: how a derivative is computed, how a row is printed or drawn.

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import brainunit as u
import jax
import numpy as np

from . import _typed
from ._transforms.arguments import name_of
from ._transforms.jacobian import jacobian
from ._units.quantity import is_quantity, unit_ratio

__all__ = ["Sensitivity", "SensitivityTable", "sensitivity_table"]

# A `Quantity`, or a plain number where there is no dimension.
Value = Any
Path = tuple[str, ...]

_MAX_ROWS = 10_000
# No function of one number that floating point can hold is as steep: exp(x) has the relative
# sensitivity x, and leaves the range of float64 at x = 709.
_CANCELLED = 1_000.0


@dataclass(frozen=True)
class Sensitivity:
    """How one output answers to one input.

    Parameters
    ----------
    output, parameter : str
        The labels of the output and of the input.
    value : Quantity or float
        The value of the input.
    sensitivity : Quantity or float
        The derivative of the output with respect to the input, in output unit over input unit; a
        plain number where that has no dimension.
    relative : float or None
        The relative sensitivity ``p / y * dy/dp``: the change of the output in per cent for a
        change of the input by one per cent. None where the output is zero to within rounding.

    Examples
    --------
    >>> import brainunit as u
    >>> (row,) = sensitivity_table(lambda x: x**2, 3.0 * u.mV).rows
    >>> row.sensitivity, round(row.relative, 6)
    (Quantity(6., "mV"), 2.0)
    """

    output: str
    parameter: str
    value: Value
    sensitivity: Value
    relative: float | None


@dataclass(frozen=True)
class SensitivityTable:
    """The sensitivities of a function at one point.

    Parameters
    ----------
    inputs, outputs : dict
        The values of inputs and outputs by label, each a scalar in its unit, in the order in which
        they were given and returned.
    rows : tuple of Sensitivity
        Output by output; within an output from the largest relative sensitivity to the smallest,
        by absolute value.

    Examples
    --------
    >>> import brainunit as u
    >>> table = sensitivity_table(lambda p: {"P": p["U"] * p["I"] ** 2, "I": p["I"]},
    ...                           {"U": 2.0 * u.volt, "I": 4.0 * u.amp})
    >>> list(table.outputs)
    ['P', 'I']
    >>> [row.parameter for row in table.select(["P"]).top(1).rows]
    ['I']
    """

    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    rows: tuple[Sensitivity, ...]

    @property
    def cancelled(self) -> tuple[str, ...]:
        """Labels of the outputs that are a small difference of large terms.

        The largest relative sensitivity of an output says how many times its terms are as large as
        itself. Where that is more than a thousand, the terms cancel: by its slope, a change of one
        parameter by less than a thousandth takes the output to zero. Relative sensitivities
        have no unit, so that the units of inputs and outputs do not matter.

        An output that is zero, or rounding, is not among them: it has no relative sensitivity.

        Examples
        --------
        >>> import brainunit as u
        >>> table = sensitivity_table(lambda p: {"net": p["a"] - p["b"], "sum": p["a"] + p["b"]},
        ...                           {"a": 1.0 * u.nA, "b": 0.9999 * u.nA})
        >>> table.cancelled
        ('net',)
        """
        return tuple(
            output
            for output in self.outputs
            if any(abs(row.relative or 0.0) > _CANCELLED for row in self.of(output))
        )

    def of(self, output: str) -> tuple[Sensitivity, ...]:
        """The rows of one output."""
        return tuple(row for row in self.rows if row.output == output)

    def select(self, outputs: Iterable[str]) -> SensitivityTable:
        """The table of some of the outputs.

        Parameters
        ----------
        outputs : iterable of str
            Labels of outputs; the name of an array stands for all of its entries.

        Raises
        ------
        KeyError
            If there is no such output.
        """
        wanted = list(outputs)
        for name in wanted:
            if not any(_names(name, output) for output in self.outputs):
                raise KeyError(
                    f"no output {name!r}: the function returns {', '.join(self.outputs)}. "
                    "Name one of them."
                )
        kept = {o: v for o, v in self.outputs.items() if any(_names(name, o) for name in wanted)}
        rows = tuple(row for row in self.rows if row.output in kept)
        return replace(self, outputs=kept, rows=rows)

    def top(self, count: int) -> SensitivityTable:
        """The table of the first `count` rows of each output."""
        return replace(self, rows=tuple(r for o in self.outputs for r in self.of(o)[:count]))


def sensitivity_table(
    function: Callable[[Any], Any], inputs: Any, *, jit: bool = False
) -> SensitivityTable:
    """Sensitivity of every output of a function to every input, at one point.

    Entries of arrays are rows of their own, labelled with their index: ``w[0]``, ``w[1,2]``.
    Names of nested dicts are joined by dots: ``soma.g_Na``.

    Parameters
    ----------
    function : callable
        From one argument to quantities or arrays: a value, or a dict or other tree of them.
    inputs : dict
        The argument: quantities, floating-point numbers and arrays of any shapes, or a tree.
    jit : bool
        Compile the derivative as one program, which the function must allow.

    Returns
    -------
    SensitivityTable
        One row for each entry of an output and each entry of an input.

    Raises
    ------
    TypeError
        If an output is complex, or the function returns None.
    ValueError
        If the function returns no number at all, or the table would have more than 10,000 rows.

    Examples
    --------
    >>> import brainunit as u
    >>> ohm = lambda p: {"I": p["U"] / p["R"]}
    >>> table = sensitivity_table(ohm, {"U": 6.0 * u.volt, "R": 4.0 * u.ohm})
    >>> [(row.parameter, row.relative) for row in table.rows]
    [('U', 1.0), ('R', -1.0)]

    References
    ----------
    A. Saltelli et al. (2008), "Global Sensitivity Analysis: The Primer", section 1.2, where the
    relative sensitivity is called the elasticity of `y` to `p`.
    """
    paths: list[Path] = []

    @functools.wraps(function)
    def in_order(inputs: Any) -> Any:
        # JAX gives a dict back with its keys sorted; the function's own order tells a story.
        outputs = function(inputs)
        paths[:] = [path for path, _ in _leaves(outputs)]
        return outputs

    derivative = jacobian(in_order, unit_aware=True, return_value=True, jit=jit)
    # its messages advise no parameter that a table does not have
    derivative.offers, derivative.lacks = (), ("argnums", "has_aux")
    jac, value = derivative(inputs)
    blocks, values = dict(_leaves(jac)), dict(_leaves(value))
    ins = [_Entries.of(path, leaf, "input") for path, leaf in _leaves(inputs)]
    outs = [_Entries.of(path, values[path], "output") for path in paths]
    _check_size(outs, ins, function)
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
        magnitude, unit = _split(leaf)
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
    derivatives = [_split(blocks[out.path + i.path]) for i in ins]
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


def _check_size(outs: list[_Entries], ins: list[_Entries], function: Callable[..., Any]) -> None:
    sizes = [sum(entries.magnitudes.size for entries in side) for side in (outs, ins)]
    if not sizes[0]:
        raise ValueError(
            f"{name_of(function)} returns no number, so that the table has no output. Return a "
            'quantity, an array, or a dict of them, as in {"I": g * V}.'
        )
    if sizes[0] * sizes[1] > _MAX_ROWS:
        raise ValueError(
            f"{sizes[0]} outputs and {sizes[1]} inputs would make a table of "
            f"{sizes[0] * sizes[1]} rows, which is more than {_MAX_ROWS}. Summarise in the "
            "function, or use unitjac.jacobian for the arrays."
        )


def _split(leaf: Any) -> tuple[np.ndarray, u.Unit | None]:
    if is_quantity(leaf):
        return np.asarray(leaf.mantissa), leaf.unit
    return np.asarray(leaf), None


def _join(magnitude: Any, unit: u.Unit | None) -> Value:
    number = float(magnitude)
    return number if unit is None else u.Quantity(number, unit=unit)


def _index_text(index: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, index))}]" if index else ""


def _names(name: str, label: str) -> bool:
    return label == name or label.startswith((f"{name}[", f"{name}."))


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
