"""Sequences of calls of functions whose programs JAX keeps, with states of every kind, in pairs.

The function is ``x^2 a b + a x + b`` in two states, read where JAX traces by itself. Each function
is made once, and called by transforms in random order, with plain calls and writes in between; all
derivatives are those of the pure function, in closed form.
"""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import eager_and_compiled
from jax import lax

import unitjac
from unitjac import State

brainstate = pytest.importorskip("brainstate")
nnx = pytest.importorskip("flax.nnx")


class Ours:
    """A state of unitjac."""

    can_be_written = True

    def __init__(self, value):
        self.state = State(jnp.float32(value))

    def read(self):
        return self.state.value

    def write(self, value):
        self.state.value = value


class Brain(Ours):
    """A state of brainstate."""

    def __init__(self, value):
        self.state = brainstate.HiddenState(jnp.float32(value))


class Flax(Ours):
    """A variable of flax, which lets nobody write it inside, read in several ways."""

    can_be_written = False

    def __init__(self, value):
        self.state = nnx.Param(jnp.float32(value))
        ways = [
            lambda: self.state.get_value(),
            lambda: self.state[...],
            lambda: self.state + 0,
            lambda: jnp.asarray(self.state),
            lambda: jax.tree.leaves(self.state)[0],
        ]
        self.ways = itertools.cycle(ways)

    def read(self):
        return next(self.ways)()

    def write(self, value):
        self.state.set_value(jnp.asarray(value))


KINDS = (Ours, Brain, Flax)


def value(a, b, x):
    return x * x * a * b + a * x + b


def gradient(a, b, x):
    """By a, by b and by x."""
    return np.array([x * x * b + x, x * x * a + 1, 2 * x * a * b + a])


def curvature(a, b, x):
    by_ab, by_ax, by_bx = x * x, 2 * x * b + 1, 2 * x * a
    return np.array([[0, by_ab, by_ax], [by_ab, 0, by_bx], [by_ax, by_bx, 2 * a * b]])


# Functions that JAX keeps


def scanned(f):
    def body(c, _):
        return c, f(c)

    return lambda x: lax.scan(body, x, None, length=1)[1][0]


def on_condition(f):
    return lambda x: lax.cond(x > -1e6, f, f, x)


def looped(f):
    def first(carry):
        return carry[0] < 1

    def body(carry):
        return carry[0] + 1, carry[1], f(carry[1])

    return lambda x: lax.while_loop(first, body, (0, x, 0 * x))[2]


class Model:
    """An object with a method that is compiled, itself static."""

    def __init__(self, f):
        self.f = f

    @partial(jax.jit, static_argnums=0)
    def __call__(self, x):
        return self.f(x)


KEEPERS = {
    "jit": jax.jit,
    "scan": scanned,
    "cond": on_condition,
    "checkpoint": jax.checkpoint,
    "method": Model,
    "jit of a scan": lambda f: jax.jit(scanned(f)),
}


TERMS = {"read": [1], "write, read": [2], "read, write, read": [1, 2]}
"""The factors of ``a`` in each call of the inner function, for each way of the function."""


class Scene:
    """Two states, a function of them, its transforms, and what they are to give by hand."""

    def __init__(self, first, second, keep, way="read"):
        self.a, self.b, self.now = first(2.0), second(3.0), [2.0, 3.0]
        self.way = way if first.can_be_written else "read"
        self.inner = keep(lambda x: value(self.a.read(), self.b.read(), x))
        self.transforms = {}

    @property
    def states(self):
        return {"a": self.a.state, "b": self.b.state}

    def fun(self, x):
        found = self.inner(x) if self.way != "write, read" else 0.0
        if self.way != "read":
            self.a.write(self.a.read() * 2)
            found = found + self.inner(x)
        return found

    def transform(self, name, **options):
        """The transform of that name, made once for each set of options."""
        key = (name, *options)
        if key not in self.transforms:
            self.transforms[key] = getattr(unitjac, name)(self.fun, **options)
        return self.transforms[key]

    def write(self, rng):
        k = rng.integers(2)
        self.now[k] = float(rng.integers(1, 5))
        (self.a, self.b)[k].write(jnp.float32(self.now[k]))

    def slopes(self, x):
        a, b = self.now
        return sum(gradient(k * a, b, x) * [k, 1, 1] for k in TERMS[self.way])

    def curves(self, x):
        a, b = self.now
        return sum(curvature(k * a, b, x) * np.outer([k, 1, 1], [k, 1, 1]) for k in TERMS[self.way])

    def check(self, call, x):
        expected = (self.curves if call is second_derivatives else self.slopes)(x)
        found = call(self, jnp.float32(x))
        if found is not None:
            found, chosen = found
            np.testing.assert_allclose(np.array(found, float), chosen(expected), rtol=1e-5)
        self.now[0] *= max(TERMS[self.way])
        assert [float(self.a.read()), float(self.b.read())] == self.now


