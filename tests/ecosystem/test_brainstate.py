"""States of brainstate: differentiated, read and written as our own, and left alone on failure."""

import copy

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    assert_physically_equal,
    assert_same,
    each,
    eager_and_compiled,
    holds_tracer,
    q,
)

import unitjac as uj
from unitjac import State
from unitjac._states.adopted import as_state
from unitjac._states.remembered import Memory

brainstate = pytest.importorskip("brainstate")
theirs = brainstate.transform

JACOBIANS = [uj.jacrev, uj.jacfwd, uj.jacobian]
each_jacobian = each("transform", JACOBIANS, key=lambda fun: fun.__name__)


class Synapse(brainstate.nn.Module):
    """A conductance that is read, a voltage that is written, a count of the calls."""

    def __init__(self):
        super().__init__()
        self.g = brainstate.ParamState(q([1.0, 2.0], u.nS))
        self.V = brainstate.HiddenState(q([-65.0, -60.0], u.mV))
        self.calls = brainstate.ShortTermState(jnp.zeros((), int))

    def update(self, E):
        """One step of 1 ms, for a capacitance of 1 pF."""
        self.calls.value += 1
        current = self.g.value * (E - self.V.value)
        self.V.value += (current * (1.0 * u.ms) / (1.0 * u.pF)).in_unit(u.mV)
        return self.V.value

    @property
    def all(self):
        return [self.g, self.V, self.calls]


def held(states):
    return [state.value for state in states]


def by_hand(model, E):
    """The voltage after a step, and its derivatives by conductance, by the first voltage, by E."""
    g, V = (np.asarray(x, float) for x in (model.g.value.mantissa, model.V.value.mantissa))
    after = V + g * (E - V)
    return after, np.diag(E - V), np.diag(1 - g), g


# In grad_states


@eager_and_compiled
@each_jacobian
def test_a_state_is_differentiated_and_those_that_are_written_are_written_once(transform, jit):
    model = Synapse()
    jac = transform(
        model.update,
        grad_states={"g": model.g, "V": model.V},
        argnums=0,
        unit_aware=True,
        return_value=True,
        jit=jit,
    )
    for k in range(1, 4):
        after, by_g, by_V, by_E = by_hand(model, -10.0)
        (states, by_argument), value = jac(q(-10.0, u.mV))
        assert_physically_equal(states["g"], q(by_g, u.mV / u.nS))
        assert_physically_equal(states["V"], jnp.asarray(by_V, jnp.float32))
        assert_physically_equal(by_argument, jnp.asarray(by_E, jnp.float32))
        assert_physically_equal(value, q(after, u.mV))
        assert_physically_equal(model.V.value, q(after, u.mV))
        assert model.calls.value == k
        assert_physically_equal(model.g.value, q([1.0, 2.0], u.nS))
        assert not holds_tracer(*model.all)


STRUCTURES = {
    "one": lambda model: model.g,
    "list": lambda model: [model.V, model.g],
    "tuple": lambda model: (model.g,),
    "dict": lambda model: {"first": model.V},
    "all of a module": lambda model: model.states(brainstate.ParamState),
    "nested": lambda model: model.states(brainstate.ParamState, brainstate.HiddenState)[
        0
    ].to_nest(),
}


@eager_and_compiled
@each("structure", list(STRUCTURES.items()), key=lambda item: item[0])
def test_the_blocks_have_the_structure_of_the_states(structure, jit):
    model = Synapse()
    given = structure[1](model)
    found = uj.jacrev(model.update, grad_states=given, unit_aware=True, jit=jit)(q(-10.0, u.mV))

    def is_state(leaf):
        return isinstance(leaf, brainstate.State)

    is_quantity = lambda leaf: isinstance(leaf, u.Quantity)  # noqa: E731
    leaves = jax.tree.leaves(given, is_leaf=is_state)
    expected = jax.tree.structure(given, is_leaf=is_state)
    assert jax.tree.structure(found, is_leaf=is_quantity) == expected
    blocks = jax.tree.leaves(found, is_leaf=is_quantity)
    for state, block in zip(leaves, blocks, strict=True):
        assert block.shape == (2, 2)
        assert (u.get_unit(block) == u.mV / u.get_unit(state.value)) or not u.get_unit(block).dim


