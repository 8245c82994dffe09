"""Patterns that are detected: those that the function has, for all values, and what is refused."""

import importlib
import sys

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import each, q
from jax import lax

import unitjac
from unitjac import sparse_jacobian
from unitjac.models import cable
from unitjac.sparse import banded
from unitjac.sparse._sums import as_sums

from .scenes import SCENES, Scene, axon, diffusion, ramp

try:
    import asdex
except ImportError as error:
    pytest.skip(f"asdex does not import: {error}", allow_module_level=True)


def detected(fun, *args, **options) -> np.ndarray:
    return sparse_jacobian(fun, *args, **options).pattern.todense()


@each("scene", SCENES)
def test_what_is_detected_is_what_there_is(scene: Scene) -> None:
    found = detected(scene.fun, *scene.args(), argnums=scene.argnums)
    np.testing.assert_array_equal(found, scene.pattern)


def test_the_axon_has_the_pattern_that_is_written_down():
    by_hand = sparse_jacobian(cable.derivatives, *axon(70), pattern=cable.pattern(70))
    by_detection = sparse_jacobian(cable.derivatives, *axon(70))
    assert by_detection.pattern.nse == by_hand.pattern.nse == 12 * 70 - 2
    np.testing.assert_array_equal(by_detection.pattern.rows, by_hand.pattern.rows)
    np.testing.assert_array_equal(by_detection.pattern.cols, by_hand.pattern.cols)


# It holds for all values


def test_an_argument_that_is_zero_now_cancels_nothing():
    V, g = q(ramp(5), u.mV), q(0.0, u.nS)
    np.testing.assert_array_equal(detected(diffusion, V, g), banded(5, 1, 1).todense())


def test_a_state_that_is_zero_now_cancels_nothing():
    g = unitjac.State(q(0.0, u.nS), name="g")
    jac = sparse_jacobian(lambda V: g.value * V, q(ramp(3), u.mV))
    np.testing.assert_array_equal(jac.pattern.todense(), np.eye(3, dtype=bool))
    g.value = q(3.0, u.nS)
    np.testing.assert_allclose(jac(q(ramp(3), u.mV)).dense, 3 * np.eye(3))
    assert g.value.mantissa == 3.0


def test_indices_that_are_arguments_may_be_any():
    found = detected(lambda x, at: x[at], ramp(4), jnp.asarray([0, 2]))
    assert found.all()
    np.testing.assert_array_equal(
        detected(lambda x: x[jnp.asarray([0, 2])], ramp(4)), np.eye(4)[[0, 2]]
    )


def test_what_is_written_to_states_is_dropped():
    calls = unitjac.State(jnp.asarray(0), name="calls")

    def counted(x):
        calls.value = calls.value + 1
        return x**2

    sparse_jacobian(counted, ramp(3))
    assert calls.value == 0


# Sums in place of arithmetic: the pattern is that of asdex alone


def relu_like(x):
    return jnp.where(x > 1.0, x * jnp.flip(x), 0.0)


def masked(x):
    return x * jnp.asarray([1.0, 0.0, 1.0, 0.0]) + jnp.where(jnp.arange(4) < 2, x, 1.0)


def looped(x):
    return lax.fori_loop(0, 3, lambda _, x: x.at[1:].add(jnp.sin(x[:-1])), x)


def scanned(x):
    return lax.scan(lambda c, y: (c * y, c + y), x[0], x)[1]


def branched(x):
    return lax.cond(x[0] > 0, lambda x: x[::-1], lambda x: 2 * x, x)


def named(x):
    return jax.nn.softplus(x) + jax.nn.gelu(jnp.roll(x, 1)) * jnp.hypot(x, 2.0)


def rounded(x):
    return jnp.floor(x) + x.astype(jnp.float16).astype(jnp.float32) + jnp.sign(x)


def scaled_by_its_first(x):
    return x[0] * x + 0.0 * x[1]


def powers(x):
    return x**0.0 + x**2.0 * (jnp.roll(x, 2) / 3.0) ** x - 0.0 / x


def of_integers(x):
    return x[jnp.argsort(jnp.asarray([3, 1, 2, 0]))] / jnp.arange(1, 5)


def rematerialized(x):
    return jax.checkpoint(lambda x: jnp.cumsum(jnp.exp(x)))(x)


def constant(x):
    return jnp.ones(3)


def untouched(x):
    return x


def contracted(x):
    return jnp.asarray([[1.0, 0.0, 2.0, 0.0]]) @ jnp.exp(x)


