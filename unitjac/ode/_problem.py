"""An equation in quantities as one of plain vectors.

Owns: the door at which units are taken off an equation, and what is checked there. Never touches:
how it is solved.
"""

# pyright: basic

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._errors import array_text, has_tracer, is_arraylike, refuse_foreign_in
from unitjac._units.quantity import (
    Unit,
    attach,
    is_quantity,
    magnitude_of,
    rescale,
    same_dimension,
    strip,
    unit_of,
    unit_ratio,
)
from unitjac._units.unit_text import unit_text
from unitjac.linalg import Axis

from ._jumps import breakpoints_of, warn_of_jumps
from ._parameters import Parameters
from ._program import Program

Rhs = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Numbers:
    """What goes into a compiled solve, in the units of the equation.

    Attributes
    ----------
    t : array of shape (m,)
    y : array of shape (n,)
    p : array of shape (q,)
    breaks : array of shape (k,)
    closed : tuple of list of array
        What the right-hand side and the outputs closed over.
    """

    t: Any
    y: Any
    p: Any
    breaks: Any
    closed: tuple[list[Any], list[Any]]


jax.tree_util.register_dataclass(
    Numbers, data_fields=["t", "y", "p", "breaks", "closed"], meta_fields=[]
)


@dataclass(frozen=True)
class Equation:
    """What is compiled of an equation: ``dy/dt = rhs(t, y, p)``, and what else is wanted.

    Attributes
    ----------
    rhs, outputs : Program
        Of ``(t, y, p)``.
    """

    rhs: Program
    outputs: Program | None

    @property
    def text(self) -> str:
        """What the programs do."""
        return self.rhs.text + (self.outputs.text if self.outputs else "")


@dataclass(frozen=True)
class Problem:
    """An equation of plain vectors, and where it starts.

    Attributes
    ----------
    states : Axis
        Along which y lies.
    parameters : Parameters
        Along whose axis p lies.
    output_axis : Axis or None
        Along which the outputs lie.
    start : callable
        y of p, for those whose initial state is a function of the parameters.
    breaks_of : callable
        The breakpoints, of p.
    """

    time_unit: Unit | None
    states: Axis
    parameters: Parameters
    numbers: Numbers
    equation: Equation
    output_axis: Axis | None
    start: Callable[[Any], Any]
    breaks_of: Callable[[Any], Any]

    @property
    def shape(self) -> tuple[int, int]:
        """How many states and parameters there are."""
        return self.states.size, self.parameters.axis.size

    def times(self, t: Any) -> Any:
        """Numbers as times."""
        return attach(t, self.time_unit)


def pose(
    rhs: Rhs, t: Any, y0: Any, params: Any, outputs: Rhs | None = None, breakpoints: Any = None
) -> Problem:
    """The equation of vectors.

    Raises
    ------
    TypeError
        If ``rhs`` is no function, or what it is given holds no numbers.
    ValueError
        If the times are no row or fall, or ``rhs`` does not give ``y / t``: the leaf is named.
    """
    for function, name in ((rhs, "rhs"), (outputs, "outputs")):
        if not callable(function) and not (function is None and name == "outputs"):
            raise TypeError(
                f"{name} must be a function of (t, y, params), got {function!r}. The order is "
                "solve(rhs, t, y0, params)."
            )
    refuse_foreign_in((t, y0, params), "an argument of the solve: ")
    time_unit, times = _times(t)
    parameters = Parameters.of(params)
    vector = parameters.vector

    def start(p: Any) -> Any:
        return y0(parameters.tree(p)) if callable(y0) else y0

    initial = start(vector)
    states = Axis.of(initial)
    if not states.size:
        raise ValueError("y0 holds no number: there is nothing to solve for.")
    y = states.to_vector(initial, "y0")
    if jnp.iscomplexobj(y):
        raise TypeError(
            "y0 is complex, which no step size control is defined for. Solve for the real and the "
            "imaginary part."
        )
    with jax.numpy_dtype_promotion("standard"):
        dtype = jnp.result_type(y, vector, times) if vector.size else jnp.result_type(y, times)

    def cast(x: Any) -> Any:
        return jnp.asarray(x, dtype)

    rates = states.map_units(lambda unit: unit_ratio(unit, time_unit))

    def slope(s: Any, v: Any, p: Any) -> Any:
        given = rhs(attach(s, time_unit), states.to_tree(v), parameters.tree(p))
        return cast(rates.to_vector(given, "what rhs gives (y / t)"))

    def breaks_of(p: Any) -> Any:
        found = breakpoints_of(breakpoints, parameters.tree(p))
        return cast(_in_unit(found, time_unit)) if found is not None else jnp.zeros((0,), dtype)

    like = [jax.ShapeDtypeStruct(shape, dtype) for shape in ((), y.shape, vector.shape)]
    field, closed = Program.of(slope, *like)
    output_axis: list[Axis] = []

    def observed(s: Any, v: Any, p: Any) -> Any:
        assert outputs is not None
        given = outputs(attach(s, time_unit), states.to_tree(v), parameters.tree(p))
        output_axis[:] = [Axis.of(given)]
        return cast(output_axis[0].to_vector(given, "what outputs gives"))

    seen, also = (None, []) if outputs is None else Program.of(observed, *like)
    breaks = breaks_of(vector)
    if breakpoints is None and not breaks.size:
        warn_of_jumps(field)
    return Problem(
        time_unit=time_unit,
        states=states,
        parameters=parameters,
        numbers=Numbers(cast(times), cast(y), cast(vector), breaks, (closed, also)),
        equation=Equation(field, seen),
        output_axis=output_axis[0] if output_axis else None,
        start=lambda p: cast(states.to_vector(start(p), "y0")),
        breaks_of=breaks_of,
    )


def _times(t: Any) -> tuple[Unit | None, Any]:
    """The unit of the times, and their numbers."""
    stripped = strip(t)
    if len(stripped.magnitudes) > 1 and all(np.ndim(m) == 0 for m in stripped.magnitudes):
        unit = stripped.units[0]  # a list of times
        times = jnp.stack([_in_unit(one, unit) for one in t])
    else:
        times, unit = magnitude_of(t), t.unit if is_quantity(t) else None
    if not is_arraylike(times) or np.ndim(times) != 1 or not np.size(times):
        raise ValueError(
            f"t must be a row of times at which the states are wanted, got {array_text(times)}. "
            "Write jnp.linspace(0, 50, 101) * u.ms; its first entry is where y0 holds."
        )
    if not has_tracer(times):
        numbers = np.asarray(times)
        if not np.all(np.isfinite(numbers)):
            raise ValueError("the times t hold nan or inf. Give times that a clock may show.")
        if np.any(np.diff(numbers) < 0):
            raise ValueError(
                "the times t must not fall. Sort them; to go back in time solve for -t with -rhs."
            )
    return unit, times


def _in_unit(value: Any, unit: Unit | None) -> Any:
    """The numbers of a quantity in a unit of time."""
    own = unit_of(value) if is_quantity(value) else None
    if not same_dimension(own, unit):
        raise ValueError(
            f"a time is in {unit_text(own)}, but t is in {unit_text(unit)}. Give both in units of "
            "one dimension."
        )
    return rescale(jnp.asarray(magnitude_of(value), float), unit_ratio(own, unit))
