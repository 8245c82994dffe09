"""What cannot be solved is said, and no derivative of it is a number."""

import re

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unitjac
from unitjac.ode import SolveError, sensitivities, solve

T = u.Quantity(np.linspace(0.0, 20.0, 3), unit=u.ms)
P = {"tau": 10.0 * u.ms}


def decay(t, y, p):
    return -y / p["tau"]


def explosion(t, y, p):
    return y**2 / (p["tau"] * u.mV)


def last(params, rhs=decay, **options):
    return solve(rhs, T, 8.0 * u.mV, params, **options).y[-1]


def test_too_few_steps():
    with pytest.raises(SolveError, match=r"2 steps ended at t = .* ms of 20\.00 ms.*max_steps"):
        last(P, max_steps=2)
    solution = solve(decay, T, 8.0 * u.mV, P, max_steps=2, throw=False)
    assert (int(solution.status), bool(solution.success)) == (1, False)
    assert "2 steps ended" in solution.message
    assert np.all(np.isnan(solution.y.mantissa))


def test_a_solution_that_ends():
    with pytest.raises(SolveError, match=r"t = 1\.250 ms"):
        last(P, explosion, max_steps=2_000)


@pytest.mark.parametrize(
    ("rhs", "y0", "params", "text"),
    [
        (decay, jnp.nan * u.mV, P, "y0 holds nan in the state"),
        (decay, 8.0 * u.mV, {"tau": jnp.nan * u.ms}, "params holds nan in tau"),
        (lambda t, y, p: y / (p["tau"] * 0), 8.0 * u.mV, P, "rhs gives inf in the state there"),
        (
            lambda t, y, p: -((y / u.mV - 8.0) ** 0.5) * u.mV / p["tau"] + 1 * u.mV / u.ms,
            8.0 * u.mV,
            P,
            "the derivative of rhs is -inf in the state there",
        ),
        (
            lambda t, y, p: -((y / u.mV) ** 0.5) * u.mV / p["tau"],
            1.0 * u.mV,
            P,
            "a little later rhs gives nan in the state",
        ),
    ],
)
def test_what_is_not_finite_is_named(rhs, y0, params, text):
    with pytest.raises(SolveError, match="no step from") as caught:
        solve(rhs, T * 2, y0, params, atol=1e-6 * u.mV)
    assert text in str(caught.value)


def fails(params):
    return last(params, max_steps=2, throw=False)


TRANSFORMS = [unitjac.jacrev, unitjac.jacfwd, unitjac.grad]


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda f: f.__name__)
def test_derivatives_of_a_failure_are_nan(transform, jit):
    """diffrax alone gives zero: nothing of the derivative hangs on the check."""
    found = transform(fails, unit_aware=True, jit=jit)(P)
    assert np.isnan(found["tau"].mantissa)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda f: f.__name__)
def test_derivatives_of_a_failure_raise(transform):
    fun = lambda params: last(params, max_steps=2)  # noqa: E731
    with pytest.raises(Exception, match="an equation was not solved until its last time"):
        jax.block_until_ready(transform(fun, unit_aware=True, jit=True)(P)["tau"].mantissa)


def test_rows_that_fail_are_nan_alone():
    def of(tau):
        solution = solve(
            explosion, T, 1.0 * u.mV, {"tau": tau * u.ms}, throw=False, atol=1e-6 * u.mV
        )
        return solution.y[-1].mantissa, solution.status

    taus = jnp.array([50.0, 10.0, 100.0])  # 1 / (1 - t / tau) ends at tau
    values, statuses = jax.vmap(of)(taus)
    slopes = jax.vmap(jax.grad(lambda tau: of(tau)[0]))(taus)
    np.testing.assert_array_equal(statuses > 0, [False, True, False])
    exact = 1 / (1 - 20 / taus)
    kept = np.array([0, 2])
    np.testing.assert_allclose(values[kept], exact[kept], rtol=1e-5)
    np.testing.assert_allclose(slopes[kept], (-20 / taus**2 * exact**2)[kept], rtol=1e-4)
    assert np.isnan(values[1])
    assert np.isnan(slopes[1])


def test_sensitivities_of_a_failure():
    for mode in ("forward", "adjoint"):
        with pytest.raises(SolveError, match="2 steps ended"):
            sensitivities(decay, T, 8.0 * u.mV, P, max_steps=2, mode=mode)
        found = sensitivities(decay, T, 8.0 * u.mV, P, max_steps=2, mode=mode, throw=False)
        assert not found.success
        assert np.all(np.isnan(found.dp["tau"].mantissa))


