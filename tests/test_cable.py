"""The cable of compartments, against closed forms, the single compartment, and other units."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_physically_equal, both_precisions, q

import unitjac
from unitjac.models import BUILT_IN, cable, hodgkin_huxley

DENSITY = u.uA / u.cm**2


def random_state(rng, n):
    return {
        "V": q(rng.uniform(-80, 40, n), u.mV),
        **{gate: jnp.asarray(rng.uniform(0.05, 0.95, n)) for gate in "mhn"},
    }


# Currents between compartments


def test_axial_current_is_ohms_law():
    """Two compartments 10 mV apart: the resistance of a cylinder, by hand."""
    with jax.enable_x64(True):
        params = {"d": 2.0 * u.um, "R_i": 150.0 * u.ohm * u.cm, "dx": 20.0 * u.um}
        V = q([-60.0, -70.0], u.mV)
        resistance = 150e-2 * 20e-6 / (np.pi * (2e-6) ** 2 / 4)  # in ohm
        (current,) = cable.axial_currents(V, params).to_decimal(u.amp)
        np.testing.assert_allclose(current, 10e-3 / resistance, 1e-12)
        # and charges the membrane of a compartment
        area = np.pi * 2e-6 * 20e-6
        density = cable.axial_density(V, params).to_decimal(u.amp / u.metre**2)
        np.testing.assert_allclose(density, [-current / area, current / area], 1e-12)


@both_precisions
@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_axial_current_is_conserved(rng, n, x64):
    """What flows out of one compartment flows into another: in all it sums up to zero."""
    with jax.enable_x64(x64):
        V = q(rng.uniform(-80, 40, n), u.mV)
        density = cable.axial_density(V, cable.parameters())
        largest = np.max(np.abs(density.mantissa))
        assert abs(np.sum(density.mantissa)) <= n * (1e-14 if x64 else 1e-6) * largest


def test_axial_density_is_a_second_difference(rng):
    with jax.enable_x64(True):
        V, params = q(rng.uniform(-80, 40, 9), u.mV), cable.passive_parameters()
        v = V.mantissa
        second = jnp.concatenate([v[1:2] - v[:1], v[2:] - 2 * v[1:-1] + v[:-2], v[-2:-1] - v[-1:]])
        expected = params["d"] / (4 * params["R_i"] * params["dx"] ** 2) * second * u.mV
        assert_physically_equal(cable.axial_density(V, params), expected)


# The passive cable


def sealed_profile(n: int, step: float, distance: np.ndarray) -> np.ndarray:
    """The steady voltage of n compartments, as a part of that at distance 0, far end sealed.

    It is ``cosh(kappa (n - 1/2 - i))`` with ``cosh(kappa) = 1 + step^2 / 2``, where ``step`` is the
    length of a compartment in length constants.
    """
    kappa = np.arccosh(1 + step**2 / 2)
    return np.cosh(kappa * (n - 0.5 - distance)) / np.cosh(kappa * (n - 0.5))


@pytest.mark.parametrize("n", [2, 25, 300])
def test_steady_state_of_the_compartments(n):
    """The profile is steady everywhere but where the current comes in."""
    with jax.enable_x64(True):
        params = cable.passive_parameters()
        length = cable.constants({**params, "l": params["dx"]})["length_constant"]
        step = float(jnp.asarray(params["dx"] / length))
        V = params["E_L"] + 12.0 * u.mV * jnp.asarray(sealed_profile(n, step, np.arange(n)))
        slope = cable.passive_derivatives({"V": V}, params)["V"].to_decimal(u.mV / u.ms)
        np.testing.assert_allclose(slope[1:], 0, atol=1e-11)
        # the current that holds the first compartment makes its slope zero too
        held = -slope[0] * u.mV / u.ms * params["C_m"]
        I_ext = jnp.zeros(n).at[0].set(held.to_decimal(DENSITY)) * DENSITY
        slope = cable.passive_derivatives({"V": V}, params, I_ext)["V"]
        np.testing.assert_allclose(slope.to_decimal(u.mV / u.ms), 0, atol=1e-11)


def steady_voltage(n: int, inputs: dict) -> tuple[float, float]:
    """Input resistance in Mohm, and attenuation, of n compartments, from their steady state.

    The Jacobian of the passive cable is a constant matrix, so that one solution is all.
    """
    params = {**inputs, "E_L": 0.0 * u.mV, "dx": inputs["l"] / n}
    zero = {"V": q(np.zeros(n), u.mV)}
    jac = unitjac.jacobian(cable.passive_derivatives, unit_aware=True)(zero, params)
    A = jac["V"]["V"].to_decimal(u.ms**-1)
    area = jnp.pi * params["d"] * params["dx"]
    current = 1.0 * u.pA
    rate = (current / area / params["C_m"]).to_decimal(u.mV / u.ms)
    V = np.linalg.solve(A, -rate * np.eye(n)[0]) * u.mV
    return float((V[0] / current).to_decimal(u.Mohm)), float(V[-1] / V[0])


def test_compartments_come_to_the_continuous_cable():
    """Twice as many compartments, half the error: the ends' middles lie dx / 2 inside."""
    with jax.enable_x64(True):
        inputs = cable.constants_inputs()
        exact = cable.constants(inputs)
        errors = []
        for n in (50, 100, 200):
            resistance, attenuation = steady_voltage(n, inputs)
            errors.append(
                (
                    abs(resistance / exact["input_resistance"].to_decimal(u.Mohm) - 1),
                    abs(attenuation / exact["attenuation"] - 1),
                )
            )
        errors = np.asarray(errors, float)
        assert errors[-1].max() < 0.01
        np.testing.assert_allclose(errors[:-1] / errors[1:], [[2.0, 2.0], [2.0, 2.0]], rtol=0.05)


