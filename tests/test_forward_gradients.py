"""Random forward gradients: the mean is the gradient, and no unit changes an estimate.

With a direction d of normal numbers times a size s, and a function whose gradient is g, the
estimate in entry j is (sum_k g_k s_k d_k) d_j / s_j; its mean is g_j, and its variance, by
Isserlis, is (sum_k (g_k s_k)^2 + (g_j s_j)^2) / s_j^2.
"""

import copy
import pickle
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
    q,
    unchanged,
)

from unitjac import State, UnitsDroppedWarning, fwd_grad, grad

MANY = 4000


def power(p):
    """Linear in each entry; its unit is pA."""
    current = p["g"] * (p["E"] + q(20.0, u.mV))
    return u.math.sum(current * p["k"]).in_unit(u.pA)


def point(**units):
    p = {"E": q(-60.0, u.mV), "g": q([1.0, 3.0], u.nS), "k": jnp.array([0.5, 2.0])}
    return {name: p[name].in_unit(units[name]) if name in units else p[name] for name in p}


SIZES = {"E": q(60.0, u.mV), "g": q(2.0, u.nS), "k": 1.0}  # of the point, as the docstring says


def standard_errors(gradient, sizes, count):
    slopes = jax.tree.map(lambda g, s: g * s, gradient, sizes, is_leaf=is_quantity)
    flat = [np.ravel(u.Quantity(leaf).to_decimal(u.pA)) for leaf in leaves(slopes)]
    total = np.sum(np.concatenate(flat) ** 2)

    def error(slope, size):
        slope = u.Quantity(slope).to_decimal(u.pA)
        return q(np.sqrt((total + slope**2) / count), u.pA) / size

    return jax.tree.map(error, slopes, sizes, is_leaf=is_quantity)


def leaves(tree):
    return jax.tree.leaves(tree, is_leaf=is_quantity)


def assert_estimates(found, gradient, sizes, count):
    """Each entry within five standard errors, and not all of them within a tenth of one."""
    errors = leaves(standard_errors(gradient, sizes, count))
    distances = [
        np.ravel(u.Quantity((mine - right) / error).to_decimal(u.UNITLESS))
        for mine, right, error in zip(leaves(found), leaves(gradient), errors, strict=True)
    ]
    distances = np.abs(np.concatenate(distances))
    assert np.all(distances < 5.0), distances
    assert np.max(distances) > 0.1, distances


# The mean


@eager_and_compiled
def test_the_mean_over_directions_is_the_gradient(jit):
    gradient = grad(power, unit_aware=True)(point())
    make = fwd_grad(power, key=1, tangent_size=MANY, unit_aware=True, jit=jit)
    found = make(point())
    assert [leaf.unit for leaf in leaves(found)] == [leaf.unit for leaf in leaves(gradient)]
    assert_estimates(found, gradient, SIZES, MANY)


def test_the_mean_over_keys_is_the_gradient():
    gradient = grad(power, unit_aware=True)(point())
    keys = jax.random.split(jax.random.key(2), MANY)
    found = jax.vmap(lambda key: fwd_grad(power, key=key, unit_aware=True)(point()))(keys)
    mean = jax.tree.map(lambda leaf: leaf.mean(axis=0), found, is_leaf=is_quantity)
    assert_estimates(mean, gradient, SIZES, MANY)
    spread = jax.tree.map(lambda leaf: leaf.std(axis=0), found, is_leaf=is_quantity)
    # of a product of two normal numbers the fourth moment is large: ten percent is three sigma
    for mine, right in zip(
        leaves(spread), leaves(standard_errors(gradient, SIZES, 1)), strict=True
    ):
        ratio = u.Quantity(mine / right).to_decimal(u.UNITLESS)
        np.testing.assert_allclose(ratio, 1.0, rtol=0.1)


