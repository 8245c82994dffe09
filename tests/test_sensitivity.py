"""The table of sensitivities: closed forms, order, zeros, arrays, units, and its picture."""

import sys
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unitjac.models import hodgkin_huxley as hh
from unitjac.sensitivity import SensitivityTable, sensitivity_table


def ohm(p: dict[str, Any]) -> dict[str, Any]:
    current = p["U"] / p["R"]
    return {"power": p["U"] * current, "current": current}


OHM = {"U": 6.0 * u.volt, "R": 3.0 * u.ohm}


def row_of(table: SensitivityTable, output: str, parameter: str) -> Any:
    (row,) = [r for r in table.rows if (r.output, r.parameter) == (output, parameter)]
    return row


@pytest.mark.parametrize("x64", [False, True])
def test_closed_form(x64: bool) -> None:
    with jax.enable_x64(x64):
        table = sensitivity_table(ohm, OHM)
    rtol = 1e-14 if x64 else 1e-6
    expected = {
        ("power", "U"): (2 * 6 / 3, u.watt / u.volt, 2.0),
        ("power", "R"): (-36 / 9, u.watt / u.ohm, -1.0),
        ("current", "U"): (1 / 3, u.amp / u.volt, 1.0),
        ("current", "R"): (-6 / 9, u.amp / u.ohm, -1.0),
    }
    assert {(r.output, r.parameter) for r in table.rows} == set(expected)
    for (output, parameter), (slope, unit, relative) in expected.items():
        row = row_of(table, output, parameter)
        assert row.sensitivity.unit.has_same_dim(unit)
        np.testing.assert_allclose(row.sensitivity.to_decimal(unit), slope, rtol=rtol)
        np.testing.assert_allclose(row.relative, relative, rtol=rtol)
        assert row.value == OHM[parameter]


def test_outputs_and_inputs_stand_in_their_own_order() -> None:
    table = sensitivity_table(ohm, OHM)
    assert list(table.outputs) == ["power", "current"]
    assert list(table.inputs) == ["U", "R"]


def test_rows_are_sorted_by_relative_sensitivity() -> None:
    def powers(p: dict[str, Any]) -> Any:
        return {"y": p["a"] * p["b"] ** -3 * p["c"] ** 2 / p["d"] ** 0}

    table = sensitivity_table(powers, dict.fromkeys("abcd", 2.0))
    assert [r.parameter for r in table.rows] == ["b", "c", "a", "d"]
    np.testing.assert_allclose([r.relative for r in table.rows], [-3, 2, 1, 0], rtol=1e-6)


def test_an_output_of_zero_has_no_relative_sensitivity() -> None:
    table = sensitivity_table(lambda p: {"y": p["a"] - p["b"]}, {"a": 2.0 * u.mV, "b": 2.0 * u.mV})
    assert [r.relative for r in table.rows] == [None, None]
    assert [r.sensitivity for r in table.rows] == [1.0, -1.0]


@pytest.mark.parametrize("x64", [False, True])
def test_an_output_of_rounding_noise_has_no_relative_sensitivity(x64: bool) -> None:
    with jax.enable_x64(x64):
        rest = hh.resting_point(hh.parameters())
        inputs = {**hh.parameters(), **rest, "I_ext": 0.0 * u.uA / u.cm**2}
        table = sensitivity_table(hh.membrane, inputs)
    assert {r.relative for r in table.of("dV/dt")} == {None}
    assert None not in {r.relative for r in table.of("I_Na")}


def test_a_derivative_that_is_not_finite_leaves_the_others_alone() -> None:
    table = sensitivity_table(lambda p: {"y": p["a"] + p["b"] ** 0.5}, {"a": 1.0, "b": 0.0})
    assert row_of(table, "y", "a").relative == 1.0
    assert row_of(table, "y", "b").relative is None
    assert [r.parameter for r in table.rows] == ["a", "b"]


