"""Everything that differentiates goes through a solve, and all ways agree."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unitjac
from unitjac import State
from unitjac.models import protocols
from unitjac.ode import JumpWarning, _program, sensitivities, solve
from unitjac.ode._problem import Equation

from .problems import pulse

T = u.Quantity(np.linspace(0.0, 40.0, 5), unit=u.ms)


def params():
    stimulus = protocols.step(0.2 * u.nA, start=7.0 * u.ms, stop=23.0 * u.ms)
    return {"R": 100.0 * u.Mohm, "tau": 10.0 * u.ms, "I": stimulus}


def exact(t, R, tau, on, off, I):  # noqa: E741
    charged = lambda s: jnp.where(s > 0, 1 - jnp.exp(-jnp.maximum(s, 0) / tau), 0)  # noqa: E731
    return R * I * (charged(t - on) - charged(t - off))


def voltage(p, **options):
    return solve(pulse, T, {"V": 0.0 * u.mV}, p, **options).y["V"]


def expected():
    point = (0.1, 10.0, 7.0, 23.0, 200.0)  # Gohm, ms, ms, ms, pA
    return jax.jacfwd(lambda x: exact(T.mantissa, *x))(jnp.array(point))


def as_matrix(blocks):
    """By R, tau, onset, offset, height: in mV over Gohm, ms, ms, ms, pA."""
    columns = [
        blocks["R"].to_decimal(u.mV / u.Gohm),
        blocks["tau"].to_decimal(u.mV / u.ms),
        *blocks["I"].times.to_decimal(u.mV / u.ms).T,
        blocks["I"].values.to_decimal(u.mV / u.pA)[:, 1],
    ]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("mode", ["jacrev", "jacfwd", "jacobian"])
def test_jacobian_of_a_solve(mode, jit):
    """By the times of the jumps too."""
    found = getattr(unitjac, mode)(lambda p: voltage(p, rtol=1e-8), unit_aware=True, jit=jit)(
        params()
    )
    np.testing.assert_allclose(as_matrix(found), expected(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("solver", ["auto", "Tsit5"])
@pytest.mark.parametrize("mode", ["forward", "adjoint"])
def test_sensitivities(mode, solver):
    found = sensitivities(
        pulse, T, {"V": 0.0 * u.mV}, params(), mode=mode, rtol=1e-8, solver=solver
    )
    np.testing.assert_allclose(as_matrix(found.dp["V"]), expected(), rtol=1e-5, atol=1e-7)


def test_transforms_of_jax():
    fun = lambda tau, adjoint: voltage(params() | {"tau": tau * u.ms}, adjoint=adjoint)[2].mantissa  # noqa: E731
    found = [
        jax.grad(lambda tau: fun(tau, "auto"))(10.0),
        jax.jacfwd(lambda tau: fun(tau, "forward"))(10.0),
        jax.jit(jax.grad(lambda tau: fun(tau, "both")))(10.0),
        jax.vmap(jax.grad(lambda tau: fun(tau, "auto")))(jnp.array([10.0]))[0],
    ]
    np.testing.assert_allclose(found, expected()[2, 1], rtol=1e-5)


@pytest.mark.parametrize("nesting", ["fwd-over-rev", "fwd-over-fwd"])
def test_second_derivatives(nesting):
    decay = lambda t, y, p: -y / p["tau"]  # noqa: E731
    fun = lambda p: solve(decay, T, 8.0 * u.mV, p, rtol=1e-9).y[-1]  # noqa: E731
    found = unitjac.hessian(fun, unit_aware=True, mode=nesting)({"tau": 10.0 * u.ms})
    value = jax.hessian(lambda tau: 8 * jnp.exp(-40 / tau))(10.0)
    second = found["tau"]["tau"]
    assert float(second.to_decimal(u.mV / u.ms**2)) == pytest.approx(float(value), rel=1e-5)


def test_states_are_differentiated_and_read_anew():
    tau = State(10.0 * u.ms)
    rhs = lambda t, y, p: -y / tau.value  # noqa: E731
    fun = lambda: solve(rhs, T, 8.0 * u.mV).y[1]  # noqa: E731
    for transform in (unitjac.jacrev, unitjac.jacfwd):
        found = transform(fun, grad_states=tau, unit_aware=True)()
        exact = 8 * np.exp(-1.0) / 10
        assert float(found.to_decimal(u.mV / u.ms)) == pytest.approx(exact, rel=1e-4)
    tau.value = 20.0 * u.ms
    assert float(fun().mantissa) == pytest.approx(8 * np.exp(-0.5), rel=1e-5)


def test_what_rhs_reads_is_read_anew():
    scale = {"k": 1.0}
    rhs = lambda t, y, p: -scale["k"] * y / u.ms  # noqa: E731
    one = solve(rhs, T, 8.0 * u.mV).y[1]
    scale["k"] = 0.1
    assert float(solve(rhs, T, 8.0 * u.mV).y[1].mantissa) == pytest.approx(8 * np.exp(-1), rel=1e-5)
    assert float(one.mantissa) == pytest.approx(0, abs=1e-3)


def programs_of_solves():
    """Those that are known, the last one used at the end."""
    return [program for key, (program, _) in _program._known.items() if key[0] == "solve"]


def test_a_program_is_compiled_once():
    traces = []

    def rhs(t, y, p):
        traces.append(1)
        return -y / p["tau"]

    for tau in (5.0, 10.0, 20.0):
        solve(rhs, T, 8.0 * u.mV, {"tau": tau * u.ms})
    assert len(traces) == 3
    *_, program = programs_of_solves()
    assert program._cache_size() == 1  # that of the first is that of all


def test_derivatives_by_the_times():
    decay = lambda t, y, p: -y / (10 * u.ms)  # noqa: E731
    fun = lambda t: solve(decay, t, 8.0 * u.mV).y  # noqa: E731
    t = jnp.array([0.0, 5.0, 20.0]) * u.ms
    found = unitjac.jacfwd(fun, unit_aware=True)(t).to_decimal(u.mV / u.ms)
    V = 8 * np.exp(-t.mantissa / 10)
    wanted = np.diag(-V / 10)
    wanted[:, 0] += V / 10  # starting later is being earlier at all times
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_short_pulse_is_not_stepped_over():
    brief = protocols.step(50.0 * u.nA, start=25.0 * u.ms, stop=25.1 * u.ms)
    V = voltage(params() | {"I": brief})
    rise = exact(T.mantissa, 0.1, 10.0, 25.0, 25.1, 50_000.0)
    np.testing.assert_allclose(V.mantissa, rise, rtol=1e-5, atol=1e-5)


def test_breakpoints_as_a_function_of_parameters():
    def rhs(t, y, p):
        height = jnp.where((t >= p["on"]) & (t < p["off"]), 20.0, 0.0) * u.mV
        return {"V": (height - y["V"]) / (10 * u.ms)}

    point = {"on": 7.0 * u.ms, "off": 23.0 * u.ms}
    with pytest.warns(JumpWarning, match="compares with the time t"):
        solve(rhs, T, {"V": 0.0 * u.mV}, point)
    found = sensitivities(
        rhs, T, {"V": 0.0 * u.mV}, point, breakpoints=lambda p: [p["on"], p["off"]], rtol=1e-8
    )
    columns = np.stack([found.dp["V"][name].to_decimal(u.mV / u.ms) for name in point], axis=1)
    np.testing.assert_allclose(columns, expected()[:, 2:4], rtol=1e-5, atol=1e-7)


def test_breakpoints_at_one_time_that_move_apart():
    one = protocols.step(0.1 * u.nA, start=7.0 * u.ms, stop=23.0 * u.ms)
    with pytest.raises(ValueError, match="two breakpoints at 7 depend on parameters of their own"):
        sensitivities(pulse, T, {"V": 0.0 * u.mV}, params() | {"I": one + one})


def test_a_comparison_of_states_is_no_jump_in_time():
    rhs = lambda t, y, p: jnp.where(y > 1 * u.mV, -1.0, -0.5) * y / u.ms  # noqa: E731
    solve(rhs, T, 8.0 * u.mV)  # warnings are errors


def test_no_tracer_stays():
    """What is kept of an equation has no part in a trace; diffrax fails in JAX's own check."""
    unitjac.jacfwd(voltage, unit_aware=True)(params())
    kept = [cell.cell_contents for f in programs_of_solves() for cell in _cells(f)]
    kept += [owner for _, owner in _program._known.values()]
    assert kept
    for equation in kept:
        if isinstance(equation, Equation):
            assert set(vars(equation)) == {"rhs", "outputs"}
            assert set(vars(equation.rhs)) == {"jaxpr", "text", "_structure", "_run"}


