"""Operations of JAX, one by one: no entry that is not zero anywhere lies outside of the pattern.

Each is a function of six numbers. Many go into one program, so that they compile together.
"""

import jax
import jax.numpy as jnp
import jax.scipy as jsp
import numpy as np
import pytest
from jax import lax

from unitjac import sparse_jacobian

from .scenes import turned

POINTS = 5

# What a dense layer would know: weights, some of them zero.
WEIGHTS = np.asarray([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0], [1.0, 1.0, 0.0]], np.float32)


def table(x):
    return x.reshape(2, 3)


def square(x):
    """A matrix that can be inverted."""
    return jnp.outer(x[:3], x[3:]) + 4.0 * jnp.eye(3)


def definite(x):
    return table(x).T @ table(x) + 2.0 * jnp.eye(3)


def index(x):
    """A number from 0 to 5 that the input picks."""
    return jnp.clip(jnp.abs(x[0] * 3).astype(int), 0, 5)


def complex_of(x):
    return lax.complex(x[:3], x[3:])


def both(z):
    return jnp.concatenate([jnp.real(z).ravel(), jnp.imag(z).ravel()])


ELEMENTWISE = {
    "abs": jnp.abs,
    "sign": lambda x: jnp.sign(x) * x,
    "floor": lambda x: jnp.floor(x) + x,
    "round": lambda x: jnp.round(x) * x,
    "exp": jnp.exp,
    "exp2": jnp.exp2,
    "expm1": jnp.expm1,
    "log": lambda x: jnp.log(jnp.abs(x)),
    "log1p": lambda x: jnp.log1p(x**2),
    "sqrt": lambda x: jnp.sqrt(jnp.abs(x)),
    "rsqrt": lambda x: lax.rsqrt(jnp.abs(x)),
    "cbrt": jnp.cbrt,
    "power": lambda x: jnp.abs(x) ** jnp.roll(x, 1),
    "integer_pow": lambda x: x**3 + x**-2,
    "sin": lambda x: jnp.sin(x) * jnp.cos(jnp.roll(x, 1)),
    "tan": jnp.tan,
    "asin": lambda x: jnp.arcsin(jnp.tanh(x)),
    "acos": lambda x: jnp.arccos(jnp.tanh(x)),
    "atan2": lambda x: jnp.arctan2(x, jnp.roll(x, 2)),
    "sinh": lambda x: jnp.sinh(x) + jnp.cosh(jnp.roll(x, 1)),
    "asinh": lambda x: jnp.arcsinh(x) * jnp.arctanh(jnp.tanh(x) / 2),
    "acosh": lambda x: jnp.arccosh(1.5 + x**2),
    "logistic": jax.nn.sigmoid,
    "erf": lambda x: lax.erf(x) + lax.erfc(jnp.roll(x, 1)),
    "erf_inv": lambda x: lax.erf_inv(jnp.tanh(x)),
    "lgamma": lambda x: lax.lgamma(jnp.abs(x) + 1),
    "digamma": lambda x: lax.digamma(jnp.abs(x) + 1),
    "bessel": lambda x: lax.bessel_i0e(x) + lax.bessel_i1e(jnp.roll(x, 1)),
    "maximum": lambda x: jnp.maximum(x, jnp.roll(x, 1)),
    "minimum": lambda x: jnp.minimum(x, 0.3),
    "clamp": lambda x: lax.clamp(-0.5, x, 0.5),
    "clip": lambda x: jnp.clip(x, jnp.roll(x, 1), jnp.roll(x, 2)),
    "remainder": lambda x: x % jnp.abs(jnp.roll(x, 1)),
    "hypot": lambda x: jnp.hypot(x, jnp.roll(x, 3)),
    "logaddexp": lambda x: jnp.logaddexp(x, jnp.roll(x, 1)),
    "heaviside": lambda x: jnp.heaviside(x, 0.5) * x,
    "nan_to_num": jnp.nan_to_num,
    "sinc": jnp.sinc,
    "polyval": lambda x: jnp.polyval(x[:3], x),
    "where": lambda x: jnp.where(x > 0.2, jnp.roll(x, 1), jnp.roll(x, 2)),
    "piecewise": lambda x: jnp.piecewise(x, [x < 0, x > 1], [lambda y: -y, lambda y: y**2, 0.0]),
    "select": lambda x: jnp.select([x > 1, x > 0], [x, jnp.roll(x, 1)], jnp.roll(x, 2)),
    "half": lambda x: x.astype(jnp.bfloat16).astype(jnp.float32) * jnp.roll(x, 1),
    "reduce_precision": lambda x: lax.reduce_precision(x, 8, 10),
    "mask": lambda x: x * jnp.asarray([1.0, 0.0, 1.0, 0.0, 1.0, 0.0]),
    "cut off": lambda x: jnp.where(jnp.arange(6) < 3, x, 1.0),
}

