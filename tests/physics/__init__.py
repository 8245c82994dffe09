"""The table of physical models, each written for JAX and for sympy, and the judge between them.

A model is a row in the list of its field. To add one, add a row: every test reads the table.
"""

from .chemistry import CHEMISTRY
from .electricity import ELECTRICITY
from .heat import HEAT
from .mechanics import MECHANICS
from .model import Model
from .neuroscience import NEUROSCIENCE
from .optics import OPTICS

MODELS: tuple[Model, ...] = (
    *MECHANICS,
    *ELECTRICITY,
    *HEAT,
    *CHEMISTRY,
    *OPTICS,
    *NEUROSCIENCE,
)

__all__ = ["MODELS", "Model"]
