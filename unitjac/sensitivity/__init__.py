"""Which input matters for which output, and in which unit.

>>> import brainunit as u
>>> from unitjac.sensitivity import sensitivity_table
>>> table = sensitivity_table(lambda p: {"P": p["U"] ** 2 / p["R"]},
...                           {"U": 6.0 * u.volt, "R": 4.0 * u.ohm})
>>> table["P", "U"].sensitivity
Quantity(3., "A")

- :func:`sensitivity_table`: every output of a function by every input, at one point.
- :class:`SensitivityTable`: what it gives; a table in a notebook and in a terminal, a picture, a
  data frame.
- :class:`Sensitivity`: one row of it.

Owns: the pairing of outputs with inputs, the relative sensitivity, the order of the rows, what is
said of them. Never touches: how a derivative is computed, how a table is drawn.
"""

from ._calculation import sensitivity_table
from ._table import Sensitivity, SensitivityTable

__all__ = ["Sensitivity", "SensitivityTable", "sensitivity_table"]
