"""No tracer stays behind. Last of its folder, since the check empties JAX's caches."""

import brainunit as u
import jax
import jax.numpy as jnp

from unitjac.linalg import UnitMatrix, cholesky, det, eigvals, inv, lstsq, solve, trace

STATE = {"V": jnp.ones(2) * u.mV, "w": 1.0 * u.nA}
RATE = {"V": jnp.ones(2) * u.mV / u.ms, "w": 1.0 * u.nA / u.ms}


def test_no_tracer_leaks():
    weights = {"V": jnp.ones(2) * (u.mV / u.ms) ** -2, "w": 1.0 * (u.nA / u.ms) ** -2}

    @jax.jit
    def everything(A):
        x = solve(A, RATE)
        return (
            (A.T, A @ x, A["V", "w"], A.to(rows=["V/s", "A/s"]), A.blocks()),
            (inv(A), det(A), trace(A), eigvals(A), lstsq(A, RATE, weights)),
            (cholesky(A.T @ UnitMatrix.diag(weights, A.rows) @ A).array, repr(A) and x),
        )

    with jax.checking_leaks():
        everything(UnitMatrix(jnp.eye(3) + 0.1, RATE, STATE))
