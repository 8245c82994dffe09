"""Transforms as decorators: with options alone each one waits for its function."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import brainunit as u
import jax.numpy as jnp
import pytest
from helpers import assert_same, each, q

import unitjac
from unitjac import State
from unitjac.linalg import hessian_matrix, jacobian_matrix
from unitjac.sparse import banded

g, V = q(2.0, u.nS), q(3.0, u.mV)


def energy(g, V):
    return g * V**2


@dataclass(frozen=True)
class Form:
    """A transform, options that it is decorated with, and the derivative by V that it gives."""

    make: Callable[..., Any]
    options: dict[str, Any]
    pick: Callable[[Any], Any] = lambda found: found
    expected: Any = field(default_factory=lambda: q(12.0, u.nS * u.mV))

    @property
    def name(self) -> str:
        return self.make.__name__


AWARE = {"argnums": 1, "unit_aware": True}
SAMPLES = {"argnums": 1, "sample_args": (g, V), "pattern": jnp.ones((1, 1), bool)}
TWICE = q(4.0, u.nS)
SQUARED = unitjac.fwd_grad(lambda x: x, key=0)(1.0)  # what a random direction makes of a one
FORMS = (
    Form(unitjac.jacrev, AWARE),
    Form(unitjac.jacfwd, AWARE),
    Form(unitjac.jacobian, AWARE),
    Form(unitjac.grad, AWARE),
    Form(unitjac.value_and_grad, AWARE, pick=lambda found: found[1]),
    Form(unitjac.vector_grad, AWARE),
    Form(unitjac.fwd_grad, {**AWARE, "key": 0}, pick=lambda found: found / SQUARED),
    Form(unitjac.hessian, AWARE, expected=TWICE),
    Form(jacobian_matrix, {"argnums": 1}, pick=lambda J: J[0, 0]),
    Form(hessian_matrix, {"argnums": 1}, pick=lambda H: H[0, 0], expected=TWICE),
    Form(unitjac.sparse_jacobian, SAMPLES, pick=lambda J: J[0, 0]),
    Form(unitjac.sparse_hessian, SAMPLES, pick=lambda H: H[0, 0], expected=TWICE),
)
each_form = each("form", FORMS)


def test_no_transform_is_left_out():
    """What takes a function and gives a transform, of all that is public."""
    found = {
        name
        for place in (unitjac, unitjac.linalg, unitjac.sparse)
        for name in place.__all__
        if "GradientTransform" in (getattr(getattr(place, name), "__doc__", "") or "")
        and callable(getattr(place, name))
        and not isinstance(getattr(place, name), type)
    }
    sparse = {"sparse_jacobian", "sparse_hessian"}
    assert found | sparse == {form.name for form in FORMS}


@each_form
def test_a_decorated_function_is_what_the_transform_makes_of_it(form):
    @form.make(**form.options)
    def made(g, V):
        """The energy."""
        return energy(g, V)

    assert isinstance(made, unitjac.GradientTransform)
    assert made.__doc__ == "The energy."
    assert_same(form.pick(made(g, V)), form.expected)


@each_form
def test_decorators_and_transforms_are_pickled(form):
    assert pickle.loads(pickle.dumps(form.make)) is form.make
    decorator = pickle.loads(pickle.dumps(form.make(**form.options)))
    assert_same(form.pick(decorator(energy)(g, V)), form.expected)
    assert repr(decorator).startswith(f"<decorator unitjac.{form.name}(argnums=1")


@each_form
def test_one_decorator_serves_many_functions(form):
    decorator = form.make(**form.options)
    for _ in range(2):
        assert_same(form.pick(decorator(energy)(g, V)), form.expected)


@each_form
def test_a_decorated_method_is_bound(form):
    class Circuit:
        factor = 1.0

        def energy(self, g, V):
            return energy(g, V) * self.factor

    options = {**form.options, "argnums": 2}
    if "sample_args" in options:  # the object is an argument like any other
        options["sample_args"] = (Circuit, g, V)
    Circuit.slope = form.make(**options)(Circuit.energy)
    if "sample_args" in options:
        assert_same(form.pick(Circuit.slope(Circuit, g, V)), form.expected)
    else:
        assert_same(form.pick(Circuit().slope(g, V)), form.expected)


@each_form
def test_the_function_may_be_named(form):
    options = dict(form.options)
    if "sample_args" in options:
        del options["sample_args"]
        with pytest.raises(TypeError, match="unexpected keyword argument 'sample_args'"):
            form.make(energy, **form.options)
        return
    assert_same(form.pick(form.make(fun=energy, **options)(g, V)), form.expected)


MISUSES = (1, None, State(1.0), jnp.ones(2), "energy")


@each_form
@pytest.mark.parametrize("given", MISUSES, ids=lambda value: type(value).__name__)
def test_what_is_no_function_is_refused_at_once_and_by_the_decorator(form, given):
    text = rf"^{form.name} wants a function, got .* \({type(given).__name__}\)\. Write "
    with pytest.raises(TypeError, match=text) as caught:
        form.make(given)
    if form.name.startswith("sparse"):
        assert f"Write {form.name}(fun, x)(x), not" in str(caught.value)
    else:
        hint = f"; as a decorator it takes options by name, as in @{form.name}(argnums=1)."
        assert str(caught.value).endswith(hint)
    with pytest.raises(TypeError, match=text):
        form.make(**form.options)(given)


@each_form
def test_an_unknown_option_is_refused_where_the_function_is_decorated(form):
    with pytest.raises(TypeError, match="units"):
        form.make(**form.options, units=True)(energy)


def test_a_sparse_decorator_takes_patterns_and_states():
    w = State(jnp.ones(3) * u.nS, name="w")

    @unitjac.sparse_jacobian(grad_states=w, pattern=banded(3, 0, 0), jit=True)
    def current():
        return w.value * (2.0 * u.mV)

    assert_same(current()[1, 1], q(2.0, u.mV))