MOVED = {
    "reshape": lambda x: table(x).T.ravel(),
    "flip": jnp.flip,
    "roll": lambda x: jnp.roll(x, index(x)),
    "tile": lambda x: jnp.tile(x[:2], 3),
    "repeat": lambda x: jnp.repeat(x[:3], 2),
    "pad": lambda x: jnp.pad(x, 1, mode="reflect"),
    "lax.pad": lambda x: lax.pad(x, x[0], [(1, -2, 1)]),
    "concatenate": lambda x: jnp.concatenate([x[3:], x[:2]]),
    "stack": lambda x: jnp.stack([x[:3], x[3:]], axis=1),
    "split": lambda x: jnp.split(x, 3)[1] * jnp.split(x, 3)[0],
    "diagonal": lambda x: jnp.diag(x[:3]) + jnp.diagonal(square(x))[None],
    "triu": lambda x: jnp.triu(jnp.outer(x, x)),
    "take": lambda x: jnp.take(x, jnp.asarray([4, 0, 9]), mode="fill", fill_value=0),
    "taken": lambda x: x[jnp.asarray([index(x), 1])],
    "along": lambda x: jnp.take_along_axis(table(x), jnp.argsort(table(x), axis=1), axis=1),
    "row": lambda x: table(x)[index(x) % 2],
    "wrapped": lambda x: x[jnp.asarray([-1, 0])],
    "slice": lambda x: lax.dynamic_slice(x, (index(x),), (2,)),
    "fixed slice": lambda x: lax.dynamic_slice(x, (jnp.asarray(2),), (2,)),
    "slice of a table": lambda x: lax.dynamic_slice(table(x), (1, index(x)), (1, 2)),
    "update": lambda x: lax.dynamic_update_slice(x, x[:2] ** 2, (index(x),)),
    "fixed update": lambda x: lax.dynamic_update_slice(x, x[:2] ** 2, (3,)),
    "set": lambda x: x.at[index(x)].set(x[5]),
    "fixed set": lambda x: x.at[jnp.asarray([0, 2])].set(x[3:5]),
    "add": lambda x: jnp.zeros(8).at[jnp.asarray([0, 2, 4, 6, 1, 3])].add(x**2),
    "added": lambda x: jnp.zeros(4).at[index(x)].add(x[1] * x[2]),
    "multiply": lambda x: x.at[jnp.asarray([1, 3])].multiply(x[:2], unique_indices=True),
    "largest at": lambda x: jnp.zeros(3).at[jnp.asarray([0, 1, 0])].max(x[:3]),
    "segments": lambda x: jax.ops.segment_sum(x, jnp.asarray([0, 1, 0, 2, 1, 1]), 3),
    "segments picked": lambda x: jax.ops.segment_sum(x, jnp.arange(6) * index(x) % 3, 3),
    "sort": jnp.sort,
    "sorted rows": lambda x: jnp.sort(table(x), axis=1),
    "argsort": lambda x: x[jnp.argsort(jnp.roll(x, 1))],
    "sort two": lambda x: lax.sort((x, jnp.roll(x, 1)), num_keys=1)[1],
    "top_k": lambda x: lax.top_k(x, 2)[0],
    "median": jnp.median,
    "quantile": lambda x: jnp.quantile(x, 0.3),
    "unique": lambda x: jnp.unique(x, size=4, fill_value=0.0),
    "searchsorted": lambda x: x[jnp.clip(jnp.searchsorted(jnp.arange(6.0), x[0]), 0, 5)],
    "interpolated": lambda x: jnp.interp(jnp.asarray([0.5, 2.5]), jnp.arange(6.0), x),
    "looked up": lambda x: jnp.interp(x, jnp.arange(6.0), jnp.arange(6.0) ** 2),
    "map_coordinates": lambda x: jsp.ndimage.map_coordinates(table(x), [x[:2], x[2:4]], order=1),
    "compress": lambda x: jnp.extract(x > 0, x, size=3, fill_value=0.0),
    "one hot": lambda x: jax.nn.one_hot(index(x), 6) * x,
}

