"""How right ``solve`` and ``inv`` are: the componentwise backward error of random equations.

Each is below ten times n times the dtype's precision, for every kind of matrix, however its rows
and columns are scaled. Answers in rational numbers judge the smallest ones.
"""

from fractions import Fraction

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from helpers import both_precisions, q

from linalg.matrices import Leaves, matrix, numbers_of, numbers_of_tree
from linalg.systems import KINDS, backward_errors, systems
from unitjac.linalg import Axis, UnitMatrix, cholesky, det, inv, lstsq, solve

N = 8
SIDE = Leaves(((2,), (), (3,), (), ()), (u.mV, u.nA, None, u.ms, u.uF))
CASCADE = np.array([[1.0, 0.0, 0.0], [1e-5, 1.0, 0.0], [1e-6, 1e-5, 1.0]])


def solved(A, b):
    """Solutions and inverses of many matrices, one after the other, by one program."""
    side = Axis.of(SIDE.tree())

    def both(system):
        array, right = system
        A = UnitMatrix(array, side, side)
        return side.to_vector(solve(A, side.to_tree(right))), inv(A).dense

    return map(np.asarray, jax.jit(lambda *all_of: jax.lax.map(both, all_of))(A, b))


def tolerance(dtype, n=N):
    return 10 * n * float(jnp.finfo(dtype).eps)


def power_of_two_units(leaves, exponents):
    factors = [u.Unit(factor=2.0**k) for k in exponents]
    pairs = zip(leaves.units, factors, strict=True)
    return Leaves(leaves.shapes, tuple((unit or u.UNITLESS) * by for unit, by in pairs))


# Named ones


def test_a_cascade_of_three_voltages():
    """Row one says that the first unknown is one; it was 0.7425."""
    side = Leaves(((), (), ()), (u.mV,) * 3)
    A = matrix(CASCADE.astype("float32"), side, side)
    found = numbers_of_tree(solve(A, side.tree(np.ones(3, "float32"))), side)
    expected = np.linalg.solve(CASCADE, np.ones(3))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(numbers_of(inv(A), side, side), np.linalg.inv(CASCADE), 1e-6, 1e-12)


def test_the_identity_and_noise_of_rounding(rng):
    """Noise beside zeros was lifted until it was the pivot: an unknown of -0.056 was 44.4."""
    n = 20
    side = Axis.of([1.0 * u.mV] * n)
    with jax.enable_x64(True):
        x_of = jax.jit(
            lambda a, b: side.to_vector(solve(UnitMatrix(a, side, side), side.to_tree(b)))
        )
        for _ in range(20):
            noise = np.where(rng.random((n, n)) < 0.1, 5e-17 * rng.normal(size=(n, n)), 0.0)
            b = rng.normal(size=n)
            found = x_of(np.where(np.eye(n) == 1, 1.0, noise), b)
            np.testing.assert_allclose(found, b, rtol=1e-12, atol=1e-14)


# A generator of them


@both_precisions
def test_solutions_and_inverses_are_right_entry_by_entry(x64, rng):
    dtype = "float64" if x64 else "float32"
    with jax.enable_x64(x64):
        A, b, names = systems(rng, N, 20 * len(KINDS), dtype)
        x, inverses = solved(A, b)
    unit_vectors = np.broadcast_to(np.eye(N, dtype=dtype), A.shape)
    for found, right in ((x[..., None], b[..., None]), (inverses, unit_vectors)):
        assert found.dtype == dtype
        errors = np.max(backward_errors(A, found, right), axis=1)
        wrong = {name: e for name, e in zip(names, errors, strict=True) if e > tolerance(dtype)}
        assert not wrong


@both_precisions
def test_units_that_are_powers_of_two_change_no_bit(x64, rng):
    dtype = "float64" if x64 else "float32"
    rows, cols = (power_of_two_units(SIDE, rng.integers(-20, 21, 5)) for _ in range(2))
    up, down = ((SIDE.sizes_of_units / side.sizes_of_units).astype(dtype) for side in (rows, cols))
    larger = np.asarray(2.0 ** rng.integers(-20, 21), dtype)
    with jax.enable_x64(x64):
        for array, right, name in zip(*systems(rng, N, 2 * len(KINDS), dtype), strict=True):
            A = matrix(array, SIDE, SIDE)
            B = matrix(array * up[:, None] / down, rows, cols)
            x = solve(A, SIDE.tree(right))
            y = solve(B, rows.tree(right * up * larger))
            expected = magnitudes_of(x) * down * larger
            np.testing.assert_array_equal(magnitudes_of(y), expected, name)
            expected = inv(A).dense * down[:, None] / up[None, :]
            np.testing.assert_array_equal(inv(B).dense, expected, name)


