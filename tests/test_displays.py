"""What every result object shows: text that fits, tables that read back, HTML that is escaped.

The numbers that are read back are compared with those that the objects hold, to the last digit.
"""

import contextlib
import csv
import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

import unitjac
from unitjac._display import Displayed
from unitjac.linalg import Axis, UnitMatrix, covariance, jacobian_matrix
from unitjac.models import hodgkin_huxley as hh
from unitjac.sensitivity import sensitivity_table

NAME = "a_name_that_is_longer_than_many_a_line_of_a_terminal_and_has_to_be_folded"
HOSTILE = {"<b>x|y</b>": 2.0 * u.mV, f"{NAME}\n\x1b[31m": 0.1 * u.nS, "µ *z* [1]": 1e-9 * u.nA}
WRITTEN = {"z": 1.5 * u.mV, "a": {"w": np.array([0.1, -2e-7]) * u.nS, "B": 3.0}}


@dataclass(frozen=True)
class Case:
    """A result, the names that it shows, and the numbers that its table holds, row by row."""

    shown: Displayed
    names: list[str]
    numbers: list[float]


def of_table() -> Case:
    table = sensitivity_table(hh.membrane, hh.membrane_inputs(), jit=True)
    rows = [
        (u.get_magnitude(r.value), u.get_magnitude(r.sensitivity), r.relative) for r in table.rows
    ]
    return Case(table, [*table.inputs, *table.outputs], [float(x) for row in rows for x in row])


def of_matrix() -> Case:
    J = jacobian_matrix(hh.membrane)(hh.membrane_inputs())
    order = np.ix_(J.rows.shown_entries, J.cols.shown_entries)
    names = [*hh.membrane_inputs(), "dV/dt", "I_L"]
    return Case(J, names, np.asarray(J.array)[order].ravel().tolist())


def of_large_matrix() -> Case:
    values = np.random.default_rng(5).normal(size=(40, 30)).astype("float32")
    J = UnitMatrix(values, {"V": jnp.ones(40) * u.mV}, {NAME: jnp.ones(30) * u.nS})
    return Case(J, ["V[7]", NAME], values.ravel().tolist())


def of_sparse_matrix() -> Case:
    values = np.diag(np.linspace(0.1, 1, 30)).astype("float32")
    J = UnitMatrix(BCOO.fromdense(values), {"V": jnp.ones(30) * u.mV}, {"w": jnp.ones(30)})
    return Case(J, ["V", "w"], np.diag(values).tolist())


def of_covariance() -> Case:
    C = covariance(HOSTILE)
    order = np.ix_(C.rows.shown_entries, C.cols.shown_entries)
    return Case(C, [NAME], np.asarray(C.array)[order].ravel().tolist())


def of_blocks() -> Case:
    fun = lambda p: {"out": p["z"] ** 2, "gain": p["z"] * p["a"]["w"]}  # noqa: E731
    blocks = unitjac.jacrev(fun, unit_aware=True)(WRITTEN)
    shown = unitjac.show(blocks)
    numbers = [
        *(blocks["out"]["z"], *_each(blocks["out"]["a"]["w"]), blocks["out"]["a"]["B"]),
        *(*_each(blocks["gain"]["z"]), *_each(blocks["gain"]["a"]["w"])),
        *_each(blocks["gain"]["a"]["B"]),
    ]
    return Case(shown, ["out", "gain", "a.w"], [float(u.get_magnitude(x)) for x in numbers])


def of_tree() -> Case:
    numbers = [2.0, 0.1, 1e-9]
    return Case(
        unitjac.show(HOSTILE), ["<b>x|y</b>", NAME], [np.float32(x).item() for x in numbers]
    )


def of_state() -> Case:
    state = unitjac.State(WRITTEN, name="soma")
    return Case(
        state, ["soma", "z", "a.w[1]", "a.B"], [1.5, *WRITTEN["a"]["w"].mantissa.tolist(), 3.0]
    )


def of_axis() -> Case:
    return Case(Axis.of(HOSTILE), [NAME, "nS"], [])


def of_plan() -> Case:
    plan = unitjac.jacobian(hh.membrane, unit_aware=True).plan(hh.membrane_inputs())
    return Case(plan, ["dV/dt", "I_ext"], [])


def _each(block: Any) -> list[Any]:
    return list(np.asarray(u.get_magnitude(block)).ravel())