REDUCED = {
    "sum": lambda x: jnp.sum(table(x), axis=0),
    "mean": jnp.mean,
    "prod": lambda x: jnp.prod(table(x), axis=1),
    "max": lambda x: jnp.max(table(x), axis=1),
    "min": jnp.min,
    "argmax": lambda x: x[jnp.argmax(x)] * jnp.ones(3),
    "any": lambda x: jnp.where(jnp.any(x > 1), x, 2 * jnp.flip(x)),
    "var": lambda x: jnp.var(table(x), axis=0),
    "std": jnp.std,
    "norm": lambda x: x / jnp.linalg.norm(x),
    "logsumexp": lambda x: jax.nn.logsumexp(table(x), axis=1),
    "softmax": lambda x: jax.nn.softmax(table(x)),
    "cumsum": jnp.cumsum,
    "cumsum back": lambda x: lax.cumsum(x, reverse=True),
    "cumprod": jnp.cumprod,
    "cummax": lax.cummax,
    "cummin": lax.cummin,
    "cumlogsumexp": lax.cumlogsumexp,
    "associative_scan": lambda x: lax.associative_scan(jnp.multiply, x),
    "diff": jnp.diff,
    "window sum": lambda x: lax.reduce_window(x, 0.0, lax.add, (3,), (1,), "SAME"),
    "window max": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2,), (2,), "VALID"),
    "window max of a gradient": lambda x: jax.grad(
        lambda y: jnp.sum(lax.reduce_window(y**2, -jnp.inf, lax.max, (2,), (2,), "VALID") ** 2)
    )(x),
    "histogram": lambda x: jnp.histogram(x, bins=3, weights=x**2)[0],
    "trapezoid": jnp.trapezoid,
    "gradient": lambda x: jax.grad(lambda y: jnp.sum(y**2 * jnp.roll(y, 1)))(x),
    "relu": jax.nn.relu,
    "gelu": jax.nn.gelu,
    "elu": lambda x: jax.nn.elu(x) + jax.nn.celu(jnp.roll(x, 1)),
    "selu": lambda x: jax.nn.selu(x) * jax.nn.swish(jnp.roll(x, 1)),
    "softplus": jax.nn.softplus,
    "glu": lambda x: jax.nn.glu(x),
    "standardize": lambda x: jax.nn.standardize(table(x)),
    "dropped": lambda x: x * (jax.random.uniform(jax.random.key(0), (6,)) > 0.5).astype(x.dtype),
}

