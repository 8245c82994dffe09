"""A function that returns None: Jacobians and gradients say so, products are as in JAX."""

from typing import Any

import pytest

import unitjac


def forgotten(x: Any) -> None:
    x * 2.0


@pytest.mark.parametrize(
    "name", ["jacrev", "jacfwd", "jacobian", "hessian", "grad", "value_and_grad", "vector_grad"]
)
def test_jacobians_and_gradients_ask_for_the_return_statement(name: str) -> None:
    with pytest.raises(TypeError, match=r"forgotten returns None, .* return statement missing"):
        getattr(unitjac, name)(forgotten)(1.0)


def test_aux_does_not_stand_in_for_an_output() -> None:
    with pytest.raises(TypeError, match="returns None, so that there is nothing"):
        unitjac.jacrev(lambda x: (None, x), has_aux=True)(1.0)


def test_sparse_jacobians_ask_for_it_too() -> None:
    with pytest.raises(TypeError, match="forgotten returns None, so that"):
        unitjac.sparse_jacobian(forgotten, 1.0)


def test_an_empty_tree_has_an_empty_jacobian_as_in_jax() -> None:
    for empty in ({}, (), {"a": None}):
        assert unitjac.jacfwd(lambda x, empty=empty: empty)(1.0) == empty
        assert unitjac.jacrev(lambda x, empty=empty: empty)(1.0) == empty


def test_products_of_none_are_as_in_jax() -> None:
    assert unitjac.jvp(forgotten, (1.0,), (1.0,)) == (None, None)
    assert unitjac.vjp(forgotten, 1.0)[0] is None
