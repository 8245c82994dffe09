"""What comes back from a transform goes where what JAX gives back goes.

Through jit as an output and as an argument, through vmap, scan (stacked and carried) and cond,
through pickle and copies: blocks and matrices of every transform. The linear maps of `vjp`,
`linearize` and `linear_transpose` are programs, which JAX does not pickle; they go through the
rest.
"""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import Counter, assert_same, q
from jax import lax

import unitjac as uj
from unitjac.linalg import UnitMatrix, hessian_matrix, jacobian_matrix
from unitjac.sparse import banded

V, points = q([3.0, 4.0], u.mV), q([[3.0, 4.0], [5.0, 6.0]], u.mV)
g = q([1.0, 2.0], u.nS)


def powers(V):
    return g * V**2


def tree(V):
    return {"P": powers(V), "V": V.in_unit(u.volt)}


def energy(V):
    return u.math.sum(powers(V))


AWARE = {"unit_aware": True}
SPARSE = {"pattern": banded(2, 0, 0)}
MAKERS: dict[str, Callable[..., Any]] = {
    "jacrev": uj.jacrev(tree, **AWARE),
    "jacrev, compiled": uj.jacrev(tree, jit=True, **AWARE),
    "jacfwd": uj.jacfwd(tree, return_value=True, **AWARE),
    "jacobian": uj.jacobian(tree, **AWARE),
    "grad": uj.grad(energy, **AWARE),
    "value_and_grad, compiled": uj.value_and_grad(energy, jit=True, **AWARE),
    "vector_grad": uj.vector_grad(powers, **AWARE),
    "fwd_grad": uj.fwd_grad(energy, key=0, tangent_size=2, **AWARE),
    "hessian": uj.hessian(energy, **AWARE),
    "jacobian_matrix": jacobian_matrix(tree),
    "jacobian_matrix, compiled": jacobian_matrix(tree, jit=True),
    "hessian_matrix": hessian_matrix(energy),
    "sparse_jacobian": uj.sparse_jacobian(powers, V, **SPARSE),
    "sparse_jacobian, compiled": uj.sparse_jacobian(powers, V, jit=True, **SPARSE),
    "sparse_hessian": uj.sparse_hessian(energy, V, **SPARSE),
}


@pytest.mark.parametrize("name", MAKERS)
def test_results_go_through_jax_and_are_pickled_and_copied(name):
    make = MAKERS[name]
    found = make(V)
    same = Counter(lambda result: result)
    identity = jax.jit(same)
    assert_same([jax.jit(make)(V), identity(found)], [found, found])
    identity(make(2 * V))
    assert same.calls == 1  # the same structure each time, and so one program
    carried, stacked = lax.scan(lambda r, V: (make(V), r), found, points)
    assert_same(carried, make(points[1]))
    assert_same(jax.tree.map(lambda leaf: leaf[1], stacked), make(points[0]))
    assert_same(lax.cond(False, lambda V: found, make, 2 * V), make(2 * V))
    ways = copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r)), jax.device_put
    for way in ways:
        assert_same(way(found), found)
    assert jax.tree.structure(jax.eval_shape(make, V)) == jax.tree.structure(found)


@pytest.mark.parametrize("name", MAKERS)
def test_batches_of_results_come_out_of_vmap_and_go_into_it(name):
    make = MAKERS[name]
    batch = jax.vmap(make)(points)
    for k in range(2):
        assert_same(_leaves(_row(batch, k)), _leaves(make(points[k])))
    if isinstance(batch, UnitMatrix):
        dV = q([[1.0, 0.0], [1.0, 1.0]], u.mV)
        products = jax.vmap(lambda matrix, dV: matrix @ dV)(batch, dV)
        for k in range(2):
            assert_same(_row(products, k), make(points[k]) @ dV[k])


def _row(tree: Any, k: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[k], tree)


def _leaves(tree: Any) -> list[Any]:
    return jax.tree.leaves(tree)


CONDUCTOR = uj.State(q(2.0, u.nS), name="g")
CUBE = lambda V: CONDUCTOR.value * V**3  # noqa: E731
LINEAR: dict[str, tuple[Callable[..., Any], Any, Callable[..., Any]]] = {
    # what makes a linear map at a point, what goes into it, and what comes out at V
    "vjp": (lambda V: uj.vjp(CUBE, V)[1], 1.0, lambda V: q(6.0, u.nS) * V**2),
    "vjp of a state": (
        lambda V: uj.vjp(CUBE, V, grad_states={"g": CONDUCTOR})[1],
        1.0,
        lambda V: ({"g": V**3}, q(6.0, u.nS) * V**2),
    ),
    "linearize": (
        lambda V: uj.linearize(CUBE, V)[1],
        q(1e-3, u.volt),
        lambda V: q(6.0, u.nS) * V**2 * q(1.0, u.mV),
    ),
    "linear_transpose": (
        lambda V: uj.linear_transpose(lambda x: x * V, q(1.0, u.pA)),
        1.0,
        lambda V: V,
    ),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_maps_go_through_jax_and_are_copied(name):
    make, along, expected = LINEAR[name]
    at, several = q(3.0, u.mV), q([3.0, 4.0, 5.0], u.mV)
    apply = Counter(lambda linear, along: linear(along))
    compiled = jax.jit(apply)
    linear = make(at)
    for same in (linear, jax.jit(make)(at), copy.copy(linear), jax.tree.map(lambda x: x, linear)):
        assert_same(same(along), expected(at))
        assert_same(compiled(same, along), expected(at))
    assert apply.calls == 2  # the maps of two calls are two programs, as in JAX
    rows = jax.vmap(lambda linear: linear(along))(jax.vmap(make)(several))
    _, stacked = lax.scan(lambda carry, V: (carry, make(V)), 0.0, several)
    for k in range(3):
        assert_same(_row(rows, k), expected(several[k]))
        assert_same(_row(stacked, k)(along), expected(several[k]))
    carried, _ = lax.scan(lambda linear, _: (linear, None), linear, length=2)
    assert_same(carried(along), expected(at))
    doubled = jax.tree.map(lambda x: 2 * x, linear)
    assert not np.array_equal(*map(np.asarray, map(_first, (doubled(along), linear(along)))))


def _first(tree: Any) -> Any:
    return _leaves(tree)[0]


def test_maps_are_pickled_where_those_of_jax_are():
    """JAX pickles no linear map: the program in it holds functions that have no name."""
    for make in (lambda x: jax.vjp(jnp.sin, x)[1], lambda x: uj.vjp(jnp.sin, x)[1]):
        with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
            pickle.dumps(make(1.0))
