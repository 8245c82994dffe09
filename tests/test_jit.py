"""``jit=True`` and compilation around it: traces counted, nothing stale, no cost for units."""

import copy
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    AUTO_FWD,
    AUTO_REV,
    FWD,
    REV,
    Counter,
    Neuron,
    assert_physically_equal,
    assert_same,
    each,
    each_transform,
    eager_and_compiled,
    holds_tracer,
    magnitudes,
    pulse_jacobians,
    q,
    three_transforms,
)

from unitjac import State, jacfwd, jacobian, jacrev

# How often the function is called


@each_transform
def test_eager_call_calls_the_function_once(transform):
    s = State(q(2.0, u.uS), name="s")
    fun = Counter(lambda x: (s.value * x**2, "aux"))
    for options in (
        {},
        {"return_value": True},
        {"grad_states": s},
        {"grad_states": s, "argnums": 0, "return_value": True},
    ):
        jac = transform(fun, has_aux=True, unit_aware=True, **options)
        for _ in range(2):
            before = fun.calls
            jac(q([1.0, 2.0], u.mV))
            assert fun.calls == before + 1


@each_transform
def test_compiled_call_traces_once_and_a_second_call_not_at_all(transform):
    s = State(q(2.0, u.uS), name="s")
    fun = Counter(lambda x, n: (s.value * x**n, "aux"))
    jac = transform(
        fun, grad_states=s, argnums=0, has_aux=True, return_value=True, unit_aware=True, jit=True
    )
    calls = [
        (q([1.0, 2.0], u.mV), 2, 1),
        (q([3.0, 4.0], u.mV), 2, 1),  # other numbers
        (q([3.0, 4.0], u.mV), 3, 2),  # another static argument
        (q([3.0, 4.0], u.volt), 2, 3),  # another unit
        (q([3.0], u.mV), 2, 4),  # another shape
        (q([3.0], u.mV, "float16"), 2, 5),  # another dtype
        (q([1.0, 2.0], u.mV), 2, 5),  # and the first again
    ]
    for x, n, traces in calls:
        jac(x, n)
        assert fun.calls == traces, (x, n)


@three_transforms
def test_state_that_is_read_but_not_named_costs_one_more_trace_on_the_first_call_only(transform):
    a, b = State(q(2.0, u.uS), name="a"), State(q(3.0, u.uS), name="b")

    @Counter
    def fun(x):
        b.value = b.value + a.value
        return b.value * x

    jac = transform(fun, unit_aware=True, jit=True)
    for n in range(1, 4):
        assert_same(jac(q(1.0, u.mV)), q(3.0 + 2.0 * n, u.uS))
        assert fun.calls == 2
    a.value = q(-1.0, u.uS)
    assert_same(jac(q(1.0, u.mV)), q(8.0, u.uS))
    assert fun.calls == 2


@three_transforms
def test_outer_jit_traces_once(transform):
    fun = Counter(lambda x: x**2)
    for jit in (False, True):
        jac = jax.jit(transform(fun, unit_aware=True, jit=jit))
        before = fun.calls
        for number in (1.0, 2.0):
            assert_same(jac(q(number, u.mV)), q(2 * number, u.mV))
        assert fun.calls == before + 1


def test_describing_traces_the_function_and_computes_no_numbers():
    seen = []

    def fun(x):
        seen.append(x.mantissa)
        return x**2

    jacrev(fun, unit_aware=True, jit=True).plan(q(3.0, u.mV))
    assert len(seen) in (1, 2)
    assert all(isinstance(x, jax.core.Tracer) for x in seen)


def test_state_read_on_a_new_path_is_found_by_later_calls():
    a, b = State(q(2.0, u.uS), name="a"), State(q(5.0, u.uS), name="b")
    jac = jacrev(lambda x, first: x * (a if first else b).value, unit_aware=True, jit=True)
    for _ in range(2):
        assert_same(jac(q(1.0, u.mV), True), a.value)
        assert_same(jac(q(1.0, u.mV), False), b.value)
        a.value, b.value = b.value, a.value


