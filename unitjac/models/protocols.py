"""Stimuli in time: steps, ramps, sines and tables, each with the times at which it jumps.

>>> import brainunit as u
>>> from unitjac.models.protocols import step
>>> pulse = step(10.0 * u.nA, start=5.0 * u.ms, stop=45.0 * u.ms)
>>> pulse(20.0 * u.ms), pulse(50.0 * u.ms)
(Quantity(10., "nA"), Quantity(0., "nA"))

One after the other, added, or from a table:

    step       a value between two times, and another one outside
    ramp       a straight line between two times
    sine       an oscillation from one time on
    steps      one value after the other, as the table of a protocol has them
    table      straight lines between the rows of a table
    value_at   the value of a stimulus, or of what is constant
    Stimulus   what they all are

Stimuli of one dimension are added with ``+``. Each is a function of time,
and a tree of quantities: its values and times are parameters like any other,
and derivatives with respect to them are right, those of the times at which it
jumps too, where a solver ends a step there: `breakpoints` says when that is.
"""

# Owns: the stimuli. Never touches: models, solvers.

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._errors import array_text, has_tracer
from unitjac._units.quantity import magnitude_of, rescale, same_dimension, unit_of
from unitjac._units.unit_text import unit_text

__all__ = ["Stimulus", "ramp", "sine", "step", "steps", "table", "value_at"]

Quantity = Any

# of which brainunit gives no types
_math: Any = u.math


class Stimulus:
    """A function of time that knows where it jumps or bends."""

    @property
    def breakpoints(self) -> Quantity:
        """The times at which it is not smooth, of shape (n,)."""
        raise NotImplementedError(f"{type(self).__name__} has no breakpoints: define the property.")

    def __call__(self, t: Quantity) -> Quantity:
        """The value at a time of any shape."""
        raise NotImplementedError(f"{type(self).__name__} has no value: define __call__.")

    def __add__(self, other: Any) -> Stimulus:
        if not isinstance(other, Stimulus):
            return NotImplemented
        return Sum((self, other))


@partial(jax.tree_util.register_dataclass, data_fields=["parts"], meta_fields=[])
@dataclass(frozen=True)
class Sum(Stimulus):
    """Stimuli at the same time, added."""

    parts: tuple[Stimulus, ...]

    @property
    def breakpoints(self) -> Quantity:
        """Those of all parts."""
        return _math.concatenate([part.breakpoints for part in self.parts])

    def __call__(self, t: Quantity) -> Quantity:
        """The sum of the values of all parts."""
        first, *rest = (part(t) for part in self.parts)
        return sum(rest, start=first)


@dataclass(frozen=True)
class _Rows(Stimulus):
    """What a table of times and values describes; each time is a breakpoint."""

    times: Quantity
    values: Quantity

    @property
    def breakpoints(self) -> Quantity:
        """The times of the table."""
        return self.times


@partial(jax.tree_util.register_dataclass, data_fields=["times", "values"], meta_fields=[])
@dataclass(frozen=True)
class Steps(_Rows):
    """One value after the other.

    Attributes
    ----------
    times : Quantity of shape (n,)
        Where a value ends and the next begins.
    values : Quantity of shape (n + 1,)
        The values; the first holds before all times, the last after them.
    """

    def __call__(self, t: Quantity) -> Quantity:
        """The value at a time; at a breakpoint that which begins."""
        return self.values[_passed(t, self.times)]


