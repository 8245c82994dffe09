"""Gradients in closed form: ``grad``, ``value_and_grad`` and ``vector_grad``."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    Counter,
    assert_physically_equal,
    assert_same,
    both_precisions,
    each,
    eager_and_compiled,
    is_quantity,
    magnitudes,
    mixes_dtypes,
    q,
)

from unitjac import State, UnitsDroppedWarning, grad, jacrev, value_and_grad, vector_grad

three_gradients = pytest.mark.parametrize(
    "transform", [grad, value_and_grad, vector_grad], ids=lambda t: t.__name__
)


def gradient_of(transform: Any, found: Any) -> Any:
    """The gradient in what a transform gives back without aux."""
    return found[1] if transform is value_and_grad else found


# Scalar functions against their gradient in closed form


@dataclass(frozen=True)
class Row:
    """A scalar function, the point (number and unit by argument), value and gradient by hand."""

    name: str
    fun: Callable[..., Any]
    at: tuple[tuple[float, Any], ...]
    value: tuple[float, Any]
    gradient: tuple[tuple[float, Any], ...]


KT = u.Quantity(8e-18, unit=u.joule)
GAS = 8.0 * u.joule / (u.mole * u.kelvin)  # a round gas constant
PER_V = u.pascal / u.metre**3
ROWS = (
    Row(
        "energy of a capacitor",
        lambda C, V: C * V**2 / 2,
        ((2.0, u.nF), (3.0, u.mV)),
        (9.0, u.nF * u.mV**2),
        ((4.5, u.mV**2), (6.0, u.nF * u.mV)),
    ),
    Row(
        "kinetic energy in joules",
        lambda m, v: (m * v**2 / 2).in_unit(u.joule),
        ((200.0, u.gram), (3.0, u.metre / u.second)),
        (0.9, u.joule),
        ((0.0045, u.joule / u.gram), (0.6, u.joule / (u.metre / u.second))),
    ),
    Row(
        "ideal gas",
        lambda n, T, volume: (n * GAS * T / volume).in_unit(u.pascal),
        ((2.0, u.mole), (300.0, u.kelvin), (0.5, u.metre**3)),
        (9600.0, u.pascal),
        ((4800.0, u.pascal / u.mole), (32.0, u.pascal / u.kelvin), (-19200.0, PER_V)),
    ),
    Row(
        "Boltzmann factor",
        lambda E: u.math.exp(-E / KT),
        ((8e-18, u.joule),),
        (np.exp(-1.0), None),
        ((-np.exp(-1.0) / 8e-18, u.joule**-1),),
    ),
    Row(
        "Nernst potential",
        lambda out, inside: (25.0 * u.mV) * u.math.log(out / inside),
        ((4.0, u.mmolar), (2000.0, u.umolar)),
        (25.0 * np.log(2.0), u.mV),
        ((6.25, u.mV / u.mmolar), (-0.0125, u.mV / u.umolar)),
    ),
    Row(
        "norm of a displacement in other units",
        lambda x, y: u.math.sqrt(x**2 + y**2),
        ((3.0, u.metre), (400.0, u.cmeter)),
        (5.0, u.metre),
        ((0.6, None), (0.8, None)),
    ),
)


def written(number: float, unit: Any) -> Any:
    return jnp.asarray(number, float) if unit is None else q(number, unit)


@each("row", ROWS)
@three_gradients
@both_precisions
def test_gradient_in_closed_form(row, transform, x64):
    with jax.enable_x64(x64):
        at = [written(*entry) for entry in row.at]
        expected = tuple(written(*entry) for entry in row.gradient)
        found = transform(row.fun, argnums=range(len(at)), unit_aware=True)(*at)
        assert_same(gradient_of(transform, found), expected, digits_lost=4)
        if transform is value_and_grad:
            assert_same(found[0], written(*row.value), digits_lost=4)


@each("row", ROWS[:3])
@three_gradients
def test_gradient_in_closed_form_however_the_call_is_compiled(row, transform):
    at = [written(*entry) for entry in row.at]
    expected = tuple(written(*entry) for entry in row.gradient)
    options = dict(argnums=range(len(at)), unit_aware=True)
    eager, jitted = (transform(row.fun, **options, jit=jit) for jit in (False, True))
    for call in (jitted, jitted, jax.jit(eager)):
        assert_same(gradient_of(transform, call(*at)), expected, digits_lost=4)
    batch = jax.tree.map(lambda x: jnp.stack([x, x]), at)
    found = gradient_of(transform, jax.vmap(eager)(*batch))
    assert_same(found, jax.tree.map(lambda x: jnp.stack([x, x]), expected), digits_lost=4)


# Trees, states, returns


def membrane(E, p, V, g):
    return {"P": [jnp.sum(g["Na"] * p * (V - E["Na"]) ** 2)]}


class Membrane:
    """The power of a channel, in pW; reversal potential and open fraction are states."""

    def __init__(self):
        self.E = State({"Na": q(50.0, u.mV)}, name="E")
        self.p = State(jnp.asarray(0.4), name="p")

    def __call__(self, V, g):
        return {"P": [u.math.sum(g["Na"] * self.p.value * (V - self.E.value["Na"]) ** 2)]}


@pytest.mark.parametrize("transform", [grad, vector_grad], ids=lambda t: t.__name__)
@eager_and_compiled
def test_gradient_is_a_tree_like_what_is_differentiated(transform, jit):
    model, V, g = Membrane(), q([-65.0, -20.0, 11.0], u.mV), {"Na": q(1.2, u.uS)}
    bare = magnitudes((model.E.value, model.p.value, V, g))
    expected = jax.grad(lambda *x: membrane(*x)["P"][0], argnums=range(4))(*bare)
    W = u.uS * u.mV**2
    units = {"Na": W / u.mV}, W, W / u.mV, {"Na": W / u.uS}
    dE, dp, dV, dg = jax.tree.map(lambda x, unit: u.Quantity(x, unit=unit), expected, units)
    for grad_states, argnums, derivative in (
        (None, None, dV),
        (None, -1, dg),
        (None, [1], (dg,)),
        (None, (1, 0), (dg, dV)),
        (model.E, None, dE),
        ({"a": (model.p,), "b": model.E}, None, {"a": (dp,), "b": dE}),
        ([model.p], 0, ([dp], dV)),
        ((model.E, model.p), (0, 1), ((dE, dp), (dV, dg))),
    ):
        options = dict(grad_states=grad_states, argnums=argnums, unit_aware=True, jit=jit)
        assert_same(transform(model, **options)(V, g), derivative, digits_lost=10)
    found, value = transform(model, grad_states=model.p, return_value=True, unit_aware=True)(V, g)
    assert_same((found, value), (dp, model(V, g)), digits_lost=10)


@eager_and_compiled
def test_value_comes_first_and_aux_beside_it_as_in_jax(jit):
    s = State(q(2.0, u.uS), name="g")

    def fun(V):
        return s.value * V**2, {"text": "aux", "V": V}

    reference = jax.value_and_grad(lambda V: (2.0 * V**2, {"V": V}), has_aux=True)
    (value, aux), slope = reference(3.0)
    found = value_and_grad(fun, has_aux=True, unit_aware=True, jit=jit)(q(3.0, u.mV))
    assert found[0][1].pop("text") == "aux"
    W = u.uS * u.mV**2
    expected = (q(value, W), {"V": q(aux["V"], u.mV)}), q(slope, W / u.mV)
    assert_same(found, expected)
    both = value_and_grad(fun, s, 0, has_aux=True, unit_aware=True, jit=jit)(q(3.0, u.mV))
    assert_same(both[1], (q(9.0, u.mV**2), q(12.0, W / u.mV)))
    assert_same(both[0][0], q(18.0, W))


@three_gradients
def test_without_a_function_there_is_a_decorator(transform):
    @transform(argnums=1, unit_aware=True)
    def slope(g, V):
        """g V^2"""
        return g * V**2

    found = gradient_of(transform, slope(q(2.0, u.uS), q(3.0, u.mV)))
    assert_same(found, q(12.0, u.uS * u.mV))
    assert slope.__doc__ == "g V^2"


@three_gradients
def test_function_is_called_once_a_call_and_once_a_trace(transform):
    @Counter
    def fun(x):
        return x**2, "aux"

    for _ in range(2):
        transform(fun, has_aux=True, unit_aware=True)(q(3.0, u.mV))
    assert fun.calls == 2
    compiled = transform(fun, has_aux=True, unit_aware=True, jit=True)
    for number in (3.0, 4.0):
        compiled(q(number, u.mV))
    assert fun.calls == 3


def test_gradients_nest_to_derivatives_of_any_order():
    x = q([1.0, 2.0, 3.0], u.mV)
    for transform, take in ((grad, lambda f: lambda v: u.math.sum(f(v))), (vector_grad, None)):
        fun = lambda v: v**4  # noqa: E731
        for expected in (4.0 * x**3, 12.0 * x**2, 24.0 * x, jnp.full(3, 24.0)):
            fun = transform(fun if take is None else take(fun), unit_aware=True)
            assert_same(fun(x), expected)


# The sum over outputs


def test_vector_grad_of_an_entrywise_function_is_the_derivative_of_each_entry():
    x = q([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], u.mV)
    found = vector_grad(lambda v: u.math.sin(v / u.mV) * u.nA, unit_aware=True)(x)
    assert_same(found, jnp.cos(x.mantissa) * (u.nA / u.mV), digits_lost=4)
    blocks = jacrev(lambda v: v**2, unit_aware=True)(x)
    diagonal = jnp.einsum("ijij->ij", blocks.mantissa) * blocks.unit
    assert_same(vector_grad(lambda v: v**2, unit_aware=True)(x), diagonal)


@eager_and_compiled
def test_vector_grad_adds_outputs_as_quantities_in_the_unit_of_the_first(jit):
    def fun(p):
        return {"a": [p["V"] * p["R"]], "b": (1e3 * p["V"] * p["R"]).in_unit(u.volt * u.Mohm)}

    p = {"V": q([1.0, 2.0], u.mV), "R": q(5.0, u.Mohm)}
    found, value = vector_grad(fun, return_value=True, unit_aware=True, jit=jit)(p)
    total = u.mV * u.Mohm  # the sum is 1001 V R
    expected = {
        "V": q([5005.0, 5005.0], total / u.mV),
        "R": q(3003.0, total / u.Mohm),
    }
    assert_same(found, expected)
    assert value["b"].unit == u.volt * u.Mohm
    swapped = vector_grad(lambda p: {"a": fun(p)["b"], "b": fun(p)["a"]}, unit_aware=True)(p)
    assert swapped["V"].unit == u.volt * u.Mohm / u.mV
    assert_physically_equal(swapped, expected)


nV, GV = u.parse_unit("nV"), u.parse_unit("GV")


@dataclass(frozen=True)
class Scales:
    """Outputs ``a x`` in one unit and ``b x`` in another; the gradient of their sum by hand."""

    name: str
    dtype: str
    first: tuple[float, Any]
    second: tuple[float, Any]
    at: Any
    expected: tuple[float, Any]


SCALES = (
    Scales("1e9 down", "float16", (0.0, u.volt), (6e4, nV), u.ms, (6e-5, u.volt / u.ms)),
    Scales("1e9 up", "float16", (0.0, nV), (6e-8, u.volt), u.ms, (60.0, nV / u.ms)),
    Scales("1e9 up and down again", "float16", (0.0, nV), (1.0, u.volt), u.volt, (1.0, None)),
    Scales("1e9 down and up again", "float16", (0.0, u.volt), (1.0, nV), nV, (1.0, None)),
    Scales("1e9 down", "float32", (0.5, u.volt), (5e8, nV), u.ms, (1.0, u.volt / u.ms)),
    Scales("1e9 up", "float32", (0.5, nV), (5e-10, u.volt), u.ms, (1.0, nV / u.ms)),
    Scales("1e18 up and down again", "float32", (0.0, nV), (1e30, GV), GV, (1e30, None)),
    Scales("1e9 up and down again", "bfloat16", (0.0, nV), (1.0, u.volt), u.volt, (1.0, None)),
)


@each("scales", SCALES, key=lambda s: f"{s.dtype}, {s.name}")
@eager_and_compiled
def test_scales_of_the_outputs_overflow_nothing_on_the_way(scales, jit):
    def fun(x):
        return tuple(
            u.Quantity(jnp.asarray(number, scales.dtype) * x.mantissa, unit=unit)
            for number, unit in (scales.first, scales.second)
        )

    found = vector_grad(fun, unit_aware=True, jit=jit)(q(1.0, scales.at, scales.dtype))
    number, unit = scales.expected
    number = jnp.asarray(number, scales.dtype)
    assert_same(found, number if unit is None else u.Quantity(number, unit=unit))


def test_outputs_of_different_dimensions_have_no_sum():
    def fun(x):
        return {"power": x**2, "rest": [x * 2, x / u.ms]}

    text = (
        r"vector_grad sums the outputs, and output\['rest'\]\[0\] of .*fun in mV cannot be added "
        r"to output\['power'\] in mV\^2\. Use unitjac\.jacrev"
    )
    for jit in (False, True):
        with pytest.raises(ValueError, match=text):
            vector_grad(fun, unit_aware=True, jit=jit)(q([1.0, 2.0], u.mV))
    with pytest.raises(ValueError, match=r"output\[1\] of .* in mV cannot be added to .* in 1\."):
        vector_grad(lambda x: (x / u.mV, x))(q(1.0, u.mV))


@eager_and_compiled
def test_sum_over_no_outputs_is_zero(jit):
    x = {"V": q([1.0, 2.0], u.mV), "n": jnp.ones(())}
    found, value = vector_grad(lambda x: (), return_value=True, unit_aware=True, jit=jit)(x)
    assert value == ()
    assert_same(found, {"V": q([0.0, 0.0], u.mV**-1), "n": jnp.zeros(())})


# What has no gradient


@pytest.mark.parametrize("transform", [grad, value_and_grad], ids=lambda t: t.__name__)
@eager_and_compiled
def test_output_that_is_not_one_scalar_is_named_with_its_shape_and_unit(transform, jit):
    x = q([1.0, 2.0], u.mV)
    for fun, came in (
        (lambda x: x**2, r"output: float32\[2\] in mV\^2\."),
        (
            lambda x: {"a": x[0], "b": [x / u.mV]},
            r"output\['a'\]: .*\[\] in mV, output\['b'\]\[0\]",
        ),
        (lambda x: u.math.sum(x)[None], r"output: float32\[1\] in mV\."),
        (lambda x: {}, "none"),
    ):
        text = (
            rf"{transform.__name__} wants one scalar output, .*<lambda> gave {came}.*"
            r"Use unitjac\.vector_grad for the gradient of the sum of the outputs, or"
        )
        with pytest.raises(TypeError, match=text):
            transform(fun, unit_aware=True, jit=jit)(x)


def test_scalar_inside_of_a_tree_has_a_gradient():
    assert_same(grad(lambda x: {"y": [x**2, None]}, unit_aware=True)(q(3.0, u.mV)), q(6.0, u.mV))


@mixes_dtypes
@eager_and_compiled
def test_integers_have_float0_where_they_are_allowed(jit):
    def fun(x, n, b):
        return u.math.sum(x**2) * jnp.sum(n) * b

    x, n = q([1.0, 2.0], u.mV), jnp.arange(3)
    for transform in (grad, value_and_grad):
        found = transform(fun, argnums=(0, 1, 2), allow_int=True, unit_aware=True, jit=jit)
        dx, dn, db = gradient_of(transform, found(x, n, True))
        assert_same(dx, q([6.0, 12.0], u.mV))
        assert dn.dtype == db.dtype == jax.dtypes.float0
        assert (dn.shape, db.shape) == ((3,), ())
        text = r"argument 1 is int32\[3\], but a differentiated input must be real\. .*allow_int"
        with pytest.raises(TypeError, match=text):
            transform(fun, argnums=(0, 1), unit_aware=True, jit=jit)(x, n, True)


@eager_and_compiled
def test_vector_grad_refuses_integers_and_offers_nothing_that_it_has_not(jit):
    text = r"argument 0\['n'\] is int32\[3\], but a differentiated input must be real\. Convert it"
    with pytest.raises(TypeError, match=text) as caught:
        vector_grad(lambda p: p["n"] * 2.0 * u.mV, jit=jit)({"n": jnp.arange(3)})
    assert "allow_int" not in str(caught.value)  # vector_grad has no such parameter


@mixes_dtypes
@eager_and_compiled
def test_complex_outputs_are_refused_and_complex_inputs_taken_as_in_jax(jit):
    text = r"output of .* is complex64\[3\], but reverse mode wants real outputs\."
    with pytest.raises(TypeError, match=text) as caught:
        vector_grad(lambda x: x * 1j, jit=jit)(jnp.arange(3.0))
    assert "holomorphic" not in str(caught.value)  # vector_grad has no such parameter
    for transform in (grad, value_and_grad):
        with pytest.raises(TypeError, match=r"is complex64\[\], but reverse mode wants real"):
            transform(lambda x: x * 1j, jit=jit)(3.0)
    z = jnp.asarray(3.0 + 1.0j)
    squared = lambda z: jnp.real(z * jnp.conj(z))  # noqa: E731
    assert_same(grad(squared, jit=jit)(z), jax.grad(squared)(z))
    assert_same(vector_grad(squared, jit=jit)(z), jax.grad(squared)(z))


@eager_and_compiled
def test_holomorphic_gradients_have_units_as_real_ones_do(jit):
    z = q(3.0 + 1.0j, u.mV, "complex64")
    for transform in (grad, value_and_grad):
        found = transform(lambda z: z**3, holomorphic=True, unit_aware=True, jit=jit)(z)
        assert_same(gradient_of(transform, found), 3 * z**2)


# Without units


@three_gradients
@eager_and_compiled
def test_units_that_are_dropped_are_named_in_a_warning_at_the_users_line(transform, jit):
    call = transform(lambda V, g: g * V**2, argnums=(0, 1), jit=jit)
    text = rf"^{transform.__name__} of .*<lambda> has blocks in .*, mV\^2, which come back as plain"
    here = inspect.currentframe()
    with pytest.warns(UnitsDroppedWarning, match=text) as caught:
        found = gradient_of(transform, call(q(3.0, u.mV), q(2.0, u.uS)))
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, here.f_lineno - 1)]
    assert not any(map(is_quantity, jax.tree.leaves(found, is_leaf=is_quantity)))
    assert_same(found, (jnp.asarray(12.0), jnp.asarray(9.0)))


def test_sum_without_units_is_in_the_unit_of_the_first_output():
    fun = lambda x: (x, x.in_unit(u.volt))  # noqa: E731
    assert_same(vector_grad(fun)(q(3.0, u.mV)), jnp.asarray(2.0))
    with pytest.warns(UnitsDroppedWarning, match=r"has blocks in 10\^3, which"):
        found = vector_grad(lambda x: fun(x)[::-1])(q(3.0, u.mV))
    assert_same(found, jnp.asarray(0.002))


# Keywords and plans


@three_gradients
def test_unknown_keyword_is_an_error_that_names_the_known_ones(transform):
    known = set(inspect.signature(transform).parameters) - {"fun", "kwargs"}
    text = rf"^{transform.__name__} has no keyword argument 'units'\. It has: "
    with pytest.raises(TypeError, match=text) as caught:
        transform(lambda x: x, units=True)
    assert set(str(caught.value).split(": ")[1].rstrip(".").split(", ")) == known


def test_plan_counts_one_pull_for_each_scale_of_the_outputs():
    x = q([1.0, 2.0], u.mV)
    plan = vector_grad(lambda x: (x, x.in_unit(u.volt), x * 3), unit_aware=True).plan(x)
    assert (plan.mode, plan.passes) == ("rev", 2)
    assert [(b.input, b.shape, b.unit) for b in plan.blocks] == [("argument 0", (2,), "1")]
    plan = grad(lambda x: u.math.sum(x**2), unit_aware=True).plan(x)
    assert (plan.passes, plan.blocks[0].unit) == (1, "mV")
    with pytest.raises(TypeError, match="grad wants one scalar output"):
        grad(lambda x: x).plan(x)


@pytest.mark.parametrize("make", [grad, value_and_grad])
def test_missing_positional_argument_is_a_type_error_as_in_jax(make):
    text = r"^argnums has 0, but the function was called with 0 positional arguments and x by keyw"
    for jit in (False, True):
        with pytest.raises(TypeError, match=text):
            make(lambda x: x**2, jit=jit)(x=2.0)
        with pytest.raises(TypeError, match=r"^argnums has 1, but .* with 1 positional argument\."):
            make(lambda x: x**2, argnums=(0, 1), jit=jit)(2.0)
        with pytest.raises(ValueError, match=r"^argnums has -2, but"):
            make(lambda x: x**2, argnums=-2, jit=jit)(2.0)
