"""Checks for users and for our own tests: derivatives that agree, trees that are equal.

>>> import brainunit as u
>>> from unitjac.testing import check_jacobian
>>> power = lambda V, R: V**2 / R
>>> check_jacobian(power, (3.0 * u.volt, 2.0 * u.ohm), argnums=(0, 1))

Checks, which raise where something differs:

    check_jacobian  forward mode, reverse mode and finite differences agree
    assert_close    two trees are physically equal, in any units
"""

# Owns: :func:`check_jacobian`, :func:`assert_close`. Never touches: how a derivative is computed.

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from . import _typed
from ._errors import array_text, dtype_of, is_arraylike, path_text
from ._foreign import is_foreign, refuse_foreign
from ._states.remembered import Memory
from ._states.state import State, StateTrace
from ._transforms.arguments import name_of, select
from ._transforms.inputs import Inputs
from ._transforms.jacobian import jacobian
from ._transforms.traced import check_used
from ._units.quantity import (
    Stripped,
    Unit,
    attach,
    attach_block,
    is_dimensionless,
    is_quantity,
    rescale,
    strip,
    unit_ratio,
)
from ._units.unit_text import unit_text
from .linalg import UnitMatrix
from .linalg._form import rewritten

__all__ = ["assert_close", "check_jacobian"]

Blocks = list[list[Any]]

_EPS = float(np.finfo(np.float64).eps)
_STEP = _EPS ** (1 / 5)


def assert_close(actual: Any, expected: Any, *, rtol: float = 1e-6, atol: float = 0.0) -> None:
    """Raise unless two trees of arrays and quantities are physically equal.

    Units of one dimension are converted, so that 1 V equals 1000 mV; matrices with units are
    compared block by block. The tolerances are relative
    to the largest entry of each leaf, so that no choice of units changes the verdict.

    Parameters
    ----------
    actual, expected : pytree
        Trees of the same structure.
    rtol : float, default 1e-6
        What is allowed, in parts of the largest entry of the expected leaf.
    atol : float, default 0
        What is allowed besides, in the unit of the expected leaf.

    Raises
    ------
    AssertionError
        It names the leaf, the entry, both values and the difference.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.testing import assert_close
    >>> assert_close({"V": 0.001 * u.volt}, {"V": 1.0 * u.mV})
    """
    for path, a, b in _matched(actual, expected):
        for what, leaf in (("actual", a), ("expected", b)):
            refuse_foreign(leaf, path_text(what, path))
        _compare(a, b, path_text("leaf", path), rtol, atol)


def _matched(actual: Any, expected: Any) -> Iterator[tuple[Any, Any, Any]]:
    """The path of each leaf, and both leaves; of matrices, blocks written in the same units."""

    def is_leaf(leaf: Any) -> bool:
        return isinstance(leaf, UnitMatrix) or is_quantity(leaf) or is_foreign(leaf)

    found, structure = _typed.flatten(actual, is_leaf=is_leaf)
    wanted, other = _typed.flatten_with_path(expected, is_leaf=is_leaf)
    if structure != other:  # of matrices too, which may differ in how they are written
        yield from _paired((), actual, expected)
        return
    for a, (path, b) in zip(found, wanted, strict=True):
        if _typed.is_a(a, UnitMatrix) and _typed.is_a(b, UnitMatrix):
            a = UnitMatrix(rewritten(a, b.rows, b.cols), b.rows, b.cols).blocks()
            b = b.blocks()
        yield from _paired(path, a, b)


def _paired(path: tuple[Any, ...], actual: Any, expected: Any) -> Iterator[tuple[Any, Any, Any]]:
    mine, theirs = strip(actual), strip(expected)
    if mine.treedef != theirs.treedef:
        where = path_text(" at leaf", path) if path else ""
        raise AssertionError(f"the trees differ{where}: {mine.treedef} is not {theirs.treedef}")
    for own, a, b in zip(theirs.paths, *map(_leaves, (mine, theirs)), strict=True):
        yield (*path, *own), a, b


