"""What a transform takes: functions, positions, trees, arguments that are no arrays, aux."""

import enum
import functools
import inspect
from dataclasses import dataclass
from typing import Any, NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    Counter,
    assert_physically_equal,
    assert_same,
    each_transform,
    eager_and_compiled,
    magnitudes,
    q,
    three_transforms,
)

from unitjac import State, jacrev

# argnums


def product(a, b, c):
    return a**2 * b * c


ARGNUMS = {
    "default": (None, 0),
    "int": (1, 1),
    "negative": (-1, 2),
    "NumPy's int": (np.int64(2), 2),
    "NumPy's scalar array": (np.asarray(1), 1),
    "sequence of one": ((1,), (1,)),
    "list": ([0, 2], (0, 2)),
    "order of the user": ((2, 0), (2, 0)),
    "negative in a sequence": ((-1, 0), (2, 0)),
    "range": (range(3), (0, 1, 2)),
    "NumPy's ints": ([np.int32(1), np.uint8(0)], (1, 0)),
}


@pytest.mark.parametrize("name", ARGNUMS)
@three_transforms
def test_argnums_name_the_arguments_as_in_jax(transform, name):
    argnums, plain = ARGNUMS[name]
    args = q(3.0, u.mV), q(2.0, u.uS), jnp.asarray(5.0)
    blocks = q(60.0, u.mV * u.uS), q(45.0, u.mV**2), q(18.0, u.mV**2 * u.uS)
    expected = blocks[plain] if isinstance(plain, int) else tuple(blocks[n] for n in plain)
    assert_same(transform(product, argnums=argnums, unit_aware=True)(*args), expected)


@eager_and_compiled
@three_transforms
def test_negative_argnums_count_the_arguments_of_the_user_beside_states(transform, jit):
    # the class of bug: positions shifted by hidden leading arguments
    s = State(q(2.0, u.uS), name="s")
    jac = transform(
        lambda a, b: s.value * a * b**2, grad_states=[s], argnums=(-1, 0), unit_aware=True, jit=jit
    )
    (by_s,), (by_b, by_a) = jac(jnp.asarray(4.0), q(3.0, u.mV))
    assert_same(by_s, q(36.0, u.mV**2))
    assert_same([by_b, by_a], [q(48.0, u.uS * u.mV), q(18.0, u.uS * u.mV**2)])


# Arguments that are no arrays


class Kind(enum.Enum):
    LINEAR = 1
    SQUARE = 2


@dataclass(frozen=True)
class Config:
    gain: int
    label: str = "config"


NOT_ARRAYS = {
    "str": ("square", "linear", lambda x, a: x**2 if a == "square" else x),
    "NumPy's str": (
        np.str_("square"),
        np.str_("linear"),
        lambda x, a: x**2 if a == "square" else x,
    ),
    "bool": (True, False, lambda x, a: x**2 if a else x),
    "size": (2, 1, lambda x, a: x**a),
    "callable": (lambda x: x**2, lambda x: x, lambda x, a: a(x)),
    "None": (None, "linear", lambda x, a: x**2 if a is None else x),
    "enum": (Kind.SQUARE, Kind.LINEAR, lambda x, a: x**2 if a is Kind.SQUARE else x),
    "frozen dataclass": (Config(2), Config(1), lambda x, a: x**a.gain),
    "type": (int, float, lambda x, a: x**2 if a is int else x),
    "tuple of them": (("n", 2, None), ("n", 1, None), lambda x, a: x ** a[1]),
    "dict of them": ({"n": 2, "s": "a"}, {"n": 1, "s": "a"}, lambda x, a: x ** a["n"]),
    "unit": (u.mV, u.ms, lambda x, a: x**2 if a == u.mV else x),
    # one equals the other, and yet the function does another thing with each
    "True and 1": (True, 1, lambda x, a: x**2 if a is True else x),
}


@pytest.mark.parametrize("name", NOT_ARRAYS)
@pytest.mark.parametrize("by_keyword", [False, True], ids=["by position", "by keyword"])
@eager_and_compiled
def test_arguments_that_are_no_arrays_pass_through(name, by_keyword, jit):
    square, linear, fun = NOT_ARRAYS[name]
    jac = jacrev(fun, unit_aware=True, jit=jit)
    for a, expected in ((square, q(6.0, u.mV)), (linear, jnp.asarray(1.0)), (square, q(6.0, u.mV))):
        found = jac(q(3.0, u.mV), a=a) if by_keyword else jac(q(3.0, u.mV), a)
        assert_same(found, expected)