class Neuron(brainstate.nn.Module):
    """A voltage by a synapse, which is a module too."""

    def __init__(self):
        super().__init__()
        self.synapse = Leak()
        self.V = brainstate.HiddenState(q(-60.0, u.mV))

    def update(self, E):
        return self.synapse.g.value * (E - self.V.value)


class Leak(brainstate.nn.Module):
    def __init__(self):
        super().__init__()
        self.g = brainstate.ParamState(q(2.0, u.nS))


@eager_and_compiled
def test_a_module_is_what_its_states_are(jit):
    neuron = Neuron()
    expected = {("V",): q(-2.0, u.nS), ("synapse", "g"): q(50.0, u.mV)}
    found = uj.jacrev(neuron.update, grad_states=neuron, unit_aware=True, jit=jit)(q(-10.0, u.mV))
    assert type(found) is type(neuron.states())
    assert_physically_equal(dict(found), expected)
    both = {"cell": neuron.synapse, "V": neuron.V}
    found = uj.jacfwd(neuron.update, grad_states=both, unit_aware=True, jit=jit)(q(-10.0, u.mV))
    assert_physically_equal(dict(found["cell"]), {("g",): q(50.0, u.mV)})
    assert_physically_equal(found["V"], q(-2.0, u.nS))


def test_plans_call_states_as_grad_states_does():
    first, second, other = (
        brainstate.HiddenState(jnp.ones(2), name=name) for name in (None, None, "b")
    )
    jac = uj.jacrev(
        lambda: first.value * second.value * other.value, grad_states={"a": first, "b": [second]}
    )
    assert jac.plan().reads == (
        "HiddenState(grad_states['a']: float32[2])",
        "HiddenState(grad_states['b'][0]: float32[2])",
        "HiddenState(b: float32[2])",
    )


@eager_and_compiled
def test_states_of_both_kinds_in_one_call(jit):
    model, gain = Synapse(), State(q(2.0, u.ms), name="gain")

    def charge(E):
        gain.value = 2.0 * gain.value
        return model.update(E) * gain.value

    jac = uj.jacrev(charge, grad_states=(gain, model.g), unit_aware=True, jit=jit)
    after, by_g, _, _ = by_hand(model, -10.0)
    by_gain, by_conductance = jac(q(-10.0, u.mV))
    assert_physically_equal(by_gain, q(2 * after, u.mV))
    assert_physically_equal(by_conductance, q(4 * by_g, u.mV * u.ms / u.nS))
    assert_physically_equal(gain.value, q(4.0, u.ms))
    assert model.calls.value == 1


def test_second_derivatives_with_mixed_blocks():
    with jax.enable_x64(True):
        s = brainstate.ParamState(q([1.0, 2.0], u.mV))
        hessian = uj.hessian(
            lambda x: u.math.sum(s.value**3) * x, grad_states=s, argnums=0, unit_aware=True
        )
        (ss, sa), (as_, aa) = hessian(q(2.0, u.nS))
        assert_physically_equal(ss, q(np.diag([12.0, 24.0]), u.mV * u.nS))
        assert_physically_equal(sa, q([3.0, 12.0], u.mV**2))
        assert_physically_equal(as_, q([3.0, 12.0], u.mV**2))
        assert_physically_equal(aa, q(0.0, u.mV**3 / u.nS))


def test_gradients_and_products():
    s = brainstate.ParamState(q([1.0, 2.0], u.mV))

    def power(R):
        return u.math.sum(s.value**2) / R

    R = q(2.0, u.Mohm)
    assert_physically_equal(
        uj.grad(power, grad_states=s, unit_aware=True)(R), q([1.0, 2.0], u.mV / u.Mohm)
    )
    _, pull = uj.vjp(power, R, grad_states=s, argnums=None)
    assert_physically_equal(pull(1.0), q([1.0, 2.0], u.mV / u.Mohm))
    _, push = uj.linearize(power, R, grad_states=s, argnums=None)
    assert_physically_equal(push(q([1.0, 0.0], u.mV)), q(1.0, u.mV**2 / u.Mohm))


def test_nested_transforms_of_the_same_state():
    s = brainstate.ParamState(jnp.asarray(3.0))
    inner = uj.jacrev(lambda: s.value**3, grad_states=s)
    assert float(uj.jacfwd(inner, grad_states=s)()) == pytest.approx(18.0)
    assert float(s.value) == 3.0


