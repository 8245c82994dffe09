"""How the program ends where it cannot go on: no reader, no room, an interruption.

Owns: the group of commands, and the exit codes of what is nobody's mistake. Never touches: what the
commands do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Any

import click

__all__ = ["Program"]

_INTERRUPTED = 128 + signal.SIGINT


class Program(click.Group):
    """Commands of which none ends in a traceback for what happens outside of the program."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run, and say in a line why the output could not be written.

        A reader that has seen enough, as ``head``, is told nothing: click sees to that.
        """
        try:
            return super().main(*args, **extra)
        except OSError as error:
            _without_output()
            click.echo(f"Error: cannot write the output: {error.strerror or error}.", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and end as a shell expects it where it is interrupted."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(_INTERRUPTED)


def _without_output() -> None:
    """Let go what is not written yet: Python would try it once more at its end, and fail."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
