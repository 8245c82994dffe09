"""Variables of flax.nnx in `grad_states`, and its modules and states as arguments."""

import pickle

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_physically_equal, each, eager_and_compiled, holds_tracer, q

import unitjac as uj
from unitjac import State
from unitjac._states.adopted import as_state

nnx = pytest.importorskip("flax.nnx")


class Synapse(nnx.Module):
    """A current through conductances, and a count that only some functions write."""

    def __init__(self):
        self.g = nnx.Param(q([1.0, 2.0], u.nS))
        self.gain = nnx.Param(jnp.array(3.0))
        self.count = nnx.Variable(jnp.array(0))

    def __call__(self, V):
        return self.g.get_value() * V * self.gain.get_value()


V = q(20.0, u.mV)
BY_G, BY_GAIN = q(np.diag([60.0, 60.0]), u.mV), q([20.0, 40.0], u.pA)

STRUCTURES = {
    "one": (lambda m: m.g, lambda g, gain: g),
    "list": (lambda m: [m.gain, m.g], lambda g, gain: [gain, g]),
    "dict": (lambda m: {"g": m.g}, lambda g, gain: {"g": g}),
}


@eager_and_compiled
@each("structure", list(STRUCTURES.items()), key=lambda item: item[0])
@each("transform", [uj.jacrev, uj.jacfwd, uj.jacobian], key=lambda fun: fun.__name__)
def test_variables_are_differentiated(transform, structure, jit):
    model = Synapse()
    of_model, of_blocks = structure[1]
    jac = transform(model, grad_states=of_model(model), unit_aware=True, jit=jit)
    for _ in range(2):
        assert_physically_equal(jac(V), of_blocks(BY_G, BY_GAIN))
        assert_physically_equal(model.g.get_value(), q([1.0, 2.0], u.nS))
        assert not holds_tracer(as_state(model.g), as_state(model.gain))


@eager_and_compiled
def test_the_state_of_a_module(jit):
    """`nnx.state` has the variables of a module themselves."""
    model = Synapse()
    params = nnx.state(model, nnx.Param)
    jac = uj.jacrev(model, grad_states=params, argnums=0, unit_aware=True, jit=jit)
    found, by_V = jac(V)
    assert type(found) is type(params)
    assert_physically_equal(found["g"], BY_G)
    assert_physically_equal(by_V, q([3.0, 6.0], u.nS))


@eager_and_compiled
def test_a_module_is_what_its_parameters_are(jit):
    model = Synapse()
    found = uj.jacrev(model, grad_states=model, unit_aware=True, jit=jit)(V)
    assert type(found) is type(nnx.state(model))
    assert_physically_equal((found["g"], found["gain"]), (BY_G, BY_GAIN))
    mixed = [model, model.count]
    by_two = uj.jacrev(
        model, grad_states=mixed, allow_int=True, check_states=False, unit_aware=True
    )
    assert_physically_equal(by_two(V)[0]["gain"], BY_GAIN)


def test_the_value_at_the_time_of_the_call_counts():
    model = Synapse()
    jac = uj.jacrev(model, grad_states=model.gain, unit_aware=True, jit=True)
    jac(V)
    model.g.set_value(q([5.0, 7.0], u.nS))
    model.gain.set_value(jnp.array(1.0))
    by_gain, by_g = uj.jacrev(model, grad_states=[model.gain, model.g], unit_aware=True, jit=True)(
        V
    )
    assert_physically_equal(by_gain, q([100.0, 140.0], u.pA))
    assert_physically_equal(by_g, q(np.diag([20.0, 20.0]), u.mV))


def test_together_with_a_state_of_ours():
    model, scale = Synapse(), State(q(2.0, u.ms))

    def charge(V):
        scale.value = 2.0 * scale.value
        return model(V) * scale.value

    by_scale, by_gain = uj.jacrev(charge, grad_states=[scale, model.gain], unit_aware=True)(V)
    assert_physically_equal(by_scale, q([120.0, 240.0], u.pA))
    assert_physically_equal(by_gain, q([80.0, 160.0], u.pA * u.ms))
    assert_physically_equal(scale.value, q(4.0, u.ms))


@eager_and_compiled
def test_variables_that_are_not_differentiated_are_inputs_of_the_program(jit):
    model = Synapse()
    jac = uj.jacrev(model, unit_aware=True, jit=jit)
    for g in ([1.0, 2.0], [5.0, 7.0]):
        model.g.set_value(q(g, u.nS))
        assert_physically_equal(jac(V), q(3.0 * np.array(g), u.nS))
    assert jac.plan(V).reads == ("Param(float32[2] nS)", "Param(float32[])")


@eager_and_compiled
def test_a_variable_that_is_never_used(jit):
    model, other = Synapse(), nnx.Param(jnp.ones(()), name="other")
    jac = uj.jacrev(model, grad_states=[model.g, other], jit=jit)
    with pytest.raises(ValueError, match=r"grad_states\[1\] \(Param\(other: 1\)\): .* nev"):
        jac(V)
    zero = uj.jacrev(model, grad_states=other, check_states=False, unit_aware=True, jit=jit)(V)
    assert_physically_equal(zero, q(np.zeros(2), u.pA))