# Under what else transforms functions


@eager_and_compiled
def test_under_jit_of_brainstate(jit):
    model, alone = Synapse(), Synapse()
    jac = uj.jacrev(model.update, grad_states=model.g, unit_aware=True, jit=jit)
    expected = uj.jacrev(alone.update, grad_states=alone.g, unit_aware=True)
    compiled = theirs.jit(lambda E: jac(E))
    for _ in range(3):
        assert_physically_equal(compiled(q(-10.0, u.mV)), expected(q(-10.0, u.mV)))
        assert_physically_equal(held(model.all), held(alone.all))
        assert not holds_tracer(*model.all)


@eager_and_compiled
def test_in_a_loop_of_brainstate(jit):
    model, alone = Synapse(), Synapse()
    jac = uj.jacrev(model.update, grad_states=model.g, unit_aware=True, jit=jit)
    expected = uj.jacrev(alone.update, grad_states=alone.g, unit_aware=True)
    found = theirs.for_loop(lambda E: jac(E), q([-10.0, -20.0, -30.0], u.mV))
    one_by_one = u.math.stack([expected(q(E, u.mV)) for E in (-10.0, -20.0, -30.0)])
    assert_physically_equal(found, one_by_one)
    assert_physically_equal(held(model.all), held(alone.all))
    assert not holds_tracer(*model.all)


def test_loops_of_brainstate_inside():
    """Forward Euler in a loop of brainstate: the derivative of the last state by the first."""
    V = brainstate.HiddenState(q(1.0, u.mV))

    def decay(rate):
        def step(_):
            V.value = V.value - rate * (0.1 * u.ms) * V.value

        theirs.for_loop(step, jnp.arange(5))
        return V.value

    with jax.enable_x64(True):
        V.value = q(1.0, u.mV)
        jac = uj.jacobian(decay, grad_states=V, argnums=0, unit_aware=True, jit=True)
        by_V, by_rate = jac(q(1.0, u.ms**-1))
        assert_physically_equal(by_V, jnp.asarray(0.9**5))
        assert_physically_equal(by_rate, q(-0.5 * 0.9**4, u.mV * u.ms))
        assert_physically_equal(V.value, q(0.9**5, u.mV))


def test_random_numbers_go_on():
    s = brainstate.ParamState(jnp.ones(3))
    noise = uj.jacrev(lambda: s.value * brainstate.random.randn(3), grad_states=s, jit=True)
    brainstate.random.seed(1)
    first, second = noise(), noise()
    brainstate.random.seed(1)
    numbers = [brainstate.random.randn(3) for _ in range(2)]
    np.testing.assert_allclose(np.diag(first), numbers[0], rtol=1e-6)
    np.testing.assert_allclose(np.diag(second), numbers[1], rtol=1e-6)


def test_a_compiled_call_traces_once_for_each_shape():
    model, traces = Synapse(), []

    def counted(E):
        traces.append(E)
        return model.update(E)

    jac = uj.jacrev(counted, grad_states=model.g, unit_aware=True, jit=True)
    jac(q(-10.0, u.mV))
    first = len(traces)
    assert first <= 2  # once more where a state is met that is not in grad_states
    for E in (-20.0, -30.0):
        jac(q(E, u.mV))
    assert len(traces) == first
    # what a state holds is no constant of the program
    model.g.value = q([3.0, 4.0], u.nS)
    _, by_g, _, _ = by_hand(model, -10.0)
    assert_physically_equal(jac(q(-10.0, u.mV)), q(by_g, u.mV / u.nS))


@eager_and_compiled
def test_a_state_that_is_made_inside_and_kept(jit):
    """It has its value after the call, and no tracer."""
    V, kept = brainstate.ParamState(q(3.0, u.mV)), []

    def with_a_state_of_its_own(x):
        inner = brainstate.ShortTermState(x * 2.0)
        kept.append(inner)
        inner.value = inner.value * 3.0
        return inner.value * V.value

    jac = uj.jacrev(with_a_state_of_its_own, grad_states=V, unit_aware=True, jit=jit)
    assert float(jac(2.0)) == 12.0
    assert not holds_tracer(kept[-1])
    assert float(kept[-1].value) == 12.0