@partial(jax.tree_util.register_dataclass, data_fields=["times", "values"], meta_fields=[])
@dataclass(frozen=True)
class Lines(_Rows):
    """Straight lines between points; before the first and after the last it is constant.

    Attributes
    ----------
    times : Quantity of shape (n,)
        The times of the points.
    values : Quantity of shape (n,)
        The values there. Of two points at one time the second is where the stimulus jumps to.
    """

    def __call__(self, t: Quantity) -> Quantity:
        """The value at a time; at a jump that which begins."""
        n = self.times.shape[0]
        passed = _passed(t, self.times)
        before, after = jnp.clip(passed - 1, 0, n - 1), jnp.clip(passed, 0, n - 1)
        span = self.times[after] - self.times[before]
        is_flat = magnitude_of(span) == 0
        span = _math.where(is_flat, _math.ones_like(span), span)
        part = _math.where(is_flat, 0.0, (t - self.times[before]) / span)
        return self.values[before] + part * (self.values[after] - self.values[before])


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["amplitude", "frequency", "start", "phase", "offset"],
    meta_fields=[],
)
@dataclass(frozen=True)
class Sine(Stimulus):
    """An oscillation about `offset`, which holds before `start`."""

    amplitude: Quantity
    frequency: Quantity
    start: Quantity
    phase: Any
    offset: Quantity

    @property
    def breakpoints(self) -> Quantity:
        """Where it begins."""
        return _math.reshape(self.start, (1,))

    def __call__(self, t: Quantity) -> Quantity:
        """The value at a time."""
        product = self.frequency * (t - self.start)
        cycles = rescale(magnitude_of(product), unit_of(product))
        wave = self.amplitude * jnp.sin(2 * jnp.pi * cycles + self.phase)
        return self.offset + _math.where(t >= self.start, wave, 0 * wave)


def step(
    value: Quantity, start: Quantity, stop: Quantity, rest: Quantity | None = None
) -> Stimulus:
    """``value`` from ``start`` until ``stop``, and ``rest`` before and after.

    Parameters
    ----------
    value : Quantity
        The value.
    start, stop : Quantity
        When it begins and ends.
    rest : Quantity, optional
        By default nothing, in the unit of ``value``.

    Examples
    --------
    >>> import brainunit as u
    >>> pulse = step(10.0 * u.nA, start=5.0 * u.ms, stop=45.0 * u.ms)
    >>> pulse.breakpoints
    Quantity([ 5. 45.], "ms")
    """
    value = _real(value, "value")
    rest = _real(0 * value if rest is None else rest, "rest")
    times = _joined([_real(start, "start"), _real(stop, "stop")], "the times")
    _check_order(times)
    return Steps(times, _joined([rest, value, rest], "the values"))


def ramp(first: Quantity, last: Quantity, start: Quantity, stop: Quantity) -> Stimulus:
    """A straight line from ``first`` at ``start`` to ``last`` at ``stop``, constant outside.

    Parameters
    ----------
    first, last : Quantity
        The values before and after.
    start, stop : Quantity
        When the line begins and ends.

    Examples
    --------
    >>> import brainunit as u
    >>> rise = ramp(-80.0 * u.mV, 40.0 * u.mV, start=10.0 * u.ms, stop=70.0 * u.ms)
    >>> rise(40.0 * u.ms)
    Quantity(-20., "mV")
    """
    return table([start, stop], [first, last])


def sine(
    amplitude: Quantity,
    frequency: Quantity,
    start: Quantity,
    phase: Any = 0.0,
    offset: Quantity | None = None,
) -> Stimulus:
    """``offset + amplitude sin(2 pi frequency (t - start) + phase)`` from ``start`` on.

    Parameters
    ----------
    amplitude : Quantity
        How far it goes to either side.
    frequency : Quantity
        Cycles in a unit of time, in Hz say.
    start : Quantity
        When it begins.
    phase : float
        In radians.
    offset : Quantity, optional
        What it goes about, and what holds before; by default nothing.

    Raises
    ------
    ValueError
        If ``frequency`` times time has a dimension.

    Examples
    --------
    >>> import brainunit as u
    >>> wave = sine(2.0 * u.nA, 50.0 * u.Hz, start=0.0 * u.ms)
    >>> round(float(wave(5.0 * u.ms).to_decimal(u.nA)), 3)
    2.0
    """
    start = _real(start, "start")
    amplitude = _real(amplitude, "amplitude")
    cycles = unit_of(frequency * start)
    if not same_dimension(cycles, None):
        raise ValueError(
            f"frequency is in {unit_text(unit_of(frequency))} and start in "
            f"{unit_text(unit_of(start))}, so that their product is no number of cycles. Give a "
            "frequency in Hz, or in 1 over the unit of time."
        )
    offset = 0 * amplitude if offset is None else _real(offset, "offset")
    _check_dimensions([amplitude, offset], "amplitude and offset")
    return Sine(amplitude, _real(frequency, "frequency"), start, jnp.asarray(phase, float), offset)


