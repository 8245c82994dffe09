"""Tables of results, and the machine they were taken on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

import brainunit
import jax
from rich.console import Console
from rich.table import Table

from .race import Result

console = Console()


def show(title: str, results: Sequence[Result], note: str = "") -> None:
    """Print times and ratios."""
    table = Table("", "time", "ratio", title=title, title_justify="left", caption=note or None)
    for result in results:
        table.add_row(result.name, seconds_text(result.seconds), f"{result.ratio:.3g}")
    console.print(table)


def rows(title: str, header: Sequence[str], lines: Sequence[Sequence[str]], note: str = "") -> None:
    """Print a table of text."""
    table = Table(*header, title=title, title_justify="left", caption=note or None)
    for line in lines:
        table.add_row(*line)
    console.print(table)


def seconds_text(seconds: float) -> str:
    """A time in the unit that a person would choose."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def bytes_text(count: float) -> str:
    """A size in the unit that a person would choose."""
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def machine() -> str:
    """Processor, cores and versions."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            name = next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass
    return (
        f"{name}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"JAX {jax.__version__}, brainunit {brainunit.__version__}; {jax.devices()[0].platform}"
    )
