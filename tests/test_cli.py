"""The command line: what it prints, its JSON against closed forms, and every way to err."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import brainunit as u
import jax
import numpy as np
import pytest
import rich.console
from click.testing import CliRunner

import unitjac
from tests.program import own_import_path, printed, refused, run  # noqa: F401
from unitjac._cli import main
from unitjac.models import hodgkin_huxley as hh

DATA = Path(__file__).parent / "data"
CABLE = str(DATA / "cable.py")
CABLE_PARAMS = ("--params", str(DATA / "cable.toml"))


def as_json(*args: str) -> dict[str, Any]:
    return json.loads(printed(*args, "--json"))


@pytest.fixture(scope="module")
def membrane_json() -> dict[str, Any]:
    return json.loads(CliRunner().invoke(main, ["sensitivity", "hodgkin-huxley", "--json"]).stdout)


@pytest.fixture(scope="module")
def membrane_text() -> str:
    return CliRunner().invoke(main, ["sensitivity", "hodgkin-huxley"]).stdout


def closed_forms(x: dict[str, float]) -> dict[tuple[str, str], tuple[float, str]]:
    """Derivatives of the membrane by hand, in the units of the inputs."""
    C, m, h, n, V = (x[k] for k in ("C_m", "m", "h", "n", "V"))
    I_Na = x["g_Na"] * m**3 * h * (V - x["E_Na"])
    I_K = x["g_K"] * n**4 * (V - x["E_K"])
    I_L = x["g_L"] * (V - x["E_L"])
    per_g, per_V, per_gate = "mV", "uA/(cm^2*mV)", "uA/cm^2"
    currents = {
        ("I_Na", "g_Na"): (m**3 * h * (V - x["E_Na"]), per_g),
        ("I_Na", "E_Na"): (-x["g_Na"] * m**3 * h, per_V),
        ("I_Na", "V"): (x["g_Na"] * m**3 * h, per_V),
        ("I_Na", "m"): (3 * I_Na / m, per_gate),
        ("I_Na", "h"): (I_Na / h, per_gate),
        ("I_K", "g_K"): (n**4 * (V - x["E_K"]), per_g),
        ("I_K", "E_K"): (-x["g_K"] * n**4, per_V),
        ("I_K", "V"): (x["g_K"] * n**4, per_V),
        ("I_K", "n"): (4 * I_K / n, per_gate),
        ("I_L", "g_L"): (V - x["E_L"], per_g),
        ("I_L", "E_L"): (-x["g_L"], per_V),
        ("I_L", "V"): (x["g_L"], per_V),
    }
    slopes = {}
    units = {per_g: "(mV/ms)/(mS/cm^2)", per_V: "1/ms", per_gate: "mV/ms"}
    for (_, p), (value, unit) in currents.items():
        before = slopes.get(("dV/dt", p), (0.0, ""))[0]
        slopes["dV/dt", p] = (before - value / C, units[unit])
    total = x["I_ext"] - I_Na - I_K - I_L
    slopes["dV/dt", "C_m"] = (-total / C**2, "(mV/ms)/(uF/cm^2)")
    slopes["dV/dt", "I_ext"] = (1 / C, "(mV/ms)/(uA/cm^2)")
    return currents | slopes


def test_json_against_closed_forms(membrane_json: dict[str, Any]) -> None:
    x = {name: value["value"] for name, value in membrane_json["inputs"].items()}
    y = {name: value["value"] for name, value in membrane_json["outputs"].items()}
    rows = {(r["output"], r["parameter"]): r for r in membrane_json["sensitivities"]}
    assert len(rows) == 7 * 12
    expected = closed_forms(x)
    for key, (value, unit) in expected.items():
        got = rows[key]["sensitivity"]
        np.testing.assert_allclose(got["value"], value, rtol=1e-12, err_msg=str(key))
        assert got["unit"] == unit, key
    for (output, p), row in rows.items():
        if output in ("I_Na", "I_K", "I_L", "dV/dt") and (output, p) not in expected:
            assert row["sensitivity"]["value"] == 0.0, (output, p)
        relative = row["sensitivity"]["value"] * x[p] / y[output]
        np.testing.assert_allclose(row["relative"], relative, rtol=1e-12, atol=0)


def test_json_of_the_gates_against_closed_forms(membrane_json: dict[str, Any]) -> None:
    rows = {(r["output"], r["parameter"]): r for r in membrane_json["sensitivities"]}
    with jax.enable_x64(True):
        V = -40.0 * u.mV
        for gate in "mhn":
            alpha, beta = getattr(hh, f"alpha_{gate}")(V), getattr(hh, f"beta_{gate}")(V)
            expected = -float((alpha + beta).to_decimal(u.ms**-1))
            got = rows[f"d{gate}/dt", gate]["sensitivity"]
            np.testing.assert_allclose(got["value"], expected, rtol=1e-13)
            assert got["unit"] == "1/ms"
            assert rows[f"d{gate}/dt", "V"]["sensitivity"]["unit"] == "1/(ms*mV)"


def test_json_units_are_those_of_the_blocks(membrane_json: dict[str, Any]) -> None:
    with jax.enable_x64(True):
        blocks = unitjac.jacrev(hh.membrane, unit_aware=True)(hh.membrane_inputs())
    for row in membrane_json["sensitivities"]:
        unit, block = row["sensitivity"]["unit"], blocks[row["output"]][row["parameter"]]
        read = u.parse_unit(unit) if unit else u.UNITLESS
        assert read == u.get_unit(block), row


def test_json_says_what_and_where(membrane_json: dict[str, Any]) -> None:
    assert membrane_json["model"] == "hodgkin-huxley"
    assert "voltage clamp" in membrane_json["point"]
    assert membrane_json["precision"] == "float64"
    assert membrane_json["inputs"]["E_L"] == {"value": -54.387, "unit": "mV"}
    assert list(membrane_json["outputs"])[:4] == ["I_Na", "I_K", "I_L", "dV/dt"]
    relative = [r["relative"] for r in membrane_json["sensitivities"] if r["output"] == "dV/dt"]
    assert [abs(r) for r in relative] == sorted(map(abs, relative), reverse=True)


def test_table_holds_the_numbers_of_the_json(
    membrane_text: str, membrane_json: dict[str, Any]
) -> None:
    groups = membrane_text.split("\n\n")
    for output in membrane_json["outputs"]:
        (group,) = [g for g in groups if g.startswith(f"{output} = ")]
        rows = [r for r in membrane_json["sensitivities"] if r["output"] == output]
        used = [r for r in rows if r["sensitivity"]["value"] != 0]
        lines = group.splitlines()[2 : 2 + len(used)]
        assert [line.split()[0] for line in lines] == [r["parameter"] for r in used]
        for line, row in zip(lines, used, strict=True):
            numbers = [float(x) for x in re.findall(r"(?<= )-?\d[\d.]*(?= )", line + " ")]
            for number in (row["sensitivity"]["value"], row["relative"]):
                assert any(np.isclose(number, x, rtol=6e-4) for x in numbers), line
            assert row["sensitivity"]["unit"] in line
            assert row["value"]["unit"] in line
        without = [r["parameter"] for r in rows if r["sensitivity"]["value"] == 0]
        if without:
            assert f"no effect: {', '.join(without)}" in group


def test_table_says_at_which_point(membrane_text: str) -> None:
    head = membrane_text.split("\n\n")
    assert "Hodgkin and Huxley (1952)" in head[0]
    assert "voltage clamp from -65 mV to -40 mV" in head[0]
    for value in ("V = -40 mV", "g_Na = 120 mS/cm^2", "E_L = -54.387 mV", "m = 0.05293"):
        assert value in head[1]


def test_table_in_a_file_is_plain_and_of_one_width(membrane_text: str) -> None:
    assert "\x1b" not in membrane_text
    lines = membrane_text.splitlines()
    assert max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() for line in lines)


def test_decimal_points_of_a_column_stand_below_each_other(membrane_text: str) -> None:
    (group,) = [g for g in membrane_text.split("\n\n") if g.startswith("dV/dt = ")]
    header, *rows = group.splitlines()[1:12]
    column = header.index("relative")
    points = {row.index(".", column) for row in rows}
    assert len(points) == 1


def test_set_moves_the_point() -> None:
    document = as_json("hodgkin-huxley", "--set", "V=-0.05 V", "--set", "n=0.5")
    assert document["inputs"]["V"] == {"value": -0.05, "unit": "V"}
    assert document["point"].endswith("The built-in point, but with V, n as given")
    x = {name: value["value"] for name, value in document["inputs"].items()}
    rows = {(r["output"], r["parameter"]): r["sensitivity"] for r in document["sensitivities"]}
    by_conductance = rows["I_K", "g_K"]
    np.testing.assert_allclose(by_conductance["value"], 0.5**4 * (-50 + 77), rtol=1e-12)
    by_voltage = rows["I_K", "V"]
    assert by_voltage["unit"] == "uA/(cm^2*V)"
    np.testing.assert_allclose(by_voltage["value"], x["g_K"] * 0.5**4 * 1e3, rtol=1e-12)


def test_relative_sensitivities_do_not_depend_on_units(membrane_json: dict[str, Any]) -> None:
    moved = as_json(
        "hodgkin-huxley",
        "--set",
        "V=-0.04 V",
        "--set",
        "g_Na=1200 S/m^2",
        "--set",
        "C_m=0.01 F/m^2",
    )
    before, after = (
        {(r["output"], r["parameter"]): r["relative"] for r in document["sensitivities"]}
        for document in (membrane_json, moved)
    )
    for key, relative in before.items():
        np.testing.assert_allclose(after[key], relative, rtol=1e-11, atol=1e-14, err_msg=str(key))


def test_parameters_of_a_built_in_model_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "params.toml"
    file.write_text('g_K = "20 mS/cm^2"\nm = 0.1\n', encoding="utf-8")
    document = as_json("hodgkin-huxley", "--params", str(file), "--set", "m=0.2")
    assert document["inputs"]["g_K"] == {"value": 20.0, "unit": "mS/cm^2"}
    assert document["inputs"]["m"] == {"value": 0.2, "unit": ""}


def test_single_precision_on_demand() -> None:
    document = as_json("hodgkin-huxley", "--no-x64", "--output", "I_L")
    assert document["precision"] == "float32"
    (row,) = [r for r in document["sensitivities"] if r["parameter"] == "g_L"]
    number = row["sensitivity"]["value"]
    assert number == float(np.float32(number))
    np.testing.assert_allclose(number, 14.387, rtol=1e-6)


def test_output_chooses_and_top_cuts() -> None:
    text = printed("hodgkin-huxley", "--output", "I_K", "--output", "dV/dt", "--top", "3")
    assert re.findall(r"^(\S+) = ", text, re.MULTILINE) == ["I_K", "dV/dt"]
    assert "  and 1 more\n" in text
    assert "  and 9 more\n" in text
    document = as_json("hodgkin-huxley", "--output", "I_K", "--top", "3")
    assert [r["parameter"] for r in document["sensitivities"]] == ["n", "E_K", "V"]


def test_zeros_on_demand() -> None:
    text = printed("hodgkin-huxley", "--output", "I_L", "--zeros")
    assert "no effect" not in text
    assert re.search(r"^  g_Na +120 +mS/cm\^2 +0 +mV +0$", text, re.MULTILINE)


def test_a_zero_output_has_dashes() -> None:
    text = printed("hodgkin-huxley", "--output", "I_K", "--set", "V=-77 mV")
    (group,) = [g for g in text.split("\n\n") if g.startswith("I_K = 0 uA/cm^2")]
    rows = group.splitlines()[2:-1]
    # Of the rows only voltage and reversal potential are left: the driving force is zero.
    assert [line.split()[0] for line in rows] == ["E_K", "V"]
    assert all(line.endswith("—") for line in rows)
    assert "— where the output is zero" in text
    document = as_json("hodgkin-huxley", "--output", "I_K", "--set", "V=-77 mV")
    assert {r["relative"] for r in document["sensitivities"]} == {None}


class Page(HTMLParser):
    """Tags that load something, and the texts of cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        if tag == "td" or ("scope", "row") in attrs:
            self.inside = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def test_page_holds_the_table_and_loads_nothing(
    tmp_path: Path, membrane_json: dict[str, Any]
) -> None:
    file = tmp_path / "page.html"
    result = run("hodgkin-huxley", "--html", str(file))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"Wrote {file}\n"
    text = file.read_text(encoding="utf-8")
    page = Page(text)
    assert page.loads == []
    assert "http" not in text
    assert "prefers-color-scheme:dark" in text
    used = [r for r in membrane_json["sensitivities"] if r["sensitivity"]["value"] != 0]
    cells = [row for row in page.rows if row]
    assert [row[0] for row in cells] == [r["parameter"] for r in used]
    for row, exact in zip(cells, used, strict=True):
        number, relative = (cell.replace("\N{MINUS SIGN}", "-") for cell in row[2:4])
        number = re.match(r" *-?[\d.]+", number)[0]
        np.testing.assert_allclose(float(number), exact["sensitivity"]["value"], rtol=6e-4)
        np.testing.assert_allclose(float(relative), exact["relative"], rtol=6e-4)
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%\"", text)]
    assert len(widths) == len(used)
    assert max(widths) == 50.0
    assert "µA/cm<sup>2</sup>" in text