@eager_and_compiled
def test_a_state_that_is_made_inside_and_forgotten(jit):
    V = brainstate.ParamState(q(3.0, u.mV))
    jac = uj.jacrev(
        lambda x: brainstate.ShortTermState(x).value * V.value,
        grad_states=V,
        unit_aware=True,
        jit=jit,
    )
    assert float(jac(2.0)) == 2.0
    assert jac.plan(2.0).writes == ()


# Left alone


@eager_and_compiled
@each_jacobian
def test_a_failure_leaves_every_state_as_it_was(transform, jit):
    model = Synapse()
    before = held(model.all)

    def fails(E):
        model.update(E)
        raise RuntimeError("no more")

    jac = transform(fails, grad_states=model.g, unit_aware=True, jit=jit)
    with pytest.raises(RuntimeError, match="no more"):
        jac(q(-10.0, u.mV))
    for state, value in zip(model.all, before, strict=True):
        assert state.value is value


def test_a_failure_under_jit_of_brainstate():
    model = Synapse()
    before = held(model.all)
    jac = uj.jacrev(model.update, grad_states=model.g, unit_aware=True)

    @theirs.jit
    def fails(E):
        jac(E)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        fails(q(-10.0, u.mV))
    assert_same(held(model.all), before)
    assert not holds_tracer(*model.all)


def test_a_tracer_of_raw_jax_is_refused_by_brainstate():
    model = Synapse()
    before = held(model.all)
    jac = uj.jacrev(model.update, grad_states=model.g, unit_aware=True)
    with pytest.raises(Exception, match="JAX tracer being written"):
        jax.jit(jac)(q(-10.0, u.mV))
    assert_same(held(model.all), before)


@each_jacobian
def test_plans_and_abstract_checks_write_nothing(transform):
    model = Synapse()
    before = held(model.all)
    plan = transform(model.update, grad_states=model.g, unit_aware=True).plan(q(-10.0, u.mV))
    assert plan.reads == (
        "ShortTermState(int32[])",
        "ParamState(grad_states: float32[2] nS)",
        "HiddenState(float32[2] mV)",
    )
    assert plan.writes == ("ShortTermState(int32[])", "HiddenState(float32[2] mV)")
    assert uj.check_units(model.update, q(-10.0, u.mV)) == u.mV
    for state, value in zip(model.all, before, strict=True):
        assert state.value is value


def test_no_tracer_leaks():
    model = Synapse()
    with jax.checking_leaks():
        for jit in (False, True):
            uj.jacrev(model.update, grad_states=model.g, unit_aware=True, jit=jit)(q(-1.0, u.mV))


def test_a_state_keeps_a_unit_that_it_was_written_in():
    V = brainstate.HiddenState(q(1.0, u.mV))

    def in_volts(x):
        V.value = V.value.in_unit(u.volt) * x
        return V.value

    jac = uj.jacrev(in_volts, grad_states=V, unit_aware=True)
    assert_physically_equal(jac(2.0), jnp.asarray(2.0))
    assert V.value.unit == u.volt
    assert_physically_equal(V.value, q(2.0, u.mV))
    with pytest.raises(RuntimeError), jax.disable_jit():
        uj.jacrev(lambda x: [in_volts(x), _fail()][0], grad_states=V)(2.0)
    assert V.value.unit == u.volt


def _fail():
    raise RuntimeError


def test_copies_have_the_same_states():
    model = Synapse()
    jac = uj.jacrev(model.update, grad_states=model.g, unit_aware=True)
    again = copy.copy(jac)
    assert_physically_equal(again(q(-10.0, u.mV)), q(np.diag([55.0, 50.0]), u.mV / u.nS))
    assert model.calls.value == 1
    assert as_state(model.g) == as_state(model.g)
    assert as_state(model.g) != as_state(model.V)


# Messages


def test_the_same_state_twice():
    model = Synapse()
    with pytest.raises(ValueError, match=r"grad_states\[1\] is the same State as grad_states\[0\]"):
        uj.jacrev(model.update, grad_states=[model.g, model.g])


