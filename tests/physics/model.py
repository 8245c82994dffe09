"""What a row of the table is: one physical model, written once for JAX and once for sympy.

Owns `Model` and the quantities built from its numbers. It never differentiates anything, and it
never imports sympy: the law stays text until the judge reads it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax.numpy as jnp

Number = float | Sequence[float]
Law = str | tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Model:
    """One model: its parameters, its law for sympy, and its function for JAX.

    Parameters
    ----------
    name
        The model's name; it names the test.
    field
        The branch of science.
    parameters
        From a parameter's name to its value and the text of its unit. A sequence of numbers is a
        vector; the law writes its entries ``T[0]``, ``T[1]``, ...
    outputs
        From an output's name to its law and the text of the unit in which `function` gives it. The
        law is sympy text over the parameters' names and the constants that the judge knows. A
        tuple of texts is a vector.
    function
        The same model by hand with ``brainunit.math``: it takes the parameters by name as
        quantities and gives a dict of outputs.
    """

    name: str
    field: str
    parameters: Mapping[str, tuple[Number, str]]
    outputs: Mapping[str, tuple[Law, str]]
    function: Callable[..., dict[str, Any]]

    def quantities(self) -> dict[str, Any]:
        """Give the parameters as quantities, in the precision that JAX is set to."""
        return {name: quantity(*entry) for name, entry in self.parameters.items()}

    def __call__(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Evaluate the model: a function of one tree, as the Jacobian wants it."""
        return self.function(**parameters)


def quantity(value: Number, unit: str) -> Any:
    """Give a JAX number with its unit, a plain array where the unit is ``"1"``."""
    magnitude = jnp.asarray(value, float)
    return magnitude if unit == "1" else u.Quantity(magnitude, unit=u.parse_unit(unit))
