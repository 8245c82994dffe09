"""The user's own lines in a traceback.

Owns: which frames are the user's, and how a line is written in a message. Never touches: what
happened there.
"""

from __future__ import annotations

import linecache
import os
from types import TracebackType
from typing import NamedTuple

import jax

from unitjac._errors import OURS, library_folder
from unitjac._units.quantity import UNIT_FOLDERS

_OTHERS = (library_folder(jax), *UNIT_FOLDERS)
_DOOR = os.path.join(OURS, "_transforms", "traced.py")  # the one place that calls the function


class Line(NamedTuple):
    """A line of source, and the function that it stands in."""

    file: str
    number: int
    function: str

    def __str__(self) -> str:
        source = linecache.getline(self.file, self.number).strip()
        return f"{self.file}:{self.number}, in {self.function}{': ' + source if source else ''}"


def own_lines(trace: TracebackType | None) -> tuple[Line, ...]:
    """The lines of a traceback that are the user's, the innermost last.

    Those of the function that a transform calls, where there is one: a model of ours that is
    differentiated counts as the user's.
    """
    lines: list[Line] = []
    is_inside = False
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == _DOOR:
            lines, is_inside = [], True  # what is outside of the function is left out
        elif not code.co_filename.startswith(_OTHERS):
            lines.append(Line(code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    users = tuple(line for line in lines if not line.file.startswith(OURS))
    return users or (tuple(lines) if is_inside else ())