@eager_and_compiled
@three_transforms
def test_float_that_is_not_differentiated_is_traced_and_an_int_is_static(transform, jit):
    @Counter
    def fun(x, scale, n):
        return scale * x**n

    jac = transform(fun, jit=jit)
    for scale, n, traces in ((2.0, 2, 1), (3.0, 2, 1), (np.float32(4.0), 2, 2), (2.0, 3, 3)):
        assert_same(jac(jnp.asarray(3.0), scale, n), jnp.asarray(scale * n * 3.0 ** (n - 1)))
        assert not jit or fun.calls == traces


def test_equal_static_arguments_are_one_program_whether_or_not_they_are_one_object():
    @Counter
    def fun(x, config, name):
        return x**config.gain

    jac = jacrev(fun, jit=True)
    for gain, traces in ((2, 1), (2, 1), (3, 2), (2, 2)):
        name = "".join(["na", "me"])  # a new object each time
        found = jac(jnp.asarray(3.0), Config(gain), name=name)
        assert_same(found, jnp.asarray(gain * 3.0 ** (gain - 1)))
        assert fun.calls == traces


@eager_and_compiled
def test_unhashable_object_passes_through_in_eager_and_is_named_where_it_must_be_static(jit):
    jac = jacrev(lambda x, names: len(names) * x, jit=jit)
    if not jit:
        assert_same(jac(jnp.asarray(3.0), {"a", "b"}), jnp.asarray(2.0))
        return
    with pytest.raises(TypeError, match="argument 1 is a set, which cannot be hashed: under jit="):
        jac(3.0, {"a", "b"})
    with pytest.raises(TypeError, match=r"argument 'names'\['a'\]\[1\] is a set, which cannot be"):
        jac(3.0, names={"a": [1, {2}]})


KEYWORDS = {"self", "args", "instance", *inspect.signature(jacrev).parameters}


@eager_and_compiled
@three_transforms
def test_keyword_of_the_function_may_have_any_name(transform, jit):
    def fun(x, /, **weights):
        assert set(weights) == KEYWORDS
        return x**2 * sum(weights.values(), 0.0 * u.ms)

    jac = transform(fun, unit_aware=True, jit=jit)
    weights = {name: q(1.0, u.ms) for name in KEYWORDS}
    assert_same(jac(q(3.0, u.mV), **weights), q(6.0 * len(KEYWORDS), u.mV * u.ms))
    assert jac.plan(q(3.0, u.mV), **weights).passes == 1
    assert jac.describe(q(3.0, u.mV), **weights).passes == 1


# Kinds of functions


class Membrane:
    """Functions of every kind, each of which is V times the conductance 2 uS, squared."""

    g = u.Quantity(2.0, unit=u.uS)

    def method(self, V):
        return (self.g * V) ** 2

    @staticmethod
    def static(V):
        return (Membrane.g * V) ** 2

    @classmethod
    def of_class(cls, V):
        return (cls.g * V) ** 2

    def __call__(self, V):
        return self.method(V)

    jac = jacrev(method, argnums=1, unit_aware=True)
    jac_compiled = jacrev(method, argnums=1, unit_aware=True, jit=True)


KINDS = {
    "bound method": lambda: Membrane().method,
    "static method": lambda: Membrane.static,
    "staticmethod object": lambda: Membrane.__dict__["static"],
    "class method": lambda: Membrane.of_class,
    "callable object": lambda: Membrane(),
    "partial": lambda: functools.partial(lambda g, V: (g * V) ** 2, Membrane.g),
    "partial by keyword": lambda: functools.partial(lambda V, g: (g * V) ** 2, g=Membrane.g),
    "jitted": lambda: jax.jit(Membrane.static),
    "jitted inside": lambda: lambda V: jax.jit(lambda x: x**2)(Membrane.g * V),
    "checkpoint": lambda: jax.checkpoint(Membrane.static),
}