@both_precisions
def test_other_units_change_roundings_alone(x64, rng):
    """Each row and column in a unit of its own, up to 1e4 times as large or small."""
    dtype = "float64" if x64 else "float32"
    plain = Leaves(((),) * N, (None,) * N)
    with jax.enable_x64(x64):
        for array, right, name in zip(*systems(rng, N, len(KINDS), dtype), strict=True):
            rows, cols = (plain.rewritten(rng.integers(-4, 5, N)) for _ in range(2))
            A = UnitMatrix(array, rows.tree(), cols.tree())
            found = magnitudes_of(solve(A, rows.tree(right)))
            numbers = array[None], found[None, :, None], right[None, :, None]
            assert backward_errors(*numbers).max() < tolerance(dtype), name


def magnitudes_of(tree):
    leaves = jax.tree.leaves(tree, is_leaf=lambda leaf: isinstance(leaf, u.Quantity))
    return np.concatenate([np.ravel(np.asarray(u.get_mantissa(leaf))) for leaf in leaves])


# Against rational numbers


def exact(numbers):
    return sympy.Matrix([[sympy.Rational(Fraction(float(x))) for x in row] for row in numbers])


def test_against_rational_numbers(rng):
    """The forward error is below what the backward error lets it be (Higham 2002, 7.4)."""
    n, side = 4, Leaves(((),) * 4, (u.mV, u.nA, u.ms, None))
    eps = float(np.finfo(float).eps)
    with jax.enable_x64(True):
        for array, right, name in zip(*systems(rng, n, len(KINDS), "float64"), strict=True):
            inverse = exact(array).inv()
            x = inverse * exact(right[:, None])
            A = matrix(array, side, side)
            whole = exact(np.abs(array)) * x.applyfunc(abs) + exact(np.abs(right)[:, None])
            bound = 10 * n * eps * inverse.applyfunc(abs) * whole * 2
            found = exact(magnitudes_of(solve(A, side.tree(right)))[:, None])
            assert all(abs(e) <= b for e, b in zip(found - x, bound, strict=True)), name
            value = float(exact(array).det())
            condition = float(max(inverse.applyfunc(abs) * exact(np.abs(array)) * sympy.ones(n, 1)))
            found_det = det(matrix(array, side, side))
            assert abs(float(found_det) - value) <= 10 * n * eps * condition * abs(value), name


# Derivatives and transformations


def by_hand(array, right, moved_array, moved_right):
    """The tangent of a solution: ``A dx = db - dA x``."""
    x = np.linalg.solve(array, right)
    return np.linalg.solve(array, moved_right - moved_array @ x)


def test_derivatives_where_the_solution_was_refined(rng):
    """Tangents and cotangents of a cascade are solved with as much care as it is."""
    side = Leaves(((), (), ()), (u.mV,) * 3)
    axis = Axis.of(side.tree())
    right, moved = rng.normal(size=3), rng.normal(size=(3, 3))

    def x_of(array, b):
        return magnitudes_traced(solve(UnitMatrix(array, axis, axis), axis.to_tree(b)))

    array, b, d_array = (jnp.asarray(v, "float32") for v in (CASCADE, right, moved))
    d_b = b[::-1]
    wide = [np.asarray(v, float) for v in (array, b, d_array, d_b)]
    expected = by_hand(*wide)
    _, pushed = jax.jit(lambda *t: jax.jvp(x_of, (array, b), t))(d_array, d_b)
    np.testing.assert_allclose(pushed, expected, rtol=0, atol=2e-6 * np.max(np.abs(moved)))
    weights = jnp.asarray(rng.normal(size=3), "float32")
    by_array, by_b = jax.jit(lambda w: jax.vjp(x_of, array, b)[1](w))(weights)
    pulled = np.linalg.solve(wide[0].T, np.asarray(weights, float))
    np.testing.assert_allclose(by_b, pulled, 2e-6, 1e-9)
    x = np.linalg.solve(wide[0], wide[1])
    np.testing.assert_allclose(by_array, -np.outer(pulled, x), 5e-6, 1e-9)


def magnitudes_traced(tree):
    return jnp.stack([leaf.mantissa for leaf in tree.values()])


def test_second_derivatives():
    """Of one over a number, cubed: the entries of the inverse of ``k A`` go with 1 / k."""
    side = Axis.of([1.0 * u.mV, 1.0 * u.nA])
    numbers = jnp.asarray([[2.0, 1.0], [0.0, 4.0]])

    def entry(k):
        return inv(UnitMatrix(k * numbers, side, side)).dense[0, 1]

    second = jax.jit(jax.jacfwd(jax.jacrev(entry)))
    assert float(second(2.0)) == pytest.approx(2 * -0.125 / 8, rel=1e-6)


