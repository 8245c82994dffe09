"""``check_units``: the unit of every output, or the unit error with its line, without running."""

import inspect
from dataclasses import dataclass
from typing import Any, NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import Counter, Neuron, each, is_quantity, magnitudes, q, unchanged
from jax import lax
from physics import MODELS

from unitjac import State, check_units

# Units by hand


class Outputs(NamedTuple):
    current: Any
    rest: Any


def outputs(p, n, mode="square"):
    power = p["g"] * p["V"] ** n if mode == "square" else p["g"]
    ratio = p["V"] / u.volt
    return Outputs(
        (p["g"] * p["V"]).in_unit(u.nA),
        {"power": [power, u.math.sqrt(p["V"])], "ratio": ratio, "none": None, "text": mode, "n": n},
    )


def point():
    return {"g": q([1.0, 2.0], u.nS), "V": q([3.0, 4.0], u.mV)}


def units_by_hand(power):
    rest = {"power": [power, u.mV**0.5], "ratio": u.UNITLESS, "none": None, "text": None}
    return Outputs(u.nA, {**rest, "n": u.UNITLESS})


def test_unit_of_every_output_in_the_tree_of_the_output():
    found = check_units(outputs, point(), 2)
    assert found == units_by_hand(u.nS * u.mV**2)
    assert type(found) is Outputs
    assert check_units(outputs, point(), 3, "linear") == units_by_hand(u.nS)


def test_units_are_those_of_the_values_that_the_function_gives():
    for model in MODELS[::6]:
        found = check_units(model, model.quantities())
        assert found == jax.tree.map(u.get_unit, model(model.quantities()), is_leaf=is_quantity)
        assert found == {name: u.parse_unit(text) for name, (_, text) in model.outputs.items()}


@pytest.mark.parametrize(
    ("leaf", "unit"),
    [
        (3, u.UNITLESS),
        (2.5, u.UNITLESS),
        (True, u.UNITLESS),
        (np.float64(2.0), u.UNITLESS),
        (np.arange(3), u.UNITLESS),
        (u.Quantity(np.ones(2), unit=u.mV), u.mV),
        (u.Quantity(3, unit=u.mV), u.mV),
        ("text", None),
        (len, None),
        (None, None),
    ],
    ids=lambda x: type(x).__name__,
)
def test_leaf_of_any_kind_as_argument_and_as_output(leaf, unit):
    assert check_units(lambda x: x, leaf) == unit
    assert check_units(lambda x: leaf, 1.0) == unit


# It runs nothing


def test_no_number_is_computed_and_the_function_is_called_once():
    ran = []
    fun = Counter(lambda x: (jax.debug.callback(lambda: ran.append("ran")), x**2)[1])
    assert check_units(fun, q(3.0, u.mV)) == u.mV**2
    jax.effects_barrier()
    assert (ran, fun.calls) == ([], 1)
    fun(q(3.0, u.mV))
    jax.effects_barrier()
    assert ran == ["ran"]  # it would have been seen


def test_shapes_that_no_machine_could_hold():
    shape = jax.ShapeDtypeStruct((10**9, 10**9), jnp.float32)
    V = u.Quantity(shape, unit=u.mV)
    assert check_units(lambda V, g: {"I": V @ g, "sum": V**2}, V, shape) == {
        "I": u.mV,
        "sum": u.mV**2,
    }
    assert check_units(lambda p: p["V"] * p["t"], {"V": V, "t": 3.0 * u.ms}) == u.mV * u.ms


def test_ints_and_flags_are_what_they_are():
    def power(x, n, square, *, name):
        assert name == "self"
        return x**n if square else jnp.zeros(n) * x  # a size, an exponent and a flag

    x = q(3.0, u.mV)
    assert check_units(power, x, 3, True, kwargs={"name": "self"}) == u.mV**3
    assert check_units(lambda x, **k: x * k["fun"], x, kwargs={"fun": 2, "self": 1}) == u.mV


def test_control_flow_and_loops_of_jax():
    def fun(x):
        total, trail = lax.scan(lambda c, k: (c + k * x, c), 0 * x, jnp.arange(3.0))
        doubled = lax.while_loop(lambda y: y < q(10.0, u.volt), lambda y: y * 2, x)
        either = lax.cond(x > q(0.0, u.mV), lambda x: x / u.ms, lambda x: -x / u.ms, x)
        return total, trail, doubled, jax.jit(lambda x: x**2)(either)

    assert check_units(fun, q(3.0, u.mV)) == (u.mV, u.mV, u.mV, (u.mV / u.ms) ** 2)


def test_states_are_read_and_keep_their_values():
    neuron = Neuron()
    with unchanged(*neuron.states):
        assert check_units(neuron.pulse, q(3.0, u.nA)) == {"V": u.mV, "P": [u.Mohm * u.nA**2]}
        with pytest.raises(u.UnitMismatchError):
            check_units(neuron.pulse, q(3.0, u.ms))
    s = State(q(1.0, u.mV), name="s")

    def written(x):
        s.value = x / u.ms
        return s.value * u.ms

    with unchanged(s):
        assert check_units(written, q(3.0, u.metre)) == u.metre


# Unit errors