@pytest.mark.parametrize("kind", KINDS)
@eager_and_compiled
@three_transforms
def test_functions_of_every_kind(transform, jit, kind):
    jac = transform(KINDS[kind](), unit_aware=True, jit=jit)
    assert_same(jac(q(3.0, u.mV)), q(24.0, u.uS**2 * u.mV))


@pytest.mark.parametrize("name", ["jac", "jac_compiled"])
def test_transform_in_a_class_body_binds_as_a_method_does(name):
    membrane, other = Membrane(), Membrane()
    other.g = q(4.0, u.uS)
    expected = q(24.0, u.uS**2 * u.mV), q(96.0, u.uS**2 * u.mV)
    for one, block in zip((membrane, other), expected, strict=True):
        assert_same(getattr(one, name)(q(3.0, u.mV)), block)
        assert_same(getattr(Membrane, name)(one, q(3.0, u.mV)), block)


@each_transform
def test_transform_has_the_name_the_docstring_and_the_signature_of_its_function(transform):
    def current(V, *, g: float = 2.0):
        """I = g V"""
        return g * V

    jac = transform(current)
    assert jac.__name__ == "current"
    assert jac.__doc__ == "I = g V"
    assert inspect.signature(jac) == inspect.signature(current)
    assert repr(jac).startswith(f"<unitjac.{transform.name.split('-')[0]} of ")


# Trees


class Pair(NamedTuple):
    V: Any
    g: Any


@functools.partial(jax.tree_util.register_dataclass, data_fields=["V", "g"], meta_fields=["name"])
@dataclass
class Data:
    V: Any
    g: Any
    name: str = "data"


@jax.tree_util.register_pytree_with_keys_class
class Node:
    """A node that refuses to be built from anything but two things."""

    def __init__(self, V, g):
        self.V, self.g = V, g

    def tree_flatten_with_keys(self):
        key = jax.tree_util.GetAttrKey
        return ((key("V"), self.V), (key("g"), self.g)), None

    @classmethod
    def tree_unflatten(cls, _, children):
        return cls(*children)


@pytest.mark.parametrize("node", [Pair, Data, Node], ids=lambda node: node.__name__)
@eager_and_compiled
@three_transforms
def test_named_tuples_dataclasses_and_registered_nodes_go_in_and_come_out(transform, jit, node):
    def fun(p):
        return node(p.V * p.g, [p.g**2, None])

    found = transform(fun, unit_aware=True, jit=jit)(node(q([1.0, 2.0], u.mV), q(3.0, u.uS)))
    per = u.uS**2 / u.mV
    expected = node(
        node(q([[3.0, 0.0], [0.0, 3.0]], u.uS), q([1.0, 2.0], u.mV)),
        [node(q([0.0, 0.0], per), q(6.0, u.uS)), None],
    )
    assert_physically_equal(found, expected)
    assert type(found) is type(found.V) is type(found.g[0]) is node


@pytest.mark.parametrize("node", [Pair, Data], ids=lambda node: node.__name__)
@three_transforms
def test_class_whose_instances_are_trees_is_a_function(transform, node):
    found = transform(node, unit_aware=True)(q(3.0, u.mV), q(2.0, u.uS))
    assert_same((found.V, found.g), (jnp.asarray(1.0), q(0.0, u.uS / u.mV)))
    assert type(found) is node


@three_transforms
def test_deep_trees_with_none_leaves_and_an_argument_that_is_a_tuple(transform):
    def fun(p, r):
        return {"a": [p["x"][0]["y"] * r[1], (p["x"][1] ** 2,)], "none": None}

    p = {"x": [{"y": q([1.0, 2.0], u.mV)}, q(3.0, u.ms), None]}
    r = (None, q(4.0, u.uS))
    jac = transform(fun, argnums=(1, 0), unit_aware=True)
    bare = jax.jacrev(fun, argnums=(1, 0))(magnitudes(p), magnitudes(r))
    outputs, inputs = (
        {"a": [u.nA, (u.ms**2,)], "none": None},
        ((None, u.uS), {"x": [{"y": u.mV}, u.ms, None]}),
    )
    expected = jax.tree.map(
        lambda out, inner: jax.tree.map(
            lambda into, block: u.maybe_decimal(u.Quantity(block, unit=out / into)), inputs, inner
        ),
        outputs,
        bare,
    )
    assert_same(jac(p, r), expected)


