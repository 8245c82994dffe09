"""Eigenvalues and eigenvectors, what is refused, and the resting state of a squid's axon.

The axon is judged by a second one, written here in NumPy and SI units, whose Jacobian comes from
differences in scipy and whose eigenvalues come from NumPy.
"""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.differentiate
import scipy.linalg
import scipy.optimize
from helpers import is_quantity

from linalg.matrices import (
    Leaves,
    assert_numbers,
    exponents,
    leaves,
    numbers_of,
    property_test,
    seeds,
    well_conditioned,
    written,
)
from unitjac.linalg import (
    UnitMatrix,
    cond,
    eig,
    eigvals,
    inv,
    jacobian_matrix,
    norm,
    pinv,
    svd,
)
from unitjac.models import hodgkin_huxley

PER_MS = u.ms**-1
STATE = {"V": 1.0 * u.mV, "w": 1.0 * u.nA}
RATE = {"V": 1.0 * u.mV / u.ms, "w": 1.0 * u.nA / u.ms}


def assert_spectrum(found, expected, rtol=1e-12):
    """The same values, whatever their order."""
    found, expected = np.asarray(found), np.asarray(expected)
    distances = np.abs(found[:, None] - expected)
    rows, cols = scipy.optimize.linear_sum_assignment(distances)
    assert distances[rows, cols].max(initial=0.0) <= rtol * np.abs(expected).max(initial=0.0)


@pytest.mark.parametrize("x64", [False, True])
def test_an_oscillator_in_closed_form(x64):
    """dV/dt = -a V - b w, dw/dt = c V: values -a/2 +- i sqrt(bc - a^2/4)."""
    a, b, c = 0.2, 3.0, 2.0
    with jax.enable_x64(x64):
        A = UnitMatrix(jnp.array([[-a, -b], [c, 0.0]]), RATE, STATE)
        values, vectors = eig(A)
        root = np.sqrt(b * c - a**2 / 4)
        expected = [-a / 2 + 1j * root, -a / 2 - 1j * root]
        assert_spectrum(values.to_decimal(PER_MS), expected, 1e-14 if x64 else 1e-6)
        assert_spectrum(eigvals(A).to_decimal(PER_MS), expected, 1e-14 if x64 else 1e-6)
        assert vectors.rows == A.cols
        # A v = lambda v, in the units of the states
        moved = (A @ vectors).to(rows=RATE)
        same = vectors.dense * values.to_decimal(PER_MS)[None, :]
        assert_numbers(moved.array, same, 1e-14 if x64 else 1e-6)


def test_eigenvalues_of_a_map_are_plain_numbers():
    """A step of a solver: mV in, volts out, and no unit in between."""
    with jax.enable_x64(True):
        A = UnitMatrix(jnp.diag(jnp.array([1e-3, 2.0])), [1.0 * u.volt, 1.0], [1.0 * u.mV, 1.0])
        values = eigvals(A)
        assert not is_quantity(values)
        assert_spectrum(values, [1.0, 2.0])


@property_test(30, state=leaves(), seed=seeds, up=exponents(), down=exponents())
def test_spectra_do_not_depend_on_the_units(state, seed, up, down):
    root = well_conditioned(seed)
    numbers = root * np.arange(1.0, 7.0) @ np.linalg.inv(root)  # eigenvalues 1 to 6
    rate = state.times(PER_MS)
    with jax.enable_x64(True):
        A = written(numbers, rate, state, rate.rewritten(up), state.rewritten(down))
        values, vectors = eig(A)
        assert_spectrum(values.to_decimal(PER_MS), np.arange(1.0, 7.0))
        assert_spectrum(eigvals(A).to_decimal(PER_MS), np.arange(1.0, 7.0))
        directions = numbers_of(vectors, state, Leaves(((6,),), (None,)))
        order = np.argsort(np.asarray(values.to_decimal(PER_MS)).real)
        scaled = directions[:, order] / directions[0, order]
        assert_numbers(scaled, root / root[0], 1e-10)
        # the length is one in base units
        in_base = directions * state.sizes_of_units[:, None]
        assert_numbers(np.linalg.norm(in_base, axis=0), np.ones(6))


