"""What is looked at: the displays by their names, each with what makes its HTML.

Owns: the two tables, and one small maker for each entry. A new display is entered here.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from click.testing import CliRunner
from jax.experimental.sparse import BCOO

import unitjac
from unitjac._cli import main
from unitjac.linalg import UnitMatrix, covariance, jacobian_matrix
from unitjac.models import hodgkin_huxley as hh
from unitjac.sensitivity import sensitivity_table

from .frames import FRAMES


def ohm(p: dict[str, u.Quantity]) -> dict[str, u.Quantity]:
    return {"I": p["U"] / p["R"], "P": p["U"] ** 2 / p["R"]}


OHM = {"U": 6.0 * u.volt, "R": 3.0 * u.kohm}


def membrane_matrix() -> UnitMatrix:
    return jacobian_matrix(hh.membrane)(hh.membrane_inputs())


def large_matrix() -> UnitMatrix:
    """Numbers over many decades, in blocks of several units."""
    values = np.random.default_rng(3).lognormal(0, 4, (90, 70)) * np.sign(np.arange(70) % 3 - 1)
    rows = {"V": jnp.ones(60) * u.mV, "a_gate_with_a_long_name": jnp.ones(30)}
    return UnitMatrix(jnp.array(values), rows, {"g": jnp.ones(40) * u.nS, "E": jnp.ones(30) * u.mV})


def sparse_matrix(size: int) -> UnitMatrix:
    bands = jnp.eye(size) - 0.5 * jnp.eye(size, k=1)
    return UnitMatrix(BCOO.fromdense(bands), jnp.ones(size) * u.mV, {"w": jnp.ones(size) * u.nA})


def blocks() -> dict[str, Any]:
    return unitjac.jacrev(hh.membrane, unit_aware=True)(hh.membrane_inputs())


def anything() -> dict[str, Any]:
    """What a tree may hold."""
    return {
        "z": jnp.arange(200.0) * u.mV,
        "soma": {"w": jnp.ones(3), "k": 2 * u.nS, "C": 1.0 * u.uF / u.cm**2},
        "a_key_of_which_the_name_is_longer_than_a_line_of_a_narrow_page": 1e-12,
        "<b>text</b>": "<i>text</i> & more",
        "complex": (1 + 2j) * u.mV,
        "whole": np.zeros((2, 2), jax.dtypes.float0),
        "nothing": None,
    }


def plan() -> str:
    return unitjac.jacobian(hh.membrane, unit_aware=True).plan(hh.membrane_inputs()).to_html()


def state() -> str:
    return unitjac.State({"V": -65.0 * u.mV, "g": jnp.arange(9.0) * u.nS}, name="soma").to_html()


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
    "matrix": lambda: jacobian_matrix(ohm)(OHM).to_html(),
    "matrix of the membrane": lambda: membrane_matrix().to_html(),
    "large matrix": lambda: large_matrix().to_html(),
    "sparse matrix": lambda: sparse_matrix(300).to_html(),
    "small sparse matrix": lambda: sparse_matrix(8).to_html(),
    "covariance": lambda: covariance({"g": 0.3 * u.nS, "E": 2.0 * u.mV, "k": 0.1}).to_html(),
    "correlation": lambda: covariance({"g": 0.3 * u.nS, "E": 2.0 * u.mV}).correlation().to_html(),
    "axis": lambda: membrane_matrix().cols.to_html(),
    "plan": plan,
    "state": state,
    "blocks": lambda: unitjac.show(blocks()).to_html(),
    "tree": lambda: unitjac.show(anything()).to_html(),
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
