"""Modules of equinox as arguments, whole and in part."""

from collections.abc import Callable

import brainunit as u
import jax
import jax.numpy as jnp
import pytest
from helpers import assert_physically_equal, eager_and_compiled, q

import unitjac as uj

eqx = pytest.importorskip("equinox")


class Synapse(eqx.Module):
    """A current through a conductance, with a squashing function and an int beside it."""

    g: u.Quantity
    E: u.Quantity
    weights: jax.Array
    squash: Callable
    count: int
    name: str = eqx.field(static=True, default="synapse")

    def __call__(self, V):
        return self.squash(jnp.sum(self.weights)) * self.g * (V - self.E) * self.count


def synapse(squash=jnp.tanh):
    return Synapse(q(2.0, u.nS), q(-70.0, u.mV), jnp.array([0.5, 0.25]), squash, 3)


V = q(-50.0, u.mV)
SQUASHED = float(jnp.tanh(0.75))


@eager_and_compiled
def test_the_arrays_of_a_module(jit):
    """What `eqx.partition` takes for arrays is differentiated; the rest stays in the module."""
    arrays, rest = eqx.partition(synapse(), eqx.is_inexact_array_like)
    jac = uj.jacrev(
        lambda arrays, V: eqx.combine(arrays, rest)(V),
        argnums=(0, 1),
        unit_aware=True,
        return_value=True,
        jit=jit,
    )
    (blocks, by_V), value = jac(arrays, V)
    assert type(blocks) is Synapse
    assert_physically_equal(value, q(SQUASHED * 2 * 20 * 3, u.pA))
    assert_physically_equal(blocks.g, q(SQUASHED * 20 * 3, u.mV))
    assert_physically_equal(blocks.E, q(-SQUASHED * 2 * 3, u.nS))
    assert_physically_equal(blocks.weights, q([(1 - SQUASHED**2) * 120] * 2, u.pA), 10)
    assert_physically_equal(by_V, q(SQUASHED * 2 * 3, u.nS))
    assert blocks.squash is None


@eager_and_compiled
def test_a_part_of_a_module(jit):
    """One leaf by `eqx.tree_at`, everything else as it is."""
    model = synapse()
    jac = uj.jacfwd(lambda g, V: eqx.tree_at(lambda m: m.g, model, g)(V), unit_aware=True, jit=jit)
    assert_physically_equal(jac(model.g, V), q(SQUASHED * 20 * 3, u.mV))


def test_a_filter_that_leaves_quantities_of_none_behind():
    """Only the weights are wanted: in the other half of the module quantities hold None."""
    model = synapse()
    wanted = jax.tree.map(lambda _: False, model)
    wanted = eqx.tree_at(lambda m: m.weights, wanted, True)
    weights, rest = eqx.partition(model, wanted)
    blocks = uj.jacrev(lambda w: eqx.combine(w, rest)(V), unit_aware=True)(weights)
    assert_physically_equal(blocks.weights, q([(1 - SQUASHED**2) * 120] * 2, u.pA), 10)
    assert blocks.g.mantissa is None


def test_a_module_of_arrays_is_a_tree_like_any_other():
    linear = eqx.nn.Linear(3, 2, key=jax.random.key(0))
    x = jnp.array([1.0, -2.0, 0.5])
    blocks = uj.jacrev(lambda layer: layer(x) * u.mV, unit_aware=True)(linear)
    expected = jax.jacrev(lambda layer: layer(x))(linear)
    assert_physically_equal(blocks.weight, u.Quantity(expected.weight, unit=u.mV))
    assert_physically_equal(blocks.bias, u.Quantity(expected.bias, unit=u.mV))


def test_gradients_and_hessians():
    arrays, rest = eqx.partition(synapse(), eqx.is_inexact_array_like)

    def power(arrays):
        return eqx.combine(arrays, rest)(V) ** 2

    gradient = uj.grad(power, unit_aware=True)(arrays)
    current = q(SQUASHED * 2 * 20 * 3, u.pA)
    assert_physically_equal(gradient.g, 2 * current * q(SQUASHED * 20 * 3, u.mV))
    second = uj.hessian(power, unit_aware=True)(arrays)
    slope = q(SQUASHED * 20 * 3, u.mV)
    assert_physically_equal(second.g.g, 2 * slope**2, 10)


def test_a_module_as_the_function():
    """Called with what is differentiated; the arrays in it are constants."""
    jac = uj.jacrev(synapse(), unit_aware=True)
    assert_physically_equal(jac(V), q(SQUASHED * 2 * 3, u.nS))


def test_a_leaf_that_is_no_array_is_named():
    with pytest.raises(
        TypeError, match=r"argument 0\.squash must be an array, .* got a .*Function"
    ):
        uj.jacrev(lambda model: model(V))(synapse())
