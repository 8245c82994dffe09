"""Sensitivities in time: blocks with units, tables, matrices, pictures.

Owns: :class:`Sensitivities` and what it says of itself. Never touches: how they were found.
"""

# pyright: basic

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._display import Displayed, Facts, Label, Number, Report, Table
from unitjac._errors import as_int, has_tracer
from unitjac._units.quantity import attach, is_quantity, split, strip, unit_ratio
from unitjac._units.unit_text import UnitTexts, unit_text
from unitjac.linalg import Axis, UnitMatrix
from unitjac.sensitivity import SensitivityTable, table_of

from ._blocks import blocks_of
from ._solution import Solution, Stats, facts_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 40


@dataclass(frozen=True)
class Part:
    """The derivatives of states or outputs by parameters or by where the states start.

    Attributes
    ----------
    of : {"y", "outputs"}
    wrt : {"params", "y0"}
    rows, cols : Axis
        Along which the last two axes of the array lie.
    array : array of shape (m, rows, columns)
    error : array of the same shape, or None
        By how much tighter tolerances change it.
    """

    of: str
    wrt: str
    rows: Axis
    cols: Axis
    array: Any
    error: Any = None


@dataclass(frozen=True, repr=False)
class Sensitivities(Displayed):
    """States in time, and their derivatives.

    Attributes
    ----------
    t, y, outputs, stats, status, success, message, solver
        As of a :class:`Solution`.
    dp, dy0 : pytree
        ``dp[state][parameter]``: blocks of shape ``(m, *state, *parameter)`` in state unit over
        parameter unit; ``dy0[state][initial state]``. None where they were not asked for.
    doutputs_dp, doutputs_dy0 : pytree
        The same of the outputs.
    params : pytree
        The parameters that the derivatives are by, None in place of what is none.
    mode : {"forward", "adjoint"}
        How they were found.
    control : {"all", "y"}
        Which errors chose the steps.

    Examples
    --------
    >>> import brainunit as u, jax.numpy as jnp
    >>> from unitjac.ode import sensitivities
    >>> decay = lambda t, y, p: {"V": -y["V"] / p["tau"]}
    >>> t = jnp.linspace(0.0, 20.0, 3) * u.ms
    >>> found = sensitivities(decay, t, {"V": 8.0 * u.mV}, {"tau": 10.0 * u.ms})
    >>> [round(row.relative, 3) for row in found.table(at=20.0 * u.ms).rows]
    [2.0]
    """

    solution: Solution
    params: Any
    start: Any
    parts: tuple[Part, ...]
    mode: str
    why: str
    control: str

    def __repr__(self) -> str:
        return self.to_text()

    @property
    def t(self) -> Any:
        """The times."""
        return self.solution.t

    @property
    def y(self) -> Any:
        """The states, each leaf with time as its first axis."""
        return self.solution.y

    @property
    def outputs(self) -> Any:
        """The outputs, each leaf with time as its first axis; None without."""
        return self.solution.outputs

    @property
    def stats(self) -> Stats:
        """What it cost."""
        return self.solution.stats

    @property
    def status(self) -> Any:
        """As of a :class:`Solution`."""
        return self.solution.status

    @property
    def success(self) -> Any:
        """Whether the last time was reached."""
        return self.solution.success

    @property
    def message(self) -> str:
        """What became of it, in words."""
        return self.solution.message

    @property
    def solver(self) -> str:
        """The method."""
        return self.solution.solver

    @property
    def dp(self) -> Any:
        """Derivatives of the states by the parameters."""
        return self._blocks("y", "params")

    @property
    def dy0(self) -> Any:
        """Derivatives of the states by where they start."""
        return self._blocks("y", "y0")

    @property
    def doutputs_dp(self) -> Any:
        """Derivatives of the outputs by the parameters."""
        return self._blocks("outputs", "params")

    @property
    def doutputs_dy0(self) -> Any:
        """Derivatives of the outputs by where the states start."""
        return self._blocks("outputs", "y0")

    @property
    def relative(self) -> Any:
        """``p / y * dy/dp`` as a tree like :attr:`dp`: per cent for one per cent; nan at y = 0."""
        part = self._part("y", "params")
        y: Any = jax.vmap(part.rows.to_vector)(self.y)
        p = part.cols.to_vector(self.params)
        elastic = part.array * p / y[..., None]
        plain = (part.rows.map_units(_none), part.cols.map_units(_none))
        return blocks_of(*plain, jnp.where(jnp.isfinite(elastic), elastic, jnp.nan))

    def describe(self) -> str:
        """How they were found, and what it cost, in a line.

        Examples
        --------
        >>> import brainunit as u, jax.numpy as jnp
        >>> from unitjac.ode import sensitivities
        >>> decay = lambda t, y, p: -y / p
        >>> t = jnp.linspace(0.0, 20.0, 3) * u.ms
        >>> sensitivities(decay, t, 8.0 * u.mV, 10.0 * u.ms).describe().partition(",")[0]
        'forward mode (1 directions; by adjoint 3 rows)'
        """
        seen = "state and sensitivities" if self.control == "all" else "the state alone"
        return (
            f"{self.mode} mode ({self.why}), by {self.solver}, {_count(self.stats.steps)} steps "
            f"controlled by {seen}"
        )

    def matrix(
        self,
        at: Any,
        of: Literal["y", "outputs"] = "y",
        wrt: Literal["params", "y0"] | None = None,
    ) -> UnitMatrix:
        """The derivatives at one time as a matrix with units.

        Parameters
        ----------
        at : Quantity or int
            One of the times, or its number.
        of, wrt
            What is differentiated, and by what; by default whatever there is.
        """
        part = self._part(of, wrt)
        return UnitMatrix(part.array[self._number(at)], part.rows, part.cols)

    def table(
        self,
        at: Any = -1,
        of: Literal["y", "outputs"] = "y",
        wrt: Literal["params", "y0"] | None = None,
    ) -> SensitivityTable:
        """The table of sensitivities at one time; by default the last.

        Parameters
        ----------
        at, of, wrt
            As in :meth:`matrix`.
        """
        part, k = self._part(of, wrt), self._number(at)
        tree = self.y if of == "y" else self.outputs
        value = jax.tree.map(lambda leaf: leaf[k], tree, is_leaf=is_quantity)
        inputs = self.params if part.wrt == "params" else self.start
        return table_of(value, inputs, blocks_of(part.rows, part.cols, part.array[k]))

    def plot(self, output: str | None = None, *, relative: bool = False, **options: Any) -> Axes:
        """Draw the sensitivities of one state or output against time, relative to its largest.

        Parameters
        ----------
        output : str, optional
            Which; by default the first state.
        relative : bool
            Draw ``p / y * dy/dp`` in place of ``p * dy/dp`` in the unit of the output.
        **options
            Those of :func:`unitjac.plot.over_time`: ``ax``, ``columns`` and others.
        """
        from unitjac.plot._over_time import over_time

        name, courses, blocks, values = self._drawn(output)
        if relative:
            return over_time(self.t, {name: blocks}, relative=(values, {name: courses}), **options)
        scaled = {label: block * values[label] for label, block in blocks.items()}
        ax = over_time(self.t, {name: scaled}, **options)
        unit = unit_text(split(next(iter(scaled.values())))[1])
        ax.set_ylabel(f"p × d{name}/dp ({unit})" if unit != "1" else f"p × d{name}/dp")
        return ax

    def report(self) -> Report:
        """The description that all ways of showing them share; of the blocks the first 40."""
        return self._described(_MOST)

    def full_report(self) -> Report:
        """The same with all of the blocks."""
        return self._described(None)

    def _described(self, most: int | None) -> Report:
        if has_tracer((self.solution.t, self.solution.y)):
            return Report("Sensitivities in time", [Facts([("mode", self.mode)])])
        facts = facts_of(self.solution)
        facts.insert(2, ("mode", f"{self.mode} ({self.why})"))
        seen = "state and sensitivities" if self.control == "all" else "the state alone"
        facts.insert(4, ("error control", seen))
        parts: list[Any] = [Facts(facts)]
        if np.ndim(np.asarray(self.status)) == 0:
            parts += [_table(part, self._sizes(part), most) for part in self.parts]
        note = "per parameter: the largest of p × dy/dp over all times, in the unit of y"
        return Report("Sensitivities in time", parts, notes=[note])

    def _sizes(self, part: Part) -> np.ndarray:
        tree = self.params if part.wrt == "params" else self.start
        return np.asarray(part.cols.to_vector(tree))

    def _part(self, of: str, wrt: str | None) -> Part:
        for part in self.parts:
            if part.of == of and wrt in (None, part.wrt):
                return part
        there = ", ".join(f"{part.of} by {part.wrt}" for part in self.parts)
        raise ValueError(
            f"there are no derivatives of {of} by {wrt or 'anything'}: there are {there}. Ask for "
            "them by wrt= and outputs=."
        )

    def _blocks(self, of: str, wrt: str) -> Any:
        for part in self.parts:
            if (part.of, part.wrt) == (of, wrt):
                return blocks_of(part.rows, part.cols, part.array)
        return None

    def _number(self, at: Any) -> int:
        times, unit = split(self.t)
        number = as_int(at)
        if number is not None:
            if not -len(times) <= number < len(times):
                raise IndexError(f"there are {len(times)} times, and no number {number}.")
            return number % len(times)
        given, own = split(at)
        wanted = float(given) * unit_ratio(own, unit).magnitude
        k = int(np.argmin(np.abs(times - wanted)))
        if not np.isclose(times[k], wanted, rtol=1e-5, atol=1e-9 * float(np.ptp(times))):
            raise ValueError(
                f"{wanted:g} {unit_text(unit)} is none of the times of the solution; the nearest "
                f"is {times[k]:g}. Solve with that time among t."
            )
        return k

    def _drawn(self, output: str | None) -> tuple[str, Any, dict[str, Any], dict[str, Any]]:
        """Name, values, blocks and parameters of what is drawn, by labels."""
        for part in self.parts:
            if output is not None and output not in part.rows.labels:
                continue
            i = part.rows.shown[0] if output is None else part.rows.labels.index(output)
            tree = self.y if part.of == "y" else self.outputs
            row = strip(blocks_of(part.rows, part.cols, part.array))
            count = len(part.cols.units)
            blocks = {
                part.cols.labels[j] or "p": _leaf(row, i * count + j) for j in part.cols.shown
            }
            inputs = strip(self.params if part.wrt == "params" else self.start)
            values = {part.cols.labels[j] or "p": _leaf(inputs, j) for j in part.cols.shown}
            return part.rows.labels[i] or "y", _leaf(strip(tree), i), blocks, values
        there = [label for part in self.parts for label in part.rows.labels]
        raise KeyError(f"there is no {output!r} to draw: there are {', '.join(there)}.")


