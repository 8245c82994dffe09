"""Derivatives of functions that are built from transforms of JAX, and of transforms themselves."""

import itertools
from collections.abc import Callable
from typing import Any

import brainunit as u
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from helpers import assert_physically_equal, assert_same, each, eager_and_compiled, q, unchanged
from jax import lax
from test_family import MEMBERS, TRANSFORMS, Derivatives
from test_random_functions import BARE, QUANTITIES, Function, exponents, in_si, product, run

from unitjac import (
    State,
    grad,
    hessian,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linearize,
    value_and_grad,
    vector_grad,
    vjp,
)
from unitjac.models import hodgkin_huxley as hh
from unitjac.testing import check_jacobian

# The cube of a voltage by way of each transform of JAX, with quantities flowing through it


@jax.custom_jvp
def jvp_rule(x):
    return x**3


jvp_rule.defjvp(lambda x, dx: (x[0] ** 3, 3 * x[0] ** 2 * dx[0]))


@jax.custom_jvp
def jvp_rule_of_a_tree(p):
    return {"cube": p["x"] * p["y"][0], "n": p["n"]}


@jvp_rule_of_a_tree.defjvp
def _(primals, tangents):
    (p,), (dp,) = primals, tangents
    cube = dp["x"] * p["y"][0] + p["x"] * dp["y"][0]
    return jvp_rule_of_a_tree(p), {"cube": cube, "n": dp["n"]}


@jax.custom_vjp
def vjp_rule(x):
    return x**3


def vjp_rule_back(x, cotangent):
    # what a cotangent of a quantity is in JAX: a pytree like the input, its unit included
    return (u.Quantity(3 * x.mantissa**2 * cotangent.mantissa, unit=x.unit),)


vjp_rule.defvjp(lambda x: (x**3, x), vjp_rule_back)


def scanned(x):
    def step(carry, gain):
        total, factors = carry
        return (total + gain * x, factors), total

    (total, _), trail = lax.scan(step, (0 * x, {"x": x}), jnp.asarray([1.0, 2.0]))
    return total**2 * trail[1] / 9


def scanned_over(x):
    powers = u.math.stack([x, 2 * x, 3 * x])
    return lax.scan(lambda c, xi: (c + xi * x**2, None), 0 * x**3, powers)[0] / 6


def looped(x):
    def body(state):
        return {"n": state["n"] + 1, "y": state["y"] * (x / u.mV)}

    start = {"n": 0, "y": x * u.mV**2}
    return lax.while_loop(lambda s: s["n"] < 2, body, start)["y"]


def branched(x):
    return lax.cond(x > q(0.0, u.mV), lambda p: p["x"] ** 3, lambda p: -(p["x"] ** 3), {"x": x})


def switched(x):
    return lax.switch(jnp.asarray(1), [lambda x: -(x**3), lambda x: x**3], x)


CUBES: dict[str, Callable[[Any], Any]] = {
    "custom_jvp": jvp_rule,
    "custom_jvp of a tree": lambda x: jvp_rule_of_a_tree({"x": x, "y": [x**2], "n": 1.0})["cube"],
    "custom_vjp": vjp_rule,
    "scan": scanned,
    "scan over quantities": scanned_over,
    "while_loop": looped,
    "fori_loop": lambda x: lax.fori_loop(0, 3, lambda _, c: c + x**3 / 3, 0 * x**3),
    "cond": branched,
    "switch": switched,
    "vmap": lambda x: u.math.sum(jax.vmap(lambda y: y**2 * x)(u.math.stack([x, x]))) / 2,
    "jit": jax.jit(lambda x: jax.jit(lambda p: p["x"] ** 2)({"x": x}) * x),
    "checkpoint": jax.checkpoint(lambda x: x**3),
    "map": lambda x: lax.map(lambda y: y**3, u.math.stack([x, x]))[1],
    "grad": lambda x: grad(lambda y: y**4 / 4, unit_aware=True)(x),
    "hessian": lambda x: hessian(lambda y: y**5 / 20, unit_aware=True)(x),
    "jacfwd": lambda x: jacfwd(lambda y: y**4 / 4, unit_aware=True)(x),
    "vjp": lambda x: vjp(lambda y: y**4 / 4, x)[1](1.0),
    "jvp": lambda x: jvp(lambda y: y**3 / 3, (x,), (x,))[1],
    "linearize": lambda x: linearize(lambda y: y**3 / 3, x)[1](x),
    "compiled inside": lambda x: grad(lambda y: y**4 / 4, unit_aware=True, jit=True)(x),
}
# Neither mode can do what the other's rule says: custom_vjp has no tangents, while_loop no pulls.
REVERSE_ONLY, FORWARD_ONLY = {"custom_vjp"}, {"while_loop"}
MODES = {"custom_vjp": "fwd-over-rev", "while_loop": "fwd-over-fwd"}


