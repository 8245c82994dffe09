"""Training in units: a step in mV is a step in mV, whatever units anything is written in."""

import sys

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_physically_equal, each, eager_and_compiled, q

import unitjac as uj
from unitjac.optim import scale_by_units

optax = pytest.importorskip("optax")

TYPICAL = {"g": 0.1 * u.nS, "E": 5.0 * u.mV}
DENSITY = 20.0 * u.pF


def voltage(p, steps=40):
    """A membrane that a current of 20 pA charges, every 2 ms by forward Euler."""

    def step(V, _):
        V = V + ((20.0 * u.pA - p["g"] * (V - p["E"])) / DENSITY * (2.0 * u.ms)).in_unit(u.mV)
        return V, V

    return jax.lax.scan(step, q(-65.0, u.mV), None, length=steps)[1]


TRUE = {"g": q(2.0, u.nS), "E": q(-70.0, u.mV)}


def loss(p):
    return u.math.mean((voltage(p) - voltage(TRUE)) ** 2)


def start(other_units=False):
    p = {"g": q(1.0, u.nS), "E": q(-55.0, u.mV)}
    return {"g": p["g"].in_unit(u.siemens), "E": p["E"].in_unit(u.volt)} if other_units else p


def path(params, optimizer, steps):
    """The parameters after each step."""

    @jax.jit
    def step(params, state):
        gradients = uj.grad(loss, unit_aware=True)(params)
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    state, found = optimizer.init(params), []
    for _ in range(steps):
        params, state = step(params, state)
        found.append(params)
    return found


OPTIMIZERS = {
    "sgd": lambda: optax.sgd(0.05, momentum=0.5),
    "adam": lambda: optax.adam(0.5),
    "adamw": lambda: optax.adamw(0.5, weight_decay=0.01),
    "chain": lambda: optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.5)),
}
each_optimizer = each("make", list(OPTIMIZERS.items()), key=lambda item: item[0])


def test_a_fit_finds_the_parameters():
    with jax.enable_x64(True):
        typical = {"g": 1.0 * u.nS, "E": 5.0 * u.mV}
        schedule = optax.exponential_decay(0.1, 400, 0.5)
        optimizer = scale_by_units(optax.adam(schedule, b2=0.99), typical, loss=1.0 * u.mV**2)
        found = path(start(), optimizer, 2000)[-1]
        assert float(found["g"].to_decimal(u.nS)) == pytest.approx(2.0, rel=1e-3)
        assert float(found["E"].to_decimal(u.mV)) == pytest.approx(-70.0, rel=1e-3)


@each_optimizer
def test_no_step_depends_on_the_units(make):
    """Parameters, typical sizes and the loss, each written in other units."""
    with jax.enable_x64(True):
        expected = path(start(), scale_by_units(make[1](), TYPICAL, loss=1.0 * u.mV**2), 20)
        other = {"g": TYPICAL["g"].in_unit(u.uS), "E": TYPICAL["E"].in_unit(u.volt)}
        for params, typical, size in (
            (start(other_units=True), TYPICAL, 1.0 * u.mV**2),
            (start(), other, 1.0 * u.mV**2),
            (start(other_units=True), other, 1e-6 * u.volt**2),
        ):
            found = path(params, scale_by_units(make[1](), typical, loss=size), 20)
            for mine, theirs, given in zip(found, expected, [params] * 20, strict=True):
                assert_physically_equal(mine, theirs, 1e4)
                assert mine["E"].unit == given["E"].unit


def test_the_first_step_of_adam_is_the_learning_rate_times_the_typical_size():
    with jax.enable_x64(True):
        optimizer = scale_by_units(optax.adam(0.01), TYPICAL, loss=1.0 * u.mV**2)
        (after,) = path(start(), optimizer, 1)
        for name, size in TYPICAL.items():
            moved = abs((after[name] - start()[name]) / (0.01 * size))
            np.testing.assert_allclose(moved, 1.0, rtol=1e-6)


