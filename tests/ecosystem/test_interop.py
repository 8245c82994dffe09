"""Quantities of pint, astropy and unxt at the border: the same physical quantity on both sides."""

import sys

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import is_quantity

import unitjac as uj
from unitjac.interop import to_astropy, to_brainunit, to_pint, to_unxt

PREFIXED = [
    f"{prefix}{unit}"
    for unit in ("V", "A", "S", "F", "Hz", "m", "s", "g", "Pa", "J", "W", "N", "C", "T", "H")
    for prefix in ("", "k", "m", "u", "n", "p")
    if f"{prefix}{unit}" not in ("pg", "pT")
]
COMPOUND = [
    "mS/cm^2", "uF/cm^2", "mV/ms", "1/ms", "1/(ms*mV)", "nA*mV", "ohm*cm", "mol/m^3", "J/(mol*K)",
    "W/(m^2*K)", "kg*m^2/s^2", "m^0.5", "cm^3", "um^2/ms", "A/m^2", "V^2/ohm", "eV", "min", "cd",
]  # fmt: skip
# In each library's own words, with the factor to SI units by hand.
PINT = {
    "millimeter_Hg": 133.322387415, "inch": 0.0254, "nanomolar": 1e-6, "percent": 0.01,
    "degree": np.pi / 180, "delta_degC": 1.0, "angstrom": 1e-10, "liter": 1e-3,
    "dalton": 1.66053907e-27,
    "calorie": 4.184, "siemens / centimeter ** 2": 1e4, "hour": 3600.0, "poise": 0.1, "bar": 1e5,
}  # fmt: skip
ASTROPY = {
    "deg": np.pi / 180, "percent": 0.01, "Angstrom": 1e-10, "pc": 3.0856775814913673e16,
    "h": 3600.0,
    "mS / cm2": 10.0, "erg": 1e-7, "u": 1.66053907e-27, "l": 1e-3, "bar": 1e5,
    "km / (s Mpc)": 3.24077929e-20,
    "arcmin": np.pi / 10800, "lyr": 9.4607304725808e15, "yr": 31557600.0,
}  # fmt: skip


def si(value):
    """The magnitude in SI base units of a quantity of brainunit, or the number that it is."""
    if not is_quantity(value):
        return np.asarray(value)
    return np.asarray(value.mantissa) * value.unit.magnitude


def assert_crosses(value, to, back_in_si):
    """There and back, the same physical quantity; and on the other side too."""
    there = to({"x": [value]})["x"][0]
    np.testing.assert_allclose(back_in_si(there), si(value), rtol=1e-12)
    back = to_brainunit({"x": [there]})["x"][0]
    np.testing.assert_allclose(si(back), si(value), rtol=1e-12)
    if is_quantity(back):
        assert back.unit.has_same_dim(value.unit)


def quantity(text):
    return u.Quantity(np.array([2.0, 3.0]), unit=u.parse_unit(text))


@pytest.mark.parametrize("text", [*PREFIXED, *COMPOUND])
def test_pint(text):
    pytest.importorskip("pint")
    assert_crosses(quantity(text), to_pint, lambda q: q.to_base_units().magnitude)


@pytest.mark.parametrize("text", [*PREFIXED, *COMPOUND])
def test_astropy(text):
    pytest.importorskip("astropy")
    assert_crosses(quantity(text), to_astropy, lambda q: q.si.value * q.si.unit.scale)


@pytest.mark.parametrize("text", [*PREFIXED, *COMPOUND])
def test_unxt(text):
    pytest.importorskip("unxt")
    with jax.enable_x64(True):
        value = u.Quantity(jnp.array([2.0, 3.0]), unit=u.parse_unit(text))
        assert_crosses(value, to_unxt, lambda q: q.value * q.unit.decompose().scale)


@pytest.mark.parametrize("name", PINT)
def test_units_of_pint_by_hand(name):
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry()
    found = to_brainunit(registry.Quantity(np.array([2.0, 3.0]), name))
    np.testing.assert_allclose(si(found), np.array([2.0, 3.0]) * PINT[name], rtol=1e-8)


@pytest.mark.parametrize("name", ASTROPY)
def test_units_of_astropy_by_hand(name):
    units = pytest.importorskip("astropy.units")
    found = to_brainunit(np.array([2.0, 3.0]) * units.Unit(name))
    np.testing.assert_allclose(si(found), np.array([2.0, 3.0]) * ASTROPY[name], rtol=1e-8)


def test_names_stay_where_both_sides_know_them():
    pint = pytest.importorskip("pint")
    units = pytest.importorskip("astropy.units")
    registry = pint.UnitRegistry()
    for given in (120.0 * registry.mS / registry.cm**2, 120.0 * units.mS / units.cm**2):
        found = to_brainunit(given)
        assert found.unit == u.mS / u.cm**2
        assert found.mantissa == 120.0
    assert str(to_pint(3.0 * u.mV).units) == "millivolt"
    assert str(to_astropy(3.0 * u.mS / u.cm**2).unit) == "mS / cm2"