def test_page_escapes_names(tmp_path: Path) -> None:
    model, file = tmp_path / "m.py", tmp_path / "page.html"
    model.write_text("def f(p):\n    return {'<script>': p['<b>'] * 2.0}\n", encoding="utf-8")
    printed(f"{model}:f", "--set", "<b>=1 mV", "--html", str(file))
    text = file.read_text(encoding="utf-8")
    assert text.count("<script>") == 1
    assert "&lt;script&gt;" in text
    assert "&lt;b&gt;" in text


def test_a_page_and_json_in_one_call(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    document = as_json("hodgkin-huxley", "--output", "I_L", "--html", str(file))
    assert list(document["outputs"]) == ["I_L"]
    assert "I_L" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("function", ["constants", "by_keywords"])
def test_a_function_of_yours(function: str) -> None:
    document = as_json(f"{CABLE}:{function}", *CABLE_PARAMS)
    assert document["inputs"]["R_m"] == {"value": 20.0, "unit": "kohm*cm^2"}
    assert document["inputs"]["d"] == {"value": 2.0, "unit": "um"}
    rows = {(r["output"], r["parameter"]): r for r in document["sensitivities"]}
    # 1/2 sqrt(d R_m / R_i) = 1/2 sqrt(2e-4 cm * 2e4 ohm cm^2 / 100 ohm cm) = 1 mm
    np.testing.assert_allclose(document["outputs"]["length"]["value"], 1.0, rtol=1e-12)
    assert document["outputs"]["length"]["unit"] == "mm"
    for parameter, power in {"d": 0.5, "R_m": 0.5, "R_i": -0.5}.items():
        np.testing.assert_allclose(rows["length", parameter]["relative"], power, rtol=1e-12)
    np.testing.assert_allclose(rows["time", "C_m"]["sensitivity"]["value"], 20.0, rtol=1e-12)
    unit = u.parse_unit(rows["time", "C_m"]["sensitivity"]["unit"])
    assert unit == u.ms / (u.uF / u.cm**2)
    assert document["outputs"]["rate"]["unit"] == "1/ms"


def test_title_of_a_function_is_its_docstring() -> None:
    head = printed(f"{CABLE}:constants", *CABLE_PARAMS).partition("\n\n")[0]
    title = "Length constant, time constant and rate of a passive cable"
    assert " ".join(head.split()) == f"{CABLE}:constants {title}"


def test_lists_and_tables() -> None:
    document = as_json(f"{CABLE}:with_a_list", "--params", str(DATA / "lists.toml"))
    assert list(document["inputs"]) == ["w[0]", "w[1]", "w[2]", "synapse.scale"]
    rows = {(r["output"], r["parameter"]): r["sensitivity"] for r in document["sensitivities"]}
    assert rows["w[1]", "w[1]"] == {"value": 4.0, "unit": ""}
    assert rows["w[2]", "synapse.scale"] == {"value": 3.0, "unit": "nS"}


def test_set_reaches_into_tables() -> None:
    args = (f"{CABLE}:with_a_list", "--params", str(DATA / "lists.toml"))
    document = as_json(*args, "--set", "synapse.scale=5", "--set", "w=[7, 8] pS")
    assert document["inputs"]["synapse.scale"]["value"] == 5.0
    assert document["inputs"]["w[1]"] == {"value": 8.0, "unit": "pS"}


def test_set_may_name_an_argument_that_the_file_leaves_out(tmp_path: Path) -> None:
    file = tmp_path / "d.toml"
    file.write_text('d = "2 um"\nR_m = "20 kohm*cm^2"\nR_i = "100 ohm*cm"', encoding="utf-8")
    document = as_json(f"{CABLE}:by_keywords", "--params", str(file), "--set", "C_m=1 uF/cm^2")
    assert document["inputs"]["C_m"] == {"value": 1.0, "unit": "uF/cm^2"}


def test_set_alone_is_enough() -> None:
    document = as_json(f"{CABLE}:with_a_list", "--set", "w=[1, 2] nS", "--set", "synapse.scale=2")
    assert list(document["outputs"]) == ["w[0]", "w[1]"]


def test_what_a_model_prints_stays_out_of_the_document() -> None:
    result = run(f"{CABLE}:chatty", *CABLE_PARAMS, "--json")
    assert json.loads(result.stdout)["outputs"]
    assert "computing" in result.stderr


def test_user_units_are_shown_as_they_were_written() -> None:
    document = as_json(f"{CABLE}:with_a_list", "--set", "w=2 kHz", "--set", "synapse.scale=3")
    assert document["inputs"]["w"]["unit"] == document["outputs"]["w"]["unit"] == "kHz"
    document = as_json(f"{CABLE}:with_a_list", "--set", "w=2/ms", "--set", "synapse.scale=3")
    assert document["inputs"]["w"]["unit"] == document["outputs"]["w"]["unit"] == "1/ms"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("120 mS cm^-2", r'"mS cm\^-2" is no unit\. Join units by \* and /, as in "mS\*cm\^-2"'),
        ("120 mS/cm**2", r'Write powers with \^, as in "mS/cm\^2"'),
        ("120 mS/cm2", r'write "cm\^2" for "cm2"'),
        ("120 MS/Cm^2", r'"Cm" is unknown \(did you mean .*"cm"'),
        ("120 zorkmid", r'"zorkmid" is unknown\.'),
        ("fast", r'--set g_Na = "fast": no number in it\. A quantity is written "120 mS/cm\^2"'),
        ("[1, x] mV", r"\[1, x\]: no list of numbers, which is \[1, 2, 3\]"),
        ("[[1], [2, 3]] mV", r"expected a finite number, a list of them or a quantity as text"),
        ("", r'--set g_Na = "": no number in it'),
        ("120", r"expected a quantity in mS/cm\^2 or another unit .*, got a plain number"),
        ("120 mV", r"expected a quantity in mS/cm\^2 or another unit .*, got a quantity in mV"),
    ],
)
def test_values_that_are_no_quantities(text: str, message: str) -> None:
    assert re.search(message, refused("hodgkin-huxley", "--set", f"g_Na={text}"))


