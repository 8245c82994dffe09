"""Chunked sweeps: the same blocks for every size of the chunk, and never the whole basis."""

import dataclasses
import sys

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unitjac
from unitjac._engine.seeds import one_hot
from unitjac._engine.sweep import Sweep
from unitjac.testing import assert_close

CHUNKS = (None, 1, 3, 5, 100, "auto")


def coupled(p):
    """Outputs of 8 and 3 numbers in two units, from inputs of 6, 3 and 1 numbers."""
    x = p["x"].reshape((2, 3))
    current = jnp.tanh((x / (2.0 * u.mV)) @ p["w"]) * u.nA
    return {"I": current, "P": (x.sum(axis=0) * p["g"]) * x.sum()}


def point(rng):
    return {
        "x": jnp.asarray(rng.normal(size=6), jnp.float32) * u.mV,
        "w": jnp.asarray(rng.normal(size=(3, 4)), jnp.float32),
        "g": 2.0 * u.nS,
    }


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("make", [unitjac.jacrev, unitjac.jacfwd, unitjac.jacobian])
def test_blocks_are_the_same_for_every_chunk(rng, make, jit):
    p = point(rng)
    whole = unitjac.jacrev(coupled, unit_aware=True, chunk_size=None)(p)
    for chunk in CHUNKS:
        jac = make(coupled, unit_aware=True, chunk_size=chunk, jit=jit)(p)
        assert_close(jac, whole, rtol=1e-5)


@pytest.mark.parametrize("chunk", [1, 3, "auto"])
def test_hessian_is_chunked_through_both_levels(rng, chunk):
    p = point(rng)
    whole = unitjac.hessian(coupled, unit_aware=True, chunk_size=None)(p)
    assert_close(unitjac.hessian(coupled, unit_aware=True, chunk_size=chunk)(p), whole, rtol=1e-4)


def test_states_chunks_value_and_aux_together(rng):
    gain = unitjac.State(jnp.arange(1.0, 4.0) * u.nS, name="gain")

    def fun(V):
        gain.value = gain.value * 1.0
        return gain.value * V, "tag"

    made = {
        chunk: unitjac.jacrev(
            fun,
            grad_states=gain,
            argnums=0,
            has_aux=True,
            return_value=True,
            unit_aware=True,
            chunk_size=chunk,
            jit=True,
        )(2.0 * u.mV)
        for chunk in (None, 2)
    }
    assert made[2][2] == "tag"
    assert_close(made[2][:2], made[None][:2])


@pytest.mark.parametrize("chunk", [None, 1, 3, "auto"])
def test_size_zero(chunk):
    empty = jnp.zeros((0, 2)) * u.mV
    for make in (unitjac.jacrev, unitjac.jacfwd, unitjac.jacobian):
        assert make(lambda x: x**2, unit_aware=True, chunk_size=chunk)(empty).shape == (0, 2, 0, 2)


def test_leaks_vmap_and_outer_jit(rng):
    xs = jnp.asarray(rng.normal(size=(2, 5)), jnp.float32)
    jac = unitjac.jacrev(lambda x: jnp.sin(x) * x.sum(), chunk_size=2)
    whole = jax.vmap(jax.jacrev(lambda x: jnp.sin(x) * x.sum()))(xs)
    with jax.checking_leaks():
        np.testing.assert_allclose(jax.jit(jax.vmap(jac))(xs), whole, rtol=1e-5)


@pytest.mark.parametrize(
    ("chunk", "error", "text"),
    [
        (True, TypeError, r'chunk_size must be an int, "auto" or None, got True \(bool\)'),
        (2.5, TypeError, r"got 2.5 \(float\)"),
        ("many", TypeError, r"got 'many' \(str\)"),
        (0, ValueError, "chunk_size must be at least 1, got 0"),
        (-3, ValueError, "got -3"),
    ],
)
def test_what_is_no_chunk_size(chunk, error, text):
    for make in (unitjac.jacrev, unitjac.jacfwd, unitjac.jacobian, unitjac.hessian):
        with pytest.raises(error, match=text):
            make(lambda x: x, chunk_size=chunk)


