"""What is said where a function fails inside of a transform: numbers, and what to type."""

import brainunit as u
import jax
import jax.numpy as jnp
import pytest
from helpers import each

import unitjac as uj
from unitjac import State
from unitjac.linalg import hessian_matrix, jacobian_matrix
from unitjac.sparse import banded

MAKERS = (uj.jacrev, uj.jacfwd, uj.jacobian, uj.grad, uj.vector_grad, uj.hessian, jacobian_matrix)
name_of = lambda make: make.__name__  # noqa: E731


def wrong(t):
    return (t + 1 * u.mV) * t


@each("make", MAKERS, name_of)
def test_unit_error_shows_numbers_and_keeps_its_type(make):
    for x, text in ((3.0, "3.0 ms + 1 mV"), (jnp.ones(2), "[1. 1.] ms + 1 mV")):
        with pytest.raises(u.UnitMismatchError) as error:
            make(wrong)(x * u.ms)
        assert text in str(error.value)
        assert "Tracer" not in str(error.value)
        assert error.traceback[-1].path != __file__
        assert any(entry.name == "wrong" for entry in error.traceback)


@each("make", MAKERS, name_of)
def test_compiled_it_shows_shapes(make):
    with pytest.raises(u.UnitMismatchError, match=r"float32\[2\] ms \+ ") as error:
        make(wrong, jit=True)(jnp.ones(2) * u.ms)
    assert "Tracer" not in str(error.value)


def test_products_show_numbers_too():
    x = 3.0 * u.ms
    for call in (
        lambda: uj.vjp(wrong, x),
        lambda: uj.jvp(wrong, (x,), (x,)),
        lambda: uj.linearize(wrong, x),
    ):
        with pytest.raises(u.UnitMismatchError, match=r"3.0 ms \+ 1 mV"):
            call()


def test_errors_of_the_users_own_show_numbers_and_run_once():
    V, calls = State(1.0 * u.mV, name="V"), []

    class Mine(Exception):
        pass

    def fun(x):
        calls.append(1)
        V.value = V.value + x
        raise Mine(f"V is {V.value}, x is {x.mantissa}", 3)

    with pytest.raises(Mine, match=r"^\('V is 3(\.0)? mV, x is 2(\.0)?', 3\)"):
        uj.grad(fun, unit_aware=True)(2.0 * u.mV)
    assert len(calls) == 1
    assert V.value == 1.0 * u.mV


def test_what_jax_says_of_its_tracers_stays():
    with pytest.raises(jax.errors.TracerBoolConversionError, match="traced array"):
        uj.grad(lambda x: x if x > 0 else -x, jit=True)(1.0)


# A function that has a derivative in one mode only


@jax.custom_vjp
def pulled(x):
    return x**2


pulled.defvjp(lambda x: (x**2, x), lambda x, ct: (2 * x * ct,))


def looped(x):
    return jax.lax.while_loop(lambda s: jnp.sum(s) < 9.0, lambda s: s * x, x)


X = 2.0
NO_FORWARD = {
    "jacfwd": (lambda f: uj.jacfwd(f)(X), "Type unitjac.jacrev: "),
    "jacobian": (lambda f: uj.jacobian(f)(X), 'Type mode="rev": '),
    "jacobian, compiled": (lambda f: uj.jacobian(f, mode="fwd", jit=True)(X), 'Type mode="rev": '),
    "jacobian_matrix": (lambda f: jacobian_matrix(f)(X), 'Type mode="rev": '),
    "hessian": (lambda f: uj.hessian(f)(X), 'Type mode="rev-over-rev": '),
    "hessian_matrix": (lambda f: hessian_matrix(f)(X), 'Type mode="rev-over-rev": '),
    "jvp": (lambda f: uj.jvp(f, (X,), (1.0,)), "Type unitjac.vjp: "),
    "linearize": (lambda f: uj.linearize(f, X)[1](1.0), "Type unitjac.vjp: "),
    "sparse_jacobian": (
        lambda f: uj.sparse_jacobian(f, X, mode="fwd", pattern=banded(1, 0, 0))(X),
        'Type mode="rev": ',
    ),
}
NO_REVERSE = {
    "jacrev": (lambda f: uj.jacrev(f)(X), "Type unitjac.jacfwd: "),
    "grad": (lambda f: uj.grad(f)(X), "Type unitjac.jacfwd: "),
    "value_and_grad": (lambda f: uj.value_and_grad(f)(X), r"Type unitjac.jacfwd\(..., return"),
    "vector_grad": (lambda f: uj.vector_grad(f)(X), "Type unitjac.jacfwd: "),
    "jacobian": (lambda f: uj.jacobian(f, mode="rev")(X), 'Type mode="fwd": '),
    "jacobian_matrix": (lambda f: jacobian_matrix(f, mode="rev")(X), 'Type mode="fwd": '),
    "vjp": (lambda f: uj.vjp(f, X)[1](1.0), "Type unitjac.jvp: "),
}


@each("name", NO_FORWARD, str)
def test_custom_vjp_in_forward_mode_ends_with_what_to_type(name):
    call, text = NO_FORWARD[name]
    with pytest.raises(TypeError, match=f"custom_vjp function. {text}it has a deriv") as error:
        call(pulled)
    assert str(error.value).endswith("reverse mode only.")


@each("name", NO_REVERSE, str)
def test_while_loop_in_reverse_mode_ends_with_what_to_type(name):
    call, text = NO_REVERSE[name]
    with pytest.raises(ValueError, match=f"while_loop.* {text}") as error:
        call(looped)
    assert str(error.value).endswith("forward mode only.")


def test_what_is_typed_works():
    assert float(uj.jacobian(pulled, mode="rev")(X)) == 4.0
    assert float(uj.hessian(pulled, mode="rev-over-rev")(X)) == 2.0
    assert float(uj.jacfwd(looped)(X)) == float(jax.jacfwd(looped)(X))
