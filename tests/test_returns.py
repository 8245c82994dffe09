"""What comes back: the twelve shapes, from each transform, called in each way.

The judge is ``jax.jacrev`` of the same model on bare magnitudes, each block times the unit that
was worked out by hand in ``UNITS``.
"""

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import pytest
from helpers import (
    assert_same,
    each,
    each_transform,
    magnitudes,
    q,
    three_transforms,
)

from unitjac import State

# A patch of membrane: the current through a channel, what it dissipates, and a shifted voltage.
# Bare numbers are in mV, uS, nA, pW and, for the shifted voltage, V.


def patch(E, p, V, g, where="soma"):
    """The model on bare magnitudes: reversal potentials, open fraction, voltages, conductances."""
    assert where == "soma"
    na = g["Na"] * p * (V - E["Na"])
    return {"I": (na, [jnp.sum(na * V)]), "shifted": (V - E["Na"]) / 1000}


class Patch:
    """The same model on quantities, with reversal potentials and open fraction as states."""

    def __init__(self):
        self.E = State({"Na": q(50.0, u.mV)}, name="E")
        self.p = State(jnp.asarray(0.4), name="p")

    @property
    def bare_states(self):
        return magnitudes([self.E.value, self.p.value])

    def __call__(self, V, g, where="soma"):
        E, p = self.E.value, self.p.value
        assert where == "soma"
        na = g["Na"] * p * (V - E["Na"])
        return {"I": (na, [u.math.sum(na * V)]), "shifted": (V - E["Na"]).in_unit(u.volt)}

    def with_aux(self, V, g, where="soma"):
        output = self(V, g, where)
        return output, {"spike": u.math.max(V) > q(0.0, u.mV), "V": V, "p": self.p.value}


def arguments():
    return q([-65.0, -20.0, 11.0], u.mV), {"Na": q(1.2, u.uS)}


# The unit of d output / d input by hand, input by input: E, p, V, g. Where it has no dimension,
# the factor to the number one. Bare outputs against bare inputs have just these units.
nA_mV, nA_uS, pW_mV, pW_uS = (u.parse_unit(t) for t in ("nA/mV", "nA/uS", "pW/mV", "pW/uS"))
pW, V_uS = u.parse_unit("pW"), u.parse_unit("V/uS")
BY_HAND = {
    "I": ((nA_mV, u.nA, nA_mV, nA_uS), [(pW_mV, pW, pW_mV, pW_uS)]),
    "shifted": (1000, u.volt, 1000, V_uS),
}
OUTPUT_UNITS = {"I": (u.nA, [pW]), "shifted": u.volt}


def jacobian_by_hand(n: int, blocks: Any) -> Any:
    """The Jacobian with respect to input ``n``, from blocks of bare magnitudes for all inputs."""

    def one(by_hand: Any, inputs: Any) -> Any:
        return jax.tree.map(lambda block: times(block, by_hand[n]), inputs[n])

    return jax.tree.map(one, BY_HAND, blocks, is_leaf=is_row)


def times(block: Any, by_hand: Any) -> Any:
    return u.Quantity(block, unit=by_hand) if isinstance(by_hand, u.Unit) else block * by_hand


def is_row(node: Any) -> bool:
    return isinstance(node, tuple) and len(node) == 4


@dataclass(frozen=True)
class Expected:
    """The pieces of every one of the twelve shapes."""

    jacobians: list[Any]  # with respect to E, p, V, g
    value: Any
    aux: Any


@functools.cache
def expect(x64: bool = False) -> Expected:
    """What JAX says of the model on bare magnitudes, in the precision that is switched on."""
    model, (V, g) = Patch(), arguments()
    inputs = (*model.bare_states, V.mantissa, magnitudes(g))
    blocks, bare = jax.jit(lambda *x: (jax.jacrev(patch, argnums=range(4))(*x), patch(*x)))(*inputs)
    jacobians = [jacobian_by_hand(n, blocks) for n in range(4)]
    value = jax.tree.map(lambda m, unit: u.Quantity(m, unit=unit), bare, OUTPUT_UNITS)
    aux = {"spike": jnp.max(V.mantissa) > 0, "V": V, "p": model.p.value}
    return Expected(jacobians, value, aux)


@dataclass(frozen=True)
class Row:
    """A row of the contract: what is asked for, and what the derivative then is."""

    name: str
    states: Any  # from the model to grad_states
    argnums: Any
    derivative: Any  # from the four Jacobians to what comes back


def zipped(*jacobians: Any) -> Any:
    """The tree of outputs, with a tuple of the arguments' blocks inside."""
    outputs = jax.tree.structure(OUTPUT_UNITS)
    columns = [outputs.flatten_up_to(jacobian) for jacobian in jacobians]
    return outputs.unflatten(list(zip(*columns, strict=True)))


