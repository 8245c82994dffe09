"""``debug_nan=True``: where a nan or an infinity arises is found, and nothing is changed by it."""

import inspect
import re

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import each, eager_and_compiled, q, unchanged

import unitjac as uj
from unitjac import State
from unitjac._transforms.nan_report import raise_found
from unitjac.linalg import hessian_matrix, jacobian_matrix
from unitjac.sparse import banded


def said(transform, *args, **kwargs):
    """What the error of a call says."""
    with pytest.raises(FloatingPointError) as caught:
        transform(*args, **kwargs)
    return str(caught.value)


def line_of(fun, text):
    """The line of ``fun`` in which ``text`` stands, as messages write it."""
    lines, start = inspect.getsourcelines(fun)
    (k,) = [k for k, line in enumerate(lines) if text in line]
    return f"at {__file__}:{start + k}, in {fun.__name__}: {lines[k].strip()}"


def root(x):
    return u.math.sqrt(x)


def total_root(x):
    return u.math.sum(u.math.sqrt(x))


X = q([1.0, 0.0, 4.0], u.mV**2)
MADE = "in the derivative of sqrt(argument 0 = 0 mV^2) = 0 at [1] of float32[3]"


def pulled(**options):
    return uj.vjp(root, X, **options)[1](jnp.ones(3))


def pushed(**options):
    return uj.linearize(root, X, **options)[1](X)


WAYS = {
    "jacrev": lambda **o: uj.jacrev(root, unit_aware=True, **o)(X),
    "jacfwd": lambda **o: uj.jacfwd(root, unit_aware=True, chunk_size=2, **o)(X),
    "jacobian": lambda **o: uj.jacobian(root, unit_aware=True, **o)(X),
    "grad": lambda **o: uj.grad(total_root, unit_aware=True, **o)(X),
    "value_and_grad": lambda **o: uj.value_and_grad(total_root, unit_aware=True, **o)(X),
    "vector_grad": lambda **o: uj.vector_grad(root, unit_aware=True, **o)(X),
    "hessian": lambda **o: uj.hessian(root, unit_aware=True, **o)(X),
    "jacobian_matrix": lambda **o: jacobian_matrix(root, **o)(X),
    "hessian_matrix": lambda **o: hessian_matrix(total_root, **o)(X),
    "sparse_jacobian": lambda **o: uj.sparse_jacobian(root, X, pattern=banded(3, 0, 0), **o)(X),
    "sparse_hessian": lambda **o: uj.sparse_hessian(total_root, X, pattern=banded(3, 0, 0), **o)(X),
}
PRODUCTS = {
    "vjp": pulled,
    "linearize": pushed,
    "jvp": lambda **o: uj.jvp(root, (X,), (X,), **o),
}


@each("name", WAYS, str)
@eager_and_compiled
def test_each_transform_names_block_operation_line_and_numbers(name, jit):
    way, fun = WAYS[name], total_root if name in ("grad", "value_and_grad") else root
    fun = total_root if "hessian_" in name or name == "sparse_hessian" else fun
    text = said(way, debug_nan=True, jit=jit)
    assert text.startswith(f"{name} of {fun.__name__}: the derivative of ")
    assert MADE in text
    assert line_of(fun, "return") in text
    assert "argument 0 = [1., 0., 4.] (float32[3]) mV^2" in text
    assert not all(np.isfinite(x).all() for x in jax.tree.leaves(way(jit=jit)))  # it comes out


@each("name", PRODUCTS, str)
def test_each_product_names_them_too(name):
    text = said(PRODUCTS[name], debug_nan=True)
    assert text.startswith(f"{name} of root: ")
    assert MADE in text
    assert line_of(root, "return") in text
    assert not np.isfinite(jax.tree.leaves(PRODUCTS[name]())[-1]).all()


def test_transpose_of_a_division_by_zero():
    def by_zero(x):
        return x / 0.0

    text = said(uj.linear_transpose(by_zero, q([1.0, 2.0], u.mV), debug_nan=True), jnp.ones(2))
    assert text.startswith("linear_transpose of ")
    assert "what is pulled back to argument 0 is inf at [0] (2 of its 2 numbers" in text
    assert "div(the cotangent = 1, 0) = inf at [0] of float32[2]" in text
    assert line_of(by_zero, "return") in text


@each("jit", [False, True], lambda jit: "compiled" if jit else "eager")
def test_what_is_finite_comes_back_as_without(jit):
    def fun(x, n):
        return {"a": x**2, "b": u.math.sum(x)}, "aux"

    options = dict(unit_aware=True, has_aux=True, return_value=True, jit=jit)
    plain = uj.jacrev(fun, **options)(X, 2)
    checked = uj.jacrev(fun, debug_nan=True, **options)(X, 2)
    assert jax.tree.structure(plain) == jax.tree.structure(checked)
    for one, other in zip(jax.tree.leaves(plain), jax.tree.leaves(checked), strict=True):
        np.testing.assert_array_equal(one, other)


