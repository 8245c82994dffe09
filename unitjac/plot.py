"""A picture of a table of sensitivities.

Owns: that one picture. Needs matplotlib, which it imports when it draws. Never touches:
derivatives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import needing
from .sensitivity import SensitivityTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_sensitivities"]


def plot_sensitivities(table: SensitivityTable, ax: Axes | None = None) -> Axes:
    """Draw the relative sensitivities as a map: outputs down, parameters across.

    Blue: the size of the output grows with that of the parameter; orange: it shrinks. An empty
    cell is no effect, a dash a relative sensitivity that is undefined.

    Parameters
    ----------
    table : SensitivityTable
        What is drawn.
    ax : matplotlib.axes.Axes, optional
        Where it is drawn; by default in a new figure of fitting size.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, for whoever wants to add to them.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.sensitivity import sensitivity_table
    >>> ohm = lambda p: {"I": p["U"] / p["R"]}
    >>> table = sensitivity_table(ohm, {"U": 6.0 * u.volt, "R": 3.0 * u.ohm})
    >>> ax = plot_sensitivities(table)
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['U', 'R']
    """
    outputs, parameters = list(table.outputs), list(table.inputs)
    relative = {(row.output, row.parameter): row.relative for row in table.rows}
    cells = [[relative.get((o, p), 0.0) for p in parameters] for o in outputs]
    ax = _new_axes(len(outputs), len(parameters)) if ax is None else ax
    _draw(ax, cells)
    ax.set_xticks(range(len(parameters)), parameters)
    ax.set_yticks(range(len(outputs)), outputs)
    ax.set_title(
        "Relative sensitivity: % of the output for 1 % of the parameter", fontsize=10, pad=10
    )
    return ax


def _draw(ax: Axes, cells: list[list[float | None]]) -> None:
    from matplotlib.colors import LinearSegmentedColormap, SymLogNorm

    numbers = np.array([[np.nan if cell is None else cell for cell in row] for row in cells])
    limit = max(1.0, float(np.nanmax(np.abs(numbers), initial=0.0)))
    colors = LinearSegmentedColormap.from_list("sensitivity", ["#d9762b", "#ffffff", "#2f6fc4"])
    # Linear up to 1 and logarithmic above, so that one steep cell leaves colour to the others.
    norm: Any = SymLogNorm(1.0, vmin=-limit, vmax=limit)
    ax.imshow(numbers, cmap=colors, norm=norm, aspect="auto")
    for (i, j), number in np.ndenumerate(numbers):
        if number != 0.0:
            text = "—" if np.isnan(number) else f"{number:.2g}"
            ink = "white" if abs(norm(number) - 0.5) > 0.35 else "#1d2330"
            ax.text(j, i, text, ha="center", va="center", fontsize=9, color=ink)
    ax.set_xticks(np.arange(len(numbers.T) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(numbers) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="#e4e6ea")
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)


def _new_axes(rows: int, columns: int) -> Axes:
    with needing("a picture", "matplotlib", "plot"):
        import matplotlib.pyplot as plt
    size = (1.6 + 0.72 * columns, 1.1 + 0.46 * rows)
    return plt.subplots(figsize=size, layout="constrained")[1]