def _leaves(stripped: Stripped) -> list[Any]:
    return list(map(attach, stripped.magnitudes, stripped.units))


def check_jacobian(
    fun: Callable[..., Any],
    args: Sequence[Any] = (),
    *,
    kwargs: Mapping[str, Any] | None = None,
    argnums: Any = None,
    grad_states: Any = None,
    modes: Sequence[str] = ("fwd", "rev"),
    rtol: float = 1e-6,
    mode_rtol: float = 1e-10,
) -> None:
    """Raise unless forward mode, reverse mode and finite differences of ``fun`` agree.

    All is computed in float64, whatever the precision of the arguments. What ``fun`` writes to
    states is dropped.

    Parameters
    ----------
    fun : callable
        The function; its differentiated inputs and its outputs are real.
    args : sequence
        Its positional arguments.
    kwargs : mapping, optional
        Its keyword arguments.
    argnums, grad_states
        As in :func:`unitjac.jacrev`.
    modes : sequence of {"fwd", "rev"}
        ``("rev",)`` for a function with :func:`jax.custom_vjp`, ``("fwd",)`` for one with
        :func:`jax.lax.while_loop`.
    rtol : float, default 1e-6
        Derivative against differences, in parts of the largest entry of the block. The rounding
        of the function's own values, divided by the step, is allowed besides.
    mode_rtol : float, default 1e-10
        One mode against the other, in parts of the largest entry of the block.

    Raises
    ------
    AssertionError
        It names the block, the entry, both values with their unit and the difference.

    Notes
    -----
    Central differences with steps h and h/2 and one step of Richardson extrapolation, which
    leaves an error of order h^4 (Richardson 1911, doi:10.1098/rsta.1911.0009). h is
    eps^(1/5) = 7e-4 times the size of the entry; where it is zero, times the largest entry of its
    leaf; where that is zero too, times the change that would double an output. Where nothing has
    a size, steps of all decades are tried, and the one is taken whose two quotients agree best.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.testing import check_jacobian
    >>> check_jacobian(lambda V, R: V**2 / R, (3.0 * u.volt, 2.0 * u.ohm), argnums=(0, 1))
    """
    if not modes or not set(modes) <= {"fwd", "rev"}:
        raise ValueError(f'modes must be "fwd", "rev" or both, got {modes!r}.')
    with jax.enable_x64(True):
        flat = _Flat(fun, tuple(args), dict(kwargs or {}), argnums, grad_states)
        tables = {mode: flat.derivatives(mode) for mode in modes}
        (first, table), *others = tables.items()
        for mode, other in others:
            flat.compare(other, table, f"{mode} against {first}", mode_rtol)
        differences, noise = _differences(flat, table)
        flat.compare(table, differences, f"{first} against differences", rtol, noise)


