"""A solution: states in time, and what was done for them.

Owns: :class:`Solution` and what it says of itself. Never touches: how an equation is solved.
"""

# pyright: basic

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from unitjac._display import Displayed, Facts, Label, Number, Report, Table, number_text
from unitjac._errors import has_tracer, index_text
from unitjac._units.quantity import split, strip
from unitjac._units.unit_text import UnitTexts
from unitjac.linalg import Axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# So many rows are shown, of a result that may have any number.
_MOST = 40


@dataclass(frozen=True)
class Stats:
    """What a solve cost.

    Attributes
    ----------
    steps : int
        How many were tried.
    rejected : int
        Of these, how many were tried in vain.
    calls : int or None
        How often the right-hand side was computed; None where a solver does not say.
    """

    steps: Any
    rejected: Any
    calls: Any


@dataclass(frozen=True, repr=False)
class Solution(Displayed):
    """The states of an equation in time.

    Attributes
    ----------
    t : Quantity of shape (m,)
        The times.
    y : pytree
        As the initial state, each leaf with time as its first axis.
    outputs : pytree
        As what ``outputs=`` gave, each leaf with time as its first axis; None without.
    stats : Stats
        What it cost.
    status : int
        0 where the last time was reached, 1 where there were too many steps, 2 where no step was
        small enough.
    solver : str
        The method.
    message : str
        What became of it, in words.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.ode import solve
    >>> decay = lambda t, y, p: -y / p["tau"]
    >>> t = jnp.linspace(0.0, 20.0, 3) * u.ms
    >>> solution = solve(decay, t, 8.0 * u.mV, {"tau": 10.0 * u.ms})
    >>> bool(solution.success), solution.y.to_decimal(u.mV).round(3).tolist()[0]
    (True, 8.0)
    """

    t: Any
    y: Any
    outputs: Any
    stats: Stats
    status: Any
    solver: str
    message: str

    def __repr__(self) -> str:
        return self.to_text()

    @property
    def success(self) -> Any:
        """Whether the last time was reached."""
        return self.status == 0

    def report(self) -> Report:
        """The description that all ways of showing it share; of the states the first 40."""
        return _described(self, _MOST)

    def full_report(self) -> Report:
        """The same with all of the states."""
        return _described(self, None)

    def plot(self, *names: str, **options: Any) -> Axes:
        """Draw states, or outputs, against time, as :func:`unitjac.plot.courses` does.

        Parameters
        ----------
        names : str
            Which leaves; by default the first, and all in units of its dimension.
        **options
            Those of :func:`unitjac.plot.courses`: ``ax``, ``columns`` and others.
        """
        from unitjac.plot._courses import courses

        tree = self.y
        if names and self.outputs is not None:
            labels = Axis.of(self.y).labels
            if not any(name in labels for name in names):
                tree = self.outputs
        return courses(self.t, tree, *names, **options)


jax.tree_util.register_dataclass(Stats, data_fields=["steps", "rejected", "calls"], meta_fields=[])
jax.tree_util.register_dataclass(
    Solution,
    data_fields=["t", "y", "outputs", "stats", "status"],
    meta_fields=["solver", "message"],
)


def _described(solution: Solution, most: int | None) -> Report:
    if has_tracer((solution.t, solution.y)):
        return Report("Solution", [Facts([("solver", solution.solver), ("states", "traced")])])
    facts = facts_of(solution)
    parts: list[Any] = [Facts(facts)]
    if np.ndim(np.asarray(solution.status)) == 0:
        parts.append(course_table(solution.y, most))
        if solution.outputs is not None:
            parts.append(course_table(solution.outputs, most, "output"))
    return Report("Solution", parts)


def facts_of(solution: Solution) -> list[tuple[str, str]]:
    """Times, method and cost as names and texts."""
    times, unit = split(solution.t)
    text = UnitTexts().of(unit)
    first, last = (number_text(float(x)) for x in (times.flat[0], times.flat[-1]))
    stats = solution.stats
    status = np.asarray(solution.status)
    return [
        ("times", f"{times.shape[-1]} from {first} to {last} {text}".strip()),
        ("solver", solution.solver),
        ("steps", f"{_sum(stats.steps)}, and {_sum(stats.rejected)} tried in vain"),
        ("calls of rhs", "not known" if stats.calls is None else _sum(stats.calls)),
        ("result", solution.message if status.ndim == 0 else f"{status.size} solves"),
    ]


def _sum(count: Any) -> str:
    return str(int(np.sum(np.asarray(count))))


def course_table(tree: Any, most: int | None, title: str = "state") -> Table:
    """For each number of a tree where it begins and ends, and how far it goes."""
    axis, stripped, texts = Axis.of(tree), strip(tree), UnitTexts()
    labels, rows, units = list[str](), list[list[float]](), list[str]()
    more = 0
    for k in axis.shown:
        values = np.asarray(stripped.magnitudes[k], float)
        for index in np.ndindex(values.shape[1:]):
            if most is not None and len(rows) >= most:
                more += 1
                continue
            course = values[:, *index]
            labels.append((axis.labels[k] + index_text(index)) or "y")
            rows.append([course[0], course[-1], np.min(course), np.max(course)])
            units.append(texts.of(axis.units[k]))
    columns = [Label(title, labels)] + [
        Number(name, [row[n] for row in rows], units)
        for n, name in enumerate(("at the start", "at the end", "smallest", "largest"))
    ]
    return Table(columns, notes=[f"and {more} more"] if more else [])