ELEMENTARY = [
    relu_like, masked, looped, scanned, branched, named, rounded, scaled_by_its_first, powers,
    of_integers, rematerialized, constant, untouched, contracted,
]  # fmt: skip


@each("fun", ELEMENTARY, key=lambda fun: fun.__name__)
def test_the_pattern_is_that_of_the_function_itself(fun):
    alone = asdex.jacobian_sparsity(fun, ramp(4))
    np.testing.assert_array_equal(detected(fun, ramp(4)), alone.todense() != 0)


def test_hardly_any_arithmetic_is_left():
    """The membrane's 150 operations and more become a dozen."""
    state, params = axon(8)
    leaves = [state["V"].to_decimal(u.mV), state["m"], state["h"], state["n"]]

    def fun(V, m, h, n):
        slopes = cable.derivatives({"V": V * u.mV, "m": m, "h": h, "n": n}, params)
        return [u.get_mantissa(slopes[name]) for name in "Vmhn"]

    program = jax.make_jaxpr(fun)(*leaves)
    short = jax.make_jaxpr(as_sums(program, 4))(*leaves)
    assert count_equations(program.jaxpr) > 100
    # what is left does not depend on V, or moves it about
    used = [eqn.primitive.name for eqn in short.eqns if eqn.primitive.name not in ("add",)]
    assert not {"exp", "logistic", "expm1", "integer_pow"} & set(used)


def count_equations(jaxpr) -> int:
    inner = [getattr(value, "jaxpr", None) for eqn in jaxpr.eqns for value in eqn.params.values()]
    return len(jaxpr.eqns) + sum(count_equations(sub) for sub in inner if sub is not None)


# Rules for derivatives that users give


def bump(x):
    return 1.0 / (1.0 + jnp.abs(x)) ** 2


@jax.custom_jvp
def spike(x):
    """A step, whose derivative is a bump: the surrogate gradient of a spiking neuron."""
    return (x > 0).astype(x.dtype)


@spike.defjvp
def spike_jvp(primals, tangents):
    return spike(primals[0]), bump(primals[0]) * tangents[0]


@jax.custom_vjp
def pulled_spike(x):
    return (x > 0).astype(x.dtype)


pulled_spike.defvjp(lambda x: (pulled_spike(x), x), lambda x, cotangent: (bump(x) * cotangent,))


@pytest.mark.parametrize("step", [spike, pulled_spike], ids=["jvp", "vjp"])
def test_a_step_with_a_surrogate_derivative(step):
    """Nothing depends on a step, and yet its derivative is not zero."""

    def layer(V):
        return step(V.to_decimal(u.mV)) * u.hertz + jnp.roll(V.mantissa, 1) * u.hertz

    V = q(ramp(5) - 1.0, u.mV)
    jac = sparse_jacobian(layer, V, mode="rev")
    wanted = np.eye(5) + np.roll(np.eye(5), 1, axis=0) > 0
    np.testing.assert_array_equal(jac.pattern.todense(), wanted)
    expected = np.diag(bump(V.mantissa)) + np.roll(np.eye(5), 1, axis=0)
    np.testing.assert_allclose(jac(V).dense, expected, rtol=1e-6)
    jac.check(V)


def test_a_spiking_neuron_in_time():
    """Leak, reset and spikes: each spike depends on all inputs before it, and on no later one."""

    def spikes(current):
        def step(V, I_ext):
            V = 0.9 * V + I_ext
            return V * (1.0 - spike(V - 1.0)), spike(V - 1.0)

        return lax.scan(step, 0.0, current)[1]

    current = ramp(6)
    found = detected(spikes, current)
    assert not np.any((np.asarray(jax.jacrev(spikes)(current)) != 0) & ~found)


# Programs of JAX: no entry is lacking, wherever one looks