def test_unit_error_is_brainunits_own_with_the_users_line_as_a_note():
    def fun(V, t):
        total = V * 2.0
        return total + t

    first = inspect.getsourcelines(fun)[1]
    for call in (fun, lambda V, t: jax.jit(fun)(V, t)):
        with pytest.raises(u.UnitMismatchError, match="mV != ms") as caught:
            check_units(call, q(3.0, u.mV), q(1.0, u.ms))
        expected = f"at {__file__}:{first + 2}, in {fun.__name__}: return total + t"
        assert [note for note in caught.value.__notes__ if note.startswith("at ")] == [expected]


def test_error_deep_in_a_loop_has_the_line_of_the_loops_body():
    def body(carry, x):
        return carry + x, None  # mV and ms

    line = inspect.getsourcelines(body)[1] + 1
    with pytest.raises(u.UnitMismatchError) as caught:
        check_units(lambda x: lax.scan(body, x, jnp.arange(3.0) * u.ms)[0], q(1.0, u.mV))
    assert any(note.startswith(f"at {__file__}:{line}, in body") for note in caught.value.__notes__)


def test_function_that_needs_a_dimensionless_argument():
    with pytest.raises(TypeError, match="dimensionless") as caught:
        check_units(lambda V: u.math.exp(V), q(1.0, u.mV))
    assert any(note.startswith(f"at {__file__}:") for note in caught.value.__notes__)


def test_error_of_another_kind_has_a_line_too():
    def fun(x):
        raise ArithmeticError("on purpose")

    with pytest.raises(ArithmeticError, match="on purpose") as caught:
        check_units(fun, 1.0)
    assert 'raise ArithmeticError("on purpose")' in caught.value.__notes__[-1]


# What the function should give


def test_returns_may_be_units_texts_and_quantities_of_any_scale():
    returns = Outputs(
        "pA", {"power": [u.nS * u.volt**2, u.mV**0.5], "ratio": u.UNITLESS, "none": None}
    )
    fun = lambda p: Outputs(  # noqa: E731
        p["g"] * p["V"],
        {
            "power": [p["g"] * p["V"] ** 2, u.math.sqrt(p["V"])],
            "ratio": p["V"] / u.volt,
            "none": None,
        },
    )
    assert check_units(fun, point(), returns=returns).current == u.nS * u.mV
    assert check_units(lambda x: x, q(1.0, u.mV), returns=3.0 * u.volt) == u.mV
    assert check_units(lambda x: x, 1.0, returns="1") == u.UNITLESS


@dataclass(frozen=True)
class Mismatch:
    name: str
    fun: Any
    returns: Any
    match: str
    error: type[Exception] = ValueError


MISMATCHES = (
    Mismatch(
        "dimension",
        lambda x: {"a": [x, x**2]},
        {"a": ["mV", "mV"]},
        match=r"^output\['a'\]\[1\] of .*<lambda> is in mV\^2, but returns says mV, which has",
    ),
    Mismatch(
        "plain",
        lambda x: x / u.volt,
        u.mV,
        match=r"^output of .* is in .*, but returns says mV, which has another dimension\.",
    ),
    Mismatch("a unit for a number", lambda x: x, "1", match="is in mV, but returns says 1, which"),
    Mismatch(
        "tree",
        lambda x: (x, x),
        "mV",
        match=r"gives the tree PyTreeDef\(\(\*, \*\)\), but returns has the tree .*Name one unit",
    ),
    Mismatch(
        "unknown unit", lambda x: x, "furlong", match="^returns has 'furlong', which is no unit: "
    ),
    Mismatch(
        "no unit",
        lambda x: x,
        3.0,
        match=r"^returns has 3\.0 \(float\), expected a unit, its text, or a quantity\.",
        error=TypeError,
    ),
    Mismatch(
        "no number",
        lambda x: "text",
        "mV",
        match="^output of .* is no number and has no unit, but returns says mV",
    ),
)


@each("mismatch", MISMATCHES)
def test_output_that_is_not_what_returns_says_is_named(mismatch):
    with pytest.raises(mismatch.error, match=mismatch.match):
        check_units(mismatch.fun, q(1.0, u.mV), returns=mismatch.returns)


def test_what_is_no_function_is_refused_with_the_call_to_write():
    text = r"^check_units wants a function, got 3 \(int\)\. Write check_units\(fun, x\)"
    with pytest.raises(TypeError, match=text):
        check_units(3, 1.0)
    with pytest.raises(TypeError, match="returns its value, got the generator function"):
        check_units(lambda: (yield), 1.0)


def test_verdict_is_the_same_in_any_unit_of_a_dimension():
    p = point()
    in_si = {"g": p["g"].in_unit(u.siemens), "V": p["V"].in_unit(u.volt)}
    returns = {"I": "nA", "P": "W"}
    fun = lambda p: {"I": p["g"] * p["V"], "P": p["g"] * p["V"] ** 2}  # noqa: E731
    for written in (p, in_si):
        found = check_units(fun, written, returns=returns)
        expected = fun(written)
        assert found == jax.tree.map(u.get_unit, expected, is_leaf=is_quantity)
    for wrong in (magnitudes(p), {**p, "V": p["g"]}):
        with pytest.raises(ValueError, match=r"output\['I'\] of .* is in .*, but returns says nA"):
            check_units(fun, wrong, returns=returns)