def logarithm(x):
    return {"n": jnp.log(x), "m": x}


def quotient(x, y):
    return x / y


def power(x, y):
    return x**y


def distance(x):
    return jnp.linalg.norm(x)


def overflow(x):
    return jnp.exp(x) + 1


def all_masked(x):
    return jax.nn.logsumexp(jnp.where(x > 9, x, -jnp.inf)) - x[0] + jnp.inf


CASES = {
    "log(0)": (
        logarithm,
        (0.0,),
        0,
        "the value of output['n'] is -inf",
        "by log(argument 0 = 0) = -inf",
    ),
    "0/0": (
        quotient,
        (0.0, 0.0),
        (0, 1),
        "the value of output is nan",
        "by div(argument 0 = 0, argument 1 = 0) = nan",
    ),
    "x**y at 0": (
        power,
        (0.0, 0.5),
        (0,),
        "the derivative of output by argument 0 is inf",
        "in the derivative of pow(argument 0 = 0, 0.5) = 0",
    ),
    "norm at 0": (
        distance,
        (jnp.zeros(3),),
        0,
        "the derivative of output by argument 0 is nan at [0] (3 of its 3 numbers are not finite)",
        "in the derivative of sqrt(0) = 0",
    ),
    "overflow": (
        overflow,
        (100.0,),
        0,
        "the value of output is inf",
        "by exp(argument 0 = 100) = inf",
    ),
}


@each("name", CASES, str)
@each("make", [uj.jacrev, uj.jacfwd], lambda make: make.__name__)
def test_usual_suspects(name, make):
    fun, args, argnums, block, made = CASES[name]
    text = said(make(fun, argnums=argnums, debug_nan=True), *args)
    assert f"{make.__name__} of {fun.__name__}: {block}" in text
    assert made in text
    assert line_of(fun, "return") in text


def rate(V):
    x = (V + 40.0 * u.mV) / (10.0 * u.mV)
    return 0.1 / u.ms * u.math.where(x == 0, 1.0, x / (1 - u.math.exp(-x)))


@eager_and_compiled
def test_where_that_keeps_a_nan_out_of_the_value_and_not_out_of_the_derivative(jit):
    text = said(uj.grad(rate, unit_aware=True, debug_nan=True, jit=jit), -40.0 * u.mV)
    assert "the derivative of output by argument 0 is nan 1/(ms*mV)" in text
    assert "in the derivative of div(0, 0) = nan" in text
    assert line_of(rate, "where") in text
    assert "x_safe = where(is_here, 1.0, x)" in text
    uj.grad(rate, unit_aware=True, debug_nan=True, jit=jit)(-41.0 * u.mV)


def test_infinity_that_the_result_does_not_depend_on_is_nobodys_business():
    def masked(x, y):
        logits = jnp.where(jnp.arange(3) < 2, x, -jnp.inf)
        return jax.nn.softmax(logits) @ jnp.arange(3.0) + jnp.sum(jnp.where(y > 0, x / y, 0.0) ** 2)

    x, y = jnp.asarray([1.0, 2.0, 3.0]), jnp.asarray([1.0, 2.0, 0.0])
    assert np.isfinite(masked(x, y))
    uj.vector_grad(lambda x: masked(x, 1 + y), debug_nan=True)(x)
    text = said(uj.grad(masked, argnums=1, debug_nan=True), x, y)
    assert "argument 1 is nan at [2] (1 of its 3 numbers" in text  # and not that of the softmax
    assert "in the derivative of div(3, argument 1 = 0) = inf at [2] of float32[3]" in text


def test_nan_of_an_infinity_counts_where_the_infinity_arises():
    def fun(x):
        big = jnp.exp(100 * x)
        return big - 2 * big

    text = said(uj.grad(fun, debug_nan=True), 1.0)
    assert "by exp(100) = inf" in text
    assert line_of(fun, "exp") in text

    def meant(x):
        return jax.nn.logsumexp(jnp.where(x > 9, x, -jnp.inf)) - (-jnp.inf)

    assert "by sub(-inf, -inf) = nan" in said(uj.grad(meant, debug_nan=True), 1.0)


def halved(x):
    def body(c, k):
        c = c - 1.0 * u.mV
        return c, u.math.sqrt(c)

    return jax.lax.scan(body, x, jnp.arange(5))


