"""Units as papers print them: in Unicode, in HTML and in labels of matplotlib."""

import re
from html.parser import HTMLParser

import pytest

from unitjac._unit_markup import markup, pretty

PRINTED = [
    ("uA/cm^2", "µA/cm²"),
    ("1/ms", "1/ms"),
    ("mS*mV", "mS·mV"),
    ("cm^-2", "cm⁻²"),
    ("m^12", "m¹²"),
    ("uA/(cm^2*mV)", "µA/(cm²·mV)"),
    ("(mV/ms)/(mS/cm^2)", "(mV/ms)/(mS/cm²)"),
    ("10^-2*A/m^2", "10⁻²·A/m²"),
    ("1e-05", "1e\N{MINUS SIGN}05"),
    ("ohm", "Ω"),
    ("kohm*uohm", "kΩ·µΩ"),
    ("um^3", "µm³"),
    ("umol/ul", "µmol/µl"),
    ("degC", "°C"),
    ("mV/degree", "mV/°"),
    ("angstrom", "Å"),
    ("percent", "%"),
    ("m^0.5", "m^0.5"),
    ("m^-0.5", "m^\N{MINUS SIGN}0.5"),
    ("mV^0.3333333333333333", "mV^(1/3)"),
    ("mV^-0.6666666666666666", "mV^(\N{MINUS SIGN}2/3)"),
    ("mV^(1/3)", "mV^(1/3)"),
    ("1", "1"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "printed"), PRINTED)
def test_a_unit_in_unicode(text: str, printed: str) -> None:
    assert pretty(text) == printed
    assert pretty(printed) == printed


@pytest.mark.parametrize("word", ["unit", "u", "us_units", "float0", "ufo", "uspace", "Mohms"])
def test_words_that_look_like_units_stay(word: str) -> None:
    for write in (pretty, markup):
        assert write(word) == word


def test_what_is_printed_is_the_same_unit_to_pint() -> None:
    units = pytest.importorskip("pint").UnitRegistry()
    for text, printed in PRINTED[:-1]:
        # pint reads raised whole numbers and most signs
        plain = (
            printed.replace("\N{MINUS SIGN}", "-").replace("%", "percent").replace("Å", "angstrom")
        )
        read = (units(t) for t in (plain, text))  # of a number some releases make no quantity
        one, other = (q if isinstance(q, units.Quantity) else units.Quantity(q) for q in read)
        assert one.dimensionality == other.dimensionality, text
        if text != "degC":  # which has an offset
            assert one.to_base_units().magnitude == pytest.approx(other.to_base_units().magnitude)


class Reader(HTMLParser):
    """The text of a page, and what of it is raised."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"^{data}" if self.open else data


@pytest.mark.parametrize("text", [text for text, _ in PRINTED])
def test_a_unit_in_html_says_what_it_says_in_unicode(text: str) -> None:
    raised = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789\N{MINUS SIGN}")
    told = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: f"^{m[0].translate(raised)}", pretty(text))
    assert Reader(markup(text)).text == re.sub(r"\^\((.*?)\)", r"^\1", told)


def test_what_html_reads_as_its_own_is_escaped() -> None:
    unit = '<b onclick="x">&^2'
    assert markup(unit) == "&lt;b onclick=&quot;x&quot;&gt;&amp;<sup>2</sup>"
    assert Reader(markup(unit)).text == unit
