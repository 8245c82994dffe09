"""What the tests of the transforms share: the transforms, ways to call them, and comparisons
of trees of quantities that know units, dtypes and key paths."""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unitjac


@dataclass(frozen=True)
class Transform:
    """One way to a Jacobian, and the transform of JAX that it has to agree with."""

    name: str
    make: Callable[..., Any]
    reference: Callable[..., Any]
    mode: str

    def __call__(self, fun: Callable[..., Any], /, **options: Any) -> Any:
        return self.make(fun, **options)

    def reference_for(self, inputs: Any, outputs: Any) -> Callable[..., Any]:
        """The transform of JAX whose mode this one takes for such inputs and outputs."""
        if self.mode != "auto":
            return self.reference
        return jax.jacfwd if numbers(inputs) <= numbers(outputs) else jax.jacrev


REV = Transform("jacrev", unitjac.jacrev, jax.jacrev, "rev")
FWD = Transform("jacfwd", unitjac.jacfwd, jax.jacfwd, "fwd")
AUTO = Transform("jacobian", unitjac.jacobian, jax.jacrev, "auto")
AUTO_REV, AUTO_FWD = (
    Transform(f"jacobian-{mode}", functools.partial(unitjac.jacobian, mode=mode), reference, mode)
    for mode, reference in (("rev", jax.jacrev), ("fwd", jax.jacfwd))
)
TRANSFORMS = (REV, FWD, AUTO, AUTO_REV, AUTO_FWD)


def each(name: str, values: Any, key: Callable[[Any], str] = lambda value: value.name) -> Any:
    """Parametrize ``name`` over ``values``, with readable ids."""
    values = list(values)
    return pytest.mark.parametrize(name, values, ids=[key(value) for value in values])


each_transform = each("transform", TRANSFORMS)
three_transforms = each("transform", (REV, FWD, AUTO))
mixes_dtypes = pytest.mark.skipif(
    "dtype" in os.environ.get("UNITJAC_FLAGS", ""),
    reason="the function of the test, or JAX, mixes dtypes, which strict promotion forbids",
)
both_precisions = pytest.mark.parametrize("x64", [False, True], ids=["x32", "x64"])
eager_and_compiled = pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])


def numbers(tree: Any) -> int:
    """How many numbers the leaves of ``tree`` hold."""
    return sum(np.size(leaf) for leaf in jax.tree.leaves(tree))


def is_quantity(leaf: Any) -> bool:
    return isinstance(leaf, u.Quantity)


def magnitudes(tree: Any) -> Any:
    """``tree`` without its units."""
    return jax.tree.map(u.get_mantissa, tree, is_leaf=is_quantity)


def q(value: Any, unit: u.Unit | str, dtype: Any = None) -> u.Quantity:
    """A quantity of JAX; floating unless ``dtype`` says otherwise."""
    unit = u.parse_unit(unit) if isinstance(unit, str) else unit
    return u.Quantity(jnp.asarray(value, dtype or float), unit=unit)


# A function that writes states, and its derivatives in closed form


class Neuron:
    """A voltage that a current pulse raises through a resistance, and a count of the pulses."""

    def __init__(self):
        self.V = unitjac.State(q(-65.0, u.mV), name="V")
        self.R = unitjac.State(q(2.0, u.Mohm), name="R")
        self.count = unitjac.State(jnp.asarray(0), name="count")

    @property
    def states(self):
        return self.V, self.R, self.count

    def pulse(self, current):
        self.V.value = self.V.value + self.R.value * current
        self.count.value = self.count.value + 1
        return {"V": self.V.value, "P": [self.R.value * current**2]}

    def transform(self, transform, **options):
        return transform(
            self.pulse,
            grad_states={"V": self.V, "R": self.R},
            argnums=0,
            unit_aware=True,
            **options,
        )


def pulse_jacobians(current):
    """d(V, P) with respect to V and R, and to the current (in nA), at R = 2 Mohm."""
    by_current = {"V": q(2.0, u.mV / u.nA), "P": [q(4.0 * current, u.Mohm * u.nA)]}
    by_state = {
        "V": {"V": jnp.asarray(1.0), "P": [q(0.0, u.Mohm * u.nA**2 / u.mV)]},
        "R": {"V": q(current, u.mV / u.Mohm), "P": [q(current**2, u.nA**2)]},
    }
    return by_state, by_current


