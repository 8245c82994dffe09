"""Equations: ``solve``, ``inv``, ``lstsq``, ``cholesky``, ``det``, ``trace``.

Judged by sympy in rational numbers, then by NumPy in units in which the matrix is well scaled.
Every answer is asked for again with rows and columns in units 1e-9 to 1e9 times as large.
"""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from helpers import both_precisions, is_quantity, q
from hypothesis import strategies as st

import unitjac
from linalg.matrices import (
    SIZE,
    Leaves,
    assert_numbers,
    exponents,
    leaves,
    matrix,
    numbers_of,
    numbers_of_tree,
    positive_definite,
    property_test,
    ratio,
    seeds,
    vector,
    well_conditioned,
    written,
)
from unitjac.linalg import (
    UnitMatrix,
    cholesky,
    covariance,
    det,
    eig,
    eigvals,
    hessian_matrix,
    inv,
    jacobian_matrix,
    lstsq,
    solve,
    trace,
)
from unitjac.testing import check_jacobian

TOLERANCE = {False: 1e-5, True: 1e-13}
RATIONAL = sympy.Matrix([[2, 1, 0], [1, sympy.Rational(1, 2), 3], [5, 0, -1]])
NUMBERS = np.array(RATIONAL.tolist(), float)
ROWS = Leaves(((2,), ()), (u.mV, u.nA))
COLS = Leaves(((), (2,)), (u.parse_unit("mS/cm^2"), None))


# Against sympy, in both precisions


@both_precisions
def test_solve_against_sympy(x64):
    right = sympy.Matrix([1, -2, sympy.Rational(3, 2)])
    with jax.enable_x64(x64):
        A = matrix(NUMBERS, ROWS, COLS)
        found = solve(A, ROWS.tree(np.array(right, float).ravel()))
        expected = np.array(RATIONAL.LUsolve(right), float).ravel()
        assert_numbers(numbers_of_tree(found, COLS), expected, TOLERANCE[x64])
        assert not is_quantity(found["x1"])
        in_volts = solve(A, {"x0": jnp.array([1e-3, -2e-3]) * u.volt, "x1": 1.5 * u.nA})
        assert_numbers(numbers_of_tree(in_volts, COLS), expected, TOLERANCE[x64])


@both_precisions
def test_inverse_and_determinant_against_sympy(x64):
    with jax.enable_x64(x64):
        A = matrix(NUMBERS, ROWS, COLS)
        expected = np.array(RATIONAL.inv(), float)
        assert_numbers(numbers_of(inv(A), COLS, ROWS), expected, TOLERANCE[x64])
        unit = u.mV**2 * u.nA / u.parse_unit("mS/cm^2")
        assert float(det(A).to_decimal(unit)) == pytest.approx(
            float(RATIONAL.det()), rel=TOLERANCE[x64]
        )


@both_precisions
def test_weighted_least_squares_against_sympy(x64):
    """The normal equations in rational numbers: (A.T W A) x = A.T W b."""
    A = sympy.Matrix([[1, 2], [3, -1], [0, 1], [2, 2]])
    b, weights = sympy.Matrix([1, 0, 2, -1]), sympy.diag(1, 4, 9, 2)
    expected = (A.T * weights * A).LUsolve(A.T * weights * b)
    rows, cols = Leaves(((3,), ()), (u.mV, u.nA)), Leaves(((), ()), (u.ms, None))
    with jax.enable_x64(x64):
        for full_rank in (False, True):
            found = lstsq(
                matrix(np.array(A.tolist(), float), rows, cols),
                rows.tree(np.array(b, float).ravel()),
                {"x0": jnp.array([1.0, 4.0, 9.0]) * u.mV**-2, "x1": 2e18 * u.ampere**-2},
                assume_full_rank=full_rank,
            )
            numbers = numbers_of_tree(found, cols)
            assert_numbers(numbers, np.array(expected, float).ravel(), TOLERANCE[x64])


@both_precisions
def test_cholesky_against_sympy(x64):
    symmetric = sympy.Matrix([[4, 2, -2], [2, 10, 2], [-2, 2, 6]])
    leaves = Leaves(((2,), ()), (u.mV, u.nA))
    with jax.enable_x64(x64):
        C = matrix(np.array(symmetric.tolist(), float), leaves, leaves.inverse())
        L = cholesky(C)
        plain = Leaves(leaves.shapes, (None, None))
        expected = np.array(symmetric.cholesky().tolist(), float)
        assert_numbers(numbers_of(L, leaves, plain), expected, TOLERANCE[x64])
        assert L.rows == C.rows
        assert L.cols.units == (None, None)


