"""A sparse Jacobian is the dense one, entry by entry, unit by unit, in every way to call it."""

import copy
import functools
import pickle

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import Counter, both_precisions, each, eager_and_compiled, q, unchanged
from jax.experimental.sparse import BCOO

import unitjac
from unitjac import sparse_jacobian
from unitjac.linalg import UnitMatrix, jacobian_matrix
from unitjac.sparse import Pattern, SparseJacobian, banded, load

from .scenes import SCENES, Scene, diffusion, energy_and_slope, ramp, turned, vessel, windows

each_scene = each("scene", SCENES)
MODES = ["auto", "fwd", "rev"]
CHUNKS = [None, 1, 3, "auto", 1000]


def assert_same_matrix(found: UnitMatrix, dense: UnitMatrix, pattern: np.ndarray) -> None:
    """Same leaves, same units, same numbers; and entries where the pattern has them, row by row."""
    assert (found.rows, found.cols) == (dense.rows, dense.cols)
    assert found.is_sparse
    array = found.array
    assert array.dtype == dense.dtype
    np.testing.assert_array_equal(array.indices, np.argwhere(pattern))
    eps = float(jnp.finfo(array.dtype).eps)
    for row in dense.rows.spans:
        for col in dense.cols.spans:  # a block is of one unit, and has one size
            a, b = np.asarray(found.dense)[row, col], np.asarray(dense.dense)[row, col]
            largest = np.max(np.abs(b), initial=0.0)
            np.testing.assert_allclose(a, b, 32 * eps, 32 * eps * largest)


@each("scene", SCENES[:-1])
def test_equals_the_dense_one(scene: Scene) -> None:
    jac = sparse_jacobian(scene.fun, *scene.args(), argnums=scene.argnums, pattern=scene.pattern)
    assert_same_matrix(jac(*scene.args()), scene.dense, scene.pattern)


@each_scene
@pytest.mark.parametrize("mode", MODES)
def test_compiled(scene: Scene, mode: str) -> None:
    options = dict(argnums=scene.argnums, pattern=scene.pattern, mode=mode)
    jac = sparse_jacobian(scene.fun, *scene.args(), **options, jit=True)
    assert_same_matrix(jac(*scene.args()), scene.dense, scene.pattern)


@each("scene", SCENES[:3])
def test_under_jit(scene: Scene) -> None:
    jac = sparse_jacobian(scene.fun, *scene.args(), pattern=scene.pattern)
    assert_same_matrix(jax.jit(jac)(*scene.args()), scene.dense, scene.pattern)


@pytest.mark.parametrize("chunk_size", CHUNKS)
@each("scene", [scene for scene in SCENES if scene.name in ("band", "tree")])
@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_in_chunks(scene: Scene, chunk_size, mode: str) -> None:
    jac = sparse_jacobian(
        scene.fun, *scene.args(), pattern=scene.pattern, mode=mode, chunk_size=chunk_size, jit=True
    )
    assert_same_matrix(jac(*scene.args()), scene.dense, scene.pattern)