@eager_and_compiled
def test_modules_that_are_made_and_taken_apart_inside(jit):
    """What is made inside is no state, and neither is what JAX makes of an argument."""
    outside = Synapse()

    def current(params, V):
        graph, state = nnx.split(outside)
        merged = nnx.merge(graph, state, copy=True)
        merged.gain.set_value(2.0 * merged.gain.get_value())
        return merged(V) * params["gain"].get_value()

    params = nnx.state(Synapse(), nnx.Param)
    jac = uj.jacrev(current, argnums=1, unit_aware=True, jit=jit)
    for gain in (3.0, 4.0):
        outside.gain.set_value(jnp.array(gain))
        assert_physically_equal(jac(params, V), q([6.0 * gain, 12.0 * gain], u.nS))
        assert float(outside.gain.get_value()) == gain


def test_what_no_state_can_hold_is_left_alone():
    note, cell = nnx.Variable("a note"), nnx.Variable(jnp.array(2.0), ref=True)

    def fun(x):
        assert note.get_value() == "a note"
        return x * cell.get_value()

    assert float(uj.jacrev(fun)(3.0)) == 2.0
    assert float(uj.jacrev(fun, grad_states=cell)(3.0)) == 3.0


@eager_and_compiled
def test_a_failure_leaves_every_variable_as_it_was(jit):
    model = Synapse()
    before = model.g.get_raw_value()

    def fails(V):
        model(V)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        uj.jacrev(fails, grad_states=model.g, jit=jit)(V)
    assert model.g.get_raw_value() is before


def test_a_write_is_refused_by_flax():
    """It lets a variable be written in the trace only that it was made in."""
    model = Synapse()

    def writes(V):
        model.count.set_value(model.count.get_value() + 1)
        return model(V)

    with pytest.raises(Exception, match="Cannot mutate Variable from a different trace level"):
        uj.jacrev(writes, grad_states=[model.g, model.count], allow_int=True)(V)
    assert int(model.count.get_value()) == 0


# As arguments


@eager_and_compiled
def test_the_parameters_as_an_argument(jit):
    """`nnx.split` takes a module apart, `nnx.merge` puts it together; what is written is aux."""
    graph, params, rest = nnx.split(Synapse(), nnx.Param, ...)

    def current(params, V):
        model = nnx.merge(graph, params, rest, copy=True)
        model.count.set_value(model.count.get_value() + 1)
        return model(V), nnx.state(model, nnx.Not(nnx.Param))

    jac = uj.jacrev(current, has_aux=True, unit_aware=True, jit=jit)
    found, after = jac(params, V)
    assert_physically_equal(found["g"].get_value(), BY_G)
    assert_physically_equal(found["gain"].get_value(), BY_GAIN)
    assert int(after["count"].get_value()) == 1


def test_layers_against_jax():
    layer = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    graph, params = nnx.split(layer)
    x = jnp.array([1.0, -2.0, 0.5])
    found = uj.jacrev(lambda p: nnx.merge(graph, p)(x) * u.mV, unit_aware=True)(params)
    expected = jax.jacrev(lambda p: nnx.merge(graph, p)(x))(params)
    for name in ("kernel", "bias"):
        reference = u.Quantity(expected[name].get_value(), unit=u.mV)
        assert_physically_equal(found[name].get_value(), reference)


# As states of ours


def test_equality_pickles_and_text():
    model = Synapse()
    adopted = as_state(model.gain)
    assert adopted == as_state(model.gain)
    assert adopted != as_state(model.g)
    assert repr(adopted) == "Param(3)"
    assert float(pickle.loads(pickle.dumps(adopted)).value) == 3.0
    with pytest.raises(
        ValueError, match=r"grad_states\[1\] is the same State as grad_states\[0\] \(P"
    ):
        uj.jacrev(model, grad_states=[model.g, model.g])


# Optimizers


class Dense(nnx.Module):
    """Parameters in a module of its own and beside it, and a variable that is none."""

    def __init__(self):
        self.inner = nnx.Linear(2, 1, rngs=nnx.Rngs(0))
        self.gain = nnx.Param(jnp.array(2.0))
        self.count = nnx.Variable(jnp.array(0.0))

    def __call__(self, x):
        return self.gain * self.inner(x)


def loss(model):
    return jnp.sum((model(jnp.array([1.0, -2.0])) - 3.0) ** 2)


def by_argument(model, jit):
    return uj.grad(loss, jit=jit)(model)


def by_module(model, jit):
    gradients = uj.grad(lambda: loss(model), grad_states=model, jit=jit)()
    return jax.tree.map(nnx.Param, gradients)


def by_state(model, jit):
    params = nnx.state(model, nnx.Param)
    _, gradients = uj.value_and_grad(lambda: loss(model), grad_states=params, jit=jit)()
    return jax.tree.map(nnx.Param, gradients)


@eager_and_compiled
@each("gradient", [by_argument, by_module, by_state], key=lambda fun: fun.__name__)
def test_optimizers_of_flax_step_as_with_its_own_gradients(gradient, jit):
    optax = pytest.importorskip("optax")

    def after_steps(gradient):
        model = Dense()
        optimizer = nnx.Optimizer(model, optax.adam(0.1), wrt=nnx.Param)
        for _ in range(2):
            optimizer.update(model, gradient(model))
        return nnx.to_pure_dict(nnx.state(model))

    found, expected = after_steps(lambda model: gradient(model, jit)), after_steps(nnx.grad(loss))
    assert_physically_equal(found, expected, digits_lost=2)
    assert float(found["gain"]) != 2.0
