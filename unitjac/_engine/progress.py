"""A bar that moves with the chunks, from inside a compiled program.

Owns: the bar. Never touches: arrays.
"""

from __future__ import annotations

import threading
from typing import Any

from unitjac._errors import needing


class Progress:
    """A bar for ``total`` steps; it opens at the first, and closes at the last.

    Raises
    ------
    ImportError
        If tqdm is not installed.
    """

    def __init__(self, total: int):
        with needing("progress=True", "tqdm", "progress"):
            from tqdm.auto import tqdm
        self._tqdm = tqdm
        self._total = total
        self._bar: Any = None
        self._lock = threading.Lock()

    def step(self) -> None:
        """One chunk is done. A compiled program that runs again opens a new bar."""
        with self._lock:
            if self._bar is None:
                self._bar = self._tqdm(total=self._total, desc="Jacobian", unit="chunk")
            self._bar.update()
            if self._bar.n >= self._total:
                self._bar.close()
                self._bar = None
