"""The unit of each block, in closed form; and that no result depends on how an input is written."""

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    AUTO,
    FWD,
    REV,
    assert_physically_equal,
    assert_same,
    both_precisions,
    each,
    eager_and_compiled,
    is_quantity,
    magnitudes,
    q,
    three_transforms,
)

from unitjac import State, UnitsDroppedWarning, jacfwd, jacrev

# One function of one input against its derivative in closed form


@dataclass(frozen=True)
class Row:
    """A function, where it is taken, and its derivative; quantities are made when they are used."""

    name: str
    fun: Callable[[Any], Any]
    at: tuple[float, u.Unit | None]
    derivative: float
    unit: u.Unit | None  # None: a plain array


def per(unit: u.Unit) -> u.Unit:
    return u.UNITLESS / unit


ROWS = (
    # scales of one dimension on both sides: a number, scaled to one
    Row("mV to V", lambda x: (2 * x).in_unit(u.volt), (3, u.mV), 2, None),
    Row("V to mV", lambda x: (2 * x).in_unit(u.mV), (3, u.volt), 2, None),
    Row("V with the number in mV", lambda x: x.mantissa * u.volt, (3, u.mV), 1e3, None),
    Row("mV with the number in V", lambda x: x.mantissa * u.mV, (3, u.volt), 1e-3, None),
    Row("the same unit", lambda x: 2 * x, (3, u.mV), 2, None),
    Row("nm to Gm", lambda x: x.in_unit(u.Gmeter), (3, u.nmeter), 1, None),
    # units with a factor that is no power of ten
    Row("minute to second", lambda x: x.in_unit(u.second) * 2, (3, u.minute), 2, None),
    Row("seconds as minutes", lambda x: x.mantissa * u.second, (3, u.minute), 1 / 60, None),
    Row("calorie to joule", lambda x: (x / 2).in_unit(u.joule), (3, u.calorie), 0.5, None),
    Row("calories as joules", lambda x: x.mantissa * u.calorie, (3, u.joule), 4.184, None),
    Row("sine of degrees", lambda x: u.math.sin(x), (30, u.degree), np.cos(np.pi / 6), None),
    Row(
        "degrees over time",
        lambda x: x.mantissa * (u.degree * u.metre),
        (3, u.second),
        1,
        u.degree * u.metre / u.second,
    ),
    # fractional powers
    Row("square root", u.math.sqrt, (4, u.mV), 1 / 4, u.mV**-0.5),
    Row("power 3/2", lambda x: x**1.5, (4, u.mV), 3, u.mV**0.5),
    Row("square root of a product", lambda x: u.math.sqrt(x * u.volt), (4, u.volt), 1 / 4, None),
    # no unit on one side
    Row("exponential", lambda x: u.math.exp(x / u.mV), (1, u.mV), np.e, per(u.mV)),
    Row("plain to mV", lambda x: x**2 * u.mV, (3, None), 6, u.mV),
    Row("plain to plain", lambda x: x**2, (3, None), 6, None),
    Row("unit one to mV", lambda x: x**2 * u.mV, (3, u.UNITLESS), 6, u.mV),
    Row("unit one to unit one", lambda x: x * 2, (3, u.UNITLESS), 2, None),
    Row("reciprocal", lambda x: 1 / x, (2, u.mV), -1 / 4, u.mV**-2),
    # outputs that do not depend on the input; a concrete zero is neutral in brainunit's sums
    Row("constant quantity", lambda x: 5.0 * u.mV, (3, u.ms), 0, u.mV / u.ms),
    Row("constant number", lambda x: 5.0, (3, u.ms), 0, per(u.ms)),
    Row("sum from a zero", lambda x: sum([x, 2 * x], 0 * u.mV), (3, u.mV), 3, None),
)


@each("row", ROWS)
@three_transforms
@both_precisions
def test_derivative_in_closed_form_and_in_the_unit_of_output_over_input(row, transform, x64):
    number, unit = row.at
    with jax.enable_x64(x64):
        x = jnp.asarray(number, float) if unit is None else q(number, unit)
        expected = jnp.asarray(row.derivative, float)
        if row.unit is not None:
            expected = u.Quantity(expected, unit=row.unit)
        assert_same(transform(row.fun, unit_aware=True)(x), expected)


@three_transforms
def test_unit_comes_from_the_leaf_and_not_from_the_container(transform):
    def fun(p):
        return {"I": p["g"] * p["V"], "drop": [p["V"], p["g"] ** 2]}

    p = {"g": q([1.0, 2.0], u.uS), "V": q(3.0, u.mV)}
    zero = q([0.0, 0.0], u.mV / u.uS)
    expected = {
        "I": {"g": q([[3.0, 0.0], [0.0, 3.0]], u.mV), "V": q([1.0, 2.0], u.uS)},
        "drop": [
            {"g": zero, "V": jnp.asarray(1.0)},
            {"g": q([[2.0, 0.0], [0.0, 4.0]], u.uS), "V": q([0.0, 0.0], u.uS**2 / u.mV)},
        ],
    }
    assert_same(transform(fun, unit_aware=True)(p), expected)


