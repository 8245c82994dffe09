"""A plan knows what it was made for, checks itself, and can be written down."""

import enum
import json

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import both_precisions, each, eager_and_compiled, q

import unitjac
from unitjac import sparse_hessian, sparse_jacobian
from unitjac.sparse import SparseHessian, SparseJacobian, banded, load

from .scenes import SCENES, Scene, diffusion, energy_and_slope, ramp

V, G = q(ramp(7), u.mV), q(2.0, u.nS)


def planned(**options):
    return sparse_jacobian(diffusion, V, G, pattern=banded(7, 1, 1), **options)


# Used with other arguments


def table(text: str) -> list[list[str]]:
    """The lines of a table, cut where there are two blanks."""
    return [
        [cell.strip() for cell in line.strip().split("  ") if cell] for line in text.splitlines()
    ]


@eager_and_compiled
@pytest.mark.parametrize(
    ("args", "row"),
    [
        ((q(ramp(8), u.mV), G), ["argument 0", "float32[7] in mV", "float32[8] in mV"]),
        ((q(ramp(7), u.nS), G), ["argument 0", "float32[7] in mV", "float32[7] in nS"]),
        ((V, 2.0), ["argument 1", "float32[] in nS", "float32[]"]),
        ((V, q(2.0, u.nS, jnp.float16)), ["argument 1", "float32[] in nS", "float16[] in nS"]),
    ],
    ids=["shape", "dimension", "no unit", "dtype"],
)
def test_other_arguments(args, row, jit):
    with pytest.raises(ValueError, match="sparse_jacobian of diffusion was planned for other") as e:
        planned(jit=jit)(*args)
    lines = table(str(e.value))
    assert lines[1] == ["planned", "came"]
    assert lines[2] == row
    assert lines[3] == ["The other 1 are as planned. Make a plan for these."]


def test_one_argument_less_and_one_more():
    with pytest.raises(ValueError, match=r"argument 1  float32\[\] in nS  nothing"):
        planned()(V)
    with pytest.raises(ValueError, match=r"argument 2  nothing  float32\[\]"):
        planned()(V, G, 1.0)


def test_other_trees():
    scene = SCENES[4]
    jac = sparse_jacobian(energy_and_slope, *scene.args(), pattern=scene.pattern)
    with pytest.raises(ValueError, match=r"argument 0\['g'\]  float32\[\] in nS  nothing"):
        jac({"V": q(ramp(70), u.mV), "h": G})


def test_another_unit_of_the_dimension_is_fine():
    J = planned()(V.in_unit(u.volt), G)
    np.testing.assert_allclose(J.to(rows=u.pA, cols=u.mV).dense, planned()(V, G).dense, 1e-5)


class Kind(enum.Enum):
    OPEN = 1
    SEALED = 2


def with_options(x, n, kind, act):
    return act(x[:n]) * kind.value


@pytest.mark.parametrize(
    ("args", "row"),
    [
        ((3, Kind.OPEN, jnp.tanh), None),
        ((2, Kind.OPEN, jnp.tanh), ["argument 1", "3", "2"]),
        ((3, Kind.SEALED, jnp.tanh), ["argument 2", "<Kind.OPEN: 1>", "<Kind.SEALED: 2>"]),
        ((3, Kind.OPEN, jnp.exp), ["argument 3", "tanh", "exp"]),
        ((3, Kind.OPEN, Counted := type("Counted", (), {})()), ["argument 3", "tanh", "a Counted"]),
        ((True, Kind.OPEN, jnp.tanh), ["argument 1", "3", "True"]),
    ],
    ids=["same", "size", "enum", "function", "object", "flag"],
)
def test_static_arguments_are_part_of_it(args, row):
    x = ramp(5)
    jac = sparse_jacobian(with_options, x, 3, Kind.OPEN, jnp.tanh, pattern=banded((3, 5), 0, 0))
    if row is None:
        assert jac(x, *args).shape == (3, 5)
        return
    with pytest.raises(ValueError, match="was planned for other arguments") as error:
        jac(x, *args)
    assert row in table(str(error.value))


def test_keywords_and_states_are_part_of_it():
    g = unitjac.State(q(2.0, u.nS), name="g")
    jac = sparse_jacobian(
        lambda *, x: g.value * x, grad_states=g, kwargs={"x": V}, pattern=np.ones((7, 1), bool)
    )
    with pytest.raises(ValueError, match=r"argument 'x'  float32\[7\] in mV  float32\[3\] in mV"):
        jac(x=V[:3])
    g.value = q(2.0, u.mV)
    with pytest.raises(ValueError, match=r"grad_states  float32\[\] in nS  float32\[\] in mV"):
        jac(x=V)


