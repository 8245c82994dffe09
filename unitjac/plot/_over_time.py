"""Blocks against time.

Owns: which blocks are drawn, and in which unit. Never touches: derivatives, how a line is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unitjac._errors import index_text
from unitjac._units.quantity import (
    Unit,
    attach,
    same_dimension,
    split,
    strip,
    unit_ratio,
)
from unitjac.linalg import Axis

from ._labels import unit_label, with_unit
from ._lines import Line, draw, times_of
from ._style import Columns

if TYPE_CHECKING:
    from ._style import Axes

Name = tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    output: str
    parameter: str
    values: np.ndarray
    unit: Unit | None


def over_time(
    t: Any,
    blocks: Any,
    *,
    outputs: str | Iterable[str] | None = None,
    relative: tuple[Any, Any] | None = None,
    ax: Axes | None = None,
    columns: Columns = 1,
    width: Any = None,
    background: Any = None,
) -> Axes:
    """Draw blocks against time: a line for each entry of a parameter, named at its right end.

    Parameters
    ----------
    t : Quantity or array of shape (n,)
        Time.
    blocks : dict
        ``blocks[output][parameter]``, derivatives of shape ``(n, ...)``, in output unit over
        parameter unit.
    outputs : str or iterable of str, optional
        Which outputs are drawn; by default all.
    relative : tuple, optional
        The pair ``(parameters, outputs)``: parameters of shape ``(...)``, outputs of shape
        ``(n,)``, as dicts with the keys of the blocks. Then ``p / y * dy/dp`` is drawn, in per
        cent for one per cent. A line is interrupted where the output goes through zero.
    ax : matplotlib.axes.Axes, optional
        Where it is drawn; by default in a new figure.
    columns : {1, 2}
        Width of a new figure in columns of a paper: 85 mm or 175 mm.
    width : Quantity or float, optional
        Width of a new figure; a plain number is in millimetres.
    background : color, optional
        What is behind the picture. By default that of `ax`. A new figure is transparent, with ink
        that is readable on white and on dark alike, unless a style sheet is in use.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, for whoever wants to add to them.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    KeyError
        If there is no such output, or `relative` lacks a value.
    ValueError
        If blocks are in units of different dimensions, or do not have one row for each time.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.plot import over_time
    >>> t = jnp.linspace(0.0, 5.0, 6) * u.ms
    >>> ax = over_time(t, {"V": {"E": jnp.exp(-t / u.ms), "V_0": 1 - jnp.exp(-t / u.ms)}})
    >>> ax.get_xlabel(), [text.get_text() for text in ax.texts]
    ('time (ms)', ['E', 'V_0'])
    """
    times = times_of(t)
    count = len(times.numbers)
    lines = _in_one_unit(list(_lines(blocks, _wanted(blocks, outputs), count, relative)))
    one = len({line.output for line in lines}) == 1
    return draw(
        times,
        [Line(x.parameter if one else f"{x.output} by {x.parameter}", x.values) for x in lines],
        _meaning(lines, relative is not None),
        ax=ax,
        columns=columns,
        width=width,
        background=background,
    )


def _wanted(blocks: Any, outputs: str | Iterable[str] | None) -> list[str]:
    there = [str(name) for name in blocks]
    if outputs is None:
        return there
    wanted = [outputs] if isinstance(outputs, str) else list(outputs)
    for name in wanted:
        if name not in there:
            raise KeyError(f"no blocks of {name!r}: there are those of {', '.join(there)}.")
    return wanted


def _lines(
    blocks: Any, outputs: list[str], count: int, relative: tuple[Any, Any] | None
) -> Iterator[_Line]:
    by_name = {str(name): tree for name, tree in blocks.items()}
    for output in outputs:
        stripped = strip(by_name[output])
        axis = Axis.of(by_name[output])
        for k in axis.shown:
            name, unit = axis.labels[k], stripped.units[k]
            values = np.asarray(stripped.magnitudes[k], float)
            if values.ndim == 0 or len(values) != count:
                raise ValueError(
                    f"the block of {output!r} by {name!r} must have one row for each of the "
                    f"{count} times, got shape {values.shape}. Time is the first axis."
                )
            if relative is not None:
                values, unit = _relative(values, unit, output, name, relative), None
            for index in np.ndindex(values.shape[1:]):
                yield _Line(output, name + index_text(index), values[:, *index], unit)


def _relative(
    block: np.ndarray, unit: Unit | None, output: str, name: str, relative: tuple[Any, Any]
) -> np.ndarray:
    """``p / y * dy/dp``, nan where y goes through zero."""
    p, p_unit = split(_value(relative[0], name, "parameter"))
    y, y_unit = split(_value(relative[1], output, "output"))
    scale = unit_ratio(unit_ratio(y_unit, p_unit), unit).magnitude
    y = y.astype(float).reshape(-1, *[1] * (block.ndim - 1))
    with np.errstate(all="ignore"):
        found = p / y * block / scale
    through = np.zeros(len(y), bool)
    through[1:] = np.ravel(np.sign(y[1:]) != np.sign(y[:-1]))
    found[through | ~np.isfinite(found).reshape(len(y), -1).all(axis=1)] = np.nan
    return found


def _value(tree: Any, name: str, kind: str) -> Any:
    stripped, labels = strip(tree), Axis.of(tree).labels
    if name not in labels:
        raise KeyError(
            f"relative has no value of {kind} {name!r}: there are {', '.join(labels)}. Give the "
            "pair (parameters, outputs) with the keys of the blocks."
        )
    k = labels.index(name)
    return attach(stripped.magnitudes[k], stripped.units[k])


def _in_one_unit(lines: list[_Line]) -> list[_Line]:
    """All lines in the unit of the first."""
    if not lines:
        raise ValueError("there is no block to draw. Give blocks[output][parameter].")
    unit = lines[0].unit
    for line in lines:
        if not same_dimension(line.unit, unit):
            first = lines[0]
            raise ValueError(
                f"blocks of different dimensions have no common axis: {first.output} by "
                f"{first.parameter} is in {unit_label(first.unit) or '1'}, {line.output} by "
                f"{line.parameter} in {unit_label(line.unit) or '1'}. Write "
                "relative=(parameters, outputs), or draw those of one unit."
            )
    return [
        _Line(
            line.output,
            line.parameter,
            line.values * unit_ratio(line.unit, unit).magnitude,
            unit,
        )
        for line in lines
    ]


def _meaning(lines: list[_Line], is_relative: bool) -> str:
    names = {line.output for line in lines}
    output = names.pop() if len(names) == 1 else ""
    if is_relative:
        return f"% of {output or 'the output'} for 1 % of the parameter"
    return with_unit(f"d {output}/d parameter" if output else "derivative", lines[0].unit)