PRODUCTS = {
    "matmul": lambda x: table(x) @ table(x).T,
    "weights": lambda x: table(x) @ WEIGHTS,
    "weights before": lambda x: WEIGHTS @ table(x).T,
    "batched": lambda x: jnp.einsum("bij,bjk->bik", x[:4].reshape(2, 2, 1), x[2:].reshape(2, 1, 2)),
    "einsum": lambda x: jnp.einsum("ij,kj->ki", table(x), WEIGHTS),
    "outer": lambda x: jnp.outer(x, x),
    "kron": lambda x: jnp.kron(x[:2], x[2:]),
    "tensordot": lambda x: jnp.tensordot(table(x), table(x), axes=((1,), (1,))),
    "cross": lambda x: jnp.cross(x[:3], x[3:]),
    "convolve": lambda x: jnp.convolve(x, jnp.asarray([1.0, 0.0, 1.0]), mode="same"),
    "convolved": lambda x: jnp.convolve(x[:4], x[4:]),
    "image": lambda x: lax.conv(table(x)[None, None], x[:2].reshape(1, 1, 1, 2), (1, 1), "SAME"),
    "fft": lambda x: both(jnp.fft.fft(x)),
    "rfft": lambda x: both(jnp.fft.rfft(table(x))),
    "irfft": lambda x: jnp.fft.irfft(complex_of(x)),
    "filtered": lambda x: jnp.real(jnp.fft.ifft(jnp.fft.fft(x) * 2)),
    "fft2": lambda x: both(jnp.fft.fft2(table(x))),
    "complex": lambda x: both(complex_of(x) * (2.0 + 1j) + jnp.conj(complex_of(x))),
    "angle": lambda x: jnp.angle(complex_of(x)) + jnp.abs(complex_of(x)),
    "phase": lambda x: both(jnp.exp(turned(0.0 * x, x))),
    "complex product": lambda x: both(
        jnp.outer(complex_of(x), complex_of(x)) @ turned(0.0 * WEIGHTS, WEIGHTS)
    ),
}

ALGEBRA = {
    "solve": lambda x: jnp.linalg.solve(square(x), x[:3]),
    "solve fixed": lambda x: jnp.linalg.solve(jnp.eye(6) * 3.0, x),
    "inv": lambda x: jnp.linalg.inv(square(x)),
    "det": lambda x: jnp.linalg.det(square(x)),
    "slogdet": lambda x: jnp.linalg.slogdet(square(x))[1],
    "cholesky": lambda x: jnp.linalg.cholesky(definite(x)),
    "cho_solve": lambda x: jsp.linalg.cho_solve((jnp.linalg.cholesky(definite(x)), True), x[:3]),
    "triangular": lambda x: jsp.linalg.solve_triangular(definite(x), x[:3], lower=True),
    "triangular batch": lambda x: lax.linalg.triangular_solve(
        jnp.broadcast_to(jnp.eye(3) + jnp.tri(3, k=-1), (2, 3, 3)), table(x)[..., None],
        left_side=True, lower=True,
    ),
    "tridiagonal": lambda x: lax.linalg.tridiagonal_solve(
        jnp.zeros(6).at[1:].set(x[1:]), 4 + x, jnp.zeros(6).at[:-1].set(x[:-1]), x[:, None]
    ),
    "qr": lambda x: jnp.linalg.qr(square(x))[1],
    "lu": lambda x: jsp.linalg.lu(square(x))[2],
    "eigh": lambda x: jnp.linalg.eigh(definite(x))[0],
    "svd": lambda x: jnp.linalg.svd(square(x), compute_uv=False),
    "pinv": lambda x: jnp.linalg.pinv(square(x)),
    "lstsq": lambda x: jnp.linalg.lstsq(square(x), x[:3])[0],
    "expm": lambda x: jsp.linalg.expm(table(x).T @ table(x) / 8),
    "matrix_power": lambda x: jnp.linalg.matrix_power(square(x), 3),
    "cg": lambda x: jsp.sparse.linalg.cg(lambda v: definite(x) @ v, x[:3], maxiter=5)[0],
}  # fmt: skip


def loop_of(body, count=3):
    return lambda x: lax.fori_loop(0, count, body, x)