def cubes() -> Any:
    members = [m for m in MEMBERS if m.name != "value_and_grad"]  # which is grad and a value
    for name, member in itertools.product(CUBES, members):
        pushes, curves = member.name in ("jvp", "linearize"), member.name == "hessian"
        if name in REVERSE_ONLY and pushes:
            continue
        if name in FORWARD_ONLY and not (pushes or curves):
            continue
        yield pytest.param(name, member, id=f"{name}-{member.name}")


@pytest.mark.parametrize(("name", "member"), list(cubes()))
def test_quantities_flow_through_transforms_of_jax(name, member):
    options = {"mode": MODES.get(name, "auto")} if member.name == "hessian" else {}
    x = q(3.0, u.mV)
    expected = member.expected(Derivatives(q(27.0, u.mV**2), q(18.0, u.mV), q(1.0, u.mV)))
    found = jax.jit(lambda x: member(CUBES[name], x, **options))(x)
    assert_same(found, expected, digits_lost=4)


@pytest.mark.parametrize("name", sorted(set(CUBES) - REVERSE_ONLY - FORWARD_ONLY))
def test_cube_does_not_depend_on_the_unit_of_the_voltage(name):
    with jax.enable_x64(True):
        x = q(0.003, u.volt)
        found = jacrev(CUBES[name], unit_aware=True)(x)
        assert_physically_equal(found, q(27e-6, u.volt**2), digits_lost=10)
        check_jacobian(CUBES[name], (x,))


@each("member", MEMBERS)
def test_zero_with_a_unit_begins_a_sum(member):
    # the class of bug: a concrete 0 is neutral in the unit package's sums, a traced one is not
    for zero in (0 * u.mV, q(0.0, u.mV), q(0.0, u.volt)):

        def fun(x, zero=zero):
            total = lax.scan(lambda c, k: (c + k * x, None), zero + 0 * x, jnp.arange(3.0))[0]
            return sum([total, x], 0 * u.mV) * x

        unit = u.get_unit(fun(q(3.0, u.mV)))
        expected = Derivatives(q(24.0, u.mV), jnp.asarray(8.0), q(1.0, u.mV))
        assert_physically_equal(member(fun, q(3.0, u.mV)), member.expected(expected))
        assert unit.has_same_dim(u.mV**2)


