"""States: read, written once, differentiated; and left alone whenever something goes wrong."""

import copy
import gc
import pickle
import weakref
from typing import Any, NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import pytest
from helpers import (
    Counter,
    Neuron,
    assert_physically_equal,
    assert_same,
    each_transform,
    eager_and_compiled,
    holds_tracer,
    is_quantity,
    magnitudes,
    pulse_jacobians,
    q,
    three_transforms,
    unchanged,
)
from jax import lax

from unitjac import State, jacrev

# Reading, writing, differentiating


@eager_and_compiled
@each_transform
def test_states_are_written_once_and_differentiated_where_they_stood(transform, jit):
    neuron = Neuron()
    jac = neuron.transform(transform, jit=jit)
    for k in range(1, 4):
        with unchanged(neuron.R):
            assert_same(jac(q(3.0, u.nA)), pulse_jacobians(3.0))
        assert_physically_equal(neuron.V.value, q(-65.0 + 6.0 * k, u.mV))
        assert neuron.count.value == k
        assert not holds_tracer(*neuron.states)


STRUCTURES = {
    "one": lambda a, b: a,
    "list": lambda a, b: [b, a],
    "tuple": lambda a, b: (a,),
    "dict": lambda a, b: {"first": a, "second": b},
    "nested": lambda a, b: [{"b": (b,)}, a],
}


class Outputs(NamedTuple):
    product: Any
    rest: Any


@pytest.mark.parametrize("structure", STRUCTURES)
@three_transforms
def test_output_trees_of_any_depth_stand_inside_of_any_structure_of_states(transform, structure):
    def fun(a, b):
        return [Outputs(a["x"] * b[0], {"y": (a["y"][0] ** 2,)}), b[0] * a["y"][0]]

    a, b = {"x": q([1.0, 2.0], u.mV), "y": (q(3.0, u.ms),)}, [jnp.asarray(4.0)]
    A, B = State(a, name="a"), State(b, name="b")
    jac = transform(
        lambda: fun(A.value, B.value), grad_states=STRUCTURES[structure](A, B), unit_aware=True
    )
    # the units by hand: of each output, and of each input
    outputs = [Outputs(u.mV, {"y": (u.ms**2,)}), u.ms]
    inputs = {"x": u.mV, "y": (u.ms,)}, [u.UNITLESS]
    blocks = [jax.jacrev(fun, argnums=n)(magnitudes(a), b) for n in (0, 1)]
    of_a, of_b = (
        jax.tree.map(
            lambda out, inner, n=n: jax.tree.map(
                lambda into, block: u.maybe_decimal(u.Quantity(block, unit=out / into)),
                inputs[n],
                inner,
            ),
            outputs,
            blocks[n],
        )
        for n in (0, 1)
    )
    assert_same(jac(), STRUCTURES[structure](of_a, of_b))


@three_transforms
def test_second_derivative_with_respect_to_a_state(transform):
    V = State(q(3.0, u.mV), name="V")
    first = transform(lambda: V.value**3, grad_states=V, unit_aware=True)
    second = transform(first, grad_states=V, unit_aware=True)
    assert_same(second(), q(18.0, u.mV))


@eager_and_compiled
@three_transforms
def test_states_written_by_an_inner_transform_are_seen_outside_of_it(transform, jit):
    neuron = Neuron()

    def outer(current):
        with_value = neuron.transform(transform, return_value=True)
        _, value = with_value(current)
        return value["V"] + neuron.V.value

    jac = transform(outer, grad_states=neuron.R, argnums=0, unit_aware=True, jit=jit)
    assert_same(jac(q(3.0, u.nA)), (q(6.0, u.mV / u.Mohm), q(4.0, u.mV / u.nA)))
    assert_physically_equal(neuron.V.value, q(-59.0, u.mV))
    assert neuron.count.value == 1


@eager_and_compiled
@three_transforms
def test_state_may_be_written_in_another_unit_of_its_dimension(transform, jit):
    V = State(q(-65.0, u.mV), name="V")

    def fun(x):
        V.value = (V.value + x).in_unit(u.volt)
        return V.value

    jac = transform(fun, grad_states=V, argnums=0, unit_aware=True, jit=jit)
    assert_same(jac(q(5.0, u.mV)), (jnp.asarray(1.0), jnp.asarray(1.0)))
    assert_same(V.value, q(-0.06, u.volt))
    assert_same(jac(q(5.0, u.mV)), (jnp.asarray(1.0), jnp.asarray(1.0)))
    assert_same(V.value, q(-0.055, u.volt))


@eager_and_compiled
@three_transforms
def test_state_that_is_not_used_has_a_block_of_zeros_where_that_is_allowed(transform, jit):
    used, other = State(q(3.0, u.mV), name="used"), State(q([1.0, 2.0], u.ms), name="other")
    jac = transform(
        lambda: used.value**2,
        grad_states=[used, other],
        check_states=False,
        unit_aware=True,
        jit=jit,
    )
    assert_same(jac(), [q(6.0, u.mV), q([0.0, 0.0], u.mV**2 / u.ms)])


