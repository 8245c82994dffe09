"""What sparse Jacobians and sparse Hessians share: planned once, run many times.

Owns: :class:`SparseTransform`, the making of a plan, the way of one call. Never touches: how a
pattern is found or coloured, how seeds are swept.
"""

from __future__ import annotations

import abc
import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, TypeVar

import jax
import numpy as np
from jax.experimental.sparse import BCOO

from unitjac._engine.dense import Modes, Pure
from unitjac._engine.found import Found, NotFound, find
from unitjac._engine.pattern import Pattern
from unitjac._engine.seeds import is_symbolic
from unitjac._engine.sparse import Compression, compress, entries
from unitjac._engine.sweep import ChunkSize
from unitjac._states.state import StateTrace, commit, raise_leak
from unitjac._transforms.advice import advise
from unitjac._transforms.arguments import name_of
from unitjac._transforms.debug_nan import Flagged, all_finite
from unitjac._transforms.inputs import Inputs
from unitjac._transforms.nan_search import Part, Search
from unitjac._transforms.plan import Block
from unitjac._transforms.traced import Traced
from unitjac._transforms.transform import GradientTransform
from unitjac._units.unit_text import quotient_text
from unitjac.linalg import Axis, UnitMatrix

from ._check import check_products
from ._given import given_pattern
from ._outline import Outline, Outputs, Watched, outline
from ._side import Side
from ._signature import Signature, fields, input_fields
from ._store import Blueprint, write

Fallback = Literal["dense"] | None

_SAVED = (
    *("has_aux", "return_value", "holomorphic", "check_states"),
    *("mode", "chunk_size", "jit", "debug_nan"),
)


@jax.tree_util.register_pytree_node_class
class Entries:
    """The entries of a sparse matrix on their way out of a compiled program.

    Where they stand is known to the plan, and is not copied through the program.
    """

    __slots__ = ("cols", "data", "rows")

    def __init__(self, data: Any, rows: Axis, cols: Axis):
        self.data = data
        self.rows = rows
        self.cols = cols

    def tree_flatten(self) -> tuple[tuple[Any], tuple[Axis, Axis]]:
        """The entries as child, the axes as static data."""
        return (self.data,), (self.rows, self.cols)

    @classmethod
    def tree_unflatten(cls, axes: tuple[Axis, Axis], children: Any) -> Entries:
        """The inverse of :meth:`tree_flatten`."""
        rows, cols = axes
        return cls(children[0], rows, cols)


