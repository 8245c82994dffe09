"""Covariances: made, passed through Jacobians, read as deviations and correlations."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_same, is_quantity, q

from linalg.matrices import (
    Leaves,
    assert_numbers,
    exponents,
    leaves,
    matrix,
    numbers_of,
    numbers_of_tree,
    positive_definite,
    property_test,
    seeds,
    well_conditioned,
    written,
)
from unitjac.linalg import (
    UnitMatrix,
    covariance,
    hessian_matrix,
    inv,
    jacobian_matrix,
    propagate,
)

STD = {"g": 0.3 * u.nS, "E": 2.0 * u.mV}


def test_of_independent_entries():
    C = covariance({"g": jnp.array([1.0, 2.0]) * u.nS, "E": 3.0 * u.mV, "n": 0.5})
    assert_numbers(C.array, np.diag([9.0, 1.0, 4.0, 0.25]))
    assert C["E", "g"].unit == u.mV * u.nS
    assert_same(
        C.std(), {"g": jnp.array([1.0, 2.0]) * u.nS, "E": q(3.0, u.mV), "n": jnp.array(0.5)}
    )


@pytest.mark.parametrize("x64", [False, True])
def test_an_ohmic_current_in_closed_form(x64):
    """I = g (V - E): the variance is (V - E)^2 var g + g^2 var E, and g and E share it."""
    with jax.enable_x64(x64):
        p = {"g": q(2.0, u.nS), "E": q(-70.0, u.mV)}
        J = jacobian_matrix(lambda p: {"I": p["g"] * (-60.0 * u.mV - p["E"]), "g": p["g"]})(p)
        C = propagate(J, covariance(STD))
        # 10 mV * 0.3 nS = 3 pA and 2 nS * 2 mV = 4 pA make 5 pA
        rel = 1e-14 if x64 else 1e-6
        assert float(C.std()["I"].to_decimal(u.pA)) == pytest.approx(5.0, rel=rel)
        assert float(C.std()["g"].to_decimal(u.nS)) == pytest.approx(0.3, rel=rel)
        assert float(C.correlation()["I", "g"]) == pytest.approx(0.6, rel=rel)
        assert not is_quantity(C.correlation()["I", "g"])
        assert C.correlation().rows.labels == ("I", "g")


@property_test(30, inputs=leaves(), outputs=leaves(), seed=seeds, up=exponents(), down=exponents())
def test_propagation_does_not_depend_on_the_units(inputs, outputs, seed, up, down):
    jacobian, cov = well_conditioned(seed), positive_definite(seed + 1)
    expected = jacobian @ cov @ jacobian.T
    std = np.sqrt(np.diagonal(expected))
    new_inputs, new_outputs = inputs.rewritten(up), outputs.rewritten(down)
    with jax.enable_x64(True):
        J = written(jacobian, outputs, inputs, new_outputs, new_inputs)
        # rows and columns of the covariance in units of their own, up to a common one
        rows, cols = inputs.times(u.ms), inputs.inverse().times(u.ms)
        C = written(cov, rows, cols, rows.rewritten(down), cols.rewritten(up))
        found = propagate(J, C)
        assert_numbers(numbers_of(found, outputs, outputs.inverse()), expected)
        assert_numbers(numbers_of_tree(found.std(), outputs), std)
        plain = Leaves(outputs.shapes, (None,) * len(outputs.shapes))
        correlation = expected / np.outer(std, std)
        assert_numbers(numbers_of(found.correlation(), plain, plain), correlation)
        # of the inputs' own covariance, whatever units it is written in
        assert_numbers(numbers_of_tree(C.std(), inputs), np.sqrt(np.diagonal(cov)))
        inner = cov / np.outer(*[np.sqrt(np.diagonal(cov))] * 2)
        plain = Leaves(inputs.shapes, (None,) * len(inputs.shapes))
        assert_numbers(numbers_of(C.correlation(), plain, plain), inner)


def test_deviations_are_in_the_units_that_the_user_wrote():
    """Also where they come as sigma^2 times an inverse, in which the data's unit has cancelled."""

    def model(p):
        return {"V": p["R"] * p["I"] * jnp.arange(1.0, 4.0) + 1.0 * u.mV, "I": p["I"]}

    J = jacobian_matrix(model)({"R": q(2.0, u.Mohm), "I": q(3.0, u.nA)})
    W = UnitMatrix.diag({"V": jnp.ones(3) * u.mV**-2, "I": 4.0 * u.nA**-2}, J.rows)
    std = inv(J.T @ W @ J).std()
    assert {name: str(leaf.unit) for name, leaf in std.items()} == {"R": "Mohm", "I": "nA"}
    J = J["V", :]
    std = (
        (0.2 * u.mV) ** 2
        * (
            J.T @ J
            + UnitMatrix.diag(
                {"R": 1.0 * u.mV**2 / u.Mohm**2, "I": 1.0 * u.mV**2 / u.nA**2}, J.cols
            )
        )
    ).T
    # twice inverted, it is a covariance of the inputs again
    std = (inv(std) * (0.2 * u.mV) ** 4).std()
    assert std["R"].unit.has_same_dim(u.Mohm)