def test_membrane_that_is_integrated_agrees_with_the_closed_form():
    # dV/dt = (I - g (V - E)) / C by exponential Euler steps, which are exact here
    def voltage(p):
        def step(V, _):
            slope = grad(lambda V: (p["I"] - p["g"] * (V - p["E"])) / p["C"], unit_aware=True)
            rate = (p["I"] - p["g"] * (V - p["E"])) / p["C"]
            z = p["dt"] * slope(V)
            return V + p["dt"] * rate * u.math.expm1(z) / z, V

        return lax.scan(step, p["E"], length=50)[0]

    def exact(p):
        t = 50 * p["dt"]
        return p["E"] + p["I"] / p["g"] * (1 - u.math.exp(-p["g"] * t / p["C"]))

    with jax.enable_x64(True):
        p = {
            "I": q(0.3, u.nA),
            "g": q(20.0, u.nS),
            "C": q(100.0, u.pF),
            "E": q(-65.0, u.mV),
            "dt": q(0.1, u.ms),
        }
        for transform in (jacfwd, jacrev):
            found = transform(voltage, unit_aware=True, jit=True)(p)
            assert_physically_equal(found, grad(exact, unit_aware=True)(p), digits_lost=1e4)
        curved = hessian(voltage, unit_aware=True, jit=True)(p)
        expected = hessian(exact, unit_aware=True)(p)
        for name in p:
            assert_physically_equal(curved[name]["g"], expected[name]["g"], digits_lost=1e6)


# Transforms inside of transforms

FIRST = {"grad": grad, "jacfwd": jacfwd, "jacrev": jacrev, "jacobian": jacobian}


@pytest.mark.parametrize("outer", FIRST)
@pytest.mark.parametrize("inner", [*FIRST, "vector_grad", "value_and_grad"])
def test_transforms_nest(outer, inner):
    transform = {**FIRST, "vector_grad": vector_grad, "value_and_grad": value_and_grad}[inner]

    def slope(p):
        found = transform(lambda p: p["g"] * p["V"] ** 3, unit_aware=True)(p)
        return (found[1] if inner == "value_and_grad" else found)["V"]

    found = FIRST[outer](slope, unit_aware=True)({"g": q(2.0, u.nS), "V": q(3.0, u.mV)})
    assert_same(found, {"g": q(27.0, u.mV**2), "V": q(36.0, u.nS * u.mV)})


@pytest.mark.parametrize("outer", FIRST)
@pytest.mark.parametrize("inner", TRANSFORMS, ids=lambda m: m.name)
@eager_and_compiled
def test_inner_transform_differentiates_the_state_of_the_outer_one(outer, inner, jit):
    V = State(q(3.0, u.mV), name="V")

    def fun(g):
        return inner(lambda g: g**2 * V.value**4, g, state=V)

    def picked(g):
        found = fun(g)
        return found[0][0] if inner.name == "hessian" else found[0]

    power = 3 if inner.name != "hessian" else 2
    lead = 4.0 if inner.name != "hessian" else 12.0
    found = FIRST[outer](picked, grad_states=V, argnums=0, unit_aware=True, jit=jit)
    with unchanged(V):
        by_V, by_g = found(q(2.0, u.nS))
    W = u.nS**2 * u.mV**4
    for _ in range(4 - power):
        W = W / u.mV
    expected_V = lead * power * 4.0 * 3.0 ** (power - 1)
    assert_physically_equal(by_V, q(expected_V, W / u.mV))
    assert_physically_equal(by_g, q(lead * 2 * 2.0 * 3.0**power, W / u.nS))


@pytest.mark.parametrize("outer", FIRST)
@eager_and_compiled
def test_inner_transform_writes_the_state_that_the_outer_one_differentiates(outer, jit):
    V = State(q(3.0, u.mV), name="V")

    def write(x):
        V.value = V.value * x
        return V.value**2

    def fun(x):
        by_V, by_x = grad(write, grad_states=V, argnums=0, unit_aware=True)(x)
        assert u.get_unit(by_x) == u.mV**2
        return by_V * V.value  # 2 V x^2 * V x

    transform = FIRST[outer](fun, grad_states=V, argnums=0, unit_aware=True, jit=jit)
    assert_same(transform(2.0), (q(12.0 * 8.0, u.mV), q(6.0 * 9.0 * 4.0, u.mV**2)))
    assert_same(V.value, q(6.0, u.mV))


