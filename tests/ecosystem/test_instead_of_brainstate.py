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


def test_products_are_the_same():
    """One cotangent or tangent, in the units that theirs want, and the same of each."""

    def found(library):
        w = brainstate.ParamState({"w": jnp.array([1.0, 2.0])})

        def fun(x, y):
            w.value = {"w": w.value["w"] * y}
            return jnp.sum(w.value["w"] * x), x**2

        args = jnp.array([3.0, 4.0]), jnp.asarray(2.0)
        results = []
        for options in ({"argnums": None}, {}, {"argnums": 1}, {"argnums": (0, -1)}):
            w.value = {"w": jnp.array([1.0, 2.0])}
            value, pull, aux = library.vjp(fun, *args, grad_states=[w], has_aux=True, **options)
            results += [value, pull(jnp.asarray(0.5)), aux, w.value]
        results.append(library.vjp(lambda: jnp.sum(w.value["w"]), grad_states=w)[1](1.0))
        results.append(library.jvp(fun, args, args, has_aux=True))
        return results

    assert_same(*map(found, (uj, theirs)))


def test_forward_gradients_are_the_same_on_average():
    """With other numbers: the mean of theirs and of ours over many directions is the gradient."""
    options = dict(tangent_size=4000, key=0, return_value=True, has_aux=True)

    def found(library):
        w = brainstate.ParamState(jnp.array([1.0, 2.0]))
        make = library.fwd_grad(grad_states=[w], argnums=0, **options)
        return make(lambda x: (jnp.sum(w.value * x), x))(jnp.array([3.0, 4.0]))

    ours, other = found(uj), found(theirs)
    assert_same(ours[1:], other[1:])
    for (by_w,), by_x in (ours[0], other[0]):
        # the slope has the variance 30; four standard errors are below 0.45
        np.testing.assert_allclose(by_w, [3.0, 4.0], atol=0.45)
        np.testing.assert_allclose(by_x, [1.0, 2.0], atol=0.45)


# What is not


def test_negative_argnums_count_from_the_end():
    for name in ("grad", "vector_grad", "jacrev", "jacfwd", "hessian"):
        with pytest.raises(ValueError, match="negative"):
            getattr(theirs, name)(lambda x, y: x * y**2, argnums=-1)
        ours = getattr(uj, name)(lambda x, y: x * y**2, argnums=-1)
        assert float(ours(2.0, 3.0)) == (4.0 if name == "hessian" else 12.0)


def test_every_transform_is_a_decorator():
    for name in ("jacrev", "jacfwd", "hessian"):
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            getattr(theirs, name)(unit_aware=True)
        decorated = getattr(uj, name)(unit_aware=True)(lambda x: x**2)
        assert_same(decorated(x), getattr(uj, name)(lambda x: x**2, unit_aware=True)(x))
    # tests/test_decorators.py has the others


def test_forward_gradients_have_the_unit_of_a_gradient_in_every_unit():
    cube = lambda V: V**3  # noqa: E731
    V, volts = q(3.0, u.mV), q(0.003, u.volt)
    with contextlib.suppress(ValueError):  # brainunit 0.4 refuses to nest them
        assert isinstance(theirs.fwd_grad(cube, key=0)(V).mantissa, u.Quantity)
    number = lambda V: (V / q(1.0, u.mV)) ** 3  # noqa: E731
    assert theirs.fwd_grad(number, key=0)(V).unit == u.mV  # the reciprocal is right
    assert uj.fwd_grad(number, key=0, unit_aware=True)(V).unit.has_same_dim(u.mV**-1)
    ours = uj.fwd_grad(cube, key=0, unit_aware=True)
    assert ours(V).unit == u.mV**2
    assert_physically_equal(ours(volts), ours(V), digits_lost=4)


def test_forward_gradients_want_a_key_which_their_generator_can_be():
    generator = brainstate.random.DEFAULT
    before = generator.value
    try:
        one = jnp.asarray(1.0)
        assert theirs.fwd_grad(lambda x: x)(one) != theirs.fwd_grad(lambda x: x)(one)
        with pytest.raises(TypeError, match="wants a key"):
            uj.fwd_grad(lambda x: x)
        for jit in (False, True):
            ours = uj.fwd_grad(lambda x: x, key=generator, jit=jit)
            outside = theirs.jit(lambda x, ours=ours: ours(x))
            assert len({float(make(1.0)) for make in (ours, ours, outside, outside)}) == 4
    finally:
        generator.value = before


def test_forward_gradients_of_several_outputs_are_type_errors_as_in_grad():
    with pytest.raises(ValueError, match="scalar"):
        theirs.fwd_grad(lambda x: x, key=0)(jnp.ones(2))
    with pytest.raises(TypeError, match="fwd_grad wants one scalar output"):
        uj.fwd_grad(lambda x: x, key=0)(jnp.ones(2))