def test_auto_takes_chunks_of_64():
    n = 150
    jac = sparse_jacobian(
        lambda x: jnp.cumsum(x**2), ramp(n), pattern=np.tri(n, dtype=bool), chunk_size="auto"
    )
    assert jac.passes == n
    sizes = set()
    for eqn in jax.make_jaxpr(jac)(ramp(n)).eqns:
        sizes |= {eqn.params["length"]} if eqn.primitive.name == "scan" else set()
    assert sizes == {n // 64}
    np.testing.assert_allclose(jac(ramp(n)).dense, np.tri(n) * 2 * np.asarray(ramp(n)), 1e-6)


@both_precisions
@eager_and_compiled
def test_closed_form(x64: bool, jit: bool) -> None:
    """d(V_i^2 V_{i+1}) by V_i and V_{i+1}, in mV^3 over mV."""
    with jax.enable_x64(x64):
        V = q(ramp(90), u.mV)

        def cubes(V):
            return V[:-1] ** 2 * V[1:]

        jac = sparse_jacobian(cubes, V, pattern=banded((89, 90), 0, 1), jit=jit)
        J = jac(V)
        v = np.asarray(V.mantissa, float)
        expected = np.diag(2 * v[:-1] * v[1:], 0)
        expected = np.pad(expected, ((0, 0), (0, 1))) + np.eye(89, 90, 1) * v[:-1, None] ** 2
        assert J.dtype == (np.float64 if x64 else np.float32)
        assert u.get_unit(J.blocks()) == u.mV**2
        np.testing.assert_allclose(J.dense, expected, 1e-13 if x64 else 1e-5)
        assert jac.passes == 2


@both_precisions
def test_invariance(x64: bool) -> None:
    """Writing any argument in another unit of its dimension changes nothing physical."""
    with jax.enable_x64(x64):
        V, g = q(ramp(70), u.mV), q(1.5, u.nS)
        jac = sparse_jacobian(energy_and_slope, {"V": V, "g": g}, pattern=SCENES[4].pattern)
        J = jac({"V": V, "g": g})
        other = jac({"V": V.in_unit(u.volt), "g": g.in_unit(u.mS)})
        assert other.cols.units != J.cols.units
        back = other.to(rows=J.rows, cols=J.cols)
        np.testing.assert_allclose(back.array.data, J.array.data, 1e-12 if x64 else 1e-5)
        v = {"V": q(ramp(70), u.uvolt), "g": q(0.1, u.uS)}
        for mine, theirs in zip(jax.tree.leaves(J @ v), jax.tree.leaves(other @ v), strict=True):
            np.testing.assert_allclose(mine, theirs, 1e-12 if x64 else 1e-5)


@each_scene
def test_same_in_every_plan(scene: Scene) -> None:
    first, second = (
        sparse_jacobian(scene.fun, *scene.args(), argnums=scene.argnums, pattern=scene.pattern)
        for _ in range(2)
    )
    for a, b in zip(first.compression.tables, second.compression.tables, strict=True):
        np.testing.assert_array_equal(a, b)


# How much is swept


def test_block_by_block_takes_fewer_seeds_where_it_matters():
    axon = SCENES[-1]
    jac = sparse_jacobian(axon.fun, *axon.args(), pattern=axon.pattern)
    # three for the voltage's own band, and one for each other block
    assert [(s.count, len(s.reads)) for s in jac.compression.seedings] == [
        (3, 1), (1, 2), (1, 2), (1, 2), (1, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(("mode", "passes"), [("auto", 3), ("fwd", 72), ("rev", 72)])
def test_a_dense_row_is_pulled_and_a_dense_column_pushed(mode: str, passes: int) -> None:
    """One push for the slope by V, one for both by g, and one pull for the energy by V."""
    scene = SCENES[4]
    jac = sparse_jacobian(scene.fun, *scene.args(), pattern=scene.pattern, mode=mode)
    assert jac.passes == passes
    assert jac.compression.modes == (["fwd", "rev"] if mode == "auto" else [mode])


def test_seeds_do_not_grow_with_the_matrix():
    for n in (100, 1000):
        jac = sparse_jacobian(diffusion, q(ramp(n), u.mV), q(2.0, u.nS), pattern=banded(n, 1, 1))
        assert jac.passes == 3


def test_what_depends_on_other_leaves_only_is_not_swept():
    """The seeds of x pass through no operation of y."""

    def pair(p):
        return {"x": p["x"] ** 2, "y": jnp.exp(jnp.sin(p["y"]))}

    p = {"x": ramp(70), "y": ramp(70)}
    eye = np.eye(70, dtype=bool)
    blocks = {"x": {"x": eye, "y": None}, "y": {"x": None, "y": eye}}
    whole = np.block([[eye, 0 * eye], [0 * eye, eye]])
    by_blocks = sparse_jacobian(pair, p, pattern=blocks)
    assert [s.count for s in by_blocks.compression.seedings] == [1, 1]
    cost = jax.jit(by_blocks).lower(p).compile().cost_analysis()["flops"]
    one = (
        jax.jit(lambda p: jax.jvp(pair, (p,), (p,))[1]).lower(p).compile().cost_analysis()["flops"]
    )
    assert cost < 3 * one
    assert_same_matrix(by_blocks(p), jacobian_matrix(pair)(p), whole)


def coupled(p):
    total = functools.reduce(lambda a, b: a * b, p.values())
    return {name: x * total for name, x in p.items()}


def slopes_of_coupled(x: np.ndarray) -> np.ndarray:
    """d(x_i total)/dx_j, entry (i, j) of the last two axes."""
    x = np.asarray(x, float)
    total = np.prod(x, axis=-1)[..., None, None]
    return x[..., :, None] * total / x[..., None, :] + np.eye(x.shape[-1]) * total


def test_many_leaves_are_one_part():
    """Twenty scalars against twenty outputs take one sweep, not 400."""
    x = np.asarray(ramp(20, 0.8, 1.3))
    p = {f"p{k:02}": q(x[k], u.nS) for k in range(20)}
    jac = sparse_jacobian(coupled, p, pattern=np.ones((20, 20), bool))
    assert len(jac.compression.seedings) == 1
    np.testing.assert_allclose(jac(p).dense, slopes_of_coupled(x), 1e-5)


def test_many_large_leaves_are_one_part():
    """With 12 x 12 blocks of 64 numbers, all of them diagonal, a sweep for each would not pay."""
    p = {f"x{k:02}": ramp(64, 0.8, 1.3) + k / 50 for k in range(12)}
    jac = sparse_jacobian(coupled, p, pattern=np.tile(np.eye(64, dtype=bool), (12, 12)))
    assert (len(jac.compression.seedings), jac.passes) == (1, 12)
    found = np.asarray(jac(p).dense).reshape(12, 64, 12, 64)
    expected = slopes_of_coupled(np.stack(list(p.values()), axis=1))
    np.testing.assert_allclose(np.einsum("ikjk->kij", found), expected, 1e-5)


# How often the function runs


def test_the_function_is_called_once_by_a_call_and_never_again_when_compiled():
    fun = Counter(diffusion)
    V, g = q(ramp(7), u.mV), q(2.0, u.nS)
    jac = sparse_jacobian(fun, V, g, pattern=banded(7, 1, 1))
    fun.calls = 0
    jac(V, g)
    assert fun.calls == 1
    jac = sparse_jacobian(fun, V, g, pattern=banded(7, 1, 1), jit=True, return_value=True)
    fun.calls = 0
    jac(V, g)
    assert fun.calls == 1
    jac(2 * V, g)
    assert fun.calls == 1


def test_a_plan_needs_shapes_only():
    V = u.Quantity(jax.ShapeDtypeStruct((7,), jnp.float32), unit=u.mV)
    g = u.Quantity(jax.ShapeDtypeStruct((), jnp.float32), unit=u.nS)
    jac = sparse_jacobian(diffusion, V, g, pattern=banded(7, 1, 1))
    scene = SCENES[0]
    assert_same_matrix(jac(*scene.args()), scene.dense, scene.pattern)


# What comes back


@eager_and_compiled
def test_value_and_aux(jit: bool) -> None:
    def with_aux(V):
        return V**2, {"kind": "square", "V": V}

    V = q(ramp(5), u.mV)
    jac = sparse_jacobian(
        with_aux, V, pattern=banded(5, 0, 0), has_aux=True, return_value=True, jit=jit
    )
    J, value, aux = jac(V)
    np.testing.assert_allclose(J.dense, np.diag(2 * np.asarray(V.mantissa)), 1e-6)
    assert value.unit == u.mV**2
    assert (aux["kind"], aux["V"].unit) == ("square", u.mV)


@eager_and_compiled
def test_states(jit: bool) -> None:
    """Columns belong to the states and the arguments; what is written is written once."""
    g = unitjac.State(q(2.0, u.nS), name="g")
    calls = unitjac.State(jnp.asarray(0), name="calls")

    def current(V):
        calls.value = calls.value + 1
        return g.value * V

    V = q(ramp(5), u.mV)
    pattern = {"g": np.ones((5, 1), bool)}, banded(5, 0, 0)
    with unchanged(g, calls):
        jac = sparse_jacobian(current, V, grad_states={"g": g}, argnums=0, pattern=pattern, jit=jit)
    J = jac(V)
    assert calls.value == 1
    dense = jacobian_matrix(current, grad_states={"g": g}, argnums=0)(V)
    whole = np.concatenate([np.ones((5, 1), bool), np.eye(5, dtype=bool)], axis=1)
    assert_same_matrix(J, dense, whole)
    by_state, by_argument = J.blocks()
    np.testing.assert_allclose(by_state["g"].to_decimal(u.mV), V.to_decimal(u.mV))
    np.testing.assert_allclose(by_argument.to_decimal(u.nS), 2 * np.eye(5))


@eager_and_compiled
def test_keywords_and_static_arguments(jit: bool) -> None:
    def power(x, n, *, scale, name):
        assert isinstance(name, str)
        return scale * x**n

    x = ramp(4)
    jac = sparse_jacobian(
        power, x, 3, kwargs={"scale": 2.0, "name": "cube"}, pattern=banded(4, 0, 0), jit=jit
    )
    J = jac(x, 3, scale=5.0, name="cube")
    np.testing.assert_allclose(J.dense, np.diag(15 * np.asarray(x) ** 2), 1e-6)


def test_indices_are_known_to_be_sorted():
    scene = SCENES[0]
    array = sparse_jacobian(scene.fun, *scene.args(), pattern=scene.pattern)(*scene.args()).array
    assert isinstance(array, BCOO)
    assert array.indices_sorted
    assert array.unique_indices


def test_product_with_a_tree_has_units():
    scene = SCENES[1]
    J = sparse_jacobian(scene.fun, *scene.args(), pattern=scene.pattern)(*scene.args())
    found, expected = J @ vessel(), scene.dense @ vessel()
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, 1e-5)
    assert found["heat"][0].unit == expected["heat"][0].unit


# Numbers


def test_mixed_precision():
    def fun(p):
        return {"a": p["x"] * 2, "b": p["y"].astype(jnp.float16)}

    p = {"x": jnp.ones(3, jnp.float16), "y": jnp.ones(2, jnp.float32)}
    pattern = np.eye(5, dtype=bool)
    for mode in ("fwd", "rev"):
        J = sparse_jacobian(fun, p, pattern=pattern, mode=mode)(p)
        assert_same_matrix(J, jacobian_matrix(fun, mode=mode)(p), pattern)


def test_complex_outputs_are_pushed():
    def phases(x):
        return jnp.exp(turned(0 * x, x)) * u.mV

    x = ramp(4)
    jac = sparse_jacobian(phases, x, pattern=banded(4, 0, 0))
    assert jac.compression.modes == ["fwd"]
    np.testing.assert_allclose(jac(x).dense, np.diag(1j * np.exp(1j * np.asarray(x))), 1e-6)


def test_complex_inputs_are_pulled():
    def sizes(z):
        return jnp.abs(z) ** 2

    z = turned(ramp(4), 2.0)
    jac = sparse_jacobian(sizes, z, pattern=banded(4, 0, 0), check=True)
    assert jac.compression.modes == ["rev"]
    expected = jacobian_matrix(sizes)(z)
    np.testing.assert_allclose(jac(z).dense, expected.dense, 1e-6)


def test_derivatives_of_the_entries():
    """d/dx of the sum of squares of the entries 2 x_i."""
    jac = sparse_jacobian(lambda x: x**2, ramp(4), pattern=banded(4, 0, 0))
    slope = jax.grad(lambda x: jnp.sum(jac(x).array.data ** 2))(ramp(4))
    np.testing.assert_allclose(slope, 8 * ramp(4), 1e-6)


def test_custom_vjp_is_pulled_on_demand():
    @jax.custom_vjp
    def double(x):
        return 2 * x

    double.defvjp(lambda x: (2 * x, None), lambda _, ct: (2 * ct,))
    pattern = banded(3, 0, 0)
    with pytest.raises(TypeError, match="custom_vjp") as error:
        sparse_jacobian(double, ramp(3), pattern=pattern)(ramp(3))
    assert "'fwd' was chosen by the numbers of colours" in "".join(error.value.__notes__)
    jac = sparse_jacobian(double, ramp(3), pattern=pattern, mode="rev", check=True)
    np.testing.assert_array_equal(jac(ramp(3)).dense, 2 * np.eye(3))


# Sizes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("m", "n"), [(0, 0), (0, 3), (3, 0), (1, 1)], ids=str)
@eager_and_compiled
def test_size_zero_and_one(m: int, n: int, mode: str, jit: bool) -> None:
    def fun(x):
        return jnp.ones(m) * (x[0] ** 2 if n else 1 * u.mV**2)

    x = q(jnp.ones(n), u.mV)
    pattern = np.ones((m, n), bool)
    jac = sparse_jacobian(fun, x, pattern=pattern, mode=mode, jit=jit, return_value=True)
    J, value = jac(x)
    assert_same_matrix(J, UnitMatrix(jnp.full((m, n), 2.0), rows=fun(x), cols=x), pattern)
    assert value.shape == (m,)


def test_no_entries_at_all():
    jac = sparse_jacobian(lambda x: 0 * x, ramp(3), pattern=np.zeros((3, 3), bool))
    J = jac(ramp(3))
    assert (J.array.nse, jac.passes, J.shape) == (0, 0, (3, 3))


@pytest.mark.parametrize("chunk_size", CHUNKS)
@pytest.mark.parametrize("mode", MODES)
def test_empty_leaves_among_others(mode: str, chunk_size) -> None:
    p = {"a": q(jnp.zeros(0), u.mV), "b": q(ramp(3), u.nS), "c": q(jnp.zeros((2, 0)), u.mM)}
    pattern = np.tri(3, dtype=bool)

    def fun(p):
        b = u.math.concatenate([p["b"][:1], p["b"][1:] * p["b"][:-1] / u.nS])
        last = (p["b"][2:] * p["b"][0] / u.nS) * jnp.asarray([0.0, 0.0, 1.0])
        return {"a": p["a"] ** 2, "b": (b + last) * u.nS, "c": p["c"] ** 2}

    jac = sparse_jacobian(fun, p, pattern=pattern, mode=mode, chunk_size=chunk_size)
    dense = jacobian_matrix(fun)(p)
    found = jac(p)
    assert (found.rows, found.cols) == (dense.rows, dense.cols)
    np.testing.assert_allclose(found.dense, dense.dense, rtol=1e-6)


# The object


def test_describe(capsys):
    V, g = q(ramp(7), u.mV), q(2.0, u.nS)
    jac = sparse_jacobian(diffusion, V, g, pattern=banded(7, 1, 1))
    jac.describe(V, g)
    text = capsys.readouterr().out
    assert "forward (fewer colours, block by block), 3 passes" in text
    assert "the pattern has 19 of 49 entries" in text
    assert "output  argument 0  (7, 7)  nS" in text
    assert repr(jac) == (
        "<unitjac.sparse_jacobian of diffusion: <pattern of 7 x 7, 19 entries>, 3 passes>"
    )
    assert isinstance(jac.pattern, Pattern)


def test_pickle_and_copy():
    scene = SCENES[2]
    jac = sparse_jacobian(windows, *scene.args(), pattern=scene.pattern, jit=True)
    jac(*scene.args())
    for twin in (pickle.loads(pickle.dumps(jac)), copy.copy(jac), copy.deepcopy(jac)):
        assert isinstance(twin, SparseJacobian)
        assert_same_matrix(twin(*scene.args()), scene.dense, scene.pattern)


def test_no_tracer_is_kept():
    scene = SCENES[0]
    with jax.checking_leaks():
        jac = sparse_jacobian(scene.fun, *scene.args(), pattern=scene.pattern)
        found = jax.jit(jac)(*scene.args())
    assert_same_matrix(found, scene.dense, scene.pattern)
    # the tables that were made inside of that trace are arrays
    assert_same_matrix(jac(*scene.args()), scene.dense, scene.pattern)


def test_planned_inside_a_trace():
    scene = SCENES[0]

    @jax.jit
    def both(V, g):
        return sparse_jacobian(diffusion, V, g, pattern=banded(7, 1, 1))(V, g)

    assert_same_matrix(both(*scene.args()), scene.dense, scene.pattern)


@eager_and_compiled
def test_under_vmap(jit: bool) -> None:
    """One matrix for each state, all in one sweep: the same as one after the other."""
    V, g = SCENES[0].args()
    jac = sparse_jacobian(
        lambda V, g: diffusion(V**2 / u.mV, g), V, g, pattern=banded(7, 1, 1), jit=jit
    )
    states = u.math.stack([V, 2 * V, 3 * V])
    found = jax.vmap(lambda V: jac(V, g))(states)
    each_one = [jac(states[k], g) for k in range(3)]
    assert (found.rows, found.cols) == (each_one[0].rows, each_one[0].cols)
    entries = jax.vmap(lambda matrix: matrix.array.data)(found)
    np.testing.assert_allclose(entries, np.stack([one.array.data for one in each_one]), rtol=1e-6)
    products = jax.vmap(lambda V: jac(V, g) @ V)(states)
    expected = u.math.stack([one @ states[k] for k, one in enumerate(each_one)])
    np.testing.assert_allclose(products.to_decimal(u.pA), expected.to_decimal(u.pA), rtol=1e-5)


def test_derivatives_that_do_not_exist_are_refused():
    with pytest.raises(TypeError, match=r"argument 0 is int32\[\], but a differentiated input"):
        sparse_jacobian(lambda n: 2.0 * n, jnp.asarray(1), pattern=np.ones((1, 1), bool))
    with pytest.raises(ValueError, match="argnums has 0, but the function was called with 0"):
        sparse_jacobian(diffusion)
    with pytest.raises(TypeError, match="sparse_jacobian wants a function"):
        sparse_jacobian(3.0, 1.0)


def test_words_that_are_none():
    with pytest.raises(ValueError, match='mode must be "auto", "fwd" or "rev", got \'both\''):
        sparse_jacobian(lambda x: x, 1.0, mode="both")
    with pytest.raises(ValueError, match="fallback must be None or \"dense\", got 'full'"):
        sparse_jacobian(lambda x: x, 1.0, fallback="full")
    with pytest.raises(TypeError, match='chunk_size must be an int, "auto" or None, got True'):
        sparse_jacobian(lambda x: x, 1.0, chunk_size=True)


def test_more_numbers_than_an_int32_counts(monkeypatch):
    monkeypatch.setattr("unitjac._engine.sparse._MOST_NUMBERS", 20)
    with pytest.raises(ValueError, match="the seeds of this pattern bring back 21 numbers"):
        sparse_jacobian(diffusion, q(ramp(7), u.mV), q(2.0, u.nS), pattern=banded(7, 1, 1))


# Which arguments, and of what kind


@pytest.mark.parametrize(
    ("argnums", "blocks"),
    [(0, "a"), (-1, "b"), (np.int64(1), "b"), ([1], "b"), ((0, 1), "ab"), ((-1, 0), "ba")],
    ids=str,
)
@pytest.mark.parametrize("by_keyword", [False, True], ids=["alone", "with a keyword"])
def test_argnums_as_in_the_other_transforms(argnums, blocks, by_keyword):
    a, b = q(ramp(3), u.mV), q(ramp(3, 1.0), u.nS)
    state = unitjac.State(jnp.asarray(2.0), name="s")

    def current(a, b, *, scale=1.0):
        return state.value * scale * a * b

    kwargs = {"scale": 3.0} if by_keyword else {}
    parts = {"a": np.diag(b.mantissa), "b": np.diag(a.mantissa)}
    wanted = 2 * kwargs.get("scale", 1.0) * np.concatenate([parts[k] for k in blocks], axis=1)
    jac = sparse_jacobian(current, a, b, argnums=argnums, kwargs=kwargs)
    assert_same_matrix(
        jac(a, b, **kwargs),
        jacobian_matrix(current, argnums=argnums)(a, b, **kwargs),
        np.tile(np.eye(3, dtype=bool), len(blocks)),
    )
    np.testing.assert_allclose(jac(a, b, **kwargs).dense, wanted, 1e-6)
    pair = sparse_jacobian(current, a, b, grad_states=state, argnums=argnums, kwargs=kwargs)
    found = pair(a, b, **kwargs)
    assert found.shape == (3, 1 + 3 * len(blocks))
    np.testing.assert_allclose(found.dense[:, 1:], wanted, 1e-6)


@both_precisions
@pytest.mark.parametrize("mode", MODES)
def test_holomorphic(mode: str, x64: bool, tmp_path) -> None:
    """d(z_i^2 z_{i+1}) by z, in mV^3 over mV, without a conjugate in either mode."""
    with jax.enable_x64(x64):
        z = u.Quantity(turned(ramp(5), ramp(5, 1.0)), unit=u.mV)

        def cubes(z):
            return z[:-1] ** 2 * z[1:]

        jac = sparse_jacobian(cubes, z, holomorphic=True, mode=mode, check=True)
        v = np.asarray(z.mantissa)
        expected = (
            np.eye(4, 5) * (2 * v[:-1] * v[1:])[:, None] + np.eye(4, 5, 1) * v[:-1, None] ** 2
        )
        jac.save(tmp_path / "plan")
        for plan in (jac, load(tmp_path / "plan", cubes)):
            J = plan(z)
            assert (J.array.nse, J.dtype) == (8, np.complex128 if x64 else np.complex64)
            assert u.get_unit(J.blocks()) == u.mV**2
            np.testing.assert_allclose(J.dense, expected, 1e-13 if x64 else 1e-5)


def test_holomorphic_is_asked_for():
    z = turned(ramp(3), 1.0)
    with pytest.raises(TypeError, match="Pass holomorphic=True where the function is holomorphic"):
        sparse_jacobian(lambda z: z**2, z)
    with pytest.raises(TypeError, match="holomorphic=True wants complex inputs"):
        sparse_jacobian(lambda x: x**2, ramp(3), holomorphic=True)
