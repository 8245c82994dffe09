"""One spelling of a unit: short, ASCII, and read back by the unit library to the same unit."""

import random

import brainunit as u
import pytest

from unitjac._units.quantity import unit_product, unit_ratio
from unitjac._units.unit_text import UnitTexts, product_text, quotient_text, unit_text

NAMED = [
    unit
    for name, unit in sorted(vars(u).items())
    if isinstance(unit, u.Unit) and not name.startswith("_") and not unit.dim.is_dimensionless
]
COMMON = [
    *(u.mV, u.volt, u.ms, u.second, u.nA, u.uA, u.nS, u.mS, u.uF, u.pF, u.kohm, u.Mohm, u.um, u.cm),
    *(u.cm**2, u.um**2, u.metre**3, u.mmolar, u.kelvin, u.Hz, u.kHz, u.mmole, u.joule, u.coulomb),
]


def is_read_back(text: str, unit: u.Unit) -> bool:
    return text == "1" if unit.is_unitless else u.parse_unit(text) == unit


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        (u.uA / u.cm**2 / u.mV, "uA/(cm^2*mV)"),
        (1 / u.ms, "1/ms"),
        (u.kHz * u.mV, "mV/ms"),
        (u.uA / u.cm**2, "uA/cm^2"),
        (u.um, "um"),
        (u.um**2, "um^2"),
        (u.metre**3 / u.cm, "m^3/cm"),
        (u.mV / u.uvolt, "10^3"),
        (u.UNITLESS, "1"),
    ],
)
def test_a_unit_as_people_write_it(unit: u.Unit, text: str) -> None:
    if isinstance(unit, u.Quantity):
        unit = unit.unit
    shown = unit_text(unit)
    assert is_read_back(shown, unit)
    assert shown == text


@pytest.mark.parametrize(
    ("over", "under", "text"),
    [
        (u.uA / u.cm**2, u.mV, "uA/(cm^2*mV)"),
        (u.mV / u.ms, u.mV, "1/ms"),
        (u.mV / u.ms, u.mS / u.cm**2, "(mV/ms)/(mS/cm^2)"),
        (u.uA / u.cm**2, u.mS / u.cm**2, "mV"),
        (u.metre**3, u.cm, "m^3/cm"),
        (u.volt, u.mV, "1"),
        (None, u.mV, "1/mV"),
    ],
)
def test_one_unit_over_another(over: u.Unit | None, under: u.Unit, text: str) -> None:
    assert quotient_text(over, under) == text


def test_products_name_both_factors() -> None:
    assert product_text(u.mV, u.mV) == "mV^2"
    assert product_text(u.nS, u.mV) == "nS*mV"
    assert product_text(u.uA / u.cm**2, u.mV) == "(uA/cm^2)*mV"
    assert product_text(u.ms, u.kHz) == "1"


@pytest.mark.parametrize("unit", NAMED, ids=str)
def test_named_units_are_read_back(unit: u.Unit) -> None:
    try:
        is_known = u.parse_unit(str(unit)) == unit
    except ValueError:
        is_known = False
    if is_known:  # some that the library names it cannot read
        text = unit_text(unit)
        assert is_read_back(text, unit), text
        assert text.isascii(), text


def test_units_that_are_made_are_read_back() -> None:
    seed = random.SystemRandom().randint(0, 10**6)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(300):
        one, two, three = (rng.choice(COMMON) for _ in range(3))
        power = rng.choice([1, 2, -1, -2, 3, 0.5])
        unit = unit_ratio(unit_product(one, two), three**power)
        text = unit_text(unit)
        assert is_read_back(text, unit), (seed, one, two, three, power, text)
        assert text.isascii()
        over = quotient_text(one, two)
        ratio = unit_ratio(one, two)
        assert ratio.dim.is_dimensionless or u.parse_unit(over) == ratio, (seed, over)
        both = product_text(one, two)
        product = unit_product(one, two)
        assert product.dim.is_dimensionless or u.parse_unit(both) == product, (seed, both)


@pytest.mark.parametrize("over", [None, u.mV / u.ms, u.nA])
@pytest.mark.parametrize("top", [u.mS, u.uA, u.pF, u.Mohm, u.mmole])
@pytest.mark.parametrize("bottom", [u.cm**2, u.um**2, u.metre**3, u.ms])
def test_what_was_made_before_changes_no_name(over: u.Unit | None, top: u.Unit, bottom: u.Unit):
    unit, by_a_detour = top / bottom, u.UNITLESS / (bottom / top)
    assert unit == by_a_detour
    first = quotient_text(over, by_a_detour)
    if unit_text(by_a_detour) == unit_text(unit):
        assert first == quotient_text(over, unit)
        assert unit_text(unit_ratio(None, unit)) == unit_text(unit**-1)


def test_what_the_user_wrote_stays() -> None:
    texts = UnitTexts({u.parse_unit("1/ms"): "kHz"})
    assert texts.of(u.parse_unit("1/ms")) == "kHz"
    assert UnitTexts().of(u.parse_unit("1/ms")) == "1/ms"