@three_transforms
def test_traced_zero_with_a_unit_carries_a_scan(transform):
    def fun(x):
        total, _ = jax.lax.scan(lambda c, k: (c + k * x, None), 0 * x, jnp.arange(4.0))
        return total

    assert_same(transform(fun, unit_aware=True)(q(3.0, u.mV)), jnp.asarray(6.0))


@eager_and_compiled
@three_transforms
def test_unit_of_the_output_may_depend_on_a_static_argument(transform, jit):
    def power(x, n):
        return x**n

    jac = transform(power, unit_aware=True, jit=jit)
    for n, expected in ((2, q(6.0, u.mV)), (3, q(27.0, u.mV**2)), (1, jnp.asarray(1.0))):
        assert_same(jac(q(3.0, u.mV), n), expected)


@three_transforms
def test_jacobian_without_dimension_divides_like_any_number(transform):
    # One step of the exponential Euler method: dv/dt = -v / tau, v(dt) = v + dt f (e^z - 1) / z
    def step(v, dt, tau):
        def f(v):
            return -v / tau

        slope = transform(f, unit_aware=True)(v)  # in 1/ms
        z = dt * slope
        return v + dt * f(v) * (u.math.exp(z) - 1) / z

    found = step(q(-65.0, u.mV), q(0.1, u.ms), q(10.0, u.ms))
    assert_same(found, q(-65.0 * np.exp(-0.01), u.mV), digits_lost=1000)
    stepped = transform(lambda v: step(v, q(0.1, u.ms), q(10.0, u.ms)), unit_aware=True)
    assert_physically_equal(stepped(q(-0.065, u.volt)), jnp.exp(-0.01), digits_lost=1000)


@pytest.mark.parametrize("outer", [REV, FWD, AUTO], ids=lambda t: t.name)
@pytest.mark.parametrize("inner", [REV, FWD, AUTO], ids=lambda t: t.name)
def test_second_derivative_has_the_unit_of_the_output_over_both_inputs(outer, inner):
    def energy(p):
        return p["C"] * p["V"] ** 2 / 2

    second = outer(inner(energy, unit_aware=True), unit_aware=True)
    found = second({"C": q(2.0, u.pF), "V": q(3.0, u.mV)})
    expected = {
        "C": {"C": q(0.0, u.mV**2 / u.pF), "V": q(3.0, u.mV)},
        "V": {"C": q(3.0, u.mV), "V": q(2.0, u.pF)},
    }
    assert_same(found, expected)


@eager_and_compiled
@three_transforms
def test_value_and_aux_keep_the_units_that_the_function_gave_them(transform, jit):
    def fun(x):
        return (x * u.uS).in_unit(u.pA), {"seconds": (x / u.mV * u.ms).in_unit(u.second)}

    jac = transform(fun, has_aux=True, return_value=True, unit_aware=True, jit=jit)
    _, value, aux = jac(q(3.0, u.mV))
    assert_same(value, q(3000.0, u.pA))
    assert_same(aux, {"seconds": q(0.003, u.second)})


@eager_and_compiled
@three_transforms
def test_unit_error_in_the_function_is_brainunits_own_from_the_line_that_made_it(transform, jit):
    def fun(x):
        return x + 4.0 * u.ms

    with pytest.raises(u.UnitMismatchError, match="mV != ms") as caught:
        transform(fun, unit_aware=True, jit=jit)(q(3.0, u.mV))
    lines = [str(e.statement).strip() for e in caught.traceback if str(e.path) == __file__]
    assert lines[-1] == "return x + 4.0 * u.ms"


# How an input is written does not matter

SAME = {
    "V": ("mV", "V", "nV", "kV"),
    "g": ("nS", "uS", "S", "GS"),
    "C": ("pF", "F", "uF"),
    "t": ("ms", "second", "minute", "ns", "hour"),
    "E": ("mV", "V", "uV"),
}
AT = {"V": -20.0, "g": 12.0, "C": 5.0, "t": 0.3, "E": -70.0}  # in the first unit of each


def charging(E: State) -> Callable[[Any], Any]:
    def fun(p):
        drive = p["V"] - E.value
        rate = p["g"] / p["C"]
        return {
            "dV/dt": -rate * drive,
            "V": [E.value + drive * u.math.exp(-rate * p["t"])],
            "P": p["g"] * drive**2,
            "root": u.math.sqrt(p["C"] * p["t"]),
            "ratio": rate * p["t"],
        }

    return fun


def written(name: str, unit: str) -> u.Quantity:
    return q(AT[name], SAME[name][0]).in_unit(u.parse_unit(unit))


