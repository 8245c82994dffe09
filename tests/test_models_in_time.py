"""Models in time: where they rest, where they lose that rest, in any unit, beside scipy."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from unitjac.linalg import Axis, eigvals, jacobian_matrix
from unitjac.models import cable, fitzhugh_nagumo, hodgkin_huxley, morris_lecar, robertson
from unitjac.models.protocols import step

NOW = 0.0 * u.ms
DENSITY = u.uA / u.cm**2


@pytest.fixture(autouse=True)
def in_float64():
    with jax.enable_x64(True):
        yield


def growth(dynamics, state, params) -> float:
    """The largest real part of the eigenvalues at a state, in 1/ms."""
    J = jacobian_matrix(lambda y: dynamics(NOW, y, params))(state)
    return float(jnp.max(eigvals(J).to_decimal(u.ms**-1).real))


def test_fitzhugh_nagumo_rests_and_loses_its_rest() -> None:
    params = fitzhugh_nagumo.parameters()
    rest = fitzhugh_nagumo.resting_point(params)
    slopes = fitzhugh_nagumo.dynamics(NOW, rest, params)
    assert max(abs(float(x.to_decimal(u.ms**-1))) for x in slopes.values()) < 1e-12

    def at(current: float) -> float:
        given = {**params, "I": current}
        return growth(
            fitzhugh_nagumo.dynamics, fitzhugh_nagumo.resting_point(given, current), given
        )

    # where the trace vanishes: v^2 = 1 - b eps, and the rest gives the current
    v = -np.sqrt(1 - 0.8 * 0.08)
    closed = (v + 0.7) / 0.8 - v + v**3 / 3
    assert brentq(at, 0.2, 0.5, xtol=1e-12) == pytest.approx(closed, rel=1e-9)
    assert closed == pytest.approx(0.3313, abs=5e-5)


def morris_lecar_at_rest(V: float):
    """The current in uA/cm^2 that holds a voltage in mV, and the growth there."""
    params = morris_lecar.parameters()
    rest = {"V": V * u.mV}
    rest["w"] = morris_lecar.steady(rest["V"], params)["w"]
    ionic = sum(float(x.to_decimal(DENSITY)) for x in morris_lecar.currents(rest, params).values())
    params["I"] = ionic * DENSITY
    slope = morris_lecar.dynamics(NOW, rest, params)
    assert abs(float(slope["V"].to_decimal(u.mV / u.ms))) < 1e-12
    return ionic, growth(morris_lecar.dynamics, rest, params)


@pytest.mark.parametrize(("low", "high", "published"), [(-40.0, -20.0, 94), (0.0, 12.0, 212)])
def test_morris_lecar_fires_between_two_hopf_points(low, high, published) -> None:
    V = brentq(lambda V: morris_lecar_at_rest(V)[1], low, high, xtol=1e-9)
    assert morris_lecar_at_rest(V)[0] == pytest.approx(published, abs=0.5)


def test_robertson_as_scipy_solves_it() -> None:
    params, first = robertson.parameters(), robertson.initial_state()
    axis = Axis.of(first)
    slopes = axis.map_units(lambda unit: unit / u.second)

    @jax.jit
    def rhs(t, y):
        return slopes.to_vector(robertson.dynamics(t * u.second, axis.to_tree(y), params))

    found = solve_ivp(
        lambda t, y: np.asarray(rhs(t, y)),
        (0.0, 0.4),
        np.asarray(axis.to_vector(first)),
        method="BDF",
        rtol=1e-8,
        atol=1e-12,
    )
    # as CVODE's example cvsRoberts_dns prints it at t = 0.4
    np.testing.assert_allclose(found.y[:, -1], [9.8517e-01, 3.3864e-05, 1.4794e-02], rtol=1e-4)
    assert found.y[:, -1].sum() == pytest.approx(1.0, rel=1e-9)


def test_the_membrane_is_driven_by_a_stimulus() -> None:
    pulse = step(10.0 * DENSITY, 5.0 * u.ms, 45.0 * u.ms)
    params = {**hodgkin_huxley.parameters(), "I": pulse}
    rest = hodgkin_huxley.resting_point(hodgkin_huxley.parameters())
    for t, expected in ((0.0, 0.0), (5.0, 10.0), (44.0, 10.0), (45.0, 0.0)):
        slope = hodgkin_huxley.dynamics(t * u.ms, rest, params)["V"]
        assert float(slope.to_decimal(u.mV / u.ms)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("is_passive", [True, False], ids=["passive", "active"])
def test_a_current_into_the_first_compartment(is_passive: bool) -> None:
    params = cable.passive_parameters() if is_passive else cable.parameters()
    state = cable.resting_state(4, cable.parameters())
    if is_passive:
        state = {"V": jnp.full(4, params["E_L"].to_decimal(u.mV)) * u.mV}
    slope = cable.dynamics(NOW, state, {**params, "I": 2.0 * DENSITY})
    charged = slope["V"] * params["C_m"]
    np.testing.assert_allclose(charged.to_decimal(DENSITY), [2.0, 0.0, 0.0, 0.0], atol=1e-9)


@pytest.mark.parametrize(
    ("dynamics", "state", "params"),
    [
        (
            hodgkin_huxley.dynamics,
            {"V": -40.0 * u.mV, "m": 0.1, "h": 0.5, "n": 0.4},
            {**hodgkin_huxley.parameters(), "I": 10.0 * DENSITY},
        ),
        (
            morris_lecar.dynamics,
            {"V": -30.0 * u.mV, "w": 0.1},
            {**morris_lecar.parameters(), "I": 90.0 * DENSITY},
        ),
        (fitzhugh_nagumo.dynamics, {"v": -1.0, "w": 0.2}, fitzhugh_nagumo.parameters()),
        (
            robertson.dynamics,
            {name: x + 0.1 * u.mole / u.litre for name, x in robertson.initial_state().items()},
            robertson.parameters(),
        ),
    ],
    ids=["hodgkin_huxley", "morris_lecar", "fitzhugh_nagumo", "robertson"],
)
def test_written_in_base_units_it_is_the_same_model(dynamics, state, params) -> None:
    def rebased(tree):
        return {
            name: leaf.in_unit(u.Unit(dim=leaf.unit.dim)) if isinstance(leaf, u.Quantity) else leaf
            for name, leaf in tree.items()
        }

    one = dynamics(NOW, state, params)
    other = dynamics(0.0 * u.second, rebased(state), rebased(params))
    for name in one:
        difference = (other[name] - one[name]) / one[name]
        assert abs(float(u.Quantity(difference).to_decimal(u.UNITLESS))) < 1e-12