class SparseTransform(GradientTransform):
    """A function that computes the entries of a sparse matrix of derivatives.

    What :func:`unitjac.sparse_jacobian` and :func:`unitjac.sparse_hessian` give back. It is called
    as the function itself is, with arguments of the shapes, dtypes and dimensions that it was
    planned for.
    """

    usage = "(fun, x)(x)"
    offers: tuple[str, ...] = ("holomorphic",)
    dense_name: str  # the transform that knows no pattern
    blueprint: Blueprint | None = None  # none until it is planned
    compression: Compression

    def __init__(
        self, fun: Callable[..., Any], *, mode: Modes, chunk_size: ChunkSize, **shared: Any
    ):
        self.mode: Modes = mode
        self.chunk_size: ChunkSize = chunk_size
        super().__init__(fun, unit_aware=True, **shared)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """The matrix at these arguments, with value and aux where they were asked for."""
        result = self._call((*args, self._tables), kwargs)
        if isinstance(result, Entries):
            return self._matrix(result)
        return self._matrix(result[0]), *result[1:]

    def __repr__(self) -> str:
        many = "" if self.passes == 1 else "es"
        return f"<unitjac.{self._title}: {self.pattern!r}, {self.passes:,} pass{many}>"

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k not in ("_tables", "_indices")}

    @property
    def pattern(self) -> Pattern:
        """Which entries may be other than zero."""
        return self.compression.pattern

    @property
    def passes(self) -> int:
        """How many seeds are pushed forward or pulled back, whatever the size of the matrix."""
        return self.compression.passes

    def check(self, /, *args: Any, **kwargs: Any) -> None:
        """Compare products of the sparse matrix with those of the function itself.

        For each leaf a random vector is pushed through the function (pulled, where the plan only
        pulls), and the matrix multiplied by it. ``fun`` is called twice; what it writes to states
        is dropped.

        Raises
        ------
        ValueError
            If a product differs since the pattern lacks an entry, which is named.
        TypeError
            If an argument has no values.
        """
        traced = self._trace(args, kwargs)
        watched = Watched(traced)

        def name(row: int, col: int) -> str:
            rows, cols = self._sides(traced.inputs, watched.outputs)
            return f"the derivative of {rows.place(row)} by {cols.place(col)} in {self._title}"

        with StateTrace():
            check_products(self._derive(watched), traced.inputs.leaves, self.compression, name)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the plan to a file, for :func:`unitjac.sparse.load`.

        The function itself and the states that are differentiated are no part of it.
        """
        assert self.blueprint is not None
        options = {name: getattr(self, name) for name in _SAVED}
        options |= {"kind": self.transform_name, "argnums": self.selection.argnums}
        write(path, self.blueprint, options)

    def make_plan(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], given: Any, fallback: Fallback
    ) -> None:
        """Find the pattern, unless it is given, and the seeds for it."""
        inputs = Inputs.of(self.selection, args, kwargs)
        seen = outline(self._trace, self._derive, inputs, args, kwargs)
        if is_symbolic([*seen.leaves, *seen.images]):
            raise ValueError(
                f"{self._title} cannot be planned for sizes that are symbols of jax.export: a "
                "pattern has a row and a column for each number. Plan it for a size that is one, "
                f"or take unitjac.{self.dense_name}, which gives all entries."
            )
        rows, cols = self._sides(inputs, seen.outputs)
        if given is None:
            found = self._found(seen, (rows.axis.size, cols.axis.size), fallback)
        else:
            found = Found(self._given(given, rows, cols), ("pattern: as it was given",))
        signature = Signature(input_fields(args, kwargs, inputs), _fields(seen.outputs))
        self.follow(Blueprint(found.pattern, seen.leaves, seen.images, signature, found.notes))

    def follow(self, blueprint: Blueprint) -> None:
        """Take a plan that was made before."""
        shapes = blueprint.leaves, blueprint.images
        self.compression = compress(blueprint.pattern, *shapes, self.mode)
        self.blueprint = blueprint

    @abc.abstractmethod
    def _derive(self, fun: Pure) -> Pure:
        """What is differentiated: the function, or its gradient."""

    @abc.abstractmethod
    def _outcome(self, images: list[Any], carried: Any) -> tuple[list[Any], Any]:
        """The function's own outputs, and what it carried, from those of what is differentiated."""

    @abc.abstractmethod
    def _sides(self, inputs: Inputs, outputs: Outputs) -> tuple[Side, Side]:
        """The rows and the columns of the matrix."""

    def _given(self, given: Any, rows: Side, cols: Side) -> Pattern:
        return given_pattern(given, rows, cols)

    def _found(self, seen: Outline, shape: tuple[int, int], fallback: Fallback) -> Found:
        try:
            return find(seen.function, seen.leaves, seen.rest, seen.images)
        except NotFound as error:
            if fallback is None:
                raise NotFound(
                    f"the pattern of {name_of(self.fun)} cannot be found: its derivative can "
                    f"neither be pushed nor pulled for all values ({error}). Give the pattern by "
                    "hand, pattern=... (a matrix of scipy.sparse, a BCOO, unitjac.sparse.banded, "
                    'or blocks), or take it for dense with fallback="dense".'
                ) from error
            rows, cols = np.indices(shape).reshape(2, -1)
            note = "pattern: taken as dense, since it cannot be found"
            return Found(Pattern.at(rows, cols, shape), (note,))

    @property
    def _title(self) -> str:
        return f"{self.transform_name} of {name_of(self.fun)}"

    @cached_property
    def _tables(self) -> tuple[jax.Array, ...]:
        return _constants(*self.compression.tables)

    @cached_property
    def _indices(self) -> jax.Array:
        return _constants(np.stack([self.pattern.rows, self.pattern.cols], axis=1))[0]

    def _matrix(self, found: Entries) -> UnitMatrix:
        array = BCOO(
            (found.data, self._indices),
            shape=self.pattern.shape,
            indices_sorted=True,
            unique_indices=True,
        )
        # not the constructor, which would check in each call what the plan knows
        return UnitMatrix.tree_unflatten((found.rows, found.cols), (array,))

    def _trace(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
        traced = super()._trace(args, kwargs)
        if self.blueprint is not None:
            came = input_fields(args, kwargs, traced.inputs)
            self.blueprint.signature.check_inputs(came, self._title)
        return traced

    def _look(self, outputs: Outputs) -> None:
        assert self.blueprint is not None
        self.blueprint.signature.check_outputs(_fields(outputs), self._title)

    def _evaluate(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # the tables are an argument, so that a compiled program does not contain them, and the
        # last one, so that messages count the others rightly
        *given, tables = args
        traced = self._trace(tuple(given), kwargs)
        try:
            found, _, outputs, carried = self._differentiate(traced, tables)
        except jax.errors.UnexpectedTracerError as error:
            raise_leak(error, traced.writes)
        except (TypeError, ValueError) as error:
            advise(error, self.transform_name)
            raise
        aux, written = traced.unpack(carried)
        result = self._with_extras(found, traced.outputs.attach(outputs), aux)
        commit(written)
        if self.debug_nan:
            return Flagged(result, all_finite((found, outputs)))
        return result

    def _search(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Search:
        return super()._search(args[:-1], kwargs)  # without the tables

    def _places(self, traced: Traced) -> list[str]:
        return [self._title]

    def _parts(self, traced: Traced) -> list[Part]:
        watched = Watched(traced, self._look)
        data, _, _ = entries(
            self._derive(watched),
            traced.inputs.leaves,
            self.compression,
            self._tables,
            self.chunk_size,
        )
        rows, cols = self._sides(traced.inputs, watched.outputs)
        pattern = self.pattern

        def name(index: tuple[int, ...]) -> str:
            (k,) = index
            return f"{rows.place(pattern.rows[k])} by {cols.place(pattern.cols[k])}"

        return [Part("the derivative of", data, None, name)]

    def _differentiate(
        self, traced: Traced, tables: Sequence[Any] = ()
    ) -> tuple[Any, Any, list[Any], Any]:
        watched = Watched(traced, self._look)
        data, images, carried = entries(
            self._derive(watched), traced.inputs.leaves, self.compression, tables, self.chunk_size
        )
        rows, cols = self._sides(traced.inputs, watched.outputs)
        found = Entries(data, rows.axis, cols.axis)
        return found, found, *self._outcome(images, carried)

    def _work(self, traced: Traced, outputs: list[Any]) -> dict[str, Any]:
        m, n = self.pattern.shape
        how = self.blueprint.notes if self.blueprint else ()
        return {
            "mode": " and ".join(self.compression.modes) or "fwd",
            "reason": "fewer colours, block by block" if self.mode == "auto" else "as asked for",
            "passes": self.passes,
            "notes": (f"the pattern has {self.pattern.nse:,} of {m * n:,} entries", *how),
        }

    def _blocks(self, traced: Traced, outputs: list[Any]) -> Iterable[Block]:
        seen = Outputs(outputs, traced.outputs, traced.output_labels)
        rows, cols = self._sides(traced.inputs, seen)
        for i, j in itertools.product(rows.axis.shown, cols.axis.shown):
            yield Block(
                rows.labels[i],
                cols.labels[j],
                rows.axis.shapes[i] + cols.axis.shapes[j],
                quotient_text(rows.axis.units[i], cols.axis.units[j]),
            )


Planned = TypeVar("Planned", bound=SparseTransform)


def planned(
    transform: Planned,
    sample_args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    pattern: Any,
    fallback: Fallback,
    check: bool,
) -> Planned:
    """``transform`` with a plan for arguments like these.

    Raises
    ------
    ValueError
        If ``fallback`` is another word.
    """
    if fallback not in (None, "dense"):
        raise ValueError(
            f'fallback must be None or "dense", got {fallback!r}. With "dense" a function whose '
            "pattern cannot be found is taken to have no zeros."
        )
    named = dict(kwargs or {})
    transform.make_plan(sample_args, named, pattern, fallback)
    if check:
        transform.check(*sample_args, **named)
    return transform


def _fields(outputs: Outputs) -> Any:
    return fields(outputs.labels, outputs.magnitudes, outputs.structure.units)


def _constants(*arrays: np.ndarray) -> tuple[jax.Array, ...]:
    """Arrays of JAX, and no tracers where this is asked for inside of a trace."""
    # put there explicitly, which jax.transfer_guard allows
    with jax.ensure_compile_time_eval():
        return tuple([jax.device_put(array) for array in arrays])