@each("make", [uj.jacrev, uj.jacfwd], lambda make: make.__name__)
def test_step_of_a_scan_in_the_value_and_in_the_derivative(make):
    text = said(make(halved, unit_aware=True, debug_nan=True), 3.5 * u.mV)
    assert "the value of output[1] is nan mV^0.5 at [3] (2 of its 5 numbers" in text
    assert "by sqrt(-0.5) = nan" in text
    assert "in step 3 of a scan at " in text
    assert "lax.scan(body, x" in text

    def first(x):
        return halved(x)[1][:3]

    text = said(make(first, unit_aware=True, debug_nan=True), 3.0 * u.mV)
    if make is uj.jacfwd:
        assert "the derivative of output by argument 0 is inf 1/mV^0.5 at [2]" in text
        assert "in the derivative of sqrt(0) = 0" in text
        assert "in step 2 of a scan at " in text
    else:  # which goes back through the steps that are left out of the value, times zero
        assert "in the derivative of sqrt(-2) = nan" in text
        assert "in step 4 of a scan at " in text
        assert "The value does not take this number up" in text


def test_step_in_which_what_is_carried_becomes_nan():
    def carried(x):
        return jax.lax.scan(lambda c, k: (jnp.sqrt(c - k), None), x, jnp.arange(6.0))[0]

    text = said(uj.grad(carried, debug_nan=True), 1.0)
    assert "sqrt(-2) = nan" in text  # of 1 - 0, 1 - 1, 0 - 2
    assert "in step 2 of a scan" in text

    def looped(x):
        return jax.lax.while_loop(lambda s: s[0] < 6, lambda s: (s[0] + 1, jnp.log(s[1])), (0, x))

    text = said(uj.jacfwd(lambda x: looped(x)[1], debug_nan=True), 3.0)
    assert re.search(r"by log\(-2.36\d*\) = nan", text)  # 3, 1.10, 0.094, -2.36
    assert "in step 3 of a while" in text


def test_branch_of_a_condition():
    def fun(x):
        return jax.lax.cond(x > 1, lambda x: x, lambda x: u.math.sqrt(x - x), x)

    text = said(uj.grad(fun, debug_nan=True), 0.5)
    assert "in the derivative of sqrt(0) = 0" in text
    assert "in branch 0 of a cond at " in text
    assert float(uj.grad(fun, debug_nan=True)(2.0)) == 1.0


def test_rules_of_ones_own_and_checkpoints_are_gone_through():
    @jax.custom_jvp
    def mine(x):
        return x

    mine.defjvp(lambda primals, tangents: (primals[0], tangents[0] / (primals[0] - 1.0)))

    @jax.checkpoint
    def kept(x):
        return jnp.sqrt(mine(x) - 1.0)

    text = said(uj.jacrev(kept, debug_nan=True), 1.0)
    assert "in the derivative of sqrt(0) = 0" in text
    assert "div(1, 0) = inf" in said(uj.jacfwd(mine, debug_nan=True), 1.0)


def test_states_stay_as_they_were():
    V, n = State(1.0 * u.mV, name="V"), State(0, name="n")

    def fun(x):
        n.value = n.value + 1
        V.value = V.value - 1.0 * u.mV
        return x / V.value

    for jit in (False, True):
        for options in ({}, {"grad_states": V, "argnums": 0}):
            jac = uj.jacrev(fun, unit_aware=True, debug_nan=True, jit=jit, **options)
            with unchanged(V, n):
                text = said(jac, 3.0 * u.mA)
            assert "the value of output is inf S" in text
            assert "by div(argument 0 = 3 mA, 0) = inf" in text
            assert text.endswith("No state was written.")
    with unchanged(V, n), pytest.raises(FloatingPointError):
        uj.vjp(fun, 3.0 * u.mA, debug_nan=True)
    V.value = 3.0 * u.mV
    assert uj.jacrev(fun, unit_aware=True, debug_nan=True)(3.0 * u.mA).mantissa == 0.5
    assert (V.value.mantissa, n.value) == (2.0, 1)


def test_what_is_nan_when_it_goes_in_is_named():
    T, W = State(q([1.0, jnp.nan], u.mV), name="T"), State(jnp.inf, name="W")

    def fun(x, y, *, z):
        return x["a"] * y * z

    jac = uj.grad(fun, debug_nan=True)
    assert "argument 0['a'] is nan when it goes in" in said(jac, {"a": jnp.nan}, 1.0, z=1.0)
    assert "argument 1 is nan when it goes in" in said(jac, {"a": 1.0}, jnp.nan, z=1.0)
    assert "argument 'z' is inf when it goes in" in said(jac, {"a": 1.0}, 1.0, z=jnp.inf)
    of_state = uj.vector_grad(lambda x: x * T.value, unit_aware=True, debug_nan=True)
    assert "State(T: float32[2] mV) is nan mV at [1] (1 of its 2 numbers" in said(of_state, 1.0)
    assert "State(W: inf) is inf when" in said(uj.grad(lambda x: x * W.value, debug_nan=True), 1.0)
    assert "grad_states is nan mV at [1]" in said(
        uj.vector_grad(lambda: 2 * T.value, T, unit_aware=True, debug_nan=True)
    )
    constant = np.asarray([1.0, np.nan])
    assert "A constant of the function is nan at [1]" in said(
        uj.vector_grad(lambda x: x + jnp.asarray(constant), debug_nan=True), 1.0
    )