def test_typical_sizes_are_those_of_the_directions():
    typical = {"E": q([1e-3], u.volt)[0], "g": q([0.5, 2.0], u.nS), "k": 0.1}
    gradient = grad(power, unit_aware=True)(point())
    make = fwd_grad(power, key=3, tangent_size=MANY, typical=typical, unit_aware=True)
    assert_estimates(make(point()), gradient, typical, MANY)


def test_plain_numbers_are_moved_by_one_as_in_brainstate():
    a = jnp.array([3.0, -4.0])
    found = fwd_grad(lambda x: 100.0 * (a @ x), key=4, tangent_size=MANY)(jnp.array([1e3, 1e-3]))
    errors = np.sqrt((25.0 + np.square(a)) / MANY) * 100.0
    assert np.all(np.abs(found - 100.0 * a) < 5.0 * errors)


# Units


REWRITTEN = (
    {"E": u.volt},
    {"g": u.uS, "E": u.uvolt},
    {"g": u.siemens},
)


@pytest.mark.parametrize("units", REWRITTEN, ids=lambda units: " ".join(units))
@pytest.mark.parametrize("size", [None, 3], ids=["one direction", "three directions"])
def test_another_unit_of_an_input_changes_no_estimate(units, size):
    for typical in (None, SIZES):
        options = dict(key=5, tangent_size=size, typical=typical, unit_aware=True)
        expected = fwd_grad(power, **options)(point())
        found = fwd_grad(power, **options)(point(**units))
        assert_physically_equal(found, expected, digits_lost=4)
        in_volts = fwd_grad(lambda p: power(p).in_unit(u.nA), **options)(point())
        assert_physically_equal(in_volts, expected, digits_lost=4)


def test_another_unit_of_a_state_and_of_a_number_changes_no_estimate():
    def estimate(V, k):
        s = State(V, name="V")
        make = fwd_grad(lambda k: s.value**2 * k, grad_states=s, argnums=0, key=6, unit_aware=True)
        return make(k)

    expected = estimate(q(3.0, u.mV), jnp.asarray(2.0))
    for V, k in (
        (q(3e-3, u.volt), q(2.0, u.UNITLESS)),
        (q(3e3, u.uvolt), q(2e3, u.mV / u.volt)),
    ):
        assert_physically_equal(estimate(V, k), expected, digits_lost=4)


def test_leaf_of_zeros_is_moved_by_one_of_its_unit_or_by_its_typical_size():
    zeros = q([0.0, 0.0], u.mV)
    slope = lambda V: u.math.sum(V * q([2.0, 5.0], u.nS))  # noqa: E731
    options = dict(key=7, tangent_size=MANY, unit_aware=True)
    gradient, sizes = q([2.0, 5.0], u.nS), q([1.0, 1.0], u.mV)
    assert_estimates(fwd_grad(slope, **options)(zeros), gradient, sizes, MANY)
    typical = q(1e-3, u.volt)
    known = fwd_grad(slope, typical=typical, **options)
    assert_physically_equal(known(zeros), known(zeros.in_unit(u.volt)), digits_lost=4)


def test_blocks_without_dimension_are_numbers_and_units_are_dropped_with_a_warning():
    to_volts = lambda V: V.in_unit(u.volt)  # noqa: E731
    # of the identity: a normal number, squared
    squared = fwd_grad(lambda V: V, key=8, unit_aware=True)(q(3.0, u.mV))
    assert_same(fwd_grad(to_volts, key=8, unit_aware=True)(q(3.0, u.mV)), squared)
    with pytest.warns(UnitsDroppedWarning, match=r"fwd_grad of .*<lambda> has blocks in 10\^3"):
        plain = fwd_grad(to_volts, key=8)(q(3.0, u.mV))
    assert_same(plain, squared * 1e-3)


