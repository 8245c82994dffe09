"""Which numbers of a tree are parameters, as one vector and back.

Owns: the choice (real numbers; all else rides along), and the way back to the tree. Never touches:
the equation.
"""

# pyright: basic

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from unitjac._errors import dtype_of, is_arraylike
from unitjac._units.quantity import Stripped, attach, strip
from unitjac.linalg import Axis


def _is_parameter(leaf: Any) -> bool:
    return is_arraylike(leaf) and jnp.issubdtype(dtype_of(leaf), jnp.floating)


@dataclass(frozen=True)
class Parameters:
    """The real numbers of a tree along an axis.

    Attributes
    ----------
    axis : Axis
        Of the tree in which each other leaf is None.
    """

    stripped: Stripped
    places: tuple[int, ...]
    axis: Axis

    @classmethod
    def of(cls, tree: Any) -> Parameters:
        """The parameters of a tree, which may hold anything besides."""
        stripped = strip(tree)
        places = tuple(k for k, leaf in enumerate(stripped.magnitudes) if _is_parameter(leaf))
        return cls(stripped, places, Axis.of(_alone(stripped, places)))

    @property
    def vector(self) -> Any:
        """The numbers, in the units that they came in."""
        return self.axis.to_vector(_alone(self.stripped, self.places), "params")

    def tree(self, vector: Any) -> Any:
        """The whole tree with other numbers."""
        magnitudes = list(self.stripped.magnitudes)
        parts = self.axis.cut(vector)
        for k, part, shape in zip(self.places, parts, self.axis.shapes, strict=True):
            magnitudes[k] = part.reshape(shape)
        return self.stripped.attach(magnitudes)


def _alone(stripped: Stripped, places: tuple[int, ...]) -> Any:
    """The tree with None in place of what is no parameter."""
    leaves: list[Any] = [None] * len(stripped.units)
    for k in places:
        leaves[k] = attach(stripped.magnitudes[k], stripped.units[k])
    return stripped.treedef.unflatten(leaves)
