"""Products with a Jacobian: ``vjp``, ``jvp``, ``linearize`` and ``linear_transpose``.

A tangent has its input's dimension, and what is pushed is in the output's unit. A cotangent may
have any unit: with W = cotangent unit * output unit, what is pulled back is in W / input unit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    Counter,
    Neuron,
    assert_physically_equal,
    assert_same,
    each,
    is_quantity,
    mixes_dtypes,
    q,
    unchanged,
)

from unitjac import State, jacrev, jvp, linear_transpose, linearize, vjp

PER_MV = u.mV**-1


def square(x):
    return x**2


def pull_of(fun: Callable[..., Any], *primals: Any, **options: Any) -> Any:
    return vjp(fun, *primals, **options)[1]


def push_of(fun: Callable[..., Any], *primals: Any, **options: Any) -> Any:
    return linearize(fun, *primals, **options)[1]


# The unit of what is pulled back

COTANGENTS = {
    "plain": (1.0, q(6.0, u.mV)),
    "unit one": (q(1.0, u.UNITLESS), q(6.0, u.mV)),
    "the output's unit": (q(1.0, u.mV**2), q(6.0, u.mV**3)),
    "another scale of it": (q(1e-6, u.volt**2), q(6e-6, u.volt**2 * u.mV**2 / u.mV)),
    "another dimension": (q(2.0, u.nS), q(12.0, u.nS * u.mV**2 / u.mV)),
    "one over the output's unit": (q(1.0, u.mV**-2), q(6.0, PER_MV)),
    "so that the result is a number": (q(1.0, PER_MV), jnp.asarray(6.0)),
    "so that the result is a scaled number": (q(1.0, u.volt**-1), jnp.asarray(0.006)),
}


@pytest.mark.parametrize("name", COTANGENTS)
def test_unit_of_what_is_pulled_back_is_cotangent_times_output_over_input(name):
    cotangent, expected = COTANGENTS[name]
    value, pull = vjp(square, q(3.0, u.mV))
    assert_same(value, q(9.0, u.mV**2))
    assert_same(pull(cotangent), expected)
    transpose = linear_transpose(lambda dx: dx * q(6.0, u.mV), q(1.0, u.mV))
    assert_physically_equal(transpose(cotangent), expected)


class Outputs(NamedTuple):
    power: Any
    rest: Any


def tree_of_outputs(p):
    return Outputs(p["g"] * p["V"] ** 2, {"V": [(2 * p["V"]).in_unit(u.volt)], "none": None})


def tree_point():
    return {"g": q(2.0, u.nS), "V": q([3.0, 4.0], u.mV)}


def test_leaves_of_a_cotangent_are_summed_where_they_agree_about_the_product():
    pull = pull_of(tree_of_outputs, tree_point())
    # W = nS mV^2 from both leaves: the second output in volts meets 1e-3 nS mV
    found = pull(Outputs(jnp.ones(2), {"V": [q([1e3, 0.0], u.nS * u.uvolt)], "none": None}))
    W = u.nS * u.mV**2
    expected = {
        "g": q(25.0, W / u.nS),  # the sum of V^2
        "V": q([12.0 + 2e3 * 1e-3, 16.0], W / u.mV),
    }
    assert_same(found, expected)


def test_leaves_that_disagree_about_the_product_are_named():
    text = (
        r"the cotangent of output\.rest\['V'\]\[0\] of tree_of_outputs is in 1, which times the "
        r"output's unit is V, while the first leaf makes .*\. Give it in .* or another unit of "
        r"this dimension, so that what is summed over the outputs has one unit\."
    )
    pull = pull_of(tree_of_outputs, tree_point())
    for call in (pull, jax.jit(pull)):
        with pytest.raises(ValueError, match=text):
            call(Outputs(jnp.ones(2), {"V": [jnp.ones(2)], "none": None}))


def test_plain_number_is_what_to_type_where_the_leaf_needs_no_unit():
    pull = pull_of(lambda x: (x**2, x * u.volt), q(3.0, u.mV))
    assert_same(pull((1.0, 1.0)), q(1006.0, u.mV))
    with pytest.raises(
        ValueError, match=r"output\[1\] .* is in mV, .*Give a plain number, so that"
    ):
        pull((1.0, q(1.0, u.mV)))


@dataclass(frozen=True)
class Wrong:
    """A tangent or cotangent that does not fit, and what is said of it."""

    name: str
    given: Any
    match: str
    error: type[Exception] = ValueError


WRONG_COTANGENTS = (
    Wrong(
        "shape",
        jnp.ones(2),
        match=r"of output of .* must be float32\[\], got float32\[2\]\. Give it",
    ),
    Wrong("tree", (1.0,), match=r"must have the tree of the output: expected .*, got .*\(\*,\)\)"),
    Wrong("None", None, match="the output: .*, got .*None.*Give one array, number or quantity for"),
    Wrong(
        "text", "one", match="must be an array, a number or a quantity, got a str", error=TypeError
    ),
    Wrong(
        "complex",
        1j,
        match=r"got complex64\[\]\. Give it that shape, and a dtype that this one can",
    ),
)


@each("wrong", WRONG_COTANGENTS)
def test_cotangent_of_another_tree_shape_or_dtype_is_refused(wrong):
    pulls = pull_of(square, q(3.0, u.mV)), linear_transpose(lambda x: 2 * x, q(3.0, u.mV))
    for pull in pulls:
        with pytest.raises(wrong.error, match="^the cotangent .*" + wrong.match):
            pull(wrong.given)


# Tangents

PUSHES = {
    "linearize": lambda fun, x, dx, **o: push_of(fun, x, **o)(dx),
    "jvp": lambda fun, x, dx, **o: jvp(fun, (x,), (dx,), **o)[1],
}
each_push = pytest.mark.parametrize("push", PUSHES.values(), ids=PUSHES)


@each_push
def test_tangent_is_converted_and_what_is_pushed_has_the_outputs_unit(push):
    x = q(3.0, u.mV)
    for dx in (q(1.0, u.mV), q(1000.0, u.uvolt), q(1e-3, u.volt), u.Quantity(1, unit=u.mV)):
        assert_same(push(square, x, dx), q(6.0, u.mV**2))
    assert_same(push(lambda x: x / u.mV, x, q(1e-3, u.volt)), jnp.asarray(1.0))
    assert_same(push(lambda x: x**2 * u.nA, jnp.asarray(3.0), 1.0), q(6.0, u.nA))
    tangent = {"g": q(1e-9, u.siemens), "V": q([1e-3, 0.0], u.volt)}
    found = push(tree_of_outputs, tree_point(), tangent)
    expected = Outputs(
        q([9.0 + 12.0, 16.0], u.nS * u.mV**2), {"V": [q([2e-3, 0.0], u.volt)], "none": None}
    )
    assert_same(found, expected)


WRONG_TANGENTS = (
    Wrong(
        "dimension", q(1.0, u.ms), match="is in ms, but a tangent has the dimension of its input"
    ),
    Wrong("no unit", 1.0, match=r"is in 1, but a tangent has .* in mV\. Give it in that unit"),
    Wrong(
        "shape", q([1.0], u.mV), match=r"must be float32\[\], got float32\[1\]\. Give it that shape"
    ),
    Wrong("tree", {"a": q(1.0, u.mV)}, match=r"must have the tree of its primal: .*'a': \*"),
    Wrong(
        "text", "one", match="must be an array, a number or a quantity, got a str", error=TypeError
    ),
    Wrong("complex", q(1j, u.mV, complex), match=r"must be float32\[\], got complex64\[\]\."),
)


@each("wrong", WRONG_TANGENTS)
@each_push
def test_tangent_of_another_dimension_tree_shape_or_dtype_is_refused(push, wrong):
    with pytest.raises(wrong.error, match=r"^the tangent of argument 0 " + wrong.match):
        push(square, q(3.0, u.mV), wrong.given)


@each_push
def test_tangent_with_a_unit_for_a_plain_input_is_refused(push):
    with pytest.raises(ValueError, match=r"argument 0\['a'\] is in mV, but .* which is in 1\."):
        push(lambda p: p["a"] ** 2, {"a": 3.0}, {"a": q(1.0, u.mV)})


# Several arguments, arguments that are no arrays, keywords


def test_none_holds_an_argument_fixed_whatever_it_is():
    def fun(x, kind, n, y):
        assert (kind, n) == ("square", 3)
        return x**n * y

    x, y = q(2.0, u.mV), q(5.0, u.nS)
    value, pushed = jvp(fun, (x, "square", 3, y), (q(1.0, u.mV), None, None, None))
    assert_same(value, q(40.0, u.mV**3 * u.nS))
    assert_same(pushed, q(60.0, u.mV**3 * u.nS))
    _, pushed = jvp(fun, [x, "square", 3, y], [q(1.0, u.mV), None, None, q(2.0, u.nS)])
    assert_same(pushed, q(60.0 + 16.0, u.mV**3 * u.nS))
    _, pull = vjp(fun, x, "square", 3, y, argnums=(-1, 0))
    assert_same(pull(1.0), (q(8.0, u.mV**3), q(60.0, u.mV**2 * u.nS)))
    _, push = linearize(fun, x, "square", 3, y, argnums=[3])
    assert_same(push((q(2.0, u.nS),)), q(16.0, u.mV**3 * u.nS))


def test_position_of_the_tangent_is_named():
    fun = lambda x, y: x * y  # noqa: E731
    primals = q(2.0, u.mV), q(5.0, u.nS)
    for tangents, where in (
        ((None, q(1.0, u.mV)), "argument 1"),
        ((q(1.0, u.ms), q(1.0, u.nS)), "argument 0"),
        ((q(1.0, u.mV), q(1.0, u.mV)), "argument 1"),
    ):
        with pytest.raises(ValueError, match=rf"^the tangent of {where} is in "):
            jvp(fun, primals, tangents)


def test_primals_and_tangents_that_do_not_go_together_are_refused():
    fun = lambda *args: args[0]  # noqa: E731
    with pytest.raises(ValueError, match=r"all tangents are None\. Give one for a primal, or"):
        jvp(fun, (1.0, 2.0), (None, None))
    with pytest.raises(TypeError, match=r"there are 2 primals and 1 tangents\. Give one tangent"):
        jvp(fun, (1.0, 2.0), (1.0,))
    for name, args in {"primals": (1.0, (1.0,)), "tangents": ((1.0,), 1.0)}.items():
        text = (
            rf"{name} must be a tuple or list with one .*, got a float\. Write jvp\(fun, \(x, y\)"
        )
        with pytest.raises(TypeError, match=text):
            jvp(fun, *args)
    for options in ({"grad_states": [State(1.0)]}, {"state_tangents": 1.0}):
        with pytest.raises(TypeError, match="grad_states and state_tangents go together: name the"):
            jvp(fun, (1.0,), (None,), **options)


KEYWORDS = ("self", "fun", "kwargs", "primals", "tangents", "argnums", "grad_states", "has_aux")


def test_keyword_of_the_function_may_have_any_name():
    def fun(x, /, **weights):
        assert tuple(weights) == KEYWORDS
        return x**2 * sum(weights.values(), 0.0 * u.ms)

    kwargs = {name: q(1.0, u.ms) for name in KEYWORDS}
    x, n = q(3.0, u.mV), len(KEYWORDS)
    assert_same(pull_of(fun, x, kwargs=kwargs)(1.0), q(6.0 * n, u.mV * u.ms))
    assert_same(push_of(fun, x, kwargs=kwargs)(x), q(18.0 * n, u.mV**2 * u.ms))
    assert_same(jvp(fun, (x,), (x,), kwargs=kwargs)[1], q(18.0 * n, u.mV**2 * u.ms))
    linear = lambda x, /, **weights: fun(x, **weights) / q(3.0, u.mV)  # noqa: E731
    with pytest.raises(TypeError, match="unexpected keyword argument 'units'"):
        vjp(linear, x, units=True)
    scaled = linear_transpose(lambda x, /, **w: x * sum(w.values(), 0.0 * u.ms), x, kwargs=kwargs)
    assert_same(scaled(1.0), q(1.0 * n, u.ms))


@pytest.mark.parametrize("name", ["vjp", "linearize", "jvp", "linear_transpose"])
def test_what_is_no_function_is_refused_with_the_call_to_write(name):
    product = {"vjp": vjp, "linearize": linearize, "jvp": jvp, "linear_transpose": linear_transpose}
    args = ((1.0,), (1.0,)) if name == "jvp" else (1.0,)
    with pytest.raises(TypeError, match=rf"^{name} wants a function, got 3 \(int\)") as caught:
        product[name](3, *args)
    assert f"{name}(fun)(x)" not in str(caught.value)  # it is called as vjp(fun, x)


# States


def test_states_have_cotangents_and_tangents():
    V, R = State(q(3.0, u.mV), name="V"), State({"R": q([1.0, 2.0], u.Mohm)}, name="R")

    def fun(x):
        V.value = V.value + q(1.0, u.mV)
        return {"I": V.value / R.value["R"], "P": x * V.value}

    x = q(2.0, u.nA)
    value, pull = vjp(fun, x, grad_states=[V, R], argnums=0)
    assert_same(V.value, q(4.0, u.mV))
    V.value = q(3.0, u.mV)
    assert_same(value, {"I": q([4.0, 2.0], u.mV / u.Mohm), "P": q(8.0, u.nA * u.mV)})
    found = pull({"I": q([1.0, 1.0], u.mV), "P": 1.0})
    W = u.mV / u.Mohm * u.mV
    states = [q(1.5 + 2.0, W / u.mV), {"R": q([-4.0, -1.0], W / u.Mohm)}]
    assert_same(found, (states, q(4.0, W / u.nA)))

    tangents = [q(1e-3, u.volt), {"R": q([0.0, 1.0], u.Mohm)}], q(1.0, u.nA)
    expected = {"I": q([1.0, 0.5 - 1.0], u.mV / u.Mohm), "P": q(2.0 + 4.0, u.nA * u.mV)}
    push = push_of(fun, x, grad_states=[V, R], argnums=0)
    V.value = q(3.0, u.mV)
    assert_same(push(tangents), expected)
    _, pushed = jvp(fun, (x,), (tangents[1],), grad_states=[V, R], state_tangents=tangents[0])
    assert_same(pushed, expected)
    assert_same(V.value, q(4.0, u.mV))
    V.value = q(3.0, u.mV)
    _, pushed = jvp(fun, (x,), (None,), grad_states=V, state_tangents=q(1.0, u.mV))
    assert_same(pushed, {"I": q([1.0, 0.5], u.mV / u.Mohm), "P": q(2.0, u.nA * u.mV)})


def test_the_first_argument_is_differentiated_beside_the_states():
    """As in brainstate: argument 0 by default, none where argnums is None or none is given."""
    g = State(q(2.0, u.nS), name="g")
    fun = lambda *V: g.value * V[0] if V else g.value * q(3.0, u.mV)  # noqa: E731
    V, by_g, by_V = q(3.0, u.mV), q(3.0, u.mV), q(2.0, u.nS)
    dg, dV = q(1.0, u.nS), q(1.0, u.mV)
    for options, args, slopes, tangent, pushed in (
        ({}, (V,), (by_g, by_V), (dg, dV), 5.0),
        ({"argnums": (0,)}, (V,), (by_g, (by_V,)), (dg, (dV,)), 5.0),
        ({"argnums": None}, (V,), by_g, dg, 3.0),
        ({}, (), by_g, dg, 3.0),
        ({"argnums": np.int64(0)}, (), by_g, dg, 3.0),
    ):
        assert_same(pull_of(fun, *args, grad_states=g, **options)(1.0), slopes)
        push = push_of(fun, *args, grad_states=g, **options)
        assert_same(push(tangent), q(pushed, u.pA))


def test_a_position_that_was_named_is_not_left_out_without_a_sound():
    g = State(q(2.0, u.nS), name="g")
    for product in (vjp, linearize):
        with pytest.raises(ValueError, match="argnums has 1, but the function was called with 0"):
            product(lambda: g.value, grad_states=g, argnums=1)
        with pytest.raises(ValueError, match=r"argnums has 0, but .* 0 positional arguments and x"):
            product(lambda x: x, kwargs={"x": 1.0})
    for product in (vjp, linearize, linear_transpose):
        text = r"nothing to differentiate: argnums is None, and no grad_states are given\. Leave"
        with pytest.raises(ValueError, match=text):
            product(lambda x: x, 1.0, argnums=None)


def test_states_alone_are_offered_where_an_argument_is_no_array():
    g = State(q(2.0, u.nS), name="g")
    with pytest.raises(
        TypeError, match=r"argnums \(None for the states alone\), or pass it"
    ) as got:
        vjp(lambda kind: g.value, "leak", grad_states=g)
    assert "got a str" in str(got.value)
    with pytest.raises(TypeError, match=r"Name other positions in argnums, or pass it outside"):
        vjp(lambda kind: g.value, "leak")
    assert_same(pull_of(lambda kind: g.value, "leak", grad_states=g, argnums=None)(1.0), 1.0)


STATE_TANGENTS = (
    Wrong(
        "no pair",
        q(1.0, u.mV),
        match=r"^the tangent must be a pair \(states, arguments\), since both are differentiated",
        error=TypeError,
    ),
    Wrong(
        "structure",
        (q(1.0, u.mV), q(1.0, u.nA)),
        match=r"^the tangent of the states must have the structure of grad_states, .*'V': \*",
    ),
    Wrong(
        "dimension",
        ({"V": q(1.0, u.ms)}, q(1.0, u.nA)),
        match=r"^the tangent of grad_states\['V'\] is in ms, but a tangent has .*, .* is in mV\.",
    ),
    Wrong(
        "tree",
        ({"V": (q(1.0, u.mV),)}, q(1.0, u.nA)),
        match=r"^the tangent of grad_states\['V'\] must have the tree of its primal",
    ),
)


@each("wrong", STATE_TANGENTS)
def test_tangent_of_a_state_is_checked_as_that_of_an_argument(wrong):
    V = State(q(3.0, u.mV), name="V")
    push = push_of(lambda x: x * V.value, q(2.0, u.nA), grad_states={"V": V}, argnums=0)
    with pytest.raises(wrong.error, match=wrong.match):
        push(wrong.given)


def test_function_is_called_once_and_its_states_are_written_once():
    neuron = Neuron()
    pulse = Counter(neuron.pulse)
    current = q(3.0, u.nA)
    _, pull = vjp(pulse, current)
    _, push = linearize(pulse, current)
    jvp(pulse, (current,), (current,))
    assert pulse.calls == neuron.count.value == 3
    assert_physically_equal(neuron.V.value, q(-65.0 + 3 * 6.0, u.mV))
    with unchanged(*neuron.states):
        for _ in range(2):
            pull({"V": q(1.0, u.nA), "P": [1.0]})
            push(current)
    assert pulse.calls == 3
    with (
        unchanged(*neuron.states),
        pytest.raises(ValueError, match=r"function that writes no state, and State\(V: "),
    ):
        linear_transpose(neuron.pulse, current)


# Under transforms of JAX


def test_products_under_jit_and_vmap():
    x, dx = q([1.0, 2.0, 3.0], u.mV), q([1.0, 0.0, -1.0], u.mV)
    fun = lambda x: x**3 / u.ms  # noqa: E731
    expected = 3 * x**2 * dx / u.ms
    _, pull = vjp(fun, x)
    _, push = linearize(fun, x)
    transpose = linear_transpose(lambda dx: 3 * x**2 / u.ms * dx, x)
    for call in (push, jax.jit(push), lambda dx: jax.jit(lambda f, dx: f(dx))(push, dx)):
        assert_same(call(dx), expected)
    for call in (pull, jax.jit(pull), lambda dx: jax.jit(lambda f, dx: f(dx))(pull, dx), transpose):
        assert_physically_equal(call(dx), expected)
    basis = q(np.eye(3), u.mV)
    for call in (push, pull, transpose, jax.jit(push)):
        assert_physically_equal(jax.vmap(call)(basis), u.math.diag(3 * x**2 / u.ms) * u.mV)
    inside = jax.jit(lambda x, dx: (jvp(fun, (x,), (dx,))[1], pull_of(fun, x)(dx)))
    assert_physically_equal(inside(x, dx), (expected, expected))
    rows = jax.vmap(lambda x, dx: pull_of(fun, x)(dx))(twice(x), twice(dx))
    assert_physically_equal(rows, twice(expected))


def twice(x):
    return u.math.stack([x, x])


def test_product_made_inside_of_jit_is_used_outside_of_it():
    pull = jax.jit(lambda x: vjp(square, x))(q(3.0, u.mV))[1]
    assert_same(pull(1.0), q(6.0, u.mV))
    push = jax.jit(lambda x: linearize(square, x))(q(3.0, u.mV))[1]
    assert_same(push(q(1.0, u.mV)), q(6.0, u.mV**2))


def test_products_nest():
    x, dx = q(3.0, u.mV), q(1.0, u.mV)
    cube = lambda x: x**3  # noqa: E731
    second = jvp(lambda x: jvp(cube, (x,), (dx,))[1], (x,), (dx,))[1]
    assert_same(second, q(18.0, u.mV**3))
    assert_same(pull_of(lambda x: pull_of(cube, x)(1.0), x)(1.0), q(18.0, u.mV))
    hvp = jvp(lambda x: pull_of(cube, x)(1.0), (x,), (q(1e-3, u.volt),))[1]
    assert_same(hvp, q(18.0, u.mV**2))
    assert_same(jacrev(lambda x: pull_of(cube, x)(1.0), unit_aware=True)(x), q(18.0, u.mV))


def test_pairing_of_what_is_pushed_and_of_what_is_pulled_is_the_same(rng):
    def fun(p, y):
        z = u.math.tanh(p["W"] @ p["V"] / (1.0 * u.nA)) * y
        return {"z": z, "e": [u.math.sum(z * p["V"][0])]}

    def pairing(ct, dx):
        products = jax.tree.map(lambda a, b: u.math.sum(a * b), ct, dx, is_leaf=is_quantity)
        first, *rest = jax.tree.leaves(products, is_leaf=is_quantity)
        return sum(rest, first)

    with jax.enable_x64(True):
        p = {"W": q(rng.normal(size=(2, 3)), u.uS), "V": q(rng.normal(size=3), u.mV)}
        args = p, q(rng.normal(size=2), u.ms)
        dp = {"W": q(rng.normal(size=(2, 3)), u.nS), "V": q(rng.normal(size=3), u.volt)}
        dx = dp, q(rng.normal(size=2), u.second)
        ct = {"z": q(rng.normal(size=2), u.mV), "e": [jnp.asarray(rng.normal())]}
        _, pull = vjp(fun, *args, argnums=(0, 1))
        _, pushed = jvp(fun, args, dx)
        assert_same(push_of(fun, *args, argnums=(0, 1))(dx), pushed, digits_lost=100)
        assert_physically_equal(pairing(pull(ct), dx), pairing(ct, pushed), digits_lost=1e4)


# Shapes and dtypes


def test_transpose_wants_shapes_only():
    abstract = jax.ShapeDtypeStruct((3,), jnp.float32)
    kernel = q([1.0, 2.0], u.ms)
    fun = lambda x, scale: u.math.convolve(x, kernel) * scale  # noqa: E731
    transpose = linear_transpose(fun, u.Quantity(abstract, unit=u.mV), 2.0)
    expected = 2.0 * np.convolve([0.0, 1.0, 0.0, 0.0], [2.0, 1.0])[1:4]
    assert_same(transpose(jnp.asarray([0.0, 1.0, 0.0, 0.0])), q(expected, u.ms))
    plain = linear_transpose(lambda p: {"y": p["a"] * u.nS}, {"a": abstract})
    assert_same(plain({"y": q([1.0, 0.0, 2.0], u.mV)}), {"a": q([1.0, 0.0, 2.0], u.nS * u.mV)})
    with pytest.raises(Exception, match=r"Transpose rule .* 'integer_pow'"):
        linear_transpose(square, u.Quantity(abstract, unit=u.mV))(jnp.ones(3))


@mixes_dtypes
def test_integers_have_float0():
    fun = lambda p: p["x"] * p["n"]  # noqa: E731
    p = {"x": q([1.0, 2.0], u.mV), "n": jnp.arange(2)}
    zero = np.zeros(2, jax.dtypes.float0)
    found = pull_of(fun, p)(jnp.ones(2))
    assert_same(found, {"x": jnp.asarray([0.0, 1.0]), "n": zero})
    tangent = {"x": q([1.0, 1.0], u.mV), "n": zero}
    for push in PUSHES.values():
        assert_same(push(fun, p, tangent), q([0.0, 1.0], u.mV))
        text = (
            r"^the tangent of argument 0\['n'\] must be float0, as int32\[2\] has no tangents, got"
        )
        with pytest.raises(TypeError, match=text):
            push(fun, p, {**tangent, "n": jnp.ones(2, int)})


def test_complex_outputs_have_complex_cotangents():
    fun = lambda z: (z**2).in_unit(u.volt**2)  # noqa: E731
    z, ct = q(1.0 + 2.0j, u.mV, "complex64"), jnp.asarray(1.0 - 1.0j)
    (reference,) = jax.vjp(square, z.mantissa)[1](ct)
    W = u.volt**2
    assert_physically_equal(pull_of(fun, z)(ct), q(1e-6 * reference, W / u.mV, "complex64"))
    pushed = jvp(fun, (z,), (q(1.0j, u.mV, "complex64"),))[1]
    assert_physically_equal(pushed, q(1e-6 * (2 + 4j) * 1j, W, "complex64"))


@mixes_dtypes
def test_leaves_of_every_precision_stand_side_by_side():
    fun = lambda xs: [x * (n + 2) for n, x in enumerate(xs)]  # noqa: E731
    with jax.enable_x64(True):
        dtypes = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
        xs = [q([1.0, 0.5], u.mV, dtype) for dtype in dtypes]
        expected = fun(xs)
        cotangent = [x.mantissa for x in xs]
        assert_same(pull_of(fun, xs)(cotangent), [y.mantissa for y in expected])
        for push in PUSHES.values():
            assert_same(push(fun, xs, xs), expected)
        mixed = jvp(lambda x, y: x * y, (xs[0], xs[3]), (q([1.0, 1.0], u.mV), xs[3]))[1]
        assert mixed.dtype == jnp.float64


# Whole numbers among the outputs


def float0(shape=()):
    return np.zeros(shape, jax.dtypes.float0)


def counted(x):
    """A scan that counts its steps beside what it sums up, and says of each whether it was odd."""

    def step(carry, _):
        total, count = carry
        return (total + x, count + 1), count % 2 == 1

    (total, count), odd = jax.lax.scan(step, (0 * x, jnp.int32(0)), None, length=3)
    return {"total": total, "count": count, "odd": odd, "steps": count * u.ms}


@pytest.mark.parametrize("unit", [None, u.mV], ids=["plain", "units"])
def test_whole_numbers_among_the_outputs_have_float0(unit):
    x = jnp.asarray(2.0) if unit is None else q(2.0, unit)
    expected = {"total": 3 * x / 2, "count": float0(), "odd": float0(3), "steps": float0()}
    value, pushed = jvp(counted, (x,), (x / 2,))
    assert value["count"] == 3
    assert_same(pushed, expected)
    value, push = linearize(counted, x)
    for call in (push, jax.jit(push)):
        assert_same(call(x / 2), expected)
    cotangents = (
        {"total": 1.0, "count": float0(), "odd": float0(3), "steps": float0()},
        {"total": 1.0, "count": 7, "odd": np.ones(3, bool), "steps": 7 * u.ms},
    )
    for pull in (pull_of(counted, x), linear_transpose(counted, x)):
        for cotangent in cotangents:
            assert_same(pull(cotangent), jnp.asarray(3.0))
        text = r"the cotangent of output\['count'\] of counted must be float0, as int32\[\] has no"
        with pytest.raises(TypeError, match=text):
            pull({"total": 1.0, "count": 1.0, "odd": float0(3), "steps": float0()})


def test_whole_numbers_among_the_outputs_of_a_function_with_a_state():
    gain = State(q(2.0, u.nS), name="gain")

    def fun(V):
        gain.value = gain.value * 2
        return jnp.int32(4), gain.value * V

    _, pull = vjp(fun, q(3.0, u.mV), grad_states=gain, argnums=0)
    assert_same(pull((float0(), 1.0)), (q(6.0, u.mV), q(4.0, u.nS)))
    assert_same(gain.value, q(4.0, u.nS))
    _, push = linearize(fun, q(3.0, u.mV))
    assert_same(push(q(1.0, u.mV)), (float0(), q(8.0, u.nS * u.mV)))


def test_outputs_that_are_whole_numbers_alone():
    floor = lambda x: jnp.int32(x / u.mV)  # noqa: E731
    x = q(2.5, u.mV)
    assert_same(pull_of(floor, x)(float0()), q(0.0, PER_MV))
    assert_same(jvp(floor, (x,), (x,))[1], float0())


def test_whole_numbers_alone_have_no_transpose():
    text = r"^argument 0 is int32\[2\], and linear_transpose wants real or complex inputs. Convert"
    with pytest.raises(TypeError, match=text):
        linear_transpose(lambda n: 2 * n, jnp.arange(2))
    beside = linear_transpose(
        lambda x, n: x * n.sum().astype("float32"), 1.0, jnp.arange(3), argnums=(0, 1)
    )
    assert_same(beside(2.0), (jnp.asarray(6.0), float0(3)))


@pytest.mark.parametrize("given", [(), (1.0, 1.0)])
def test_a_product_takes_one_tree(given):
    text = (
        rf"^a pull takes one cotangent, a tree like the output, got {len(given)}. Write them as one"
    )
    for debug_nan in (False, True):
        _, pull = vjp(square, 1.0, debug_nan=debug_nan)
        for call in (pull, linear_transpose(lambda x: 2 * x, 1.0, debug_nan=debug_nan)):
            with pytest.raises(TypeError, match=text):
                call(*given)
    text = (
        rf"^a push takes one tangent, a tree like what is differentiated, got {len(given)}. Write"
    )
    for debug_nan in (False, True):
        _, push = linearize(square, 1.0, debug_nan=debug_nan)
        with pytest.raises(TypeError, match=text):
            push(*given)


def test_what_linear_transpose_gives_is_a_pytree_as_what_vjp_gives():
    R = q([1.0, 2.0], u.Mohm)
    transpose = linear_transpose(lambda current: current * R, q([1.0, 1.0], u.nA))
    assert isinstance(transpose, jax.tree_util.Partial)
    found = jax.jit(lambda pull, ct: pull(ct))(transpose, q([3.0, 5.0], u.mV))
    assert_same(found, q([3.0, 10.0], u.mV * u.Mohm))
    maps = jax.vmap(lambda k: linear_transpose(lambda x: k * x, 1.0))(jnp.arange(3.0))
    np.testing.assert_array_equal(jax.vmap(lambda pull: pull(2.0))(maps), [0.0, 2.0, 4.0])
