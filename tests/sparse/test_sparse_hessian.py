"""A sparse Hessian is the dense one, with output unit over input unit over input unit."""

import brainunit as u
import jax
import numpy as np
import pytest
import scipy.sparse
from helpers import Counter, both_precisions, q

import unitjac
from unitjac import sparse_hessian
from unitjac.linalg import hessian_matrix
from unitjac.sparse import banded, load

from .scenes import ramp, turned

K = 3.0 * u.newton / u.metre


def springs(x):
    """The energy of a chain."""
    return (0.5 * K * u.math.sum((x[1:] - x[:-1]) ** 2)).in_unit(u.joule)


def second_differences(n: int) -> np.ndarray:
    """The Hessian of the chain, in N/m."""
    inner = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    inner[[0, -1], [0, -1]] = 1
    return 3 * inner


@both_precisions
@pytest.mark.parametrize(("n", "jit"), [(3, False), (70, True)], ids=["eager", "compiled"])
def test_closed_form(n: int, jit: bool, x64: bool) -> None:
    with jax.enable_x64(x64):
        x = q(ramp(n), u.metre)
        hess = sparse_hessian(springs, x, pattern=banded(n, 1, 1), jit=jit)
        H = hess(x)
        assert hess.passes == 3
        assert H.dtype == (np.float64 if x64 else np.float32)
        block = H.blocks()
        tolerance = 1e-12 if x64 else 1e-5
        np.testing.assert_allclose(
            block.to_decimal(u.newton / u.metre), second_differences(n), tolerance, tolerance
        )


def charged(p):
    """The energy of capacitors in a row, and of what couples neighbours."""
    V, C = p["V"], p["C"]
    own = 0.5 * u.math.sum(C * V**2)
    between = q(0.1, u.nF) * u.math.sum(V[1:] * V[:-1])
    return (own + between).in_unit(u.pjoule)


def charged_pattern(n: int) -> dict:
    eye = banded(n, 0, 0)
    return {"C": {"C": None, "V": eye}, "V": {"C": eye, "V": banded(n, 1, 1)}}


@pytest.mark.parametrize(("n", "jit"), [(4, False), (4, True), (66, True)])
def test_equals_the_dense_one(n: int, jit: bool) -> None:
    p = {"V": q(ramp(n), u.mV), "C": q(ramp(n, 1.0), u.nF)}
    H = sparse_hessian(charged, p, pattern=charged_pattern(n), jit=jit, check=n == 4)(p)
    dense = hessian_matrix(charged, jit=True)(p)
    assert (H.rows, H.cols) == (dense.rows, dense.cols)
    np.testing.assert_allclose(H.dense, dense.dense, 1e-5, 1e-12)
    np.testing.assert_allclose(H.dense, H.dense.T, 1e-6)


@pytest.mark.parametrize("chunk_size", [None, 1, 3, "auto"])
def test_in_chunks_and_under_jit(chunk_size) -> None:
    p = {"V": q(ramp(66), u.mV), "C": q(ramp(66, 1.0), u.nF)}
    hess = sparse_hessian(charged, p, pattern=charged_pattern(66), chunk_size=chunk_size)
    dense = hessian_matrix(charged, jit=True)(p)
    np.testing.assert_allclose(jax.jit(hess)(p).dense, dense.dense, 1e-5, 1e-12)


def test_invariance():
    p = {"V": q(ramp(5), u.mV), "C": q(ramp(5, 1.0), u.nF)}
    other = {"V": p["V"].in_unit(u.volt), "C": p["C"].in_unit(u.uF)}
    hess = sparse_hessian(charged, p, pattern=charged_pattern(5))
    H, again = hess(p), hess(other)
    assert again.cols.units != H.cols.units
    np.testing.assert_allclose(again.to(rows=H.rows, cols=H.cols).dense, H.dense, 1e-5)


def test_value_aux_and_states():
    k = unitjac.State(K, name="k")

    def energy(x):
        return 0.5 * k.value * u.math.sum(x**2), "harmonic"

    x = q(ramp(3), u.metre)
    pattern = np.eye(4, dtype=bool)
    pattern[0, 1:] = pattern[1:, 0] = True
    hess = sparse_hessian(
        energy, x, grad_states=k, argnums=0, pattern=pattern, has_aux=True, return_value=True
    )
    H, value, aux = hess(x)
    dense = hessian_matrix(energy, grad_states=k, argnums=0, has_aux=True)(x)[0]
    np.testing.assert_allclose(H.dense, dense.dense, 1e-6)
    assert value.unit.has_same_dim(u.joule)
    assert aux == "harmonic"


def test_the_function_is_called_once():
    fun = Counter(springs)
    x = q(ramp(5), u.metre)
    hess = sparse_hessian(fun, x, pattern=banded(5, 1, 1))
    fun.calls = 0
    hess(x)
    assert fun.calls == 1


