"""The rows of the table in docs/ecosystem.md: what changes where brainstate's transforms were."""

import contextlib

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_physically_equal, assert_same, each, q

import unitjac as uj

brainstate = pytest.importorskip("brainstate")
theirs = brainstate.transform

JACOBIANS = ["jacrev", "jacfwd"]
x, g = q([1.0, 2.0], u.mV), q(3.0, u.nS)


def both(name, *args, **options):
    return getattr(uj, name)(*args, **options), getattr(theirs, name)(*args, **options)


# What is the same

SAME = {
    "a square": (lambda x: x**2, (x,), {}),
    "a dict comes out": (lambda x: {"a": x**2, "b": u.math.sum(x)}, (x,), {}),
    "a dict goes in": (lambda p: p["x"] * p["g"], ({"x": x, "g": g},), {}),
    "plain beside quantities": (lambda p: p["x"] * p["k"], ({"x": x, "k": 2.0},), {}),
    "two arguments": (lambda x, g: x * g, (x, g), {"argnums": (0, 1)}),
    "a list of one": (lambda x, g: x * g, (x, g), {"argnums": [1]}),
    "another scale": (lambda x: x.in_unit(u.volt), (x,), {}),
    "the value": (lambda x: x**3, (x,), {"return_value": True}),
    "aux": (lambda x: (x**2, x / g), (x,), {"has_aux": True}),
    "value and aux": (lambda x: (x**2, x / g), (x,), {"has_aux": True, "return_value": True}),
    "nothing in a place": (lambda p: p["x"] ** 2, ({"x": x, "n": None},), {}),
    "no numbers": (lambda x: x**2, (q(np.zeros(0), u.mV),), {}),
}


@pytest.mark.parametrize("case", SAME)
@each("name", JACOBIANS, key=str)
def test_jacobians_are_the_same(name, case):
    fun, args, options = SAME[case]
    ours, other = both(name, fun, unit_aware=True, **options)
    assert_same(ours(*args), other(*args))


@pytest.mark.parametrize("name", ["grad", "vector_grad", "hessian"])
def test_gradients_and_hessians_are_the_same(name):
    def energy(p):
        return u.math.sum(p["x"] ** 2) * p["g"]

    ours, other = both(name, energy, unit_aware=True)
    assert_physically_equal(ours({"x": x, "g": g}), other({"x": x, "g": g}))


@pytest.mark.parametrize("name", ["jacrev", "jacfwd", "vector_grad"])
def test_states_and_arguments_are_the_same(name):
    def found(make):
        w, calls = brainstate.ParamState(x), brainstate.ShortTermState(jnp.asarray(0))

        def fun(y):
            calls.value += 1
            return w.value**2 * y

        result = make(fun, grad_states={"w": w}, argnums=0, unit_aware=True)(2.0)
        return result, calls.value, w.value

    ours, other = (found(getattr(library, name)) for library in (uj, theirs))
    assert_same(ours, other)


def test_gradients_as_decorators():
    @uj.grad(argnums=1, unit_aware=True)
    def ours(x, g):
        return u.math.sum(x) * g

    @theirs.grad(argnums=1, unit_aware=True)
    def other(x, g):
        return u.math.sum(x) * g

    assert_same(ours(x, g), other(x, g))


# What is not


def test_hessians_of_states_and_arguments_have_mixed_blocks():
    w = brainstate.ParamState(x)

    def energy(y):
        return u.math.sum(w.value**2) * y

    options = dict(grad_states=w, argnums=0, unit_aware=True)
    with pytest.raises(NotImplementedError):
        theirs.hessian(energy, **options)(q(2.0, u.nS))
    (ss, sa), (_, aa) = uj.hessian(energy, **options)(q(2.0, u.nS))
    assert_physically_equal(ss, q(np.diag([4.0, 4.0]), u.nS))
    assert_physically_equal(sa, q([2.0, 4.0], u.mV))
    assert_physically_equal(aa, q(0.0, u.mV**2 / u.nS))


def test_units_are_dropped_with_a_warning_and_not_nested():
    """Without `unit_aware` theirs nests one quantity in another; ours warns and hands a number."""
    with contextlib.suppress(ValueError):  # brainunit 0.4 refuses to nest them
        assert isinstance(theirs.jacrev(lambda x: x**2)(x).mantissa, u.Quantity)
    with pytest.warns(uj.UnitsDroppedWarning, match="unit_aware=True"):
        plain = uj.jacrev(lambda x: x**2)(x)
    np.testing.assert_array_equal(plain, np.diag([2.0, 4.0]))


def test_aux_may_be_anything():
    def fun(x):
        return x**2, {"name": "square", "x": x}

    with pytest.raises(TypeError):
        theirs.jacrev(fun, has_aux=True, unit_aware=True)(x)
    _, aux = uj.jacrev(fun, has_aux=True, unit_aware=True)(x)
    assert aux["name"] == "square"
    assert_same(aux["x"], x)


def test_vector_gradients_of_several_outputs():
    def fun(x):
        return {"in mV": x, "in V": x.in_unit(u.volt)}

    with pytest.raises(ValueError, match="single array"):
        theirs.vector_grad(fun, unit_aware=True)(x)
    assert_physically_equal(uj.vector_grad(fun, unit_aware=True)(x), jnp.array([2.0, 2.0]))


def test_messages_name_the_argument():
    with pytest.raises(TypeError, match="integer-"):
        theirs.jacrev(lambda p: p["n"] * 2.0)({"n": jnp.asarray(3)})
    with pytest.raises(
        TypeError, match=r"argument 0\['n'\] is int32\[\], but a differentiated input"
    ):
        uj.jacrev(lambda p: p["n"] * 2.0)({"n": jnp.asarray(3)})


def test_one_compiled_program_without_another_jit():
    """`jit=True` compiles ours; theirs are handed to `brainstate.transform.jit`, as ours can be."""
    w = brainstate.ParamState(x)
    ours = uj.jacrev(lambda y: w.value * y, grad_states=w, unit_aware=True, jit=True)
    other = theirs.jit(theirs.jacrev(lambda y: w.value * y, grad_states=w, unit_aware=True))
    again = theirs.jit(uj.jacrev(lambda y: w.value * y, grad_states=w, unit_aware=True))
    expected = jnp.diag(jnp.array([2.0, 2.0]))
    for jac in (ours, other, again):
        assert_physically_equal(jac(2.0), expected)


def test_states_of_ours_want_a_transform_of_ours_outside():
    """`unitjac.State` is not known to `brainstate.transform.jit`, which cannot hand it over."""
    V = uj.State(q(1.0, u.mV), name="V")

    def step(y):
        V.value = V.value * y
        return V.value

    jac = uj.jacrev(step, unit_aware=True)
    with pytest.raises(ValueError, match=r"State\(V\)\.value would hold a tracer of JAX"):
        theirs.jit(lambda y: jac(y))(2.0)
    assert float(V.value.to_decimal(u.mV)) == 1.0
    assert not isinstance(V.value.mantissa, jax.core.Tracer)
