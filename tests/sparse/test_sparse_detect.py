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


# What is not known


def spectrum(x):
    return jnp.real(jnp.fft.ifft(jnp.fft.fft(x) * 2))


def tridiagonal(x):
    one = jnp.ones_like(x)
    return lax.linalg.tridiagonal_solve(0 * one, 2 * one, 0 * one, x[:, None])[:, 0]


def solved(x):
    return jnp.linalg.solve(jnp.eye(4) * 3, x)


@pytest.mark.parametrize(
    ("fun", "operation"),
    [(spectrum, "fft"), (tridiagonal, "tridiagonal_solve"), (solved, r"[\w ]+")],
    ids=["fft", "tridiagonal_solve", "solve"],
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
