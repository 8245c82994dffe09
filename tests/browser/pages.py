"""What is looked at: the displays by their names, each with what makes its HTML.

Owns: the two tables, and one small maker for each entry. A new display is entered here.
"""

from collections.abc import Callable

import brainunit as u

from unitjac.linalg import jacobian_matrix

from .frames import FRAMES


def matrix() -> str:
    """A few numbers in several units."""

    def ohm(p: dict[str, u.Quantity]) -> dict[str, u.Quantity]:
        return {"I": p["U"] / p["R"], "P": p["U"] ** 2 / p["R"]}

    return jacobian_matrix(ohm)({"U": 6.0 * u.volt, "R": 3.0 * u.kohm})._repr_html_()


# what a notebook shows in a cell
DISPLAYS: dict[str, Callable[[], str]] = {
    "matrix": matrix,
}

# what is a whole page
PAGES: dict[str, Callable[[], str]] = {}


def framed(make: Callable[[], str], frame: Callable[[str], str]) -> Callable[[], str]:
    return lambda: frame(make())


ALL = PAGES | {
    f"{name}, {where}": framed(make, frame)
    for name, make in DISPLAYS.items()
    for where, frame in FRAMES.items()
}