def test_describe(capsys):
    x = q(ramp(5), u.metre)
    sparse_hessian(springs, x, pattern=banded(5, 1, 1)).describe(x)
    text = capsys.readouterr().out
    assert text.startswith("sparse_hessian of springs\n  mode     forward")
    assert "argument 0  argument 0  (5, 5)" in text


def test_no_entries():
    x = q(ramp(3), u.metre)
    H = sparse_hessian(lambda x: u.math.sum(x), x, pattern=np.zeros((3, 3), bool))(x)
    assert (H.array.nse, H.shape) == (0, (3, 3))


@jax.custom_vjp
def _square(x):
    return x**2


_square.defvjp(lambda x: (_square(x), x), lambda x, g: (2 * g * x,))


@jax.custom_vjp
def _stiff(x):
    return jax.numpy.sum(x**3)


_stiff.defvjp(lambda x: (_stiff(x), x), lambda x, g: (3 * g * _square(x),))


def stiff(x):
    """An energy of which only the pullback is known."""
    return _stiff(x.to_decimal(u.metre)) * u.joule


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
def test_reverse_over_reverse_where_only_the_pullback_is_known(tmp_path, jit, capsys):
    x = q(ramp(4), u.metre)
    hess = sparse_hessian(stiff, x, pattern=banded(4, 0, 0), mode="rev-over-rev", jit=jit)
    hess.check(x)
    hess.save(tmp_path / "plan.npz")
    for plan in (hess, load(tmp_path / "plan.npz", stiff)):
        found = plan(x)[:, :].dense
        np.testing.assert_allclose(found, np.diag(6 * ramp(4)), 1e-6)
    hess.describe(x)
    assert "mode     reverse over reverse" in capsys.readouterr().out


def test_modes_agree():
    p = {"V": q(ramp(5), u.mV), "C": q(ramp(5, 1.0), u.nF)}
    by_mode = [
        sparse_hessian(charged, p, pattern=charged_pattern(5), mode=mode)(p)
        for mode in ("fwd-over-rev", "rev-over-rev")
    ]
    assert by_mode[0].rows == by_mode[1].rows
    np.testing.assert_allclose(by_mode[0].dense, by_mode[1].dense, 1e-5, 1e-12)


@both_precisions
@pytest.mark.parametrize("mode", ["fwd-over-rev", "rev-over-rev"])
def test_holomorphic(mode, x64):
    """d2 (sum z_i^3 + z_i z_{i+1}) by z and z, without a conjugate."""
    with jax.enable_x64(x64):
        z = u.Quantity(turned(ramp(4), ramp(4, 1.0)), unit=u.mV)

        def energy(z):
            return u.math.sum(z**3) + u.math.sum(z[1:] * z[:-1]) * u.mV

        H = sparse_hessian(energy, z, holomorphic=True, mode=mode, check=True)(z)
        expected = np.diag(6 * np.asarray(z.mantissa)) + np.eye(4, k=1) + np.eye(4, k=-1)
        assert H.array.nse == 10
        np.testing.assert_allclose(H.dense, expected, 1e-12 if x64 else 1e-5)


# What is refused


def test_mode_is_one_of_two():
    with pytest.raises(ValueError, match=r"^mode must be one of fwd-over-rev, rev-over-rev, got"):
        sparse_hessian(springs, q(ramp(3), u.metre), pattern=banded(3, 1, 1), mode="fwd")


def test_forward_mode_of_a_pullback_says_what_works():
    x = q(ramp(4), u.metre)
    hess = sparse_hessian(stiff, x, pattern=banded(4, 0, 0))
    for transform in (hess, unitjac.hessian(stiff)):
        with pytest.raises(TypeError, match=r'custom_vjp.* Type mode="rev-over-rev": it'):
            transform(x)


def test_a_pattern_that_is_not_symmetric():
    text = (
        r"the pattern of a Hessian is symmetric, but entry \(argument 0\[0\], argument 0\[1\]\) is "
        r"in it and \(argument 0\[1\], argument 0\[0\]\) is not"
    )
    x = q(ramp(5), u.metre)
    with pytest.raises(ValueError, match=text):
        sparse_hessian(springs, x, pattern=banded(5, 0, 1))
    half = scipy.sparse.csr_array(banded(5, 0, 1).todense().astype(float))
    assert sparse_hessian(springs, x, pattern=half + half.T).passes == 3


def test_more_than_one_scalar():
    text = r"a sparse Hessian wants one scalar output, got float32\[3\]"
    with pytest.raises(TypeError, match=text):
        sparse_hessian(lambda x: x**2, ramp(3), pattern=banded(3, 0, 0))


# Detected


def test_detected():
    p = {"V": q(ramp(6), u.mV), "C": q(ramp(6, 1.0), u.nF)}
    by_detection = sparse_hessian(charged, p, check=True)
    by_hand = sparse_hessian(charged, p, pattern=charged_pattern(6))
    np.testing.assert_array_equal(by_detection.pattern.todense(), by_hand.pattern.todense())
