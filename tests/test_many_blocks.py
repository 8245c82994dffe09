"""Jacobians of many blocks: the same blocks as of few, from a program that stays small."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    REV,
    assert_physically_equal,
    assert_same,
    dtype_of,
    is_quantity,
    mixes_dtypes,
    q,
    three_transforms,
)

from unitjac import State, UnitsDroppedWarning

COUNT = 16  # parameters and outputs: 256 blocks, as many as are no longer cut in the program
UNITS = ("mV", "V", "ms", "1", "uS", "minute")


def parameters():
    """Scalars, a vector and a matrix, in units of several dimensions and scales."""
    shapes = {3: (2,), 7: (1, 2)}
    return {
        f"p{n:02d}": q(np.full(shapes.get(n, ()), 1.0 + n / 8), UNITS[n % len(UNITS)])
        for n in range(COUNT)
    }


def sums(p):
    """Outputs that each depend on a parameter and on the one before it."""
    leaves = list(p.values())
    totals = [u.math.sum(leaf) if np.ndim(leaf) else leaf for leaf in leaves]
    outputs = [leaf * total for leaf, total in zip(leaves, totals[-1:] + totals[:-1], strict=True)]
    return outputs[:-1], {"last": outputs[-1]}


def bare_rows():
    """The blocks in closed form, on bare magnitudes, row by row."""
    leaves = {name: np.asarray(leaf.mantissa) for name, leaf in parameters().items()}
    names = list(leaves)
    rows = []
    for own, before in zip(names, names[-1:] + names[:-1], strict=True):
        leaf, other = leaves[own], leaves[before]
        row = {name: np.zeros(leaf.shape + x.shape, np.float32) for name, x in leaves.items()}
        row[own] = np.sum(other) * np.eye(leaf.size, dtype="float32").reshape(leaf.shape * 2)
        row[before] = leaf.reshape(leaf.shape + (1,) * other.ndim) * np.ones_like(other)
        rows.append(row)
    return rows


def expected_rows():
    """The same, each block in the unit of its output over that of its input."""
    p = parameters()
    units = [u.get_unit(out) for out in jax.tree.leaves(sums(p), is_leaf=is_quantity)]
    return [
        {
            name: u.maybe_decimal(u.Quantity(jnp.asarray(block), unit=unit / p[name].unit))
            for name, block in row.items()
        }
        for row, unit in zip(bare_rows(), units, strict=True)
    ]


def expected(names):
    """The Jacobian with respect to some of the parameters."""
    rows = [{name: row[name] for name in names} for row in expected_rows()]
    return rows[:-1], {"last": rows[-1]}


@pytest.mark.parametrize("jit_outside", [False, True], ids=["", "under an outer jit"])
def test_blocks_of_arguments(jit_outside):
    def fun(p):
        return sums(p), p["p00"]

    p = parameters()
    jac = REV(fun, has_aux=True, return_value=True, unit_aware=True, jit=True)
    for _ in range(2):
        found, value, aux = (jax.jit(jac) if jit_outside else jac)(p)
        assert_same(found, expected(p), digits_lost=4)
        assert_same((value, aux), (sums(p), p["p00"]))


@three_transforms
def test_blocks_of_states_and_of_states_beside_arguments(transform):
    p = parameters()
    for half in (COUNT, 7):
        names, others = list(p)[:half], list(p)[half:]
        state = State({name: p[name] for name in names}, name="half")
        jac = transform(
            lambda rest, state=state: sums({**state.value, **rest}),
            grad_states={"s": state},
            argnums=0 if others else None,
            unit_aware=True,
            jit=True,
        )
        found = jac({name: p[name] for name in others})
        by_state = {"s": expected(names)}
        assert_same(found, (by_state, expected(others)) if others else by_state, digits_lost=4)


@three_transforms
def test_program_of_many_blocks_gives_back_one_array_for_an_output(transform):
    # the class of bug: minutes in the compiler, for thousands of blocks that are only cuts
    jac = transform(sums, unit_aware=True, jit=True)
    lowered = jac._call.lower((parameters(),), {})
    assert len(jax.tree.leaves(lowered.out_info)) == COUNT


@mixes_dtypes
def test_many_blocks_of_mixed_precision_beside_integers():
    # a narrow parameter has narrow blocks, an integer none
    def fun(p):
        return sums({name: leaf for name, leaf in p.items() if name[0] == "p"})

    p = {**parameters(), "n": jnp.arange(3), "flag": True}
    p["p03"] = q(p["p03"].mantissa, p["p03"].unit, "float16")
    found = REV(fun, allow_int=True, unit_aware=True, jit=True)(p)
    rows = [*found[0], found[1]["last"]]
    shapes = [np.shape(leaf) for leaf in parameters().values()]  # those of the outputs too
    for row, shape in zip(rows, shapes, strict=True):
        integers = row.pop("n"), row.pop("flag")
        none = (np.zeros(shape + of, jax.dtypes.float0) for of in ((3,), ()))
        assert_same(integers, tuple(none))
        assert (dtype_of(row["p03"]), dtype_of(row["p04"])) == ("float16", "float32")
    assert_physically_equal(rows, expected_rows(), digits_lost=1e3)


def test_many_blocks_without_units():
    with pytest.warns(UnitsDroppedWarning):
        found = REV(sums, jit=True)(parameters())
    assert_same([*found[0], found[1]["last"]], bare_rows(), digits_lost=4)


def test_many_blocks_in_other_units_are_physically_the_same():
    base = parameters()
    other = {k: v.in_unit(u.nS) if v.unit == u.uS else v for k, v in base.items()}
    other = {k: v.in_unit(u.volt) if v.unit == u.mV else v for k, v in other.items()}
    jac = REV(sums, unit_aware=True, jit=True)
    assert_physically_equal(jac(other), jac(base), digits_lost=16)


def test_many_blocks_with_scales_that_take_several_steps():
    big, small = u.parse_unit("Ym"), u.parse_unit("ym")

    def fun(x, k):
        return [u.Quantity(a.mantissa * k, unit=big) for a in x]

    x, k = [q(1.0, small)] * COUNT, jnp.float32(1e-30)
    found = REV(fun, unit_aware=True, jit=True)(x, k)
    assert_same([row[i] for i, row in enumerate(found)], [jnp.asarray(1e18)] * COUNT, 4)
    assert_same(found[0][1:], [jnp.asarray(0.0)] * (COUNT - 1))


def test_many_blocks_leak_no_tracer():
    jac = REV(lambda x: [a**2 for a in x], unit_aware=True, jit=True)
    x = [q(float(n), u.mV) for n in range(COUNT)]
    with jax.checking_leaks():
        found = jac(x)
    assert_same([row[i] for i, row in enumerate(found)], [2 * a for a in x])
