"""A check of a pattern: products of the sparse matrix against those of the function itself.

Owns: the comparison, and the search for the entry that a pattern lacks. Never touches: units,
states, how entries are found.

There is one random vector for each leaf: a vector of several leaves would be of several units,
and what counts as small beside the rest would depend on how they are written.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._engine.dense import Pure
from unitjac._engine.dtypes import Mode, is_complex
from unitjac._engine.seeds import filled, offsets, placed_like
from unitjac._engine.sparse import Compression, entries, linear_maps
from unitjac._errors import array_text, dtype_of, has_tracer
from unitjac._typed import Linear

Name = Callable[[int, int], str]
"""What messages call the derivative of output number i by input number j."""

# Of the products that differ, so many are searched for the entry that is lacking, the worst first.
_SEARCHED = 256


def check_products(fun: Pure, leaves: list[Any], compression: Compression, name: Name) -> None:
    """Compare products with one random vector for each leaf.

    Products that are not finite are left out, and so is what differs though no entry is lacking:
    sums that cancel to rounding.

    Raises
    ------
    ValueError
        If the pattern lacks an entry.
    TypeError
        If the leaves have no values.
    """
    for leaf in leaves:
        if has_tracer(leaf) or isinstance(leaf, jax.ShapeDtypeStruct):
            raise TypeError(
                f"a check compares numbers, but an argument came as {array_text(leaf)} without "
                "values. Call .check(...) of the plan with values, outside of jax.jit."
            )
    data, outputs, _ = entries(fun, leaves, compression, compression.tables)
    mode: Mode = "rev" if compression.modes == ["rev"] else "fwd"
    apply = linear_maps(fun, leaves, [mode])[1][mode]
    matrix = _Entries(data, compression, mode)
    for product in _products(apply, leaves if mode == "fwd" else outputs):
        for image in product.differences(matrix)[:_SEARCHED]:
            seed = product.lacking(matrix, image)
            if seed is not None:
                called = name(image, seed) if mode == "fwd" else name(seed, image)
                raise ValueError(
                    f"{called} is not zero, but the pattern has no entry there. Add it, or leave "
                    "pattern out for it to be found."
                )


class _Entries:
    """The sparse matrix as seen from the seeds: entry (image, seed), transposed in reverse mode."""

    def __init__(self, data: Any, compression: Compression, mode: Mode):
        pattern = compression.pattern
        self.data = _wide(data)
        self.images, self.seeds = (
            (pattern.rows, pattern.cols) if mode == "fwd" else (pattern.cols, pattern.rows)
        )
        # enough for what rounding does in a sum, and far below any entry that matters in it
        self.tolerance = float(_typed.finfo(dtype_of(data)).eps) ** (2 / 3)


class _Product:
    """The image of a random vector in one leaf, all other leaves being zero."""

    def __init__(self, apply: Linear, leaves: list[Any], leaf: int, start: int, vector: np.ndarray):
        self.apply = apply
        self.leaves = leaves
        self.leaf = leaf
        self.start = start
        self.vector = vector
        self.image = self.of(vector)

    def of(self, vector: np.ndarray) -> np.ndarray:
        """The image of another vector in this leaf."""
        seeds = [filled(0, leaf) for leaf in self.leaves]
        own = seeds[self.leaf]
        seed = jnp.asarray(vector.reshape(own.shape), own.dtype)
        seeds[self.leaf] = placed_like(seed, self.leaves[self.leaf])
        return np.concatenate([_wide(image).ravel() for image in self.apply(seeds)])

    def differences(self, matrix: _Entries) -> np.ndarray:
        """Where this is not the product of the sparse matrix, the largest difference first."""
        stop = self.start + self.vector.size
        mine = (matrix.seeds >= self.start) & (matrix.seeds < stop)
        product, size = np.zeros_like(self.image), np.zeros(self.image.shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            terms = matrix.data[mine] * self.vector[matrix.seeds[mine] - self.start]
            np.add.at(product, matrix.images[mine], terms)
            np.add.at(size, matrix.images[mine], np.abs(terms))
            self.noise = matrix.tolerance * size
            excess = np.abs(self.image - product) / self.noise
        wrong = np.flatnonzero((excess > 1) & np.isfinite(self.image))
        return wrong[np.argsort(-excess[wrong], kind="stable")]

    def lacking(self, matrix: _Entries, image: int) -> int | None:
        """A seed that this image depends on though the pattern has no entry there, by halving."""
        seeds = matrix.seeds[matrix.images == image] - self.start
        outside = np.ones(self.vector.size, bool)
        outside[seeds[(seeds >= 0) & (seeds < self.vector.size)]] = False
        suspects = np.flatnonzero(outside)
        if not self._moves(image, suspects):
            return None
        while suspects.size > 1:
            half, rest = np.array_split(suspects, 2)
            suspects = half if self._moves(image, half) else rest
        return self.start + int(suspects[0])

    def _moves(self, image: int, seeds: np.ndarray) -> bool:
        vector = np.zeros_like(self.vector)
        vector[seeds] = self.vector[seeds]
        return bool(np.abs(self.of(vector)[image]) > self.noise[image])


def _products(apply: Linear, leaves: list[Any]) -> Iterator[_Product]:
    rng = np.random.default_rng(0)
    for leaf, (start, stop) in enumerate(itertools.pairwise(offsets(leaves))):
        vector = rng.uniform(0.5, 1.5, stop - start) * rng.choice([-1, 1], stop - start)
        # what the dtype makes of it is what the matrix is multiplied by
        rounded = jnp.asarray(vector, dtype_of(leaves[leaf]))
        yield _Product(apply, leaves, leaf, start, _wide(rounded))


def _wide(array: Any) -> np.ndarray:
    return np.asarray(array).astype(np.complex128 if is_complex(array) else np.float64)
