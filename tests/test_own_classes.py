"""Classes that users derive: of ``Quantity``, of ``brainunit.CustomArray``; and arrays of NumPy."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_same, each_transform, eager_and_compiled, q

import unitjac as uj
from unitjac import linalg
from unitjac.testing import assert_close, check_jacobian


@jax.tree_util.register_pytree_node_class
class Voltage(u.Quantity):
    """A class of quantities of one's own, with a method that the function calls."""

    def squared(self):
        return self * self


class Unregistered(u.Quantity):
    """One that JAX does not know."""


def volts(values=(1.0, 2.0)):
    return Voltage(jnp.asarray(values, float), unit=u.mV)


def square(x):
    return x.squared() if isinstance(x, Voltage) else pytest.fail(f"{type(x).__name__} arrived")


@each_transform
@eager_and_compiled
def test_a_registered_subclass_arrives_as_itself(transform, jit):
    blocks = transform(lambda d: square(d["V"]) * d["g"], unit_aware=True, jit=jit)(
        {"V": volts(), "g": 3.0}
    )
    diagonal = q(np.diag([6.0, 12.0]), u.mV)
    assert_same(blocks, {"V": diagonal, "g": q([1.0, 4.0], u.mV**2)})
    assert type(blocks["V"]) is u.Quantity  # a derivative of a voltage is none


@eager_and_compiled
def test_gradients_hessians_and_matrices_by_a_subclass(jit):
    def total(x):
        return u.math.sum(square(x))

    assert_same(uj.grad(total, unit_aware=True, jit=jit)(volts()), q([2.0, 4.0], u.mV))
    assert_same(uj.vector_grad(square, unit_aware=True, jit=jit)(volts()), q([2.0, 4.0], u.mV))
    hessian = uj.hessian(total, unit_aware=True, jit=jit)(volts())
    assert_same(hessian, 2.0 * jnp.eye(2))
    matrix = linalg.jacobian_matrix(square, jit=jit)(volts())
    assert_same(matrix.blocks(), q(np.diag([2.0, 4.0]), u.mV))


@eager_and_compiled
def test_values_and_states_stay_of_their_class(jit):
    state = uj.State(volts())

    def double(x):
        state.value = Voltage(state.value.mantissa * x, unit=state.value.unit)
        return {"V": state.value, "W": square(state.value)}

    jac = uj.jacrev(double, grad_states=state, unit_aware=True, return_value=True, jit=jit)
    by_state, value = jac(2.0)
    assert_same(by_state["V"], 2.0 * jnp.eye(2))
    assert_same(by_state["W"], q(np.diag([8.0, 16.0]), u.mV))
    assert type(value["V"]) is type(state.value) is Voltage
    np.testing.assert_array_equal(state.value.mantissa, [2.0, 4.0])


def test_products_with_a_subclass():
    value, pull = uj.vjp(lambda x: Voltage(3.0 * x.mantissa, unit=x.unit), volts())
    assert type(value) is Voltage
    np.testing.assert_array_equal(pull(np.ones(2)), [3.0, 3.0])
    value, push = uj.linearize(square, volts())
    assert_same(push(q([1e3, 0.0], u.uvolt)), q([2.0, 0.0], u.mV**2))
    _, pushed = uj.jvp(square, (volts(),), (volts((0.0, 1.0)),))
    assert_same(pushed, q([0.0, 4.0], u.mV**2))
    _, batch = jax.vmap(lambda x: uj.jvp(square, (x,), (x,)))(volts())
    assert_same(batch, q([2.0, 8.0], u.mV**2))


def test_one_that_jax_does_not_know_arrives_as_a_plain_quantity():
    seen = []

    def fun(x):
        seen.append(type(x))
        return x * x

    assert_same(uj.grad(fun, unit_aware=True)(Unregistered(3.0, unit=u.mV)), q(6.0, u.mV))
    assert seen == [u.Quantity]


@jax.tree_util.register_pytree_node_class
class Measured(u.Quantity):
    """One that has an error beside its magnitude."""

    def __init__(self, mantissa, unit, error=0.0):
        super().__init__(mantissa, unit=unit)
        self.error = error

    def tree_flatten(self):
        return (self.mantissa, self.error), self.unit

    @classmethod
    def tree_unflatten(cls, unit, children):
        mantissa, error = children
        return cls(mantissa, unit, error)


def test_one_with_further_children_arrives_as_a_plain_quantity():
    found = uj.grad(lambda x: x * x, unit_aware=True)(Measured(3.0, u.mV, 0.1))
    assert_same(found, q(6.0, u.mV))


