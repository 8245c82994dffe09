"""Second derivatives: trees, arguments, states and the mixed blocks, in each of the five modes.

The judge is ``jax.hessian`` of the same model on bare magnitudes, each block times the unit that
follows from units written down by hand; for physical models it is sympy.
"""

import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    Counter,
    assert_physically_equal,
    assert_same,
    eager_and_compiled,
    is_quantity,
    magnitudes,
    mixes_dtypes,
    q,
    unchanged,
)
from physics import MODELS
from test_physics import assert_hessian, rewritten

from unitjac import State, UnitsDroppedWarning, grad, hessian, jacfwd, jacrev

MODES = ("auto", "fwd-over-rev", "rev-over-rev", "fwd-over-fwd", "rev-over-fwd")
each_mode = pytest.mark.parametrize("mode", MODES)

# A patch of membrane: a current and what it dissipates, with two states. Bare numbers are in mV,
# uS, nA, pW and, for the shifted voltage, V.


def patch(E, p, V, g):
    na = g["Na"] * p * (V - E["Na"]) ** 2 / 10
    return {"I": (na, [jnp.sum(na * V)]), "shifted": V[0] * p / 1000}


class Patch:
    def __init__(self):
        self.E = State({"Na": q(50.0, u.mV)}, name="E")
        self.p = State(jnp.asarray(0.4), name="p")
        self.count = State(jnp.asarray(0), name="count")

    def __call__(self, V, g):
        E, p = self.E.value, self.p.value
        self.count.value = self.count.value + 1
        na = g["Na"] * p * (V - E["Na"]) ** 2 / (10.0 * u.mV)
        return {"I": (na, [u.math.sum(na * V)]), "shifted": (V[0] * p).in_unit(u.volt)}

    def with_aux(self, V, g):
        return self(V, g), {"text": "aux", "V": V}


def arguments():
    return q([-65.0, -20.0], u.mV), {"Na": q(1.2, u.uS)}


OUTPUT_UNITS = {"I": (u.nA, [u.parse_unit("pW")]), "shifted": u.volt}
INPUT_UNITS = ({"Na": u.mV}, u.UNITLESS, u.mV, {"Na": u.uS})  # E, p, V, g
OUTPUTS = jax.tree.structure(OUTPUT_UNITS)


@cache
def blocks() -> dict[tuple[int, int], Any]:
    """The second blocks of each pair of inputs as JAX gives them, times their units."""
    model, (V, g) = Patch(), arguments()
    bare = (*magnitudes((model.E.value, model.p.value, V)), magnitudes(g))
    table = OUTPUTS.flatten_up_to(jax.jit(jax.hessian(patch, argnums=range(4)))(*bare))

    def block(n: int, m: int) -> Any:
        return OUTPUTS.unflatten(
            [
                with_units(inner, unit, INPUT_UNITS[n], INPUT_UNITS[m])
                for inner, unit in zip(
                    [first_blocks(row[n], INPUT_UNITS[n], m) for row in table],
                    jax.tree.leaves(OUTPUT_UNITS),
                    strict=True,
                )
            ]
        )

    return {(n, m): block(n, m) for n, m in itertools.product(range(4), repeat=2)}


def first_blocks(row: Any, first: Any, m: int) -> Any:
    """Of all second inputs the m-th one, in each leaf of the first input."""
    return jax.tree.map(lambda _, seconds: seconds[m], first, row)


def with_units(inner: Any, out: Any, first: Any, second: Any) -> Any:
    return jax.tree.map(
        lambda into, rest: jax.tree.map(
            lambda onto, block: u.maybe_decimal(u.Quantity(block, unit=out / into / onto)),
            second,
            rest,
        ),
        first,
        inner,
    )


def of_arguments(*chosen: int) -> Any:
    """The blocks of a sequence of arguments: a tuple inside of the output, and a tuple inside."""
    return zipped([one_and_many(n, chosen) for n in chosen])


def one_and_many(n: int, chosen: tuple[int, ...]) -> Any:
    """For each output: the first input's tree, in it the tuple of the second inputs."""
    columns = [OUTPUTS.flatten_up_to(blocks()[n, m]) for m in chosen]
    merge = lambda _, *leaves: tuple(leaves)  # noqa: E731
    rows = zip(*columns, strict=True)
    return OUTPUTS.unflatten([jax.tree.map(merge, INPUT_UNITS[n], *row) for row in rows])


