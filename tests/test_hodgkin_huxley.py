"""The built-in membrane: its rates against sympy, its currents and its rest in closed form."""

from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.optimize
import sympy

import unitjac
from unitjac.models import BUILT_IN
from unitjac.models import hodgkin_huxley as hh
from unitjac.models._linoid import linoid

PER_MS = u.ms**-1
CURRENT = u.uA / u.cm**2

v = sympy.Symbol("v", real=True)


def opening(scale: str, zero: int) -> sympy.Expr:
    x = (v - zero) / 10
    return sympy.Rational(scale) * x / (1 - sympy.exp(-x))


# Hodgkin and Huxley (1952) in the modern convention, v in mV, in 1/ms.
RATES: dict[str, tuple[Callable[[Any], Any], sympy.Expr]] = {
    "alpha_m": (hh.alpha_m, opening("1", -40)),
    "beta_m": (hh.beta_m, 4 * sympy.exp(-(v + 65) / 18)),
    "alpha_h": (hh.alpha_h, sympy.Rational("0.07") * sympy.exp(-(v + 65) / 20)),
    "beta_h": (hh.beta_h, 1 / (1 + sympy.exp(-(v + 35) / 10))),
    "alpha_n": (hh.alpha_n, opening("0.1", -55)),
    "beta_n": (hh.beta_n, sympy.Rational("0.125") * sympy.exp(-(v + 65) / 80)),
}

NEIGHBOURS = [0.0] + [s * d for d in (1e-9, 1e-7, 1e-5, 1e-3, 0.01, 0.1, 1.0) for s in (1, -1)]
VOLTAGES = sorted(
    {float(x) for x in np.linspace(-500, 500, 81)}
    | {zero + d for zero in (-40.0, -55.0, -35.0) for d in NEIGHBOURS}
    # where the series near the singular point gives way to the closed form
    | {zero + d for zero in (-40.0, -55.0) for d in (9.999999, 10.0, 10.000001, -9.999999, -10.0)}
)


SINGULAR = {"alpha_m": -40, "alpha_n": -55}


def exact(name: str, order: int, at: np.ndarray) -> np.ndarray:
    """A derivative of a rate, from 150 digits, by its series where it is singular."""
    derivative = sympy.lambdify(v, sympy.diff(RATES[name][1], v, order), "mpmath")
    singular = SINGULAR.get(name)
    with mpmath.workdps(150):
        values = (
            limit(name, order) if x == singular else derivative(mpmath.mpf(x))
            for x in map(float, at)
        )
        return np.array([float(value) for value in values])


def limit(name: str, order: int) -> sympy.Expr:
    series = sympy.series(RATES[name][1], v, SINGULAR[name], order + 1).removeO()
    return sympy.diff(series, v, order).subs(v, SINGULAR[name])


def nth_derivative(function: Callable[[Any], Any], order: int) -> Callable[[Any], Any]:
    for _ in range(order):
        function = jax.grad(function)
    return jax.jit(jax.vmap(function))


def floor(name: str, expected: np.ndarray, eps: float) -> float:
    """How large an error may be that is not small against the value itself.

    Beyond -35 mV the slope of the logistic function is that of a number near one, and is as exact
    as that number; the other rates keep all digits at any voltage.
    """
    return 10 * eps * float(np.max(np.abs(expected))) if name == "beta_h" else 0.0


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("name", RATES)
def test_rate_and_its_derivatives_against_sympy(name: str, order: int) -> None:
    rate = RATES[name][0]
    with jax.enable_x64(True):
        at = np.array(VOLTAGES)
        got = nth_derivative(lambda x: rate(x * u.mV).to_decimal(PER_MS), order)(at)
    expected = exact(name, order, at)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=floor(name, expected, 2.3e-16))


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("name", RATES)
def test_rate_in_single_precision(name: str, order: int) -> None:
    rate = RATES[name][0]
    at = np.unique(np.array(VOLTAGES, np.float32))
    got = nth_derivative(lambda x: rate(x * u.mV).to_decimal(PER_MS), order)(at)
    assert got.dtype == np.float32
    expected = exact(name, order, at)
    # An exponent of 30, rounded, moves the exponential by 30 roundings; each derivative by more.
    rtol = 1e-4 if order == 3 else 1e-5
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=floor(name, expected, 1.2e-7) + 1e-30)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", range(4))
def test_linoid_never_overflows(order: int, dtype: type) -> None:
    with jax.enable_x64(dtype is np.float64):
        at = np.array([-1e30, -1e4, -745.0, -104.0, -88.0, 88.0, 104.0, 745.0, 1e4, 1e30], dtype)
        got = nth_derivative(linoid, order)(at)
    with np.errstate(all="ignore"):
        limits = {0: np.maximum(at, 0), 1: (at > 0).astype(dtype)}.get(order, np.zeros_like(at))
    np.testing.assert_allclose(got, limits, rtol=1e-6, atol=1e-34)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_linoid_keeps_its_type(dtype: Any) -> None:
    x = jnp.linspace(-8, 8, 33, dtype=dtype)
    got = linoid(x)
    assert got.dtype == dtype
    exactly = [1.0 if a == 0 else a / (1 - np.exp(-a)) for a in np.asarray(x, float)]
    np.testing.assert_allclose(
        np.asarray(got, float), exactly, rtol=8 * float(jnp.finfo(dtype).eps)
    )


