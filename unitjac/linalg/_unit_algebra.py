"""Units of rows and columns multiplied and divided, and what all of some units share.

Owns: this algebra, in which plain leaves stay plain. Never touches: axes, the entries of a matrix.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from unitjac._units.quantity import (
    Unit,
    is_dimensionless,
    same_dimension,
    unit_product,
    unit_ratio,
)

__all__ = ["common_unit", "odd_one", "product", "quotient"]


def quotient(over: Unit | None, under: Unit | None) -> Unit | None:
    """One unit over another; None where both leaves are plain, so that plain ones stay plain."""
    return None if over is None and under is None else unit_ratio(over, under)


def product(one: Unit | None, other: Unit | None) -> Unit | None:
    """The product of two units; None where both leaves are plain."""
    return None if one is None and other is None else unit_product(one, other)


def common_unit(units: Sequence[Unit | None]) -> Unit | None:
    """The unit that all of some units are, up to a number; None where that is a number itself."""
    return None if not units or is_dimensionless(units[0]) else units[0]


def odd_one(units: Sequence[Unit | None]) -> int | None:
    """The first of some units whose dimension is not that of the one before; None if none is."""
    for k, (unit, other) in enumerate(itertools.pairwise(units), start=1):
        if not same_dimension(unit, other):
            return k
    return None