def test_a_unit_where_none_belongs() -> None:
    said = refused("hodgkin-huxley", "--set", "m=3 mV")
    assert "--set m: expected a plain number, got a quantity in mV." in said


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("V = true", r"V = True: expected a finite number, a list of them or a quantity as text"),
        ("V = nan", r"V = nan: expected a finite number"),
        ("m = [0.1, inf]", r"m = \[0\.1, inf\]: expected a finite number"),
        ('V = "-1e400 mV"', r"V = -inf: expected a finite number"),
        (f"m = {10**400}", r"expected a finite number"),
        ("V = 1979-05-27", r"expected a finite number, a list of them or a quantity as text"),
        ("V = -40 mV", r"params\.toml is no TOML"),
        ('W = "3 mV"', r"hodgkin-huxley has no input W: C_m, g_Na"),
        ('V = "3 ms"', r"params\.toml, V: expected a quantity in mV .* got a quantity in ms"),
        ('[V]\nx = "3 mV"', r"params\.toml, V: expected one value, got a table of x"),
    ],
)
def test_files_that_are_no_parameters(tmp_path: Path, toml: str, message: str) -> None:
    file = tmp_path / "params.toml"
    file.write_text(toml, encoding="utf-8")
    assert re.search(message, refused("hodgkin-huxley", "--params", str(file)))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("hodgkin",), r"no model 'hodgkin'\. Did you mean hodgkin-huxley\? .*model\.py:function"),
        (("morris",), r"no model 'morris'\. Built in: hodgkin-huxley"),
        ((CABLE,), r"cable\.py is a file: name the function in it, as in .*cable\.py:function"),
        (("nowhere.py:f",), r"no file nowhere\.py\. Write path/to/model\.py:function"),
        ((f"{DATA / 'cable.toml'}:f", "--set", "a=1"), r"cable\.toml is no Python file"),
        ((f"{CABLE}:f", "--set", "a=1"), r"cable\.py has no function 'f'\. It has: constants,"),
        ((f"{CABLE}:a_number", "--set", "a=1"), r"has 'a_number', no function\. It has: constants"),
        ((f"{CABLE}:constants",), r"constants has no parameters yet\. Give them with --params"),
        (
            (f"{CABLE}:by_keywords", "--set", "d=1 um", "--set", "L=1 mm"),
            r"by_keywords\(d, R_m, R_i, C_m\) does not take .*missing R_m, R_i, C_m; unknown L",
        ),
        (("hodgkin-huxley", "--set", "V"), r"--set V: expected NAME=VALUE, as in --set V="),
        (("hodgkin-huxley", "--set", "V.x=1"), r"--set V\.x: V is no table, .* no x"),
        (("hodgkin-huxley", "--set", "W=1"), r"hodgkin-huxley has no input W: C_m, g_Na"),
        (
            (f"{CABLE}:constants", *CABLE_PARAMS, "--set", "r_m=1 ohm*cm^2"),
            r"--set r_m: no parameter r_m beside d, R_m, R_i, C_m\. Did you mean R_m\? What is new",
        ),
        (
            (f"{CABLE}:by_keywords", *CABLE_PARAMS, "--set", "length=1 mm"),
            r"--set length: no parameter length beside d, R_m, R_i, C_m\. What is new goes into",
        ),
        (
            (
                f"{CABLE}:with_a_list",
                "--params",
                str(DATA / "lists.toml"),
                "--set",
                "synapse.sale=1",
            ),
            r"--set synapse\.sale: .* beside scale\. Did you mean scale\?",
        ),
        (("hodgkin-huxley", "--output", "I_Ca"), r"--output: no output 'I_Ca': .* returns I_Na"),
        (
            ("hodgkin-huxley", "--params", "nowhere.toml"),
            r"cannot read nowhere\.toml: No such file",
        ),
        (("hodgkin-huxley", "--html", "no/where.html"), r"cannot write no.where\.html: No such"),
        (("hodgkin-huxley", "--top", "0"), r"Invalid value for '--top'"),
        (
            (f"{CABLE}:with_a_list", "--params", str(DATA / "lists.toml"), "--set", "synapse=1"),
            r"--set synapse: synapse is a table of scale\. Set one of these",
        ),
        (
            (f"{CABLE}:returns_text", *CABLE_PARAMS),
            r"returns_text: output of returns_text must be an array.*got a str",
        ),
    ],
)
def test_bad_input_is_one_message(args: tuple[str, ...], message: str) -> None:
    assert re.search(message, refused(*args))


