"""A function that goes wrong, or writes where it cannot: states stay, the next call is right."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax
import pytest
from helpers import (
    AUTO,
    FWD,
    Neuron,
    assert_physically_equal,
    assert_same,
    each,
    eager_and_compiled,
    pulse_jacobians,
    q,
    three_transforms,
    unchanged,
)
from jax import lax

from unitjac import State


@dataclass(frozen=True)
class Fault:
    name: str
    fail: Callable[[], Any]
    error: type[BaseException]
    text: str


def boom(error: type[BaseException]) -> Callable[[], Any]:
    def fail():
        raise error("on purpose")

    return fail


FAULTS = (
    Fault("an exception", boom(ArithmeticError), ArithmeticError, "on purpose"),
    Fault("an interrupt", boom(KeyboardInterrupt), KeyboardInterrupt, "on purpose"),
    Fault("a unit error", lambda: q(1.0, u.mV) + 1.0 * u.ms, u.UnitMismatchError, "mV != ms"),
)
POSITIONS = ("before a read", "after a read", "after a write", "after another write", "in aux")


class Faulty(Neuron):
    """A neuron whose pulse goes wrong at one position."""

    position: str | None = None
    fault: Fault | None = None

    def at(self, position):
        if position == self.position:
            self.fault.fail()

    def pulse(self, current):
        self.at("before a read")
        V = self.V.value
        self.at("after a read")
        self.V.value = V + self.R.value * current
        self.at("after a write")
        self.count.value = self.count.value + 1
        self.at("after another write")
        output = {"V": self.V.value, "P": [self.R.value * current**2]}
        return output, {"current": current, "x": self.at("in aux")}


@each("fault", FAULTS)
@eager_and_compiled
@three_transforms
def test_fault_at_any_position_leaves_every_state_as_it_was(transform, jit, fault):
    neuron = Faulty()
    jac = neuron.transform(transform, has_aux=True, jit=jit)
    neuron.fault = fault
    for neuron.position in POSITIONS:
        with unchanged(*neuron.states), pytest.raises(fault.error, match=fault.text):
            jac(q(3.0, u.nA))
    neuron.position = None
    found, _ = jac(q(3.0, u.nA))
    assert_same(found, pulse_jacobians(3.0))
    assert_physically_equal(neuron.V.value, q(-59.0, u.mV))
    assert neuron.count.value == 1


OUTER = {
    "jit": lambda f: jax.jit(f)(q(3.0, u.nA)),
    "vmap": lambda f: jax.vmap(f)(q([3.0, 4.0], u.nA)),
    "eval_shape": lambda f: jax.eval_shape(f, q(3.0, u.nA)),
    "lower": lambda f: jax.jit(f).lower(q(3.0, u.nA)),
    "vjp": lambda f: jax.vjp(f, q(3.0, u.nA)),
}


@pytest.mark.parametrize("outer", OUTER)
@eager_and_compiled
@three_transforms
def test_fault_under_an_outer_transform_of_jax_leaves_every_state_as_it_was(transform, jit, outer):
    neuron = Faulty()
    neuron.position, neuron.fault = "after a write", FAULTS[0]
    jac = neuron.transform(transform, has_aux=True, jit=jit)
    with unchanged(*neuron.states), pytest.raises(ArithmeticError, match="on purpose"):
        OUTER[outer](jac)


@pytest.mark.parametrize("outer", OUTER)
@eager_and_compiled
@three_transforms
def test_write_under_an_outer_transform_of_jax_is_an_error_and_no_leak(transform, jit, outer):
    neuron = Neuron()
    text = r"State\(V\)\.value would hold a tracer of JAX .*Let a transform of unitjac be the outer"
    jac = neuron.transform(transform, jit=jit)
    with unchanged(*neuron.states), pytest.raises(ValueError, match=text):
        OUTER[outer](jac)
    assert_same(jac(q(3.0, u.nA)), pulse_jacobians(3.0))
    assert neuron.count.value == 1


@three_transforms
def test_states_are_written_with_jit_switched_off(transform):
    neuron = Neuron()
    with jax.disable_jit():
        found = neuron.transform(transform)(q(3.0, u.nA))
    assert_same(found, pulse_jacobians(3.0))
    assert neuron.count.value == 1


@three_transforms
def test_describing_and_lowering_write_no_state(transform, capsys):
    neuron = Neuron()
    jac = neuron.transform(transform, jit=True)
    with unchanged(*neuron.states):
        jac.plan(q(3.0, u.nA))
        jac.describe(q(3.0, u.nA))
        jac._call.lower((q(3.0, u.nA),), {})
    assert "writes   State(V: float32[] mV)" in capsys.readouterr().out


# A write inside a function that JAX traces by itself


def written_in(s: State) -> dict[str, Callable[[Any], Any]]:
    def write(x):
        s.value = x * 2
        return x

    return {
        "jit": jax.jit(write),
        "scan": lambda x: lax.scan(lambda c, _: (write(c), None), x, length=2)[0],
        "cond": lambda x: lax.cond(x > q(0.0, u.mV), write, lambda x: x, x),
        "while_loop": lambda x: lax.while_loop(lambda c: c < q(1.0, u.mV), write, x),
        "checkpoint": jax.checkpoint(write),
        "vmap": lambda x: jax.vmap(write)(u.math.reshape(x, (1,)))[0],
        "grad": lambda x: jax.vjp(write, x)[0],
    }


@pytest.mark.parametrize("then_read", [False, True], ids=["", "read afterwards"])
@pytest.mark.parametrize("inner", written_in(State(0.0)))
@eager_and_compiled
@pytest.mark.parametrize("transform", [FWD, AUTO], ids=lambda t: t.name)
def test_write_inside_an_inner_transform_of_jax_names_the_state(transform, jit, inner, then_read):
    s = State(q(1.0, u.mV), name="s")

    def fun(x):
        y = written_in(s)[inner](x)
        return y + s.value if then_read else y

    left = r"^a tracer of JAX left its trace, and State\(s: 1 mV\) was written: a state"
    held = r"^State\(s\)\.value would hold a tracer of JAX .*or return the value instead of writ"
    # it is JAX that meets the tracer first, or the library when it hands the value over
    match = left if jit or then_read else held
    with unchanged(s), pytest.raises(ValueError, match=match):
        transform(fun, unit_aware=True, jit=jit)(q(3.0, u.mV))
    assert_same(transform(lambda x: x * s.value, unit_aware=True, jit=jit)(q(3.0, u.mV)), s.value)