ARGUMENT_ROW = Row("arguments", lambda m: None, (0, 1), lambda j: zipped(j[2], j[3]))
STATE_ROW = Row(
    "states", lambda m: {"rev": m.E, "p": m.p}, None, lambda j: {"rev": j[0], "p": j[1]}
)
BOTH_ROW = Row(
    "both",
    lambda m: [m.p, m.E],
    (1, 0),
    lambda j: ([j[1], j[0]], zipped(j[3], j[2])),
)
ROWS = (
    ARGUMENT_ROW,
    Row("argument by default", lambda m: None, None, lambda j: j[2]),
    Row("int", lambda m: None, 1, lambda j: j[3]),
    Row("negative int", lambda m: None, -2, lambda j: j[2]),
    Row("sequence of one", lambda m: None, [1], lambda j: zipped(j[3])),
    STATE_ROW,
    Row("one state", lambda m: m.E, None, lambda j: j[0]),
    Row("list of one state", lambda m: [m.E], None, lambda j: [j[0]]),
    Row("tuple of states", lambda m: (m.p, m.E), None, lambda j: (j[1], j[0])),
    Row("nested states", lambda m: {"a": (m.E,)}, None, lambda j: {"a": (j[0],)}),
    BOTH_ROW,
    Row("one state and an int", lambda m: m.E, -1, lambda j: (j[0], j[3])),
    Row("no state and an int", lambda m: [], 0, lambda j: ([], j[2])),
)
CONTRACT = (ARGUMENT_ROW, STATE_ROW, BOTH_ROW)
COLUMNS = tuple(itertools.product((False, True), repeat=2))  # return_value, has_aux
NAMES = dict(zip(COLUMNS, ("default", "aux", "value", "both"), strict=True))
each_column = pytest.mark.parametrize(("return_value", "has_aux"), COLUMNS, ids=NAMES.values())


def call(transform, model, row, return_value, has_aux, **options):
    """The transform that a row and a column ask for."""
    return transform(
        model.with_aux if has_aux else model,
        grad_states=row.states(model),
        argnums=row.argnums,
        return_value=return_value,
        has_aux=has_aux,
        unit_aware=True,
        **options,
    )


def expected_return(expected: Expected, row: Row, return_value: bool, has_aux: bool) -> Any:
    derivative = row.derivative(expected.jacobians)
    if not (return_value or has_aux):
        return derivative
    return (
        derivative,
        *((expected.value,) if return_value else ()),
        *((expected.aux,) if has_aux else ()),
    )


def more_rows():
    """The contract's rows in every column, the other forms of ``argnums`` and states in one."""
    for row in ROWS:
        for column in COLUMNS if row in CONTRACT else COLUMNS[-1:]:
            yield pytest.param(row, *column, id=f"{row.name}-{NAMES[column]}")


@pytest.mark.parametrize(("row", "return_value", "has_aux"), list(more_rows()))
@each_transform
def test_every_shape_in_eager(transform, row, return_value, has_aux):
    found = call(transform, Patch(), row, return_value, has_aux)(*arguments())
    assert_same(found, expected_return(expect(), row, return_value, has_aux), 10)


@each("row", CONTRACT)
@each_column
@three_transforms
def test_every_shape_with_jit_true(transform, row, return_value, has_aux):
    jac = call(transform, Patch(), row, return_value, has_aux, jit=True)
    expected = expected_return(expect(), row, return_value, has_aux)
    for _ in range(2):
        assert_same(jac(*arguments()), expected, 10)


@each("row", CONTRACT)
@each_column
@three_transforms
def test_every_shape_under_an_outer_jit(transform, row, return_value, has_aux):
    found = jax.jit(call(transform, Patch(), row, return_value, has_aux))(*arguments())
    assert_same(found, expected_return(expect(), row, return_value, has_aux), 10)


@each("row", CONTRACT)
@each_column
@three_transforms
def test_every_shape_under_vmap(transform, row, return_value, has_aux):
    jac = jax.vmap(call(transform, Patch(), row, return_value, has_aux))
    batch = jax.tree.map(lambda x: jnp.stack([x, x]), arguments())
    expected = expected_return(expect(), row, return_value, has_aux)
    expected = jax.tree.map(lambda x: jnp.stack([x, x]), expected)
    assert_same(jac(*batch), expected, 10)


@each_transform
def test_no_way_to_call_it_leaks_a_tracer(transform):
    eager, jitted = (call(transform, Patch(), BOTH_ROW, True, True, jit=jit) for jit in (0, 1))
    with jax.checking_leaks():
        found = jax.jit(eager)(*arguments())
        compiled = jitted(*arguments())
        batched = jax.jit(jax.vmap(jitted))(*jax.tree.map(lambda x: x[None], arguments()))
    expected = expected_return(expect(), BOTH_ROW, True, True)
    assert_same(found, expected, 10)
    assert_same(compiled, expected, 10)
    assert_same(batched, jax.tree.map(lambda x: x[None], expected), 10)


@three_transforms
def test_an_eager_call_leaks_no_tracer(transform):
    model = Patch()  # a small function: leak checks switch JAX's caches off
    jac = transform(lambda x: x * model.p.value, grad_states=model.p, argnums=0, return_value=True)
    with jax.checking_leaks():
        found = jac(3.0)
    assert_same(jax.tree.map(float, found), ((3.0, 0.4), 1.2))


@three_transforms
def test_every_dtype_and_unit_in_float64(transform):
    with jax.enable_x64(True):
        found = jax.jit(call(transform, Patch(), BOTH_ROW, True, True))(*arguments())
        assert_same(found, expected_return(expect(x64=True), BOTH_ROW, True, True), 10)


@three_transforms
def test_a_static_argument_and_a_keyword_reach_the_function(transform):
    for jit in (False, True):
        jac = call(transform, Patch(), STATE_ROW, False, False, jit=jit)
        assert_same(jac(*arguments(), where="soma"), STATE_ROW.derivative(expect().jacobians), 10)
        assert_same(jac(*arguments(), "soma"), STATE_ROW.derivative(expect().jacobians), 10)
        with pytest.raises(AssertionError):
            jac(*arguments(), where="axon")
