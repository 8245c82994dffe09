"""Random equations of the kinds that models make, and the judge of their solutions.

The judge knows no tolerance of its own: the componentwise backward error (Oettli and Prager 1964)
says by what part of themselves the entries of A and b have to be changed for x to be exact.
"""

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator


def cascade(rng: Rng, n: int) -> np.ndarray:
    """Lower triangular, every step coupled weakly to those before."""
    return np.eye(n) + np.tril(spread(rng, (n, n), -6, -1), -1)


def near_the_identity(rng: Rng, n: int) -> np.ndarray:
    """The identity and noise of rounding."""
    return np.eye(n) + rng.normal(size=(n, n)) * 10.0 ** rng.integers(-17, -4)


def dense(rng: Rng, n: int) -> np.ndarray:
    return rng.normal(size=(n, n))


def graded(rng: Rng, n: int) -> np.ndarray:
    """Entries of all sizes."""
    return signs(rng, (n, n)) * spread(rng, (n, n), -8, 0)


def arrow(rng: Rng, n: int) -> np.ndarray:
    """A diagonal with one full row and one full column, as of a shared parameter."""
    matrix = np.diag(spread(rng, n, -3, 3))
    matrix[0], matrix[:, 0] = spread(rng, n, -4, 2), spread(rng, n, -4, 2)
    return matrix


def kinetic(rng: Rng, n: int) -> np.ndarray:
    """Rates between states of a channel, one row of which says that the occupancies add to one."""
    rates = spread(rng, (n, n), -6, 3) * (rng.random((n, n)) < 0.5)
    rates += np.diag(spread(rng, n - 1, -3, 3), 1) + np.diag(spread(rng, n - 1, -3, 3), -1)
    np.fill_diagonal(rates, 0.0)
    np.fill_diagonal(rates, -rates.sum(axis=0))
    rates[-1] = 1.0
    return rates


def saddle(rng: Rng, n: int) -> np.ndarray:
    """A minimum under constraints: a block of the diagonal is zero."""
    k = n // 3
    root = rng.normal(size=(n - k, n - k)) * spread(rng, n - k, -4, 0)
    constraints = rng.normal(size=(k, n - k))
    return np.block([[root @ root.T, constraints.T], [constraints, np.zeros((k, k))]])


def cable(rng: Rng, n: int) -> np.ndarray:
    """Compartments in a row, each with a leak to the outside."""
    axial, leak = spread(rng, n - 1, -2, 3), spread(rng, n, -2, 0)
    between = np.diag(axial, 1) + np.diag(axial, -1)
    return np.diag(leak + between.sum(axis=1)) - between


def membrane(rng: Rng, n: int) -> np.ndarray:
    """A voltage with its gates: fast and slow, each coupled to the voltage alone."""
    matrix = -np.diag(spread(rng, n, -3, 3))
    matrix[0, 1:], matrix[1:, 0] = spread(rng, n - 1, -1, 3), spread(rng, n - 1, -5, -1)
    return np.eye(n) - 10.0 ** rng.integers(-4, 2) * matrix


def scattered(rng: Rng, n: int) -> np.ndarray:
    """Few entries of all sizes beside a permutation."""
    some = rng.random((n, n)) < 0.3
    few = np.where(some, signs(rng, (n, n)) * spread(rng, (n, n), -4, 0), 0.0)
    few[rng.permutation(n), np.arange(n)] += spread(rng, n, -2, 2)
    return few


KINDS: tuple[Callable[[Rng, int], np.ndarray], ...] = (
    cascade,
    near_the_identity,
    dense,
    graded,
    arrow,
    kinetic,
    saddle,
    cable,
    membrane,
    scattered,
)


def systems(rng: Rng, n: int, count: int, dtype: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Matrices (count, n, n), right sides (count, n), and the kind of each.

    Rows and columns are scaled by one, by 10^-9 to 10^9, or by 10^-30 to 10^30; in single precision
    by less, so that the inverses can be held.
    """
    matrices, rights, names = [], [], []
    most = (0, 9, 30) if dtype == "float64" else (0, 3, 6)
    for k in range(count):
        kind = KINDS[k % len(KINDS)]
        matrix = kind(rng, n)
        known = signs(rng, n) * spread(rng, n, *((-3, 3) if rng.random() < 0.5 else (0, 0)))
        right = matrix @ known if rng.random() < 0.5 else known
        scale = most[k // len(KINDS) % len(most)]
        up, down = (10.0 ** rng.integers(-scale, scale + 1, n) for _ in range(2))
        matrices.append(matrix * up[:, None] * down)
        rights.append(right * up)
        names.append(f"{kind.__name__}, 10^{scale}")
    return np.stack(matrices).astype(dtype), np.stack(rights).astype(dtype), names


def backward_errors(matrices: np.ndarray, found: np.ndarray, rights: np.ndarray) -> np.ndarray:
    """The componentwise backward error of each solution, inf where it is no number.

    Computed in more digits than any of the three are given in. What an entry of x lost below the
    smallest number is no error. Shapes (count, n, n), (count, n, m) and (count, n, m); the errors
    are of shape (count, m).
    """
    wide = np.float64 if matrices.dtype == np.float32 else np.longdouble
    A, x, b = (np.asarray(array).astype(wide) for array in (matrices, found, rights))
    lost = np.abs(A).sum(axis=-1, keepdims=True) * float(np.finfo(matrices.dtype).tiny)
    residual = np.maximum(np.abs(b - A @ x) - lost, 0)
    whole = np.abs(A) @ np.abs(x) + np.abs(b)
    errors = np.max(np.divide(residual, whole, out=np.zeros_like(whole), where=residual != 0), -2)
    return np.where(np.isfinite(errors), errors, np.inf).astype(float)


def spread(rng: Rng, shape: int | tuple[int, ...], low: float, high: float) -> np.ndarray:
    """Positive numbers whose logarithms lie evenly between two powers of ten."""
    return 10.0 ** rng.uniform(low, high, shape)


def signs(rng: Rng, shape: int | tuple[int, ...]) -> np.ndarray:
    return rng.choice([-1.0, 1.0], shape)
