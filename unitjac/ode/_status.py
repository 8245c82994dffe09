"""How a solve may end.

Owns: the numbers of a status, and the error. Never touches: what is said of it.
"""

# pyright: basic

from __future__ import annotations

OK, OUT_OF_STEPS, NO_STEP = 0, 1, 2


class SolveError(RuntimeError):
    """An equation could not be solved until the last time."""