# No answer depends on the units


@property_test(40, rows=leaves(), cols=leaves(), seed=seeds, up=exponents(), down=exponents())
def test_solutions_do_not_depend_on_the_units(rows, cols, seed, up, down):
    numbers, b = well_conditioned(seed), vector(seed)
    new_rows, new_cols = rows.rewritten(up), cols.rewritten(down)
    with jax.enable_x64(True):
        A = written(numbers, rows, cols, new_rows, new_cols)
        found = numbers_of_tree(solve(A, rows.tree(b)), cols)
        assert_numbers(found, np.linalg.solve(numbers, b))
        assert_numbers(numbers_of(inv(A), cols, rows), np.linalg.inv(numbers))
        assert_numbers(numbers_of(inv(A) @ A, cols, cols), np.eye(SIZE))
        assert_numbers(numbers_of(A @ inv(A), rows, rows), np.eye(SIZE))
        x = cols.tree(b)
        assert_numbers(numbers_of_tree(solve(A, A @ x), cols), b)


@property_test(15, rows=leaves(), cols=leaves(), seed=seeds)
def test_the_identity_has_plain_blocks(rows, cols, seed):
    with jax.enable_x64(True):
        A = matrix(well_conditioned(seed), rows, cols)
        diagonal = [(inv(A) @ A)[f"x{k}", f"x{k}"] for k in range(len(cols.units))]
    for block, shape in zip(diagonal, cols.shapes, strict=True):
        assert not is_quantity(block)
        n = int(np.prod(shape, dtype=int))
        assert_numbers(np.reshape(block, (n, n)), np.eye(n), 1e-12)


@property_test(25, rows=leaves(), cols=leaves(), other=leaves(), seed=seeds, up=exponents())
def test_matrices_on_the_right(rows, cols, other, seed, up):
    """``A X = B``, where the rows of B are those of A times one common unit."""
    a, b = well_conditioned(seed), well_conditioned(seed + 1)
    common = u.parse_unit("mV/ms")
    right = rows.times(common)
    with jax.enable_x64(True):
        A = written(a, rows, cols, rows.rewritten(up), cols)
        B = written(b, right, other, right.rewritten(up[::-1]), other)
        found = solve(A, B)
        assert_numbers(numbers_of(found, cols.times(common), other), np.linalg.solve(a, b))
        assert_numbers(numbers_of(A @ found, right, other), b)


@property_test(25, rows=leaves(), cols=leaves(), seed=seeds, up=exponents(), down=exponents())
def test_least_squares_do_not_depend_on_the_units(rows, cols, seed, up, down):
    numbers, b = well_conditioned(seed), vector(seed)
    weights = np.exp(vector(seed + 1))
    root = np.sqrt(weights)
    few = Leaves(((), (2,)), (*cols.units, u.mV)[:2])
    new_few = few.rewritten(down)
    new_rows = rows.rewritten(up)
    squares = Leaves(rows.shapes, tuple(ratio(None, unit) ** 2 for unit in new_rows.units))
    scale = (new_rows.sizes_of_units / rows.sizes_of_units) ** 2
    with jax.enable_x64(True):
        A = written(numbers[:, :3], rows, few, new_rows, new_few)
        expected, *_ = np.linalg.lstsq(numbers[:, :3] * root[:, None], b * root)
        for full_rank in (False, True):
            given = rows.tree(b), squares.tree(weights * scale)
            found = lstsq(A, *given, assume_full_rank=full_rank)
            assert_numbers(numbers_of_tree(found, few), expected)


@property_test(15, cols=leaves(), seed=seeds, up=exponents(), down=exponents())
def test_least_squares_of_rows_of_one_dimension(cols, seed, up, down):
    numbers, b = well_conditioned(seed), vector(seed)
    rows = Leaves(((2,), (), (3,)), (u.mV,) * 3)
    few = Leaves(((), (2,)), (*cols.units, u.mV)[:2])
    with jax.enable_x64(True):
        A = written(numbers[:, :3], rows, few, rows.rewritten(up), few.rewritten(down))
        expected, *_ = np.linalg.lstsq(numbers[:, :3], b)
        assert_numbers(numbers_of_tree(lstsq(A, rows.tree(b)), few), expected)


