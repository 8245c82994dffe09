"""Objects that are no trees: their arrays come back as arrays, and each call has its own object."""

import enum
from collections import deque
from dataclasses import dataclass
from types import SimpleNamespace

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_same, each, eager_and_compiled, q

import unitjac
from unitjac import State


@dataclass
class Record:
    power: object
    note: str = "measured"


@dataclass(frozen=True)
class Frozen:
    power: object


class Slotted:
    __slots__ = ("empty", "power")

    def __init__(self, power):
        self.power = power


class Parent:
    """An object that its part knows."""

    def __init__(self, power):
        self.power = power
        self.part = SimpleNamespace(parent=self)


def in_objects(power):
    array = np.empty(1, object)
    array[0] = power
    return array


MAKERS = {
    "dataclass": (Record, lambda aux: aux.power),
    "frozen dataclass": (Frozen, lambda aux: aux.power),
    "namespace": (lambda p: SimpleNamespace(power=p), lambda aux: aux.power),
    "slots": (Slotted, lambda aux: aux.power),
    "deque": (lambda p: deque([p], maxlen=2), lambda aux: aux[0]),
    "array of objects": (in_objects, lambda aux: aux[0]),
    "nested": (lambda p: Record([{"a": Slotted(p)}]), lambda aux: aux.power[0]["a"].power),
    "circle": (Parent, lambda aux: aux.part.parent.power),
}
every_object = each("maker", list(MAKERS.items()), key=lambda item: item[0])


def transforms(fun, jit):
    """What has aux, and what each gives for it."""
    options = {"has_aux": True, "unit_aware": True}
    for make in (unitjac.jacrev, unitjac.jacfwd, unitjac.jacobian, unitjac.grad, unitjac.hessian):
        jac = make(fun, **options, jit=jit)
        yield lambda x, jac=jac: jac(x)[-1]
    if not jit:
        yield lambda x: unitjac.vjp(fun, x, has_aux=True)[2]
        yield lambda x: unitjac.jvp(fun, (x,), (x,), has_aux=True)[2]


@eager_and_compiled
@every_object
def test_objects_in_aux_hold_arrays(maker, jit):
    make, power_of = maker[1]

    def fun(x):
        power = x**2
        return power, {"kept": make(power), "flag": True}

    for call in transforms(fun, jit):
        first, second = (call(q(at, u.mV)) for at in (3.0, 4.0))
        for aux, power in [(first, 9.0), (second, 16.0)]:
            assert_same(power_of(aux["kept"]), q(power, u.mV**2))
        assert type(first["kept"]) is type(make(0.0))
        assert first["kept"] is not second["kept"]


@eager_and_compiled
def test_no_call_shares_an_object_with_another_one(jit):
    class Kind(enum.Enum):
        FIRST = 1

    def fun(x):
        return x**2, (Record([1], "made"), SimpleNamespace(n=np.ones(2)), Kind.FIRST)

    jac = unitjac.jacrev(fun, has_aux=True, jit=jit)
    _, (record, space, kind) = jac(3.0)
    record.power.append(2)
    space.n += 1.0
    _, (record, space, again) = jac(4.0)
    assert record == Record([1], "made")
    np.testing.assert_array_equal(space.n, np.ones(2))
    assert kind is again is Kind.FIRST


@eager_and_compiled
def test_states_and_what_holds_no_tracer_stay_what_they_are(jit):
    s, tool = State(jnp.float32(2.0)), Slotted("a tool")

    def fun(x):
        return s.value * x, SimpleNamespace(state=s, tool=tool, power=x**2)

    by_s, aux = unitjac.jacrev(fun, grad_states=s, has_aux=True, jit=jit)(3.0)
    assert (float(by_s), float(aux.power), aux.state, aux.tool) == (3.0, 9.0, s, tool)


@eager_and_compiled
def test_nothing_leaks(jit):
    jac = unitjac.jacrev(lambda x: (x**2, Record(x)), has_aux=True, jit=jit)
    with jax.checking_leaks():
        assert float(jac(3.0)[1].power) == 3.0


@eager_and_compiled
def test_an_argument_that_holds_a_tracer(jit):
    """Under a transform of JAX, an object holds tracers of that one: they are no constants."""
    jac = unitjac.jacrev(lambda x, record: x**2 * record.power, argnums=0, jit=jit)
    outer = jax.grad(lambda c: jac(jnp.float32(3.0), Frozen(c * 2.0)))
    for _ in range(2):
        assert float(outer(5.0)) == 12.0


class Locked:
    def __init__(self, power):
        self.power = power

    def __deepcopy__(self, memo):
        raise RuntimeError("there is one of me")


REFUSED = {
    "a function": (lambda p: lambda: p, r"is a function that holds a tracer .* at \(its p\)"),
    "an object": (Locked, r"is a Locked that holds a tracer .*float32\[\]\) at \.power"),
}


@eager_and_compiled
@each("refused", list(REFUSED.items()), key=lambda item: item[0])
def test_what_cannot_be_taken_apart_is_refused(refused, jit):
    make, text = refused[1]
    s = State(jnp.float32(2.0))

    def fun(x):
        s.value = s.value + 1
        return x**2, {"made": make(x**3)}

    with pytest.raises(TypeError, match=r"aux\['made'\] of .*fun " + text):
        unitjac.jacrev(fun, has_aux=True, jit=jit)(3.0)
    assert float(s.value) == 2.0
