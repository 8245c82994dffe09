"""A table of sensitivities as one HTML page that needs nothing beside it.

Owns: filling the template ``page.html``. Never touches: terminals.
"""

from __future__ import annotations

from importlib.resources import files

import jinja2
from markupsafe import Markup

from unitjac import __version__
from unitjac._cli.job import Job
from unitjac._cli.view import groups, point
from unitjac._unit_markup import markup
from unitjac.sensitivity import SensitivityTable

__all__ = ["as_page"]


def as_page(job: Job, table: SensitivityTable, *, zeros: bool, top: int | None) -> str:
    """The page's text, in UTF-8."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["unit"] = _unit
    template = environment.from_string(
        files("unitjac._cli").joinpath("page.html").read_text("utf-8")
    )
    return template.render(
        job=job,
        point=point(table.inputs, job.texts),
        groups=groups(table, job.texts, zeros=zeros, top=top, dash="—"),
        undefined=any(row.relative is None for row in table.rows),
        version=__version__,
    )


def _unit(text: str) -> Markup:
    return Markup(markup(text))
