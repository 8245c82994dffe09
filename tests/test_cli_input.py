"""What a new user types, and what the program makes of it or says to it."""

import os
import re
from pathlib import Path

import pytest

from tests.program import own_import_path, printed, refused, run  # noqa: F401

MODEL = """
import brainunit as u

def nothing(p): pass
def empty(p): return {}
def leak(p): return {"I": p["g"] * (p["V"] - p["E"])}
def by_name(V, g=2.0 * u.nS, *, E=-54 * u.mV, n=3): return {"I": n * g * (V - E)}
def greek(p): return {"\u00b5 out": p["\u00b5"] * 2}
def greek_by_name(\u00b5): return \u00b5 * 2
def aux(p): return p["x"], "text"
def total(p): return p["g"].sum() * p["V"]
def difference(p): return {"net": p["a"] - p["b"]}
def own_bug(p): return {}["no parameter"]
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / "my_package").mkdir()
    (folder / "my_package" / "cells.py").write_text(MODEL, encoding="utf-8")
    path = folder / "m.py"
    path.write_text(MODEL, encoding="utf-8")
    return path


def settings(**values: str) -> list[str]:
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("nothing", "nothing returns None, .* is its return statement missing"),
        ("empty", "empty returns no number, .* Return a quantity"),
        ("aux", r"output\[1\] of aux must be an array, .* got a str. Leave it out"),
    ],
)
def test_nothing_to_differentiate_is_an_error(model: Path, function: str, text: str) -> None:
    said = refused(f"{model}:{function}", *settings(x="1 mV"))
    assert re.search(text, said)
    assert "has_aux" not in said


@pytest.mark.parametrize("name", ["\u00b5", "\u03bc"])
@pytest.mark.parametrize("function", ["greek", "greek_by_name"])
def test_the_micro_sign_is_the_greek_letter(model: Path, function: str, name: str) -> None:
    assert "= 3 mV" in printed(f"{model}:{function}", *settings(**{name: "3 mV"}))


def test_an_output_with_the_micro_sign(model: Path) -> None:
    point = settings(**{"\u03bc": "3 mV"})
    assert "out = 6.000 mV" in printed(f"{model}:greek", *point, "--output", "\u03bc out")


def test_a_minus_as_it_is_printed(model: Path) -> None:
    point = settings(g="1 nS", V="\N{MINUS SIGN}50 mV", E="-54 mV")
    assert "I = 4.000 pA" in printed(f"{model}:leak", *point)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("37 \N{DEGREE SIGN}C", 'Write "310.15 K", or for a difference "37 K"'),
        ("37 degC", 'Write "310.15 K"'),
        ("37 celsius", 'Write "310.15 K"'),
        ("[0, 10] degC", 'Write "[273.15, 283.15] K", or for a difference "[0, 10] K"'),
        ("212 degF", 'Write "373.15 K", or for a difference "117.7777778 K"'),
        ("5 %", "a part of a hundred is a number. Write 0.05"),
        ("5 percent", "Write 0.05"),
        ("1,5 mV", '1,5 is no number. Write "1.5 mV"'),
        ("5 mv", '"mv" is unknown (did you mean "mV"'),
        ("5 zorkmid", '"zorkmid" is unknown.'),
    ],
)
def test_what_is_no_unit_gets_advice(model: Path, text: str, said: str) -> None:
    assert said in refused(f"{model}:leak", "--set", f"V={text}")


def test_coulomb_and_farad_stay_units(model: Path) -> None:
    assert "a = 2 C" in printed(f"{model}:difference", *settings(a="2 C", b="1 C"))
    assert "a = 2 F" in printed(f"{model}:difference", *settings(a="2 F", b="1 F"))


def test_no_guess_is_a_unit_that_nobody_uses(model: Path) -> None:
    for text in ("5 percant", "1 degK", "3 mvolts"):
        said = refused(f"{model}:leak", "--set", f"g={text}")
        assert not re.search("phertz|dg|dC|cV", said), said


def test_a_list_of_quantities(model: Path, tmp_path: Path) -> None:
    params = tmp_path / "p.toml"
    params.write_text('g = ["1 mS", "2000 uS"]\nV = "3 mV"\n', encoding="utf-8")
    text = printed(f"{model}:total", "--params", params)
    assert "g[0] = 1 mS" in text
    assert "g[1] = 2 mS" in text
    assert "output = 9.000 uA" in text
    for second in ('"2 mV"', "2.0", '["1 mS"]'):
        params.write_text(f'g = ["1 mS", {second}]\nV = "3 mV"\n', encoding="utf-8")
        said = refused(f"{model}:total", "--params", params)
        assert "g[1] = " in said
        assert "expected a quantity in mS or another unit of its dimension, as" in said


def test_forgotten_parameters_are_named_with_the_signature(model: Path) -> None:
    said = refused(f"{model}:leak", *settings(g="1 nS"), code=1)
    assert (
        "KeyError: 'V'. leak(p) was given g. Where V is a parameter, give it with --set V=" in said
    )
    assert "m.py, line 6" in said
    said = refused(f"{model}:by_name", *settings(g="3 nS"))
    assert "by_name(V, g=2 nS, *, E=-54 mV, n=3) does not take these parameters: missing V." in said
    assert 'Give one with --set g="120 mS/cm^2", or in the file of --params' in said
    assert "It is called as by_name(V, g=2 nS, *, E=-54 mV, n=3)." in refused(f"{model}:by_name")
    assert "KeyError: 'no parameter'" in refused(f"{model}:own_bug", *settings(x="1"), code=1)


def test_defaults_are_parameters_where_they_are_quantities(model: Path) -> None:
    text = printed(f"{model}:by_name", *settings(V="-50 mV"))
    assert "With n = 3 by default" in text
    assert "V = -50 mV   g = 2 nS   E = -54 mV" in text
    assert "I = 24.00 pA" in text
    text = printed(f"{model}:by_name", *settings(V="-50 mV", g="1 nS"))
    assert "I = 12.00 pA" in text
    assert "expected a quantity in nS" in refused(f"{model}:by_name", *settings(V="1 mV", g="1 mV"))


def test_what_is_said_of_the_point_is_true_of_it() -> None:
    moved = printed("hodgkin-huxley", *settings(V="-65 mV"), "--output", "dm/dt")
    assert "The built-in point, but with V as given" in moved
    assert "clamp" not in moved
    assert "clamp" in printed("hodgkin-huxley", "--output", "dm/dt")


def test_a_difference_of_near_equal_numbers_says_so(model: Path) -> None:
    for unit in ("", " mV", " uV"):  # in any unit
        text = printed(f"{model}:difference", *settings(a=f"1{unit}", b=f"0.9999{unit}"))
        assert "a small difference of large terms" in text
    assert "a small" not in printed(f"{model}:difference", *settings(a="1", b="0.5"))


def test_a_function_of_a_module(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    point = settings(g="1 nS", V="-50 mV", E="-54 mV")
    assert "I = 4.000 pA" in printed("my_package.cells:leak", *point)
    assert "no file and no module my_package.nothing." in refused("my_package.nothing:leak")
    assert "my_package.cells has no function 'lek'. It has: nothing," in refused(
        "my_package.cells:lek"
    )
    assert "no file no/where:f" not in refused("no/where:f")
    Path("broken.py").write_text("import not_there_at_all\n", encoding="utf-8")
    assert "No module named 'not_there_at_all'" in refused("broken:f", code=1)
    assert os.getcwd() == str(model.parent)


def test_commas_and_markdown(model: Path, tmp_path: Path) -> None:
    point = [f"{model}:leak", *settings(g="1 nS", V="-50 mV", E="-54 mV")]
    file = tmp_path / "t.csv"
    result = run(*point, "--csv", file)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"Wrote {file}\n")
    head, *rows = file.read_text(encoding="utf-8").splitlines()
    assert head == "output,parameter,value,value unit,sensitivity,sensitivity unit,relative"
    assert rows[0] == "I,E,-54.0,mV,-1.0,nS,13.5"
    assert printed(*point, "--csv", "-").splitlines() == [head, *rows]
    assert "| I | g | 1 nS | 4.000 mV | 1.000 |" in printed(*point, "--markdown")
    assert "cannot write" in refused(*point, "--csv", "no/where.csv")