def test_a_step_that_overflows_has_no_derivative():
    """The first steps of a stiff start are tried in vain, and overflow."""

    def rhs(t, y, p):
        x = y / u.mV
        return (p["a"] - jnp.exp(x) * jnp.exp(x)) * u.mV / p["tau"]

    params = {"a": 3.0, "tau": 1.0 * u.us}
    fun = lambda p: solve(rhs, T, -700.0 * u.mV, p).y[-1]  # noqa: E731
    found = unitjac.grad(fun, unit_aware=True)(params)
    assert float(u.get_mantissa(found["a"])) == pytest.approx(1 / 6, rel=1e-5)


ERRORS = [
    (dict(rhs=3), TypeError, "rhs must be a function of"),
    (dict(outputs=3), TypeError, "outputs must be a function of"),
    (dict(rhs=lambda t, y, p: y), ValueError, "what rhs gives"),
    (dict(rhs=lambda t, y, p: {"V": y / t}), ValueError, "what rhs gives"),
    (dict(t=3.0 * u.ms), ValueError, "t must be a row of times"),
    (dict(t=[2.0, 1.0] * u.ms), ValueError, "the times t must not fall"),
    (dict(t=[0.0, jnp.nan] * u.ms), ValueError, "the times t hold nan or inf"),
    (dict(y0={}), ValueError, "y0 holds no number"),
    (dict(y0=1j * u.mV), TypeError, "y0 is complex"),
    (dict(y0=0.0 * u.mV), ValueError, "y0 of the state is zero and so is its slope"),
    (dict(rtol=-1.0), ValueError, "rtol must be a number between 0 and 1"),
    (dict(atol=-1.0 * u.mV), ValueError, "atol holds a negative number"),
    (dict(atol=1.0 * u.nA), ValueError, "atol, leaf"),
    (dict(max_steps=0), ValueError, "max_steps must be a number of steps"),
    (dict(adjoint="back"), ValueError, "adjoint must be one of auto, reverse"),
    (dict(solver="rk45"), ValueError, "there is no solver 'rk45'"),
    (dict(solver=3), TypeError, 'solver must be "auto", "rodas5p"'),
    (dict(solver="Kvaerno5"), ValueError, "Kvaerno5 solves its stages by an iteration"),
    (dict(breakpoints=[1.0] * u.mV), ValueError, "a time is in mV, but t is in ms"),
]


@pytest.mark.parametrize(("changed", "kind", "text"), ERRORS)
def test_errors(changed, kind, text):
    given = dict(rhs=decay, t=T, y0=8.0 * u.mV, params=P) | changed
    with pytest.raises(kind, match=re.escape(text)):
        solve(**given)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (dict(wrt="p"), "wrt must be"),
        (dict(mode="rev"), 'mode must be "auto", "forward"'),
        (dict(control="none"), "control must be"),
        (dict(params=None, rhs=lambda t, y, p: -y / u.ms), "params hold no real number"),
    ],
)
def test_errors_of_sensitivities(changed, text):
    given = dict(rhs=decay, t=T, y0=8.0 * u.mV, params=P) | changed
    with pytest.raises(ValueError, match=re.escape(text)):
        sensitivities(**given)


def test_what_there_is_not():
    found = sensitivities(decay, T, 8.0 * u.mV, P)
    with pytest.raises(ValueError, match="there are no derivatives of outputs by anything"):
        found.matrix(0, of="outputs")
    with pytest.raises(IndexError, match="there are 3 times, and no number 7"):
        found.matrix(7)
    with pytest.raises(ValueError, match=r"11 ms is none of the times of the solution"):
        found.table(at=11.0 * u.ms)
    with pytest.raises(KeyError, match="there is no 'W' to draw: there are"):
        found.plot("W")


def test_plain_forward_mode_says_what_to_type():
    fun = lambda tau: solve(decay, T, 8.0 * u.mV, {"tau": tau * u.ms}).y[-1].mantissa  # noqa: E731
    with pytest.raises(Exception, match="orward-mode") as caught:
        jax.jacfwd(fun)(10.0)
    assert any('adjoint="forward"' in note for note in caught.value.__notes__)
