"""States against time.

Owns: which numbers of a tree are drawn together. Never touches: how a line is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from unitjac._errors import index_text
from unitjac._units.quantity import Unit, same_dimension, strip, unit_ratio
from unitjac.linalg import Axis

from ._labels import unit_label, with_unit
from ._lines import Line, draw, times_of
from ._style import Columns

if TYPE_CHECKING:
    from ._style import Axes

# So many entries of an array are drawn, evenly spread over it.
_MOST = 12


def courses(
    t: Any,
    tree: Any,
    *names: str,
    ax: Axes | None = None,
    columns: Columns = 1,
    width: Any = None,
    background: Any = None,
) -> Axes:
    """Draw the leaves of a tree against time: a line for each, named at its right end.

    Parameters
    ----------
    t : Quantity or array of shape (n,)
        Time.
    tree : pytree
        Its leaves are of shape ``(n, ...)``. Of an array of many entries twelve are drawn.
    names : str
        Which leaves are drawn; by default the first, and all in units of its dimension.
    ax, columns, width, background
        As in :func:`over_time`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, for whoever wants to add to them.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    KeyError
        If there is no such leaf.
    ValueError
        If leaves that are named are in units of different dimensions, or do not have one row for
        each time.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.plot import courses
    >>> t = jnp.linspace(0.0, 5.0, 6) * u.ms
    >>> ax = courses(t, {"V": jnp.exp(-t / u.ms) * u.mV, "m": 1 - jnp.exp(-t / u.ms)})
    >>> ax.get_xlabel(), ax.get_ylabel(), [text.get_text() for text in ax.texts]
    ('time (ms)', 'V (mV)', ['V'])
    """
    times = times_of(t)
    count = len(times.numbers)
    axis, stripped = Axis.of(tree), strip(tree)
    chosen = _chosen(axis, names)
    unit = axis.units[chosen[0]] if chosen else None
    lines = [
        line
        for k in chosen
        for line in _lines(axis, k, np.asarray(stripped.magnitudes[k], float), count, unit)
    ]
    one = axis.labels[chosen[0]] if len(chosen) == 1 else ""
    meaning = with_unit(one or "value", unit) if one or unit_label(unit) else ""
    return draw(
        times, lines, meaning, ax=ax, columns=columns, width=width, background=background,
        has_zero=False,
    )  # fmt: skip


def _chosen(axis: Axis, names: tuple[str, ...]) -> list[int]:
    shown = list(axis.shown)
    if not names:
        first = axis.units[shown[0]] if shown else None
        return [k for k in shown if same_dimension(axis.units[k], first)]
    chosen: list[int] = []
    for name in names:
        found = [k for k in shown if axis.labels[k] == name or axis.names[k][-1:] == (name,)]
        if not found:
            raise KeyError(f"there is no {name!r}: there are {', '.join(axis.shown_labels)}.")
        chosen += found
    units = [axis.units[k] for k in chosen]
    for k, unit in zip(chosen, units, strict=True):
        if not same_dimension(unit, units[0]):
            raise ValueError(
                f"{axis.labels[k]} is in {unit_label(unit) or '1'} and {axis.labels[chosen[0]]} in "
                f"{unit_label(units[0]) or '1'}: they have no common axis. Draw them one by one."
            )
    return chosen


def _lines(axis: Axis, k: int, values: np.ndarray, count: int, unit: Unit | None) -> Iterator[Line]:
    label = axis.labels[k]
    if values.ndim == 0 or len(values) != count:
        raise ValueError(
            f"{label or 'the tree'} has shape {values.shape}, but must have one row for "
            f"each of the {count} times. Time is the first axis."
        )
    values = values * unit_ratio(axis.units[k], unit).magnitude
    places: list[tuple[int, ...]] = list(np.ndindex(values.shape[1:]))
    shown: list[int] = np.linspace(0, len(places) - 1, min(_MOST, len(places)), dtype=int).tolist()
    for n in sorted(set(shown)):
        index: tuple[int, ...] = places[n]
        yield Line((label + index_text(index)) or "y", values[:, *index])
