"""Solutions and sensitivities against closed forms, in units."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unitjac.ode import sensitivities, solve

from .problems import KNOWN


@pytest.fixture(params=KNOWN)
def known(request):
    return KNOWN[request.param]


def magnitudes(tree):
    return {name: jnp.asarray(u.get_mantissa(x), float) for name, x in tree.items()}


def assert_near(found, expected, part=1e-6):
    expected = np.asarray(expected)
    np.testing.assert_allclose(found, expected, atol=part * max(np.max(np.abs(expected)), 1e-300))


@pytest.mark.parametrize("solver", ["auto", "Tsit5"])
def test_solution(known, solver):
    t = known.t()
    solution = solve(known.rhs, t, known.y0, known.params, rtol=1e-9, solver=solver)
    expected = known.exact(t.mantissa, magnitudes(known.params))
    assert solution.success
    for (name, found), exact in zip(solution.y.items(), expected, strict=True):
        assert found.unit == known.y0[name].unit
        assert_near(found.mantissa, exact)


@pytest.mark.parametrize("mode", ["forward", "adjoint"])
def test_sensitivities(known, mode):
    t, p = known.t(), magnitudes(known.params)
    found = sensitivities(known.rhs, t, known.y0, known.params, rtol=1e-9, mode=mode)
    expected = jax.jacfwd(lambda p: known.exact(t.mantissa, p))(p)
    assert found.mode == mode
    for (name, blocks), exact in zip(found.dp.items(), expected, strict=True):
        for key, block in blocks.items():
            unit = known.y0[name].unit / known.params[key].unit
            assert_near(u.Quantity(block).to_decimal(unit), exact[key])


def test_a_parameter_in_the_initial_state_counts():
    """V(0) = E, and E pulls: the derivative by E is one at all times."""
    rhs = lambda t, y, p: {"V": (p["E"] - y["V"]) / p["tau"]}  # noqa: E731
    params = {"E": -65.0 * u.mV, "tau": 10.0 * u.ms}
    t = jnp.linspace(0, 30, 4) * u.ms
    start = lambda p: {"V": p["E"]}  # noqa: E731
    for mode in ("forward", "adjoint"):
        found = sensitivities(rhs, t, start, params, mode=mode, wrt=("params", "y0"))
        np.testing.assert_allclose(found.dp["V"]["E"], 1.0, rtol=1e-8)
        # the state stands still, and by adjoint nothing but the state chooses the steps
        part = 1e-5 if mode == "forward" else 1e-2
        np.testing.assert_allclose(found.dy0["V"]["V"], np.exp(-t.mantissa / 10), rtol=part)


def test_outputs_are_saved_and_differentiated():
    known = KNOWN["membrane"]
    t = known.t()

    def current(t, y, p):
        return {"I_R": ((y["V"] - p["E"]) / p["R"]).in_unit(u.pA)}

    found = sensitivities(
        known.rhs, t, known.y0, known.params, outputs=current, rtol=1e-9, wrt=("params", "y0")
    )
    V, p = found.y["V"].to_decimal(u.mV), known.params
    np.testing.assert_allclose(found.outputs["I_R"].to_decimal(u.pA), (V + 65) * 10, rtol=1e-9)
    by_E = (found.dp["V"]["E"] - 1) / p["R"]
    assert_near(found.doutputs_dp["I_R"]["E"].to_decimal(u.nS), by_E.to_decimal(u.nS), 1e-9)
    by_start = (found.dy0["V"]["V"] / p["R"]).to_decimal(u.nS)
    assert_near(found.doutputs_dy0["I_R"]["V"].to_decimal(u.nS), by_start, 1e-9)


def test_float32_in_default_precision():
    with jax.enable_x64(False):
        known = KNOWN["membrane"]
        t = known.t()
        found = sensitivities(known.rhs, t, known.y0, known.params, rtol=1e-4)
        assert found.y["V"].dtype == jnp.float32
        p = magnitudes(known.params)
        expected = jax.jacfwd(lambda p: known.exact(t.mantissa, p))(p)[0]
        assert_near(found.y["V"].mantissa, known.exact(t.mantissa, p)[0], 1e-4)
        assert_near(found.dp["V"]["E"], expected["E"], 3e-4)