class _Flat:
    """``fun`` from quantities in float64 to a list of quantities."""

    def __init__(
        self,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        argnums: Any,
        grad_states: Any,
    ):
        self.fun = fun
        self.kwargs = kwargs
        self.memory = Memory.of(fun)
        self.inputs = Inputs.of(select(grad_states, argnums), args, kwargs)
        self.inputs.check_dtypes(mode="fwd", holomorphic=False, allow_int=False)
        self.labels: list[str] = []
        self.point = [
            attach(np.asarray(leaf, np.float64), unit)
            for leaf, unit in zip(self.inputs.magnitudes, self.inputs.units, strict=True)
        ]

    def __call__(self, *leaves: Any) -> list[Any]:
        # NumPy's arrays, of which differences are made, as JAX would hand them on
        magnitudes = [jnp.asarray(m) for m in strip(leaves).magnitudes]
        args, seeds = self.inputs.place(magnitudes)
        output, trace = self.memory.run(lambda: self._run(args, seeds))
        check_used(trace, self.inputs.selection, self.fun)
        stripped = strip(output)
        self.labels = [path_text("output", path) for path in stripped.paths]
        for label, leaf in zip(self.labels, stripped.magnitudes, strict=True):
            refuse_foreign(leaf, f"{label} of {name_of(self.fun)}")
            if not (is_arraylike(leaf) and jnp.issubdtype(dtype_of(leaf), jnp.floating)):
                raise TypeError(
                    f"{label} of {name_of(self.fun)} is {array_text(leaf)}: check_jacobian wants "
                    "real outputs. Return real and imaginary parts, or convert it to float."
                )
        return _leaves(stripped)

    def _run(self, args: list[Any], seeds: dict[State, Any]) -> tuple[Any, StateTrace]:
        with StateTrace(seeds) as trace:  # what is written in here is dropped
            output = self.fun(*args, **self.kwargs)
        return output, trace

    def derivatives(self, mode: Any) -> Blocks:
        """Block (i, j) by forward or reverse mode."""
        positions = tuple(range(len(self.point)))
        return jacobian(self, argnums=positions, unit_aware=True, mode=mode)(*self.point)

    def compare(
        self, actual: Blocks, expected: Blocks, what: str, rtol: float, noise: Blocks | None = None
    ) -> None:
        """Raise where a block is not the one that was expected."""
        for i, j in np.ndindex(len(self.labels), len(self.point)):
            pair = f"{self.labels[i]} / {self.inputs.labels[j]}"
            label = f"{what}: block {pair} of {name_of(self.fun)}"
            _compare(actual[i][j], expected[i][j], label, rtol, noise[i][j] if noise else 0.0)


def _differences(flat: _Flat, table: Blocks) -> tuple[Blocks, Blocks]:
    """Block (i, j) by differences, and how far rounding may move each entry of it."""
    values = flat(*flat.point)
    columns = [_column(flat, j, [row[j] for row in table], values) for j in range(len(flat.point))]
    rows = range(len(values))
    return [[c[0][i] for c in columns] for i in rows], [[c[1][i] for c in columns] for i in rows]


def _column(
    flat: _Flat, j: int, blocks: list[Any], values: list[Any]
) -> tuple[list[Any], list[Any]]:
    """The blocks of all outputs against one input, entry by entry of the input."""
    x, unit = _split(flat.point[j])
    units = [unit_ratio(_split(y)[1], unit) for y in values]
    magnitudes = [np.asarray(_split(y)[0]) for y in values]
    slopes = [np.zeros(y.shape + x.shape) for y in magnitudes]
    noise = [np.zeros_like(slope) for slope in slopes]
    for index in np.ndindex(x.shape):
        at = (..., *index)
        known = [(y, np.asarray(_split(b)[0])[at]) for y, b in zip(magnitudes, blocks, strict=True)]
        size = _size(x, index, known)
        steps = [_STEP * size] if size else [10.0**k for k in range(-30, 31)]
        found = [_extrapolated(flat, j, index, h, magnitudes) for h in steps]
        for i in range(len(values)):
            # of several steps the one whose quotients, with h and h/2, agree best
            best = min(found, key=lambda f, i=i: f[i].doubt)[i]
            slopes[i][at], noise[i][at] = best.slope, best.noise
    attached = [attach_block(s, w) for s, w in zip(slopes, units, strict=True)]
    return attached, [_split(attach_block(e, w))[0] for e, w in zip(noise, units, strict=True)]


class _Quotient(NamedTuple):
    """A derivative by differences, what rounding may do to it, and how far to doubt it."""

    slope: Any
    noise: float
    doubt: float