@pytest.mark.parametrize("x64", [False, True], ids=["x32", "x64"])
def test_dtypes_are_those_of_the_inputs(x64):
    with jax.enable_x64(x64):
        tree = {
            "half": q([1.0, 2.0], u.mV, "float16"),
            "wide": q(3.0, u.volt, "float64" if x64 else "float32"),
            "none": q(np.zeros((0, 2)), u.mV, "float32"),
        }
        total = lambda p: u.math.sum(p["half"].astype("float32")) + p["wide"]  # noqa: E731
        for size in (None, 2):
            found = fwd_grad(total, key=9, tangent_size=size, unit_aware=True)(tree)
            assert jax.tree.map(lambda x: (x.shape, x.dtype), found) == jax.tree.map(
                lambda x: (x.mantissa.shape, x.dtype), tree, is_leaf=is_quantity
            )
            assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(found))


# What comes back, and how often the function is called


@eager_and_compiled
@pytest.mark.parametrize("size", [None, 3], ids=["one direction", "three directions"])
def test_states_value_and_aux_come_back_and_the_function_is_called_once(jit, size):
    g, count = State(q(2.0, u.nS), name="g"), State(jnp.asarray(0), name="count")

    def current(V):
        count.value = count.value + 1
        return g.value * V, {"kind": "leak", "V": V}

    fun = Counter(current)
    make = fwd_grad(
        fun,
        grad_states={"g": g},
        argnums=[0],
        has_aux=True,
        return_value=True,
        key=0,
        tangent_size=size,
        unit_aware=True,
        jit=jit,
    )
    ((states, (dV,)), value, aux) = make(q(3.0, u.mV))
    assert (states["g"].unit, dV.unit) == (u.mV, u.nS)
    assert_physically_equal(value, q(6.0, u.pA))
    assert aux["kind"] == "leak"
    assert_same(aux["V"], q(3.0, u.mV))
    # compiled, it is traced once more with the state that was found in the first trace
    assert (int(count.value), fun.calls) == (1, 2 if jit else 1)
    make(q(3.0, u.mV))
    assert (int(count.value), fun.calls) == (2, 2)


def test_loop_that_reverse_mode_cannot_go_back_through():
    def doubled(x):
        return jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, 2.0 * c[1]), (0, x))[1]

    for size in (None, 2):
        found = fwd_grad(doubled, key=0, tangent_size=size)(1.5)
        assert_same(found, 8.0 * fwd_grad(lambda x: x, key=0, tangent_size=size)(1.5))


def test_nothing_to_move_and_constants_are_zero():
    assert fwd_grad(lambda p: q(1.0, u.mV), key=0, unit_aware=True)({}) == {}
    assert_same(fwd_grad(lambda x: jnp.asarray(1.0), key=0)(2.0), jnp.asarray(0.0))


def test_plan_says_how_many_directions_and_draws_none(capsys):
    key = State(jax.random.key(0), name="key")
    with unchanged(key):
        plan = fwd_grad(power, key=key, tangent_size=5, unit_aware=True).describe(point())
    assert (plan.mode, plan.passes, plan.blocks[1].unit) == ("fwd", 5, "mV")
    assert "forward (along random directions), 5 passes" in capsys.readouterr().out


# Keys


def squares(make, *args):
    """What a transform of the identity estimates: its normal number, squared."""
    return float(make(lambda x: x)(*args or (1.0,)))


def test_keys_of_every_kind_are_one():
    found = {
        squares(fwd_grad(key=key))
        for key in (
            42,
            np.int64(42),
            np.array([42]),
            jnp.array(42),
            jax.random.key(42),
            jax.random.PRNGKey(42),
        )
    }
    assert len(found) == 1
    assert squares(fwd_grad(key=43)) not in found
    again = fwd_grad(lambda x: x, key=42)
    assert {float(again(1.0)), float(again(1.0))} == found


