"""``debug_nan=True`` for products with a Jacobian: what is pulled back and pushed forward.

Owns: which program is looked through for a product. Never touches: when a state is written; what
is said of a number that is not finite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax

from unitjac._engine import direction
from unitjac._engine.dtypes import is_inexact
from unitjac._errors import path_text
from unitjac._units.quantity import is_quantity, magnitude_of, strip, unit_of

from .debug_nan import all_finite, check, search_of
from .nan_search import Part, Search
from .tangents import PullBack, seeds
from .traced import Traced

Trace = Callable[[], Traced]
Product = Callable[..., Any]


def check_outputs(outputs: list[Any], title: str, trace: Trace) -> None:
    """Raise where the value is not finite."""
    check(all_finite(outputs), lambda: search_of(title, trace, lambda traced, _: []), title)


def checked_pull(pull: Product, title: str, trace: Trace) -> Product:
    """``pull``, which raises where what it pulls back is not finite."""

    def checked(*cotangents: Any) -> Any:
        pulled = pull(*cotangents)

        def parts(traced: Traced, leaves: list[Any]) -> list[Part]:
            outputs, pulling, _ = direction.vjp(traced, traced.inputs.leaves, has_aux=True)
            back = PullBack(traced, outputs)(pulling, given(leaves))
            return _parts(back, "what is pulled back to", traced.inputs.labels)

        moved, given = _opened(cotangents[0], "the cotangent")
        check(all_finite(pulled), lambda: search_of(title, trace, parts, moved), title)
        return pulled

    return checked


def checked_push(push: Product, title: str, trace: Trace) -> Product:
    """``push``, which raises where what it pushes forward is not finite."""

    def checked(*tangents: Any) -> Any:
        pushed = push(*tangents)
        check(all_finite(pushed), lambda: push_search(title, trace, tangents[0]), title)
        return pushed

    return checked


def push_search(title: str, trace: Trace, tangent: Any) -> Search:
    """The search in what is pushed forward."""
    moved, given = _opened(tangent, "the tangent")

    def parts(traced: Traced, leaves: list[Any]) -> list[Part]:
        along = seeds(traced.inputs.abstract(), given(leaves))
        _, pushed, _ = direction.jvp(traced, (traced.inputs.leaves,), (along,), has_aux=True)
        return _parts(traced.outputs.attach(pushed), "the tangent of", traced.output_labels)

    return search_of(title, trace, parts, moved)


def checked_transpose(transpose: Product, title: str, trace: Trace) -> Product:
    """``transpose``, which raises where what it gives is not finite."""

    def checked(*cotangents: Any) -> Any:
        pulled = transpose(*cotangents)

        def derivative(leaves: list[Any]) -> list[Part]:
            return _parts(transpose(given(leaves)), "what is pulled back to", trace().inputs.labels)

        moved, given = _opened(cotangents[0], "the cotangent")
        search = Search(title, moved, lambda leaves: [], derivative, lambda: [])
        check(all_finite(pulled), lambda: search, title)
        return pulled

    return checked


def _opened(tree: Any, root: str) -> tuple[list[Part], Callable[[list[Any]], Any]]:
    """The leaves of a tree that hold numbers, and the tree with others in their place."""
    stripped = strip(tree)
    moved = [k for k, leaf in enumerate(stripped.magnitudes) if is_inexact(leaf)]
    paths = stripped.paths
    parts = [
        Part(path_text(root, paths[k]), stripped.magnitudes[k], stripped.units[k]) for k in moved
    ]

    def given(leaves: list[Any]) -> Any:
        magnitudes = list(stripped.magnitudes)
        for k, leaf in zip(moved, leaves, strict=True):
            magnitudes[k] = leaf
        return stripped.attach(magnitudes)

    return parts, given


def _parts(tree: Any, what: str, labels: Iterable[str]) -> list[Part]:
    leaves = jax.tree.leaves(tree, is_leaf=is_quantity)
    return [
        Part(f"{what} {label}", magnitude_of(leaf), unit_of(leaf))
        for label, leaf in zip(labels, leaves, strict=True)
        if is_inexact(magnitude_of(leaf))
    ]