def _cells(compiled):
    return compiled.__wrapped__.__closure__ or ()


def test_controlled_by_all_or_by_the_state():
    """Near rest the state says nothing about its sensitivities."""
    rhs = lambda t, y, p: {"V": (p["E"] - y["V"]) / p["tau"]}  # noqa: E731
    point, start = {"E": -65.0 * u.mV, "tau": 1.0 * u.ms}, {"V": -65.0 * u.mV}
    errors = {}
    for control in ("all", "y"):
        found = sensitivities(rhs, T, start, point, control=control)
        exact = 1 - np.exp(-T.mantissa)
        errors[control] = np.max(np.abs(found.dp["V"]["E"] - exact))
        assert ("alone" in found.describe()) == (control == "y")
    assert errors["all"] < 1e-5 < 1e-3 < errors["y"]


def test_estimate_of_the_error():
    found = sensitivities(pulse, T, {"V": 0.0 * u.mV}, params(), rtol=1e-4, estimate_error=True)
    true = as_matrix(found.dp["V"]) - expected()
    (part,) = found.parts
    labels = part.cols.entry_labels
    order = [labels.index(x) for x in ("R", "tau", "I/times[0]", "I/times[1]", "I/values[1]")]
    factor = np.array([1e3, 1, 1, 1, 1e-3])  # from Mohm and nA
    said = np.max(np.abs(np.asarray(part.error)[:, 0, order] * factor), axis=0)
    size = np.max(np.abs(true), axis=0)
    assert np.all(said < 30 * size + 1e-9)
    assert np.all(size < 30 * said + 1e-9)
    assert "relative error" in found.to_text(200)