def test_a_hessian_is_the_inverse_of_a_covariance():
    """Of a chi-square: the curvature of a Gaussian's exponent gives its deviation back."""
    std = {"g": q(0.3, u.nS), "E": q(2.0, u.mV)}

    def half_chi_square(p):
        return 0.5 * sum(((p[k] / std[k]) ** 2 for k in std), start=0.0)

    with jax.enable_x64(True):
        std = {"g": q(0.3, u.nS), "E": q(2.0, u.mV)}
        H = hessian_matrix(half_chi_square)({"g": q(5.0, u.nS), "E": q(1.0, u.volt)})
        found = inv(H).std()
        assert float(found["g"].to_decimal(u.nS)) == pytest.approx(0.3, rel=1e-12)
        assert float(found["E"].to_decimal(u.mV)) == pytest.approx(2.0, rel=1e-12)


def test_an_entry_that_does_not_vary():
    C = covariance([0.0 * u.mV, 1.0 * u.nA])
    assert float(C.std()[0].mantissa) == 0.0
    assert np.isnan(float(C.correlation()[0, 0]))
    assert float(C.correlation()[1, 1]) == 1.0


def test_a_covariance_of_something_else():
    J = jacobian_matrix(lambda p: p["g"] * p["E"])({"g": 2.0 * u.nS, "E": 10.0 * u.mV})
    with pytest.raises(
        ValueError, match=r"block \(g, E\) is in ms\*mV, expected nS\*mV or another un"
    ):
        propagate(J, covariance({"g": 0.3 * u.ms, "E": 2.0 * u.mV}))
    with pytest.raises(
        ValueError, match=r"the Jacobian's columns are g, E, the covariance's rows are g: leaves"
    ):
        propagate(J, covariance({"g": 0.3 * u.nS}))


def test_a_jacobian_is_no_covariance():
    J = UnitMatrix(jnp.eye(2), [1.0 * u.mV, 1.0 * u.nA], [1.0 * u.ms, 1.0 * u.nS])
    with pytest.raises(
        ValueError, match=r"the units do not mirror: block \(0, 1\) is in mV/nS, bl"
    ):
        J.std()


def test_under_jit_and_vmap():
    J = matrix(np.eye(2), Leaves(((), ()), (u.pA, u.mV)), Leaves(((), ()), (u.nS, u.mV)))
    std = {"x0": 0.3 * u.nS, "x1": 2.0 * u.mV}
    scales = jnp.array([1.0, 2.0])
    found = jax.jit(jax.vmap(lambda k: propagate(J * k, covariance(std)).std()))(scales)
    assert_numbers(found["x0"].to_decimal(u.pA), [0.3, 0.6], 1e-6)
    batch = jax.vmap(lambda k: covariance(std) * k**2)(scales)
    assert_numbers(jax.vmap(lambda C: C.std()["x1"])(batch).to_decimal(u.mV), [2.0, 4.0], 1e-6)
    assert jax.vmap(lambda C: C.correlation())(batch).rows.units == (None, None)
