"""The built-in models, by the name that the command line gives them.

>>> from unitjac.models import BUILT_IN
>>> sorted(BUILT_IN)
['hodgkin-huxley', 'passive-cable']

Modules:

    hodgkin_huxley   the membrane of Hodgkin and Huxley (1952)
    cable            a cable of compartments, passive or with that membrane
    morris_lecar     the muscle fibre of Morris and Lecar (1981)
    fitzhugh_nagumo  excitability with two variables
    robertson        three species of chemistry, very stiff
    protocols        stimuli in time: steps, ramps, sines, tables

The list of models:

    BUILT_IN         each model by its name
    Model            a function, with the point at which one looks
"""

# Owns: the list of models. Never touches: differentiation; what a model computes stands in its own
# module.

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unitjac.models import (
    cable,
    fitzhugh_nagumo,
    hodgkin_huxley,
    morris_lecar,
    protocols,
    robertson,
)

__all__ = [
    "BUILT_IN",
    "Model",
    "cable",
    "fitzhugh_nagumo",
    "hodgkin_huxley",
    "morris_lecar",
    "protocols",
    "robertson",
]


@dataclass(frozen=True)
class Model:
    """A function of a dict of quantities together with the point at which one looks at it.

    Parameters
    ----------
    name : str
        What one types to get it.
    summary : str
        What it is, in a line.
    point : str
        What its inputs are, in a line.
    function : callable
        From a dict of quantities to a dict of quantities.
    inputs : callable
        Makes the default inputs, in the precision that JAX has when it is called.

    Examples
    --------
    >>> BUILT_IN["hodgkin-huxley"].inputs()["E_K"]
    Quantity(-77., "mV")
    """

    name: str
    summary: str
    point: str
    function: Callable[[dict[str, Any]], dict[str, Any]]
    inputs: Callable[[], dict[str, Any]]


_MODELS = (
    Model(
        name="hodgkin-huxley",
        summary="The membrane of Hodgkin and Huxley (1952)",
        point="First instant of a voltage clamp from -65 mV to -40 mV: the gates are still at rest",
        function=hodgkin_huxley.membrane,
        inputs=hodgkin_huxley.membrane_inputs,
    ),
    Model(
        name="passive-cable",
        summary="A passive cable with a sealed end (Rall 1959)",
        point="A dendrite of half a millimetre, from its near end",
        function=cable.constants,
        inputs=cable.constants_inputs,
    ),
)

BUILT_IN: dict[str, Model] = {model.name: model for model in _MODELS}
