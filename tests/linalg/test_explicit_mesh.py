"""Matrices of arrays that lie on a mesh with Explicit axes: the numbers of arrays that do not."""

import contextlib

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from linalg.matrices import assert_numbers
from unitjac.linalg import (
    Axis,
    UnitMatrix,
    cholesky,
    covariance,
    det,
    eigvals,
    hessian_matrix,
    inv,
    jacobian_matrix,
    lstsq,
    propagate,
    solve,
    trace,
)

NUMBERS = np.eye(4) + np.arange(16.0).reshape(4, 4) / 20


def trees(mesh):
    """A vector, a table and a number; spread over the mesh where there is one."""

    def put(array, *spec):
        array = jnp.asarray(array, float)
        if mesh is None:
            return array
        return jax.device_put(array, NamedSharding(mesh, PartitionSpec(*spec)))

    x = {
        "V": put(np.arange(1.0, 5.0), "S") * u.mV,
        "s": put(2.0) * u.ms,
        "w": put(np.arange(1.0, 9.0).reshape(4, 2) / 4, "S", None) * u.nA,
    }
    return x, put(NUMBERS, "S", None), put(NUMBERS, None, "S")


def some(p):
    return {"I": p["V"] * p["s"] / u.ms, "w": p["w"][:, 0] ** 2}


def energy(p):
    return jnp.sum(p["V"].mantissa ** 2) * p["s"] + jnp.sum(p["w"].mantissa ** 3) * u.ms


def of_trees(x, M, N):
    C = covariance(x, {("s", ("w",)): jnp.full((4, 2), 0.1)})
    axis = Axis.of(x)
    return {
        "there and back": axis.to_tree(axis.to_vector(x)),
        "covariance": C.dense,
        "std": C.std(),
        "correlation": C.correlation().dense,
        "diag": UnitMatrix.diag(x).dense,
        "typical": UnitMatrix.identity(x).scaled(x, x),
        "columns": UnitMatrix.from_columns([x["V"], x["V"]], jnp.ones(2)).dense,
        "vector in parts": Axis.of([1.0, jnp.ones(3)]).to_tree(x["V"].mantissa),
    }


def of_matrices(x, M, N):
    V = x["V"]
    A, B = UnitMatrix(M, V, V), UnitMatrix(N, V, V)
    blocks = {"o": {"V": M, "s": V / u.ms}}
    C = covariance(V)
    return {
        "blocks": UnitMatrix.from_blocks(blocks, {"o": V}, {"V": V, "s": x["s"]}).blocks(),
        "algebra": (A @ B + A - B.to(rows="V", cols="V")).dense,
        "tree": A @ V,
        "parts": [A[1:3, :].dense, A[[0, 3], [2, 1]].dense, A[0, 1]],
        "solve": [solve(A, V), solve(C, V, assume_symmetric=True), lstsq(A, V)],
        "inv": inv(B).dense,
        "numbers": [det(A), trace(B), jnp.sort(eigvals(A).real), cholesky(C).dense],
        "propagate": propagate(A, C).std(),
    }


def of_derivatives(x, M, N):
    return {
        "fwd": jacobian_matrix(some, mode="fwd")(x).dense,
        "rev": jacobian_matrix(some, mode="rev", jit=True)(x).dense,
        "hessian": hessian_matrix(energy)(x).dense,
    }


# outside of jax.set_mesh JAX itself raises for the jacrev of such a tree and for a Hessian
@pytest.mark.parametrize(
    ("work", "inside"),
    [
        (of_trees, False),
        (of_trees, True),
        (of_matrices, False),
        (of_matrices, True),
        (of_derivatives, True),
    ],
)
def test_numbers_are_those_of_one_device(work, inside):
    mesh = jax.make_mesh((4,), ("S",), axis_types=(AxisType.Explicit,))
    expected = work(*trees(None))
    with jax.set_mesh(mesh) if inside else contextlib.nullcontext():
        found = work(*trees(mesh))
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert_numbers(one, other, 1e-5)
