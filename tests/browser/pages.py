"""What is looked at: the displays by their names, each with what makes its HTML.

Owns: the two tables, and one small maker for each entry. A new display is entered here.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import brainunit as u
from click.testing import CliRunner

from unitjac._cli import main
from unitjac.linalg import jacobian_matrix
from unitjac.models import hodgkin_huxley as hh
from unitjac.sensitivity import sensitivity_table

from .frames import FRAMES


def matrix() -> str:
    """A few numbers in several units."""

    def ohm(p: dict[str, u.Quantity]) -> dict[str, u.Quantity]:
        return {"I": p["U"] / p["R"], "P": p["U"] ** 2 / p["R"]}

    return jacobian_matrix(ohm)({"U": 6.0 * u.volt, "R": 3.0 * u.kohm})._repr_html_()


def table() -> str:
    """The sensitivities of the membrane."""
    return sensitivity_table(hh.membrane, hh.membrane_inputs(), jit=True).to_html()


def hostile_table() -> str:
    """Names that are long, or would be HTML; an output of rounding, one that cancels, one at 0."""
    long = "a_conductance_of_which_the_name_is_longer_than_a_line_of_a_narrow_page"
    point = {"<b>x</b>": 1.0 * u.nA, "y & z": 0.9999 * u.nA, long: 3.0 * u.nS}

    def differences(p: dict[str, u.Quantity]) -> dict[str, u.Quantity]:
        return {
            "<script>alert(1)</script>": p["<b>x</b>"] - p["y & z"],
            "zero": p[long] - p[long],
            f"d{long}/dt": p[long] ** 2 / (p["<b>x</b>"] ** 3 * p["y & z"]),
        }

    return sensitivity_table(differences, point).to_html()


def page_of_the_program() -> str:
    """What ``unitjac sensitivity hodgkin-huxley --html`` writes."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "page.html")
        done = CliRunner().invoke(
            main, ["sensitivity", "hodgkin-huxley", "--html", str(path), "--no-cache"]
        )
        assert done.exit_code == 0, done.output
        return path.read_text(encoding="utf-8")


# what a notebook shows in a cell
DISPLAYS: dict[str, Callable[[], str]] = {
    "matrix": matrix,
    "table": table,
    "hostile table": hostile_table,
}

# what is a whole page
PAGES: dict[str, Callable[[], str]] = {"program": page_of_the_program}


def framed(make: Callable[[], str], frame: Callable[[str], str]) -> Callable[[], str]:
    return lambda: frame(make())


ALL = PAGES | {
    f"{name}, {where}": framed(make, frame)
    for name, make in DISPLAYS.items()
    for where, frame in FRAMES.items()
}