@eager_and_compiled
def test_other_outputs(jit):
    """What the function closes over has changed since it was planned."""
    keep = 7
    jac = sparse_jacobian(lambda V: V[:keep] ** 2, V, pattern=banded(7, 0, 0), jit=jit)
    keep = 5
    text = r"planned for a function with other outputs:\n.*\n  output  float32\[7\] in mV2  float32"
    with pytest.raises(ValueError, match=text.replace("mV2", r"mV\^2")):
        jac(V)


def test_a_long_table_is_cut():
    p = {f"x{k:02}": ramp(2) for k in range(30)}
    jac = sparse_jacobian(lambda p: p["x00"], p, pattern=np.eye(2, 60, dtype=bool))
    with pytest.raises(ValueError, match="and 10 more\nMake a plan for these"):
        jac({name: x[:1] for name, x in p.items()})


# A wrong pattern


def wrong_tridiagonal(n, *missing):
    mask = banded(n, 1, 1).todense()
    for at in missing:
        mask[at] = False
    return mask


@pytest.mark.parametrize(("mode", "n"), [("fwd", 7), ("rev", 7), ("auto", 80)])
def test_an_entry_that_is_lacking_is_named(mode, n):
    V = q(ramp(n), u.mV)
    pattern = wrong_tridiagonal(n, (3, 4))
    text = (
        r"the derivative of output\[3\] by argument 0\[4\] in sparse_jacobian of diffusion is not "
        "zero, but the pattern has no entry there. Add it"
    )
    with pytest.raises(ValueError, match=text):
        sparse_jacobian(diffusion, V, G, pattern=pattern, mode=mode, check=True)
    jac = sparse_jacobian(diffusion, V, G, pattern=pattern, mode=mode)
    with pytest.raises(ValueError, match=text):
        jac.check(V, G)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_each_entry_that_is_lacking_is_found(mode):
    """Whichever of the 19 entries is left out, by itself."""
    for i, j in np.argwhere(banded(7, 1, 1).todense()).tolist():
        jac = sparse_jacobian(diffusion, V, G, pattern=wrong_tridiagonal(7, (i, j)), mode=mode)
        with pytest.raises(ValueError, match=rf"output\[{i}\] by argument 0\[{j}\] in"):
            jac.check(V, G)


def test_the_block_is_named():
    scene = SCENES[4]
    pattern = scene.pattern.copy()
    pattern[0, 12] = False
    (args,) = scene.args()
    with pytest.raises(ValueError, match=r"output\['energy'\] by argument 0\['V'\]\[12\]"):
        sparse_jacobian(energy_and_slope, args, pattern=pattern, check=True)


@both_precisions
def test_what_is_small_beside_another_unit_is_found(x64):
    """The verdict does not depend on the units in which the arguments are written."""
    with jax.enable_x64(x64):
        for unit in (u.nvolt, u.Mvolt):
            p = {"V": q(ramp(5), u.mV).in_unit(unit), "g": q(2.0, u.nS)}
            pattern = np.asarray(unitjac.linalg.jacobian_matrix(energy_and_slope)(p).dense) != 0
            sparse_jacobian(energy_and_slope, p, pattern=pattern, check=True)
            pattern[3, 2] = False
            with pytest.raises(
                ValueError, match=r"output\['slope'\]\[2\] by argument 0\['V'\]\[2\]"
            ):
                sparse_jacobian(energy_and_slope, p, pattern=pattern, check=True)


@each("scene", SCENES[:-2])
def test_right_patterns_pass(scene: Scene) -> None:
    sparse_jacobian(
        scene.fun, *scene.args(), argnums=scene.argnums, pattern=scene.pattern, check=True
    )


def test_a_wider_pattern_is_right_too():
    sparse_jacobian(diffusion, V, G, pattern=banded(7, 3, 2), check=True)


def test_a_wrong_hessian():
    def energy(x):
        return jnp.sum(x[1:] * x[:-1] ** 2)

    pattern = wrong_tridiagonal(5, (2, 3), (3, 2))
    text = (
        r"the derivative of argument 0\[(2\] by argument 0\[3|3\] by argument 0\[2)\] in sparse_hes"
    )
    with pytest.raises(ValueError, match=text):
        sparse_hessian(energy, ramp(5), pattern=pattern, check=True)


def test_what_cancels_to_rounding_is_no_difference():
    """By g, each entry is a second difference of a straight line: nothing but rounding."""
    V = q(jnp.linspace(0.1, 0.7, 50), u.mV)
    pattern = np.concatenate([banded(50, 1, 1).todense(), np.ones((50, 1), bool)], axis=1)
    sparse_jacobian(diffusion, V, G, argnums=(0, 1), pattern=pattern, check=True)


