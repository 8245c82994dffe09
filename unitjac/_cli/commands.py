"""The commands and their options.

Owns: what can be typed. Never touches: how it is computed or laid out.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click
import jax

from unitjac import __version__
from unitjac._cli.failures import BadInput, explained
from unitjac._cli.job import prepare
from unitjac._cli.json import as_json
from unitjac._cli.page import as_page
from unitjac._cli.terminal import console, print_models, print_table
from unitjac.models import BUILT_IN
from unitjac.sensitivity import SensitivityTable, sensitivity_table

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="unitjac")
def main() -> None:
    """Sensitivities of models, with the unit on each number."""


@main.command()
def models() -> None:
    """List the built-in models."""
    print_models(console(), list(BUILT_IN.values()))


@main.command()
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
@click.option("--output", "outputs", multiple=True, metavar="NAME", help="Show this output only.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Show N rows an output.")
@click.option("--zeros", is_flag=True, help="Show a row also for parameters without effect.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page.")
@click.option("--json", "to_json", is_flag=True, help="Print JSON, all numbers in full.")
@click.option(
    "--x64/--no-x64",
    default=True,
    show_default=True,
    help="Compute in double precision: for one table it costs nothing, and differences of "
    "near-equal numbers keep their digits.",
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
    to_json: bool,
    x64: bool,
    traceback: bool,
) -> None:
    """Print how each output of MODEL depends on each of its parameters.

    MODEL is the name of a built-in model, or path/to/model.py:function for a function of yours
    that takes a dict of quantities (or keyword arguments) and returns quantities.
    """
    with explained(model, traceback):
        with jax.enable_x64(x64), contextlib.redirect_stdout(sys.stderr):
            # What a model prints must not end up in the middle of a JSON document.
            job = prepare(model, params, settings)
            table = _chosen(sensitivity_table(job.function, job.inputs), outputs)
        if html is not None:
            _save(html, as_page(job, table, zeros=zeros, top=top))
        if to_json:
            shown = table if top is None else table.top(top)
            click.echo(as_json(job, shown, "float64" if x64 else "float32"))
        elif html is None:
            print_table(console(), job, table, zeros=zeros, top=top)


def _chosen(table: SensitivityTable, outputs: tuple[str, ...]) -> SensitivityTable:
    try:
        return table.select(outputs) if outputs else table
    except KeyError as error:
        raise BadInput(f"--output: {error.args[0]}") from None


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}.") from None
    click.echo(f"Wrote {path}", err=True)
