"""Seeds spread over devices: the same blocks, sharded, and no word between the devices."""

import re
import subprocess
import sys
from pathlib import Path

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import unitjac
from unitjac.testing import assert_close

COLLECTIVES = ("all-gather", "all-reduce", "all-to-all", "collective-permute", "reduce-scatter")
MAKERS = (unitjac.jacrev, unitjac.jacfwd, unitjac.jacobian)


def mesh_of(count, kind=AxisType.Auto, name="rows"):
    return jax.make_mesh((count,), (name,), axis_types=(kind,), devices=jax.devices()[:count])


def coupled(p):
    current = jnp.tanh((p["x"] / (2.0 * u.mV)) @ p["w"]) * u.nA
    return {"I": current, "P": (p["x"] ** 2).sum(axis=1)}


def point(rng, rows):
    x = jnp.asarray(rng.normal(size=(rows, 4)), jnp.float32) * u.mV
    return {"x": x, "w": jnp.asarray(rng.normal(size=(4, 3)), jnp.float32)}


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("rows", [8, 5], ids=["divides", "does-not"])
def test_blocks_are_those_of_one_device(rng, rows, count, kind):
    p = point(rng, rows)
    alone = unitjac.jacrev(coupled, unit_aware=True)(p)
    for make, chunk in zip(MAKERS, (None, 3, "auto"), strict=True):
        jac = make(coupled, unit_aware=True, mesh=mesh_of(count, kind), chunk_size=chunk, jit=True)
        assert_close(jac(p), alone, rtol=1e-5)


def test_eager_call_and_hessian(rng):
    p = point(rng, 4)
    mesh = mesh_of(2)
    alone = unitjac.jacrev(coupled, unit_aware=True)(p)
    assert_close(unitjac.jacrev(coupled, unit_aware=True, mesh=mesh)(p), alone, rtol=1e-5)

    def energy(q):
        return (coupled(q)["P"]).sum()

    second = unitjac.hessian(energy, unit_aware=True)(p)
    spread = unitjac.hessian(energy, unit_aware=True, mesh=mesh, jit=True)(p)
    assert_close(spread, second, rtol=1e-4)


@pytest.mark.parametrize("make", [unitjac.jacrev, unitjac.jacfwd])
def test_devices_do_not_talk_and_blocks_come_out_sharded(rng, make):
    p = point(rng, 8)
    jac = make(coupled, unit_aware=True, mesh=mesh_of(4), chunk_size=2)
    text = jax.jit(jac).lower(p).compile().as_text()
    assert not [word for word in COLLECTIVES if word in text]
    block = jax.jit(jac)(p)["I"]["x"].mantissa
    assert block.shape == (8, 3, 8, 4)
    axis = 0 if make is unitjac.jacrev else 2
    assert block.sharding.spec[axis] == "rows"
    assert block.addressable_shards[0].data.shape[axis] == 2


def test_a_device_pulls_its_share_only(rng):
    x = jnp.asarray(rng.normal(size=64), jnp.float32)

    def fun(v):
        return jnp.tanh(v * v.sum())

    def flops(**options):
        lowered = jax.jit(unitjac.jacrev(fun, chunk_size=None, **options)).lower(x)
        return lowered.compile().cost_analysis()["flops"]

    # the program that is analysed is that of one device
    assert flops(mesh=mesh_of(4)) < 0.6 * flops()


def test_axis_of_a_larger_mesh_and_states(rng):
    mesh = jax.make_mesh((2, 2), ("batch", "rows"), axis_types=(AxisType.Auto,) * 2)
    gain = unitjac.State(jnp.arange(1.0, 5.0) * u.nS, name="gain")

    def fun(V):
        gain.value = gain.value * 2.0
        return gain.value * V

    jac = unitjac.jacrev(
        fun, grad_states=gain, argnums=0, unit_aware=True, mesh=mesh, axis="rows", jit=True
    )
    d_gain, d_V = jac(3.0 * u.mV)
    np.testing.assert_allclose(d_gain.mantissa, np.diag([6.0] * 4))
    np.testing.assert_allclose(d_V.mantissa, [2.0, 4.0, 6.0, 8.0])
    np.testing.assert_allclose(gain.value.mantissa, [2.0, 4.0, 6.0, 8.0])


