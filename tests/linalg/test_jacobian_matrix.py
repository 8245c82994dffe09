"""``jacobian_matrix`` and ``hessian_matrix``: the blocks of the transforms, as one matrix."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_physically_equal, assert_same, eager_and_compiled, q

import unitjac
from linalg.matrices import assert_numbers
from unitjac import State
from unitjac.linalg import UnitMatrix, hessian_matrix, jacobian_matrix
from unitjac.models import hodgkin_huxley

G = u.parse_unit("mS/cm^2")


def membrane(p, V):
    current = p["g"] * (V - p["E"])
    return {"I": current.in_unit(u.uA / u.cm**2), "tau": [p["C"] / p["g"], 2.0 * jnp.ones(2)]}


def point() -> tuple:
    p = {"g": q(0.25, G), "E": q(-54.0, u.mV), "C": q(2.0, u.parse_unit("uF/cm^2"))}
    return p, q([-70.0, -62.0, -54.0], u.mV)


@pytest.mark.parametrize(
    ("x64", "jit", "mode"),
    [(True, True, "auto"), (False, False, "auto"), (True, False, "fwd"), (True, False, "rev")],
)
def test_the_blocks_are_those_of_jacobian(x64, jit, mode):
    with jax.enable_x64(x64):
        args = point()
        J = jacobian_matrix(membrane, argnums=(0, 1), mode=mode, jit=jit)(*args)
        expected = unitjac.jacobian(membrane, argnums=(0, 1), unit_aware=True, mode=mode)(*args)
        assert_physically_equal(J.blocks(), expected)
        assert J.shape == (3 + 1 + 2, 3 + 3)
        assert J.rows.labels == ("I", "tau/0", "tau/1")
        assert J.cols.labels == ("0/C", "0/E", "0/g", "1")
        assert J.rows.units == (u.uA / u.cm**2, u.get_unit(membrane(*args)["tau"][0]), None)
        single = jacobian_matrix(membrane, argnums=1, jit=jit)(*args)
        assert single.cols.is_leaf
        assert_numbers(single["I", ()].to_decimal(G), 0.25 * np.eye(3), 1e-6)


@eager_and_compiled
def test_what_comes_with_it(jit):
    def with_aux(p, V):
        return membrane(p, V), {"drive": V - p["E"], "kind": "leak"}

    args = point()
    expected = jacobian_matrix(membrane)(*args)
    value, aux = with_aux(*args)
    options = {"jit": jit}
    J, found = jacobian_matrix(membrane, return_value=True, **options)(*args)
    assert_same(found, value)
    J_aux, found_aux = jacobian_matrix(with_aux, has_aux=True, **options)(*args)
    assert_same(found_aux["drive"], aux["drive"])
    J_both, found, found_aux = jacobian_matrix(
        with_aux, has_aux=True, return_value=True, **options
    )(*args)
    assert_same(found, value)
    assert found_aux["kind"] == "leak"
    for matrix in (J, J_aux, J_both):
        assert matrix.rows == expected.rows
        assert_numbers(matrix.array, expected.array)


class Cell:
    """A voltage that a current moves, and a resistance."""

    def __init__(self):
        self.V = State(q([-65.0, -60.0], u.mV), name="V")
        self.R = State({"R": q(20.0, u.Mohm)}, name="R")

    def __call__(self, current):
        slope = (-65.0 * u.mV - self.V.value + self.R.value["R"] * current) / (10.0 * u.ms)
        self.V.value = (self.V.value + slope * (0.5 * u.ms)).in_unit(u.mV)
        return {"dV": slope.in_unit(u.mV / u.ms)}


STATES = {
    "one": (lambda cell: cell.R, {"R": lambda jac: jac["dV"]["R"]}),
    "list": (
        lambda cell: [cell.V, cell.R],
        {"0": lambda jac: jac[0]["dV"], "1/R": lambda jac: jac[1]["dV"]["R"]},
    ),
    "dict": (
        lambda cell: {"v": cell.V, "r": cell.R},
        {"r/R": lambda jac: jac["r"]["dV"]["R"], "v": lambda jac: jac["v"]["dV"]},
    ),
}


@eager_and_compiled
@pytest.mark.parametrize("name", STATES)
def test_states_are_columns(jit, name):
    states, blocks = STATES[name]
    cell, twin = Cell(), Cell()
    jac = jacobian_matrix(cell, grad_states=states(cell), return_value=True, jit=jit)
    J, value = jac(1.0 * u.nA)
    expected = unitjac.jacobian(twin, grad_states=states(twin), unit_aware=True)(1.0 * u.nA)
    assert J.cols.labels == tuple(blocks)
    for label, block_of in blocks.items():
        assert_physically_equal(J["dV", label], block_of(expected))
    assert_same(value, {"dV": q([2.0, 1.5], u.mV / u.ms)})
    assert_same(cell.V.value, twin.V.value)
    assert float(cell.V.value[0].to_decimal(u.mV)) == pytest.approx(-64.0), "written once"


@eager_and_compiled
def test_states_and_arguments_are_columns(jit):
    cell, twin = Cell(), Cell()
    J = jacobian_matrix(cell, grad_states=[cell.V, cell.R], argnums=0, jit=jit)(q(1.0, u.nA))
    by_states, by_argument = unitjac.jacobian(
        twin, grad_states=[twin.V, twin.R], argnums=0, unit_aware=True
    )(q(1.0, u.nA))
    assert J.cols.labels == ("0/0", "0/1/R", "1")
    assert_physically_equal(J["dV", ("0", 0)], by_states[0]["dV"])
    assert_physically_equal(J["dV", (0, 1, "R")], by_states[1]["dV"]["R"])
    assert_physically_equal(J["dV", (1,)], by_argument["dV"])
    dx = ([q([1.0, 0.0], u.mV), {"R": q(0.0, u.Mohm)}], q(0.0, u.nA))
    assert_numbers((J @ dx)["dV"].to_decimal(u.mV / u.ms), [-0.1, 0.0], 1e-6)


def test_a_method_and_keywords():
    class Model:
        def __init__(self, gain):
            self.gain = gain

        def output(self, x, *, offset):
            return self.gain * x + offset

        slope = jacobian_matrix(output, argnums=1)

    model = Model(3.0)
    for jac in (jacobian_matrix(model.output), model.slope):
        assert float(jac(2.0 * u.mV, offset=1.0 * u.mV).array[0, 0]) == 3.0


@eager_and_compiled
def test_the_matrix_has_the_widest_dtype(jit):
    with jax.enable_x64(True):
        x = {"a": jnp.float32(2.0) * u.mV, "b": jnp.float64(3.0)}
        J = jacobian_matrix(lambda x: [x["a"] ** 2, x["b"] ** 2], jit=jit)(x)
        assert J.dtype == jnp.float64
        assert_numbers(J.array, [[4.0, 0.0], [0.0, 6.0]])


@eager_and_compiled
@pytest.mark.parametrize(
    ("fun", "x", "shape"),
    [
        (lambda x: {}, 1.0 * u.mV, (0, 1)),
        (lambda x: jnp.zeros((0, 2)) * u.mV, 1.0 * u.mV, (0, 1)),
        (lambda x: 3.0 * u.mV, {}, (1, 0)),
        (lambda x: 2.0 * x, jnp.zeros(0) * u.mV, (0, 0)),
        (lambda x: x**2, 1.0 * u.mV, (1, 1)),
        (lambda x: x[0] * x[1], (1.0 * u.mV, jnp.ones((2, 3)) * u.ms), (6, 7)),
    ],
    ids=["no output", "size 0", "no input", "both", "scalar", "rank 2"],
)
def test_sizes(jit, fun, x, shape):
    J = jacobian_matrix(fun, jit=jit)(x)
    assert J.shape == shape
    expected = unitjac.jacobian(fun, unit_aware=True)(x)
    assert jax.tree.structure(J.blocks()) == jax.tree.structure(expected)


def test_inside_other_transformations():
    def leak(V):
        return 0.3 * G * (V + 54.0 * u.mV)

    V = jnp.array([-60.0, -50.0]) * u.mV
    batch = jax.vmap(lambda V: jacobian_matrix(leak)(V))(V)
    assert isinstance(batch, UnitMatrix)
    found = jax.vmap(lambda J: J @ (1.0 * u.mV))(batch)
    assert_numbers(found.to_decimal(u.uA / u.cm**2), [0.3, 0.3], 1e-6)
    compiled = jax.jit(lambda V: jacobian_matrix(leak)(V).T)(V[0])
    assert compiled.rows.is_leaf


def test_a_second_compiled_call_traces_nothing():
    calls = []

    def counted(x):
        calls.append(x)
        return x**2

    jac = jacobian_matrix(counted, jit=True)
    jac(1.0 * u.mV)
    assert_numbers(jac(2.0 * u.mV).array, [[4.0]])
    assert len(calls) == 1


def test_the_plan():
    jac = jacobian_matrix(membrane)
    assert repr(jac) == "<unitjac.jacobian_matrix of membrane>"
    assert str(jac.plan(*point())).startswith("jacobian_matrix of membrane")
    hess = hessian_matrix(lambda x: x**2)
    assert repr(hess).startswith("<unitjac.hessian_matrix of ")
    assert str(hess.plan(1.0 * u.mV)).startswith("hessian_matrix of ")


# Hessians


def energy(p, x):
    return 0.5 * p["C"] * jnp.sum(p["scale"] ** 2) * x**2 + p["C"] * x * 1.0 * u.mV


def at() -> tuple:
    return {"C": q(2.0, u.nF), "scale": jnp.array([1.0, 2.0])}, q(3.0, u.mV)


@pytest.mark.parametrize(
    ("x64", "jit", "mode"),
    [
        (True, True, "auto"),
        (False, False, "auto"),
        (True, True, "rev-over-rev"),
        (True, True, "fwd-over-fwd"),
    ],
)
def test_the_blocks_are_those_of_hessian(x64, jit, mode):
    with jax.enable_x64(x64):
        args = at()
        H = hessian_matrix(energy, argnums=(0, 1), mode=mode, jit=jit)(*args)
        expected = unitjac.hessian(energy, argnums=(0, 1), unit_aware=True)(*args)
        for i, first in enumerate((("C",), ("scale",), ())):
            for j, second in enumerate((("C",), ("scale",), ())):
                block, wanted = H[(int(i == 2), *first), (int(j == 2), *second)], expected
                for key in (int(i == 2), *first, int(j == 2), *second):
                    wanted = wanted[key]
                assert_physically_equal(block, wanted)
        assert_numbers(H.array[:3, :3], H.array[:3, :3].T), "scaled alike, so symmetric numbers"


@eager_and_compiled
def test_a_hessian_by_states_and_what_comes_with_it(jit):
    V = State(q(3.0, u.mV), name="V")
    count = State(jnp.array(0), name="count")

    def stored(C):
        count.value = count.value + 1
        return 0.5 * C * V.value**2, "aux"

    hess = hessian_matrix(
        stored, grad_states=V, argnums=0, has_aux=True, return_value=True, jit=jit
    )
    H, value, aux = hess(q(2.0, u.nF))
    assert (aux, int(count.value)) == ("aux", 1)
    assert float(value.to_decimal(u.nF * u.mV**2)) == pytest.approx(9.0)
    assert H.cols.labels == ("0", "1")
    assert float(H[("0",), ("0",)].to_decimal(u.nF)) == 2.0
    assert float(H[("0",), ("1",)].to_decimal(u.mV)) == 3.0
    assert float(H[("1",), ("1",)].mantissa) == 0.0


def test_a_hessian_of_plain_numbers_is_plain():
    H = hessian_matrix(lambda x: x[0] ** 2 * x[1])([2.0, 3.0])
    assert H.rows.units == (None, None)
    assert_numbers(H.array, [[6.0, 4.0], [4.0, 0.0]])


@pytest.mark.parametrize(
    ("fun", "came"),
    [
        (lambda x: jnp.ones(2) * x, r"float32\[2\]"),
        (lambda x: {"a": x, "b": x}, r"float32\[\], float32\[\]"),
        (lambda x: (), "none"),
    ],
)
def test_a_hessian_is_of_one_scalar(fun, came):
    text = rf"hessian_matrix wants one scalar output, .* gave {came}\. Use unitjac\.hessian for the"
    with pytest.raises(TypeError, match=text):
        hessian_matrix(fun)(1.0 * u.mV)


def test_nothing_to_differentiate():
    assert hessian_matrix(lambda x: 3.0 * u.mV)({}).shape == (0, 0)


# What is refused


def test_unknown_keywords_and_modes():
    for make in (jacobian_matrix, hessian_matrix):
        with pytest.raises(TypeError, match=rf"{make.__name__}.*'?unit_aware"):
            make(membrane, unit_aware=True)
        with pytest.raises(ValueError, match=r"mode must be .*got \'sideways\'"):
            make(membrane, mode="sideways")
        with pytest.raises(TypeError, match=rf"{make.__name__} wants a function, got 3\.0 \(float"):
            make(3.0)


def test_whole_numbers_have_no_derivative():
    for make in (jacobian_matrix, hessian_matrix):
        with pytest.raises(TypeError, match=r"argument 0 is int32\[\]"):
            make(lambda x: x * 1.0)(3)


# A use


def test_the_membrane_by_its_parameters():
    """A small change of the parameters, along the matrix and along the function."""
    inputs = hodgkin_huxley.membrane_inputs()
    with jax.enable_x64(True):
        inputs = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), inputs)
        J = jacobian_matrix(hodgkin_huxley.membrane)(inputs)
        dx = jax.tree.map(lambda leaf: 1e-6 * leaf, inputs)
        up = hodgkin_huxley.membrane(jax.tree.map(jnp.add, inputs, dx))
        down = hodgkin_huxley.membrane(jax.tree.map(jnp.subtract, inputs, dx))
        change = J @ dx
        for name in change:
            expected = (up[name] - down[name]) / 2
            assert float(change[name] / expected) == pytest.approx(1.0, rel=1e-6)
