"""What people see: results described once, and rendered as text, HTML, Markdown, CSV and frames.

A result describes itself as a :class:`Report` of typed columns; whatever shows it, a terminal, a
notebook or a page, renders that one description.

Owns: the description and its renderers. Never touches: arrays of JAX, units (here they are texts),
derivatives.
"""

from .columns import Bar, Column, Label, Number, Unit, Verdict, Words
from .displayed import Displayed
from .numbers import aligned, full_text, number_text, value_text
from .report import Facts, Heat, Point, Report, Section, Table

__all__ = [
    "Bar",
    "Column",
    "Displayed",
    "Facts",
    "Heat",
    "Label",
    "Number",
    "Point",
    "Report",
    "Section",
    "Table",
    "Unit",
    "Verdict",
    "Words",
    "aligned",
    "full_text",
    "number_text",
    "value_text",
]