def test_products_of_a_state_inside_of_a_transform_of_the_same_state():
    V = State(q(3.0, u.mV), name="V")
    cube = lambda: V.value**3  # noqa: E731
    slopes = {
        "vjp": lambda: vjp(cube, grad_states=V)[1](1.0),
        "linearize": lambda: linearize(cube, grad_states=V)[1](q(1.0, u.mV)) / q(1.0, u.mV),
        "jvp": lambda: jvp(cube, (), (), grad_states=V, state_tangents=q(1.0, u.mV))[1] / u.mV,
    }
    for name, slope in slopes.items():
        assert_same({name: slope()}, {name: q(27.0, u.mV**2)})
        for transform in (grad, jacfwd, jacrev, vector_grad):
            assert_same(transform(slope, grad_states=V, unit_aware=True)(), q(18.0, u.mV))
    for transform in (jacfwd, jacrev):
        third = transform(hessian(cube, grad_states=V, unit_aware=True), grad_states=V)
        assert_same(third(), jnp.asarray(6.0))


def test_transforms_inside_of_those_of_jax():
    slope = grad(lambda x: x**3, unit_aware=True)
    x = q(3.0, u.mV)
    assert_same(jax.jit(jax.checkpoint(slope))(x), q(27.0, u.mV**2))
    trail = lax.scan(lambda c, _: (c + slope(c) / u.mV, slope(c)), x, length=2)[1]
    assert_same(trail, q([27.0, 2700.0], u.mV**2))
    rows = jax.vmap(hessian(lambda x: x**4, unit_aware=True))(q([1.0, 2.0], u.mV))
    assert_same(rows, q([12.0, 48.0], u.mV**2))
    bare = jax.jacfwd(jax.grad(lambda x: slope(x * u.mV).mantissa))(3.0)
    assert_same(bare, jnp.asarray(6.0))
    root = lax.fori_loop(  # Newton's method for x^2 = 2 V^2
        0,
        6,
        lambda _, x: x - (x**2 - 2 * u.volt**2) / grad(lambda x: x**2, unit_aware=True)(x),
        q(1.0, u.volt),
    )
    assert_same(root, q(np.sqrt(2.0), u.volt))


@pytest.mark.parametrize("jit", [False, True], ids=["", "compiled inside"])
def test_batches_of_gradients_of_states(jit):
    g = State(q(2.0, u.nS), name="g")
    made = grad(lambda V: g.value * V**2, grad_states=g, argnums=0, unit_aware=True, jit=jit)
    by_g, by_V = jax.jit(jax.vmap(made))(q([1.0, 2.0, 3.0], u.mV))
    assert_same(by_g, q([1.0, 4.0, 9.0], u.mV**2))
    assert_same(by_V, q([4.0, 8.0, 12.0], u.nS * u.mV))


# Second derivatives and products of random functions


def check_second_derivatives(function: Function) -> None:
    """Against JAX on bare numbers in SI, with the inputs written in other units."""
    hypothesis.note(function.text)
    fun = lambda leaves: function.on(QUANTITIES, *leaves)  # noqa: E731
    found = hessian(fun, unit_aware=True, jit=True)(function.quantities(rewritten=True))
    bare = jax.jit(jax.hessian(lambda leaves: function.on(BARE, *leaves)))(function.point)
    kinds = [node.dimension for node in function.nodes]
    for (i, node), j, k in itertools.product(
        enumerate(function.outputs), *[range(len(function.point))] * 2
    ):
        block, expected = in_si(found[i][j][k]), np.asarray(bare[i][j][k])
        dimension = product(product(node.dimension, kinds[j], -1), kinds[k], -1)
        assert exponents(u.get_unit(found[i][j][k])) == pytest.approx(list(map(float, dimension)))
        natural = np.max(np.abs(node.value))
        for n in (j, k):
            natural /= np.min(np.abs(function.point[n]))
        assert block.shape == expected.shape
        assert np.max(np.abs(block - expected)) <= 1e-9 * (natural + np.max(np.abs(expected)))