def test_what_is_not_finite_is_left_out():
    jac = sparse_jacobian(lambda x: jnp.sqrt(x) * 2, ramp(3), pattern=banded(3, 0, 0))
    jac.check(jnp.asarray([0.0, 1.0, 2.0]))


def test_a_check_writes_no_state():
    count = unitjac.State(jnp.asarray(0), name="count")

    def counted(x):
        count.value = count.value + 1
        return x**2

    sparse_jacobian(counted, ramp(3), pattern=banded(3, 0, 0), check=True)
    assert count.value == 0


def test_a_check_wants_values():
    text = r"a check compares numbers, but an argument came as float32\[7\] without values"
    shape = u.Quantity(jax.ShapeDtypeStruct((7,), jnp.float32), unit=u.mV)
    with pytest.raises(TypeError, match=text):
        sparse_jacobian(diffusion, shape, G, pattern=banded(7, 1, 1), check=True)
    with pytest.raises(TypeError, match=text):
        jax.jit(lambda V: planned().check(V, G))(V)


# In files


@each("scene", SCENES[:5])
def test_saved_and_loaded(scene: Scene, tmp_path) -> None:
    jac = sparse_jacobian(
        scene.fun, *scene.args(), argnums=scene.argnums, pattern=scene.pattern, jit=True
    )
    jac.save(tmp_path / "plan")
    again = load(tmp_path / "plan", scene.fun)
    assert isinstance(again, SparseJacobian)
    assert again.jit
    assert again.selection == jac.selection
    assert (again.blueprint.signature, again.passes) == (jac.blueprint.signature, jac.passes)
    found, expected = again(*scene.args()), jac(*scene.args())
    assert (found.rows, found.cols) == (expected.rows, expected.cols)
    np.testing.assert_array_equal(found.array.data, expected.array.data)
    np.testing.assert_array_equal(found.array.indices, expected.array.indices)


def test_options_are_saved(tmp_path):
    state = unitjac.State(q(2.0, u.nS), name="g")

    def fun(V):
        return state.value * V, "aux"

    pattern = {"g": np.ones((7, 1), bool)}, banded(7, 0, 0)
    options = dict(grad_states={"g": state}, argnums=(0,), has_aux=True, return_value=True)
    jac = sparse_jacobian(
        fun, V, **options, pattern=(pattern[0], (pattern[1],)), mode="rev", chunk_size=2
    )
    jac.save(tmp_path / "plan.npz")
    again = load(tmp_path / "plan.npz", fun, grad_states={"g": state})
    assert (again.mode, again.chunk_size, again.selection.argnums) == ("rev", 2, (0,))
    J, value, aux = again(V)
    np.testing.assert_allclose(J.dense, jac(V)[0].dense)
    assert (value.unit, aux) == ((u.nS * u.mV), "aux")


def test_a_hessian_is_loaded(tmp_path):
    hess = sparse_hessian(lambda x: jnp.sum(x**3), ramp(4), pattern=banded(4, 0, 0))
    hess.save(tmp_path / "plan")
    again = load(tmp_path / "plan", lambda x: jnp.sum(x**3))
    assert isinstance(again, SparseHessian)
    np.testing.assert_allclose(again(ramp(4)).dense, np.diag(6 * ramp(4)), 1e-6)


def test_a_loaded_plan_knows_what_it_is_for(tmp_path):
    planned().save(tmp_path / "plan")
    again = load(tmp_path / "plan", diffusion)
    with pytest.raises(ValueError, match=r"argument 0  float32\[7\] in mV  float32\[6\] in mV"):
        again(V[:6], G)
    other = load(tmp_path / "plan", lambda V, g: g * V[1:])
    with pytest.raises(ValueError, match=r"output  float32\[7\] in pA  float32\[6\] in pA"):
        other(V, G)
    assert again(V.in_unit(u.volt), G).shape == (7, 7)


def test_no_plan(tmp_path):
    path = tmp_path / "plan"
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"holds no plan\. Write one with the method save"):
        load(path, diffusion)
    with path.open("wb") as file:
        np.savez(file, rows=np.zeros(3))
    with pytest.raises(ValueError, match="holds no plan"):
        load(path, diffusion)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere", diffusion)


def test_a_plan_of_another_format(tmp_path):
    path = tmp_path / "plan"
    with path.open("wb") as file:
        about = json.dumps({"format": 99})
        np.savez(file, rows=np.zeros(0), cols=np.zeros(0), about=np.array(about))
    with pytest.raises(ValueError, match="holds a plan of format 99, and this version reads"):
        load(path, diffusion)
