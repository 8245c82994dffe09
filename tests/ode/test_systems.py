"""The linear systems of the stages, and what is large enough to have a pattern."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unitjac
from unitjac._engine.pattern import as_pattern
from unitjac.models import cable, protocols
from unitjac.ode import sensitivities, solve
from unitjac.ode._elimination import Elimination
from unitjac.ode._factors import Dense, Unrolled


def random_system(rng, n, share):
    """A matrix with some entries, larger on the diagonal; of numbers whose sizes differ."""
    scale = 10.0 ** rng.uniform(-6, 6, n)
    matrix = np.where(rng.random((n, n)) < share, rng.normal(size=(n, n)), 0)
    return jnp.asarray(scale[:, None] * matrix / scale), jnp.asarray(scale)


@pytest.mark.parametrize("kind", ["unrolled", "dense", "elimination"])
@pytest.mark.parametrize(("n", "share"), [(1, 1.0), (7, 0.4), (40, 0.05)])
def test_factors_solve(rng, kind, n, share):
    matrix, scale = random_system(rng, n, share)
    pattern = as_pattern(np.asarray(matrix) != 0, "matrix")
    factors = {"unrolled": Unrolled(), "dense": Dense(), "elimination": Elimination(pattern)}[kind]
    shift, right = 30.0, jnp.asarray(rng.normal(size=n)) * scale
    solve = factors.factorized(lambda y: matrix @ y, jnp.ones(n), shift, scale)
    wanted = shift * np.eye(n) - np.asarray(matrix)
    residual = wanted @ np.asarray(solve(right)) - right
    np.testing.assert_allclose(residual / scale, 0, atol=1e-10)
    (back,) = jax.linear_transpose(solve, right)(right / scale**2)
    np.testing.assert_allclose((wanted.T @ np.asarray(back)) * scale, right / scale, atol=1e-10)


def cable_of(n):
    params = cable.parameters()
    pulse = protocols.step(500.0 * u.uA / u.cm**2, start=0.5 * u.ms, stop=1.5 * u.ms)
    t = u.Quantity(np.linspace(0.0, 3.0, 4), unit=u.ms)
    return t, cable.resting_state(n, params), {**params, "I": pulse}


def test_a_cable_is_eliminated_along_its_pattern():
    t, y0, params = cable_of(12)
    found = solve(cable.dynamics, t, y0, params, rtol=1e-7)
    other = solve(cable.dynamics, t, y0, params, rtol=1e-9, solver="Tsit5")
    assert "elimination along" in found.solver
    for name, course in found.y.items():
        one, two = (np.asarray(u.get_mantissa(x)) for x in (course, other.y[name]))
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def test_its_derivatives():
    t, y0, params = cable_of(9)

    def last(g, **options):
        return solve(cable.dynamics, t, y0, {**params, "g_Na": g}, **options).y["V"][-1]

    g = params["g_Na"]
    pushed = unitjac.jacfwd(last, unit_aware=True, jit=True)(g)
    pulled = unitjac.jacrev(last, unit_aware=True, jit=True)(g)
    np.testing.assert_allclose(pushed.mantissa, pulled.mantissa, rtol=1e-8)
    step = 1e-3 * g
    options = dict(rtol=1e-9, solver="Tsit5")
    slope = (last(g + step, **options) - last(g - step, **options)) / (2 * step)
    unit = u.mV / (u.mS / u.cm**2)
    np.testing.assert_allclose(pushed.to_decimal(unit), slope.to_decimal(unit), rtol=1e-3)


def test_relative_sensitivities():
    decay = lambda t, y, p: {"V": -y["V"] / p["tau"]}  # noqa: E731
    t = u.Quantity(np.linspace(0.0, 20.0, 3), unit=u.ms)
    found = sensitivities(decay, t, {"V": 8.0 * u.mV}, {"tau": 10.0 * u.ms}, rtol=1e-9)
    np.testing.assert_allclose(found.relative["V"]["tau"], [0.0, 1.0, 2.0], atol=1e-7)
