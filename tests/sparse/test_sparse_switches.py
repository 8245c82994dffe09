"""What JAX's flags and its symbolic sizes mean for plans."""

import brainunit as u
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_physically_equal, both_precisions, eager_and_compiled, q

import unitjac
from unitjac import sparse_hessian, sparse_jacobian
from unitjac.sparse import banded

from .scenes import ramp, turned


@both_precisions
@eager_and_compiled
def test_promotion_that_is_forbidden_to_users_is_not_done_for_them(jit, x64):
    """Leaves and outputs of several dtypes, scales, chunks, seeds in both directions."""

    def fun(p):
        return {"a": (p["a"] ** 2).in_unit(u.volt * u.mV), "b": [p["b"] * p["b"], p["c"] * u.nS]}

    with (
        jax.enable_x64(x64),
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
    ):
        p = {
            "a": q(jnp.arange(1.0, 4.0), u.mV),
            "b": jnp.asarray([2.0, 1.0], jnp.float16),
            "c": jnp.asarray([1.0], jnp.bfloat16),
        }
        slopes = q(np.diag([2e-3, 4e-3, 6e-3]), u.volt)
        for options in ({}, {"mode": "fwd", "chunk_size": 1}, {"mode": "rev", "chunk_size": 2}):
            J = sparse_jacobian(fun, p, jit=jit, check=True, **options)(p).blocks()
            assert_physically_equal(J["a"]["a"], slopes, digits_lost=3)
            np.testing.assert_array_equal(J["b"][0]["b"], np.diag([4.0, 2.0]))
            assert J["b"][1]["c"].to_decimal(u.nS).tolist() == [[1.0]]
        V = q(ramp(70), u.mV)
        hess = sparse_hessian(lambda V: (V**3).sum() / u.volt**3, V, jit=jit, check=True)
        assert_physically_equal(
            hess(V).blocks(), q(np.diag(6.0 * ramp(70)), u.mV / u.volt**3), digits_lost=3
        )
        z = turned(ramp(3), 1.0)
        jac = sparse_jacobian(lambda z: z**2, z, holomorphic=True, check=True, jit=jit)
        np.testing.assert_allclose(jac(z).dense, np.diag(2 * np.asarray(z)), 1e-6)


def test_plans_are_refused_for_sizes_that_are_symbols():
    """In words, where a pattern is found, given, or taken as dense; and of outputs alone."""
    (size,) = jax.export.symbolic_shape("n")
    x = jax.ShapeDtypeStruct((size,), jnp.float32)
    text = r"^sparse_jacobian of .* cannot be planned for sizes that are symbols of jax\.export"
    for options in ({}, {"pattern": banded(4, 0, 0)}, {"fallback": "dense"}):
        with pytest.raises(ValueError, match=text):
            sparse_jacobian(lambda x: x**2, x, **options)
    with pytest.raises(ValueError, match=text):
        sparse_jacobian(lambda x, y: x.sum() * y, jnp.ones(3), x)
    with pytest.raises(ValueError, match=r"symbols .* unitjac\.hessian, which gives all entries"):
        sparse_hessian(lambda x: (x**2).sum(), x)
    found = jax.export.export(jax.jit(unitjac.jacobian(lambda x: x**2)))(x).call(jnp.ones(3))
    np.testing.assert_array_equal(found, 2 * np.eye(3))
