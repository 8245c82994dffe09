"""Texts of numbers and units: four digits, aligned, and units that brainunit reads back."""

import math

import brainunit as u
import numpy as np
import pytest

from unitjac._display import aligned, number_text, value_text
from unitjac._units.quantity import unit_ratio
from unitjac._units.unit_text import UnitTexts


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1.000"),
        (-0.00795689, "-0.007957"),
        (0.0001, "0.0001000"),
        (0.00009999, "9.999e-05"),
        (123.456, "123.5"),
        (999.96, "1000"),
        (123456.7, "123457"),
        (1234567.0, "1.235e+06"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_number_text(number: float, text: str) -> None:
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (120.0, "120"),
        (-54.387, "-54.387"),
        (0.3, "0.3"),
        (0.0529324852, "0.05293"),
        (1e-9, "1e-09"),
        (1.23456789e-9, "1.235e-09"),
        (0.3000000001, "0.3"),
        (100.00001, "100"),
        (0.0, "0"),
        (math.inf, "inf"),
    ],
)
def test_value_text(number: float, text: str) -> None:
    assert value_text(number) == text


def test_numbers_keep_four_digits(rng: np.random.Generator) -> None:
    numbers = rng.normal(size=500) * 10.0 ** rng.uniform(-12, 12, 500)
    for number in numbers:
        np.testing.assert_allclose(float(number_text(number)), number, rtol=5.1e-4)


def test_decimal_points_stand_below_each_other() -> None:
    texts = aligned(["3.000", "-54.39", "120", "1.000e-09", "—", ""])
    assert len({len(text) for text in texts}) == 1
    assert {text.index(".") for text in texts if "." in text} == {3}
    assert texts[2] == "120".ljust(len(texts[0]))
    assert aligned([]) == []


SIEMENS = u.mS / u.cm**2
SLOPE = u.mV / u.ms

QUOTIENTS = [
    (u.uA / u.cm**2, SIEMENS, "mV"),
    (u.uA / u.cm**2, u.mV, "uA/(cm^2*mV)"),
    (u.uA / u.cm**2, u.siemens / u.meter**2, "(uA/cm^2)/(S/m^2)"),
    (SLOPE, SIEMENS, "(mV/ms)/(mS/cm^2)"),
    (SLOPE, u.mV, "1/ms"),
    (SLOPE, u.UNITLESS, "mV/ms"),
    (u.ms**-1, u.mV, "1/(ms*mV)"),
    ((1.0 / u.ms).unit, u.mV, "1/(ms*mV)"),
    ((1.0 / u.ms).unit, u.mV**0.5, "1/(ms*mV^0.5)"),
    (u.nA, u.mV, "uS"),
    (u.cm**2, u.cm, "cm"),
    (u.UNITLESS, u.mV, "1/mV"),
    (u.UNITLESS, u.ms**-1, "ms"),
    (u.hertz, u.nA, "Hz/nA"),
    (u.mV, u.volt, ""),
    (u.UNITLESS, u.UNITLESS, ""),
]


@pytest.mark.parametrize(("over", "under", "text"), QUOTIENTS)
def test_quotients_are_short_and_brainunit_reads_them_back(
    over: u.Unit, under: u.Unit, text: str
) -> None:
    assert UnitTexts().quotient(over, under) == text
    if text:
        assert u.parse_unit(text) == over / under


def test_a_block_is_named_by_what_its_units_are_shown_as() -> None:
    """V/kohm is shown as mA, and so it is mA over kohm, whichever of the two came first."""
    for out in (u.volt / u.kohm, u.mA, u.volt / u.kohm):
        assert UnitTexts().quotient(out, u.kohm) == "mA/kohm"
    for out in (u.mV * u.nS, u.pA):
        slope = unit_ratio(out, u.mV)
        assert UnitTexts().quotient(slope, u.mV) == "nS/mV"


@pytest.mark.parametrize(
    ("over", "under", "square"),
    [(u.nF * u.mV**2, u.nF, "mV^2"), (u.pwatt, u.uS, "mV^2"), (u.nA * u.mV, u.Mohm, "nA^2")],
)
def test_the_square_of_a_unit_is_named_so(over: u.Unit, under: u.Unit, square: str) -> None:
    assert unit_ratio(over, under).dispname == square


@pytest.mark.parametrize("first", ["Hz", "1/s"])
def test_an_equal_unit_with_another_name_does_not_lend_it(first: str) -> None:
    # another denominator each time: no cache knows it from before
    under = {"Hz": u.umole, "1/s": u.mmole}[first]
    units = {"Hz": u.hertz / u.nA, "1/s": u.nA**-1 / u.second}
    assert units["Hz"] == units["1/s"]
    texts = {name: UnitTexts().quotient(units[name], under) for name in (first, "Hz", "1/s")}
    assert "Hz" in texts["Hz"]
    assert "Hz" not in texts["1/s"]


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        (u.UNITLESS, ""),
        (SIEMENS, "mS/cm^2"),
        ((1.0 / u.ms).unit, "1/ms"),
        (u.ms**-1, "1/ms"),
        (u.kHz / u.mV, "1/(ms*mV)"),
        (u.kHz * u.mV, "mV/ms"),
        (u.hertz, "Hz"),
    ],
)
def test_units_as_people_write_them(unit: u.Unit, text: str) -> None:
    assert UnitTexts().of(unit) == text


@pytest.mark.parametrize(
    "unit", [u.mV / u.volt, u.degree, u.eV / u.nmeter, u.mS * u.mV / u.cm**2, u.UNITLESS / SIEMENS]
)
def test_units_that_depend_on_brainunit_are_read_back_by_it(unit: u.Unit) -> None:
    assert u.parse_unit(UnitTexts().of(unit)) == unit
    assert u.parse_unit(UnitTexts().quotient(unit, u.ms)) == unit / u.ms


def test_units_as_the_user_wrote_them() -> None:
    texts = UnitTexts({u.kHz: "kHz", u.mS / u.cm**2: "mS*cm^-2"})
    assert texts.of((1.0 / u.ms).unit) == "kHz"
    assert texts.quotient(u.mV / u.ms, u.mS / u.cm**2) == "(mV/ms)/(mS*cm^-2)"