PROGRAMS = {
    "sort": jnp.sort,
    "argsort": lambda x: x[jnp.argsort(x)],
    "largest": lambda x: x[jnp.argmax(x)] * jnp.ones(3),
    "cumulated": lambda x: jnp.cumsum(x) * lax.cummax(x),
    "self": lambda x: jnp.where(x > jnp.roll(x, 1), x, jnp.roll(x, 2)),
    "clipped": lambda x: jnp.clip(x, jnp.roll(x, 1), jnp.roll(x, 2)),
    "convolved": lambda x: jnp.convolve(x, jnp.asarray([1.0, 2.0, 1.0]), mode="same"),
    "matrices": lambda x: x.reshape(2, 3) @ x.reshape(3, 2),
    "looked up": lambda x: lax.dynamic_slice(x, (jnp.asarray(2),), (2,)),
    "scattered": lambda x: jnp.zeros(8).at[jnp.asarray([0, 2, 4, 6, 1, 3])].add(x**2),
    "branches": lambda x: lax.cond(x[0] > 0, lambda x: x * x[1], jnp.flip, x),
    "while": lambda x: lax.while_loop(
        lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.roll(s[1], 1) * s[1]), (0, x)
    )[1],
    "softmax": lambda x: jax.nn.softmax(x[:3]).sum() * jnp.roll(x, 1) + jax.nn.relu(x),
    "normed": lambda x: x / jnp.linalg.norm(x),
    "outer": lambda x: jnp.triu(jnp.outer(x, x)),
    "remainder": lambda x: x % jnp.abs(jnp.roll(x, 1)),
    "interpolated": lambda x: jnp.interp(jnp.asarray([0.5, 2.5]), jnp.arange(6.0), x),
    "gradient": lambda x: jax.grad(lambda y: jnp.sum(y**2 * jnp.roll(y, 1)))(x),
    "segments": lambda x: jax.ops.segment_sum(x, jnp.asarray([0, 1, 0, 2, 1, 1]), 3),
    "associative": lambda x: lax.associative_scan(jnp.multiply, x),
    "half": lambda x: x.astype(jnp.bfloat16).astype(jnp.float32) * jnp.roll(x, 1),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_entry_is_lacking_anywhere(name, rng):
    fun = PROGRAMS[name]
    found = detected(fun, jnp.asarray(rng.normal(size=6), jnp.float32))
    derivative = jax.jit(jax.jacfwd(fun))
    for size in (0.3, 1.0, 3.0):
        x = jnp.asarray(rng.normal(size=6) * size, jnp.float32)
        dense = np.asarray(derivative(x)).reshape(-1, 6)
        assert not np.any((dense != 0) & np.isfinite(dense) & ~found)


# What is not known


def spectrum(x):
    return jnp.real(jnp.fft.ifft(jnp.fft.fft(x) * 2))


def tridiagonal(x):
    one = jnp.ones_like(x)
    return lax.linalg.tridiagonal_solve(0 * one, 2 * one, 0 * one, x[:, None])[:, 0]


def solved(x):
    return jnp.linalg.solve(jnp.eye(4) * 3, x)


def scattered(x):
    return jnp.zeros(8).at[x.astype(int)].add(x)


@pytest.mark.parametrize(
    ("fun", "operation"),
    [
        (spectrum, "fft"),
        (tridiagonal, "tridiagonal_solve"),
        (solved, r"[\w ]+"),
        (scattered, "scatter-add"),
    ],
    ids=["fft", "tridiagonal_solve", "solve", "scatter"],
)
def test_an_operation_that_is_not_known(fun, operation):
    text = (
        rf"the pattern of {fun.__name__} cannot be detected: it contains the operation "
        rf"'{operation}', of which asdex [\d.]+ does not know .* Give the pattern by hand, .* or "
        r'take it for dense with fallback="dense"'
    )
    with pytest.raises(NotImplementedError, match=text):
        sparse_jacobian(fun, ramp(4))


def test_taken_for_dense():
    jac = sparse_jacobian(spectrum, ramp(4), fallback="dense")
    assert (jac.pattern.nse, jac.passes) == (16, 4)
    np.testing.assert_allclose(jac(ramp(4)).dense, 2 * np.eye(4), atol=1e-6)


def test_fallback_where_it_is_not_needed():
    assert sparse_jacobian(diffusion, q(ramp(5), u.mV), q(1.0, u.nS), fallback="dense").passes == 3


def test_by_hand_where_it_cannot_be_detected():
    jac = sparse_jacobian(tridiagonal, ramp(4), pattern=banded(4, 0, 0), check=True)
    np.testing.assert_allclose(jac(ramp(4)).dense, np.eye(4) / 2)


# asdex itself


def test_asdex_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "asdex", None)
    with pytest.raises(ImportError, match=r"pip install 'unitjac\[sparse\]', or give the pattern"):
        sparse_jacobian(lambda x: x**2, ramp(3))
    assert sparse_jacobian(lambda x: x**2, ramp(3), pattern=banded(3, 0, 0)).passes == 1


def test_asdex_of_another_jax(monkeypatch, tmp_path):
    (tmp_path / "asdex.py").write_text("from jax.core import what_is_gone\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "asdex")
    importlib.invalidate_caches()
    with pytest.raises(ImportError, match=r"does not work with JAX .*what_is_gone.* by hand"):
        sparse_jacobian(lambda x: x**2, ramp(3))
