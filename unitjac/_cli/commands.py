"""The commands and their options.

Owns: what can be typed. Never touches: how it is computed or laid out.

What takes its time to import, JAX above all, is imported in the command that needs it: help and the
version come at once.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unitjac import __version__
from unitjac._cli.program import Program

if TYPE_CHECKING:
    from unitjac.sensitivity import SensitivityTable

__all__ = ["main"]

_EXAMPLES = """\b
Examples:
  unitjac sensitivity hodgkin-huxley
  unitjac sensitivity hodgkin-huxley --set V="-50 mV"
  unitjac sensitivity model.py:f --params params.toml
"""


@click.group(
    cls=Program,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="unitjac")
def main() -> None:
    """Sensitivities of models, with the unit on each number."""


@main.command(short_help="List the built-in models.")
@click.option(
    "--json", "to_json", is_flag=True, help="Print JSON: name, summary and point of each."
)
def models(to_json: bool) -> None:
    """List the built-in models."""
    with _without_matplotlib():
        from unitjac.models import BUILT_IN
    if to_json:
        listed = [
            {"name": m.name, "summary": m.summary, "point": m.point} for m in BUILT_IN.values()
        ]
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
    else:
        from unitjac._cli.shown import of_models
        from unitjac._display.terminal import print_report

        print_report(of_models(BUILT_IN.values()))


@main.command(
    short_help="Print how each output of MODEL depends on each of its parameters.",
    epilog=_EXAMPLES,
)
@click.argument("model")
@click.option(
    "--params",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='TOML file of parameters, as in g_Na = "120 mS/cm^2".',
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help='Set one parameter, as in --set V="-50 mV". Can be repeated.',
)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="NAME",
    help="Show this output only. Can be repeated.",
)
@click.option(
    "--top", type=click.IntRange(min=1), metavar="N", help="Show the first N rows of each output."
)
@click.option("--zeros", is_flag=True, help="Show a row also for parameters without effect.")
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a page of HTML to FILE, in place of the table.",
)
@click.option(
    "--csv",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write all rows to FILE as comma-separated values, in place of the table; - prints them.",
)
@click.option("--markdown", "to_markdown", is_flag=True, help="Print the table in Markdown.")
@click.option("--json", "to_json", is_flag=True, help="Print JSON, all numbers in full.")
@click.option(
    "--x64/--no-x64",
    default=True,
    show_default=True,
    help="Compute in double precision: for one table it costs nothing, and differences of "
    "near-equal numbers keep their digits.",
)
@click.option(
    "--cache/--no-cache",
    default=True,
    show_default=True,
    help="Keep what JAX compiles for the next run, in your cache folder or in the one that the "
    "environment variable UNITJAC_CACHE names; empty or 0 does without.",
)
@click.option("--traceback", is_flag=True, help="On failure, print Python's traceback too.")
def sensitivity(
    model: str,
    params: Path | None,
    settings: tuple[str, ...],
    outputs: tuple[str, ...],
    top: int | None,
    zeros: bool,
    html: Path | None,
    csv: Path | None,
    to_markdown: bool,
    to_json: bool,
    x64: bool,
    cache: bool,
    traceback: bool,
) -> None:
    """Print how each output of MODEL depends on each of its parameters.

    MODEL is the name of a built-in model, or path/to/model.py:function (or
    package.module:function) for a function of yours that takes a dict of quantities, or an
    argument by name for each, and returns quantities.
    """
    if cache:
        from unitjac._cli.cache import keep_programs

        keep_programs()
    # Code of the user's may draw quantities, or not compile; a built-in model is known to be fine.
    built_in = ":" not in model
    with _without_matplotlib() if built_in else contextlib.nullcontext():
        import jax

        from unitjac._cli.failures import explained
        from unitjac._cli.job import prepare, table_of
        from unitjac._cli.shown import Shown
    with explained(model, traceback):
        with jax.enable_x64(x64), contextlib.redirect_stdout(sys.stderr):
            # What a model prints must not end up in the middle of a JSON document.
            job = prepare(model, params, settings)
            table = _chosen(table_of(job, jit=built_in), outputs, top)
        shown = Shown(job, table, zeros)
        written = [(html, shown.to_page), (csv, shown.to_csv)]
        texts = [(path, text()) for path, text in written if path is not None]
    for path, text in texts:
        _save(path, text)
    if to_json:
        from unitjac._cli.json import as_json

        click.echo(as_json(job, table, "float64" if x64 else "float32"))
    elif to_markdown:
        click.echo(shown.to_markdown(), nl=False)
    elif not texts:
        from unitjac._display.terminal import print_report

        print_report(shown.report())


@contextlib.contextmanager
def _without_matplotlib() -> Generator[None]:
    """Import brainunit in here without matplotlib, which it teaches its units where there is one.

    That takes half of the time of all that is imported after JAX.
    """
    if "brainunit" in sys.modules or "matplotlib" in sys.modules or not find_spec("matplotlib"):
        yield
        return
    sys.modules["matplotlib"] = None  # type: ignore[assignment]  # Python's sign for "not there"
    try:
        yield
    finally:
        del sys.modules["matplotlib"]


def _chosen(table: SensitivityTable, outputs: tuple[str, ...], top: int | None) -> SensitivityTable:
    from unitjac._cli.failures import BadInput
    from unitjac._cli.quantities import twin_of

    # as the function writes them: µ may be one of two letters
    names = [twin_of(name, table.outputs) or name for name in outputs]
    try:
        chosen = table.select(names) if names else table
    except KeyError as error:
        raise BadInput(f"--output: {error.args[0]}") from None
    return chosen if top is None else chosen.top(top)


def _save(path: Path, text: str) -> None:
    from unitjac._cli.failures import BadInput

    if str(path) == "-":
        click.echo(text, nl=False)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}.") from None
    click.echo(f"Wrote {path}", err=True)