def test_cotangent_that_is_nan():
    _, pull = uj.vjp(lambda x: x**2, q([1.0, 2.0], u.mV), debug_nan=True)
    assert pull(jnp.ones(2)).unit == u.mV
    assert "the cotangent is nan at [1]" in said(pull, jnp.asarray([1.0, jnp.nan]))


def test_call_that_is_traced_is_told_how_to_be_checked():
    jac = uj.grad(lambda x: jnp.sqrt(x), debug_nan=True)
    text = r"looks at numbers, and this call is traced.*jit=True compiles.*jax.disable_jit\(\)"
    for traced, x in ((jax.jit(jac), 1.0), (jax.vmap(jac), jnp.ones(2)), (jax.grad(jac), 0.0)):
        with pytest.raises(ValueError, match=text):
            traced(x)
    with jax.disable_jit():
        assert "in the derivative of sqrt" in said(jax.jit(jac), 0.0)


def test_function_that_decides_in_python_is_told_that_its_operations_are_not_known():
    def fun(x):
        return jnp.sqrt(x) if x < 1 else x

    assert float(uj.grad(fun, debug_nan=True)(2.0)) == 1.0
    with pytest.raises(FloatingPointError, match=r"is not known, since the function decides on"):
        uj.grad(fun, debug_nan=True)(0.0)


def test_number_that_is_finite_operation_by_operation():
    # as where a compiled program rounds otherwise
    search = uj.grad(lambda x: 2 * x, debug_nan=True)._search((1.0,), {})
    with pytest.raises(FloatingPointError, match="and none where it is run operation by"):
        raise_found(search)


def root_of(held):
    """A function that reads a state of another library."""
    return lambda x: x * jnp.sqrt(held())


@eager_and_compiled
def test_state_of_brainstate(jit):
    brainstate = pytest.importorskip("brainstate")
    w = brainstate.HiddenState(jnp.asarray(0.0))
    jac = uj.grad(root_of(lambda: w.value), w, 0, debug_nan=True, jit=jit)
    text = said(jac, 2.0)
    assert "the derivative of output by grad_states is inf" in text
    assert "in the derivative of sqrt" in text
    assert float(w.value) == 0.0
    w.value = jnp.asarray(4.0)
    assert [float(x) for x in jac(2.0)] == [0.5, 2.0]

    def writing(x):
        w.value = w.value - x
        return x / w.value

    checked = uj.grad(writing, debug_nan=True, jit=jit)
    assert "by div(argument 0 = 4, 0) = inf" in said(checked, 4.0)
    assert float(w.value) == 4.0
    checked(1.0)
    assert float(w.value) == 3.0


@eager_and_compiled
def test_variable_of_flax(jit):
    nnx = pytest.importorskip("flax.nnx")
    w = nnx.Param(jnp.asarray(0.0))
    jac = uj.grad(root_of(w.get_value), w, 0, debug_nan=True, jit=jit)
    text = said(jac, 2.0)
    assert "the derivative of output by grad_states is inf" in text
    assert "in the derivative of sqrt" in text
    w.set_value(jnp.asarray(4.0))
    assert [float(x) for x in jac(2.0)] == [0.5, 2.0]


@eager_and_compiled
def test_function_is_called_once_where_all_is_finite(jit):
    calls = []

    def fun(x):
        calls.append(1)
        return u.math.sqrt(x)

    jac = uj.grad(fun, unit_aware=True, debug_nan=True, jit=jit)
    jac(4.0 * u.mV**2)
    assert len(calls) == 1
    jac(9.0 * u.mV**2)
    assert len(calls) == (1 if jit else 2)


def test_double_precision_and_half():
    with jax.enable_x64(True):
        text = said(uj.vector_grad(root, unit_aware=True, debug_nan=True), q([0.0, 1.0], u.mV**2))
        assert "of float64[2]" in text
    x = jnp.asarray([300.0, 1.0], jnp.float16)
    assert "integer_pow(argument 0 = 300) = inf at [0] of float16[2]" in said(
        uj.vector_grad(lambda x: x**2, debug_nan=True), x
    )