LOOPS = {
    "cond": lambda x: lax.cond(x[0] > 0, lambda y: y * y[1], jnp.flip, x),
    "cond of a constant": lambda x: lax.cond(jnp.asarray(True), lambda y: y, jnp.flip, x),
    "switch": lambda x: lax.switch(index(x), [jnp.flip, jnp.sin, lambda y: 0 * y], x),
    "nested": lambda x: lax.cond(
        x[0] > 0, lambda y: lax.cond(y[1] > 0, jnp.flip, jnp.cumsum, y), lambda y: y, x
    ),
    "cond of a part": lambda x: lax.cond(x[0] > 0, lambda: (x[1], 1.0), lambda: (0.0, x[2]))[1],
    "fori": loop_of(lambda _, x: x.at[1:].add(jnp.sin(x[:-1]))),
    "counted": loop_of(lambda k, x: x.at[k].multiply(x[k + 1])),
    "fori without end": lambda x: lax.fori_loop(0, index(x), lambda _, y: jnp.roll(y, 1), x),
    "while": lambda x: lax.while_loop(
        lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.roll(s[1], 1) * s[1]), (0, x)
    )[1],
    "until": lambda x: lax.while_loop(
        lambda y: jnp.sum(y) < 4, lambda y: jnp.roll(y, 1) + jnp.abs(y), x
    ),
    "until counted": lambda x: lax.while_loop(
        lambda s: s[1] < jnp.abs(x[5]), lambda s: (s[0].at[s[2]].add(x[0]), s[1] + 0.4, s[2] + 1),
        (x, 0.0, 1),
    )[0],
    "scan": lambda x: lax.scan(lambda c, y: (c * y, c + y), x[0], x)[1],
    "scan back": lambda x: lax.scan(lambda c, y: (c + y**2, c), 0.0, x, reverse=True)[1],
    "scan of tables": lambda x: lax.scan(
        lambda c, y: (c @ y, c), jnp.eye(2), x[:4].reshape(1, 2, 2)
    )[0],
    "scan that counts": lambda x: lax.scan(
        lambda c, y: ((c[0] + 1, y * c[0]), c[1]), (0, x[0]), x
    )[1],
    "scan that chooses": lambda x: lax.scan(
        lambda c, y: (lax.cond(c > 1, lambda: c - 1, lambda: c + y), c * 2), x[0], x
    )[1],
    "scan of scans": lambda x: lax.scan(
        lambda c, row: lax.scan(lambda d, y: (d * y, d), c, row), 1.0, table(x)
    )[1],
    "map": lambda x: lax.map(lambda y: y**2, x),
    "checkpoint": jax.checkpoint(lambda x: jnp.cumsum(jnp.exp(x))),
    "jit": jax.jit(lambda x: jax.jit(lambda y: jnp.where(y > 0, y, jnp.flip(y)))(x) * 2),
    "vmap": jax.vmap(lambda y: lax.cond(y > 0, jnp.sin, jnp.cos, y)),
    "barrier": lambda x: lax.optimization_barrier((x, jnp.flip(x)))[0],
    "printed": lambda x: (jax.debug.callback(lambda y: None, x), x**2)[1],
    "custom_root": lambda x: lax.custom_root(
        lambda y: y**3 + y - x, jnp.zeros_like(x),
        lambda f, y: lax.fori_loop(0, 20, lambda _, z: z - f(z) / (3 * z**2 + 1), y),
        lambda g, y: y / g(jnp.ones_like(y)),
    ),
    "iterated": lambda x: lax.fori_loop(0, 3, lambda _, s: jnp.where(s > 0, jnp.roll(s, 1), s), x),
}  # fmt: skip

TABLES = {
    "elementwise": ELEMENTWISE,
    "moved": MOVED,
    "reduced": REDUCED,
    "products": PRODUCTS,
    "algebra": ALGEBRA,
    "loops": LOOPS,
}


def test_the_tables_are_long():
    assert sum(map(len, TABLES.values())) >= 160


@pytest.mark.parametrize("kind", TABLES)
def test_no_entry_is_lacking_anywhere(kind, rng):
    names, functions = zip(*TABLES[kind].items(), strict=True)

    def every(x):
        return [jnp.ravel(function(x)) for function in functions]

    jac = sparse_jacobian(every, jax.ShapeDtypeStruct((6,), jnp.float32))
    found = jac.pattern.todense()
    scales = np.asarray([0.3, 1.0, 1.0, 2.0, 3.0])[:, None]
    points = jnp.asarray(rng.normal(size=(POINTS, 6)) * scales, jnp.float32)
    slopes = jax.jit(lambda points: lax.map(jax.jacfwd(every), points))(points)
    start, lacking = 0, []
    for name, slope in zip(names, slopes, strict=True):
        slope = np.asarray(slope)
        mine = found[start : start + slope.shape[1]]
        start += slope.shape[1]
        there = (slope != 0) & np.isfinite(slope)
        if np.any(there.any(0) & ~mine):
            lacking.append(name)
    assert not lacking