@eager_and_compiled
@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey])
def test_a_state_that_holds_a_key_gives_new_directions_each_time(jit, make_key):
    state = State(make_key(0), name="key")
    make = fwd_grad(Counter(lambda x: x), key=state, jit=jit)
    found = [float(make(1.0)) for _ in range(3)]
    assert len(set(found)) == 3
    assert make.fun.calls == (1 if jit else 3)
    # as one would by hand
    key, now = jax.random.split(make_key(0))
    assert squares(fwd_grad(key=now)) == pytest.approx(found[0])
    assert state.value.dtype == key.dtype
    state.value = key
    assert float(make(1.0)) == found[1]


@eager_and_compiled
def test_a_failure_leaves_the_key_as_it_was(jit):
    key, count = State(jax.random.key(0), name="key"), State(jnp.asarray(0), name="count")

    def fails(x):
        count.value = count.value + 1
        raise ArithmeticError("on purpose")

    with unchanged(key, count), pytest.raises(ArithmeticError, match="on purpose"):
        fwd_grad(fails, key=key, jit=jit)(1.0)
    with unchanged(key), pytest.raises(ValueError, match="would hold a tracer of JAX"):
        jax.jit(fwd_grad(lambda x: x, key=key, jit=jit))(1.0)


@eager_and_compiled
def test_a_function_that_uses_the_same_key_gets_the_next_one(jit):
    key = State(jax.random.key(0), name="key")

    def noisy(x):
        key.value, now = jax.random.split(key.value)
        return x * 1.0, jax.random.key_data(now)

    _, seen = fwd_grad(noisy, key=key, has_aux=True, jit=jit)(1.0)
    after_draw, drawn = jax.random.split(jax.random.key(0))
    after, used = jax.random.split(after_draw)
    np.testing.assert_array_equal(seen, jax.random.key_data(used))
    np.testing.assert_array_equal(*map(jax.random.key_data, (key.value, after)))
    assert not np.array_equal(seen, jax.random.key_data(drawn))


def test_copies_and_pickles_have_keys_of_their_own():
    class Walk:
        def __init__(self):
            self.key = State(jax.random.key(0), name="key")

        def fun(self, x):
            return x

    walk = Walk()
    make = fwd_grad(walk.fun, key=walk.key, jit=True)
    first = float(make(1.0))
    walk.key.value = jax.random.key(0)
    twin = copy.deepcopy(make)
    assert twin.key is twin.fun.__self__.key is not walk.key
    assert float(twin(1.0)) == first
    np.testing.assert_array_equal(*map(jax.random.key_data, (walk.key.value, jax.random.key(0))))
    assert float(pickle.loads(pickle.dumps(fwd_grad(float_of, key=0)))(1.0)) == squares(
        fwd_grad(key=0)
    )


def float_of(x):
    return x


@eager_and_compiled
def test_debug_nan_names_the_operation_and_leaves_the_key(jit):
    key = State(jax.random.key(0), name="key")
    root = fwd_grad(u.math.sqrt, key=key, jit=jit, unit_aware=True, debug_nan=True)
    with unchanged(key), pytest.raises(FloatingPointError, match="derivative of output by argume"):
        root(q(0.0, u.mV**2))
    assert root(q(4.0, u.mV**2)).unit == u.mV**-1


# The clip


def test_slopes_beyond_the_clip_are_cut_to_it():
    number = np.sqrt(squares(fwd_grad(key=0), q(1.0, u.UNITLESS)))  # of the direction, without sign
    V = q(3.0, u.mV)
    for factor, clip in ((1.0, 1e-5), (1e3, 1e-5), (1e3, 1.0)):
        fun = lambda V, factor=factor: factor * V  # noqa: E731
        for limit in (q(clip, u.volt), q(clip * 1e3, u.mV)):
            found = fwd_grad(fun, key=0, drct_der_clip=limit, unit_aware=True)(V)
            slope = min(factor * 3.0 * number, clip * 1e3)  # in mV, along 3 mV times the number
            np.testing.assert_allclose(found, slope * number / 3.0, rtol=1e-5)
    for size in (None, 7):  # every slope along every direction is clipped alone
        huge = fwd_grad(lambda x: 1e6 * x, key=1, tangent_size=size, drct_der_clip=1e-3)(1.0)
        assert 0 < float(huge) < 1e-3 * 4.0


