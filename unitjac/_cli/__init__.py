"""The command line, ``unitjac`` and ``python -m unitjac``.

Owns: what is typed and what is printed. Never touches: derivatives; it asks for a table of
sensitivities and writes it. Nothing else in the package imports it, nor click and rich.
"""

from unitjac._cli.commands import main

__all__ = ["main"]