# What a compiled program closes over


@three_transforms
def test_closure_is_read_when_traced_and_a_state_at_each_call(transform):
    gain, s = {"now": 2.0}, State(2.0, name="s")
    jac = transform(lambda x: x * gain["now"] * s.value, jit=True)
    assert float(jac(3.0)) == 4.0
    gain["now"], s.value = 5.0, 3.0
    assert float(jac(3.0)) == 6.0
    assert float(jac(jnp.asarray([3.0]))[0, 0]) == 15.0  # another shape is another trace


# Units cost nothing


@dataclass(frozen=True)
class Program:
    """A function on bare magnitudes and on quantities, and where it is taken."""

    name: str
    fun: Callable[..., Any]
    args: tuple[Any, ...]
    with_units: Callable[..., Any] | None = None


def bare_membrane(p):
    x = jnp.tanh((p["V"] - p["E"]) / 10)
    return {"I": p["g"] * x * (p["V"] - p["E"]), "P": jnp.sum(p["g"] * p["V"] ** 2)}


def membrane(p):
    x = u.math.tanh((p["V"] - p["E"]) / (10 * u.mV))
    return {"I": p["g"] * x * (p["V"] - p["E"]), "P": u.math.sum(p["g"] * p["V"] ** 2)}


def filtered(x, w):
    return jax.lax.scan(lambda c, x: (c + w * x, c + w * x), 0 * w * x[0], x)[1]


PROGRAMS = (
    Program("square", lambda x: x**2, (q([1.0, 2.0, 3.0], u.mV),)),
    Program("product", lambda x, y: x * y, (q([1.0, 2.0], u.mV), q([3.0, 4.0], u.uS))),
    Program("matrix", lambda W, x: W @ x, (q(np.ones((5, 2)), u.uS), q([3.0, 4.0], u.mV))),
    Program("wide", lambda W, x: W @ x, (q(np.ones((2, 5)), u.uS), q(np.ones(5), u.mV))),
    Program("scan", filtered, (q(np.ones(6), u.mV), q(0.5, u.uS))),
    Program(
        "membrane",
        bare_membrane,
        ({"V": q([-65.0, -20.0], u.mV), "g": q([1.0, 2.0], u.uS), "E": q(-70.0, u.mV)},),
        membrane,
    ),
)


def cost(lowered: Any) -> dict[str, float]:
    analysis = lowered.compile().cost_analysis()
    return {k: analysis.get(k, 0.0) for k in ("flops", "bytes accessed", "transcendentals")}


@each("program", PROGRAMS)
@pytest.mark.parametrize("transform", [REV, FWD, AUTO_REV, AUTO_FWD], ids=lambda t: t.name)
def test_compiled_program_costs_what_that_of_jax_on_bare_magnitudes_costs(transform, program):
    argnums = tuple(range(len(program.args)))
    reference = transform.reference(program.fun, argnums=argnums)
    expected = cost(jax.jit(reference).lower(*magnitudes(program.args)))
    fun = program.with_units or program.fun
    jac = transform(fun, argnums=argnums, unit_aware=True)
    assert cost(jax.jit(jac).lower(*program.args)) == expected
    jac = transform(fun, argnums=argnums, unit_aware=True, jit=True)
    assert cost(jac._call.lower(program.args, {})) == expected


@each("program", PROGRAMS)
def test_automatic_mode_costs_no_more_than_the_mode_that_it_takes(program):
    argnums = tuple(range(len(program.args)))
    fun = program.with_units or program.fun
    jac = jacobian(fun, argnums=argnums, unit_aware=True, jit=True)
    mode = {"fwd": jax.jacfwd, "rev": jax.jacrev}[jac.plan(*program.args).mode]
    expected = cost(jax.jit(mode(program.fun, argnums=argnums)).lower(*magnitudes(program.args)))
    found = cost(jac._call.lower(program.args, {}))
    assert all(found[k] <= expected[k] for k in expected), (found, expected)