# Comparisons


def assert_physically_equal(found: Any, expected: Any, digits_lost: float = 1.0) -> None:
    """The same tree, dimensions and numbers, in whatever units either of them is written.

    The tolerance comes from the coarser dtype of the two leaves, relative to the largest number
    of the leaf; ``digits_lost`` widens it where the way to the number lost some.
    """
    for where, mine, theirs in _paired(found, expected):
        if _is_float0(theirs) or _is_float0(mine):
            assert _is_float0(mine) == _is_float0(theirs), where
            assert np.shape(mine) == np.shape(theirs), where
            continue
        unit, other = u.get_unit(mine), u.get_unit(theirs)
        assert unit.has_same_dim(other), f"{where}: {unit} is no {other}"
        mine, theirs = u.get_mantissa(mine), u.get_mantissa(theirs)
        eps = max(_resolution(mine), _resolution(theirs))
        a = _wide(mine) * (unit.magnitude / other.magnitude)
        b = _wide(theirs)
        assert a.shape == b.shape, f"{where}: shape {a.shape}, expected {b.shape}"
        tolerance = 16 * eps * digits_lost
        largest = np.max(np.abs(b), initial=0.0)
        np.testing.assert_allclose(a, b, tolerance, tolerance * largest, err_msg=where)


def assert_same(found: Any, expected: Any, digits_lost: float = 1.0) -> None:
    """Physically equal, and of the same kind, unit (scale and all) and dtype leaf by leaf."""
    for where, mine, theirs in _paired(found, expected):
        assert is_quantity(mine) == is_quantity(theirs), f"{where}: {mine!r}, not {theirs!r}"
        if is_quantity(mine):
            assert mine.unit == theirs.unit, f"{where}: {mine.unit!r} is not {theirs.unit!r}"
        dtypes = dtype_of(mine), dtype_of(theirs)
        assert dtypes[0] == dtypes[1], f"{where}: {dtypes[0]}, expected {dtypes[1]}"
    assert_physically_equal(found, expected, digits_lost)


def dtype_of(leaf: Any) -> Any:
    """The dtype that JAX gives ``leaf``, unit or not."""
    leaf = u.get_mantissa(leaf)
    return leaf.dtype if _is_float0(leaf) else jnp.result_type(leaf)


def holds_tracer(*states: unitjac.State) -> bool:
    """Whether a leaf of a state's value is a tracer."""
    leaves = jax.tree.leaves([state.value for state in states])
    return any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)


@contextmanager
def unchanged(*states: unitjac.State) -> Iterator[None]:
    """The states hold, after the block, the very objects that they held before."""
    before = [state.value for state in states]
    yield
    for state, value in zip(states, before, strict=True):
        assert state.value is value, f"{state!r} was changed"
        assert not holds_tracer(state)


class Counter:
    """A function that counts how often Python calls it."""

    def __init__(self, fun: Callable[..., Any]):
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.fun(*args, **kwargs)


def _paired(found: Any, expected: Any) -> list[tuple[str, Any, Any]]:
    mine, tree = jax.tree_util.tree_flatten_with_path(found, is_leaf=is_quantity)
    theirs, other = jax.tree.flatten(expected, is_leaf=is_quantity)
    assert tree == other, f"structure {tree}, expected {other}"
    return [
        (jax.tree_util.keystr(path) or "the only leaf", a, b)
        for (path, a), b in zip(mine, theirs, strict=True)
    ]


def _is_float0(leaf: Any) -> bool:
    return getattr(leaf, "dtype", None) == jax.dtypes.float0


def _resolution(leaf: Any) -> float:
    dtype = jnp.result_type(leaf)
    return float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.inexact) else 0.0


def _wide(leaf: Any) -> np.ndarray:
    kind = np.complex128 if jnp.issubdtype(jnp.result_type(leaf), jnp.complexfloating) else float
    return np.asarray(leaf).astype(kind)
