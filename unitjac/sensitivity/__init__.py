"""Which input matters for which output, and in which unit.

>>> import brainunit as u
>>> from unitjac.sensitivity import sensitivity_table
>>> power = lambda p: {"P": p["U"] ** 2 / p["R"]}
>>> table = sensitivity_table(power, {"U": 6.0 * u.volt, "R": 3.0 * u.ohm})
>>> table["P", "U"].sensitivity, round(table["P", "U"].relative, 3)
(Quantity(4., "A"), 2.0)

The table, which shows itself in a notebook and in a terminal:

    sensitivity_table  every output by every input, at one point
    table_of           the same, of derivatives that are there already
    SensitivityTable   what it gives back: its rows, and a choice of them
    Sensitivity        a row: how one output answers to one input
"""

# Owns: the pairing of outputs with inputs, the relative sensitivity, the order of the rows, what is
# said of them. Never touches: how a derivative is computed, how a table is drawn.

from ._calculation import sensitivity_table, table_of
from ._table import Sensitivity, SensitivityTable

__all__ = ["Sensitivity", "SensitivityTable", "sensitivity_table", "table_of"]