jax.tree_util.register_dataclass(
    Part, data_fields=["array", "error"], meta_fields=["of", "wrt", "rows", "cols"]
)
jax.tree_util.register_dataclass(
    Sensitivities,
    data_fields=["solution", "params", "start", "parts"],
    meta_fields=["mode", "why", "control"],
)


def _none(_: Any) -> None:
    return None


def _count(number: Any) -> int:
    return int(np.sum(np.asarray(number)))


def _leaf(stripped: Any, k: int) -> Any:
    return attach(stripped.magnitudes[k], stripped.units[k])


def _table(part: Part, sizes: np.ndarray, most: int | None) -> Table:
    texts = UnitTexts()
    array = np.abs(np.asarray(part.array))
    largest = np.max(array, axis=0) if array.size else array.sum(axis=0)
    names: list[str] = []
    params: list[str] = []
    scaled: list[float] = []
    slopes: list[float] = []
    units: list[tuple[str, str]] = []
    errors: list[float | None] = []
    places = list(itertools.product(part.rows.shown_entries, part.cols.shown_entries))
    outputs, inputs = part.rows.entry_labels, part.cols.entry_labels
    over, under = part.rows.entry_units, part.cols.entry_units
    for row, col in places[:most]:
        names.append(outputs[row] or "y")
        params.append(inputs[col] or "p")
        slope, unit = float(largest[row, col]), (over[row], under[col])
        slopes.append(slope * float(_scale(*unit)))
        scaled.append(slope * abs(float(sizes[col])))
        units.append((texts.of(unit[0]), texts.quotient(*unit)))
        if part.error is not None:
            difference = float(np.max(np.abs(np.asarray(part.error)[:, row, col])))
            errors.append(difference / slope if slope else None)
    columns: list[Any] = [
        Label("output", names),
        Label("parameter" if part.wrt == "params" else "initial state", params),
        Number("largest", slopes, [x[1] for x in units]),
        Number("per parameter", scaled, [x[0] for x in units]),
    ]
    if errors:
        columns.append(Number("relative error", errors))
    more = len(places) - len(names)
    return Table(columns, notes=[f"and {more} more"] if more else [])


def _scale(over: Any, under: Any) -> float:
    unit = unit_ratio(over, under)
    return unit.magnitude if unit.dim.is_dimensionless else 1.0