def test_zeros_are_positive() -> None:
    table = sensitivity_table(lambda p: {"y": -p["a"], "z": p["b"]}, {"a": 1.0, "b": 2.0})
    zero = row_of(table, "y", "b")
    assert str(zero.relative) == str(zero.sensitivity) == "0.0"


def test_a_block_without_dimension_is_a_number_and_its_relative_sensitivity_right() -> None:
    inputs = {"g": 3.0 * u.mV, "h": 5.0 * u.volt}
    table = sensitivity_table(lambda p: {"y": (2.0 * p["g"] + p["h"]).in_unit(u.volt)}, inputs)
    row = row_of(table, "y", "g")
    np.testing.assert_allclose(row.sensitivity, 2.0, rtol=1e-6)
    np.testing.assert_allclose(row.relative, 2 * 3e-3 / 5.006, rtol=1e-6)
    np.testing.assert_allclose(row_of(table, "y", "h").relative, 5 / 5.006, rtol=1e-6)


@pytest.mark.parametrize(
    "other",
    [{"U": 6e3 * u.mV}, {"R": 3e-3 * u.kohm}, {"U": 6e6 * u.uvolt, "R": 3e-6 * u.Mohm}],
)
def test_units_of_inputs_change_no_row(other: dict[str, Any]) -> None:
    with jax.enable_x64(True):
        before, after = sensitivity_table(ohm, OHM), sensitivity_table(ohm, {**OHM, **other})
    for row in before.rows:
        moved = row_of(after, row.output, row.parameter)
        np.testing.assert_allclose(moved.relative, row.relative, rtol=1e-13)
        np.testing.assert_allclose(
            moved.sensitivity.to_decimal(row.sensitivity.unit),
            row.sensitivity.mantissa,
            rtol=1e-13,
        )


def test_arrays_are_rows_entry_by_entry() -> None:
    def scaled(p: dict[str, Any]) -> dict[str, Any]:
        return {"y": p["w"] * p["k"]}

    w = jnp.arange(1.0, 7.0).reshape(2, 3) * u.nS
    table = sensitivity_table(scaled, {"w": w, "k": 2.0})
    assert list(table.outputs) == [f"y[{i},{j}]" for i in range(2) for j in range(3)]
    assert len(table.rows) == 6 * 7
    for i in range(2):
        for j in range(3):
            own = row_of(table, f"y[{i},{j}]", f"w[{i},{j}]")
            np.testing.assert_allclose(own.sensitivity, 2.0)
            assert own.relative == 1.0
            by_scale = row_of(table, f"y[{i},{j}]", "k").sensitivity
            np.testing.assert_allclose(by_scale.to_decimal(u.nS), 1 + 3 * i + j, rtol=1e-6)
    others = [
        r.relative for r in table.rows if r.parameter[1:] != r.output[1:] and "w" in r.parameter
    ]
    assert others == [0.0] * 30


def test_nested_trees_are_labelled_by_their_paths() -> None:
    def cell(p: dict[str, Any]) -> dict[str, Any]:
        return {"soma": {"I": p["soma"]["g"] * p["V"]}, "pair": (p["V"], p["list"][1] * 2.0)}

    inputs = {"soma": {"g": 1.0 * u.nS}, "V": 3.0 * u.mV, "list": [1.0, 4.0], "unused": None}
    table = sensitivity_table(cell, inputs)
    assert list(table.inputs) == ["soma.g", "V", "list.0", "list.1"]
    assert list(table.outputs) == ["soma.I", "pair.0", "pair.1"]
    assert row_of(table, "pair.1", "list.1").sensitivity == 2.0
    assert row_of(table, "soma.I", "soma.g").relative == 1.0


def test_bare_values_go_by_input_and_output() -> None:
    (row,) = sensitivity_table(lambda x: x**2, 3.0 * u.mV).rows
    assert (row.output, row.parameter) == ("output", "input")
    np.testing.assert_allclose(row.sensitivity.to_decimal(u.mV), 6.0)