def test_integer_types_with_an_index_are_chunk_sizes():
    jac = unitjac.jacrev(lambda x: x**2, chunk_size=np.int64(2))
    np.testing.assert_array_equal(jac(jnp.arange(3.0)), np.diag([0.0, 2.0, 4.0]))


def test_seeds_made_on_the_fly_are_the_basis():
    leaves = [jnp.zeros((2, 2)), jnp.zeros(()), jnp.zeros((3,), jnp.float16)]
    seeds = one_hot(jnp.array([0, 3, 4, 7, -1]), leaves)
    assert [s.dtype for s in seeds] == [jnp.float32, jnp.float32, jnp.float16]
    flat = np.concatenate([np.asarray(s, np.float32).reshape(5, -1) for s in seeds], axis=1)
    np.testing.assert_array_equal(flat[:4], np.eye(8)[[0, 3, 4, 7]])
    assert not flat[4].any()


def tall(x):
    """The function of JAX's issue 215: from (10, 2) to (10, 128, 16)."""
    first = jnp.linspace(0.1, 1.0, 128).reshape(2, 64)
    second = jnp.linspace(-1.0, 1.0, 64 * 2048).reshape(64, 2048)
    return jnp.tanh(jnp.tanh(x @ first) @ second).reshape(10, 128, 16)


def test_auto_leaves_the_small_whole_and_cuts_the_large():
    small, x = jnp.ones(20), jnp.ones((10, 2))
    assert unitjac.jacrev(lambda v: v**2).plan(small).chunk is None
    plan = unitjac.jacrev(tall).plan(x)
    assert plan.passes == 20_480
    assert 64 <= plan.chunk <= 1_024
    assert plan.memory < 100e6
    assert f"{plan.passes // plan.chunk} chunks of {plan.chunk}" in str(plan)
    assert "unitjac.jacfwd or jacobian would take 20 passes" in str(plan)
    assert unitjac.jacobian(tall).plan(x).mode == "fwd"


def test_compiled_program_in_chunks_is_small():
    x = jnp.ones((10, 2))
    program = jax.jit(unitjac.jacrev(tall)).lower(x).compile()
    memory = program.memory_analysis()
    whole_basis = 20_480**2 * 4
    assert memory.temp_size_in_bytes < whole_basis / 20


def test_function_is_called_once_in_chunks():
    calls = []

    def fun(x):
        calls.append(1)
        return jnp.sin(x)

    for make in (unitjac.jacrev, unitjac.jacfwd, unitjac.jacobian):
        calls.clear()
        make(fun, chunk_size=2)(jnp.arange(5.0))
        assert len(calls) == 1


def test_progress_moves_with_the_chunks(monkeypatch):
    bars = []

    class Bar:
        def __init__(self, total, **_):
            self.total, self.n, self.closed = total, 0, False
            bars.append(self)

        def update(self):
            self.n += 1

        def close(self):
            self.closed = True

    tqdm = pytest.importorskip("tqdm.auto")
    monkeypatch.setattr(tqdm, "tqdm", Bar)
    jac = unitjac.jacrev(lambda x: x**2, chunk_size=2, progress=True, jit=True)
    for _ in range(2):  # a compiled program that runs again shows a new bar
        jax.block_until_ready(jac(jnp.arange(5.0)))
        jax.effects_barrier()
    assert [(bar.total, bar.n, bar.closed) for bar in bars] == [(3, 3, True)] * 2


def test_progress_off_leaves_nothing_in_the_program():
    x = jnp.arange(5.0)
    off = jax.jit(unitjac.jacrev(jnp.sin, chunk_size=2)).lower(x).as_text()
    on = jax.jit(unitjac.jacrev(jnp.sin, chunk_size=2, progress=True)).lower(x).as_text()
    assert "callback" in on
    assert "callback" not in off


def test_progress_without_tqdm_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    jac = unitjac.jacrev(jnp.sin, chunk_size=2, progress=True)
    with pytest.raises(ImportError, match=r"pip install 'unitjac\[progress\]'"):
        jac(jnp.arange(5.0))


def test_sweep_is_plain_data():
    assert dataclasses.replace(Sweep(), chunk_size=3) == Sweep(3)
