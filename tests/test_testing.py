"""``unitjac.testing``: right functions pass, wrong rules are caught, whatever units one writes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import Neuron, each, q, unchanged
from jax import lax
from physics import MODELS
from test_physics import rewritten

from unitjac import State, grad, jacrev
from unitjac.testing import assert_close, check_jacobian

# assert_close

CLOSE = {
    "scales": (q([1e-3, 2e-3], u.volt), q([1.0, 2.0], u.mV)),
    "unit one and none": (q(3.0, u.UNITLESS), 3.0),
    "percent of one": (q(3.0, u.mV / u.volt), 0.003),
    "relative to the largest entry": (q([1.0, 1e-9], u.mV), q([1.0, 0.0], u.mV)),
    "int and float": (3, np.float32(3.0)),
    "equal infinities": (q([np.inf, -np.inf, 1.0], u.mV), q([np.inf, -np.inf, 1.0], u.mV)),
    "infinities in other units": (q([np.inf, 1e-3], u.volt), q([np.inf, 1.0], u.mV)),
    "nan where it was expected": (q([np.nan, 1.0 + 1e-7], u.mV), q([np.nan, 1.0], u.mV)),
    "complex": (q(1.0 + 2.0j, u.mV, complex), q(1e-3 + 2e-3j, u.volt, complex)),
    "no entries": (q(np.zeros((0, 2)), u.mV), q(np.zeros((0, 2)), u.volt)),
    "float0": (np.zeros(3, jax.dtypes.float0), np.zeros(3, jax.dtypes.float0)),
    "text and None": ({"a": "text", "b": None}, {"a": "text", "b": None}),
    "bools": (jnp.asarray([True, False]), jnp.asarray([True, False])),
    "trees": ({"a": [q(1.0, u.mV), 2.0]}, {"a": [q(1e-3, u.volt), 2.0]}),
}


@pytest.mark.parametrize("name", CLOSE)
def test_physically_equal_trees_are_close(name):
    actual, expected = CLOSE[name]
    assert_close(actual, expected)
    assert_close(expected, actual)


@dataclass(frozen=True)
class Unlike:
    name: str
    actual: Any
    expected: Any
    match: str


FLOAT0 = np.zeros(2, jax.dtypes.float0)
UNLIKE = (
    Unlike(
        "number",
        {"V": q([[1.0, 2.0]], u.mV)},
        {"V": q([[1.0, 2.5]], u.mV)},
        match=r"^leaf\['V'\]\[0, 1\]: 2 mV, expected 2\.5 mV; they differ by 0\.5, allowed are "
        r"2\.5e-06 \(1 of 2 entries differ\)$",
    ),
    Unlike(
        "dimension", q(1.0, u.mV), q(1.0, u.ms), match="^leaf is in mV, .* ms: another dimension$"
    ),
    Unlike("unit and none", q(1.0, u.mV), 1.0, match="^leaf is in mV, .* 1: another dimension$"),
    Unlike("scale", q(1.0, u.volt), q(1.0, u.mV), match="^leaf: 1000 mV, .* they differ by 999"),
    Unlike(
        "shape",
        q([1.0], u.mV),
        q(1.0, u.mV),
        match=r"^leaf has shape \(1,\), but shape \(\) was expected",
    ),
    Unlike("tree", {"a": 1.0}, {"b": 1.0}, match=r"^the trees differ: .*'a'.* is not .*'b'"),
    Unlike("None", None, 1.0, match="^the trees differ: "),
    Unlike(
        "nan", q([1.0, np.nan], u.mV), q([1.0, 2.0], u.mV), match=r"^leaf\[1\]: nan mV, .* 2 mV"
    ),
    Unlike("expected nan", q([2.0], u.mV), q([np.nan], u.mV), match=r"^leaf\[0\]: 2 mV, .* nan mV"),
    Unlike("infinity", q([2.0], u.mV), q([np.inf], u.mV), match=r"^leaf\[0\]: 2 mV, .* inf mV"),
    Unlike("signs", q([-np.inf], u.mV), q([np.inf], u.mV), match=r"^leaf\[0\]: -inf mV, .* inf mV"),
    Unlike(
        "beside infinity", q([1.0, np.inf], u.mV), q([2.0, np.inf], u.mV), match=r"^leaf\[0\]: 1 "
    ),
    Unlike(
        "beside nan", q([1.0, np.nan], u.mV), q([1.1, np.nan], u.mV), match=r"^leaf\[0\]: 1 mV, "
    ),
    Unlike("text", {"a": "one"}, {"a": "two"}, match=r"^leaf\['a'\] is 'one', .*'two'"),
    Unlike("text and number", "one", 1.0, match=r"^leaf is 'one', but 1\.0 was expected"),
    Unlike("float0 and number", FLOAT0, jnp.zeros(2), match="^leaf is .*float0.*, "),
    Unlike("shape of float0", FLOAT0, FLOAT0[:1], match="^leaf (is|has) "),
)


@each("unlike", UNLIKE)
def test_unlike_trees_are_told_apart_with_leaf_entry_and_amount(unlike):
    with pytest.raises(AssertionError, match=unlike.match):
        assert_close(unlike.actual, unlike.expected)


def test_tolerances_are_relative_to_the_largest_entry_or_in_the_unit_of_the_expected():
    one, off = q([1.0, 0.0], u.mV), q([1.0, 0.01], u.mV)
    assert_close(off, one, rtol=0.02)
    assert_close(off, one, atol=0.02)
    assert_close(off.in_unit(u.volt), one, atol=0.02)
    for options in ({"rtol": 5e-3}, {"atol": 5e-3}):
        with pytest.raises(AssertionError, match=r"differ by 0\.01, allowed are 0\.005"):
            assert_close(off, one, **options)
    with pytest.raises(AssertionError, match="differ by 1e-05"):
        assert_close(off, one.in_unit(u.volt), rtol=0.0, atol=5e-6)


# check_jacobian: right functions


class Point(NamedTuple):
    g: Any
    V: Any


def circuit(p, gain=1.0):
    current = p.g * (p.V - q(50.0, u.mV)) * gain
    return {
        "I": current,
        "rest": [u.math.exp(p.V / (25.0 * u.mV)), (current * p.V).in_unit(u.pwatt)],
    }


@dataclass(frozen=True)
class Right:
    name: str
    fun: Callable[..., Any]
    args: tuple[Any, ...]
    options: dict[str, Any]


def looped(x):
    return lax.while_loop(lambda y: y < q(20.0, u.mV), lambda y: y * 2, x) ** 2


@jax.custom_vjp
def reverse_only(x):
    return x**2


reverse_only.defvjp(lambda x: (x**2, x), lambda x, g: (2 * x * g,))

point = Point(q([1.0, 2.0], u.nS), q([-65.0, 11.0], u.mV))
RIGHT = (
    Right("tree", circuit, (point,), {}),
    Right("keyword", circuit, (point,), {"kwargs": {"gain": 3.0}}),
    Right("integers beside", lambda n, x: x**n, (3, q(2.0, u.mV)), {"argnums": 1}),
    Right("arguments", lambda x, y: x**2 / y, (q(3.0, u.volt), q(2.0, u.ohm)), {"argnums": (0, 1)}),
    Right("constant", lambda x: q(3.0, u.ms), (q(1.0, u.mV),), {}),
    Right("zero", lambda x: x * q(2.0, u.nS), (q([0.0, 0.0], u.mV),), {}),
    Right("square at zero", lambda x: x**2 / u.mV, (q(0.0, u.mV),), {}),
    Right("zero beside ones", lambda x: x**3 / u.mV, (q([0.0, 1.0, 1e-9], u.mV),), {}),
    Right("cosine of zero", lambda x: u.math.cos(x / u.mV), (q(0.0, u.mV),), {}),
    Right("far from one", lambda x: x**5, (q(1e-25, u.metre),), {}),
    Right("large beside small", lambda x: u.math.sum(x), (q([1e12, 1.0], u.mV),), {}),
    Right("cancelling", lambda x: x - q(1.0, u.mV), (q(1.0 + 1e-12, u.mV),), {}),
    Right("no entries", lambda x: x**2, (q(np.zeros((0, 2)), u.mV),), {}),
    Right("no outputs", lambda x: None, (q(1.0, u.mV),), {}),
    Right("fractional power", lambda x: u.math.sqrt(x), (q([4.0, 1e-20], u.mV),), {}),
    Right("loop", looped, (q(3.0, u.mV),), {"modes": ("fwd",)}),
    Right("reverse only", lambda x: reverse_only(x / u.mV), (q(3.0, u.mV),), {"modes": ("rev",)}),
)


@each("right", RIGHT)
def test_right_derivatives_pass(right):
    check_jacobian(right.fun, right.args, **right.options)


@pytest.mark.parametrize("model", MODELS[3::20], ids=lambda m: m.name)
def test_physical_models_pass_however_their_parameters_are_written(model):
    for parameters in (model.quantities(), rewritten(model)):
        check_jacobian(model, (parameters,))


def test_states_are_differentiated_and_keep_their_values():
    neuron = Neuron()
    with unchanged(*neuron.states):
        check_jacobian(neuron.pulse, (q(3.0, u.nA),), grad_states=[neuron.V, neuron.R], argnums=0)
        check_jacobian(neuron.pulse, (q(3.0, u.nA),), grad_states={"R": neuron.R})
    zero = State({"E": q([0.0, 0.0], u.mV)}, name="zero")
    check_jacobian(lambda g: g * zero.value["E"] ** 2, (q(2.0, u.nS),), grad_states=zero)


def test_derivatives_of_derivatives_pass():
    check_jacobian(grad(lambda x: u.math.sum(x**3), unit_aware=True), (q([1.0, 2.0], u.mV),))
    check_jacobian(jacrev(circuit, unit_aware=True), (point,))


def test_precision_is_double_whatever_the_arguments_are():
    seen = []

    def fun(x):
        seen.append(x.dtype)
        return x**2

    check_jacobian(fun, (q(3.0, u.mV, "float16"),))
    assert set(map(str, seen)) == {"float64"}
    assert jnp.asarray(1.0).dtype == jnp.float32  # and the caller's precision is what it was


# check_jacobian: wrong rules


def wrong_jvp(factor: float) -> Callable[[Any], Any]:
    """The square of plain numbers, whose tangent is wrong in the last entry."""

    @jax.custom_jvp
    def square(x):
        return x**2

    @square.defjvp
    def rule(primals, tangents):
        (x,), (dx,) = primals, tangents
        wrong = jnp.ones_like(x).at[..., -1].set(factor) if x.ndim else factor
        return x**2, 2 * x * dx * wrong

    return square


def wrong_vjp(factor: float) -> Callable[[Any], Any]:
    @jax.custom_vjp
    def square(x):
        return x**2

    square.defvjp(lambda x: (x**2, x), lambda x, g: (2 * factor * x * g,))
    return square


def test_wrong_tangent_is_caught_with_block_entry_and_amount():
    square = wrong_jvp(1.5)
    fun = lambda p: {"y": [square(p["x"] / u.mV) * q(1.0, u.nA)]}  # noqa: E731
    text = (
        r"^fwd against differences: block output\['y'\]\[0\] / argument 0\['x'\] of .*<lambda>"
        r"\[1, 1\]: 6 (nA / mV|uS), expected 4 (nA / mV|uS); they differ by 2, allowed are 4e-06 "
        r"\(1 of 4 entries differ\)$"
    )
    with pytest.raises(AssertionError, match=text) as caught:
        check_jacobian(fun, ({"x": q([1.0, 2.0], u.mV), "z": q(1.0, u.ms)},))
    assert "argument 0['z']" not in str(caught.value)


def test_wrong_cotangent_is_caught():
    square = wrong_vjp(1.001)
    text = r"^rev against differences: block output / argument 1 of .*: 4\.004 .*, expected 4\.?"
    with pytest.raises(AssertionError, match=text):
        check_jacobian(lambda n, x: square(x / u.mV), (3, q(2.0, u.mV)), argnums=1, modes=("rev",))


def test_wrong_derivative_of_a_state_is_caught():
    s, square = State(q([1.0, 2.0], u.mV), name="s"), wrong_jvp(0.0)
    with unchanged(s), pytest.raises(AssertionError, match=r"block output / grad_states\['s'\]"):
        check_jacobian(lambda: square(s.value / u.mV), grad_states={"s": s})


def test_modes_that_disagree_are_caught_before_differences():
    def slope(dx, a):
        """``a dx`` when pushed forward, and 1.25 times as much when pulled back."""
        return lax.custom_linear_solve(
            lambda y: y,
            dx,
            solve=lambda _, b: a * b,
            transpose_solve=lambda _, b: 1.25 * a * b,
        )

    @jax.custom_jvp
    def fun(x):
        return x**2

    fun.defjvp(lambda x, dx: (x[0] ** 2, slope(dx[0], 2 * x[0])))
    text = r"^rev against fwd: block output / argument 0 of .*: 7\.5 .*, expected 6"
    with pytest.raises(AssertionError, match=text):
        check_jacobian(lambda x: fun(x / u.mV), (q(3.0, u.mV),))
    with pytest.raises(AssertionError, match=r"^rev against differences: "):
        check_jacobian(lambda x: fun(x / u.mV), (q(3.0, u.mV),), modes=("rev",))
    check_jacobian(lambda x: fun(x / u.mV), (q(3.0, u.mV),), modes=("fwd",))


SCALES = (1e-9, 1.0, 1e9)
UNITS = {1e-9: u.nvolt, 1.0: u.volt, 1e9: u.parse_unit("GV")}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("point", [[0.07, -0.02], [0.0, 0.02], [0.0, 0.0]], ids=str)
def test_verdict_does_not_depend_on_the_unit_in_which_an_input_is_written(scale, point):
    with jax.enable_x64(True):
        x = u.Quantity(jnp.asarray(point, float) / scale, unit=UNITS[scale])

    def right(x):
        return {"I": u.math.sin(x / (50.0 * u.mV)) * u.nA, "P": x**2 * u.nS}

    def wrong(x):
        drive = x / (50.0 * u.mV)
        excess = 1e-3 * (drive - lax.stop_gradient(drive))  # nought, but for its slope
        return {"I": u.math.sin(drive) * u.nA, "P": (x + excess * q(50.0, u.mV)) * u.nS}

    check_jacobian(right, (x,))
    with pytest.raises(AssertionError, match=r"against differences: block output\['P'\]"):
        check_jacobian(wrong, (x,))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("out", [u.nvolt, u.parse_unit("GV")], ids=str)
def test_noise_is_allowed_in_the_unit_of_the_block(scale, out):
    # mV against GV: the block has no dimension, and is scaled to the number one
    with jax.enable_x64(True):
        x = u.Quantity(jnp.asarray(3e-6) / scale, unit=UNITS[scale])

    def fun(x, wrong):
        excess = x - u.Quantity(lax.stop_gradient(x.mantissa), unit=x.unit)
        return (x + wrong * excess).in_unit(out)

    check_jacobian(fun, (x, 0.0))
    with pytest.raises(
        AssertionError, match=r": 1\.0001 1, expected (1|0\.9999\d*) 1; they differ"
    ):
        check_jacobian(fun, (x, 1e-4))
    # a thousand volts beside three microvolts: ten digits of the difference are rounded away
    check_jacobian(lambda x: (x + 1e3 * u.volt).in_unit(out), (x,))


@pytest.mark.parametrize("scale", SCALES)
def test_error_in_a_small_entry_of_a_block_is_judged_by_its_block(scale):
    # a slope of 1e-9 beside one of 1: within the tolerance of the block, in whatever unit
    with jax.enable_x64(True):
        x = u.Quantity(jnp.asarray([1.0, 1.0]) / scale, unit=UNITS[scale])

    def fun(x, wrong):
        y = u.get_mantissa(x.in_unit(u.volt))
        return y[0] + wrong * (y[1] - lax.stop_gradient(y[1])) + 0 * y[1]

    check_jacobian(fun, (x, 1e-9))
    with pytest.raises(AssertionError, match=r"<locals>\.fun\[1\]: "):
        check_jacobian(fun, (x, 1e-3))


# What cannot be checked


def test_modes_are_named():
    for modes in ((), ("auto",), ("fwd", "both"), "fwd-over-rev"):
        with pytest.raises(ValueError, match=r'^modes must be "fwd", "rev" or both, got'):
            check_jacobian(lambda x: x, (1.0,), modes=modes)


def test_integers_and_complex_numbers_are_refused_under_their_own_names():
    with pytest.raises(
        TypeError, match=r"argument 1 is int64\[\], but a differentiated input must"
    ):
        check_jacobian(lambda x, n: x * n, (1.0, 3), argnums=(0, 1))
    with pytest.raises(
        TypeError, match=r"argument 0 is complex\d+\[\], but forward mode wants real"
    ):
        check_jacobian(lambda z: jnp.real(z), (1.0j,))
    text = r"^output\['z'\] of .*<lambda> is complex128\[\]: check_jacobian wants real outputs\."
    with pytest.raises(TypeError, match=text):
        check_jacobian(lambda x: {"z": x * 1j}, (1.0,))
    with pytest.raises(TypeError, match=r"^output of .* is a str: check_jacobian wants real out"):
        check_jacobian(lambda x: "text", (1.0,))


def test_state_that_is_not_used_is_an_error():
    s = State(1.0, name="s")
    with pytest.raises(ValueError, match=r"grad_states .*State\(s: .*never reads it"):
        check_jacobian(lambda x: x, (1.0,), grad_states=s, argnums=0)
