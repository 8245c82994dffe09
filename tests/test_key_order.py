"""Keys come back in the order in which they were written, while arrays keep that of JAX."""

import random
from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unitjac
from tests.helpers import q
from unitjac.linalg import Axis, jacobian_matrix


class Pair(NamedTuple):
    second: Any
    first: Any


POINT = {"z": q(2.0, u.mV), "a": {"w": q(3.0, u.nS), "B": q(0.5, u.mV)}, "k": q([1.0, 2.0], u.mV)}


def fun(p: dict[str, Any]) -> dict[str, Any]:
    current = p["a"]["w"] * (p["z"] - p["a"]["B"])
    return {"out": current, "V": p["k"] * 2.0, "first": Pair(current * 2.0, p["z"])}


def order(tree: Any) -> Any:
    """The keys of a tree, dict by dict."""
    if isinstance(tree, dict):
        return [(key, order(value)) for key, value in tree.items()]
    if isinstance(tree, tuple):
        return [order(value) for value in tree]
    return None


WITHIN = order(POINT)
EXPECTED = [("out", WITHIN), ("V", WITHIN), ("first", [WITHIN, WITHIN])]


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("transform", [unitjac.jacrev, unitjac.jacfwd, unitjac.jacobian])
def test_blocks_have_the_order_of_the_function_and_of_the_arguments(
    transform: Any, jit: bool
) -> None:
    jac = transform(fun, unit_aware=True, jit=jit, return_value=True)
    for _ in range(2):  # traced, and kept
        blocks, value = jac(POINT)
        assert order(blocks) == EXPECTED
        assert list(value) == ["out", "V", "first"]
    assert {type(part) for part in (blocks, blocks["out"], blocks["V"]["a"], value)} == {dict}
    assert jax.tree.structure(value) == jax.tree.structure(jax.eval_shape(fun, POINT))


def test_the_numbers_are_those_of_sorted_keys() -> None:
    def in_order(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {key: in_order(tree[key]) for key in sorted(tree)}
        return tree

    blocks = unitjac.jacrev(fun, unit_aware=True)(POINT)
    other = unitjac.jacrev(lambda p: in_order(fun(p)), unit_aware=True)(in_order(POINT))
    unitjac.testing.assert_close(other, blocks)
    assert order(other) != order(blocks)


@pytest.mark.parametrize("jit", [False, True])
def test_gradients_second_derivatives_and_products(jit: bool) -> None:
    def energy(p: dict[str, Any]) -> Any:
        squares = p["z"] ** 2 + p["a"]["B"] ** 2 + (p["k"] ** 2).sum()
        return squares * p["a"]["w"]

    gradient = unitjac.grad(energy, unit_aware=True, jit=jit)(POINT)
    assert order(gradient) == WITHIN
    second = unitjac.hessian(energy, unit_aware=True, jit=jit)(POINT)
    assert [key for key, _ in order(second)] == ["z", "a", "k"]
    assert order(second["a"]["w"]) == WITHIN
    value, pushed = unitjac.jvp(fun, (POINT,), (POINT,))
    assert list(value) == list(pushed) == ["out", "V", "first"]


def test_states_by_their_names() -> None:
    states = {"z": unitjac.State(q(2.0, u.mV)), "a": unitjac.State(q(3.0, u.nS))}
    jac = unitjac.jacrev(
        lambda: {"y": states["z"].value * states["a"].value}, grad_states=states, unit_aware=True
    )
    assert order(jac()) == [("z", [("y", None)]), ("a", [("y", None)])]


def test_other_containers_keep_what_is_theirs() -> None:
    by_default: Any = defaultdict(list, z=q(1.0, u.mV), a=q(2.0, u.mV))
    ordered = OrderedDict(z=q(1.0, u.mV), a=q(2.0, u.mV))
    jac = unitjac.jacrev(lambda p: p, unit_aware=True)
    for point in (by_default, ordered):
        blocks = jac(point)
        assert type(blocks) is type(point)
        assert list(blocks) == list(blocks["z"]) == ["z", "a"]
    assert jac(by_default).default_factory is list


def test_keys_that_cannot_be_compared_are_as_jax_has_them() -> None:
    mixed = {1: 1.0, "a": 2.0}
    with pytest.raises((TypeError, ValueError)) as theirs:
        jax.tree.leaves(mixed)
    with pytest.raises(type(theirs.value)):
        unitjac.jacrev(lambda p: p[1])(mixed)


def test_plans_axes_and_matrices_show_it() -> None:
    plan = unitjac.jacrev(fun, unit_aware=True).plan(POINT)
    inputs = [block.input for block in plan.blocks][:4]
    names = ["['z']", "['a']['w']", "['a']['B']", "['k']"]
    assert inputs == [f"argument 0{name}" for name in names]
    assert plan.blocks[-1].output == "output['first'].first"
    J = jacobian_matrix(fun)(POINT)
    assert list(J.cols.labels) == ["a/B", "a/w", "k", "z"]  # where the columns are
    assert J.cols.shown_labels == ["z", "a/w", "a/B", "k"]
    assert J.to_csv().splitlines()[0] == "row,row unit,z [mV],a/w [nS],a/B [mV],k[0] [mV],k[1] [mV]"
    tree = J.cols.to_tree(J.cols.to_vector(POINT))
    assert order(tree) == WITHIN


def test_under_jit_and_vmap_of_the_user() -> None:
    jac = unitjac.jacrev(fun, unit_aware=True)
    with jax.checking_leaks():
        assert set(jax.jit(jac)(POINT)) == {"out", "V", "first"}  # which JAX itself sorts
        batch = jax.tree.map(lambda x: jnp.stack([x, x]), POINT)
        unitjac.testing.assert_close(jax.tree.map(lambda x: x[1], jax.vmap(jac)(batch)), jac(POINT))


def random_tree(rng: random.Random, depth: int) -> Any:
    if depth == 0 or rng.random() < 0.3:
        return q(rng.uniform(1.0, 2.0), rng.choice([u.mV, u.nS, u.ms]))
    keys = [chr(97 + k) for k in range(rng.randint(1, 4))]
    rng.shuffle(keys)
    if rng.random() < 0.2:
        return tuple(random_tree(rng, depth - 1) for _ in keys)
    return {key: random_tree(rng, depth - 1) for key in keys}


def test_random_trees_come_back_as_they_were_written() -> None:
    seed = random.SystemRandom().randint(0, 10**6)
    rng = random.Random(seed)
    print("seed", seed)
    for _ in range(20):
        tree = {"root": random_tree(rng, 3)}
        blocks = unitjac.jacrev(lambda p: {"y": p}, unit_aware=True)(tree)
        assert order(blocks) == [("y", within(tree, order(tree)))], seed
        axis = Axis.of(tree)
        vector = np.arange(float(axis.size))
        assert order(axis.to_tree(vector)) == order(tree), seed
        assert sorted(axis.shown_entries.tolist()) == list(range(axis.size)), seed


def within(tree: Any, inner: Any) -> Any:
    """The order of ``tree`` with another one at each leaf."""
    if isinstance(tree, dict):
        return [(key, within(value, inner)) for key, value in tree.items()]
    if isinstance(tree, tuple):
        return [within(value, inner) for value in tree]
    return inner