@eager_and_compiled
def test_a_state_that_is_not_used(jit):
    model, other = Synapse(), brainstate.ParamState(jnp.ones(2), name="other")
    jac = uj.jacrev(model.update, grad_states=other, jit=jit)
    with pytest.raises(
        ValueError, match=r"grad_states \(ParamState\(other: float32\[2\]\)\): .* nev"
    ):
        jac(q(-10.0, u.mV))
    assert model.calls.value == 0
    zero = uj.jacrev(model.update, grad_states=other, check_states=False, unit_aware=True, jit=jit)(
        q(-10.0, u.mV)
    )
    assert_physically_equal(zero, q(np.zeros((2, 2)), u.mV))


def test_a_state_is_no_argument():
    model = Synapse()
    with pytest.raises(TypeError, match=r"argument 0 is a State, which is no argument to differen"):
        uj.jacrev(lambda s: s.value)(model.g)


# A cell


def test_a_cell_of_braincell():
    """One step of a Hodgkin-Huxley cell, forward, reverse and by differences."""
    braincell = pytest.importorskip("braincell")

    class Cell(braincell.SingleCompartment):
        def __init__(self):
            super().__init__(1, solver="exp_euler")
            self.na = braincell.ion.SodiumFixed(1, E=50.0 * u.mV)
            self.na.add(INa=braincell.channel.Na_HH1952(1))
            self.k = braincell.ion.PotassiumFixed(1, E=-77.0 * u.mV)
            self.k.add(IK=braincell.channel.K_HH1952(1))
            self.IL = braincell.channel.IL(1, E=-54.387 * u.mV, g_max=0.03 * (u.mS / u.cm**2))

    density = u.nA / u.cm**2
    with jax.enable_x64(True):
        cell = Cell()
        cell.init_state()
        cell.V.value = q([-60.0], u.mV)

        def step(current):
            with brainstate.environ.context(t=0.0 * u.ms, dt=0.01 * u.ms):
                cell.update(current)
            return cell.V.value

        before = {name: state.value for name, state in cell.states().items()}

        def restart():
            for name, state in cell.states().items():
                state.value = before[name]

        found = []
        for transform in (uj.jacrev, uj.jacfwd):
            for jit in (False, True):
                restart()
                jac = transform(step, grad_states=cell.V, argnums=0, unit_aware=True, jit=jit)
                found.append(jac(q(100.0, density)))
        for other in found[1:]:
            assert_physically_equal(other, found[0], 100)
        by_V, by_I = found[0]
        assert by_I.unit == u.mV / density
        ends = []
        for V in (-60.001, -59.999):
            restart()
            cell.V.value = q([V], u.mV)
            ends.append(step(q(100.0, density)).to_decimal(u.mV))
        np.testing.assert_allclose(np.ravel(by_V), (ends[1] - ends[0]) / 0.002, rtol=1e-6)


LOOPS = {
    "jit": lambda step: theirs.jit(step)(1.0),
    "for_loop": lambda step: theirs.for_loop(step, jnp.arange(3.0)),
    "cond": lambda step: theirs.cond(True, step, step, 1.0),
    "checkpoint": lambda step: theirs.checkpoint(step)(1.0),
}


@each("loop", list(LOOPS.items()), key=lambda item: item[0])
def test_what_brainstate_traces_is_no_program_that_keeps_a_state(loop):
    """To those, states are arguments: nothing has to be traced anew."""
    k = brainstate.HiddenState(jnp.float32(2.0))

    def step(x):
        k.value = k.value * 2.0
        return x * k.value

    def fun(x):
        return x * jnp.sum(loop[1](step)) + k.value

    before = float(k.value)
    uj.jacrev(fun, grad_states=k, argnums=0)(3.0)
    assert float(k.value) != before
    assert not Memory.of(fun).has_read


def test_a_loop_of_jax_whose_body_is_remembered():
    """JAX finds the program of the body again, in which the state's tracer of the first call is."""
    k = brainstate.State(q(2.0, u.nS))

    def body(c, _):
        return c, c * k.value

    def fun(x):
        return jax.lax.scan(body, x, None, length=1)[1][0]

    jac = uj.jacrev(fun, grad_states=k, argnums=0, unit_aware=True)
    for number, at in [(2.0, 3.0), (5.0, 4.0)]:
        k.value = q(number, u.nS)
        assert_same(jac(q(at, u.mV)), (q(at, u.mV), q(number, u.nS)))
