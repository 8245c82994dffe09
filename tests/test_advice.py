"""No message advises a parameter that the function does not have."""

import inspect
import re

import jax.numpy as jnp
import pytest
from helpers import each

import unitjac
from unitjac import linalg, sensitivity, testing

PARAMETERS = {
    name
    for transform in (unitjac.jacrev, unitjac.jacobian, unitjac.sparse_jacobian, unitjac.fwd_grad)
    for name in inspect.signature(transform).parameters
    if "_" in name or name in ("argnums", "holomorphic")
}

# how each is called with a function and one argument
CALLS = {
    unitjac.jacrev: lambda f, x: unitjac.jacrev(f)(x),
    unitjac.jacfwd: lambda f, x: unitjac.jacfwd(f)(x),
    unitjac.jacobian: lambda f, x: unitjac.jacobian(f)(x),
    unitjac.grad: lambda f, x: unitjac.grad(f)(x),
    unitjac.value_and_grad: lambda f, x: unitjac.value_and_grad(f)(x),
    unitjac.vector_grad: lambda f, x: unitjac.vector_grad(f)(x),
    unitjac.fwd_grad: lambda f, x: unitjac.fwd_grad(f, key=0)(x),
    unitjac.hessian: lambda f, x: unitjac.hessian(f)(x),
    unitjac.sparse_jacobian: lambda f, x: unitjac.sparse_jacobian(f, x),
    unitjac.sparse_hessian: lambda f, x: unitjac.sparse_hessian(f, x),
    unitjac.vjp: lambda f, x: unitjac.vjp(f, x)[1](1.5),
    unitjac.jvp: lambda f, x: unitjac.jvp(f, (x,), (1.5,)),
    unitjac.linearize: lambda f, x: unitjac.linearize(f, x)[1](1.5),
    unitjac.linear_transpose: lambda f, x: unitjac.linear_transpose(f, x)(1.5),
    linalg.jacobian_matrix: lambda f, x: linalg.jacobian_matrix(f)(x),
    linalg.hessian_matrix: lambda f, x: linalg.hessian_matrix(f)(x),
    sensitivity.sensitivity_table: lambda f, x: sensitivity.sensitivity_table(f, x),
    testing.check_jacobian: lambda f, x: testing.check_jacobian(f, (x,)),
}

WRONG = {
    "a whole number": (lambda n: n * 1.5, 3),
    "a truth": (lambda n: jnp.where(n, 1.5, 2.5), True),
    "complex numbers": (lambda z: z, 1.5 + 1j),
    "no number": (lambda text: 1.5, "text"),
    "a whole number comes out": (lambda x: jnp.round(x).astype(int), 1.5),
    "a complex number comes out": (lambda x: x * 1j, 1.5),
    "several numbers come out": (lambda x: {"a": x, "b": jnp.ones(3) * x * 1j}, 1.5),
    "text comes out": (lambda x: "text", 1.5),
    "a state that is not used": (lambda x: x, 1.5),
}


@each("transform", CALLS, key=lambda transform: transform.__name__)
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_what_is_advised_can_be_typed(transform):
    offered = set(inspect.signature(transform).parameters)
    said = {}
    for what, (fun, x) in WRONG.items():
        try:
            CALLS[transform](fun, x)
        except (TypeError, ValueError) as error:
            text = " ".join([str(error), *getattr(error, "__notes__", [])])
            said[what] = set(re.findall(r"[a-z_]+", text)) & PARAMETERS - offered
    assert len(said) >= 3
    assert not any(said.values()), said


def test_what_to_do_where_no_parameter_helps():
    text = r"argument 0 must be an array, a number or a quantity .* Leave it out of what is "
    with pytest.raises(TypeError, match=text):
        unitjac.jvp(lambda text: 1.5, ("text",), (1.5,))
    text = r"output .* must be an array, a number or a quantity, got a str\. Leave it out\.(\n|$)"
    with pytest.raises(TypeError, match=text):
        unitjac.linear_transpose(lambda x: "text", 1.5)
    with pytest.raises(TypeError, match=r"got a str\. Return it as aux with has_aux=True\."):
        unitjac.jvp(lambda x: "text", (1.5,), (1.5,))
    with pytest.raises(TypeError, match=r"must be real or complex\. Convert it to float\.(\n|$)"):
        sensitivity.sensitivity_table(lambda x: jnp.round(x).astype(int), 1.5)