@eager_and_compiled
@three_transforms
def test_state_whose_tree_has_none_leaves(transform, jit):
    state = State({"V": q(3.0, u.mV), "nothing": None}, name="patchy")
    jac = transform(lambda: state.value["V"] ** 2, grad_states=state, unit_aware=True, jit=jit)
    assert_same(jac(), {"V": q(6.0, u.mV), "nothing": None})


@eager_and_compiled
@three_transforms
def test_state_that_is_read_in_one_branch_only(transform, jit):
    s = State(q(3.0, u.mV), name="s")

    def fun(x):
        return lax.cond(x > q(0.0, u.mV), lambda x: x * s.value, lambda x: x**2, x)

    jac = transform(fun, grad_states=s, argnums=0, unit_aware=True, jit=jit)
    assert_same(jac(q(2.0, u.mV)), (q(2.0, u.mV), q(3.0, u.mV)))
    assert_same(jac(q(-2.0, u.mV)), (q(0.0, u.mV), q(-4.0, u.mV)))


@eager_and_compiled
@three_transforms
def test_state_created_inside_the_function(transform, jit):
    kept = []

    def fun(x):
        state = State(x, name="inner")
        state.value = state.value**2
        kept.append(state)
        return state.value

    jac = transform(fun, unit_aware=True, jit=jit)
    assert_same(jac(q(3.0, u.mV)), q(6.0, u.mV))
    assert_same(kept[0].value, q(9.0, u.mV**2))


@eager_and_compiled
@three_transforms
def test_state_that_lives_only_inside_the_function_is_freed(transform, jit):
    made = []

    def fun(x):
        state = State(x, name="inner")
        made.append(weakref.ref(state))
        return state.value**2

    jac = transform(fun, unit_aware=True, jit=jit)
    jac(q(3.0, u.mV))
    gc.collect()
    assert made[0]() is None


@eager_and_compiled
@three_transforms
def test_state_passed_as_an_argument(transform, jit):
    gain, other = State(q(2.0, u.uS), name="gain"), State(q(5.0, u.uS), name="other")

    def fun(V, state):
        state.value = state.value + q(1.0, u.uS)
        return state.value * V

    jac = transform(fun, unit_aware=True, jit=jit)
    assert_same(jac(q(3.0, u.mV), gain), q(3.0, u.uS * u.mV / u.mV))
    assert_same(jac(q(3.0, u.mV), other), q(6.0, u.uS))
    assert_same([gain.value, other.value], [q(3.0, u.uS), q(6.0, u.uS)])


@eager_and_compiled
@three_transforms
def test_random_state_advances_once_a_call_and_not_on_failure(transform, jit):
    key = State(jax.random.key(0), name="key")

    def fun(x, fail):
        key.value, now = jax.random.split(key.value)
        if fail:
            raise ArithmeticError("on purpose")
        return x * jax.random.normal(now)

    expected, now = jax.random.split(jax.random.key(0))
    jac = transform(fun, unit_aware=True, jit=jit)
    with unchanged(key), pytest.raises(ArithmeticError, match="on purpose"):
        jac(q(3.0, u.mV), True)
    assert_same(jac(q(3.0, u.mV), False), jax.random.normal(now))
    assert jnp.all(jax.random.key_data(key.value) == jax.random.key_data(expected))


# Compiled programs and states that changed


@three_transforms
def test_compiled_program_follows_shape_dtype_tree_and_unit_of_a_state(transform):
    s = State(q(3.0, u.mV), name="s")

    @Counter
    def fun():
        return jax.tree.map(lambda x: x**2, s.value, is_leaf=is_quantity)

    jac = transform(fun, grad_states=s, unit_aware=True, jit=True)
    values = (
        q(4.0, u.volt),
        q([1.0, 2.0], u.volt),
        q([1.0, 2.0], u.volt, jnp.float16),
        jnp.asarray(5.0),
        [q(3.0, u.ms), q(2.0, u.mV)],
    )
    for n, value in enumerate((s.value, *values), start=1):
        s.value = value
        eager = transform(fun.fun, grad_states=s, unit_aware=True)()
        assert_same(jac(), eager)
        assert fun.calls == n
    assert_same(jac(), eager)
    assert fun.calls == len(values) + 1


@three_transforms
def test_weak_type_of_a_state_is_no_change_of_its_results(transform):
    s = State(3.0, name="s")  # a Python float is weakly typed, what is written afterwards is not

    def fun(x):
        s.value = jnp.asarray(s.value * 2, jnp.float32)
        return s.value * x

    jac = transform(fun, grad_states=s, argnums=0, jit=True)
    for k in (1, 2, 3):
        found = jac(jnp.float32(5.0))
        assert_same(jax.tree.map(float, found), (10.0, 3.0 * 2**k))


# The state itself


