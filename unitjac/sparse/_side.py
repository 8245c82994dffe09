"""The rows or the columns of a sparse matrix, with what messages call each entry.

Owns: :class:`Side`. Never touches: patterns, values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unitjac._errors import index_text
from unitjac._transforms.inputs import Inputs
from unitjac.linalg import Axis
from unitjac.linalg._jacobian_matrix import axis_of_inputs


class Side(NamedTuple):
    """The leaves along the rows or the columns, and a label for each: ``argument 0['V']``."""

    axis: Axis
    labels: list[str]

    @property
    def shown_labels(self) -> list[str]:
        """The labels in the order in which the user wrote them."""
        return [self.labels[k] for k in self.axis.shown]

    def place(self, k: int) -> str:
        """What messages call the k-th entry: ``argument 0['V'][3]``."""
        starts = self.axis.offsets
        leaf = int(np.searchsorted(starts, k, side="right")) - 1
        index = np.unravel_index(k - starts[leaf], self.axis.shapes[leaf])
        return self.labels[leaf] + index_text(index)


def columns(inputs: Inputs) -> Side:
    """The differentiated inputs: those of the states, the arguments, or the pair of both."""
    return Side(axis_of_inputs(inputs), inputs.labels)