def test_states_of_a_compiled_program_cost_what_arguments_do():
    s = State(q([3.0, 4.0], u.uS), name="s")
    x = q([1.0, 2.0], u.mV)
    jac = jacrev(lambda x: s.value * x**2, grad_states=s, argnums=0, unit_aware=True, jit=True)
    reference = jax.jit(jax.jacrev(lambda s, x: s * x**2, argnums=(0, 1)))
    expected = cost(reference.lower(s.value.mantissa, x.mantissa))
    assert cost(jac._call.lower((x,), {})) == expected


# The same program in every process


@three_transforms
def test_written_state_keeps_the_unit_object_that_its_program_was_traced_with(transform):
    # JAX compares an equal unit of another object in Python, at each call
    V = State(q([1.0, 2.0], u.mV), name="V")
    before = V.value.unit

    def step(x):
        V.value = u.Quantity(V.value.mantissa * 2, unit=copy.deepcopy(u.mV))
        return V.value[0] * x

    jac = transform(step, unit_aware=True, jit=True)
    jac(1.0)
    assert V.value.unit is before


LOWERED = """
import brainunit as u, jax, jax.numpy as jnp, unitjac
names = {f"k{n}" for n in range(20)}          # a set: its order depends on the hash seed
states = [unitjac.State(jnp.ones(2) * u.mV, name=n) for n in sorted(names)]
other = unitjac.State(3.0 * u.ms)
def fun(p, how):
    other.value = other.value * 2.0
    total = sum(states[int(n[1:])].value * p[n] for n in sorted(names))
    return {"out": total, "t": other.value}
jac = getattr(unitjac, "TRANSFORM")(
    fun, grad_states={"a": states[:3]}, argnums=0, unit_aware=True, return_value=True, jit=True)
p = {n: 2.0 * u.uS for n in sorted(names)}
print(jac._call.lower((p,), {"how": "static"}).as_text())
"""


@pytest.mark.parametrize("name", ["jacrev", "jacobian"])
def test_lowered_program_is_the_same_in_every_process(name):
    # the class of bug: states keyed by id(), so that the persistent cache never hits
    def text(seed: int) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "JAX_PLATFORMS": "cpu"}
        script = LOWERED.replace("TRANSFORM", name)
        root = Path(__file__).parents[1]
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment, cwd=root, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    first = text(1)
    assert "stablehlo" in first
    assert first == text(2)


# Copies and threads


def negative_square(x):
    return -(x**2)


@eager_and_compiled
@each_transform
def test_transform_can_be_copied_and_pickled(transform, jit):
    jac = transform(negative_square, unit_aware=True, return_value=True, jit=jit)
    expected = jac(q(3.0, u.mV))
    for clone in (copy.copy, copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))):
        twin = clone(jac)
        assert repr(twin) == repr(jac)
        assert_same(twin(q(3.0, u.mV)), expected)
        assert_same(twin(q(3.0, u.volt)), jac(q(3.0, u.volt)))


@eager_and_compiled
@each_transform
def test_copy_of_a_transform_of_an_object_has_states_of_its_own(transform, jit):
    neuron = Neuron()
    jac = neuron.transform(transform, jit=jit)
    for clone in (copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))):
        twin = clone(jac)
        assert_same(twin(q(3.0, u.nA)), pulse_jacobians(3.0))
        assert neuron.count.value == 0
        assert twin.fun.__self__.count.value == 1
        assert_physically_equal(twin.fun.__self__.V.value, q(-59.0, u.mV))


def in_threads(*tasks: Callable[[], None]) -> None:
    """Run all at once, and raise what the first of them that failed has raised."""
    errors, start = [], threading.Barrier(len(tasks))

    def run(task: Callable[[], None]) -> None:
        start.wait()
        try:
            task()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@eager_and_compiled