def test_a_name_with_a_dot_is_no_path() -> None:
    inputs = {"a.b": 1.0, "a": {"b": 2.0}}
    table = sensitivity_table(lambda p: {"y": 3.0 * p["a.b"] + 5.0 * p["a"]["b"]}, inputs)
    assert sorted(row.sensitivity for row in table.rows) == [3.0, 5.0]


def test_the_function_may_look_at_values() -> None:
    def rectified(p: dict[str, Any]) -> dict[str, Any]:
        return {"y": p["a"] if p["a"] > 0.0 * u.mV else 0.0 * p["a"]}

    assert row_of(sensitivity_table(rectified, {"a": 2.0 * u.mV}), "y", "a").relative == 1.0
    assert row_of(sensitivity_table(rectified, {"a": -2.0 * u.mV}), "y", "a").sensitivity == 0.0


def test_select_by_name_of_an_output_or_of_an_array() -> None:
    table = sensitivity_table(lambda p: {"y": p["w"], "z": p["w"][0]}, {"w": jnp.ones(2) * u.mV})
    assert list(table.select(["y"]).outputs) == ["y[0]", "y[1]"]
    assert list(table.select(["y[1]", "z"]).outputs) == ["y[1]", "z"]
    assert {r.output for r in table.select(["z"]).rows} == {"z"}


def test_select_names_the_outputs_there_are() -> None:
    with pytest.raises(KeyError, match=r"no output 'I_Na': the function returns power, current"):
        sensitivity_table(ohm, OHM).select(["power", "I_Na"])


def test_top_keeps_the_first_rows_of_each_output() -> None:
    table = sensitivity_table(ohm, OHM).top(1)
    assert [(r.output, r.parameter) for r in table.rows] == [("power", "U"), ("current", "U")]


def test_complex_outputs_are_refused() -> None:
    with pytest.raises(TypeError, match=r"output 'z' is complex \(complex64\).*absolute value"):
        sensitivity_table(lambda p: {"z": p["U"] * 1j}, OHM)


def test_a_table_that_nobody_reads_is_refused() -> None:
    w = jnp.ones(101) * u.mV
    with pytest.raises(ValueError, match=r"101 outputs and 101 inputs .* 10201 rows.*jacobian"):
        sensitivity_table(lambda p: p["w"] * 2.0, {"w": w})


def test_an_integer_is_named_as_the_function_that_returned_it() -> None:
    def count(p: dict[str, Any]) -> int:
        return 3

    with pytest.raises(TypeError, match=r"count is int32"):
        sensitivity_table(count, OHM)


def test_membrane_against_finite_differences() -> None:
    with jax.enable_x64(True):
        inputs = hh.membrane_inputs()
        table = sensitivity_table(hh.membrane, inputs)
        for name, value in inputs.items():
            step = 1e-5 * max(abs(float(u.get_mantissa(value))), 1.0) * u.get_unit(value)
            up, down = (hh.membrane({**inputs, name: value + s * step}) for s in (1, -1))
            for output in table.outputs:
                by_difference = (up[output] - down[output]) / (2 * step)
                row = row_of(table, output, name)
                unit = u.get_unit(row.sensitivity)
                np.testing.assert_allclose(
                    u.get_mantissa(row.sensitivity),
                    u.Quantity(by_difference).to_decimal(unit),
                    rtol=2e-6,
                    atol=1e-7,
                    err_msg=f"d {output} / d {name}",
                )


def test_a_table_draws_itself() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    ax = sensitivity_table(ohm, OHM).plot("power", ax=Figure().subplots())
    assert [round(float(bar.get_width()), 6) for bar in ax.patches] == [2.0, -1.0]
    with pytest.raises(KeyError, match="no output 'force': the function returns power, current"):
        sensitivity_table(ohm, OHM).plot("force")