def test_the_values_are_in_the_simplest_unit_that_there_is():
    A = UnitMatrix(jnp.array([[-1.0, 0.5], [0.2, -2.0]]), RATE, STATE)
    written_otherwise = A.to(cols={"V": u.volt, "w": u.nA})
    for matrix in (A, written_otherwise):
        values = eigvals(matrix)
        assert "*" not in str(values.unit)  # 1/ms or Hz, and not mV / (ms * V)
        assert_spectrum(
            values.to_decimal(PER_MS), np.linalg.eigvals([[-1.0, 0.5], [0.2, -2.0]]), 1e-6
        )


def test_under_jit_and_vmap():
    A = UnitMatrix(jnp.array([[-1.0, 0.5], [0.0, -3.0]]), RATE, STATE)
    batch = jax.vmap(lambda k: A * k)(jnp.array([1.0, 2.0]))
    found = jax.jit(jax.vmap(eigvals))(batch)
    assert found.shape == (2, 2)
    assert_spectrum(found[1].to_decimal(PER_MS), [-2.0, -6.0], 1e-6)


def test_no_states():
    assert eigvals(UnitMatrix(jnp.zeros((0, 0)), {}, {})).shape == (0,)


# What is refused


@pytest.mark.parametrize("function", [svd, norm, cond, pinv])
def test_what_depends_on_the_units(function):
    A = UnitMatrix(jnp.eye(2), RATE, STATE)
    name = function.__name__
    text = (
        rf"{name} of a matrix with units is not defined: it measures trees of several units by one "
        r"length, and would change with the choice of units\. Say what is typical, and take "
        rf"jnp\.linalg\.{name}\(A\.scaled\(rows=typical_outputs, cols=typical_inputs\)\), a plain"
    )
    with pytest.raises(TypeError, match=text):
        function(A)


@pytest.mark.parametrize("name", ["svd", "norm", "cond", "pinv"])
def test_what_the_text_says_to_type_works(name):
    numbers = np.array([[-2.0, 30.0], [0.1, 4.0]])
    typical = (
        {"V": 10.0 * u.mV, "w": 0.1 * u.nA},
        {"V": 1.0 * u.volt / u.second, "w": 1.0 * RATE["w"]},
    )
    expected = numbers * np.array([10.0, 0.1]) / np.array([[1.0], [1.0]])
    for A in (
        UnitMatrix(jnp.asarray(numbers), RATE, STATE),
        UnitMatrix(jnp.asarray(numbers), RATE, STATE).to(cols=["V", "uA"]),
    ):
        plain = A.scaled(rows=typical[1], cols=typical[0])
        found, wanted = getattr(jnp.linalg, name)(plain), getattr(np.linalg, name)(expected)
        for mine, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
            assert_numbers(np.abs(mine), np.abs(theirs), 1e-5)


def test_eigenvalues_of_what_is_no_dynamical_system():
    J = UnitMatrix(jnp.eye(2), {"V": 1.0 * u.mV / u.ms, "w": 1.0 * u.nA}, STATE)
    for name, function in {"eig": eig, "eigvals": eigvals}.items():
        text = (
            rf"{name} is defined where row unit over column unit is one and the same for all "
            r"leaves: it is 1/ms for 'V' and 1 for 'w'\. For a plain matrix write A\.scaled\(rows="
        )
        with pytest.raises(ValueError, match=text):
            function(J)
    with pytest.raises(ValueError, match=r"^eig: the matrix's columns are 0, 1, its rows are one"):
        eig(UnitMatrix(jnp.eye(2), jnp.ones(2) * u.mV, [1.0 * u.mV, 1.0 * u.mV]))


# The resting state of a squid's axon, in SI units and NumPy


def alpha_and_beta(V: float) -> dict[str, tuple[float, float]]:
    """The six rates in 1/s at a voltage in V; Dayan and Abbott (2001), section 5.6."""
    mV = V * 1e3

    def linoid(x: float) -> float:
        return x / -np.expm1(-x)

    return {
        "m": (1e3 * linoid((mV + 40) / 10), 4e3 * np.exp(-(mV + 65) / 18)),
        "h": (70.0 * np.exp(-(mV + 65) / 20), 1e3 / (1 + np.exp(-(mV + 35) / 10))),
        "n": (100.0 * linoid((mV + 55) / 10), 125.0 * np.exp(-(mV + 65) / 80)),
    }


