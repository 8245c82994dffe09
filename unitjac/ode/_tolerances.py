"""How exact each number of the state is to be.

Owns: absolute tolerances in the units of the equation. Never touches: how steps are chosen.
"""

# pyright: basic

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._errors import has_tracer
from unitjac._units.quantity import same_dimension, unit_ratio
from unitjac.linalg import Axis

from ._problem import Numbers, Problem
from ._program import compiled

# Of the typical size of a leaf this part, times rtol, is its absolute tolerance.
PART = 1e-2


def check_rtol(rtol: Any) -> float:
    """A relative tolerance, as a number."""
    if not isinstance(rtol, float | int | np.floating) or not 0 < float(rtol) < 1:
        raise ValueError(
            f"rtol must be a number between 0 and 1, such as 1e-6, got {rtol!r}. It is static: "
            "no array of a program that is being traced."
        )
    return float(rtol)


def given(problem: Problem, atol: Any) -> Any:
    """The tolerances that somebody gave: a quantity for each leaf, one number or all of them."""
    axis, leaves = problem.states, []
    tree = axis.treedef.flatten_up_to(atol) if not axis.is_leaf else [atol]
    for leaf, shape in zip(tree, axis.shapes, strict=True):
        leaves.append(leaf if np.shape(leaf) == shape else leaf * np.ones(shape))
    vector = axis.to_vector(axis.treedef.unflatten(leaves), "atol")
    if not has_tracer(vector) and not bool(jnp.all(vector >= 0)):
        raise ValueError("atol holds a negative number or nan. Tolerances are sizes.")
    return jnp.asarray(vector, problem.numbers.y.dtype)


def typical(problem: Problem, rtol: float) -> Any:
    """Tolerances from the typical size of each leaf, in whatever unit it is.

    A leaf is as large as its largest number at the start. One that starts at zero is as large as
    what its slopes there, at any time, would make of it until the end, and no larger than other
    leaves of its dimension.
    """
    axis, equation = problem.states, problem.equation
    held = jax.lax.stop_gradient(problem.numbers)
    span = held.t[-1] - held.t[0]

    def make() -> Callable[[Numbers], Any]:
        def slopes(numbers: Numbers) -> Any:
            def at(t: Any) -> Any:
                return equation.rhs(numbers.closed[0], t, numbers.y, numbers.p)

            return jax.vmap(at)(jnp.concatenate([numbers.t, numbers.breaks]))

        return slopes

    slopes = compiled(("slopes at the start", equation.text), equation, make)(held)
    sizes = [jnp.max(jnp.abs(part), initial=0.0) for part in axis.cut(held.y)]
    grown = [jnp.max(jnp.abs(part), initial=0.0) * span for part in axis.cut(slopes.T)]
    found = [_size(axis, k, sizes, grown) for k in range(len(sizes))]
    if not has_tracer(found):
        _check(axis, [float(size) for size in found])
    pairs = zip(found, axis.sizes, strict=True)
    return PART * rtol * jnp.concatenate([jnp.full(count, size) for size, count in pairs])


def _size(axis: Axis, k: int, sizes: list[Any], grown: list[Any]) -> Any:
    alike = [
        sizes[j] * unit_ratio(axis.units[j], axis.units[k]).magnitude
        for j in range(len(sizes))
        if same_dimension(axis.units[j], axis.units[k]) and j != k
    ]
    others = jnp.max(jnp.stack(alike)) if alike else jnp.zeros_like(sizes[k])
    least = jnp.where(
        (others > 0) & (grown[k] > 0), jnp.minimum(others, grown[k]), jnp.maximum(others, grown[k])
    )
    return jnp.where(sizes[k] > 0, sizes[k], least)


def _check(axis: Axis, sizes: list[float]) -> None:
    for label, size in zip(axis.labels, sizes, strict=True):
        if size == 0:
            raise ValueError(
                f"y0 of {label or 'the state'} is zero and so is its slope: nothing tells how "
                "large it is. Give atol= a tree like y0, with a quantity for each leaf."
            )