def test_state_outside_of_a_transform_refuses_tracers_and_objects():
    s = State(q(1.0, u.mV), name="s")

    def leak(x):
        s.value = x

    with unchanged(s):
        with pytest.raises(ValueError, match=r"State\(s\)\.value would hold a tracer of JAX"):
            jax.jit(leak)(q(3.0, u.mV))
        with pytest.raises(TypeError, match=r"State\(s\)\.value\['a'\] must be an array"):
            s.value = {"a": "text"}
    with pytest.raises(
        ValueError, match=r"State\.value would hold a tracer of JAX \(float32\[\]\)"
    ):
        jax.jit(lambda x: State(x).value)(1.0)
    with pytest.raises(TypeError, match=r"State\.value\[0\] must be .*Keep other objects beside"):
        State([len])


def test_state_created_in_a_function_that_fails_has_no_value_afterwards():
    kept = []

    def fun(x):
        kept.append(State(x, name="inner"))
        raise ArithmeticError("on purpose")

    with pytest.raises(ArithmeticError):
        jacrev(fun)(3.0)
    assert repr(kept[0]) == "State(inner: no value yet)"
    with pytest.raises(ValueError, match="has no value: it was created inside a transformed func"):
        _ = kept[0].value
    kept[0].value = 3.0
    assert kept[0].value == 3.0


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_state_can_be_copied_and_pickled(clone):
    s = State({"V": q([1.0, 2.0], u.mV), "n": None}, name="s")
    twin = clone(s)
    assert_same(twin.value, s.value)
    assert repr(twin) == repr(s) == "State(s: float32[2] mV)"
    twin.value = 3.0
    assert_same(s.value["V"], q([1.0, 2.0], u.mV))
    assert twin != s


def test_state_and_messages_show_names_and_no_addresses():
    s, t = State(q(1.0, u.mV), name="s"), State(2.0)
    jac = jacrev(lambda: s.value * t.value, grad_states=[s, t], unit_aware=True)
    assert "0x" not in str(jac.plan()) + repr(s) + repr(t) + repr(jac)
    assert jac.plan().reads == ("State(s: float32[] mV)", "State(grad_states[1]: float32[])")


def test_a_state_shows_its_name_its_numbers_and_their_units():
    V = State({"w": 0.5, "V": q(-65.0, u.mV), "g": q([1.0, 2.0, 3.0], u.nS)}, name="cell")
    assert repr(V) == str(V) == "State(cell: 0.5, -65 mV, float32[3] nS)"
    assert V.to_text().splitlines()[0] == "State cell"
    assert V.to_text().splitlines()[-1].split() == ["g[2]", "3.000", "nS"]
    assert "-65.00 mV" in V.to_markdown()
    assert V.to_csv().splitlines()[1:3] == [
        "w,0.5,",
        "V,-65.0,mV",
    ]


# What changes itself


@eager_and_compiled
@each_transform
def test_adding_in_place_changes_no_quantity_of_the_user(transform, jit):
    """``V.value += x`` asks the quantity to change itself, and so does ``y += x`` an argument."""
    V, y, z = State(q([1.0, 2.0], u.mV)), q([3.0, 4.0], u.mV), {"z": q([5.0, 6.0], u.mV)}
    held = V.value

    def accumulate(x, y, *, kept):
        V.value += x
        y += x
        kept["z"] += x
        return V.value * y * kept["z"]

    jac = transform(accumulate, unit_aware=True, jit=jit)
    found = jac(q(1.0, u.mV), y, kept=z)
    # d/dx (V + x) (y + x) (z + x) at x = 1
    assert_physically_equal(found, q([4 * 6 + 2 * 6 + 2 * 4, 5 * 7 + 3 * 7 + 3 * 5], u.mV**2))
    assert_physically_equal(V.value, q([2.0, 3.0], u.mV))
    for mine, numbers in ((held, [1.0, 2.0]), (y, [3.0, 4.0]), (z["z"], [5.0, 6.0])):
        assert_same(mine, q(numbers, u.mV))


def test_adding_in_place_and_failing_leaves_the_state_as_it_was():
    V = State(q([1.0, 2.0], u.mV))

    def fails(x):
        V.value += x
        raise RuntimeError("no more")

    with unchanged(V), pytest.raises(RuntimeError, match="no more"):
        jacrev(fails)(q(1.0, u.mV))
    assert not holds_tracer(V)


def test_the_keys_of_what_is_not_differentiated_keep_their_order():
    p, state = {"z": q(1.0, u.mV), "a": [q(2.0, u.mV)]}, State({"y": q(1.0, u.ms), "b": 2.0})

    def ordered(x, p):
        assert list(p) == ["z", "a"]
        assert list(state.value) == ["y", "b"]
        return x * p["z"] * p["a"][0] * state.value["y"]

    assert_physically_equal(jacrev(ordered, unit_aware=True)(1.0, p), q(2.0, u.mV**2 * u.ms))


def test_what_a_function_collects_in_a_list_stays_there():
    seen = []
    jacrev(lambda x, seen: (seen.append("called"), x)[1])(1.0, seen)
    assert seen == ["called"]