@eager_and_compiled
def test_gradient_descent_in_closed_form(jit):
    """``x - rate * typical^2 / loss * slope``: for a parabola, a factor for each step."""
    optimizer = scale_by_units(optax.sgd(0.1), {"x": 2.0 * u.mV}, loss=8.0 * u.mV**2)
    update = jax.jit(optimizer.update) if jit else optimizer.update
    params = {"x": q([3.0, -1.0], u.mV)}
    state = optimizer.init(params)
    gradients = uj.grad(lambda p: u.math.sum(p["x"] ** 2), unit_aware=True)(params)
    updates, _ = update(gradients, state, params)
    assert_physically_equal(updates, {"x": q([-0.3, 0.1], u.mV)})


def test_plain_parameters_and_a_loss_without_a_unit():
    optimizer = scale_by_units(optax.sgd(0.5), {"a": 1.0, "V": 1.0 * u.mV})
    params = {"a": jnp.asarray(2.0), "V": q(3.0, u.mV)}
    gradients = uj.grad(lambda p: p["a"] ** 2 + (p["V"] / u.mV) ** 2, unit_aware=True)(params)
    updates, _ = optimizer.update(gradients, optimizer.init(params), params)
    assert_physically_equal(updates, {"a": jnp.asarray(-2.0), "V": q(-3.0, u.mV)})


def test_a_rate_model_learns():
    """Three units, ten inputs: weights in Hz per mV, a threshold in mV."""
    key = jax.random.key(0)
    inputs = jax.random.normal(key, (10, 3)) * (5.0 * u.mV)

    def rates(p):
        return p["w"] @ u.math.maximum(inputs - p["threshold"], 0.0 * u.mV).T

    with jax.enable_x64(True):
        true = {"w": q([[1.0, 2.0, -1.0]], u.hertz / u.mV), "threshold": q(1.0, u.mV)}
        wanted = rates(true)
        params = {"w": q([[0.5, 0.5, 0.5]], u.hertz / u.mV), "threshold": q(0.0, u.mV)}
        typical = {"w": 1.0 * u.hertz / u.mV, "threshold": 1.0 * u.mV}
        optimizer = scale_by_units(optax.adam(0.02), typical, loss=1.0 * u.hertz**2)

        @jax.jit
        def step(params, state):
            slope = uj.grad(lambda p: u.math.mean((rates(p) - wanted) ** 2), unit_aware=True)
            updates, state = optimizer.update(slope(params), state, params)
            return optax.apply_updates(params, updates), state

        state = optimizer.init(params)
        for _ in range(1500):
            params, state = step(params, state)
        assert_physically_equal(params, true, 1e10)


# Messages


def test_what_does_not_fit():
    optimizer = scale_by_units(optax.sgd(0.1), TYPICAL)
    params = start()
    with pytest.raises(
        ValueError, match=r"params must have the tree of the typical sizes, PyTreeDef"
    ):
        optimizer.init({"g": params["g"]})
    with pytest.raises(
        ValueError, match=r"params\['E'\] is in nS, but its typical size in mV\. Give"
    ):
        optimizer.init({**params, "E": params["g"]})
    gradients = uj.grad(loss, unit_aware=True)(params)
    state = optimizer.init(params)
    text = (
        r"gradients\['E'\] is in mV, which times the typical size of its parameter is in mV\^2, "
        r"but the loss in 1\. Pass loss="
    )
    with pytest.raises(ValueError, match=text):
        optimizer.update(gradients, state, params)
    with pytest.raises(ValueError, match=r"the units of the parameters are needed: call update\("):
        optimizer.update(gradients, state)
    with pytest.raises(
        ValueError, match=r"loss must be one number or quantity, its typical size, g"
    ):
        scale_by_units(optax.sgd(0.1), TYPICAL, loss=[1.0, 2.0])


def test_optax_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "optax", None)
    with pytest.raises(
        ImportError, match=r"scale_by_units needs optax, which is not installed\. Ty"
    ):
        scale_by_units(None, TYPICAL)