@pytest.mark.parametrize("transform", [unitjac.jacrev, unitjac.jacfwd])
@pytest.mark.parametrize(
    ("name", "zero", "slope"), [("alpha_m", -40, 0.05), ("alpha_n", -55, 0.005)]
)
def test_slope_of_a_rate_at_its_singular_voltage(
    transform: Callable[..., Any], name: str, zero: int, slope: float
) -> None:
    with jax.enable_x64(True):
        rate = getattr(hh, name)
        block = transform(rate, unit_aware=True)(float(zero) * u.mV)
        second = transform(transform(rate, unit_aware=True), unit_aware=True)(float(zero) * u.mV)
    # x / (1 - exp(-x)) = 1 + x / 2 + x^2 / 12 + ...
    np.testing.assert_allclose(block.to_decimal(PER_MS / u.mV), slope, rtol=1e-15)
    np.testing.assert_allclose(second.to_decimal(PER_MS / u.mV**2), slope / 30, rtol=1e-14)


def test_parameters_are_those_of_the_squid() -> None:
    texts = {name: f"{float(q.mantissa):g} {q.unit}" for name, q in hh.parameters().items()}
    assert texts == {
        "C_m": "1 uF / cm^2",
        "g_Na": "120 mS / cm^2",
        "g_K": "36 mS / cm^2",
        "g_L": "0.3 mS / cm^2",
        "E_Na": "50 mV",
        "E_K": "-77 mV",
        "E_L": "-54.387 mV",
    }


STATE = {"V": -40.0 * u.mV, "m": 0.05, "h": 0.6, "n": 0.32}


def test_currents_in_closed_form() -> None:
    with jax.enable_x64(True):
        currents = hh.currents(STATE, hh.parameters())
    expected = {
        "I_Na": 120 * 0.05**3 * 0.6 * (-40 - 50),
        "I_K": 36 * 0.32**4 * (-40 + 77),
        "I_L": 0.3 * (-40 + 54.387),
    }
    assert list(currents) == list(expected)
    for name, current in currents.items():
        assert current.unit == CURRENT
        np.testing.assert_allclose(current.mantissa, expected[name], rtol=1e-14)


def test_derivatives_in_closed_form() -> None:
    with jax.enable_x64(True):
        slopes = hh.derivatives(STATE, hh.parameters(), I_ext=10.0 * CURRENT)
        ionic = sum(
            float(i.to_decimal(CURRENT)) for i in hh.currents(STATE, hh.parameters()).values()
        )
    assert list(slopes) == list(STATE)
    assert slopes["V"].unit == u.mV / u.ms
    np.testing.assert_allclose(slopes["V"].mantissa, 10 - ionic, rtol=1e-14)
    for gate in "mhn":
        alpha, beta = (
            exact(f"{kind}_{gate}", 0, np.array([-40.0]))[0] for kind in ("alpha", "beta")
        )
        expected = alpha * (1 - STATE[gate]) - beta * STATE[gate]
        np.testing.assert_allclose(slopes[gate].mantissa, expected, rtol=1e-13)