def _extrapolated(
    flat: _Flat, j: int, index: tuple[int, ...], h: float, values: list[Any]
) -> list[_Quotient]:
    """The derivative of each output by one input, with steps h and h/2."""
    found: list[_Quotient] = []
    quotients = _quotients(flat, j, index, h), _quotients(flat, j, index, h / 2)
    for y, coarse, fine in zip(values, *quotients, strict=True):
        noise = 20 * _EPS * float(np.max(np.abs(y), initial=0.0)) / h
        with np.errstate(all="ignore"):
            doubt = float(np.max(np.abs(fine - coarse), initial=0.0)) + noise
        slope = (4 * fine - coarse) / 3 if np.isfinite(doubt) else fine
        found.append(_Quotient(slope, noise, doubt if np.isfinite(doubt) else np.inf))
    return found


def _quotients(flat: _Flat, j: int, index: tuple[int, ...], h: float) -> list[Any]:
    """The difference quotient of each output, as a magnitude in output unit / input unit."""
    ends: list[tuple[Any, list[Any]]] = []
    for step in (h, -h):
        x, unit = _split(flat.point[j])
        moved = np.array(x)
        moved[index] += step
        point = [*flat.point[:j], attach(moved, unit), *flat.point[j + 1 :]]
        ends.append((moved[index], [np.asarray(_split(y)[0]) for y in flat(*point)]))
    (above, up), (below, down) = ends
    with np.errstate(all="ignore"):
        return [(a - b) / (above - below) for a, b in zip(up, down, strict=True)]


def _size(x: Any, index: tuple[int, ...], known: list[tuple[Any, Any]]) -> float | None:
    """What a step at this entry is measured by, never a number that depends on the unit.

    None where neither the entry, nor its leaf, nor an output over its derivative has a size.
    """
    own = abs(float(x[index])) or float(np.max(np.abs(x), initial=0.0))
    if own:
        return own
    for y, slope in known:
        steps = np.abs(y) / np.where(slope == 0, np.inf, np.abs(slope))
        if steps.size and np.max(steps) > 0:
            return float(np.max(steps))
    return None


def _split(leaf: Any) -> tuple[Any, Unit | None]:
    """Magnitude and unit of one leaf."""
    stripped = strip(leaf)
    return stripped.magnitudes[0], stripped.units[0]


def _is_numeric(leaf: Any) -> bool:
    return is_arraylike(leaf) and jnp.issubdtype(dtype_of(leaf), jnp.number)


def _compare(actual: Any, expected: Any, label: str, rtol: float, atol: Any) -> None:
    """Raise where two leaves are not physically equal; ``atol`` is in the unit of the second."""
    (a, mine), (b, theirs) = _split(actual), _split(expected)
    if not (_is_numeric(a) and _is_numeric(b)):
        if not (type(a) is type(b) and np.shape(a) == np.shape(b) and np.all(a == b)):
            raise AssertionError(f"{label} is {a!r}, but {b!r} was expected")
        return
    ratio = unit_ratio(mine, theirs)
    if not is_dimensionless(ratio):
        raise AssertionError(
            f"{label} is in {unit_text(mine)}, expected {unit_text(theirs)}: another dimension"
        )
    a, b, unit = np.asarray(rescale(a, ratio)), np.asarray(b), unit_text(theirs)
    if a.shape != b.shape:
        raise AssertionError(f"{label} has shape {a.shape}, but shape {b.shape} was expected")
    finite = np.isfinite(a) & np.isfinite(b)
    distance = np.abs(np.where(finite, a, 0) - np.where(finite, b, 0))
    allowed = rtol * np.max(np.abs(b), initial=0.0, where=np.isfinite(b)) + atol
    far: np.ndarray = distance > allowed
    wrong = np.where(finite, far, (a != b) & ~(np.isnan(a) & np.isnan(b)))
    if np.any(wrong):
        where = tuple(map(int, np.argwhere(wrong)[0]))
        limit = float(np.broadcast_to(allowed, a.shape)[where])
        raise AssertionError(
            f"{label}{list(where) if where else ''}: {a[where]:.10g} {unit}, expected "
            f"{b[where]:.10g} {unit}; they differ by {distance[where]:.3g}, allowed are "
            f"{limit:.3g} ({int(wrong.sum())} of {a.size} entries differ)"
        )