def many_and_one(chosen: tuple[int, ...], m: int) -> Any:
    """For each output: the tuple of the first inputs, in it the second input's tree."""
    return zipped([blocks()[n, m] for n in chosen])


def zipped(tables: list[Any]) -> Any:
    columns = [OUTPUTS.flatten_up_to(table) for table in tables]
    return OUTPUTS.unflatten(list(zip(*columns, strict=True)))


@dataclass(frozen=True)
class Row:
    name: str
    states: Callable[[Patch], Any]
    argnums: Any
    expected: Callable[[], Any]


E, p, V, g = range(4)
ROWS = (
    Row("one argument", lambda m: None, None, lambda: blocks()[V, V]),
    Row("negative int", lambda m: None, -1, lambda: blocks()[g, g]),
    Row("sequence of one", lambda m: None, (0,), lambda: of_arguments(V)),
    Row("arguments", lambda m: None, (1, 0), lambda: of_arguments(g, V)),
    Row("one state", lambda m: m.E, None, lambda: blocks()[E, E]),
    Row(
        "states",
        lambda m: {"rev": m.E, "p": m.p},
        None,
        lambda: {
            "rev": {"rev": blocks()[E, E], "p": blocks()[E, p]},
            "p": {"rev": blocks()[p, E], "p": blocks()[p, p]},
        },
    ),
    Row(
        "one state and an argument",
        lambda m: m.E,
        0,
        lambda: ((blocks()[E, E], blocks()[E, V]), (blocks()[V, E], blocks()[V, V])),
    ),
    Row(
        "states and arguments",
        lambda m: [m.p, m.E],
        (1, 0),
        lambda: (
            (
                [[blocks()[p, p], blocks()[p, E]], [blocks()[E, p], blocks()[E, E]]],
                [one_and_many(p, (g, V)), one_and_many(E, (g, V))],
            ),
            (
                [many_and_one((g, V), p), many_and_one((g, V), E)],
                of_arguments(g, V),
            ),
        ),
    ),
)
BOTH = ROWS[-1]


def transform(model: Any, row: Row, **options: Any) -> Any:
    fun = model.with_aux if options.get("has_aux") else model
    return hessian(
        fun, grad_states=row.states(model), argnums=row.argnums, unit_aware=True, **options
    )


@pytest.mark.parametrize(
    ("row", "jit"),
    [pytest.param(row, True, id=row.name) for row in ROWS]
    + [pytest.param(ROWS[-2], False, id=f"{ROWS[-2].name}, eager")],
)
def test_blocks_of_states_and_arguments(row, jit):
    model = Patch()
    H = transform(model, row, jit=jit)
    with unchanged(model.E, model.p):
        assert_same(H(*arguments()), row.expected(), digits_lost=10)
    assert model.count.value == 1


@each_mode
def test_each_mode_gives_the_same_blocks(mode):
    found = transform(Patch(), BOTH, mode=mode, jit=True)(*arguments())
    assert_same(found, BOTH.expected(), digits_lost=10)


@each_mode
def test_each_mode_under_an_outer_jit_and_under_vmap(mode):
    H = hessian(pure, argnums=(1, 0), unit_aware=True, mode=mode)
    once, both = jax.jit(lambda *x: (H(*x), jax.vmap(H)(*twice(x))))(*arguments())
    expected = of_arguments(g, V)
    assert_same(once, expected, digits_lost=10)
    assert_same(both, twice(expected), digits_lost=10)


def twice(tree):
    return jax.tree.map(lambda x: jnp.stack([x, x]), tree)


def pure(V, g):
    """The patch with its states at their values, which nothing writes."""
    na = g["Na"] * 0.4 * (V - q(50.0, u.mV)) ** 2 / (10.0 * u.mV)
    return {"I": (na, [u.math.sum(na * V)]), "shifted": (V[0] * 0.4).in_unit(u.volt)}


