"""Exceptions as the one message that a person at a terminal needs.

Owns: which exception is the user's input and which is the model's own failure, the exit codes,
the words. Never touches: what was being computed.
"""

from __future__ import annotations

import difflib
import os
import runpy
import traceback
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from types import TracebackType

import brainunit as u
import click
import jax

from unitjac._errors import OURS, library_folder
from unitjac._units.quantity import UNIT_FOLDERS

__all__ = ["BadInput", "ModelFailed", "alike", "explained", "place_of"]


class BadInput(click.ClickException):
    """What was typed or what stands in a file cannot be used."""

    exit_code = 2


class ModelFailed(click.ClickException):
    """The user's function raised for reasons of its own."""

    exit_code = 1


def alike(name: str, known: Iterable[str], n: int = 1) -> list[str]:
    """Up to `n` of the known names for which `name` may be a slip, another case first."""
    names = list(known)
    same = [other for other in names if other.lower() == name.lower()]
    return same or difflib.get_close_matches(name, names, n=n)


@contextmanager
def explained(doing: str, show_traceback: bool) -> Generator[None]:
    """Turn any exception of the block into a message that says what was being done, and where.

    Parameters
    ----------
    doing : str
        What the block does, as the subject of ``failed``.
    show_traceback : bool
        Print the whole traceback in front of the message.
    """
    try:
        yield
    except Exception as error:
        if show_traceback:
            traceback.print_exc()
        if isinstance(error, click.ClickException):
            raise
        raise _explanation(error, doing) from None


def _explanation(error: Exception, doing: str) -> click.ClickException:
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    where = place_of(error)
    if _raised_by_units(error):
        return BadInput(f"{doing}: the units do not fit{where}.\n{said}")
    if _raised_in(error.__traceback__, OURS):
        return BadInput(f"{doing}: {error}")
    return ModelFailed(f"{doing} failed{where}.\n{said}")


def place_of(error: Exception) -> str:
    """The last line of the user's that an exception came through, or an empty text."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError):
        return f" in {os.path.basename(error.filename or '')}, line {error.lineno}"
    own = [frame for frame in frames if not frame.filename.startswith(_NOT_THE_USERS)]
    if not own:
        return ""
    last = own[-1]
    line = f": {last.line}" if last.line else ""
    return f" in {os.path.basename(last.filename)}, line {last.lineno}{line}"


def _raised_by_units(error: Exception) -> bool:
    return isinstance(error, u.UnitMismatchError | u.DimensionMismatchError) or _raised_in(
        error.__traceback__, UNIT_FOLDERS
    )


def _raised_in(trace: TracebackType | None, folder: str | tuple[str, ...]) -> bool:
    frames = traceback.extract_tb(trace)
    return bool(frames) and frames[-1].filename.startswith(folder)


# The unit package may be a thin front of another one, in whose files its errors are raised.
_NOT_THE_USERS = (OURS, *UNIT_FOLDERS, library_folder(jax), library_folder(runpy), "<")
