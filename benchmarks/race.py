"""Timing several functions against each other in one process.

The functions run in turn, round after round, so that a machine that slows down slows all of
them; what is reported is the lower quartile over the rounds, and the ratio to the first one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np


@dataclass(frozen=True)
class Result:
    """One function's time, and its ratio to the baseline."""

    name: str
    seconds: float
    ratio: float


def race(
    functions: dict[str, Callable[[], object]], *, rounds: int = 40, budget: float = 0.02
) -> list[Result]:
    """Time the functions in turn; the first is the baseline.

    Each function runs about ``budget`` seconds in each round, at least once.
    """
    repeats = {}
    for name, function in functions.items():
        jax.block_until_ready(function())
        once = timed(function, 3)
        repeats[name] = max(1, int(budget / once))
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(timed(function, repeats[name]))
    lower = {name: float(np.quantile(values, 0.25)) for name, values in times.items()}
    base = next(iter(lower.values()))
    return [Result(name, t, t / base) for name, t in lower.items()]


def timed(function: Callable[[], object], repeats: int = 1) -> float:
    """The seconds that a call takes, in the mean of several."""
    start = time.perf_counter()
    result = None
    for _ in range(repeats):
        result = function()
    jax.block_until_ready(result)
    return (time.perf_counter() - start) / repeats