OTHER_UNITS = {
    "C_m": u.farad / u.meter**2,
    "g_Na": u.siemens / u.meter**2,
    "g_K": u.uS / u.cm**2,
    "g_L": u.nS / u.um**2,
    "E_Na": u.volt,
    "E_K": u.uvolt,
    "E_L": u.volt,
    "V": u.volt,
    "I_ext": u.amp / u.meter**2,
}


def rewritten(inputs: dict[str, Any]) -> dict[str, Any]:
    return {k: q.in_unit(OTHER_UNITS[k]) if k in OTHER_UNITS else q for k, q in inputs.items()}


def test_units_of_inputs_change_nothing() -> None:
    with jax.enable_x64(True):
        inputs = {**hh.membrane_inputs(), "I_ext": 3.0 * CURRENT}
        before, after = hh.membrane(inputs), hh.membrane(rewritten(inputs))
        rest, moved = (hh.resting_point(p, p["I_ext"])["V"] for p in (inputs, rewritten(inputs)))
    for name, value in before.items():
        np.testing.assert_allclose(after[name].to_decimal(value.unit), value.mantissa, rtol=1e-12)
    np.testing.assert_allclose(moved.to_decimal(u.mV), rest.to_decimal(u.mV), rtol=1e-12)


def test_units_of_inputs_change_no_derivative() -> None:
    jac = unitjac.jacobian(hh.membrane, unit_aware=True)
    with jax.enable_x64(True):
        inputs = hh.membrane_inputs()
        before, after = jac(inputs), jac(rewritten(inputs))
        for output, row in before.items():
            for name, block in row.items():
                unit, other = u.get_unit(block), u.Quantity(after[output][name])
                np.testing.assert_allclose(
                    other.to_decimal(unit),
                    u.get_mantissa(block),
                    rtol=1e-12,
                    err_msg=f"d {output} / d {name}",
                )


NUMBERS = {name: sympy.lambdify(v, expression, "math") for name, (_, expression) in RATES.items()}


def net_current(V_mV: float, p: dict[str, float], I_ext: float = 0.0) -> float:
    """The steady-state current from the equations, in plain numbers."""
    rates = {name: number(V_mV) for name, number in NUMBERS.items()}
    m, h, n = (rates[f"alpha_{g}"] / (rates[f"alpha_{g}"] + rates[f"beta_{g}"]) for g in "mhn")
    return (
        p["g_Na"] * m**3 * h * (V_mV - p["E_Na"])
        + p["g_K"] * n**4 * (V_mV - p["E_K"])
        + p["g_L"] * (V_mV - p["E_L"])
        - I_ext
    )


def plain(params: dict[str, Any]) -> dict[str, float]:
    return {k: float(q.mantissa) for k, q in params.items()}


@pytest.mark.parametrize("I_ext", [0.0, 10.0, -200.0, 200.0])
def test_resting_point_against_brent(I_ext: float) -> None:
    with jax.enable_x64(True):
        params = hh.parameters()
        rest = hh.resting_point(params, I_ext * CURRENT)
        slopes = hh.derivatives(rest, params, I_ext * CURRENT)
    root = scipy.optimize.brentq(net_current, -800.1, 800.1, (plain(params), I_ext), xtol=1e-13)
    np.testing.assert_allclose(rest["V"].to_decimal(u.mV), root, rtol=1e-11)
    assert abs(float(slopes["V"].to_decimal(u.mV / u.ms))) < 1e-11
    for gate in "mhn":
        assert abs(float(slopes[gate].to_decimal(PER_MS))) < 1e-14


def test_resting_voltage_is_minus_65_mV_in_either_precision() -> None:
    assert abs(hh.resting_point(hh.parameters())["V"].to_decimal(u.mV) + 65) < 0.01
    with jax.enable_x64(True):
        assert abs(hh.resting_point(hh.parameters())["V"].to_decimal(u.mV) + 65) < 0.01


