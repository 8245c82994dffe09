"""Sympy is the judge: every block of every model in the table, magnitude and unit.

The symbolic derivative is evaluated on numbers that carry units, to thirty digits, and compared in
SI base units with what the library gives, whichever way it is called and whatever units the
parameters are written in.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from physics import MODELS, Model
from physics.judge import (
    Expected,
    expected_hessian,
    expected_jacobian,
    expected_value,
    split_unit,
)
from physics.units import another_unit, in_base_units

import unitjac

TRANSFORMS = (unitjac.jacrev, unitjac.jacfwd, unitjac.jacobian)
FIELDS = {"mechanics", "electricity", "heat", "chemistry", "optics", "neuroscience"}
BASE_NAMES = ("m", "kg", "s", "A", "K", "mol", "cd")
PARAMETER_UNITS = sorted({unit for m in MODELS for _, unit in m.parameters.values()})
OUTPUT_UNITS = sorted({unit for m in MODELS for _, unit in m.outputs.values()})

# Forward over reverse adds up terms that cancel, which costs a second derivative some digits.
DOUBLE, SECOND, SINGLE = 1e-12, 1e-11, 1e-5


def models(start: int = 0, step: int = 1):
    """Parametrize a test over every `step`-th row, each with the next of the three transforms."""
    rows = [(MODELS[i], TRANSFORMS[i // step % 3]) for i in range(start, len(MODELS), step)]
    names = [f"{model.name}-{transform.__name__}" for model, transform in rows]
    return pytest.mark.parametrize(("model", "transform"), rows, ids=names)


def each_model(rows=MODELS):
    return pytest.mark.parametrize("model", rows, ids=[model.name for model in rows])


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def in_si(found: Any) -> np.ndarray:
    return np.asarray(u.get_mantissa(found), np.float64) * u.get_unit(found).magnitude


def dimension(unit: u.Unit) -> tuple[float, ...]:
    return tuple(float(unit.dim.get_dimension(name)) for name in BASE_NAMES)


def assert_physical(
    found: Any, expected: Expected, tolerance: float, where: str, noise: float = 0.0
) -> None:
    """The dimension and every number, in SI base units; up to `noise`, nought must be nought."""
    exponents = np.array(expected.dimension, float)
    np.testing.assert_allclose(dimension(u.get_unit(found)), exponents, atol=1e-12, err_msg=where)
    magnitude = in_si(found)
    assert magnitude.shape == expected.magnitude.shape, where
    np.testing.assert_allclose(magnitude, expected.magnitude, tolerance, noise, err_msg=where)


def assert_unit(block: Any, unit: u.Unit, where: str) -> None:
    """The unit itself, scale and all; a plain array where it has no dimension."""
    if unit.dim.is_dimensionless:
        assert isinstance(block, jax.Array), where
    else:
        assert isinstance(block, u.Quantity), where
        assert block.unit == unit, f"{where}: {block.unit!r} is not {unit!r}"


def assert_jacobian(
    jacobian: Mapping[str, Any],
    value: Mapping[str, Any],
    parameters: Mapping[str, Any],
    expected: Mapping[str, Mapping[str, Expected]],
    tolerance: float,
) -> None:
    assert jacobian.keys() == expected.keys()
    for output, row in expected.items():
        assert jacobian[output].keys() == row.keys()
        for name, block in row.items():
            where = f"d {output} / d {name}"
            unit = u.get_unit(value[output]) / u.get_unit(parameters[name])
            assert_physical(jacobian[output][name], block, tolerance, where)
            assert_unit(jacobian[output][name], unit, where)


# The table and the judge


def test_table_covers_every_field_and_names_each_model_once():
    assert len(MODELS) >= 30
    assert {model.field for model in MODELS} == FIELDS
    assert len({model.name for model in MODELS}) == len(MODELS)


@pytest.mark.parametrize("text", sorted({*PARAMETER_UNITS, *OUTPUT_UNITS}))
def test_unit_text_means_the_same_to_sympy_and_to_brainunit(text):
    scale, exponents = split_unit(in_base_units(text))
    unit = u.parse_unit(text)
    assert unit.magnitude == pytest.approx(float(scale), rel=1e-15)
    assert dimension(unit) == pytest.approx([float(exponent) for exponent in exponents])


@pytest.mark.parametrize("text", [text for text in PARAMETER_UNITS if text != "1"])
def test_another_unit_has_the_same_dimension_and_another_scale(text):
    unit, other = u.parse_unit(text), u.parse_unit(another_unit(text))
    assert unit.has_same_dim(other)
    assert unit.magnitude != pytest.approx(other.magnitude)


@each_model()
def test_law_and_function_give_the_same_value(model, double):
    value, expected = model(model.quantities()), expected_value(model)
    for output, (_, text) in model.outputs.items():
        assert_physical(value[output], expected[output], DOUBLE, output)
        assert u.get_unit(value[output]) == u.parse_unit(text), output


def trial(law: str, unit: str) -> Model:
    parameters = {"length": (3.0, "km"), "time": (2.0, "minute")}
    return Model("trial", "mechanics", parameters, {"out": (law, unit)}, lambda length, time: {})


def test_judge_agrees_with_derivatives_by_hand():
    model = trial("length**3/time**2", "km^3/minute^2")
    jacobian, hessian = expected_jacobian(model)["out"], expected_hessian(model)["out"]
    length, time = 3000.0, 120.0
    assert jacobian["length"].magnitude == pytest.approx(3 * length**2 / time**2, rel=1e-15)
    assert jacobian["time"].magnitude == pytest.approx(-2 * length**3 / time**3, rel=1e-15)
    assert jacobian["time"].dimension == (3, 0, -3, 0, 0, 0, 0)
    assert jacobian["length"].dimension == (2, 0, -2, 0, 0, 0, 0)
    assert hessian["length"]["time"].magnitude == pytest.approx(-6 * length**2 / time**3, rel=1e-15)
    assert hessian["time"]["time"].magnitude == pytest.approx(6 * length**3 / time**4, rel=1e-15)
    assert hessian["length"]["time"].dimension == (2, 0, -3, 0, 0, 0, 0)


def test_judge_takes_fractional_powers():
    block = expected_jacobian(trial("sqrt(length)*time", "km^0.5*minute"))["out"]["length"]
    assert block.magnitude == pytest.approx(120 / 2 / np.sqrt(3000), rel=1e-15)
    assert block.dimension == (-sympy.Rational(1, 2), 0, 1, 0, 0, 0, 0)


def test_judge_refuses_a_law_whose_terms_have_different_dimensions():
    with pytest.raises(ValueError, match=r"expected a number times powers .*, got .*meter.*second"):
        expected_value(trial("length + time", "km"))


def test_judge_refuses_a_law_that_has_another_dimension_than_its_unit():
    with pytest.raises(ValueError, match=r"expected the dimension m\^1\*s\^1 .*, got m\^1\*s\^-1 "):
        expected_value(trial("length/time", "km*minute"))


@each_model(MODELS[1::8])
def test_second_derivatives_of_the_judge_commute(model):
    for output, block in expected_hessian(model).items():
        out = expected_value(model)[output].magnitude.ndim
        for first in model.parameters:
            for second in model.parameters:
                straight, swapped = block[first][second], block[second][first]
                ndim = np.ndim(model.parameters[first][0])
                axes = range(out, straight.magnitude.ndim)
                turned = np.moveaxis(straight.magnitude, axes, np.roll(axes, -ndim))
                np.testing.assert_allclose(turned, swapped.magnitude, 1e-15)
                assert straight.dimension == swapped.dimension


# The library before the judge


@each_model()
@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: t.__name__)
def test_blocks_in_double_precision(model, transform, double):
    parameters = model.quantities()
    jacobian, value = transform(model, unit_aware=True, return_value=True)(parameters)
    assert_jacobian(jacobian, value, parameters, expected_jacobian(model), DOUBLE)
    for output, expected in expected_value(model).items():
        assert_physical(value[output], expected, DOUBLE, output)


@models(step=2)
def test_blocks_in_default_precision(model, transform):
    parameters = model.quantities()
    jacobian, value = transform(model, unit_aware=True, return_value=True)(parameters)
    assert_jacobian(jacobian, value, parameters, expected_jacobian(model), SINGLE)


@models(start=0, step=5)
def test_blocks_compiled_by_the_transform(model, transform, double):
    compiled = transform(model, unit_aware=True, return_value=True, jit=True)
    for parameters in (model.quantities(), rewritten(model), model.quantities()):
        jacobian, value = compiled(parameters)
        assert_jacobian(jacobian, value, parameters, expected_jacobian(model), DOUBLE)


@models(start=1, step=5)
def test_blocks_under_jit(model, transform, double):
    compiled = jax.jit(transform(model, unit_aware=True, return_value=True))
    for parameters in (model.quantities(), rewritten(model), model.quantities()):
        jacobian, value = compiled(parameters)
        assert_jacobian(jacobian, value, parameters, expected_jacobian(model), DOUBLE)


@models(start=2, step=5)
def test_blocks_under_vmap(model, transform, double, rng):
    batch = [nearby(model, rng) for _ in range(3)]
    rows = [row.quantities() for row in batch]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
    found = jax.vmap(transform(model, unit_aware=True, return_value=True))(stacked)
    for i, row in enumerate(batch):
        jacobian, value = jax.tree.map(lambda leaf, i=i: leaf[i], found)
        assert_jacobian(jacobian, value, rows[i], expected_jacobian(row), DOUBLE)


def nearby(model: Model, rng: np.random.Generator) -> Model:
    """The model with each parameter within a hundredth of its value in the table."""
    parameters = {
        name: (np.multiply(value, rng.uniform(0.99, 1.01, np.shape(value))).tolist(), unit)
        for name, (value, unit) in model.parameters.items()
    }
    return dataclasses.replace(model, parameters=parameters)


def rewritten(model: Model) -> dict[str, Any]:
    """The parameters, each in another unit of its dimension."""
    return {name: in_another_unit(model, name) for name in model.parameters}


def in_another_unit(model: Model, name: str) -> Any:
    parameter, unit = model.quantities()[name], model.parameters[name][1]
    return parameter if unit == "1" else parameter.in_unit(u.parse_unit(another_unit(unit)))


@models()
def test_blocks_do_not_depend_on_the_units_of_the_parameters(model, transform, double):
    calls = []

    def counted(parameters):
        calls.append(None)
        return model(parameters)

    jac = transform(counted, unit_aware=True, return_value=True)
    plan = jac.plan(model.quantities())
    one_at_a_time = [{name: in_another_unit(model, name)} for name in model.parameters]
    for changed in (*one_at_a_time, rewritten(model)):
        parameters = model.quantities() | changed
        calls.clear()
        jacobian, value = jac(parameters)
        assert len(calls) == 1
        assert_jacobian(jacobian, value, parameters, expected_jacobian(model), DOUBLE)
        other = jac.plan(parameters)
        assert (other.mode, other.passes) == (plan.mode, plan.passes)


# Second derivatives


def second_blocks(hessian: Mapping[str, Any], model: Model):
    for output, rows in expected_hessian(model).items():
        for first, columns in rows.items():
            for second, expected in columns.items():
                yield (output, first, second), hessian[output][first][second], expected


def assert_hessian(hessian: Mapping[str, Any], model: Model) -> None:
    parameters, value = model.quantities(), model(model.quantities())
    for (output, first, second), block, expected in second_blocks(hessian, model):
        noise = SECOND * size(value[output]) / size(parameters[first]) / size(parameters[second])
        where = f"d2 {output} / d {first} d {second}"
        assert_physical(block, expected, SECOND, where, noise)


def size(found: Any) -> float:
    return float(np.max(np.abs(in_si(found))))


@each_model(MODELS[::8])
def test_forward_over_reverse_gives_the_second_derivatives(model, double):
    first = unitjac.jacrev(model, unit_aware=True)
    assert_hessian(unitjac.jacfwd(first, unit_aware=True)(model.quantities()), model)


if hasattr(unitjac, "hessian"):

    @each_model(MODELS[1::4])
    def test_hessian(model, double):
        hessian = unitjac.hessian(model, unit_aware=True)(model.quantities())
        assert_hessian(hessian, model)
        for path, block, expected in second_blocks(hessian, model):
            assert isinstance(block, u.Quantity) == any(expected.dimension), path
            if isinstance(block, u.Quantity):
                assert block.unit.magnitude == pytest.approx(expected.scale, rel=1e-14), path