SHAPES = ((), (1,), (0,), (2, 0), (3,), (2, 3), (1, 2, 1, 2))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@three_transforms
def test_blocks_have_the_shape_of_the_output_and_then_of_the_input(transform, shape):
    def fun(x):
        return {
            "same": x**2,
            "sum": u.math.sum(x),
            "more": u.math.zeros((2,), unit=u.mV) + u.math.sum(x),
        }

    number = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape).astype(np.float32)
    found = transform(fun, unit_aware=True)(q(number, u.mV))
    square = np.diag(2 * number.ravel()).reshape(shape + shape)
    ones = jnp.ones(shape, float)
    expected = {"same": q(square, u.mV), "sum": ones, "more": jnp.stack([ones, ones])}
    assert_same(found, expected)


EMPTY = {
    "empty dict in": (lambda p: q(1.0, u.mV), {}, {}),
    "empty dict in, dict out": (lambda p: {"a": q(1.0, u.mV), "b": ()}, {}, {"a": {}, "b": ()}),
    "None in": (lambda p: q(1.0, u.mV), None, None),
    "() out": (lambda p: (), 3.0, ()),
    "{} out": (lambda p: {"a": {}, "b": [None]}, 3.0, {"a": {}, "b": [None]}),
    "nothing at all": (lambda p: {}, {}, {}),
}


@pytest.mark.parametrize("name", EMPTY)
@eager_and_compiled
@each_transform
def test_empty_trees_as_inputs_and_outputs(transform, jit, name):
    fun, at, expected = EMPTY[name]
    jac = transform(fun, unit_aware=True, return_value=True, jit=jit)
    found, value = jac(at)
    assert found == expected
    assert_same(value, fun(at))
    assert jac.plan(at).blocks == ()


# Aux


@eager_and_compiled
@three_transforms
def test_aux_may_hold_anything(transform, jit):
    marker = object()

    def fun(x):
        aux = {
            "text": "spike",
            "object": marker,
            "none": None,
            "flag": True,
            "numbers": [1, 2.5, np.arange(2)],
            "traced": (x * 2, x > q(0.0, u.mV)),
            "key": jax.random.key(0),
            "function": len,
        }
        return x**2, aux

    jac = transform(fun, has_aux=True, unit_aware=True, jit=jit)
    for number in (3.0, -3.0):
        found, aux = jac(q(number, u.mV))
        assert_same(found, q(2 * number, u.mV))
        doubled, positive = aux.pop("traced")
        assert_same(doubled, q(2 * number, u.mV))
        assert bool(positive) == (number > 0)
        assert aux["object"] is marker
        assert aux["function"] is len
        assert aux["numbers"][:2] == [1, 2.5]
        assert np.array_equal(aux["numbers"][2], [0, 1])
        assert [aux[k] for k in ("text", "none", "flag")] == ["spike", None, True]
        assert jnp.all(jax.random.key_data(aux["key"]) == jax.random.key_data(jax.random.key(0)))


@eager_and_compiled
@three_transforms
def test_aux_of_one_call_is_not_shared_with_the_next(transform, jit):
    jac = transform(lambda x: (x**2, np.zeros(2)), has_aux=True, jit=jit)
    _, aux = jac(3.0)
    aux += 1.0 if isinstance(aux, np.ndarray) else 0.0
    assert np.array_equal(jac(3.0)[1], [0.0, 0.0])


@each_transform
def test_pair_with_aux_may_be_a_list(transform):
    found, aux = transform(lambda x: [x**2, "aux"], has_aux=True)(3.0)
    assert_same(float(found), 6.0)
    assert aux == "aux"


# Eager calls do what Python says


@each_transform
def test_eager_call_sees_values_closures_and_prints(transform, capsys):
    gain = {"now": 2.0}

    def fun(x, threshold):
        print("called")
        return x * gain["now"] if threshold > 1.0 else x**2  # Python control flow on a value

    jac = transform(fun)
    assert float(jac(3.0, 2.0)) == 2.0
    gain["now"] = 5.0
    assert float(jac(3.0, 2.0)) == 5.0
    assert float(jac(3.0, 0.5)) == 6.0
    assert capsys.readouterr().out == "called\n" * 3
