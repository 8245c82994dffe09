"""What a Jacobian will take, found out without computing it.

Owns: the estimate that plans show. Never touches: numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from unitjac import _typed
from unitjac._errors import abstract

from . import direction
from .dense import Modes, Pure, choose_mode
from .dtypes import Mode
from .seeds import sizes
from .sweep import Sweep, row_bytes


class Estimate(NamedTuple):
    """Mode, seeds, seeds in a chunk (None for all at once), and about how many bytes."""

    mode: Mode
    passes: int
    chunk: int | None
    memory: int


def estimate(fun: Pure, leaves: list[Any], mode: Modes, sweep: Sweep) -> Estimate:
    """The estimate for the Jacobian of ``fun`` at leaves of these shapes."""
    found: list[Estimate] = []

    def probe(inner: list[Any]) -> Any:
        outputs, push, _ = direction.linearize(fun, inner, has_aux=True)
        chosen: Mode = choose_mode(inner, outputs) if mode == "auto" else mode
        if chosen == "fwd":
            seeded, apply = inner, push
        else:
            transpose = _typed.linear_transpose(push, list(map(abstract, inner)))

            def pull(cotangents: list[Any]) -> list[Any]:
                return transpose(cotangents)[0]

            seeded, apply = outputs, pull
        rows = sum(sizes(seeded))
        each = row_bytes(apply, seeded) if inner and outputs else 0
        chunk = sweep.chunk(apply, seeded) if each else None
        entries = sum(sizes(inner)) * sum(sizes(outputs))
        width = max((np.dtype(abstract(leaf).dtype).itemsize for leaf in outputs), default=0)
        found.append(
            Estimate(chosen, rows, chunk, entries * width + each * min(chunk or rows, rows))
        )
        return ()

    jax.eval_shape(probe, list(map(abstract, leaves)))
    return found[0]