def steps(values: Quantity, durations: Quantity, start: Quantity | None = None) -> Stimulus:
    """One value after the other, each for its duration, as the table of a protocol has them.

    Parameters
    ----------
    values : Quantity of shape (n,), or list of quantities
        The values. The first holds before the start, and the last after the end.
    durations : Quantity of shape (n,), or list of quantities
        How long each lasts.
    start : Quantity, optional
        When the first begins; by default at zero.

    Raises
    ------
    ValueError
        If there are not as many durations as values.

    Examples
    --------
    >>> import brainunit as u
    >>> clamp = steps([-80.0, 20.0, -40.0] * u.mV, [10.0, 50.0, 20.0] * u.ms)
    >>> clamp.breakpoints, clamp(30.0 * u.ms)
    (Quantity([10. 60.], "ms"), Quantity(20., "mV"))
    """
    values, durations = _row(values, "values"), _row(durations, "durations")
    _check_sizes(values, durations, "values", "durations")
    ends = _math.cumsum(durations)
    if start is not None:
        ends = ends + start
    return Steps(ends[:-1], values)


def table(times: Quantity, values: Quantity) -> Stimulus:
    """Straight lines between the rows of a table, constant before the first and after the last.

    Parameters
    ----------
    times : Quantity of shape (n,), or list of quantities
        The times, none before the one above it.
    values : Quantity of shape (n,), or list of quantities
        The values. Two rows of one time make a jump.

    Raises
    ------
    ValueError
        If there are not as many values as times, or the times fall.

    Examples
    --------
    >>> import brainunit as u
    >>> rise = table([0.0, 10.0, 10.0] * u.ms, [0.0, 5.0, 1.0] * u.nA)
    >>> rise(5.0 * u.ms), rise(10.0 * u.ms)
    (Quantity(2.5, "nA"), Quantity(1., "nA"))
    """
    times, values = _row(times, "times"), _row(values, "values")
    _check_sizes(times, values, "times", "values")
    _check_order(times)
    return Lines(times, values)


def value_at(stimulus: Any, t: Quantity) -> Quantity:
    """The value of a stimulus at a time, or the constant that stands in its place.

    Examples
    --------
    >>> import brainunit as u
    >>> value_at(3.0 * u.nA, 5.0 * u.ms)
    Quantity(3., "nA")
    """
    return stimulus(t) if isinstance(stimulus, Stimulus) else stimulus


def _passed(t: Quantity, times: Quantity) -> Any:
    """How many of the times have come at ``t``."""
    now = _math.asarray(t)
    return jnp.sum(now[..., None] >= times, axis=-1)


def _real(value: Any, name: str) -> Any:
    if np.shape(magnitude_of(value)) != ():
        raise ValueError(
            f"{name} must be one number, got {array_text(magnitude_of(value))}. For several at "
            "once, map over the stimulus with jax.vmap."
        )
    return value * jnp.ones((), float)


def _row(values: Any, name: str) -> Any:
    if _typed.is_a(values, list | tuple):
        values = _joined([_real(value, name) for value in values], name)
    else:
        values = values * jnp.ones((), float)
    if len(np.shape(magnitude_of(values))) != 1 or not len(magnitude_of(values)):
        raise ValueError(
            f"{name} must be a row of numbers, got {array_text(magnitude_of(values))}."
        )
    return values


def _joined(values: list[Any], name: str) -> Any:
    _check_dimensions(values, name)
    return _math.stack(values)


def _check_dimensions(values: list[Any], name: str) -> None:
    first = unit_of(values[0])
    for other in map(unit_of, values):
        if not same_dimension(other, first):
            raise ValueError(
                f"{name} are in {unit_text(first)} and {unit_text(other)}, which are of "
                "different dimensions. Give all in one."
            )


def _check_sizes(one: Any, other: Any, name: str, other_name: str) -> None:
    if len(magnitude_of(one)) != len(magnitude_of(other)):
        raise ValueError(
            f"there are {len(magnitude_of(one))} {name} and {len(magnitude_of(other))} "
            f"{other_name}. Give as many of both."
        )


def _check_order(times: Any) -> None:
    numbers = magnitude_of(times)
    if not has_tracer(numbers) and np.any(np.diff(np.asarray(numbers, float)) < 0):
        raise ValueError(
            f"the times must not fall, got {np.asarray(numbers).tolist()} in "
            f"{unit_text(unit_of(times))}. Sort them."
        )