def test_batches_are_spread_with_vmap(rng):
    """A sensitivity for each of N parameter sets, the sets spread over the devices."""
    mesh = mesh_of(4, name="sets")
    sets = {
        "g": jnp.asarray(rng.uniform(1, 2, 8), jnp.float32) * u.nS,
        "E": jnp.asarray(rng.uniform(-70, -60, 8), jnp.float32) * u.mV,
    }
    spread = jax.device_put(sets, NamedSharding(mesh, PartitionSpec("sets")))
    jac = unitjac.jacfwd(lambda p: p["g"] * (-50.0 * u.mV - p["E"]), unit_aware=True)
    batched = jax.jit(jax.vmap(jac))
    found = batched(spread)
    assert found["g"].mantissa.sharding.spec == PartitionSpec("sets")
    assert_close(found, {"g": -50.0 * u.mV - sets["E"], "E": -sets["g"]}, rtol=1e-6)
    text = batched.lower(spread).compile().as_text()
    assert not [word for word in COLLECTIVES if word in text]


# Arrays that are spread themselves, on a mesh with Explicit axes


def square(x):
    return x**2


def pair(p):
    return {"a": p["x"] ** 2, "b": p["y"] * 3, "c": jnp.sin(p["x"]).sum() * p["y"]}


def spread_pair(mesh):
    x = jax.device_put(jnp.arange(8.0) / 4, NamedSharding(mesh, PartitionSpec("rows")))
    return {"x": x, "y": jnp.float32(2.0)}


def types(tree):
    return [str(jax.typeof(leaf)) for leaf in jax.tree.leaves(tree)]


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("chunk", [None, 3], ids=["whole", "chunks"])
def test_explicit_axes_of_inputs_are_those_of_blocks_as_in_jax(chunk, jit):
    mesh = mesh_of(4, AxisType.Explicit)
    options = {"chunk_size": chunk, "jit": jit}
    with jax.set_mesh(mesh):
        p = spread_pair(mesh)
        for ours, theirs in ((unitjac.jacrev, jax.jacrev), (unitjac.jacfwd, jax.jacfwd)):
            expected, found = theirs(pair)(p), ours(pair, **options)(p)
            assert types(found) == types(expected)
            assert_close(found, expected, rtol=1e-6)
        assert_close(unitjac.jacobian(pair, **options)(p), expected, rtol=1e-6)
        second = unitjac.hessian(lambda x: (x**3).sum(), **options)(p["x"])
        assert_close(second, jnp.diag(6 * p["x"]), rtol=1e-5)


def test_explicit_axes_in_units_gradients_and_products():
    mesh = mesh_of(4, AxisType.Explicit)
    with jax.set_mesh(mesh):
        x = spread_pair(mesh)["x"]
        V = x * u.mV
        spread = str(jax.typeof(x))
        found = unitjac.jacrev(lambda v: (v / u.volt) ** 2, unit_aware=True)(V)
        assert_close(found, jnp.diag(2e-6 * x) / u.mV, rtol=1e-6)
        for jit in (False, True):
            both = unitjac.vector_grad(lambda v: (v**2, v * u.volt), unit_aware=True, jit=jit)(V)
            assert types(both) == [spread]
            assert_close(both, (2 * x + 1000.0) * u.mV, rtol=1e-6)
        _, pull = unitjac.vjp(square, V)
        _, push = unitjac.linearize(square, V)
        _, pushed = unitjac.jvp(square, (V,), (x * u.volt,))
        transpose = unitjac.linear_transpose(lambda v: 2 * v, V)
        for product, expected in (
            (pull(x), 2 * x**2 * u.mV),
            (push(x * u.volt), 2e3 * x**2 * u.mV**2),
            (pushed, 2e3 * x**2 * u.mV**2),
            (transpose(x), 2 * x),
        ):
            assert types(product) == [spread]
            assert_close(product, expected, rtol=1e-6)