def test_cotangents_and_tangents_have_units_of_their_own():
    square = lambda V: V**2  # noqa: E731
    V, along = q(3.0, u.mV), q(1.0, u.mV**2)
    assert theirs.vjp(square, V)[1](along).unit == u.mV  # mV^2 times mV is right
    with pytest.raises(ValueError, match="tree structure"):
        theirs.vjp(square, V)[1](1.0)
    assert_same(uj.vjp(square, V)[1](along), q(6.0, u.mV**3))
    assert_same(uj.vjp(square, V)[1](1.0), q(6.0, u.mV))
    with pytest.raises(TypeError, match="tree structure"):
        theirs.jvp(square, (V,), (q(1e-3, u.volt),))
    assert_same(uj.jvp(square, (V,), (q(1e-3, u.volt),))[1], q(6.0, u.mV**2))


def test_states_have_tangents_and_functions_keywords():
    w = brainstate.ParamState(jnp.asarray(2.0))
    fun = lambda x, k=1.0: w.value * x * k  # noqa: E731
    for library in (uj, theirs):
        assert float(library.jvp(fun, (3.0,), (1.0,))[1]) == 2.0
    both = dict(grad_states=w, state_tangents=1.0)
    assert float(uj.jvp(fun, (3.0,), (1.0,), **both)[1]) == 5.0
    for name, args in (("vjp", (3.0,)), ("jvp", ((3.0,), (1.0,)))):
        with pytest.raises(TypeError, match="unexpected keyword argument 'kwargs'"):
            getattr(theirs, name)(fun, *args, kwargs={"k": 5.0})
    assert float(uj.vjp(fun, 3.0, kwargs={"k": 5.0})[1](1.0)) == 10.0
    assert float(uj.jvp(fun, (3.0,), (1.0,), kwargs={"k": 5.0})[1]) == 10.0
    for name in ("linearize", "linear_transpose"):
        assert not hasattr(theirs, name)
    assert float(uj.linearize(fun, 3.0, grad_states=w)[1]((1.0, 1.0))) == 5.0
    assert float(uj.linear_transpose(fun, 3.0)(1.0)) == 2.0


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


@pytest.mark.parametrize("name", ["grad", "jacrev", "vector_grad"])
def test_a_nan_is_told_with_its_block_operation_and_numbers(name):
    """Both name the line and write no state; of what went in theirs shows shapes."""
    w, calls = brainstate.ParamState(q(0.0, u.mV)), brainstate.ShortTermState(jnp.asarray(0.0))

    def fun(y):
        calls.value = calls.value + 1.0
        return u.math.log(w.value / q(1.0, u.mV)) * y

    options = dict(grad_states={"w": w}, unit_aware=True, debug_nan=True)
    line = "return u.math.log"
    with pytest.raises(RuntimeError, match="NaN/Inf detected") as caught:
        getattr(theirs, name)(fun, **options)(2.0)
    assert line in str(caught.value)
    assert "shape=() dtype=float32 NaNs=0 Infs=1" in str(caught.value)
    for jit in (False, True):
        with pytest.raises(FloatingPointError, match=rf"^{name} of .*fun: the value of") as e:
            getattr(uj, name)(fun, jit=jit, **options)(2.0)
        said = str(e.value)
        assert line in said
        assert "log(" in said
        assert "grad_states['w'] = 0 mV" in said
        assert "No state was written" in said
    assert float(calls.value) == 0.0
    assert_same(w.value, q(0.0, u.mV))


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


# What changes where the derivatives of brainunit were

units_only = u.autograd


@pytest.mark.parametrize("case", [case for case in SAME if "value" not in case])
@each("name", JACOBIANS, key=str)
def test_jacobians_of_brainunit_are_the_same(name, case):
    fun, args, options = SAME[case]
    other = getattr(units_only, name)(fun, **options)
    assert_same(getattr(uj, name)(fun, unit_aware=True, **options)(*args), other(*args))


def test_gradients_of_brainunit_are_the_same():
    def energy(p):
        return u.math.sum(p["x"] ** 2) * p["g"]

    p = {"x": x, "g": g}
    for name in ("grad", "value_and_grad", "hessian"):
        ours = getattr(uj, name)(energy, unit_aware=True)
        assert_physically_equal(ours(p), getattr(units_only, name)(energy)(p))


def test_brainunit_has_no_states_values_sums_or_products():
    for name in ("jacrev", "jacfwd", "jacobian"):
        for option in ("grad_states", "return_value", "unit_aware"):
            with pytest.raises(TypeError, match=f"unexpected keyword argument '{option}'"):
                getattr(units_only, name)(lambda x: x, **{option: None})
    with pytest.raises(ValueError, match="single array"):
        units_only.vector_grad(lambda x: {"a": x, "b": x})(x)
    for name in ("vjp", "jvp", "linearize", "fwd_grad", "sparse_jacobian"):
        assert not hasattr(units_only, name)
        assert hasattr(uj, name)


def test_a_state_that_is_written_is_an_error_in_those_of_brainunit():
    for make_state in (brainstate.ShortTermState, uj.State):
        s = make_state(q(1.0, u.mV))

        def fun(y, s=s):
            s.value = s.value * y
            return s.value

        with pytest.raises(Exception, match="tracer"):
            units_only.jacrev(fun)(2.0)
        assert_same(uj.jacrev(fun, unit_aware=True)(2.0), q(1.0, u.mV))
        assert_same(s.value, q(2.0, u.mV))