def test_units_that_do_not_fit_are_bad_input_with_the_line() -> None:
    said = refused(f"{CABLE}:adds_metres_to_ohms", *CABLE_PARAMS)
    assert re.search(r'do not fit in cable\.py, line \d+: return {"wrong": p\["d"\] \+ p', said)
    assert "UnitMismatchError: Cannot calculate 2.0 um + 20.0 cm^2 * kohm" in said
    said = refused(f"{CABLE}:exponential_of_metres", *CABLE_PARAMS)
    assert re.search(r"do not fit in cable\.py, line \d+: .*exp requires a dimensionless", said)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("divides_by_zero", r"failed in cable\.py, line \d+: .*ZeroDivisionError"),
        ("asks_for_what_is_not_there", r"failed in cable\.py, line \d+: .*KeyError: 'diameter'"),
    ],
)
def test_failures_of_the_model_have_their_own_code(function: str, message: str) -> None:
    assert re.search(message, refused(f"{CABLE}:{function}", *CABLE_PARAMS, code=1))


def test_a_model_that_cannot_be_imported(tmp_path: Path) -> None:
    model = tmp_path / "broken.py"
    model.write_text("import no_such_package\n", encoding="utf-8")
    said = refused(f"{model}:f", "--set", "a=1", code=1)
    assert re.search(r"failed in broken\.py, line 1: import no_such_package\. Module", said)
    model.write_text("def f(p)\n    return p\n", encoding="utf-8")
    said = refused(f"{model}:f", "--set", "a=1", code=1)
    assert re.search(r"failed in broken\.py, line 1.*SyntaxError", said)


