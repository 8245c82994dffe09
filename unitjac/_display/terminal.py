"""Reports on standard output: colours on a terminal, plain text in a file or a pipe.

Owns: what standard output can show. Never touches: layout.
"""

from __future__ import annotations

import io
import sys

from rich.console import Console

from .report import Report
from .text import WIDTH_OF_A_FILE, rendered

__all__ = ["print_report"]


def print_report(report: Report) -> None:
    """Print a report, in the width and with the characters that standard output has."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A unit or a name that the terminal's encoding has not is no reason to fail.
        sys.stdout.reconfigure(errors="replace")
    is_terminal = sys.stdout.isatty()
    out = Console(highlight=False, width=None if is_terminal else WIDTH_OF_A_FILE)
    shown = rendered(report, out.width, out.encoding.lower().startswith("utf"))
    if is_terminal:
        out.print(shown)
        return
    with out.capture() as captured:
        out.print(shown)
    # Columns are padded to their width, which a file need not hold.
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))
