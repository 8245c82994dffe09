"""Patterns that are found: those that the function has, for all values, and what is refused."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import both_precisions, each, eager_and_compiled, q
from jax import lax

import unitjac
from unitjac import sparse_jacobian
from unitjac.models import cable
from unitjac.sparse import banded, load

from .scenes import SCENES, Scene, axon, diffusion, ramp, turned


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


# No more than there is


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
    return x[jnp.argsort(jnp.asarray([3, 1, 2, 0]))] / jnp.arange(1, 5).astype(x.dtype)


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
def test_the_pattern_is_what_there_is_at_some_point(fun, rng):
    points = jnp.asarray(rng.normal(size=(40, 4)) * 2, jnp.float32)
    slopes = np.asarray(jax.jit(jax.vmap(jax.jacfwd(fun)))(points))
    found = detected(fun, points[0])
    np.testing.assert_array_equal(found, ((slopes != 0) & np.isfinite(slopes)).any(0))


@each("fun", ELEMENTARY, key=lambda fun: fun.__name__)
def test_no_more_than_a_peer_finds(fun):
    """The peer follows each operation of the function; here it is the derivative that is asked."""
    asdex = pytest.importorskip("asdex", exc_type=ImportError)
    alone = asdex.jacobian_sparsity(fun, ramp(4)).todense() != 0
    assert not np.any(detected(fun, ramp(4)) & ~alone)


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


# Large ones: level by level


def shifted(x):
    return x * jnp.roll(x, 7)


def arrow(x):
    """A diagonal, a full row and a full column."""
    return jnp.concatenate([x[1:] * x[0], jnp.sum(x**2)[None]])


def two_full_rows(p):
    return {"own": p["x"] ** 2, "both": jnp.stack([jnp.sum(p["x"]), jnp.prod(p["x"])])}


def scattered_about(x):
    at = np.random.default_rng(1).integers(0, x.size, (x.size, 3))
    return jnp.prod(x[at], axis=1)


def of_a_few(x):
    return jnp.sum(x[: x.size // 2 * 2].reshape(2, -1), axis=1)


def lower(x):
    return jnp.cumsum(x)


LARGE = [shifted, arrow, scattered_about, of_a_few, lower]


@each("fun", LARGE, key=lambda fun: fun.__name__)
@pytest.mark.parametrize("n", [65, 301])
def test_a_large_pattern_is_exact(fun, n):
    slope = np.asarray(jax.jit(jax.jacrev(fun))(ramp(n, 0.9, 1.1)))
    np.testing.assert_array_equal(detected(fun, ramp(n)), slope != 0)


def test_a_random_pattern_is_exact(rng):
    """Rows of all lengths, some empty, in and out of several leaves."""
    m, n = rng.integers(70, 200, 2)
    mask = (
        rng.random((m, n))
        < rng.choice([0.0, 0.01, 0.05, 1.0], p=[0.1, 0.5, 0.39, 0.01], size=m)[:, None]
    )

    def fun(p):
        return jnp.split(mask.astype(np.float32) @ jnp.concatenate([x.ravel() for x in p]), [3, 50])

    p = [jnp.ones(k) for k in (5, n - 45, 40)]
    found = sparse_jacobian(fun, p).pattern
    np.testing.assert_array_equal(found.todense(), mask)


def test_full_rows_are_pulled():
    jac = sparse_jacobian(two_full_rows, {"x": ramp(300)})
    assert "1 pull" in jac.blueprint.notes[0] or "2 pulls" in jac.blueprint.notes[0]
    assert jac.pattern.nse == 3 * 300


def test_full_rows_that_cannot_be_pulled_are_dense():
    """A loop that ends by the input cannot be pulled, and need not: its rows are full."""

    def fun(x):
        total = lax.while_loop(lambda s: jnp.sum(s) < 9, lambda s: s + x[:200] ** 2, x[:200])
        return jnp.concatenate([x, jnp.sum(total)[None]])

    jac = sparse_jacobian(fun, ramp(300))
    assert "since they cannot be pulled: 1 full row" in "".join(jac.blueprint.notes)
    assert jac.pattern.nse == 600


def test_the_search_is_the_same_each_time():
    first, second = (sparse_jacobian(scattered_about, ramp(301)).blueprint for _ in range(2))
    assert first.notes == second.notes
    np.testing.assert_array_equal(first.pattern.rows, second.pattern.rows)


@pytest.mark.slow
def test_the_pushes_hardly_grow_with_the_size():
    n = 20_000
    jac = sparse_jacobian(cable.derivatives, *axon(n))
    assert jac.pattern.nse == 12 * n - 2
    pushes = int(jac.blueprint.notes[0].split()[-2].replace(",", ""))
    assert pushes < 200


# Whatever the dtype


def test_complex_numbers():
    """Neither part of a complex number hides the other."""

    def parts(x):
        z = lax.complex(x[:2], x[2:])
        return jnp.concatenate([jnp.imag(z * (1 + 1j)), jnp.real(1j * jnp.flip(z))])

    expected = np.asarray(jax.jacfwd(parts)(ramp(4))) != 0
    assert not np.any(expected & ~detected(parts, ramp(4)))
    pulled = sparse_jacobian(lambda z: jnp.imag(jnp.flip(z)), turned(ramp(3), 1.0))
    np.testing.assert_array_equal(pulled.pattern.todense(), np.eye(3)[::-1])


@both_precisions
def test_precisions(x64):
    with jax.enable_x64(x64):
        for dtype in (jnp.float16, jnp.bfloat16, jnp.float32, float):
            np.testing.assert_array_equal(
                detected(lambda x: x**2 * x[::-1], ramp(5).astype(dtype)),
                np.eye(5) + np.eye(5)[::-1] > 0,
            )


def test_whole_numbers_choose():
    def looked_up(x, at, mask):
        return jnp.where(mask, x[at], 0.0)

    found = detected(looked_up, ramp(4), jnp.asarray([0, 1]), jnp.asarray([True, False]))
    assert found.all()


@each("size", [(0,), (), (1,), (2, 0)], key=str)
def test_size_zero_and_one(size):
    x = jnp.ones(size)
    jac = sparse_jacobian(lambda x: {"same": x * 2, "sum": jnp.sum(x)}, x)
    expected = np.concatenate([np.eye(x.size), np.ones((1, x.size))]).astype(bool)
    np.testing.assert_array_equal(jac.pattern.todense(), expected)
    np.testing.assert_array_equal(
        jac(x).dense, np.concatenate([2 * np.eye(x.size), np.ones((1, x.size))])
    )


# What surrounds it


def test_flags_of_the_user():
    with (
        jax.debug_nans(True),
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
    ):
        V = ramp(70)
        jac = sparse_jacobian(lambda V: V * jnp.roll(V, 1), V, check=True)
        assert (jac.pattern.nse, jac.passes) == (140, 2)
    with jax.transfer_guard("disallow"):
        assert detected(lambda V: V * 2.0, V).sum() == 70


@eager_and_compiled
def test_inside_of_a_trace(jit):
    """Nothing but shapes is known there, and nothing else is asked for."""

    def outer(V, g):
        jac = sparse_jacobian(lambda V: g * V * jnp.roll(V, 1), V, jit=jit)
        return jac(V).array.data

    V = ramp(5)
    found = jax.jit(outer)(V, jnp.asarray(3.0))
    expected = sparse_jacobian(lambda V: 3.0 * V * jnp.roll(V, 1), V)(V).array.data
    np.testing.assert_allclose(found, expected, 1e-6)
    slope = jax.jit(jax.grad(lambda g: jnp.sum(outer(V, g))))(3.0)
    np.testing.assert_allclose(slope, jnp.sum(expected) / 3.0, 1e-5)


def test_nothing_of_the_function_is_run():
    """Neither callbacks nor prints: there are no values to call them with."""
    seen = []

    def watched(x):
        jax.debug.callback(seen.append, x)
        scale = jax.pure_callback(
            seen.append, jax.ShapeDtypeStruct((), x.dtype), lax.stop_gradient(x)
        )
        return jnp.flip(x) * scale

    np.testing.assert_array_equal(detected(watched, ramp(3)), np.eye(3)[::-1])
    jax.effects_barrier()
    assert seen == []


def test_a_table_in_the_closure_is_no_part_of_the_program():
    weights = jnp.asarray(np.tri(200, 200, 3) - np.tri(200, 200, -4), jnp.float32)
    found = sparse_jacobian(lambda x: jnp.tanh(weights @ x), ramp(200)).pattern
    np.testing.assert_array_equal(found.todense(), np.asarray(weights) != 0)


# What the plan says of it


def test_the_plan_says_how_it_was_found(tmp_path):
    def fun(x):
        return jnp.where(x > 0, x, jnp.flip(x)) + jnp.cumsum(x)

    plan = sparse_jacobian(fun, ramp(4))
    text = str(plan.plan(ramp(4)))
    assert "note     pattern: found for all values by 4 pushes" in text
    assert "note     joined, since the input chooses there: select_n" in text
    plan.save(tmp_path / "plan")
    assert load(tmp_path / "plan", fun).blueprint.notes == plan.blueprint.notes
    given = sparse_jacobian(fun, ramp(4), pattern=np.ones((4, 4), bool))
    assert "note     pattern: as it was given" in str(given.plan(ramp(4)))


# What is not known, and what asdex did not know


def spectrum(x):
    return jnp.real(jnp.fft.ifft(jnp.fft.fft(x) * 2))


def tridiagonal(x):
    one = jnp.ones_like(x)
    return lax.linalg.tridiagonal_solve(0 * one, 2 * one, 0 * one, x[:, None])[:, 0]


def solved(x):
    return jnp.linalg.solve(jnp.eye(4) * 3, x)


def scattered(x):
    return jnp.zeros(8).at[x.astype(int)].add(x)


@each("fun", [spectrum, tridiagonal, solved, scattered], key=lambda fun: fun.__name__)
def test_transforms_and_solvers_are_dense(fun):
    jac = sparse_jacobian(fun, ramp(4), check=True)
    assert jac.pattern.todense().all()
    np.testing.assert_allclose(jac(ramp(4)).dense, jax.jacfwd(fun)(ramp(4)), atol=1e-6)


def test_a_batch_of_solves_is_a_block_diagonal():
    matrices = jnp.stack([jnp.eye(2) * 2, jnp.eye(2) * 3, jnp.ones((2, 2)) + jnp.eye(2)])
    found = detected(lambda x: jnp.linalg.solve(matrices, x[..., None]), ramp(6).reshape(3, 2))
    np.testing.assert_array_equal(found, np.kron(np.eye(3), np.ones((2, 2))))


@jax.custom_jvp
def elsewhere(x):
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def cosine_times(x, tangent):
    return np.cos(x) * tangent


@elsewhere.defjvp
def elsewhere_jvp(primals, tangents):
    kind = jax.ShapeDtypeStruct(primals[0].shape, primals[0].dtype)
    found = jax.pure_callback(cosine_times, kind, *primals, *tangents, vmap_method="expand_dims")
    return elsewhere(primals[0]), found


def test_what_a_callback_makes_of_a_tangent_is_dense():
    jac = sparse_jacobian(lambda x: {"called": elsewhere(x[:2]), "own": x}, ramp(4))
    expected = np.concatenate([[[1, 1, 0, 0]] * 2, np.eye(4)])
    np.testing.assert_array_equal(jac.pattern.todense(), expected)
    assert "taken as dense, since not known: pure_callback" in jac.blueprint.notes


def without_rule(x):
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def test_a_derivative_that_there_is_not():
    text = (
        "the pattern of without_rule cannot be found: its derivative can neither be pushed nor "
        r"pulled for all values \(ValueError: Pure callbacks .*\)\. Give the pattern by hand, .* "
        'or take it for dense with fallback="dense"'
    )
    with pytest.raises(NotImplementedError, match=text):
        sparse_jacobian(without_rule, ramp(4))
    jac = sparse_jacobian(without_rule, ramp(4), fallback="dense")
    assert (jac.pattern.nse, jac.passes) == (16, 4)
    assert jac.blueprint.notes == ("pattern: taken as dense, since it cannot be found",)


def test_fallback_where_it_is_not_needed():
    assert sparse_jacobian(diffusion, q(ramp(5), u.mV), q(1.0, u.nS), fallback="dense").passes == 3


def test_by_hand_where_more_is_known():
    jac = sparse_jacobian(tridiagonal, ramp(4), pattern=banded(4, 0, 0), check=True)
    np.testing.assert_allclose(jac(ramp(4)).dense, np.eye(4) / 2)