def test_a_model_finds_what_stands_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text("factor = 2.0\n", encoding="utf-8")
    model = tmp_path / "model.py"
    model.write_text(
        "from beside_it import factor\ndef f(x):\n    return factor * x\n", encoding="utf-8"
    )
    document = as_json(f"{model}:f", "--set", "x=3 mV")
    (row,) = document["sensitivities"]
    assert (row["output"], row["sensitivity"]["value"]) == ("output", 2.0)


def test_traceback_on_demand() -> None:
    result = run(f"{CABLE}:divides_by_zero", *CABLE_PARAMS, "--traceback")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "in divides_by_zero" in result.stderr


def test_models_lists_the_built_in_ones() -> None:
    result = CliRunner().invoke(main, ["models"])
    assert result.exit_code == 0
    assert re.search(
        r"^hodgkin-huxley +The membrane of Hodgkin and Huxley", result.stdout, re.MULTILINE
    )


def test_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.stdout == f"unitjac, version {unitjac.__version__}\n"


def table_at(width: int, encoding: str = "utf-8", color: bool = False) -> str:
    """What a terminal of this width and encoding shows of one output."""
    import io

    from unitjac._cli.job import prepare
    from unitjac._cli.shown import Shown
    from unitjac._display.text import rendered
    from unitjac.sensitivity import sensitivity_table

    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    job = prepare("hodgkin-huxley", None, ())
    table = sensitivity_table(job.function, job.inputs).select(["dV/dt"])
    out = rich.console.Console(
        file=stream,
        width=width,
        force_terminal=True,
        highlight=False,
        color_system="truecolor" if color else None,
    )
    out.print(rendered(Shown(job, table).report(), width, encoding == "utf-8"))
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [100, 80, 62, 40])
def test_a_narrow_terminal_keeps_the_relative_sensitivity(width: int) -> None:
    lines = table_at(width).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    (row,) = [line for line in lines if line.startswith("  E_K ") and "=" not in line]
    assert "1.668" in row
    (row,) = [line for line in lines if line.startswith("  C_m ") and "=" not in line]
    assert ("(mV/ms)/(uF/cm^2)" in row) == (width >= 62)


def test_a_terminal_without_unicode() -> None:
    text = table_at(100, "ascii")
    assert "####" in text


def test_colours_tell_the_sign() -> None:
    text = table_at(100, color=True)
    colors = dict(re.findall(r"(E_K|C_m) .*?\x1b\[([\d;]+)m█", text))
    assert set(colors) == {"E_K", "C_m"}
    assert len(set(colors.values())) == 2


def test_as_a_program_in_a_pipe(membrane_text: str) -> None:
    command = [sys.executable, "-m", "unitjac", "sensitivity", "hodgkin-huxley"]
    env = {**os.environ, "COLUMNS": "40", "PYTHONIOENCODING": "utf-8", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", env=env, check=True, cwd=DATA.parent.parent
    )
    assert done.stdout == membrane_text
    assert done.stderr == ""