@pytest.mark.parametrize("transform", [REV, FWD, AUTO], ids=lambda t: t.name)
def test_no_block_depends_on_the_units_in_which_inputs_and_states_are_written(transform, rng):
    with jax.enable_x64(True):
        state = State(written("E", "mV"), name="E")
        jac = transform(
            charging(state), grad_states=state, argnums=0, return_value=True, unit_aware=True
        )
        base = {name: written(name, SAME[name][0]) for name in "VgCt"}
        expected, passes = jac(base), jac.plan(base).passes
        for _ in range(8):
            choice = {name: str(rng.choice(units)) for name, units in SAME.items()}
            state.value = written("E", choice["E"])
            p = {name: written(name, choice[name]) for name in "VgCt"}
            assert_physically_equal(jac(p), expected, digits_lost=1000)
            assert jac.plan(p).passes == passes, choice


@three_transforms
def test_inputs_written_a_billion_apart_agree_in_float32(transform):
    jac = transform(lambda V, g: (g * V, V**2 * g), argnums=(0, 1), unit_aware=True)
    small = jac(q(3.0, u.mV), q(2.0, u.nS))
    large = jac(q(3e-6, "kV"), q(2e-9, u.siemens))
    assert_physically_equal(large, small)


@eager_and_compiled
def test_compiled_program_notices_that_an_input_is_written_in_another_unit(jit):
    jac = jacrev(lambda V: V**2, unit_aware=True, jit=jit)
    for V in (q(3.0, u.mV), q(3.0, u.volt), q(3.0, u.mV), q(0.003, u.volt)):
        assert_same(jac(V), 2 * V)


# unit_aware=False


@eager_and_compiled
@three_transforms
def test_blocks_without_units_are_plain_magnitudes_of_the_functions_own_units(transform, jit):
    def fun(p):
        return {"I": p["g"] * p["V"], "V": p["V"].in_unit(u.volt)}

    p = {"g": q([1.0, 2.0], u.uS), "V": q(3.0, u.mV)}
    with pytest.warns(UnitsDroppedWarning):
        found, value = transform(fun, return_value=True, jit=jit)(p)
    assert not any(map(is_quantity, jax.tree.leaves(found, is_leaf=is_quantity)))
    bare = jax.jacrev(lambda p: {"I": p["g"] * p["V"], "V": p["V"] / 1000})(magnitudes(p))
    assert_same(found, bare)
    assert_same(value, fun(p))


@pytest.mark.parametrize("way", ["eager", "compiled", "outer jit", "vmap"])
@three_transforms
def test_warning_names_the_units_and_stands_at_the_users_line(transform, way):
    jac = transform(lambda V: (V**2, V * u.mohm, V), jit=way == "compiled")
    jac = {"outer jit": jax.jit, "vmap": jax.vmap}.get(way, lambda f: f)(jac)
    text = (
        f"^{transform.name} of .*<lambda> has blocks in mV, mohm, which come back as plain "
        "magnitudes in the units of the function's own inputs and outputs. Pass unit_aware=True"
    )
    here = inspect.currentframe()
    with pytest.warns(UnitsDroppedWarning, match=text) as caught:
        jac(q([3.0], u.mV))
    line = here.f_lineno - 1
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


@three_transforms
def test_compiled_program_warns_once_and_an_eager_call_each_time(transform):
    for jit, expected in ((False, 3), (True, 1)):
        jac = transform(lambda V: V**2, jit=jit)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(3):
                jac(q(3.0, u.mV))
        assert [w.category for w in caught] == [UnitsDroppedWarning] * expected


@three_transforms
def test_no_warning_where_no_unit_is_lost(transform):
    # Warnings are errors in these tests.
    transform(lambda V: 2 * V)(q(3.0, u.mV))
    transform(lambda V: V**2, unit_aware=True)(q(3.0, u.mV))
    transform(lambda x: x**2)(3.0)
    transform(lambda x: x**2)(q(3.0, u.UNITLESS))


def test_transforms_agree_on_units_within_a_tree_of_mixed_scales():
    def fun(p):
        return [p["a"] + p["b"], {"a": p["a"] * p["b"], "none": p["n"]}, (p["b"] / p["a"],)]

    p = {"a": q(3.0, u.mV), "b": q(2.0, u.volt), "n": jnp.asarray(1.0)}
    forward, reverse = (t(fun, unit_aware=True)(p) for t in (jacfwd, jacrev))
    assert_same(forward, reverse)
    assert_same(forward[0], {"a": jnp.asarray(1.0), "b": jnp.asarray(1.0), "n": q(0.0, u.mV)})
    assert_same(forward[1]["a"]["b"], q(3.0, u.mV * u.volt / u.volt))
    assert_physically_equal(forward[2][0]["a"], q(-2.0 / 9e-6, per(u.volt)))