def test_picture_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"needs matplotlib.*pip install 'unitjac\[plot\]'"):
        sensitivity_table(ohm, OHM).plot()


def test_a_table_is_asked_for_outputs_and_rows() -> None:
    table = sensitivity_table(ohm, OHM)
    assert len(table) == len(list(table)) == 4
    assert table["power"] == table.select("power") == table.select(["power"])
    assert table["power", "R"] in list(table)
    assert table["power", "R"].relative == pytest.approx(-1.0)
    cut = table.top(1)
    assert (len(cut), len(cut.hidden)) == (2, 2)
    assert cut["power", "R"] == table["power", "R"]  # which is hidden there, and known
    for key, text in (
        ("powr", "no output 'powr': the function returns power, current"),
        (("powr", "R"), "no output 'powr': the function returns power, current"),
        (("power", "r"), "no parameter 'r': the inputs are U, R"),
    ):
        with pytest.raises(KeyError, match=text):
            table[key]


def test_a_table_in_words_is_short_and_says_what_is_left_out() -> None:
    fun = lambda p: {"a": p["x"] ** 2 * p["y"], "b": p["x"] - p["y"], "zero": p["x"] - 2.0}  # noqa: E731
    table = sensitivity_table(fun, {"x": 2.0, "y": 1.9999, "z": 5.0})
    assert repr(table) == str(table) == table.to_text(100)
    assert len(repr(table)) < 1500
    assert "a small difference of large terms" in table["b"].to_text()
    assert "a small difference" not in table["a"].to_text()
    assert "no effect: z" in table["a"].to_text()
    assert "— where the output is zero" in table.to_text()
    assert "and 1 more" in table["a"].top(1).to_text()
    assert "no effect" not in str(table.full_report())
    wide = sensitivity_table(lambda x: x.sum(), jnp.arange(1.0, 101.0))
    assert wide.to_text().count("and 60 more") == 1  # of the point; each row is there
    assert len(wide.to_csv().splitlines()) == 101


@pytest.mark.parametrize("nothing", [{}, (), {"a": None}, {"a": jnp.ones(0)}])
def test_a_function_without_a_number_is_told_what_to_return(nothing: Any) -> None:
    def empty(p: dict[str, Any]) -> Any:
        return nothing

    with pytest.raises(ValueError, match=r"empty returns no number, .* Return a quantity"):
        sensitivity_table(empty, OHM)


def difference(p: dict[str, Any]) -> dict[str, Any]:
    return {"net": p["g"] * (p["V"] - p["E"]), "steep": u.math.exp(p["V"] / p["k"]), "g": p["g"]}


@pytest.mark.parametrize(
    "unit", [{}, {"V": -0.06499 * u.volt}, {"E": -65e3 * u.uvolt, "g": 1e-3 * u.mS}]
)
def test_a_small_difference_of_large_terms_is_named(unit: dict[str, Any]) -> None:
    point = {"g": 1.0 * u.uS, "V": -64.99 * u.mV, "E": -65.0 * u.mV, "k": 0.1 * u.mV, **unit}
    with jax.enable_x64(True):
        table = sensitivity_table(difference, point)
    # the exponential of -649.9, the steepest that there is, is no difference
    assert 600 < abs(row_of(table, "steep", "V").relative) < 700
    assert table.cancelled == ("net",)
    assert table.top(1).cancelled == ("net",)
    assert table.select(["steep"]).cancelled == ()
    np.testing.assert_allclose(abs(row_of(table, "net", "E").relative), 6500, rtol=1e-9)


def test_a_difference_far_from_zero_is_not_named() -> None:
    with jax.enable_x64(True):
        table = sensitivity_table(hh.membrane, hh.membrane_inputs())
        near_rest = {**hh.membrane_inputs(), "V": -65.0 * u.mV}
        assert table.cancelled == ()
        assert sensitivity_table(hh.membrane, near_rest).cancelled[0] == "dV/dt"