def test_a_batch_goes_to_the_rescue_where_one_of_it_does():
    """A condition on a batch stays one: not both of its branches are run on all, always."""
    side = Leaves(((), (), ()), (u.mV,) * 3)
    axis = Axis.of(side.tree())

    def x_of(array):
        return magnitudes_traced(solve(UnitMatrix(array, axis, axis), side.tree()))

    def one_by_one(batch):
        return jnp.stack([x_of(array) for array in batch])

    batch = jnp.stack([jnp.eye(3), jnp.asarray(CASCADE, "float32"), 2 * jnp.eye(3)])
    np.testing.assert_array_equal(jax.jit(jax.vmap(x_of))(batch), one_by_one(batch))
    nested = jax.jit(jax.vmap(jax.vmap(x_of)))(jnp.stack([batch, batch[::-1]]))
    np.testing.assert_array_equal(nested[1, ::-1], nested[0])
    np.testing.assert_array_equal(nested[0], one_by_one(batch))
    text = str(jax.make_jaxpr(jax.vmap(x_of))(batch))
    assert "cond[" in text
    assert "bool[3] " not in text.split("cond[")[0].splitlines()[-1]


def test_a_solution_is_linear_in_its_right_side():
    side = Leaves(((), (), ()), (u.mV,) * 3)
    A = matrix(CASCADE, side, side)
    like = side.tree()
    transposed = jax.linear_transpose(lambda b: magnitudes_traced(solve(A, b)), like)
    (pulled,) = transposed(jnp.ones(3))
    expected = np.linalg.solve(CASCADE.T, np.ones(3))
    np.testing.assert_allclose(magnitudes_of(pulled), expected, 1e-6)


# Least squares and determinants


def test_least_squares_with_weights_of_very_different_size():
    """Two exact rows between two noisy ones (Powell and Reid 1969): all unknowns are one.

    With the rows as they come QR gives 1.045.
    """
    rows, cols = Leaves(((), (), (), ()), (u.mV,) * 4), Leaves(((), (), ()), (u.nA,) * 3)
    A = matrix(np.array([[0.0, 2, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], "float32"), rows, cols)
    weights = [1.0, 1e12, 1e12, 1.0]
    squares = {f"x{k}": weight * u.mV**-2 for k, weight in enumerate(weights)}
    right = rows.tree(np.array([3.0, 2.0, 2.0, 2.0], "float32"))
    fitted = jax.jit(lambda b: lstsq(A, b, squares, assume_full_rank=True))
    np.testing.assert_allclose(numbers_of_tree(fitted(right), cols), 1.0, 2e-6)


@both_precisions
def test_determinants_of_large_dense_matrices(x64, rng):
    """Of an orthogonal one plus or minus one; with sums of rows as scales it would underflow."""
    n, dtype = 150, "float64" if x64 else "float32"
    numbers, _ = np.linalg.qr(rng.normal(size=(n, n)))
    with jax.enable_x64(x64):
        A = UnitMatrix(jnp.asarray(numbers, dtype), jnp.ones(n) * u.mV, jnp.ones(n) * u.mV)
        assert float(det(A)) == pytest.approx(np.linalg.det(numbers), rel=n * tolerance(dtype, 1))


# Flags of JAX


def test_strict_promotion_of_dtypes_and_ranks():
    side = [1.0 * u.mV, 1.0 * u.nA]
    weights = [jnp.float32(1.0) * u.mV**-2, jnp.float32(1.0) * u.nA**-2]
    numbers = np.array([[2.0, 1.0], [1.0, 3.0]])
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        for dtype in ("float32", "bfloat16", "complex64"):
            right = [q(1.0, u.mV, dtype), q(2.0, u.nA, dtype)]
            A = UnitMatrix(jnp.asarray(numbers, dtype), side, side)
            mirror = UnitMatrix(A.array, A.rows, A.rows.inverse())
            found = [
                solve(A, right),
                inv(A) @ right,
                solve(mirror, right, assume_symmetric=True),
                lstsq(A, right, weights),
                lstsq(A, right, weights, assume_full_rank=True),
            ]
            for x in found:
                numbers_of_x = [complex(leaf.mantissa) for leaf in x]
                np.testing.assert_allclose(numbers_of_x, [0.2, 0.6], 1e-2)
            assert complex(det(A)) == pytest.approx(5.0, rel=1e-2)
            assert complex(cholesky(mirror).dense[0, 0]) == pytest.approx(2**0.5, rel=1e-2)