# brainunit.CustomArray


class Bare(u.CustomArray):
    def __init__(self, data):
        self.data = data


@jax.tree_util.register_pytree_node_class
class Array(Bare):
    def tree_flatten(self):
        return (self.data,), None

    @classmethod
    def tree_unflatten(cls, _, children):
        return cls(*children)


@each_transform
@eager_and_compiled
def test_a_registered_custom_array_is_a_tree(transform, jit):
    for data, block in (
        (jnp.array([1.0, 2.0]), 2.0 * jnp.diag(jnp.array([1.0, 2.0]))),
        (q([1.0, 2.0], u.mV), q(np.diag([2.0, 4.0]), u.mV)),
    ):
        found = transform(lambda a: a * a, unit_aware=True, jit=jit)(Array(data))
        found = found.data if isinstance(found, Array) else found
        assert_same(found, block)


@each_transform
def test_a_custom_array_that_is_not_registered_is_refused(transform):
    text = r"^argument 0 must be an array.*got a Bare, which is no tree to JAX either: register its"
    for data in (jnp.ones(2), q([1.0, 2.0], u.mV)):
        with pytest.raises(TypeError, match=text):
            transform(lambda a: a * a, unit_aware=True)(Bare(data))
        with pytest.raises(TypeError, match=r"^argument 0 is a Bare, which is no tree to JAX"):
            transform(lambda a: a * a, unit_aware=True, jit=True)(Bare(data))
    with pytest.raises(TypeError, match=r"^State.* got a Bare, which is no tree to JAX either"):
        uj.State(Bare(jnp.ones(2)))


# what the function is handed


@each_transform
@eager_and_compiled
def test_numbers_and_arrays_of_numpy_arrive_as_arrays_of_jax(transform, jit):
    def fun(x, z, c):
        assert all(isinstance(leaf, jax.Array) for leaf in (x, z, c))
        return x.at[0].set(2.0 * z) * jnp.real(c)

    jac = transform(fun, argnums=(0, 1), jit=jit)
    by_x, by_z = jac(np.array([1.0, 3.0]), 2.0, jnp.asarray(1 + 2j))
    np.testing.assert_array_equal(by_x, [[0.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(by_z, [2.0, 0.0])


@pytest.mark.parametrize("make", [uj.jacrev, uj.jacobian, uj.grad])
@pytest.mark.parametrize("n", [np.array([1, 2]), np.int64(3), 3, True, np.array([True, False])])
def test_whole_numbers_arrive_as_arrays_of_jax(make, n):
    def fun(n, x):
        return jnp.sum(n.at[...].set(True) * x)  # which no array of NumPy and no int has

    by_n, by_x = make(fun, argnums=(0, 1), allow_int=True)(n, 2.0)
    assert by_n.dtype == jax.dtypes.float0
    assert by_n.shape == np.shape(n)
    assert by_x == np.size(n)


def test_complex_numbers_of_python_are_differentiated_as_jax_does():
    for make, reference in ((uj.jacrev, jax.jacrev), (uj.jacfwd, jax.jacfwd), (uj.grad, jax.grad)):
        found = make(lambda z: z**2, holomorphic=True)(1 + 2j)
        expected = reference(lambda z: z**2, holomorphic=True)(1 + 2j)
        assert found == expected == 2 + 4j
        assert found.dtype == expected.dtype


def test_check_jacobian_hands_arrays_of_jax_on():
    check_jacobian(lambda x: x.at[0].set(3.0 * x[1]), (np.array([1.0, 2.0]),))
    check_jacobian(lambda x: u.lax.rsqrt(x), (4.0 * u.mV**2,))
    check_jacobian(lambda x: u.lax.cumsum(x), (q([1.0, 2.0], u.mV),))
    check_jacobian(square, (volts(),))
    state = uj.State(np.array([1.0, 2.0]))
    check_jacobian(lambda: state.value.at[0].multiply(2.0), grad_states=state)


def test_check_jacobian_finds_a_wrong_rule_of_a_function_of_such_arrays():
    @jax.custom_jvp
    def wrong(x):
        return x**2

    wrong.defjvp(lambda x, dx: (x[0] ** 2, 3.0 * x[0] * dx[0]))
    with pytest.raises(
        AssertionError, match=r"^fwd against differences: block output / argument 0"
    ):
        check_jacobian(lambda x: wrong(x.at[:].get()), (np.array([1.0, 2.0]),))


def test_assert_close_of_a_subclass():
    assert_close(volts(), q([1.0, 2.0], u.mV))
