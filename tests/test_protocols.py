"""Stimuli in time: their values, their breakpoints, their derivatives, in any unit."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unitjac
from unitjac.models.protocols import Stimulus, ramp, sine, step, steps, table, value_at


def numbers(value, unit):
    return np.asarray(u.Quantity(value).to_decimal(unit))


PULSE = dict(value=10.0 * u.nA, start=5.0 * u.ms, stop=45.0 * u.ms)
AT = jnp.array([0.0, 5.0, 20.0, 45.0, 60.0]) * u.ms


@pytest.mark.parametrize(
    ("stimulus", "expected", "breaks"),
    [
        (step(**PULSE), [0, 10, 10, 0, 0], [5, 45]),
        (step(**PULSE, rest=1.0 * u.uA), [1000, 10, 10, 1000, 1000], [5, 45]),
        (ramp(0.0 * u.nA, 8.0 * u.nA, 5.0 * u.ms, 45.0 * u.ms), [0, 0, 3, 8, 8], [5, 45]),
        (
            steps([1.0, 2.0, 3.0] * u.nA, [5.0, 40.0, 1.0] * u.ms),
            [1, 2, 2, 3, 3],
            [5, 45],
        ),
        (
            steps([1.0 * u.nA, 2e-3 * u.uA], [4.0 * u.ms, 1.0 * u.second], start=1.0 * u.ms),
            [1, 2, 2, 2, 2],
            [5],
        ),
        (
            table([0.0, 20.0, 20.0, 60.0] * u.ms, [0.0, 4.0, 8.0, 0.0] * u.nA),
            [0, 1, 8, 3, 0],
            [0, 20, 20, 60],
        ),
        (
            sine(2.0 * u.nA, 50.0 * u.Hz, 5.0 * u.ms, phase=np.pi / 2, offset=1.0 * u.nA),
            [1, 3, 1 + 2 * np.cos(1.5 * np.pi), 3, 1 + 2 * np.cos(5.5 * np.pi)],
            [5],
        ),
        (step(**PULSE) + step(**PULSE), [0, 20, 20, 0, 0], [5, 45, 5, 45]),
    ],
    ids=["step", "rest", "ramp", "steps", "list", "table", "sine", "sum"],
)
def test_values_and_breakpoints(stimulus: Stimulus, expected, breaks) -> None:
    np.testing.assert_allclose(numbers(stimulus(AT), u.nA), expected, atol=1e-4)
    one_by_one = [float(numbers(stimulus(t), u.nA)) for t in AT]
    np.testing.assert_allclose(one_by_one, expected, atol=1e-4)
    np.testing.assert_allclose(numbers(stimulus.breakpoints, u.ms), breaks)
    in_seconds = stimulus(AT.in_unit(u.second))
    np.testing.assert_allclose(numbers(in_seconds, u.nA)[::2], np.array(expected)[::2], atol=1e-3)
    compiled = jax.jit(lambda stimulus, t: stimulus(t))(stimulus, AT)
    np.testing.assert_allclose(numbers(compiled, u.nA), expected, atol=1e-4)


def test_written_in_other_units_it_is_the_same_stimulus() -> None:
    one = step(10.0 * u.nA, 5.0 * u.ms, 45.0 * u.ms)
    other = step(0.01 * u.uA, 5e-3 * u.second, 45e3 * u.us)
    np.testing.assert_allclose(
        numbers(one(AT), u.nA)[::2], numbers(other(AT), u.nA)[::2], rtol=1e-6
    )
    np.testing.assert_allclose(
        numbers(one.breakpoints, u.ms), numbers(other.breakpoints, u.ms), rtol=1e-6
    )


def test_derivatives_by_values_and_times() -> None:
    def at_20(p):
        return ramp(p["low"], p["high"], p["start"], p["stop"])(20.0 * u.ms)

    p = {
        "low": 0.0 * u.nA,
        "high": 8.0 * u.nA,
        "start": 5.0 * u.ms,
        "stop": 45.0 * u.ms,
    }
    slopes = unitjac.jacrev(at_20, unit_aware=True)(p)
    # 8 (20 - a) / (b - a) nA
    assert numbers(slopes["high"], u.UNITLESS) == pytest.approx(15 / 40)
    assert numbers(slopes["low"], u.UNITLESS) == pytest.approx(25 / 40)
    assert numbers(slopes["start"], u.nA / u.ms) == pytest.approx(8 * (15 - 40) / 40**2)
    assert numbers(slopes["stop"], u.nA / u.ms) == pytest.approx(-8 * 15 / 40**2)


def test_mapped_over_its_numbers() -> None:
    def at_20(value):
        return step(value * u.nA, 5.0 * u.ms, 45.0 * u.ms)(20.0 * u.ms)

    np.testing.assert_allclose(numbers(jax.vmap(at_20)(jnp.arange(3.0)), u.nA), [0, 1, 2])


def test_a_constant_stands_in_place_of_a_stimulus() -> None:
    assert value_at(3.0, 1.0 * u.ms) == 3.0
    assert numbers(value_at(step(**PULSE), 20.0 * u.ms), u.nA) == 10.0


def test_only_stimuli_are_added() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        step(**PULSE) + 3.0


BAD = {
    "an array": (
        lambda: step(jnp.ones(2) * u.nA, 0.0 * u.ms, 1.0 * u.ms),
        r"value must be one number, got float32\[2\]. For several at once, map over",
    ),
    "a current and a voltage": (
        lambda: step(1.0 * u.nA, 0.0 * u.ms, 1.0 * u.ms, rest=1.0 * u.mV),
        "the values are in mV and nA, which are of different dimensions",
    ),
    "times that fall": (
        lambda: step(1.0 * u.nA, 2.0 * u.ms, 1.0 * u.ms),
        r"the times must not fall, got \[2.0, 1.0\] in ms",
    ),
    "a frequency in volts": (
        lambda: sine(1.0 * u.nA, 1.0 * u.mV, 0.0 * u.ms),
        "so that their product is no number of cycles",
    ),
    "a duration too few": (
        lambda: steps([1.0, 2.0] * u.nA, [1.0] * u.ms),
        "there are 2 values and 1 durations. Give as many of both",
    ),
    "a table of tables": (
        lambda: table(jnp.ones((2, 2)) * u.ms, jnp.ones(2) * u.nA),
        "times must be a row of numbers",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_input_is_refused(case: str) -> None:
    make, match = BAD[case]
    with pytest.raises(ValueError, match=match):
        make()


def test_what_a_stimulus_has_to_say() -> None:
    class Nothing(Stimulus):
        pass

    with pytest.raises(
        NotImplementedError, match="Nothing has no breakpoints: define the property"
    ):
        _ = Nothing().breakpoints
    with pytest.raises(NotImplementedError, match="Nothing has no value: define __call__"):
        Nothing()(0.0 * u.ms)
