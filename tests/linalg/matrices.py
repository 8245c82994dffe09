"""Random matrices with units, and what they are compared by: plain arithmetic on magnitudes.

Nothing here uses the algebra that is tested: an entry is its magnitude times the size of its row's
unit over the size of its column's, and a dimension is compared entry by entry.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import brainunit as u
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from unitjac.linalg import Axis, UnitMatrix

SEED = int(os.environ["UNITJAC_SEED"])
TEXTS = ("mV", "nA", "ms", "mS/cm^2", "uF/cm^2", "uM", "minute", "1", None)

# How a square matrix of six rows is cut into leaves, and into what tree.
SHAPES: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((6,),),
    ((2, 2), (), ()),
    ((1,), (0,), (2,), (3,)),
)
SIZE = 6


def property_test(examples: int, **drawn: Any) -> Callable[[Any], Any]:
    """A property over what hypothesis draws, from the seed that the head of the run prints."""

    def decorate(test: Any) -> Any:
        settings = hypothesis.settings(max_examples=examples, database=None)
        return hypothesis.seed(SEED)(settings(hypothesis.given(**drawn)(test)))

    return decorate


@dataclass(frozen=True)
class Leaves:
    """Shapes and units along one side of a matrix; None stands for a plain array."""

    shapes: tuple[tuple[int, ...], ...]
    units: tuple[u.Unit | None, ...]

    def tree(self, numbers: Any = None) -> Any:
        """A dict of arrays and quantities that hold ``numbers``, ones where there are none.

        The keys are x0, x1 and so on; of more than ten leaves it is a list, which keeps the order.
        """
        numbers = np.ones(self.size) if numbers is None else numbers
        leaves, start = {}, 0
        for k, (shape, unit) in enumerate(zip(self.shapes, self.units, strict=True)):
            stop = start + int(np.prod(shape, dtype=int))
            part = jnp.asarray(numbers[start:stop]).reshape(shape)
            leaves[f"x{k}"] = part if unit is None else u.Quantity(part, unit=unit)
            start = stop
        return leaves if len(leaves) <= 10 else list(leaves.values())

    @property
    def size(self) -> int:
        return sum(int(np.prod(shape, dtype=int)) for shape in self.shapes)

    @property
    def sizes_of_units(self) -> np.ndarray:
        """How large the unit of each entry is in base units."""
        return np.concatenate(
            [
                np.full(np.prod(shape, dtype=int), 1.0 if unit is None else unit.magnitude)
                for shape, unit in zip(self.shapes, self.units, strict=True)
            ]
        )

    def times(self, unit: u.Unit) -> "Leaves":
        return Leaves(self.shapes, tuple(multiplied(own, unit) for own in self.units))

    def inverse(self) -> "Leaves":
        return Leaves(self.shapes, tuple(own and own**-1 for own in self.units))

    def rewritten(self, exponents: Sequence[int]) -> "Leaves":
        """The same leaves in units that are powers of ten as large."""
        pairs = zip(self.units, exponents, strict=False)
        return Leaves(self.shapes, tuple(multiplied(own, u.Unit(scale=k)) for own, k in pairs))


def multiplied(unit: u.Unit | None, factor: u.Unit) -> u.Unit:
    return factor if unit is None else unit * factor


@st.composite
def leaves(draw: Callable[..., Any], units: Sequence[str | None] = TEXTS) -> Leaves:
    """Six entries in some leaves of some units."""
    shapes = draw(st.sampled_from(SHAPES))
    texts = [draw(st.sampled_from(units)) for _ in shapes]
    return Leaves(shapes, tuple(text and u.parse_unit(text) for text in texts))


@st.composite
def exponents(draw: Callable[..., Any]) -> list[int]:
    """By which powers of ten the units of leaves are larger, from 1e-9 to 1e9."""
    return [draw(st.integers(-9, 9)) for _ in range(SIZE)]


seeds = st.integers(0, 2**32 - 1)


def well_conditioned(seed: int, n: int = SIZE) -> np.ndarray:
    """A matrix whose singular values lie between one and three."""
    rng = np.random.default_rng(seed)
    (left, _), (right, _) = (np.linalg.qr(rng.normal(size=(n, n))) for _ in range(2))
    return left * rng.uniform(1, 3, n) @ right


def positive_definite(seed: int, n: int = SIZE) -> np.ndarray:
    root = well_conditioned(seed, n)
    return root @ root.T


def vector(seed: int, n: int = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def matrix(numbers: Any, rows: Leaves, cols: Leaves) -> UnitMatrix:
    return UnitMatrix(jnp.asarray(numbers), rows.tree(), cols.tree())


def written(numbers: Any, rows: Leaves, cols: Leaves, new_rows: Leaves, new_cols: Leaves) -> Any:
    """The matrix that has these numbers in ``rows`` and ``cols``, in other units of the same."""
    up = rows.sizes_of_units / new_rows.sizes_of_units
    down = cols.sizes_of_units / new_cols.sizes_of_units
    return matrix(numbers * up[:, None] / down, new_rows, new_cols)


def numbers_of(found: UnitMatrix, rows: Leaves, cols: Leaves) -> np.ndarray:
    """The entries in the units of ``rows`` over those of ``cols``, after checks of dimensions."""
    assert found.rows.shapes == rows.shapes
    assert found.cols.shapes == cols.shapes
    for i, j in np.ndindex(len(rows.units), len(cols.units)):
        mine = ratio(found.rows.units[i], found.cols.units[j])
        wanted = ratio(rows.units[i], cols.units[j])
        assert mine.has_same_dim(wanted), f"block {i}, {j}: {mine} is no {wanted}"
    up = sizes(found.rows) / rows.sizes_of_units
    down = sizes(found.cols) / cols.sizes_of_units
    return np.asarray(found.dense) * up[:, None] / down


def numbers_of_tree(found: Any, like: Leaves) -> np.ndarray:
    """The entries of a tree in the units of ``like``, kinds, shapes and dimensions checked."""
    values = jax.tree.leaves(found, is_leaf=lambda leaf: isinstance(leaf, u.Quantity))
    assert len(values) == len(like.units)
    parts = []
    for value, unit, shape in zip(values, like.units, like.shapes, strict=True):
        assert np.shape(value) == shape
        if unit is None:
            assert not isinstance(value, u.Quantity) or value.unit.dim.is_dimensionless
        magnitude, own = u.get_mantissa(value), u.get_unit(value)
        assert own.has_same_dim(unit or u.UNITLESS), f"{own} is no {unit}"
        size = 1.0 if unit is None else unit.magnitude
        parts.append(np.ravel(np.asarray(magnitude)) * own.magnitude / size)
    return np.concatenate(parts)


def ratio(over: u.Unit | None, under: u.Unit | None) -> u.Unit:
    return (over or u.UNITLESS) / (under or u.UNITLESS)


def sizes(axis: Axis) -> np.ndarray:
    units = [1.0 if unit is None else unit.magnitude for unit in axis.units]
    return np.repeat(np.asarray(units), axis.sizes)


def assert_numbers(found: Any, expected: Any, rtol: float = 1e-12) -> None:
    """Equal to ``rtol`` of the largest expected number."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    atol = rtol * np.max(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