CASES: dict[str, Callable[[], Case]] = {
    name.removeprefix("of_"): make for name, make in list(globals().items()) if name[:3] == "of_"
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_text_fits_and_holds_what_it_shows(case: Case, width: int) -> None:
    text = case.shown.to_text(width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    letters = re.sub(r"\W|_", "", text)
    for name in case.names:  # a long name takes several lines, beside other cells
        assert (
            name in text
            or set(NAME.split("_")) <= set(re.findall(r"[a-z]+", text))
            or (name == NAME and "aname" in letters)
        ), name


def assert_same(found: list[float], numbers: list[float]) -> None:
    """Equal in float32: a number is written as short as its dtype reads it back."""
    np.testing.assert_array_equal(np.float32(found), np.float32(numbers))


def numbers_in(cells: list[str]) -> list[float]:
    found = []
    for cell in cells:
        with contextlib.suppress(ValueError):
            found.append(float(cell))
    return found


def test_commas_separate_what_reads_back(case: Case) -> None:
    rows = list(csv.reader(io.StringIO(case.shown.to_csv())))
    head, body = rows[0], [row for row in rows[1:] if row]
    assert {len(row) for row in body} == {len(head)}
    of_units = {k for k, title in enumerate(head) if title == "unit" or title.endswith(" unit")}
    cells = [row[k] for row in body for k in range(len(head)) if k not in of_units]
    assert_same(numbers_in(cells), case.numbers)
    for row in body:
        for k in of_units:
            assert row[k] in ("", "1") or u.parse_unit(row[k]) is not None


def test_data_frame_holds_the_same(case: Case) -> None:
    pandas = pytest.importorskip("pandas")
    frame = case.shown.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    numbers = frame.select_dtypes("number").to_numpy().ravel()
    if case.numbers:  # a sparse matrix is written out, zeros and all
        kept = numbers if len(numbers) == len(case.numbers) else numbers[numbers != 0]
        assert_same(kept.tolist(), case.numbers)


def markdown_rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, as a reader of Markdown would take them."""
    rows = [line.strip() for line in text.splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]
    return [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in cells]


def test_markdown_reads_back(case: Case) -> None:
    text = case.shown.to_markdown(digits=None)
    rows = markdown_rows(text)
    assert text.startswith("**")
    assert all(rows)
    cells = [cell.split(" ")[0] for row in rows for cell in row if "---" not in cell]
    found, numbers = (set(np.float32(some).tolist()) for some in (numbers_in(cells), case.numbers))
    # a table for people has no rows without effect, and of a large matrix ranges and a corner
    assert {x for x in found if x != int(x)} <= numbers
    if len(numbers) < 50:
        assert numbers - found <= {0.0} or "30 x 30" in text


def test_html_is_escaped_and_whole(case: Case) -> None:
    text = case.shown.to_html()
    assert case.shown._repr_html_() == text
    assert not re.search(r"<b>x|<i>|\x1b|\x00", text)
    for name in case.names:
        assert html.escape(name) in text or html.escape(name, quote=True) in text or name == ""
    assert 'scope="col"' in text


def test_nothing_is_shown_wrongly_under_jit() -> None:
    shown = []

    def look(tree: Any) -> Any:
        shown.append((str(unitjac.show(tree)), unitjac.show(tree).to_html()))
        return tree

    jax.jit(look)(WRITTEN)
    assert "float32[]" in shown[0][0]
    assert "float32[2]" in shown[0][1]
    assert "mV" in shown[0][0]


def test_rows_are_cut_with_their_number_said() -> None:
    tree = [float(k) * u.mV for k in range(250)]
    assert "and 150 more" in str(unitjac.show(tree))
    assert "and 245 more" in str(unitjac.show(tree, rows=5))
    assert "more" not in str(unitjac.show(tree, rows=None))
    with pytest.raises(
        ValueError, match=r"rows must be at least 1, or None for all of them, got 0"
    ):
        unitjac.show(tree, rows=0)


def test_what_describes_itself_stays_as_it_is() -> None:
    J = jacobian_matrix(lambda x: x**2)(3.0 * u.mV)
    assert unitjac.show(J) is J
    assert "State(1)" in str(unitjac.show({"s": unitjac.State(1.0), "K": 2.0}))


@pytest.mark.parametrize("unit", [u.mV, u.volt, u.uvolt])
def test_a_tree_in_other_units_is_the_same_tree(unit: Any) -> None:
    text = str(unitjac.show({"V": (1.5 * u.mV).in_unit(unit)}))
    (number, shown) = text.splitlines()[-1].split()[-2:]
    np.testing.assert_allclose(
        (float(number) * u.parse_unit(shown)).to_decimal(u.mV), 1.5, rtol=1e-3
    )


def test_digits_of_markdown() -> None:
    shown = unitjac.show({"x": 1.23456789 * u.mV})
    assert "| 1.235 mV |" in shown.to_markdown()
    assert "| 1.2 mV |" in shown.to_markdown(digits=2)
    assert "1.23456789 mV" in shown.to_markdown(digits=None)
    with pytest.raises(
        ValueError, match="digits must be at least 1, or None for all of them, got 0"
    ):
        shown.to_markdown(digits=0)