# What is refused


def test_keys_that_are_none():
    with pytest.raises(TypeError, match=r"wants a key\. Write key=0 or key=jax\.random\.key\(0\)"):
        fwd_grad(power)
    for key in (1.5, "seed", np.array([1, 2]), True, jax.random.split(jax.random.key(0))):
        with pytest.raises(TypeError, match=r"key must be a key of jax\.random, an int or a State"):
            fwd_grad(power, key=key)
    with pytest.raises(TypeError, match=r"^the value of State\(n: 3\) must be a key of"):
        fwd_grad(power, key=State(jnp.asarray(3), name="n"))


BAD_OPTIONS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"tangent_size": 0}, r"tangent_size must be a whole number of directions, 1 or more, .*got 0"),
    ({"tangent_size": 2.0}, r"tangent_size must be a whole number of directions, .*got 2\.0"),
    ({"tangent_size": True}, r"tangent_size must be a whole number of directions, .*got True"),
    ({"drct_der_clip": 0.0}, r"drct_der_clip must be one positive number or quantity, got 0\.0"),
    ({"drct_der_clip": -q(1.0, u.pA)}, "drct_der_clip must be one positive number or quantity"),
    ({"drct_der_clip": "much"}, "drct_der_clip must be one positive number or quantity, got 'mu"),
    ({"drct_der_clip": jnp.ones(2)}, "drct_der_clip must be one positive number or quantity"),
)


@pytest.mark.parametrize(("options", "text"), BAD_OPTIONS, ids=lambda value: str(value)[:30])
def test_options_that_are_none(options, text):
    with pytest.raises(ValueError, match=text):
        fwd_grad(power, key=0, **options)


def typical(**changed):
    return {"typical": SIZES | changed}


BAD_CALLS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"drct_der_clip": 1.0}, r"drct_der_clip is in 1, but the slopes of power along .* are in pA"),
    (
        {"typical": 1.0},
        "typical has the tree .*, but what is differentiated has ",
    ),
    (typical(E=q(1.0, u.ms)), r"the typical size of argument 0\['E'\] is in ms, but this is in mV"),
    (typical(g=q([1.0], u.nS)), r"argument 0\['g'\] must be one number .* float32\[2\], got floa"),
    (typical(k=0.0), r"the typical size of argument 0\['k'\] must be finite and not zero, got 0\."),
    (typical(k=np.array([1.0, np.inf])), r"argument 0\['k'\] must be finite and not zero, got arr"),
    (typical(k="one"), r"the typical size of argument 0\['k'\] must be one number .*got a str"),
)


@eager_and_compiled
@pytest.mark.parametrize(("options", "text"), BAD_CALLS, ids=lambda value: str(value)[:30])
def test_calls_that_do_not_fit(options, text, jit):
    with pytest.raises(ValueError, match=text):
        fwd_grad(power, key=0, unit_aware=True, jit=jit, **options)(point())


def test_functions_and_inputs_without_a_real_gradient():
    with pytest.raises(TypeError, match=r"fwd_grad wants one scalar output, .*float32\[2\] in 1"):
        fwd_grad(lambda x: x, key=0, tangent_size=2)(jnp.ones(2))
    with pytest.raises(TypeError, match=r"complex64\[\], but fwd_grad wants a real output\. Retu"):
        fwd_grad(lambda x: x * 1j, key=0)(1.0)
    with pytest.raises(TypeError, match=r"int32\[\], but a differentiated input must be real"):
        fwd_grad(lambda x: x * 1.0, key=0)(jnp.asarray(3))
    with pytest.raises(TypeError, match=r"complex64\[\], but forward mode wants real inputs"):
        fwd_grad(jnp.abs, key=0)(jnp.asarray(1j))