def check_products(function: Function) -> None:
    """A cotangent paired with what is pushed is what is pulled paired with the tangent."""
    hypothesis.note(function.text)
    rng = np.random.default_rng(function.program.numbers)
    fun = lambda leaves: function.on(QUANTITIES, *leaves)  # noqa: E731
    leaves = function.quantities()
    tangent = [x * rng.uniform(0.5, 1.5, x.shape) for x in function.quantities(rewritten=True)]
    values, pull = vjp(fun, leaves)
    _, push = linearize(fun, leaves)
    cotangent = [rng.uniform(0.5, 1.5, y.shape) / u.get_unit(y) for y in values]
    pushed, pulled = push(tangent), pull(cotangent)
    for dy, again, y in zip(pushed, jvp(fun, (leaves,), (tangent,))[1], values, strict=True):
        assert np.max(np.abs(in_si(dy - again))) <= 1e-9 * np.max(np.abs(in_si(y)))
    one = [in_si(u.math.sum(ct * dy)) for ct, dy in zip(cotangent, pushed, strict=True)]
    other = [in_si(u.math.sum(dx * g)) for dx, g in zip(tangent, pulled, strict=True)]
    size = max(map(abs, one + other)) + len(one)
    assert abs(sum(one) - sum(other)) <= 1e-9 * size


@pytest.mark.parametrize(
    ("check", "examples"),
    [
        (check_second_derivatives, 6),
        (check_products, 30),
        pytest.param(check_second_derivatives, 200, marks=pytest.mark.slow),
        pytest.param(check_products, 1000, marks=pytest.mark.slow),
    ],
)
def test_second_derivatives_and_products_of_random_functions(check, examples, request):
    if examples >= 200 and "slow" not in request.config.option.markexpr:
        pytest.skip("hundreds of functions take minutes: run them with -m slow")
    assert run(check, examples)["functions"] >= examples


# Derivatives of rates at the voltages where the textbook's formula is 0 / 0

v = sympy.Symbol("v", real=True)
RATES = {
    "alpha_m": (hh.alpha_m, sympy.Rational(1, 10) * (v + 40), -40.0),
    "alpha_n": (hh.alpha_n, sympy.Rational(1, 100) * (v + 55), -55.0),
}
PER = u.Quantity(1.0, unit=u.mV)
WAYS: dict[str, Callable[[Any], Any]] = {
    "hessian": lambda f: hessian(f, unit_aware=True),
    "hessian, rev-over-rev": lambda f: hessian(f, unit_aware=True, mode="rev-over-rev"),
    "hessian, fwd-over-fwd": lambda f: hessian(f, unit_aware=True, mode="fwd-over-fwd"),
    "vector_grad twice": lambda f: vector_grad(vector_grad(f, unit_aware=True), unit_aware=True),
    "jvp of grad": lambda f: lambda V: jvp(grad(f, unit_aware=True), (V,), (PER,))[1] / PER,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("x64", [False, True], ids=["x32", "x64"])
def test_second_derivative_of_a_rate_at_its_singular_voltage(name, way, x64):
    rate, numerator, singular = RATES[name]
    curve = sympy.diff(numerator / (1 - sympy.exp(-(v - sympy.Rational(singular)) / 10)), v, 2)
    at = [sympy.Rational(singular + offset) for offset in (0.0, 0.125, -2.0)]
    exact = [sympy.limit(curve, v, at[0]), *(curve.subs(v, x) for x in at[1:])]
    with jax.enable_x64(x64):
        expected = q([float(sympy.N(x, 20)) for x in exact], u.ms**-1 / u.mV**2)
        V = q(np.array(at, float), u.mV)
        for written in (V, V.in_unit(u.volt)):
            found = jax.jit(jax.vmap(WAYS[way](rate)))(written)
            assert_physically_equal(found, expected, digits_lost=1e3)
