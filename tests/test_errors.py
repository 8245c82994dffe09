"""What a wrong call is told: the text, the place in it, and that nothing was changed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import AUTO, FWD, REV, Transform, eager_and_compiled, q, unchanged

import unitjac
from unitjac import State, jacfwd, jacobian, jacrev


class Bench:
    """Two states, and functions that write one of them before they give back what they do."""

    def __init__(self):
        self.V = State(q(-65.0, u.mV), name="V")
        self.R = State(q(2.0, u.Mohm), name="R")
        self.n = State({"n": jnp.asarray(3)}, name="n")
        self.key = State(jax.random.key(0), name="key")

    @property
    def states(self):
        return self.V, self.R, self.n, self.key

    def writing(self, output: Callable[..., Any]) -> Callable[..., Any]:
        def fun(*args, **kwargs):
            self.V.value = self.V.value * 2
            return output(*args, **kwargs)

        return fun


def square(x, *rest, **more):
    return jax.tree.map(lambda x: x**2, x, is_leaf=lambda x: isinstance(x, u.Quantity))


ALL = (REV, FWD, AUTO)


@dataclass(frozen=True)
class Bad:
    """A wrong call. ``options`` gets the bench, for the states in it."""

    name: str
    match: str
    error: type[Exception] = TypeError
    options: Callable[[Bench], dict[str, Any]] = lambda bench: {}
    output: Callable[..., Any] = square
    args: tuple[Any, ...] = (3.0,)
    kwargs: dict[str, Any] = field(default_factory=dict)
    transforms: tuple[Transform, ...] = ALL


def argnums(value):
    return lambda bench: {"argnums": value}


def complex_(bench):
    return {"holomorphic": True}


def aux(bench):
    return {"has_aux": True}


INTEGER = "but a differentiated input must be real. Convert it to float"
FORWARD = "but forward mode wants real inputs. Pass holomorphic=True where the function is"
REVERSE = r"but reverse mode wants real outputs. Pass holomorphic=True where the function is"
NO_INT = "argnums must be an int or a sequence of ints, got"
TWICE = "argnums names argument"
NO_PAIR = r"with has_aux=True, .*fun must return a pair \(output, aux\), got"
NO_STATE = "must be a unitjac.State, got"

INPUTS = (
    Bad("int", match=r"^argument 0 is int32\[\], " + INTEGER, args=(3,)),
    Bad(
        "int in a tree",
        match=r"^argument 1\['g'\]\[1\] is int32\[3\], " + INTEGER,
        options=argnums(-1),
        args=("how", {"g": [q(1.0, u.mV), u.Quantity(jnp.arange(3), unit=u.uS)]}),
    ),
    Bad(
        "int in the second of two arguments",
        match=r"^argument 1\['n'\] is int32\[\], " + INTEGER,
        options=argnums((0, 1)),
        args=(3.0, {"n": 3}),
    ),
    Bad(
        "int in a sequence of one argument",
        match=r"^argument 0\['n'\] is int32\[\], " + INTEGER,
        options=argnums((0,)),
        args=({"n": 3},),
    ),
    Bad("bool", match=r"^argument 0\[0\] is bool\[\], " + INTEGER, args=([True],)),
    Bad(
        "NumPy's int",
        match=r"^argument 0 is int32\[2\], " + INTEGER,
        args=(np.arange(2),),
    ),
    Bad(
        "int in a state",
        match=r"^grad_states\[0\]\['n'\] is int32\[\], " + INTEGER,
        options=lambda bench: {"grad_states": [bench.n]},
    ),
    Bad(
        "int where reverse mode could allow it",
        match="or pass allow_int=True for a float0 block",
        args=(3,),
        transforms=(REV, AUTO),
    ),
    Bad(
        "int and holomorphic",
        match="but a differentiated input must be complex. Convert it to complex",
        options=complex_,
        args=(3,),
    ),
    Bad(
        "real and holomorphic",
        match=r"^argument 0 is float32\[\], but holomorphic=True wants complex inputs.",
        options=complex_,
    ),
    Bad(
        "complex in forward mode",
        match=r"^argument 0\[1\] is complex64\[2\], " + FORWARD,
        args=([3.0, q([1j, 2j], u.mV, complex)],),
        transforms=(FWD,),
    ),
    Bad(
        "random key",
        match=r"^grad_states is key<fry>\[\]: a random key has no derivative.",
        options=lambda bench: {"grad_states": bench.key},
    ),
    Bad(
        "string",
        match=r"^argument 0\['s'\] must be an array, a number or a quantity to be differentiated, "
        r"got a str. Name other positions in argnums",
        args=({"s": "text"},),
    ),
    Bad(
        "NumPy array of records",
        # compiled it would be static, if it could be hashed
        match=r"^argument 0\[0\] (must .*, got|is) a NumPy array of dtype \[\('V', '<f4'\)\]",
        args=((np.zeros(2, [("V", "f4")]),),),
    ),
    Bad(
        "state as a differentiated argument",
        match=r"^argument 1\[0\] is a State, which is no argument to differentiate. Name it",
        options=argnums((0, 1)),
        args=(3.0, [State(1.0)]),
    ),
)

OUTPUTS = (
    Bad(
        "int",
        match=r"^output of .*fun is int32\[\], but a differentiated output must be real",
        output=lambda x: 3,
    ),
    Bad(
        "int in a tree",
        match=r"^output\['a'\]\[1\] of .*fun is int32\[2\], but a differentiated output must be",
        output=lambda x: {"a": [x, u.Quantity(jnp.arange(2), unit=u.mV)]},
    ),
    Bad(
        "bool",
        match=r"^output of .*fun is bool\[\], but a differentiated output must be real",
        output=lambda x: x > 2,
    ),
    Bad(
        "string",
        match=r"^output\[1\] of .*fun must be an array, .*, got a str. Return it as aux with",
        output=lambda x: (x, "text"),
    ),
    Bad(
        "object",
        match=r"^output of .*fun must be an array, .*, got a Bench. Return it as aux with has_aux",
        output=lambda x: Bench(),
    ),
    Bad(
        "NumPy array of objects",
        match=r"^output of .*fun must .*, got a NumPy array of dtype object. Return it as aux",
        output=lambda x: np.asarray([None]),
    ),
    Bad(
        "complex in reverse mode",
        match=r"^output\[0\] of .*fun is complex64\[\], " + REVERSE,
        output=lambda x: [x * 1j],
        transforms=(REV,),
    ),
    Bad(
        "complex on both sides in automatic mode",
        match="holomorphic=True where the function is",
        output=lambda z: z * jnp.conj(z),
        args=(1.0 + 2.0j,),
        transforms=(AUTO,),
    ),
    Bad(
        "real and holomorphic",
        match=r"^output of .*fun is float32\[\], but holomorphic=True wants complex outputs.",
        options=complex_,
        output=lambda z: jnp.abs(z),
        args=(1.0 + 2.0j,),
    ),
    Bad(
        "triple",
        match=NO_PAIR + " a tuple of 3",
        options=aux,
        output=lambda x: (x, x, x),
    ),
    Bad("single", match=NO_PAIR + " a tuple of 1", options=aux, output=lambda x: (x,)),
    Bad(
        "list of 3",
        match=NO_PAIR + " a list of 3",
        options=aux,
        output=lambda x: [x] * 3,
    ),
    Bad("array", match=NO_PAIR + r" float32\[\]", options=aux, output=lambda x: x),
    Bad("dict", match=NO_PAIR + " a dict", options=aux, output=lambda x: {0: x, 1: x}),
    Bad("None", match=NO_PAIR + " a NoneType", options=aux, output=lambda x: None),
    Bad(
        "state that is never read",
        error=ValueError,
        match=r"^grad_states\['r'\] \(State\(R: 2 Mohm\)\): .*fun never reads it, so that its "
        "derivative is zero. Was another State meant.*check_states=False",
        options=lambda bench: {"grad_states": {"v": bench.V, "r": bench.R}, "argnums": 0},
    ),
)

POSITIONS = (
    Bad(
        "out of range",
        error=ValueError,
        match="^argnums has 2, but the function was called with 1 positional argument. Pass what",
        options=argnums(2),
    ),
    Bad(
        "below the range",
        error=ValueError,
        match="^argnums has -3, but the function was called with 2 positional arguments.",
        options=argnums((0, -3)),
        args=(3.0, 4.0),
    ),
    Bad(
        "by keyword",
        error=ValueError,
        match="^argnums has 0, but .* with 0 positional arguments and x, y by keyword. Pass",
        args=(),
        kwargs={"x": 3.0, "y": 4.0},
    ),
    Bad(
        "twice", error=ValueError, match=TWICE + " 0 twice, as 0 and as 0", options=argnums((0, 0))
    ),
    Bad(
        "twice, once from the end",
        error=ValueError,
        match=TWICE + " 0 twice, as 0 and as -2. Name each position once.",
        options=argnums((0, -2)),
        args=(3.0, 4.0),
    ),
    Bad("bool", match=NO_INT + r" True \(bool\)", options=argnums(True)),
    Bad("NumPy's bool", match=NO_INT + r".*True_ \(bool\)", options=argnums(np.True_)),
    Bad("float", match=NO_INT + r" 0.0 \(float\). Write arg", options=argnums(0.0)),
    Bad("float in a tuple", match=NO_INT + r" 1.0 \(float\)", options=argnums((0, 1.0))),
    Bad("string", match=NO_INT + r" 'x' \(str\)", options=argnums("x")),
    Bad("None in a tuple", match=NO_INT + r" None \(NoneType\)", options=argnums([None])),
    Bad("array", match=NO_INT + r" array\(\[0, 1\]\)", options=argnums(np.arange(2))),
    Bad("set", match=NO_INT + r" \{0\} \(set\)", options=argnums({0})),
    Bad(
        "empty",
        error=ValueError,
        match="^there is nothing to differentiate: argnums is empty. Name at least one position",
        options=argnums(()),
    ),
)

STATES = (
    Bad(
        "twice",
        error=ValueError,
        match=r"^grad_states\[1\] is the same State as grad_states\[0\] \(State\(V: -65 mV",
        options=lambda bench: {"grad_states": [bench.V, bench.V]},
    ),
    Bad(
        "twice, deep down",
        error=ValueError,
        match=r"^grad_states\['b'\]\[0\] is the same State as grad_states\['a'\]",
        options=lambda bench: {"grad_states": {"a": bench.V, "b": (bench.V,)}},
    ),
    Bad("array", match="^grad_states " + NO_STATE, options=lambda b: {"grad_states": 3.0}),
    Bad(
        "value of a state",
        match=r"^grad_states\[1\] must be a unitjac.State, got float32\[\]. Pass a State",
        options=lambda b: {"grad_states": (b.V, b.R.value.mantissa)},
    ),
    Bad(
        "None",
        match=r"^grad_states\['a'\] must be a unitjac.State, got a NoneType",
        options=lambda b: {"grad_states": {"a": None}},
    ),
    Bad(
        "empty",
        error=ValueError,
        match=r"^there is nothing to differentiate: grad_states is \[\] and argnums is None.",
        options=lambda b: {"grad_states": []},
    ),
)


@pytest.mark.parametrize(
    ("bad", "transform"),
    [
        pytest.param(bad, transform, id=f"{kind}: {bad.name}-{transform.name}")
        for kind, rows in {
            "input": INPUTS,
            "output": OUTPUTS,
            "argnums": POSITIONS,
            "grad_states": STATES,
        }.items()
        for bad in rows
        for transform in bad.transforms
    ],
)
@eager_and_compiled
def test_wrong_call_is_told_what_where_and_what_to_type(bad, transform, jit):
    bench = Bench()
    leaves = jax.tree.leaves(bad.args)
    with unchanged(*bench.states), pytest.raises(bad.error, match=bad.match):
        transform(bench.writing(bad.output), jit=jit, **bad.options(bench))(*bad.args, **bad.kwargs)
    assert all(a is b for a, b in zip(jax.tree.leaves(bad.args), leaves, strict=True))


@pytest.mark.parametrize("bad", INPUTS + OUTPUTS + POSITIONS[:5], ids=lambda bad: bad.name)
def test_plan_says_the_same_as_a_call(bad):
    bench, transform = Bench(), bad.transforms[0]
    with unchanged(*bench.states), pytest.raises(bad.error, match=bad.match):
        transform(bench.writing(bad.output), **bad.options(bench)).plan(*bad.args, **bad.kwargs)


def generator(x):
    yield x


async def coroutine(x):
    return x


FUNCTIONS = {
    "number": (
        3.0,
        r"wants a function, got 3.0 \(float\). Write jac\w+\(fun\)\(x\), not",
    ),
    "None": (None, r"wants a function, got None \(NoneType\)"),
    "generator": (
        generator,
        "function that returns its value, got the generator function gen",
    ),
    "coroutine": (
        coroutine,
        "function that returns its value, got the coroutine function cor",
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("make", [jacrev, jacfwd, jacobian], ids=lambda make: make.__name__)
def test_what_is_no_function_is_refused_when_the_transform_is_made(make, name):
    fun, match = FUNCTIONS[name]
    with pytest.raises(TypeError, match=f"^{make.__name__} .*{match}"):
        make(fun)


def test_unknown_keyword_is_told_the_known_ones():
    with pytest.raises(
        TypeError, match=r"^jacrev has no keyword argument 'has_auxx'. It has: gr"
    ) as e:
        jacrev(square, has_auxx=True)
    assert "allow_int" in str(e.value)
    with pytest.raises(TypeError, match=r"^jacfwd has no keyword argument 'allow_int'.") as e:
        jacfwd(square, allow_int=True)
    assert "allow_int" not in str(e.value).split("It has:")[1]
    with pytest.raises(TypeError, match=r"^jacobian has no keyword argument 'a', 'b'. .*, mode"):
        jacobian(square, b=1, a=2)


@pytest.mark.parametrize("mode", ["both", None, True, "FWD"])
def test_unknown_mode_is_told_the_known_ones(mode):
    with pytest.raises(ValueError, match=f'^mode must be "auto", "fwd" or "rev", got {mode!r}'):
        jacobian(square, mode=mode)


def test_error_of_the_function_itself_comes_through_as_it_is():
    class Mine(Exception):
        pass

    def fun(x):
        raise Mine("the user's own")

    for transform in ALL:
        with pytest.raises(Mine, match=r"^the user's own"):
            transform(fun)(3.0)
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'y'"):
            transform(lambda x, y: x * y)(3.0)


def test_name_that_the_package_has_not():
    with pytest.raises(AttributeError, match=r"^module 'unitjac' has no attribute 'jacref'"):
        _ = unitjac.jacref
