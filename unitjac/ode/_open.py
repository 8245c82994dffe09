"""The libraries that the solvers are made of: diffrax, and equinox below it.

Owns: the import of both, which nobody asks for before an equation is solved. Never touches: what is
made of them.
"""

# pyright: basic

from __future__ import annotations

from typing import Any

from unitjac._errors import needing

with needing("unitjac.ode", "diffrax", "ode"):
    import diffrax
    import equinox

# neither says the types of all that it has
dfx: Any = diffrax
eqx: Any = equinox