@property_test(25, rows=leaves(), cols=leaves(), seed=seeds, up=exponents(), down=exponents())
def test_determinants_do_not_depend_on_the_units(rows, cols, seed, up, down):
    numbers = well_conditioned(seed)
    with jax.enable_x64(True):
        found = det(written(numbers, rows, cols, rows.rewritten(up), cols.rewritten(down)))
        own = found.unit.magnitude if is_quantity(found) else 1.0
        value = np.longdouble(u.get_mantissa(found)) * own
        size = np.prod(np.longdouble(rows.sizes_of_units)) / np.prod(cols.sizes_of_units)
        assert float(value / size) == pytest.approx(np.linalg.det(numbers), rel=1e-12)
        dimension = u.UNITLESS
        for side, sign in ((rows, 1), (cols, -1)):
            for unit, shape in zip(side.units, side.shapes, strict=True):
                dimension = dimension * (unit or u.UNITLESS) ** (sign * int(np.prod(shape)))
        assert u.get_unit(found).has_same_dim(dimension)


@property_test(25, state=leaves(), seed=seeds, up=exponents(), down=exponents())
def test_traces_do_not_depend_on_the_units(state, seed, up, down):
    numbers, rate = well_conditioned(seed), state.times(u.ms**-1)
    with jax.enable_x64(True):
        A = written(numbers, rate, state, rate.rewritten(up), state.rewritten(down))
        found = float(trace(A).to_decimal(u.ms**-1))
    size = np.sum(np.abs(np.diagonal(numbers)))
    assert found == pytest.approx(np.trace(numbers), abs=1e-12 * size)


@property_test(
    25, state=leaves(), seed=seeds, up=exponents(), down=exponents(), common=st.booleans()
)
def test_symmetric_matrices_do_not_depend_on_the_units(state, seed, up, down, common):
    """Rows and columns written in units that do not mirror hold numbers that are not symmetric."""
    numbers, b = positive_definite(seed), vector(seed)
    gauge = u.mV if common else u.UNITLESS
    rows, cols = state.times(gauge), state.inverse().times(gauge)
    with jax.enable_x64(True):
        C = written(numbers, rows, cols, rows.rewritten(up), cols.rewritten(down))
        x = solve(C, rows.tree(b), assume_symmetric=True)
        assert_numbers(numbers_of_tree(x, cols), np.linalg.solve(numbers, b))
        X = solve(C, matrix(well_conditioned(seed + 1), rows, state), assume_symmetric=True)
        expected = np.linalg.solve(numbers, well_conditioned(seed + 1))
        assert_numbers(numbers_of(X, cols, state), expected)
        L = cholesky(C)
        plain = Leaves(state.shapes, (None,) * len(state.shapes))
        assert_numbers(numbers_of(L, state, plain), np.linalg.cholesky(numbers))
        assert_numbers(numbers_of(L @ L.T, rows, cols), numbers)