@pytest.mark.parametrize("has_aux", [False, True], ids=["", "aux"])
@pytest.mark.parametrize("return_value", [False, True], ids=["", "value"])
def test_value_and_aux_come_after_the_blocks(return_value, has_aux):
    model = Patch()
    H = transform(model, BOTH, jit=True, return_value=return_value, has_aux=has_aux)
    for _ in range(2):
        found = H(*arguments())
        rest = ()
        if return_value or has_aux:
            found, *rest = found
        assert_same(found, BOTH.expected(), digits_lost=10)
        if has_aux:
            assert_same(rest[-1].pop("V"), arguments()[0])
            assert rest.pop() == {"text": "aux"}
        if return_value:
            assert_same(rest.pop(), pure(*arguments()), digits_lost=4)
        assert not rest
    assert model.count.value == 2


@each_mode
def test_function_is_called_once(mode):
    fun = Counter(lambda x: (x**3, "aux"))
    options = dict(has_aux=True, return_value=True, unit_aware=True, mode=mode)
    hessian(fun, **options)(q(3.0, u.mV))
    assert fun.calls == 1
    H = hessian(fun, **options, jit=True)
    for number in (3.0, 4.0):
        H(q(number, u.mV))
    assert fun.calls == 2


# Symmetry, closed forms, sympy


@each_mode
def test_mixed_blocks_are_each_others_transposes(mode, rng):
    def fun(x, y):
        power = u.math.sum(x) * s.value[0] * (1.0 * u.Mohm) + u.math.sum(y * y) * (1.0 * u.nS)
        return u.math.tanh(power * s.value / (4.0 * u.nA * u.fwatt)) * (1.0 * u.mV)

    with jax.enable_x64(True):
        s = State(q(rng.uniform(0.2, 1.0, 2), u.nA), name="s")
        x, y = q(rng.uniform(0.2, 1.0, 3), u.pA), q(rng.uniform(0.2, 1.0, (2, 2)), u.mV)
        options = dict(grad_states=s, argnums=(0, 1), unit_aware=True, mode=mode, jit=True)
        (ss, sa), (as_, aa) = hessian(fun, **options)(x, y)
    assert ss.shape == (2, 2, 2)
    assert_physically_equal(turned(ss, 1), ss, digits_lost=10)
    for n, straight in enumerate(sa):
        assert_physically_equal(turned(straight, 1), as_[n], digits_lost=10)
    assert_physically_equal(turned(aa[0][1], 1), aa[1][0], digits_lost=10)
    assert aa[1][0].shape == (2, 2, 2, 3)
    assert np.max(np.abs(aa[1][0].mantissa)) > 1e-9  # it is not the symmetry of zeros


def turned(block: Any, ndim: int) -> Any:
    """Output axes first (there is one), then the second input's, then the first's."""
    axes = range(1, block.ndim)
    return u.math.moveaxis(block, tuple(axes), tuple(1 + (a - 1 - ndim) % len(axes) for a in axes))


@each_mode
def test_energy_in_closed_form(mode):
    H = hessian(lambda C, V: C * V**2 / 2, argnums=(0, 1), unit_aware=True, mode=mode)
    expected = (q(0.0, u.mV**2 / u.nF), q(3.0, u.mV)), (q(3.0, u.mV), q(2.0, u.nF))
    assert_same(H(q(2.0, u.nF), q(3.0, u.mV)), expected)


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        pytest.param(model, mode, id=f"{model.name}-{mode}")
        for model, mode in zip(MODELS[2::17], itertools.cycle(MODES[1:]), strict=False)
    ],
)
def test_sympy_agrees_however_the_parameters_are_written(model, mode):
    with jax.enable_x64(True):
        H = hessian(model, unit_aware=True, mode=mode, jit=True)
        for parameters in (model.quantities(), rewritten(model)):
            assert_hessian(H(parameters), model)


def test_hessian_of_a_gradient_is_the_third_derivative():
    def fun(p):
        return p["C"] * p["V"] ** 3

    third = hessian(grad(fun, unit_aware=True), unit_aware=True)
    found = third({"C": q(2.0, u.nF), "V": q(5.0, u.mV)})
    assert_same(found["V"]["V"]["V"], q(12.0, u.nF))
    assert_same(found["C"]["V"]["V"], q(30.0, u.mV))
    assert_same(found["V"]["C"]["V"], q(30.0, u.mV))
    assert_same(found["C"]["C"]["V"], q(0.0, u.mV**2 / u.nF))