def slopes(state: np.ndarray, current: float) -> np.ndarray:
    """The derivatives of (V, m, h, n) in V/s and 1/s, for a current in A/m^2."""
    V, m, h, n = state
    ionic = 1200.0 * m**3 * h * (V - 0.050) + 360.0 * n**4 * (V + 0.077) + 3.0 * (V + 0.054387)
    gates = [
        alpha * (1 - x) - beta * x
        for (alpha, beta), x in zip(alpha_and_beta(V).values(), (m, h, n), strict=True)
    ]
    return np.array([(current - ionic) / 0.01, *gates])


def rest(current: float) -> np.ndarray:
    def state(V: float) -> np.ndarray:
        return np.array([V, *(a / (a + b) for a, b in alpha_and_beta(V).values())])

    V = scipy.optimize.brentq(lambda V: slopes(state(V), current)[0], -0.080, 0.0, xtol=1e-16)
    return state(V)


def by_differences(current: float) -> np.ndarray:
    """Finite differences of the eighth order, their steps shrunk until they agree."""
    found = scipy.differentiate.jacobian(
        lambda state: slopes(state, current),
        rest(current),
        initial_step=[1e-3, 0.1, 0.1, 0.1],
        tolerances={"rtol": 1e-8, "atol": 1e-12},
    )
    assert found.success.all()
    return found.df


@pytest.mark.parametrize("current", [0.0, 5.0, 9.0, 12.0])
def test_hodgkin_and_huxley_at_rest(current):
    with jax.enable_x64(True):
        density = current * u.uA / u.cm**2
        p = hodgkin_huxley.parameters()
        at = hodgkin_huxley.resting_point(p, density)
        J = jacobian_matrix(lambda s: hodgkin_huxley.derivatives(s, p, density))(at)
        values = eigvals(J)
        assert values.unit.has_same_dim(PER_MS)
        in_si = np.linalg.eigvals(by_differences(current * 1e-2)) * 1e-3
        assert_spectrum(values.to_decimal(PER_MS), in_si, 1e-9)
        assert float(at["V"].to_decimal(u.volt)) == pytest.approx(rest(current * 1e-2)[0])
        again = eigvals(J.to(rows=["kV/s", "1/minute", "kHz", "1/us"], cols=["nV", "1", "1", "1"]))
        assert_spectrum(again.to_decimal(PER_MS), values.to_decimal(PER_MS))


def test_single_precision_sees_the_same_axon():
    p = hodgkin_huxley.parameters()
    at = hodgkin_huxley.resting_point(p)
    J = jacobian_matrix(lambda s: hodgkin_huxley.derivatives(s, p))(at)
    expected = np.linalg.eigvals(by_differences(0.0)) * 1e-3
    for units in (["mV"] + ["1"] * 3, ["kV"] + ["1"] * 3, ["nV"] + ["1"] * 3):
        found = eigvals(J.to(cols=units))
        assert found.dtype == jnp.complex64
        assert_spectrum(found.to_decimal(PER_MS), expected, 1e-4)


def test_the_slow_mode_recovers_from_a_push():
    """After a push along an eigenvector the state returns by exp(lambda t), to first order."""
    with jax.enable_x64(True):
        A = UnitMatrix(jnp.array([[-2.0, 0.5], [0.1, -0.4]]), RATE, STATE)
        values, vectors = eig(A)
        x0 = {"V": 1.0 * u.mV, "w": 2.0 * u.nA}
        weights = (inv(vectors) @ x0)[0]
        t = 0.7
        modes = UnitMatrix.diag([jnp.exp(values.to_decimal(PER_MS) * t)])
        found = vectors @ modes @ [weights]
        expected = scipy.linalg.expm(np.asarray(A.array) * t) @ np.array([1.0, 2.0])
        mine = [complex(found[k].to_decimal(unit)) for k, unit in (("V", u.mV), ("w", u.nA))]
        assert_numbers(mine, expected)


def test_a_chain_of_many_compartments():
    """Diffusion along a cable of 80 compartments: a cosine for each value."""
    n = 80
    numbers = np.diag(np.full(n - 1, 1.0), 1) + np.diag(np.full(n - 1, 1.0), -1) - 2 * np.eye(n)
    numbers[0, 0] = numbers[-1, -1] = -1
    expected = -2 + 2 * np.cos(np.pi * np.arange(n) / n)
    state = Leaves(((n // 2,), (n - n // 2,)), (u.mV, u.mV))
    rate = state.times(PER_MS)
    with jax.enable_x64(True):
        A = written(numbers, rate, state, rate.rewritten([9, -9]), state.rewritten([-3, 9]))
        assert_spectrum(eigvals(A).to_decimal(PER_MS), expected)