def big(n: int, seed: int) -> tuple[np.ndarray, Leaves, Leaves]:
    """Two well-conditioned sides of seven leaves each, with entries that are zero."""
    rng = np.random.default_rng(seed)
    numbers = np.where(rng.random((n, n)) < 0.3, rng.normal(size=(n, n)), 0) / n**0.5
    numbers[rng.permutation(n), np.arange(n)] += 2.0
    shapes = ((n // 4,), (n // 8,), (), (2,), (n // 8,), (3,), (n - n // 4 - 2 * (n // 8) - 6,))
    units = tuple(map(u.parse_unit, ("mV", "nA", "ms", "mS", "uF", "nA", "mV")))
    return numbers, Leaves(shapes, units), Leaves(shapes[::-1], units)


def test_larger_ones_do_not_depend_on_the_units_either(rng):
    n = 120
    numbers, rows, cols = big(n, int(rng.integers(2**32)))
    b = rng.normal(size=n)
    expected = np.linalg.solve(numbers, b)
    with jax.enable_x64(True):
        for _ in range(3):
            new_rows, new_cols = (
                side.rewritten(rng.integers(-9, 10, len(side.units))) for side in (rows, cols)
            )
            A = written(numbers, rows, cols, new_rows, new_cols)
            assert_numbers(numbers_of_tree(solve(A, rows.tree(b)), cols), expected)
            assert_numbers(numbers_of(inv(A) @ A, cols, cols), np.eye(n))


def test_every_entry_its_own_unit(rng):
    """A band matrix of 60 scalar leaves, in which most blocks are zero."""
    n = 60
    numbers = 2 * np.eye(n) + np.diag(rng.uniform(-1, 1, n - 1), 1) - np.diag(np.ones(n - 1), -1)
    side = Leaves(((),) * n, (u.mV, u.nA, u.ms) * (n // 3))
    b = rng.normal(size=n)
    with jax.enable_x64(True):
        shifted = [side.rewritten(rng.integers(-9, 10, n)) for _ in range(2)]
        A = written(numbers, side, side, *shifted)
        assert_numbers(numbers_of_tree(solve(A, side.tree(b)), side), np.linalg.solve(numbers, b))


def test_single_precision_does_not_depend_on_the_units(rng):
    numbers, rows, cols = big(40, int(rng.integers(2**32)))
    b = rng.normal(size=40)
    expected = np.linalg.solve(numbers, b)
    for exponent in (-9, 0, 9):
        shift = [exponent * (-1) ** k for k in range(7)]
        A = written(numbers, rows, cols, rows.rewritten(shift), cols.rewritten(shift))
        assert A.dtype == jnp.float32
        assert_numbers(numbers_of_tree(solve(A, rows.tree(b)), cols), expected, 1e-5)


# Naive ways that fail


def test_covariances_in_base_units_are_right_and_positive():
    """A membrane fitted in SI units: columns of the Jacobian differ by 14 powers of ten.

    The pseudo-inverse of the raw numbers cuts off what is small, and is wrong by its own size.
    """
    numbers, sigma = well_conditioned(7)[:, :3], 0.2
    rows = Leaves(((6,),), (u.volt,))
    cols = Leaves(((), (), ()), (u.siemens, u.volt, u.farad))
    typical = np.array([1e-9, 1e-2, 1e-12])
    jacobian = numbers * 1e-3 / typical
    with jax.enable_x64(True):
        J = matrix(jacobian, rows, cols)
        W = UnitMatrix.diag({"x0": jnp.full(6, (sigma * 1e-3) ** -2) * u.volt**-2}, rows.tree())
        cov = inv(J.T @ W @ J)
        expected = sigma**2 * np.linalg.inv(numbers.T @ numbers)
        assert_numbers(numbers_of(cov, cols, cols.inverse()) / np.outer(typical, typical), expected)
        std = numbers_of_tree(cov.std(), cols)
        assert_numbers(std / typical, np.sqrt(np.diagonal(expected)))
    naive = (sigma * 1e-3) ** 2 * np.linalg.pinv(jacobian.T @ jacobian)
    assert abs(naive[1, 1] / typical[1] ** 2 / expected[1, 1] - 1) > 0.5


# Determinants that would leave the range


def test_determinant_of_many_small_units():
    """1e-9 to the power of 200 is no double; the determinant of volts over nanovolts is one."""
    n = 200
    with jax.enable_x64(True):
        J = UnitMatrix(1e-9 * np.eye(n), rows=jnp.ones(n) * u.volt, cols=jnp.ones(n) * u.nvolt)
        assert float(det(J)) == pytest.approx(1.0)
        assert not is_quantity(det(J))
        back = UnitMatrix(1e9 * np.eye(n), rows=jnp.ones(n) * u.nvolt, cols=jnp.ones(n) * u.volt)
        assert float(det(back)) == pytest.approx(1.0)


def test_determinant_of_columns_of_very_different_size():
    with jax.enable_x64(True):
        numbers = np.diag(10.0 ** np.array([200, 200, -200, -200]))
        side = jnp.ones(2) * u.mV
        assert float(det(UnitMatrix(numbers, [side, side], [side, side]))) == pytest.approx(1.0)


# Derivatives, transformations


def network(p: dict) -> UnitMatrix:
    """Two nodes joined by a resistor, each leaking to ground."""
    return UnitMatrix.from_blocks(
        {
            "a": {"a": p["g"] + p["c"], "b": -p["c"]},
            "b": {"a": -p["c"], "b": p["g"] + p["c"]},
        },
        {"a": 1.0 * u.nA, "b": 1.0 * u.nA},
        {"a": 1.0 * u.mV, "b": 1.0 * u.mV},
    )


def test_derivative_of_a_solution():
    """V_a = I (g + c) / (g (g + 2c)) by Kirchhoff, differentiated by sympy."""
    g, c, current = sympy.symbols("g c I")
    voltage = current * (g + c) / (g * (g + 2 * c))
    at = {g: 2.0, c: 0.5, current: 3.0}
    with jax.enable_x64(True):
        p = {"g": q(2.0, u.uS), "c": q(0.5, u.uS)}

        def solved(p):
            return solve(network(p), {"a": 3.0 * u.nA, "b": 0.0 * u.nA})["a"]

        assert float(solved(p).to_decimal(u.mV)) == pytest.approx(float(voltage.subs(at)))
        for symbol, name in ((g, "g"), (c, "c")):
            expected = float(voltage.diff(symbol).subs(at))
            for derivative in (
                unitjac.grad(solved, unit_aware=True),
                unitjac.jacfwd(solved, unit_aware=True),
            ):
                found = derivative(p)[name].to_decimal(u.mV / u.uS)
                assert float(found) == pytest.approx(expected, rel=1e-12)


DERIVATIVES = {
    "inv": lambda A: inv(A)[0, 1],
    "det": det,
    "solve": lambda A: solve(A, {"a": 1.0 * u.nA, "b": 2.0 * u.nA})["b"],
    "symmetric": lambda A: solve(A, {"a": 1.0 * u.nA, "b": 2.0 * u.nA}, assume_symmetric=True)["b"],
    "cholesky": lambda A: cholesky(A)[1, 0],
    "lstsq": lambda A: lstsq(A, {"a": 1.0 * u.nA, "b": 2.0 * u.nA})["a"],
    "QR": lambda A: lstsq(A, {"a": 1.0 * u.nA, "b": 2.0 * u.nA}, assume_full_rank=True)["a"],
    "trace": trace,
}


def test_derivatives_agree_with_differences():
    def all_of(p):
        A = network(p)
        return {name: function(A) for name, function in DERIVATIVES.items()}

    check_jacobian(all_of, ({"g": 2.0 * u.uS, "c": 0.5 * u.uS},))


def test_derivative_of_least_squares_with_a_column_of_zeros():
    def fitted(k):
        A = UnitMatrix(
            jnp.array([[1.0, 0.0], [1.0, 0.0]]) * k, jnp.ones(2) * u.mV, [1.0, 1.0 * u.nA]
        )
        return lstsq(A, jnp.ones(2) * u.mV)[0]

    with jax.enable_x64(True):
        assert float(jax.grad(fitted)(2.0)) == pytest.approx(-0.25)


def test_under_jit_and_vmap():
    b = {"a": 1.0 * u.nA, "b": 2.0 * u.nA}

    def everything(A):
        return {
            "solve": solve(A, b),
            "symmetric": solve(A, b, assume_symmetric=True),
            "inv": inv(A).array,
            "lstsq": lstsq(A, b),
            "QR": lstsq(A, b, assume_full_rank=True),
            "cholesky": cholesky(A).array,
            "det": det(A),
            "trace": trace(A),
        }

    one = network({"g": 2.0 * u.uS, "c": 0.5 * u.uS})
    batch = jax.vmap(lambda k: one * k)(jnp.array([1.0, 4.0]))
    found = jax.jit(jax.vmap(everything))(batch)
    for k, factor in enumerate((1.0, 4.0)):
        expected = jax.tree.leaves(everything(one * factor))
        for mine, theirs in zip(jax.tree.leaves(found), expected, strict=True):
            assert_numbers(mine[k], theirs, 1e-5)


def test_lineax_gives_the_same():
    lineax = pytest.importorskip("lineax")
    with jax.enable_x64(True):
        numbers, b = jnp.asarray(well_conditioned(3)), jnp.asarray(vector(3))
        side = Leaves(((2, 2), (), ()), (u.mV, u.nA, None))
        A = matrix(numbers, side, side)
        expected = lineax.linear_solve(lineax.MatrixLinearOperator(numbers), b).value
        assert_numbers(numbers_of_tree(solve(A, side.tree(b)), side), expected)
        tall = matrix(numbers[:, :2], side, Leaves(((2,),), (u.ms,)))
        weights = {"x0": jnp.ones((2, 2)) * u.mV**-2, "x1": 1.0 * u.nA**-2, "x2": 1.0}
        expected = lineax.linear_solve(
            lineax.MatrixLinearOperator(numbers[:, :2]), b, solver=lineax.QR()
        ).value
        for full_rank in (False, True):
            found = lstsq(tall, side.tree(b), weights, assume_full_rank=full_rank)
            assert_numbers(found["x0"].to_decimal(u.ms), expected)


# A fit, end to end


def test_parameters_of_a_decay_and_their_errors():
    """Gauss-Newton on exact data finds the parameters; their covariance has a closed form."""

    def decay(p):
        t = jnp.arange(6, dtype=float) * u.ms
        return p["V0"] * u.math.exp(-t / p["tau"])

    with jax.enable_x64(True):
        true = {"V0": q(10.0, u.mV), "tau": q(4.0, u.ms)}
        data, p = decay(true), {"V0": q(0.008, u.volt), "tau": q(5.0, u.ms)}
        jac = jacobian_matrix(decay, return_value=True, jit=True)
        for _ in range(8):
            J, value = jac(p)
            p = jax.tree.map(jnp.add, p, lstsq(J, data - value))
        assert float(p["V0"].to_decimal(u.mV)) == pytest.approx(10.0, rel=1e-12)
        assert float(p["tau"].to_decimal(u.ms)) == pytest.approx(4.0, rel=1e-12)
        J, _ = jac(true)
        cov = (0.1 * u.mV) ** 2 * inv(J.T @ J)
        decayed = np.exp(-np.arange(6.0) / 4)
        numbers = np.stack([decayed, 10 * np.arange(6.0) / 16 * decayed], axis=1)
        expected = 0.1 * np.sqrt(np.diagonal(np.linalg.inv(numbers.T @ numbers)))
        std = cov.std()
        assert std["V0"].unit.has_same_dim(u.mV)
        assert float(std["V0"].to_decimal(u.mV)) == pytest.approx(expected[0], rel=1e-12)
        assert float(std["tau"].to_decimal(u.ms)) == pytest.approx(expected[1], rel=1e-12)


def test_a_newton_step_of_a_hessian():
    def energy(p):
        return (
            0.5 * p["k"] * (p["x"] - 3.0 * u.mm) ** 2
            + 2.0 * u.parse_unit("J*m^2/N^2") * p["k"] ** 2
        )

    with jax.enable_x64(True):
        p = {"x": q(1.0, u.mm), "k": q(2.0, u.parse_unit("N/m"))}
        H = hessian_matrix(energy)(p)
        gradient = unitjac.grad(energy, unit_aware=True)(p)
        step = solve(H, gradient)
        again = H @ step
        for name in p:
            assert float(again[name] / gradient[name]) == pytest.approx(1.0)
            assert u.get_unit(step[name]).has_same_dim(p[name].unit)


# Edges


@pytest.mark.parametrize("symmetric", [False, True])
def test_no_equations(symmetric):
    empty = UnitMatrix(jnp.zeros((0, 0)), {}, {})
    assert solve(empty, {}, assume_symmetric=symmetric) == {}
    assert inv(empty).shape == (0, 0)
    assert float(det(empty)) == 1.0
    assert float(trace(empty)) == 0.0
    assert cholesky(empty).shape == (0, 0)
    without_columns = UnitMatrix(jnp.zeros((2, 0)), jnp.ones(2) * u.mV, {})
    assert lstsq(without_columns, jnp.ones(2) * u.mV) == {}
    assert lstsq(without_columns, jnp.ones(2) * u.mV, assume_full_rank=True) == {}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits_are_factorized_in_32_and_rounded_once(dtype):
    numbers = jnp.asarray([[4.0, 1.0], [1.0, 3.0]], dtype)
    tree = [q(1.0, u.mV, dtype), q(2.0, u.nA, dtype)]
    A = UnitMatrix(numbers, rows=tree, cols=tree)
    wide = UnitMatrix(numbers.astype("float32"), rows=tree, cols=tree)
    weights = [q(1.0, u.mV**-2, dtype), q(1.0, u.nA**-2, dtype)]
    mirror = UnitMatrix(numbers, A.rows, A.rows.inverse())
    pairs = [
        (inv(A).dense, inv(wide).dense),
        (cholesky(mirror).dense, np.linalg.cholesky(np.asarray(wide.dense))),
        (det(A), 11.0),
        *zip(jax.tree.leaves(solve(A, tree)), [1 / 11, 7 / 11], strict=True),
        *zip(jax.tree.leaves(lstsq(A, tree, weights)), [1 / 11, 7 / 11], strict=True),
    ]
    for found, expected in pairs:
        assert found.dtype == dtype
        eps = float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(np.asarray(found, float), expected, eps / 2, 1e-6)
    values = eigvals(A)
    assert values.dtype == np.complex64
    np.testing.assert_allclose(np.sort(values.real), np.linalg.eigvalsh(wide.dense), 1e-6)


def test_of_two_mirrored_entries_the_mean_counts():
    tree = [q(1.0, u.mV), q(2.0, u.nA)]
    rows = unitjac.linalg.Axis.of(tree)
    found, mean = (
        UnitMatrix(jnp.asarray([[2.0, off], [1.0 - off, 2.0]]), rows, rows.inverse())
        for off in (0.3, 0.5)
    )
    np.testing.assert_allclose(cholesky(found).dense, cholesky(mean).dense, 1e-6)
    by_symmetry = [
        jax.tree.leaves(solve(matrix, tree, assume_symmetric=True)) for matrix in (found, mean)
    ]
    np.testing.assert_allclose(*by_symmetry, 1e-6)


@pytest.mark.parametrize("function", [solve, inv, lstsq, det, cholesky, eigvals, eig])
def test_plain_arrays_are_refused(function):
    text = (
        rf"^{function.__name__} wants a UnitMatrix, got float32\[2,2\]\. Make one with jacobian_m"
    )
    with pytest.raises(TypeError, match=text):
        function(jnp.eye(2))


def test_complex_equations():
    Z = UnitMatrix(jnp.array([[1.0, 2.0j], [3.0, 1.0]]), [1.0 * u.mV, 1.0], [1.0 * u.nA, 1.0])
    x = [jnp.asarray(1.0 + 1.0j) * u.nA, jnp.asarray(2.0j)]
    weights = [1.0 * u.mV**-2, 1.0]
    by_qr = lstsq(Z, Z @ x, weights, assume_full_rank=True)
    assert complex(by_qr[0].to_decimal(u.nA)) == pytest.approx(1 + 1j, rel=1e-5)
    found = solve(Z, Z @ x)
    assert complex(found[0].to_decimal(u.nA)) == pytest.approx(1 + 1j, rel=1e-5)
    assert complex(found[1]) == pytest.approx(2j, rel=1e-5)
    assert complex(det(Z).to_decimal(u.mV / u.nA)) == pytest.approx(1 - 6j, rel=1e-5)


def test_a_singular_matrix_gives_no_number():
    side = [1.0 * u.mV, 1.0 * u.nA]
    found = solve(UnitMatrix(jnp.ones((2, 2)), side, side), side)
    assert not np.any(np.isfinite(np.asarray([leaf.mantissa for leaf in found])))


def test_dependent_columns_share_by_their_lengths():
    """Of all x with 1 x_0 + 100 x_1 = 2 mV that is least in which both parts are 1 mV."""
    A = UnitMatrix(jnp.array([[1.0, 100.0]]), 1.0 * u.mV, [1.0 * u.ms, 1.0 * u.nA])
    x = lstsq(A, 2.0 * u.mV)
    assert float(x[0].to_decimal(u.ms)) == pytest.approx(1.0, rel=1e-5)
    assert float(x[1].to_decimal(u.nA)) == pytest.approx(0.01, rel=1e-5)


def test_small_singular_values_are_cut_off_where_asked():
    A = UnitMatrix(jnp.array([[1.0, 1.0], [0.0, 1e-3]]), [1.0 * u.mV] * 2, [1.0 * u.ms] * 2)
    b = [1.0 * u.mV, 1.0 * u.mV]
    assert float(lstsq(A, b)[1].to_decimal(u.ms)) == pytest.approx(1000.0, rel=1e-3)
    assert float(lstsq(A, b, rcond=0.01)[1].to_decimal(u.ms)) == pytest.approx(0.5, rel=1e-2)


def test_what_is_not_square():
    J = UnitMatrix(jnp.ones((1, 2)), 1.0 * u.mV, jnp.ones(2) * u.nA)
    text = (
        r" wants a square matrix, got 1 rows and 2 columns\. For the x that makes .* lstsq\(A, b\)"
    )
    for name, operation in {
        "solve": lambda: solve(J, 1.0),
        "inv": lambda: inv(J),
        "det": lambda: det(J),
    }.items():
        with pytest.raises(ValueError, match=name + text):
            operation()
    with pytest.raises(ValueError, match=r"^trace: the matrix's columns and its rows have one "):
        trace(J)
    with pytest.raises(ValueError, match=r"^a symmetric matrix's rows and its columns have on"):
        cholesky(J)


def test_right_sides_that_do_not_fit():
    A = matrix(NUMBERS, ROWS, COLS)
    with pytest.raises(ValueError, match=r"the right side must have the tree"):
        solve(A, [1.0, 2.0])
    with pytest.raises(
        ValueError, match=r"the right side, leaf x1, is in mV, but must be in nA or"
    ):
        solve(A, {"x0": jnp.ones(2) * u.mV, "x1": 1.0 * u.mV})
    with pytest.raises(
        ValueError, match=r"the matrix's rows and the right side's rows have one shape for each"
    ):
        solve(A, matrix(NUMBERS, COLS, ROWS))
    text = r"the right side's rows are in mV, mV, but must be in mV, nA, times one common unit"
    with pytest.raises(ValueError, match=text):
        solve(A, matrix(NUMBERS, Leaves(ROWS.shapes, (u.mV, u.mV)), COLS))


def test_units_that_do_not_mirror():
    A = matrix(np.eye(3), ROWS, Leaves(ROWS.shapes, (u.mV**-1, None)))
    text = (
        r"the units do not mirror: block \(x0, x1\) is in mV, block \(x1, x0\) is in .*\. A "
        r"symmetric matrix \(a covariance, a Hessian\) has the same unit in both\."
    )
    for operation in (
        lambda: cholesky(A),
        lambda: solve(A, ROWS.tree(), assume_symmetric=True),
        A.std,
        A.correlation,
    ):
        with pytest.raises(ValueError, match=text):
            operation()


def test_a_diagonal_that_cannot_be_added():
    text = (
        r"trace is defined where row unit over column unit is one and the same for all leaves: it "
        r"is mV/ms for 'V' and nA for 'w'\. For a plain matrix write A\.scaled\(rows=typical_outp"
    )
    with pytest.raises(ValueError, match=text):
        trace(
            UnitMatrix(
                jnp.eye(2),
                {"V": 1.0 * u.mV / u.ms, "w": 1.0 * u.nA},
                {"V": 1.0, "w": 1.0},
            )
        )


def test_rows_of_several_dimensions_want_weights():
    A = matrix(NUMBERS, ROWS, COLS)
    text = (
        r"the rows have several dimensions \('x0' is in mV, 'x1' in nA\), so that their squares "
        r"cannot be added\. Pass weights, a tree in 1 / row unit squared"
    )
    with pytest.raises(ValueError, match=text):
        lstsq(A, ROWS.tree())
    with pytest.raises(ValueError, match=r"the weights, leaf x1, is in 1/nA, but must be in 1/nA"):
        lstsq(A, ROWS.tree(), {"x0": jnp.ones(2) * u.mV**-2, "x1": 1.0 * u.nA**-1})


def test_full_rank_that_cannot_be():
    wide = UnitMatrix(jnp.ones((1, 2)), 1.0 * u.mV, jnp.ones(2) * u.nA)
    with pytest.raises(
        ValueError, match=r"the columns of a matrix of 1 rows and 2 columns are dep"
    ):
        lstsq(wide, 1.0 * u.mV, assume_full_rank=True)
    with pytest.raises(
        ValueError, match=r"rcond is 0\.1, but with assume_full_rank=True no singul"
    ):
        lstsq(wide.T, [1.0, 1.0], rcond=0.1, assume_full_rank=True)


def test_of_a_covariance_that_is_not_positive():
    C = covariance([1.0 * u.mV, 1.0 * u.nA])
    bad = C - 2.0 * C
    assert np.all(np.isnan(np.asarray(cholesky(bad).array)))
