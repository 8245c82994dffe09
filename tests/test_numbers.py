"""Dtypes, precision and scales: each block is the number that JAX gives, in the dtype of JAX."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    AUTO,
    AUTO_FWD,
    AUTO_REV,
    FWD,
    REV,
    TRANSFORMS,
    assert_physically_equal,
    assert_same,
    both_precisions,
    dtype_of,
    each,
    each_transform,
    eager_and_compiled,
    mixes_dtypes,
    q,
    three_transforms,
)
from jax import lax

from unitjac import State, jacobian, jacrev

# Mixed precision in one tree

REAL = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")


def mixed(dtypes):
    """From a list of arrays of any dtypes to one of numbers in ``dtypes``; each block differs."""

    def fun(xs):
        square = [jnp.sum(jnp.real(x * jnp.conj(x))).astype("float32") for x in xs]
        total = sum((n + 1) * s for n, s in enumerate(square))
        return [(total / 8 * (n + 1)).astype(dtype) for n, dtype in enumerate(dtypes)]

    return fun


def with_units(fun):
    return lambda xs: [u.Quantity(y, unit=u.nA) for y in fun([u.get_mantissa(x) for x in xs])]


@mixes_dtypes
@three_transforms
def test_leaves_of_every_precision_stand_side_by_side(transform):
    # forward mode takes real inputs and any outputs, reverse mode the other way round
    inputs, outputs = {
        "rev": (REAL + COMPLEX, REAL),
        "fwd": (REAL, REAL + COMPLEX),
        "auto": (REAL, REAL + COMPLEX),
    }[transform.mode]
    with jax.enable_x64(True):
        xs = [jnp.asarray([0.5, 0.25], dtype) for dtype in inputs]
        reference = transform.reference if transform.mode != "auto" else jax.jacfwd
        expected = jax.tree.map(
            lambda block: u.Quantity(block, unit=u.nA / u.mV),
            jax.jit(reference(mixed(outputs)))(xs),
        )
        jac = transform(with_units(mixed(outputs)), unit_aware=True, jit=True)
        assert_same(jac([u.Quantity(x, unit=u.mV) for x in xs]), expected)


@each_transform
def test_seventeen_bits_of_a_wide_leaf_survive_beside_a_narrow_one(transform):
    # the class of bug: one basis in the narrowest or in the widest dtype for all leaves
    def fun(p):
        return p["wide"] * np.pi, p["narrow"] * 3

    with jax.enable_x64(True):
        p = {"narrow": q(1.0, u.ms, "float16"), "wide": q(1.0, u.mV, "float64")}
        (by_wide, _) = transform(fun, unit_aware=True)(p)
        assert float(by_wide["wide"]) == np.pi


@pytest.mark.parametrize("dtype", [*REAL[:3], "complex64"])
@each_transform
def test_dtype_of_a_block_is_that_of_jax_at_default_precision(transform, dtype):
    complex_ = dtype.startswith("complex")
    x = q([1.0, 2.0], u.mV, dtype)
    jac = transform(lambda x: x**2, unit_aware=True, holomorphic=complex_)
    assert_same(jac(x), q(np.diag([2.0, 4.0]), u.mV, dtype))


@three_transforms
def test_one_compiled_transform_in_both_precisions(transform):
    jac = transform(lambda x: x**2, unit_aware=True, jit=True)
    for x64, dtype in ((False, "float32"), (True, "float64"), (False, "float32")):
        with jax.enable_x64(x64):
            assert_same(jac(q(3.0, u.mV)), q(6.0, u.mV, dtype))


# Numbers of Python and NumPy

PLAIN = {
    "Python float": (3.0, 0.0),
    "NumPy float64": (np.float64(3.0), 0.0),
    "NumPy float32": (np.float32(3.0), 0.0),
    "NumPy array": (np.asarray([3.0, 4.0]), 0.0),
    "NumPy array of float32": (np.asarray([3.0], np.float32), 0.0),
    "quantity of a Python float": (u.Quantity(3.0, unit=u.mV), 0.0),
    "quantity of a NumPy array": (u.Quantity(np.asarray([3.0, 4.0]), unit=u.mV), 0.0),
    "beside an integer that is not differentiated": (3.0, np.arange(2)),
}


@mixes_dtypes
@pytest.mark.parametrize("name", PLAIN)
@both_precisions
@eager_and_compiled
@three_transforms
def test_numbers_of_python_and_numpy(transform, jit, x64, name):
    def fun(x, weights):
        return x * x * (1 + jnp.sum(weights))

    x, weights = PLAIN[name]
    with jax.enable_x64(x64):
        bare = u.get_mantissa(x)
        expected = transform.reference_for(bare, bare)(fun)(bare, weights)
        if isinstance(x, u.Quantity):
            expected = u.Quantity(expected, unit=u.get_unit(x))
        assert_same(transform(fun, unit_aware=True, jit=jit)(x, weights), expected)


@eager_and_compiled
@each_transform
def test_python_complex(transform, jit):
    found = transform(lambda z: z**2 * u.mV, holomorphic=True, unit_aware=True, jit=jit)(1.0 + 2.0j)
    assert_same(found, q(2.0 + 4.0j, u.mV, "complex64"))


@each_transform
def test_outputs_of_python_and_numpy(transform):
    def fun(x):
        return {"python": 3.0, "array": np.ones(2), "quantity": u.Quantity(np.ones(1), unit=u.mV)}

    found, value = transform(fun, return_value=True, unit_aware=True)(q(1.0, u.ms))
    per, mV = u.ms**-1, u.mV
    expected = {"python": q(0.0, per), "array": q([0.0, 0.0], per), "quantity": q([0.0], mV / u.ms)}
    assert_same(found, expected)
    expected = {"python": jnp.asarray(3.0), "array": jnp.ones(2), "quantity": q([1.0], mV)}
    assert_same(value, expected)


# Complex numbers

COMPLEX_FUNCTIONS = {
    "real to real": (lambda x: x**2, 3.0),
    "real to complex": (lambda x: x**2 * (1 + 2j), 3.0),
    "many real to complex": (lambda x: jnp.sum(x**2) * (1 + 2j), [1.0, 2.0, 3.0]),
    "complex to real": (lambda z: jnp.real(z * jnp.conj(z)), 1.0 + 2.0j),
    "many complex to real": (lambda z: jnp.sum(jnp.real(z**2)), [1.0 + 2.0j, 3.0j]),
    "complex to many real": (lambda z: jnp.stack([jnp.real(z), jnp.imag(z)]), 1.0 + 2.0j),
    "complex to complex": (lambda z: z**3, 1.0 + 2.0j),
    "many complex to complex": (lambda z: jnp.sum(z**3), [1.0 + 2.0j, 3.0j]),
    "mixed outputs": (lambda x: (x**2, x * 1j), 3.0),
    "many to mixed outputs": (lambda x: (jnp.sum(x), jnp.sum(x**2) * 1j), [1.0, 2.0, 3.0]),
    "mixed inputs": (lambda p: jnp.real(p[0] * p[1]), (1.0 + 2.0j, 3.0)),
    "mixed on both sides": (lambda p: (p[0] * p[1], p[1] ** 2), (1.0 + 2.0j, 3.0)),
}


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except TypeError:
        return "refused"


@mixes_dtypes
@pytest.mark.parametrize("name", COMPLEX_FUNCTIONS)
@pytest.mark.parametrize("holomorphic", [False, True], ids=["", "holomorphic"])
@each_transform
def test_complex_numbers_are_taken_and_refused_as_in_jax(transform, name, holomorphic):
    fun, at = COMPLEX_FUNCTIONS[name]
    x = at if isinstance(at, tuple) else jnp.asarray(at)
    answers = {
        mode: outcome(lambda t=t: t(fun, holomorphic=holomorphic)(x))
        for mode, t in (("fwd", jax.jacfwd), ("rev", jax.jacrev))
    }
    if transform.mode != "auto":
        expected = answers[transform.mode]
    else:  # whichever mode of JAX takes it; where both do, they agree
        expected = answers["rev"] if answers["fwd"] == "refused" else answers["fwd"]
    found = outcome(lambda: transform(fun, holomorphic=holomorphic)(x))
    if isinstance(expected, str) or isinstance(found, str):
        assert found is expected
        return
    if transform.mode == "auto":  # the dtype is that of the mode that has fewer passes
        found = jax.tree.map(lambda a, b: a.astype(b.dtype), found, expected)
    assert_same(found, expected)


@three_transforms
def test_complex_quantities_have_units_as_real_ones_do(transform):
    def impedance(w):
        return 1 / (1j * w * q(2.0, u.nF, "complex64"))

    w = q(4.0, u.kHz, "complex64")
    found = transform(impedance, holomorphic=True, unit_aware=True)(w)
    assert found.unit == u.get_unit(impedance(w)) / u.kHz
    assert_same(found.in_unit(u.Mohm / u.kHz), q(1j / 32, u.Mohm / u.kHz, "complex64"))


# Integers


@mixes_dtypes
@pytest.mark.parametrize("way", ["eager", "compiled", "outer jit", "vmap"])
@pytest.mark.parametrize("transform", [t for t in TRANSFORMS if t is not FWD], ids=lambda t: t.name)
def test_integers_and_bools_have_blocks_of_float0_and_no_unit(transform, way):
    def fun(p):
        return {"y": p["x"] * p["n"] * p["q"].mantissa, "b": [p["x"] ** 2]}

    n = np.arange(3)
    p = {
        "x": q(2.0, u.mV),
        "n": n,
        "flag": True,
        "q": u.Quantity(jnp.asarray([1, 2, 3]), unit=u.ms),
    }
    p = {**p, "flag": np.asarray(True)} if way in ("outer jit", "vmap") else p
    jac = transform(fun, allow_int=True, unit_aware=True, jit=way == "compiled")
    if way == "vmap":
        p = jax.tree.map(lambda x: jnp.stack([x, x]), p)
    found = {"outer jit": jax.jit, "vmap": jax.vmap}.get(way, lambda f: f)(jac)(p)

    def none(*shape):
        return np.zeros((2, *shape) if way == "vmap" else shape, jax.dtypes.float0)

    def both(block):
        return jax.tree.map(lambda x: jnp.stack([x, x]), block) if way == "vmap" else block

    expected = {
        "y": {
            "x": both(jnp.asarray(n * [1.0, 2.0, 3.0], "float32")),
            "n": none(3, 3),
            "flag": none(3),
            "q": none(3, 3),
        },
        "b": [{"x": both(q(4.0, u.mV)), "n": none(3), "flag": none(), "q": none(3)}],
    }
    assert_same(found, expected)


@mixes_dtypes
@eager_and_compiled
def test_integers_alone_and_in_states(jit):
    s = State({"n": jnp.arange(2), "V": q(3.0, u.mV)}, name="s")

    def fun(k):
        return s.value["V"] ** 2 * k * jnp.sum(s.value["n"])

    jac = jacrev(fun, grad_states=s, argnums=0, allow_int=True, unit_aware=True, jit=jit)
    by_state, by_k = jac(4)
    assert_same(by_state, {"n": np.zeros((2,), jax.dtypes.float0), "V": q(24.0, u.mV)})
    assert dtype_of(by_k) == jax.dtypes.float0


# Scales

YOTTA, YOCTO, uV, nV = (u.parse_unit(text) for text in ("Ym", "ym", "uV", "nV"))


@dataclass(frozen=True)
class Scale:
    """A block of ``number`` in units whose ratio is far from one."""

    name: str
    dtype: str
    number: float
    output: u.Unit
    input: u.Unit
    expected: float


SCALES = (
    Scale("float16, 1e6 up", "float16", 1e-4, u.volt, uV, 100.0),
    Scale("float16, 1e6 down", "float16", 2e4, uV, u.volt, 0.02),
    Scale("float16, 1e9 up", "float16", 6e-8, u.volt, nV, 60.0),
    Scale("float16, 1e9 down", "float16", 6e4, nV, u.volt, 6e-5),
    Scale("bfloat16, 1e9 up", "bfloat16", 1e-4, u.volt, nV, 1e5),
    Scale("float32, 1e48 up", "float32", 1e-30, YOTTA, YOCTO, 1e18),
    Scale("float32, 1e48 down", "float32", 1e30, YOCTO, YOTTA, 1e-18),
    Scale("float16, 1e48 up and out", "float16", 1.0, YOTTA, YOCTO, np.inf),
    Scale("complex64, 1e48 down", "complex64", 1e30, YOCTO, YOTTA, 1e-18),
    Scale("minute over picosecond", "float16", 1e-3, u.minute, u.second, 0.06),
)


@each("scale", SCALES)
@eager_and_compiled
@three_transforms
def test_block_without_dimension_is_scaled_without_overflow_on_the_way(transform, jit, scale):
    number = jnp.asarray(scale.number, scale.dtype)
    holomorphic = scale.dtype.startswith("complex")
    jac = transform(
        lambda x, number: u.Quantity(x.mantissa * number, unit=scale.output),
        holomorphic=holomorphic,
        unit_aware=True,
        jit=jit,
    )
    found = jac(q(1.0, scale.input, scale.dtype), number)
    # what was lost when the number was written in its dtype is not lost here
    exact = np.asarray(number).astype(complex).real / scale.number * scale.expected
    expected = jnp.asarray(exact, scale.dtype)
    assert_same(found, expected)


def test_scale_is_applied_to_the_block_and_not_to_the_function():
    # in volts the square of 1e3 mV fits float16, in millivolts it would not
    jac = jacrev(lambda x: x.in_unit(u.volt) ** 2, return_value=True, unit_aware=True)
    block, value = jac(q(1e3, u.mV, "float16"))
    assert_same(value, q(1.0, u.volt**2, "float16"))
    assert_same(block.in_unit(u.volt), q(2.0, u.volt, "float16"), digits_lost=4)


# Functions that JAX treats in a way of their own


@jax.custom_jvp
def doubled_jvp(x):
    return jnp.sin(x)


doubled_jvp.defjvp(lambda x, dx: (jnp.sin(*x), 2 * jnp.cos(*x) * dx[0]))


@jax.custom_vjp
def doubled_vjp(x):
    return jnp.sin(x)


doubled_vjp.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (2 * jnp.cos(x) * g,))


def scanned(x):
    return lax.scan(lambda c, _: (c * x, c), jnp.ones_like(x), length=3)[0]


def looped(x):
    start = 0, jnp.ones_like(x)
    return lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), start)[1]


THREE = (REV, FWD, AUTO)
INNER = {
    # forward mode cannot push through custom_vjp, nor reverse mode pull through while_loop
    "custom_vjp": (doubled_vjp, (REV, AUTO_REV)),
    "while_loop": (looped, (FWD, AUTO, AUTO_FWD)),
    "custom_jvp": (doubled_jvp, THREE),
    "scan": (scanned, THREE),
    "fori_loop": (lambda x: lax.fori_loop(0, 3, lambda _, c: c * x, 1.0), THREE),
    "cond": (lambda x: lax.cond(x > 0, lambda x: x**3, lambda x: x, x), THREE),
    "checkpoint": (jax.checkpoint(lambda x: x**3), THREE),
    "jit": (jax.jit(lambda x: x**3), THREE),
    "grad": (jax.grad(lambda x: x**4 / 4), THREE),
    "vmap": (lambda x: jnp.sum(jax.vmap(lambda x: x**3)(x[None])), THREE),
}


@pytest.mark.parametrize(
    ("name", "transform"),
    [pytest.param(n, t, id=f"{n}-{t.name}") for n, row in INNER.items() for t in row[1]],
)
@eager_and_compiled
def test_functions_that_jax_treats_in_a_way_of_their_own(transform, jit, name):
    inner, _ = INNER[name]
    slope = 2 * np.cos(0.7) if name.startswith("custom") else 3 * 0.7**2
    jac = transform(lambda x: inner(x / u.mV) * u.nA, unit_aware=True, jit=jit)
    assert_same(jac(q(0.7, u.mV)), q(slope, u.nA / u.mV))


@pytest.mark.parametrize("n", [1, 5])
def test_mode_rev_takes_custom_vjp_whatever_the_sizes(n):
    def fun(x):
        return doubled_vjp(jnp.sum(x)) * jnp.ones(3)

    found = jacobian(fun, mode="rev")(jnp.full(n, 0.7 / n))
    assert_same(found, jnp.full((3, n), 2 * np.cos(0.7)), digits_lost=4)


def test_automatic_mode_names_the_other_mode_where_its_own_fails():
    # what is matched is JAX's own error and the note on it
    with pytest.raises(TypeError, match=r"custom_vjp[^$]*reverse mode may work here"):
        jacobian(doubled_vjp)(0.7)
    with pytest.raises(ValueError, match=r"while_loop[^$]*forward mode may work here"):
        jacobian(lambda x: looped(jnp.sum(x)))(jnp.ones(3))


# Finite differences


@three_transforms
def test_random_network_agrees_with_finite_differences(transform, rng):
    with jax.enable_x64(True):
        W, b = q(0.3 * rng.normal(size=(4, 3)), u.uS), q(0.3 * rng.normal(size=4), u.nA)
        s = State(b, name="b")

        def fun(V):
            current = u.math.tanh((W @ V + s.value) / u.nA)
            return [current * u.Hz, u.math.sum(V * V)]

        V, step = q(rng.normal(size=3), u.mV), 1e-5
        by_state, by_V = transform(fun, grad_states=s, argnums=0, unit_aware=True)(V)
        shifts = q(step * np.eye(3), u.mV)
        differences = zip(*[_differences(fun(V + d), fun(V - d)) for d in shifts], strict=True)
        slopes = [u.math.stack(columns, axis=-1) / q(2 * step, u.mV) for columns in differences]
        assert_physically_equal(by_V, slopes, digits_lost=1e6)
        # with respect to b the slope of the tanh, on the diagonal
        slope = 1 - u.math.tanh((W @ V + b) / u.nA) ** 2
        expected = [u.math.diag(slope) * (u.Hz / u.nA), q(np.zeros(4), u.mV**2 / u.nA)]
        assert_physically_equal(by_state, expected)


def _differences(up, down):
    return [a - b for a, b in zip(up, down, strict=True)]