def test_constants_by_hand():
    """A dendrite of 2 um: lambda = sqrt(2e-4 / (4 150 5e-5)) cm, tau = 20 ms."""
    with jax.enable_x64(True):
        found = cable.constants(cable.constants_inputs())
        length = np.sqrt(2e-4 / (4 * 150 * 5e-5))  # in cm
        away = 0.05 / length
        infinite = 150 * length / (np.pi * (2e-4) ** 2 / 4)  # in ohm
        assert_physically_equal(
            found,
            {
                "length_constant": length * u.cm,
                "time_constant": 20.0 * u.ms,
                "input_resistance": infinite / np.tanh(away) * u.ohm,
                "attenuation": 1 / np.cosh(away),
            },
        )


def test_the_passive_cable_is_built_in():
    model = BUILT_IN["passive-cable"]
    assert_physically_equal(
        model.function(model.inputs()), cable.constants(cable.constants_inputs())
    )


# The membrane of Hodgkin and Huxley


def term_sizes(state, params, I_ext):
    """How large the terms are together that each slope of the membrane is the sum of."""
    V = state["V"]
    flows = hodgkin_huxley.currents(state, params).values()
    sizes = {"V": sum(map(abs, flows), start=abs(I_ext)) / params["C_m"]}
    for gate in "mhn":
        opening, closing = (getattr(hodgkin_huxley, f"{kind}_{gate}") for kind in ("alpha", "beta"))
        sizes[gate] = opening(V) + closing(V)
    return sizes


@both_precisions
def test_a_uniform_cable_is_the_single_compartment(rng, x64):
    """No current flows between compartments at one voltage, whatever their number."""
    with jax.enable_x64(x64):
        one = {name: x[0] for name, x in random_state(rng, 1).items()}
        many = {name: x * jnp.ones(6) for name, x in one.items()}
        params, I_ext = cable.parameters(), 7.0 * DENSITY
        found = cable.derivatives(many, params, I_ext)
        expected = hodgkin_huxley.derivatives(one, params, I_ext)
        sizes = term_sizes(one, params, I_ext)
        assert found.keys() == expected.keys()
        for name, slope in expected.items():
            assert found[name].shape == (6,)
            # each slope is a sum whose terms may cancel, and rounds as the terms do
            allowed = 16 * jnp.finfo(slope.dtype).eps * sizes[name]
            assert float(abs(found[name] - slope).max() / allowed) < 1, name


def test_one_compartment_has_no_neighbour(rng):
    state, params = random_state(rng, 1), cable.parameters()
    assert_physically_equal(
        cable.derivatives(state, params), hodgkin_huxley.derivatives(state, params)
    )


def test_rest():
    with jax.enable_x64(True):
        params = cable.parameters()
        slopes = cable.derivatives(cable.resting_state(20, params), params)
        for slope in slopes.values():
            np.testing.assert_allclose(u.get_mantissa(slope), 0, atol=1e-12)


def test_an_action_potential_travels():
    """A stimulus at one end reaches the other, without loss, at the speed known for the squid.

    Hodgkin and Huxley found 18.8 m/s at 18.5 degrees from the equations, and rates go with 3 to
    the power of a tenth of the temperature: at the 6.3 degrees of the rates here it is some 12 m/s.
    """
    n, dt = 200, 0.0025 * u.ms  # the step that explicit Euler needs of so short compartments
    params = cable.parameters()
    on = jnp.arange(n) < 4

    def step(state, time):
        I_ext = jnp.where(on & (time < 1.0), 200.0, 0.0) * DENSITY
        slopes = cable.derivatives(state, params, I_ext)
        return {name: state[name] + dt * slopes[name] for name in state}, state["V"].mantissa

    times = jnp.arange(4800) * 0.0025
    _, V = jax.jit(lambda s: jax.lax.scan(step, s, times))(cable.resting_state(n, params))
    assert np.all(np.max(V[:, 50:150], axis=0) > 25)
    arrival = times[np.argmax(np.asarray(V) > 0, axis=0)]
    speed = 100 * params["dx"] / ((arrival[150] - arrival[50]) * u.ms)
    assert 10 < speed.to_decimal(u.metre / u.second) < 15


# Units


def rewritten(params: dict, changed: dict) -> dict:
    return {name: params[name].in_unit(unit) for name, unit in changed.items()}


OTHER_UNITS = {
    "d": u.metre, "R_i": u.kohm * u.metre, "dx": u.cm, "C_m": u.farad / u.metre**2,
    "g_Na": u.siemens / u.metre**2, "E_Na": u.volt,
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_UNITS)
def test_invariance(rng, name):
    """Writing any parameter or the voltage in another unit changes nothing physical."""
    with jax.enable_x64(True):
        state, params = random_state(rng, 5), cable.parameters()
        expected = cable.derivatives(state, params)
        other = {**params, name: params[name].in_unit(OTHER_UNITS[name])}
        assert_physically_equal(cable.derivatives(state, other), expected, 10)
        volts = {**state, "V": state["V"].in_unit(u.volt)}
        assert_physically_equal(cable.derivatives(volts, other), expected, 10)


def test_pattern_is_what_the_jacobian_has(rng):
    with jax.enable_x64(True):
        state, params = random_state(rng, 6), cable.parameters()
        blocks = unitjac.jacobian(cable.derivatives, unit_aware=True)(state, params)
        pattern = cable.pattern(6)
        for out, row in blocks.items():
            for name, block in row.items():
                here = pattern[out][name]
                expected = np.zeros((6, 6), bool) if here is None else here.todense()
                np.testing.assert_array_equal(u.get_mantissa(block) != 0, expected)