def test_hessian_is_the_jacobian_of_the_jacobian():
    fun = lambda x: {"a": x**3 / u.ms, "b": [u.math.sum(x) ** 2 * x[0]]}  # noqa: E731
    x = q([1.0, 2.0, 3.0], u.mV)
    found = hessian(fun, unit_aware=True, jit=True)(x)
    for outer, inner in itertools.product((jacfwd, jacrev), repeat=2):
        second = outer(inner(fun, unit_aware=True), unit_aware=True, jit=True)
        assert_same(second(x), found)
    trace = lambda x: jnp.einsum("ijj->i", hessian(lambda x: x**4)(x))  # noqa: E731
    bare = jnp.asarray([1.0, 2.0])
    assert_same(jacfwd(trace)(bare), jnp.diag(24.0 * bare))


@each_mode
def test_state_that_the_function_writes_is_differentiated_where_it_stood(mode):
    V = State(q(3.0, u.mV), name="V")

    def fun(x):
        V.value = V.value**2 * x
        return V.value * x

    for jit in (False, True):
        V.value = q(3.0, u.mV)
        H = hessian(fun, grad_states=V, argnums=0, unit_aware=True, mode=mode, jit=jit)
        (ss, sa), (as_, aa) = H(q(2.0, u.nS))
        assert_same(ss, q(8.0, u.nS**2))
        assert_same([sa, as_], [q(24.0, u.mV * u.nS)] * 2)
        assert_same(aa, q(18.0, u.mV**2))
        assert_same(V.value, q(18.0, u.mV**2 * u.nS))


# Numbers


@mixes_dtypes
@pytest.mark.parametrize("mode", ["auto", "fwd-over-rev", "rev-over-fwd"])
def test_blocks_have_the_dtypes_of_jax_in_mixed_precision(mode):
    outer, inner = {"auto": ("fwd", "fwd")}.get(mode, tuple(mode.split("-over-")))
    jax_of = {"fwd": jax.jacfwd, "rev": jax.jacrev}

    def fun(xs):
        total = sum(x.astype(jnp.float32) ** 2 * (n + 1) for n, x in enumerate(xs))
        return [(total / 4).astype(x.dtype) for x in xs]

    with jax.enable_x64(True):
        dtypes = ("float16", "bfloat16", "float32", "float64")
        xs = [jnp.asarray(0.5, dtype) for dtype in dtypes]
        reference = jax.jit(jax_of[outer](jax_of[inner](fun)))(xs)
        expected = jax.tree.map(lambda block: u.Quantity(block, unit=u.nA / u.mV**2), reference)
        found = hessian(
            lambda xs: [u.Quantity(y, unit=u.nA) for y in fun([x.mantissa for x in xs])],
            unit_aware=True,
            mode=mode,
            jit=True,
        )([u.Quantity(x, unit=u.mV) for x in xs])
        assert_same(found, expected)


SHAPES = ((), (0,), (1,), (2, 0), (2, 3), (1, 2, 1, 2))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_blocks_have_the_shape_of_the_output_and_of_both_inputs(shape):
    number = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape).astype(np.float32)

    def fun(p):
        return {"x": p["x"] ** 3, "y": p["y"] ** 2 * u.math.sum(p["x"])}

    found = hessian(fun, unit_aware=True, jit=True)(
        {"x": q(number, u.mV), "y": q([4.0, 5.0], u.nS)}
    )
    n = number.size
    cube = np.zeros((n, n, n), np.float32)
    cube[np.arange(n), np.arange(n), np.arange(n)] = 6 * number.ravel()
    assert_same(found["x"]["x"]["x"], q(cube.reshape(shape * 3), u.mV))
    mixed = np.broadcast_to(
        np.diag([8.0, 10.0]).reshape((2, 2) + (1,) * len(shape)), (2, 2, *shape)
    )
    assert_same(found["y"]["y"]["x"], q(mixed, u.nS))


nV = u.parse_unit("nV")