@pytest.mark.parametrize("transform", [REV, FWD], ids=lambda t: t.name)
def test_eight_threads_share_a_transform_with_shapes_of_their_own(transform, jit):
    gain = State(q(2.0, u.uS), name="gain")

    def fun(x):
        return gain.value * x**2

    jac = transform(fun, grad_states=gain, argnums=0, unit_aware=True, jit=jit)

    def task(n):
        def run():
            x = q(np.arange(n + 1.0), u.mV if n % 2 else u.volt)
            for _ in range(3):
                by_gain, by_x = jac(x)
                assert_same(by_gain, x**2)
                assert_physically_equal(by_x, u.math.diag(2 * x * gain.value))

        return run

    in_threads(*map(task, range(8)))


@eager_and_compiled
def test_eight_threads_with_states_of_their_own(jit):
    def task(n):
        def run():
            neuron = Neuron()
            jac = neuron.transform((REV, FWD)[n % 2], jit=jit)
            for _ in range(5):
                assert_same(jac(q(float(n), u.nA)), pulse_jacobians(float(n)))
            assert neuron.count.value == 5
            assert_physically_equal(neuron.V.value, q(-65.0 + 10.0 * n, u.mV))

        return run

    in_threads(*map(task, range(8)))


@eager_and_compiled
def test_eight_threads_write_one_counter(jit):
    # calls may overtake one another, as with any variable; but no call sees half of another one
    count = State(jnp.asarray(0), name="count")

    def fun(x):
        count.value = count.value + 1
        return x**2

    jac = jacrev(fun, unit_aware=True, return_value=True, jit=jit)

    def task(n):
        def run():
            for _ in range(5):
                assert_same(jac(q(float(n), u.mV)), (q(2.0 * n, u.mV), q(n**2, u.mV**2)))

        return run

    in_threads(*map(task, range(8)))
    assert not holds_tracer(count)
    assert 5 <= int(count.value) <= 40


def test_state_written_by_one_thread_inside_a_transform_is_not_seen_by_another():
    s = State(q(1.0, u.mV), name="s")
    wrote, read, seen = threading.Event(), threading.Event(), []

    def fun(x):
        s.value = s.value + x
        wrote.set()
        assert read.wait(10)
        return s.value

    def look():
        assert wrote.wait(10)
        seen.append(s.value)
        read.set()

    in_threads(lambda: jacfwd(fun, unit_aware=True)(q(2.0, u.mV)), look)
    assert_same(seen[0], q(1.0, u.mV))
    assert_same(s.value, q(3.0, u.mV))


def test_compiled_program_keeps_no_tracer_of_an_outer_trace():
    # the class of bug: a cached trace that holds the tracers of the jit around it
    s = State(q(2.0, u.uS), name="s")
    fun = Counter(lambda x: x * s.value)
    jac = jacrev(fun, grad_states=s, argnums=0, unit_aware=True, jit=True)
    for _ in range(2):
        with jax.checking_leaks():
            jax.jit(lambda x: jac(x))(q(3.0, u.mV))
        jax.jit(jax.vmap(lambda x: jac(x)))(q([3.0], u.mV))
        assert_same(jac(q(3.0, u.mV)), (q(3.0, u.mV), q(2.0, u.uS)))


def test_transform_works_inside_shard_map_and_grad():
    jac = jacrev(lambda x: x**3, unit_aware=True, jit=True)
    slope = jax.grad(lambda x: jac(q(x, u.mV)).to_decimal(u.mV**2))
    assert float(slope(2.0)) == 12.0
    mesh = jax.make_mesh((1,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec("i")
    sharded = jax.shard_map(jax.vmap(jac), mesh=mesh, in_specs=spec, out_specs=spec)
    assert_same(sharded(q([1.0, 2.0], u.mV)), q([3.0, 12.0], u.mV**2))
