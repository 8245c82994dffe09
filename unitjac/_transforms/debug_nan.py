"""``debug_nan=True``: a call of which nothing is handed over unless all of it is finite.

Owns: the check of a call before any state is written, and what is looked through where it fails.
Never touches: how a derivative is computed; what is said of a number that is not finite.

Nothing is looked for as long as all is finite: then the check is one pass over the numbers. Where
it is not, the function and its derivative are traced once more, and run operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._engine.dtypes import is_inexact
from unitjac._errors import has_tracer, is_arraylike, path_text
from unitjac._states.state import StateTrace, commit
from unitjac._units.quantity import strip

from .nan_search import Part, Search
from .traced import Traced
from .uncut import cut_out

Call = Callable[[tuple[Any, ...], dict[str, Any]], Any]


@jax.tree_util.register_pytree_node_class
class Flagged:
    """What a call gives back, and whether all of its value and derivative is finite."""

    __slots__ = ("finite", "result")

    def __init__(self, result: Any, finite: Any):
        self.result = result
        self.finite = finite

    def tree_flatten(self) -> tuple[tuple[Any, Any], None]:
        """Both as children."""
        return (self.result, self.finite), None

    @classmethod
    def tree_unflatten(cls, _: None, children: Any) -> Flagged:
        """The inverse of :meth:`tree_flatten`."""
        return cls(*children)


class Checked:
    """A call of which nothing is handed over, no state either, unless all of it is finite.

    Parameters
    ----------
    call : callable
        It gives a :class:`Flagged`.
    search : callable
        From the arguments of a call to the search for what is not finite.
    title : str
        The transform and its function.
    """

    def __init__(self, call: Call, search: Callable[..., Search], title: str):
        self._call = call
        self._search = search
        self._title = title

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with StateTrace() as trace:
            flagged = self._call(args, kwargs)
        check(flagged.finite, lambda: self._search(args, kwargs), self._title)
        commit(trace.outcome())
        return cut_out(flagged.result)


def search_of(
    title: str,
    trace: Callable[[], Traced],
    parts: Callable[[Traced, list[Any]], list[Part]],
    seeds: Sequence[Part] = (),
) -> Search:
    """The search in a call of a transform.

    Parameters
    ----------
    title : str
        The transform and its function.
    trace : callable
        The function at the arguments of the call, ready to be traced.
    parts : callable
        What is made of the function and the magnitudes of the seeds.
    seeds : sequence of Part
        What is pushed or pulled, where the user gave it.
    """
    inputs = trace().inputs
    count = len(inputs.active)
    seen: list[Traced] = []

    def traced_at(leaves: list[Any]) -> Traced:
        traced = trace()
        traced.inputs = inputs.with_leaves(leaves[:count])
        return traced

    def value(leaves: list[Any]) -> list[Part]:
        traced = traced_at(leaves)
        magnitudes, _ = traced(leaves[:count])
        seen[:] = [traced]
        rows = zip(traced.output_labels, magnitudes, traced.outputs.units, strict=True)
        return [Part(f"the value of {label}", m, unit) for label, m, unit in rows]

    taken = [Part(inputs.labels[j], inputs.magnitudes[j], inputs.units[j]) for j in inputs.active]
    return Search(
        title,
        [*taken, *seeds],
        value,
        lambda leaves: parts(traced_at(leaves), leaves[count:]),
        lambda: list(_fixed(seen[0])),
    )


def _fixed(traced: Traced) -> Iterator[Part]:
    """The arguments that are not differentiated, and the states that are read and are not."""
    inputs = traced.inputs
    trees = {f"argument {n}": x for n, x in enumerate(inputs.args) if n not in inputs.positions}
    trees |= {f"argument {name!r}": x for name, x in traced.kwargs.items()}
    chosen = inputs.selection.states
    trees |= {repr(state): state.value for state in traced.reads if state not in chosen}
    for label, tree in trees.items():
        stripped = strip(tree)
        for path, m, unit in zip(stripped.paths, stripped.magnitudes, stripped.units, strict=True):
            if is_arraylike(m):
                yield Part(path_text(label, path), m, unit)


def all_finite(tree: Any) -> Any:
    """Whether each number in a tree is finite, as one array."""
    flags = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree) if is_inexact(leaf)]
    return jnp.all(jnp.stack(flags)) if flags else np.True_


def check(finite: Any, search: Callable[[], Search], title: str) -> None:
    """Raise where a call gave a number that is not finite.

    Raises
    ------
    FloatingPointError
        If it did, with what was found.
    ValueError
        If the call is traced, so that there are no numbers yet.
    """
    if not has_tracer(finite):
        if finite:
            return
        from .nan_report import raise_found  # which is wanted in this case only

        with StateTrace():  # what is written in here is dropped
            found = search()
            if not has_tracer([part.magnitude for part in found.inputs]):
                raise_found(found)
    raise ValueError(
        f"debug_nan=True of {title} looks at numbers, and this call is traced (by jax.jit, "
        "jax.vmap, jax.grad, lax.scan or the like), so that there are none yet. Call it outside of "
        "that (jit=True compiles it and checks the result), or run what is around it under "
        "jax.disable_jit()."
    )