def test_explicit_axes_of_a_state_and_of_very_many_blocks():
    mesh = mesh_of(4, AxisType.Explicit)
    with jax.set_mesh(mesh):
        x = spread_pair(mesh)["x"]
        state = unitjac.State(x * u.mV, name="V")
        d_state = unitjac.jacrev(lambda: state.value**2, grad_states=state, unit_aware=True)()
        assert_close(d_state, jnp.diag(2 * x) * u.mV, rtol=1e-6)
        many = [x + k for k in range(16)]
        for make in (unitjac.jacrev, unitjac.jacfwd):
            blocks = make(lambda xs: [a * a for a in xs], jit=True)(many)
            assert_close(blocks[3], [jnp.diag(2.0 * a) * float(k == 3) for k, a in enumerate(many)])


def test_seeds_are_not_spread_over_devices_where_arrays_are():
    mesh = mesh_of(4, AxisType.Explicit)
    text = r"a float32\[8\] is spread itself, by P.*'rows'.*\. Leave mesh out, and blocks come out"
    with jax.set_mesh(mesh):
        for make in (*MAKERS, unitjac.hessian):
            with pytest.raises(ValueError, match=text):
                make(square, mesh=mesh)(spread_pair(mesh)["x"])


def test_vector_grad_inside_shard_map():
    mesh, rows = mesh_of(4), PartitionSpec("rows")
    grad = unitjac.vector_grad(square, unit_aware=True)
    x = jnp.arange(8.0) * u.mV
    found = jax.shard_map(grad, mesh=mesh, in_specs=rows, out_specs=rows)(x)
    assert_close(found, 2 * x)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"mesh": 4}, TypeError, "mesh must be a jax.sharding.Mesh, got int"),
        ({"axis": "rows"}, ValueError, "axis='rows' wants a mesh"),
        ({"mesh": "MESH", "axis": "cols"}, ValueError, "the mesh has the axes 'rows', got axis="),
    ],
)
def test_what_is_no_mesh(options, error, text):
    options = {k: mesh_of(2) if v == "MESH" else v for k, v in options.items()}
    for make in (*MAKERS, unitjac.hessian):
        with pytest.raises(error, match=re.escape(text)):
            make(lambda x: x, **options)


def test_two_processes_find_the_same(tmp_path):
    """The lines of docs/scale.md on two processes of this machine."""
    script = Path(__file__).parent / "data" / "two_processes.py"
    port = 12_000 + np.random.default_rng().integers(20_000)
    workers = [
        subprocess.Popen(
            [sys.executable, str(script), str(port), str(index), str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(2)
    ]
    outputs = [worker.communicate(timeout=240)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], "\n".join(outputs)
    for index in range(2):
        found = np.load(tmp_path / f"{index}.npy")
        x = np.arange(1.0, 9.0)
        expected = np.diag(2 * x) * x.sum() + (x**2)[:, None]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_sparse_seeds_lie_where_their_arrays_do(mode):
    mesh = mesh_of(4, AxisType.Explicit)
    with jax.set_mesh(mesh):
        spread = NamedSharding(mesh, PartitionSpec("rows"))
        weights = jax.device_put(jnp.eye(8) + jnp.eye(8, k=2), spread)
        half = jax.device_put(jnp.arange(8) < 4, spread)

        def layer(p):
            mixed = jax.numpy.einsum("ij,j->i", weights, jax.sharding.reshard(p["x"], jax.P()))
            return {"a": jnp.where(half, mixed**2, p["x"]), "b": p["y"] * jnp.sum(p["x"])}

        p = spread_pair(mesh)
        dense = jax.tree.leaves(jax.jacfwd(layer)(p))
        expected = np.block([[dense[0], np.reshape(dense[1], (8, 1))], [dense[2], dense[3]]])
        for options in ({"chunk_size": 3}, {"jit": True}):
            jac = unitjac.sparse_jacobian(layer, p, mode=mode, check=True, **options)
            assert jac.pattern.nse == 8 + 4 + 8 + 1
            np.testing.assert_allclose(jac(p).dense, expected, rtol=1e-6)
        hess = unitjac.sparse_hessian(lambda x: jnp.sum(x**3), p["x"], check=True)
        np.testing.assert_allclose(hess(p["x"]).dense, np.diag(6 * np.asarray(p["x"])), rtol=1e-6)