def all_of(expected):
    return expected


TANGENT = np.array([0.5, -1.0, 2.0])
MOVED = {"a": jnp.float32(0.5), "b": jnp.float32(-1.0)}, jnp.float32(2.0)


def along(expected):
    return TANGENT @ expected


def first_derivatives(scene, at, name, **options):
    by_states, by_x = scene.transform(name, grad_states=scene.states, argnums=0, **options)(at)
    return [by_states["a"], by_states["b"], by_x], all_of


def of_the_argument(scene, at, **options):
    return scene.transform("jacrev", argnums=0, **options)(at), lambda expected: expected[2]


def of_one_state(scene, at, **options):
    by_b = scene.transform("grad", grad_states=scene.b.state, **options)(at)
    return by_b, lambda expected: expected[1]


def second_derivatives(scene, at):
    (ss, sx), (xs, xx) = scene.transform("hessian", grad_states=scene.states, argnums=0)(at)
    rows = [[ss[i]["a"], ss[i]["b"], sx[i]] for i in "ab"]
    return [*rows, [xs["a"], xs["b"], xx]], all_of


def vjp(scene, at):
    _, pull = unitjac.vjp(scene.fun, at, grad_states=scene.states, argnums=0)
    by_states, by_x = pull(jnp.float32(1.0))
    return [by_states["a"], by_states["b"], by_x], all_of


def jvp(scene, at):
    states, moved = MOVED
    return unitjac.jvp(scene.fun, (at,), (moved,), grad_states=scene.states, state_tangents=states)[
        1
    ], along


def linearize(scene, at):
    _, push = unitjac.linearize(scene.fun, at, grad_states=scene.states, argnums=0)
    return push(MOVED), along


def plainly(scene, at):
    scene.fun(at)  # whether this is up to date is JAX's business


CALLS = [
    *(partial(first_derivatives, name=name) for name in ("jacrev", "jacfwd", "jacobian")),
    *(partial(first_derivatives, name=name, jit=True) for name in ("jacrev", "jacfwd")),
    of_the_argument,
    partial(of_the_argument, jit=True),
    of_one_state,
    partial(of_one_state, jit=True),
    second_derivatives,
    vjp,
    jvp,
    linearize,
    plainly,
]


@pytest.mark.parametrize("second", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("first", KINDS, ids=lambda kind: kind.__name__)
def test_sequences_of_calls(first, second, rng):
    rng = rng.spawn(9)[3 * KINDS.index(first) + KINDS.index(second)]  # other ones for each pair
    for way, keep in zip(TERMS, rng.choice(list(KEEPERS), 3), strict=True):
        scene = Scene(first, second, KEEPERS[keep], way)
        for k in rng.choice(len(CALLS), 7):
            try:
                scene.check(CALLS[k], float(rng.integers(-3, 4)))
            except Exception as error:
                error.add_note(f"{way}, kept by {keep}: {CALLS[k]}")
                raise
            if rng.random() < 0.5:
                scene.write(rng)


@eager_and_compiled
@pytest.mark.parametrize("second", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("first", KINDS, ids=lambda kind: kind.__name__)
def test_a_loop_in_forward_mode(first, second, jit, rng):
    scene = Scene(first, second, looped)
    for x in (1.0, -2.0, 3.0):
        scene.check(partial(first_derivatives, name="jacfwd", jit=jit), x)
        plainly(scene, jnp.float32(x))
        scene.write(rng)
