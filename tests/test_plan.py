"""The plan: what it says is what a call then does, and how it reads."""

import pickle
from textwrap import dedent

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    AUTO,
    Neuron,
    dtype_of,
    each_transform,
    eager_and_compiled,
    is_quantity,
    q,
    three_transforms,
    unchanged,
)

from unitjac import Plan, State, jacobian, jacrev
from unitjac._units.unit_text import unit_text


def two_currents(p, scale):
    return {"I": (p["g"] * p["V"], scale * p["g"] ** 2), "P": u.math.sum(p["g"] * p["V"] ** 2)}


PARAMETERS = {"V": q(3.0, u.mV), "g": q([1.0, 2.0], u.uS)}


def test_plan_in_full():
    neuron = Neuron()
    plan = neuron.transform(jacrev).plan(q(3.0, u.nA))
    expected = dedent("""\
        jacrev of Neuron.pulse
          mode     reverse (as asked for), 2 passes
          inputs   3 numbers in 3 leaves
          outputs  2 numbers in 2 leaves
          reads    State(V: float32[] mV), State(R: float32[] Mohm), State(count: int32[])
          writes   State(V: float32[] mV), State(count: int32[])

        output          input             shape  unit
        output['V']     grad_states['V']  ()     1
        output['V']     grad_states['R']  ()     nA
        output['V']     argument 0        ()     Mohm
        output['P'][0]  grad_states['V']  ()     nA
        output['P'][0]  grad_states['R']  ()     nA^2
        output['P'][0]  argument 0        ()     mV""")
    lines = [line for line in str(plan).splitlines() if not line.startswith("  memory")]
    assert "\n".join(lines) == expected


@eager_and_compiled
@each_transform
def test_describe_prints_the_plan_and_gives_it_back(transform, jit, capsys):
    neuron = Neuron()
    jac = neuron.transform(transform, jit=jit)
    with unchanged(*neuron.states):
        plan = jac.describe(q(3.0, u.nA))
        assert plan == jac.plan(q(3.0, u.nA))
    assert capsys.readouterr().out == f"{plan}\n"
    assert isinstance(plan, Plan)
    assert pickle.loads(pickle.dumps(plan)) == plan


@each_transform
def test_plan_lists_the_blocks_that_a_call_gives_back(transform):
    jac = transform(two_currents, return_value=True, unit_aware=True)
    plan = jac.plan(PARAMETERS, 2.0)
    jacobian, value = jac(PARAMETERS, 2.0)
    blocks = jax.tree.leaves(jacobian, is_leaf=is_quantity)
    outputs = jax.tree.leaves(value, is_leaf=is_quantity)
    assert [(b.shape, b.unit) for b in plan.blocks] == [
        (np.shape(b), unit_text(u.get_unit(b))) for b in blocks
    ]
    assert [(o.shape, o.dtype, o.unit) for o in plan.outputs] == [
        (np.shape(o), str(dtype_of(o)), unit_text(u.get_unit(o))) for o in outputs
    ]
    labels = ("output['I'][0]", "output['I'][1]", "output['P']")
    assert tuple(o.label for o in plan.outputs) == labels
    assert tuple(i.label for i in plan.inputs) == ("argument 0['V']", "argument 0['g']")
    assert [(b.output, b.input) for b in plan.blocks] == [
        (o, i.label) for o in labels for i in plan.inputs
    ]


@pytest.mark.parametrize(
    ("rows", "columns", "mode", "reason"),
    [
        (2, 5, "rev", "fewer passes: 2 outputs, 5 inputs"),
        (5, 2, "fwd", "fewer passes: 5 outputs, 2 inputs"),
        (3, 3, "fwd", "as few passes, no residuals: 3 outputs, 3 inputs"),
        (1, 1200, "rev", "fewer passes: 1 outputs, 1,200 inputs"),
    ],
)
def test_automatic_mode_is_the_one_with_fewer_passes(rows, columns, mode, reason):
    def fun(x):
        return u.math.ones(rows) * u.math.sum(x)

    x = q(np.ones(columns), u.mV)
    plan = jacobian(fun, unit_aware=True).plan(x)
    assert (plan.mode, plan.passes, plan.reason) == (mode, min(rows, columns), reason)
    for asked, passes in (("rev", rows), ("fwd", columns)):
        plan = jacobian(fun, unit_aware=True, mode=asked).plan(x)
        assert (plan.mode, plan.passes, plan.reason) == (asked, passes, "as asked for")


def test_automatic_mode_is_the_only_one_that_takes_complex_numbers():
    # the sizes speak for the other mode, which refuses complex outputs or complex inputs
    plan = AUTO(lambda x: jnp.sum(x) * 1j).plan(jnp.ones(5))
    assert (plan.mode, plan.passes) == ("fwd", 5)
    plan = AUTO(lambda z: jnp.abs(z) * jnp.ones(5)).plan(jnp.asarray(1.0 + 1j))
    assert (plan.mode, plan.passes) == ("rev", 5)


@pytest.mark.parametrize("unit_aware", [False, True])
def test_plan_of_blocks_without_dimension(unit_aware):
    # warnings are errors here: a plan does not warn of the units that a call would drop
    plan = jacrev(lambda V: (V.in_unit(u.volt), V), unit_aware=unit_aware).plan(q(3.0, u.mV))
    assert plan.blocks[0].unit == ("1" if unit_aware else "10^3")
    assert plan.blocks[1].unit == "1"


def test_plain_output_over_a_unit_reads_as_people_write_it():
    plan = jacrev(lambda V: u.math.exp(V / u.mV), unit_aware=True).plan(q(3.0, u.mV))
    assert plan.blocks[0].unit == "1/mV"


def test_plan_of_many_blocks_says_how_many_it_leaves_out():
    plan = jacrev(lambda p: p, unit_aware=True).plan([q(1.0, u.mV)] * 8)
    lines = str(plan).splitlines()
    assert len(plan.blocks) == 64
    assert lines[-1] == "and 24 blocks more"
    assert sum(line.startswith("output[") for line in lines) == 40
    assert len(plan.to_csv().splitlines()) == 65


@three_transforms
def test_plan_of_shapes_without_numbers(transform):
    x = u.Quantity(jax.ShapeDtypeStruct((3,), jnp.float32), unit=u.mV)
    plan = transform(lambda x: x**2, unit_aware=True).plan(x)
    assert [(b.shape, b.unit) for b in plan.blocks] == [((3, 3), "mV")]


def test_plan_of_an_integer_input_gives_its_block_no_unit():
    jac = jacrev(lambda V, n: n * V, argnums=(0, 1), allow_int=True, unit_aware=True)
    plan = jac.plan(q(3.0, u.mV), jnp.arange(2))
    assert [b.shape for b in plan.blocks] == [(2,), (2, 2)]
    assert plan.blocks[0].unit == "1"
    assert "mV" not in plan.blocks[1].unit


def test_plan_of_a_function_without_outputs_and_of_one_without_states():
    plan = jacrev(lambda x: {}).plan(3.0)
    assert plan.blocks == plan.outputs == plan.reads == plan.writes == ()
    assert "  reads    no state\n  writes   no state" in str(plan)


def test_plan_after_a_state_changed():
    s = State(q([1.0, 2.0], u.mV), name="s")
    jac = jacrev(lambda: s.value**2, grad_states=s, unit_aware=True, jit=True)
    assert jac.plan().blocks[0].shape == (2, 2)
    s.value = q(3.0, u.volt)
    assert (jac.plan().blocks[0].shape, jac.plan().blocks[0].unit) == ((), "V")
