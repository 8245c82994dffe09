"""JAX's switches between calls: 64 bits, ``jax.debug_nans``, ``jax.transfer_guard``."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import eager_and_compiled, q, unchanged

import unitjac as uj
from unitjac import linalg, sparse
from unitjac.testing import assert_close


def cube(x):
    return x**3


def total(x):
    return u.math.sum(x**3)


def matrix_of(make):
    def transform(fun, unit_aware, **options):
        matrix = make(fun, **options)
        return lambda *args: matrix(*args).blocks()

    return transform


# the transform, what it is taken of, and its derivative of x**3 by hand
TRANSFORMS = {
    "jacrev": (uj.jacrev, cube, lambda x: np.diag(3 * x**2)),
    "jacfwd": (uj.jacfwd, cube, lambda x: np.diag(3 * x**2)),
    "jacobian": (uj.jacobian, cube, lambda x: np.diag(3 * x**2)),
    "grad": (uj.grad, total, lambda x: 3 * x**2),
    "vector_grad": (uj.vector_grad, cube, lambda x: 3 * x**2),
    "hessian": (uj.hessian, total, lambda x: np.diag(6 * x)),
    "jacobian_matrix": (matrix_of(linalg.jacobian_matrix), cube, lambda x: np.diag(3 * x**2)),
    "hessian_matrix": (matrix_of(linalg.hessian_matrix), total, lambda x: np.diag(6 * x)),
}
POINT = np.array([1.0, 3.0])


def point(dtype=None):
    return q(POINT, u.mV, dtype)


@eager_and_compiled
@pytest.mark.parametrize("name", TRANSFORMS)
def test_64_bits_switched_between_calls(name, jit):
    make, fun, expected = TRANSFORMS[name]
    state = uj.State(jnp.float32(2.0))
    derive = make(lambda x: fun(x) * state.value, unit_aware=True, jit=jit)
    fine = 1 + 2.0**-40  # that float32 has not
    for x64 in (False, True, False, True):
        with jax.enable_x64(x64):
            block = derive(point() * jnp.asarray(fine)).mantissa
            assert block.dtype == (np.float64 if x64 else np.float32)
            at = POINT * fine if x64 else POINT
            np.testing.assert_allclose(block, 2 * expected(at), rtol=1e-14 if x64 else 1e-6)
            assert derive(point(np.float32)).mantissa.dtype == np.float32
    assert state.value.dtype == np.float32


@eager_and_compiled
def test_states_keep_their_dtype_where_64_bits_are_switched(jit):
    total_charge, count = uj.State(q([1.0, 2.0], u.mV, np.float32)), uj.State(jnp.int32(0))

    def step(x):
        total_charge.value = total_charge.value + x
        count.value = count.value + 1
        return total_charge.value**2

    jac = uj.jacrev(step, grad_states=total_charge, argnums=0, unit_aware=True, jit=jit)
    for calls, x64 in enumerate((False, True, False), start=1):
        with jax.enable_x64(x64):
            by_state, by_x = jac(q(1.0, u.mV, np.float32))
            assert by_state.mantissa.dtype == by_x.mantissa.dtype == np.float32
            np.testing.assert_allclose(by_x.mantissa, 2 * (np.array([1.0, 2.0]) + calls))
    assert count.value == 3


def test_a_pull_and_a_push_of_32_bits_take_arrays_of_numpy_under_64():
    x = point(np.float32)
    _, pull = uj.vjp(cube, x)
    _, push = uj.linearize(cube, x)
    transpose = uj.linear_transpose(lambda x: 2.0 * x, x)
    with jax.enable_x64(True):
        for found in (pull(np.ones(2)), push(q(np.ones(2), u.mV)), transpose(np.ones(2))):
            assert u.get_mantissa(found).dtype == np.float32


def in_64_bits(fun):
    def wide(x):
        with jax.enable_x64(True):
            return fun(u.Quantity(jnp.asarray(x.mantissa, np.float64), unit=x.unit))

    return wide


@eager_and_compiled
@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_function_switches_64_bits_on_for_itself(name, jit):
    make, fun, expected = TRANSFORMS[name]
    block = make(in_64_bits(fun), unit_aware=True, jit=jit)(point(np.float32))
    np.testing.assert_allclose(block.mantissa, expected(POINT), rtol=1e-6)


def test_products_with_a_function_that_switches_64_bits_on_for_itself():
    x, cubed = point(np.float32), in_64_bits(cube)
    value, pull = uj.vjp(cubed, x)
    assert value.mantissa.dtype == np.float64
    for cotangent in (np.ones(2, np.float32), value.mantissa**0):  # of 32 bits, of 64
        np.testing.assert_allclose(u.get_mantissa(pull(cotangent)), 3 * POINT**2, rtol=1e-6)
    _, push = uj.linearize(cubed, x)
    for found in (push(x.in_unit(u.volt)), uj.jvp(cubed, (x,), (x,))[1]):
        np.testing.assert_allclose(found.to(u.mV**3).mantissa, 3 * POINT**3, rtol=1e-6)


@eager_and_compiled
@pytest.mark.parametrize("name", TRANSFORMS)
def test_under_debug_nans_a_nan_is_an_error_and_a_state_stays(name, jit):
    make, fun, _ = TRANSFORMS[name]
    state = uj.State(jnp.zeros(2))

    def wrong(x, at):
        state.value = state.value + 1.0
        return fun(u.math.sqrt(x - at) ** 2)

    derive = make(wrong, unit_aware=True, jit=jit)
    with jax.debug_nans(True):
        with unchanged(state), pytest.raises(FloatingPointError):
            derive(point(), point())
        derive(point(), 0.5 * point())
        _ = state.value + 1.0
    np.testing.assert_array_equal(state.value, 1.0)


def test_under_debug_nans_and_debug_infs_what_is_right_is_no_error():
    like = {"a": 1.0 * u.mV, "b": q([1.0, 2.0], u.nA)}
    entries = jnp.array([[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 1e-5, 1.0]])
    A = linalg.UnitMatrix(entries, like, like)
    planned = sparse.sparse_hessian(total, point(), pattern=np.eye(2))
    with jax.debug_nans(True), jax.debug_infs(True):
        assert float(linalg.det(A)) == pytest.approx(6.0)
        assert_close(A @ linalg.solve(A, like), like)
        assert_close(linalg.inv(A) @ like, linalg.solve(A, like))
        assert linalg.eigvals(A).shape == (3,)
        linalg.cholesky(linalg.covariance(like))
        np.testing.assert_array_equal(planned(0 * point()).dense, np.zeros((2, 2)))


@pytest.mark.parametrize("name", [*TRANSFORMS, "sparse_jacobian"])
def test_compiled_no_array_is_transferred_by_the_way(name):
    """From the first call; eager JAX itself transfers each constant of an operation."""
    state, x = uj.State(jnp.float32(2.0)), point()
    if name == "sparse_jacobian":
        derive = uj.sparse_jacobian(lambda x: state.value * cube(x), x, pattern=np.eye(2), jit=True)
        expected = TRANSFORMS["jacrev"][2]
    else:
        make, fun, expected = TRANSFORMS[name]
        derive = make(lambda x: state.value * fun(x), unit_aware=True, jit=True)
    with jax.transfer_guard("disallow"):
        first, second = derive(x), derive(x)
    for block in (first, second):
        block = block.dense if name == "sparse_jacobian" else block.mantissa
        np.testing.assert_allclose(block, 2 * expected(POINT), rtol=1e-6)
