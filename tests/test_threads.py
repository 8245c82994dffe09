"""Eight threads on one transform, with states of every kind: no tracer stays, all is right."""

import threading

import jax
import jax.numpy as jnp
import pytest
from helpers import eager_and_compiled, holds_tracer

import unitjac
from unitjac import State
from unitjac._states.adopted import as_state

brainstate = pytest.importorskip("brainstate")
nnx = pytest.importorskip("flax.nnx")

MAKE = {"unitjac": State, "brainstate": brainstate.HiddenState, "flax": nnx.Param}
each_kind = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)


def in_threads(task):
    """``task(n)`` in eight threads at once; what the first one that failed has raised."""
    errors, start = [], threading.Barrier(8)

    def run(n):
        start.wait()
        try:
            task(n)
        except BaseException as error:  # what happens in a thread is told in the main one
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def read(state):
    return state.get_value() if isinstance(state, nnx.Variable) else state.value


@eager_and_compiled
@pytest.mark.parametrize("keep", [lambda f: f, jax.jit], ids=["plain", "kept"])
@each_kind
def test_threads_share_a_state_that_is_differentiated(make, keep, jit):
    s = make(jnp.float32(2.0))
    inner = keep(lambda x: read(s) ** 2 * x)
    jac = unitjac.jacrev(lambda x: inner(x), grad_states=s, argnums=0, jit=jit)

    def task(n):
        for _ in range(5):
            assert [float(found) for found in jac(float(n))] == [4.0 * n, 4.0]

    in_threads(task)
    assert not holds_tracer(as_state(s))
    assert float(read(s)) == 2.0


@eager_and_compiled
@each_kind
def test_one_differentiates_what_another_one_only_reads(make, jit):
    s, t = make(jnp.float32(2.0)), make(jnp.float32(3.0))
    fun = lambda x: read(s) * read(t) * x  # noqa: E731
    by_s, by_t = (unitjac.jacfwd(fun, grad_states=state, jit=jit) for state in (s, t))
    by_x = unitjac.grad(fun, jit=jit)
    calls = [(by_s, 9.0), (by_t, 6.0), (by_x, 6.0)]

    def task(n):
        for k in range(5):
            jac, expected = calls[(n + k) % 3]
            assert float(jac(3.0)) == expected

    in_threads(task)
    assert [float(read(state)) for state in (s, t)] == [2.0, 3.0]


@eager_and_compiled
@pytest.mark.parametrize("make", [State, brainstate.HiddenState], ids=["unitjac", "brainstate"])
def test_threads_write_one_state(make, jit):
    """Calls may overtake one another, as with any variable; none sees half of another one."""
    count = make(jnp.int32(0))

    def fun(x):
        count.value = count.value + 1
        return x**2

    jac = unitjac.jacrev(fun, jit=jit)

    def task(n):
        for _ in range(5):
            assert float(jac(float(n))) == 2.0 * n

    in_threads(task)
    assert not holds_tracer(as_state(count))
    assert 1 <= int(count.value) <= 40  # a call that read early may be the last one to write
