"""Pictures of derivatives, in one style that works on white and on dark backgrounds.

>>> import brainunit as u
>>> from unitjac.plot import tornado
>>> from unitjac.sensitivity import sensitivity_table
>>> ohm = lambda p: {"I": p["U"] / p["R"]}
>>> table = sensitivity_table(ohm, {"U": 6.0 * u.volt, "R": 3.0 * u.ohm})
>>> ax = tornado(table)

Pictures:

    tornado    what one output depends on most, as bars
    heatmap    a table of sensitivities or a matrix, as coloured cells
    over_time  blocks against time
    courses    states against time
    spy        which entries of a large matrix there are

Each needs matplotlib (``pip install 'unitjac[plot]'``), gives back its
axes, draws into ``ax=`` where that is given, and changes no setting of
matplotlib. Without ``ax`` it draws into a figure of pyplot, so that a
notebook shows it; ``plt.close(ax.figure)`` lets go of it.
"""

# Owns: the names of the pictures. Never touches: derivatives, settings of matplotlib.

from ._courses import courses
from ._heatmap import heatmap
from ._over_time import over_time
from ._spy import spy
from ._tornado import tornado

__all__ = ["courses", "heatmap", "over_time", "spy", "tornado"]
