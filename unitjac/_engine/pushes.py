"""Nans pushed and pulled, many seeds at once: which numbers depend on which groups of numbers.

Owns: the compiled sweep over groups, and how many of them fit into memory. Never touches: which
groups are asked about.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from unitjac._errors import sharding_of

from .joined import Joined
from .seeds import offsets, sizes
from .values import Level, Value, marked

# What the sweep of one chunk may take; how many bytes are guessed for each number of a seed.
_BYTES = 128 * 2**20
_EACH = 32

CHUNK = 32
"""How many groups are asked about at once, where they fit into memory."""


class Pushes:
    """A linear map of which is asked what depends on groups of numbers, for all points.

    Parameters
    ----------
    apply : callable
        Of ``(tangents, point)``, linear in the tangents; it gives a list of arrays.
    ins : list of ShapeDtypeStruct
        The tangents.
    point : pytree of ShapeDtypeStruct
        Anything else that goes in.
    most : int, optional
        For how many groups at once the sweep is made, at most; 32 if left out.

    Attributes
    ----------
    n, m : int
        How many numbers go in and come out.
    count : int
        How many seeds were pushed.
    joined : Joined
        What was joined on the way, and what was taken as dense.
    """

    def __init__(
        self,
        apply: Callable[[Any, Any], Any],
        ins: list[Any],
        point: Any,
        most: int | None = None,
    ):
        program = jax.make_jaxpr(apply)(ins, point)
        self.ins, self.outs = ins, program.out_avals
        self.n, self.m = sum(sizes(ins)), sum(sizes(self.outs))
        self.count = 0
        self.joined = Joined()
        self._program = program
        # handed over, so that the compiled program does not contain them; tracers stay behind
        self._is_array = [not isinstance(const, Tracer) for const in program.consts]
        self._consts = [
            np.asarray(const) if sharding_of(const) is not None else const
            for const, is_array in zip(program.consts, self._is_array, strict=True)
            if is_array
        ]
        self._compile(CHUNK if most is None else most)

    def __call__(self, groups: np.ndarray, count: int) -> Iterator[tuple[int, np.ndarray]]:
        """What depends on each of ``count`` groups.

        Parameters
        ----------
        groups : int array of shape (n,)
            The group of each number; -1 for none.
        count : int
            How many there are.

        Yields
        ------
        int, bool array of shape (k, m)
            The first of the next k groups, and what depends on each.
        """
        groups = np.asarray(groups, np.int32)
        for start in range(0, count, self.chunk):
            with _undisturbed():
                found = self._sweep(groups, np.int32(start), self._consts)
                found = np.asarray(jax.device_get(found))[: count - start]
            self.count += len(found)
            yield start, found

    def _compile(self, most: int) -> None:
        """The sweep for as many groups at once as fit into memory."""
        each = (self.n + self.m) * _EACH
        self.chunk = max(1, min(most, self.n, _BYTES // max(each, 1)))
        while True:
            self._sweep = self._compiled(self.chunk)
            used = getattr(self._sweep.memory_analysis(), "temp_size_in_bytes", 0)
            if used <= _BYTES or self.chunk == 1:
                return
            self.chunk = max(1, min(self.chunk // 2, int(self.chunk * _BYTES / used)))

    def _compiled(self, chunk: int) -> Any:
        def sweep(groups: Any, start: Any, consts: list[Any]) -> Any:
            def depends(number: Any) -> Any:
                return self._depends(groups == number, consts)

            return jax.vmap(depends)(start + jnp.arange(chunk, dtype=jnp.int32))

        shapes = jax.ShapeDtypeStruct((self.n,), jnp.int32), jax.ShapeDtypeStruct((), jnp.int32)
        with _undisturbed():
            return jax.jit(sweep).lower(*shapes, self._consts).compile()

    def _depends(self, group: Any, consts: list[Any]) -> Any:
        """Which numbers depend on a group of numbers, as one vector of bools."""
        jaxpr = self._program.jaxpr
        arrays = iter(consts)
        given = [
            Value(Level.FIXED, v.aval, next(arrays)) if known else Value(Level.POINT, v.aval)
            for v, known in zip(jaxpr.constvars, self._is_array, strict=True)
        ]
        starts = offsets(self.ins)
        for k, variable in enumerate(jaxpr.invars):
            if k < len(self.ins):
                own = group[starts[k] : starts[k + 1]].reshape(variable.aval.shape)
                given.append(Value(Level.TANGENT, variable.aval, marked(own)))
            else:
                given.append(Value(Level.POINT, variable.aval))
        found = self.joined.follow(jaxpr, given)
        if not found:
            return jnp.zeros(0, bool)
        return jnp.concatenate([jnp.isnan(value.carrier).ravel() for value in found])


@contextlib.contextmanager
def _undisturbed() -> Generator[None]:
    """Nans are meant here, and what is set for the user's own programs does not apply."""
    with (
        jax.ensure_compile_time_eval(),
        jax.debug_nans(False),
        jax.debug_infs(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.transfer_guard("allow"),
    ):
        yield