def test_a_registry_of_ones_own():
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry()
    found = to_pint({"V": 3.0 * u.mV}, registry)["V"]
    assert found._REGISTRY is registry
    assert found + 1.0 * registry.volt == 1003.0 * registry.mV


def test_what_is_no_quantity_stays():
    tree = {"a": 3, "b": [None, "text", jnp.ones(2)], "c": 2.0 * u.mV}
    found = to_brainunit(tree)
    assert found["a"] == 3
    assert found["b"][1] == "text"
    assert found["c"] is tree["c"]
    assert to_pint({"a": 3, "b": "text"}) == {"a": 3, "b": "text"}


def test_dtypes_and_shapes():
    units = pytest.importorskip("astropy.units")
    for shape in ((), (0,), (2, 3)):
        for dtype in (np.float32, np.float64):
            found = to_brainunit(units.Quantity(np.ones(shape, dtype), "mV", dtype=dtype))
            assert found.mantissa.shape == shape
            assert found.mantissa.dtype == dtype


def test_unxt_under_jit_and_in_a_jacobian():
    unxt = pytest.importorskip("unxt")

    def heat(voltage):
        """A function of unxt, differentiated with units."""
        V = to_unxt(voltage)
        return to_brainunit(V**2 / unxt.Quantity(4.0, "kOhm"))

    block = uj.jacrev(heat, unit_aware=True, jit=True)(8.0 * u.volt)
    assert float(block.to_decimal(u.mA)) == pytest.approx(4.0)


def test_static_quantities_of_unxt():
    quantity = pytest.importorskip("unxt.quantity").StaticQuantity(np.array([1.0, 2.0]), "mV")
    found = to_brainunit(quantity)
    assert found.unit == u.mV
    np.testing.assert_array_equal(found.mantissa, [1.0, 2.0])
    assert type(found.mantissa) is np.ndarray


def refused():
    pint = pytest.importorskip("pint")
    units = pytest.importorskip("astropy.units")
    registry = pint.UnitRegistry()
    registry.define("coin = [money]")
    return [
        (registry.Quantity(20.0, "degC"), "degree_Celsius: twice the number is not twice as much"),
        (registry.Quantity(3.0, "dB"), "decibel: twice the number is not twice as much"),
        (registry.Quantity(3.0, "coin"), "coin: pint cannot say what it is in SI units"),
        (20.0 * units.deg_C, "deg_C: deg_C is no product of SI base units"),
        (3.0 * units.mag, "mag: dex is no product of SI base units"),
        (3.0 * units.pix, "pix: pix is no product of SI base units"),
        (units.Magnitude(3.0 * units.ct), r"mag\(ct\): astropy cannot say what it is in SI units"),
    ]


@pytest.mark.parametrize("k", range(7))
def test_what_is_no_multiple_of_its_unit(k):
    given, text = refused()[k]
    with pytest.raises(
        ValueError, match=rf"tree\['T'\]\[0\] is in {text}.*Convert it before, to a m"
    ):
        to_brainunit({"T": [given]})


@pytest.mark.parametrize("to", [to_pint, to_astropy], ids=lambda to: to.__name__)
def test_traced_arrays_are_refused_by_numpy(to):
    pytest.importorskip(to.__name__.removeprefix("to_"))
    text = (
        r"tree\['V'\] is traced, and .* holds NumPy's arrays\. Convert what the transformed functi"
    )
    with pytest.raises(TypeError, match=text):
        jax.jit(lambda x: to({"V": x * u.mV}))(1.0)


@pytest.mark.parametrize("to", [to_pint, to_astropy, to_unxt], ids=lambda to: to.__name__)
def test_a_library_that_is_not_installed(to, monkeypatch):
    name = to.__name__.removeprefix("to_")
    monkeypatch.setitem(sys.modules, name, None)
    text = (
        rf"{to.__name__} needs {name}, which is not installed\. Type: pip install "
        r"'unitjac\[interop\]'"
    )
    with pytest.raises(ImportError, match=text):
        to(1.0 * u.mV)


def test_importing_it_imports_none_of_them():
    import subprocess

    code = (
        "import sys, unitjac.interop\n"
        "print([m for m in ('pint', 'astropy', 'unxt', 'brainstate', 'flax') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_saiunit_is_what_brainunit_hands_on():
    saiunit = pytest.importorskip("saiunit")
    assert saiunit.Quantity is u.Quantity
    block = uj.jacrev(lambda x: x**2, unit_aware=True)(3.0 * saiunit.mV)
    assert block.unit == u.mV