def test_resting_point_of_any_parameters(rng: np.random.Generator) -> None:
    def voltage_slope(p: dict[str, Any]) -> Any:
        return hh.derivatives(hh.resting_point(p), p)["V"].to_decimal(u.mV / u.ms)

    with jax.enable_x64(True):
        factors = rng.lognormal(sigma=1.0, size=(7, 50))
        params = {k: q * f for (k, q), f in zip(hh.parameters().items(), factors, strict=True)}
        slopes = jax.jit(jax.vmap(voltage_slope))(params)
    # Currents of 1e4 uA/cm^2 over a capacitance of a tenth leave roundings of 1e-11.
    assert np.max(np.abs(slopes)) < 1e-8


def test_derivatives_of_the_resting_voltage() -> None:
    def voltage(params: dict[str, Any]) -> Any:
        return hh.resting_point(params)["V"]

    with jax.enable_x64(True):
        params = hh.parameters()
        V = float(voltage(params).to_decimal(u.mV))
        forward = unitjac.jacfwd(voltage, unit_aware=True)(params)
        reverse = unitjac.jacrev(voltage, unit_aware=True)(params)
    numbers, steps = plain(params), {}
    for name, q in params.items():
        # The implicit function theorem, dV/dp = -I_p / I_V, with differences of the equations.
        steps[name] = 1e-5 * abs(numbers[name])
        up, down = ({**numbers, name: numbers[name] + s * steps[name]} for s in (1, -1))
        by_parameter = (net_current(V, up) - net_current(V, down)) / (2 * steps[name])
        by_voltage = (net_current(V + 1e-4, numbers) - net_current(V - 1e-4, numbers)) / 2e-4
        for block in (forward[name], reverse[name]):
            got = u.Quantity(block).to_decimal(u.mV / q.unit)
            np.testing.assert_allclose(
                got, -by_parameter / by_voltage, rtol=1e-6, atol=1e-12, err_msg=name
            )


def test_second_derivative_of_the_resting_voltage() -> None:
    def voltage(E_L: Any) -> Any:
        return hh.resting_point({**hh.parameters(), "E_L": E_L * u.mV})["V"].to_decimal(u.mV)

    with jax.enable_x64(True):
        got = jax.jit(jax.grad(jax.grad(voltage)))(-54.387)
        slope = jax.jit(jax.grad(voltage))
        expected = (slope(-54.387 + 1e-4) - slope(-54.387 - 1e-4)) / 2e-4
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_gates_are_steady_at_any_voltage() -> None:
    with jax.enable_x64(True):
        V = jnp.linspace(-120.0, 60.0, 37) * u.mV
        slopes = hh.derivatives({"V": V, **hh.steady_gates(V)}, hh.parameters())
    for gate in "mhn":
        np.testing.assert_allclose(slopes[gate].to_decimal(PER_MS), 0.0, atol=1e-13)


def test_an_action_potential() -> None:
    """10 uA/cm^2 make the membrane fire: the voltage overshoots 0 mV, again and again."""

    def step(state: dict[str, Any], _: None) -> tuple[dict[str, Any], Any]:
        slope = hh.derivatives(state, params, I_ext=10.0 * CURRENT)
        state = {name: state[name] + 0.01 * u.ms * slope[name] for name in state}
        return state, state["V"]

    with jax.enable_x64(True):
        params = hh.parameters()
        start = {name: u.math.asarray(value) for name, value in hh.resting_point(params).items()}
        _, V = jax.lax.scan(step, start, None, length=5000)
        V = np.asarray(V.to_decimal(u.mV))
    crossings = np.sum((V[:-1] < 0) & (V[1:] >= 0))
    # The published model fires at about 68 Hz with this current: three or four times in 50 ms.
    assert crossings in (3, 4)
    assert 30 < V.max() < 50
    assert -80 < V.min() < -70


def test_the_built_in_point_has_no_output_at_rest() -> None:
    model = BUILT_IN["hodgkin-huxley"]
    outputs = model.function(model.inputs())
    assert list(outputs) == ["I_Na", "I_K", "I_L", "dV/dt", "dm/dt", "dh/dt", "dn/dt"]
    assert all(abs(float(q.mantissa)) > 0.05 for q in outputs.values())


def test_built_in_inputs_follow_the_precision() -> None:
    assert hh.membrane(hh.membrane_inputs())["I_Na"].mantissa.dtype == np.float32
    with jax.enable_x64(True):
        assert hh.membrane(hh.membrane_inputs())["I_Na"].mantissa.dtype == np.float64