@pytest.mark.parametrize(
    ("number", "out", "at", "expected"),
    [(1e-4, u.volt**2, u.mV, 200.0), (2e4, u.mV**2, u.volt, 0.04), (1.0, u.volt**2, nV, np.inf)],
    ids=["1e6 up", "1e6 down", "1e18 up and out"],
)
@eager_and_compiled
def test_block_without_dimension_is_scaled_without_overflow_on_the_way(
    jit, number, out, at, expected
):
    number = jnp.asarray(number, "float16")
    H = hessian(lambda x: u.Quantity(x.mantissa**2 * number, unit=out), unit_aware=True, jit=jit)
    assert_same(H(q(1.0, at, "float16")), jnp.asarray(expected, "float16"))


def test_holomorphic_hessians_have_units_as_real_ones_do():
    z = q([1.0 + 2.0j, 3.0j], u.mV, "complex64")
    found = hessian(lambda z: u.math.sum(z**3), holomorphic=True, unit_aware=True)(z)
    assert_same(found, u.math.diag(6 * z))


# What is refused, and what is lost


def test_mode_is_one_of_five():
    text = r"^mode must be one of auto, fwd-over-rev, rev-over-rev, .*, got \'fwd\'\.$"
    with pytest.raises(ValueError, match=text):
        hessian(lambda x: x, mode="fwd")


@eager_and_compiled
def test_integers_and_complex_numbers_are_refused(jit):
    with pytest.raises(TypeError, match=r"argument 0\['n'\] is int32\[\], but a differentiated in"):
        hessian(lambda p: p["n"] * 2.0, jit=jit)({"n": jnp.asarray(3)})
    with pytest.raises(TypeError, match=r"is complex64\[\], but forward mode wants real inputs"):
        hessian(lambda z: jnp.real(z**2), jit=jit)(3.0 + 1.0j)
    with pytest.raises(TypeError, match=r"output\[1\] of .* is complex64\[\], but reverse mode"):
        hessian(lambda x: (x, x * 1j), jit=jit)(3.0)


def test_unknown_keyword_is_an_error_that_names_the_known_ones():
    known = set(inspect.signature(hessian).parameters) - {"fun", "kwargs"}
    with pytest.raises(TypeError, match=r"^hessian has no keyword argument 'allow_int'") as caught:
        hessian(lambda x: x, allow_int=True)
    assert set(str(caught.value).split(": ")[1].rstrip(".").split(", ")) == known


@eager_and_compiled
def test_units_that_are_dropped_are_named_in_a_warning_at_the_users_line(jit):
    H = hessian(lambda p: p["C"] * p["V"] ** 2, jit=jit)
    text = r"^hessian of .*<lambda> has blocks in .*, mV, nF, which come back as plain magnitudes"
    here = inspect.currentframe()
    with pytest.warns(UnitsDroppedWarning, match=text) as caught:
        found = H({"C": q(2.0, u.nF), "V": q(3.0, u.mV)})
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, here.f_lineno - 1)]
    assert not any(map(is_quantity, jax.tree.leaves(found, is_leaf=is_quantity)))
    assert_same(found["V"], {"C": jnp.asarray(6.0), "V": jnp.asarray(4.0)})


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("auto", ("fwd over fwd", 9)),
        ("fwd-over-rev", ("fwd over rev", 12)),
        ("rev-over-rev", ("rev over rev", 48)),
        ("fwd-over-fwd", ("fwd over fwd", 9)),
        ("rev-over-fwd", ("rev over fwd", 36)),
    ],
)
def test_plan_says_how_the_modes_are_nested_and_lists_the_blocks(mode, expected):
    fun = lambda p: (u.math.sum(p["x"]) * p["y"]) * jnp.ones(4)  # noqa: E731
    plan = hessian(fun, unit_aware=True, mode=mode).plan(
        {"x": q([1.0, 2.0], u.mV), "y": q(3.0, u.nS)}
    )
    assert (plan.mode, plan.passes) == expected
    table = [(b.input, b.shape, b.unit) for b in plan.blocks]
    x, y = "argument 0['x']", "argument 0['y']"
    assert table[:2] == [
        (f"{x}, {x}", (4, 2, 2), "pA/mV^2"),
        (f"{x}, {y}", (4, 2), "1"),
    ]
    assert [row[:2] for row in table[2:]] == [(f"{y}, {x}", (4, 2)), (f"{y}, {y}", (4,))]
