"""What a person sees of a matrix: text, HTML, a data frame."""

import re
import sys
from html.parser import HTMLParser

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

from unitjac.linalg import Axis, UnitMatrix, covariance
from unitjac.linalg._shades import strengths

OUTPUTS = {"dV": 1.0 * u.mV / u.ms, "n": 1.0}
INPUTS = {"g_Na": 1.0 * u.parse_unit("mS/cm^2"), "V": jnp.ones(2) * u.mV, "k": 1.0}
NUMBERS = jnp.array([[1.0, -2.5, 3.0, 0.0], [4.0, 5.0, 5.0, 1e-7]])


def jacobian(array=NUMBERS) -> UnitMatrix:
    return UnitMatrix(array, OUTPUTS, INPUTS)


def cells(text: str) -> list[list[str]]:
    """The rows of a table in text, cell by cell; two spaces stand between cells."""
    return [re.split(r"  +", line.strip()) for line in text.splitlines() if line.strip()]


def test_a_small_matrix_shows_its_numbers_and_their_units():
    assert repr(jacobian()) == str(jacobian()) == jacobian().to_text(100)
    head, titles, dV, n = cells(repr(jacobian()))
    assert head == ["UnitMatrix 2 x 4", "float32, row unit / column unit"]
    assert titles == ["g_Na", "V[0]", "V[1]", "k"]  # as written, while JAX sorts them
    assert dV[:4] == ["dV", "3.000 (mV/ms)/(mS/cm^2)", "1.000 1/ms", "-2.500 1/ms"]
    assert "".join(dV[4:]) == "0mV/ms"
    assert [x.split() for x in n[1:4]] == [
        ["5.000", "cm^2/mS"],
        ["4.000", "1/mV"],
        ["5.000", "1/mV"],
    ]
    assert n[4] == "1.000e-07"


def test_a_wide_matrix_has_its_units_beside_the_names():
    J = UnitMatrix(jnp.arange(14.0).reshape(2, 7), OUTPUTS, {"x": jnp.ones(7) * u.mS})
    _head, titles, dV, n = cells(J.to_text(150))
    assert titles == ["row", *(f"x[{k}] (mS)" for k in range(7))]
    assert (dV[0], n[0]) == ("dV (mV/ms)", "n")
    assert [float(x) for x in n[1:]] == list(range(7, 14))
    narrow = cells(J.to_text(50))
    assert sum(line[0] == "row" for line in narrow) > 1  # several tables below each other
    assert [x for line in narrow if line[0] == "n" for x in line[1:]] == n[1:]


def test_units_of_a_covariance_are_products():
    C = covariance({"g": 0.3 * u.nS, "E": 2.0 * u.mV})
    assert "row unit times column unit" in repr(C)
    assert [row[1:] for row in cells(repr(C))[2:]] == [
        ["0.09000 nS^2", "0", "nS*mV"],
        ["0", "mV*nS", "4.000 mV^2"],
    ]
    assert C.to_csv().splitlines()[0] == "row,row unit,g [nS],E [mV]"
    density = repr(covariance([1.0 * u.uA / u.cm**2, 1.0 * u.mV]))
    assert "(uA/cm^2)*mV" in density
    correlation = C.correlation()
    assert "plain numbers" in repr(correlation)
    assert "nS" not in repr(correlation)


def test_a_block_without_dimension_shows_the_plain_numbers_that_it_is():
    gain = jnp.array([[2.0, -0.5]], jnp.float16)  # which holds nothing above 65504
    rows, cols = {"out": 1.0 * u.mV}, {"in": jnp.ones(2) * u.nvolt}
    for array in (gain, BCOO.fromdense(gain)):
        assert cells(repr(UnitMatrix(array, rows, cols)))[-1] == ["out", "2.000e+06", "-500000"]
    large = {"in": jnp.ones(500) * u.nvolt}
    for array, ends in {
        "dense": (jnp.full((1, 500), 2.0, jnp.float16), ["2.000e+06", "2.000e+06"]),
        "complex": (jnp.full((1, 500), 2.0j), ["2.000e+06"]),
    }.values():
        line = cells(repr(UnitMatrix(array, rows, large)))[2]
        assert line == ["out", "in", "(500,)", "1", *ends]
    mixed = covariance({"tau": 2.0 * u.ms, "rate": 3.0 * u.Hz})
    assert [row[1:] for row in cells(repr(mixed))[2:]] == [["4.000 ms^2", "0"], ["0", "9.000 Hz^2"]]


def test_one_leaf_has_no_name():
    one = UnitMatrix(jnp.ones((1, 1)), 1.0 * u.mV, 1.0 * u.nA)
    assert cells(repr(one))[-1] == ["0", "1.000 Mohm"]


def test_many_blocks_are_cut_short():
    n = 60
    J = UnitMatrix(jnp.eye(n), [1.0 * u.mV] * n, [1.0 * u.ms] * n)
    lines = repr(J).splitlines()
    assert "and 3,576 blocks more" in lines
    assert "The first 8 of 60 rows and 8 of 60 columns" in lines


def test_what_has_no_values():
    empty = UnitMatrix(jnp.zeros((0, 1)), {"a": jnp.zeros(0)}, {"b": 1.0 * u.mV})
    assert cells(repr(empty))[-1] == ["a", "b", "(0,)", "1/mV", "—", "—"]
    assert repr(UnitMatrix(jnp.zeros((0, 0)), {}, {})).startswith("UnitMatrix 0 x 0  float32")


def test_complex_values_are_shown_as_they_are():
    Z = UnitMatrix(jnp.array([[3.0 + 4.0j]]), 1.0 * u.mV, 1.0 * u.nA)
    assert cells(repr(Z))[-1] == ["0", "3.000+4.000j Mohm"]


def test_a_traced_matrix_is_shown_too():
    shown = []
    jax.jit(lambda J: shown.extend([repr(J), J._repr_html_()]))(jacobian())
    assert ["dV", "V", "(2,)", "1/ms", "traced"] in cells(shown[0])
    assert "traced" in shown[1]
    assert "UnitMatrix 2 x 4" in shown[1]
    assert "traced" in repr(jax.eval_shape(jacobian))


def test_a_batch_is_shown_too():
    batch = jax.vmap(lambda k: jacobian() * k)(jnp.arange(3.0))
    assert repr(batch).startswith("UnitMatrix 2 x 4  float32, a batch of 3, row unit")
    assert cells(repr(batch))[3][1:] == ["V", "(2,)", "1/ms", "-5.000", "2.000"]


def test_a_sparse_matrix_says_what_is_stored():
    few = UnitMatrix(BCOO.fromdense(jnp.array([[0, 2.0, 0, 0], [0, 0, 0, 0]])), OUTPUTS, INPUTS)
    assert "BCOO with 1 entry" in repr(few)
    assert cells(repr(few))[-1] == ["dV", "V[1]", "2.000", "1/ms"]
    bands = BCOO.fromdense(jnp.eye(50))
    text = cells(repr(UnitMatrix(bands, {"x": jnp.ones(50) * u.mV}, {"y": jnp.ones(50)})))
    assert text[2] == ["x", "y", "(50, 50)", "mV", "50", "1.000", "1.000"]
    assert ["x[7] (mV)", *["0"] * 7, "1.000"] in text
    assert jacobian()._repr_html_().count("<tr>") == jacobian(
        BCOO.fromdense(NUMBERS)
    ).to_html().count("<tr>")


def test_padding_of_a_sparse_matrix_is_no_entry():
    padded = BCOO((jnp.array([3.0, 9.0]), jnp.array([[1, 1], [2, 2]])), shape=(2, 2))
    one = UnitMatrix(padded, jnp.ones(2) * u.mV, jnp.ones(2))
    assert one.to_csv().splitlines()[1:] == ["[1],[1],3.0,mV"]
    large = UnitMatrix(
        BCOO((jnp.ones(30), jnp.stack([jnp.arange(30), jnp.arange(30)], 1)), shape=(25, 25)),
        jnp.ones(25) * u.mV,
        jnp.ones(25),
    )
    assert cells(repr(large))[2][4:] == ["25", "1.000", "1.000"]


class Cells(HTMLParser):
    """The text of each cell of a table, and the tags around them."""

    def __init__(self):
        super().__init__()
        self.cells: list[str] = []
        self.tags: list[str] = []
        self.is_style = False

    def handle_starttag(self, tag, attrs):
        self.tags.append(f"{tag} {dict(attrs).get('scope', '')}".strip())
        self.is_style = tag == "style"

    def handle_data(self, data):
        if data.strip() and not self.is_style:
            self.cells.append(data.strip())


def test_a_small_matrix_shows_its_values_in_a_notebook():
    parser = Cells()
    parser.feed(jacobian()._repr_html_())
    assert parser.cells[:6] == [
        *("UnitMatrix 2 x 4", "float32, row unit / column unit", "g_Na", "V[0]", "V[1]", "k")
    ]
    assert parser.cells[6:10] == ["dV", "3.000", "(mV/ms)/(mS/cm", "2"]  # a superscript
    assert parser.cells[11:15] == ["1.000", "1/ms", "\N{MINUS SIGN}2.500", "1/ms"]
    assert parser.tags.count("th row") == 2
    assert parser.tags.count("th col") == 5


def test_a_large_matrix_has_a_picture_in_a_notebook():
    J = UnitMatrix(jnp.eye(100), jnp.ones(100) * u.mV, jnp.ones(100) * u.nA)
    parser = Cells()
    parser.feed(J._repr_html_())
    assert {"svg", "figcaption"} <= set(parser.tags)
    assert "The first 8 of 100 rows and 8 of 100 columns" in parser.cells


def test_names_are_escaped():
    J = UnitMatrix(jnp.ones((1, 1)), {"<script>alert(1)</script>": 1.0}, {"a&b": 1.0})
    html = J._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "a&amp;b" in html
    wide = UnitMatrix(jnp.ones((1, 500)), {"<i>": 1.0}, jnp.ones(500))
    assert "<i>" not in wide._repr_html_()


def test_an_axis_is_a_table_of_its_leaves():
    axis = Axis.of({"w": jnp.ones((2, 3)) * u.nS, "V": 1.0 * u.mV})
    assert cells(repr(axis)) == [
        ["Axis", "7 entries"],
        ["leaf", "unit", "shape"],
        ["w", "nS", "(2, 3)"],
        ["V", "mV", "()"],
    ]
    many = Axis.of([1.0 * u.mV] * 60)
    assert cells(repr(many))[-1] == ["and 20 more"]
    assert len(many.to_csv().splitlines()) == 61
    assert repr(Axis.of({})) == "Axis  0 entries"


def test_no_shade_depends_on_units():
    rng = np.random.default_rng(11)
    values = rng.normal(size=(4, 5)) * 10.0 ** rng.integers(-6, 6, (4, 5))
    rows = {"V": jnp.ones(2) * u.mV, "w": jnp.ones(2) * u.nA}
    cols = {"g": jnp.ones(3) * u.nS, "V": jnp.ones(2) * u.volt}
    J = UnitMatrix(jnp.array(values), rows, cols)
    other = J.to({"V": u.volt, "w": u.uA}, {"g": u.uS, "V": u.uvolt})
    one, two = (
        strengths(np.asarray(A.array).ravel(), *np.indices((4, 5)).reshape(2, -1), A.rows, A.cols)
        for A in (J, other)
    )
    np.testing.assert_allclose(one, two, atol=1e-5)
    assert np.sum(np.isclose(np.abs(one), 1.0)) == 4  # the largest of each dimension


def test_a_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = jacobian().to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.index.tolist() == [("dV", "mV/ms"), ("n", "")]
    assert frame.columns.tolist() == [
        *(("g_Na", "mS/cm^2"), ("V[0]", "mV"), ("V[1]", "mV"), ("k", ""))
    ]
    assert frame.index.names == ["row", "unit"]
    np.testing.assert_array_equal(frame.to_numpy(), NUMBERS[:, jnp.array([2, 0, 1, 3])])
    assert frame.loc["dV", "g_Na"].to_numpy() == 3.0
    numbered = UnitMatrix(jnp.ones((1, 1)), 1.0 * u.mV, 1.0).to_pandas()
    assert numbered.index.tolist() == [("0", "mV")]


def test_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    text = r"to_pandas needs pandas, which is not installed\. Type: pip install 'unitjac\[pandas\]'"
    with pytest.raises(ImportError, match=text):
        jacobian().to_pandas()


def test_a_traced_matrix_has_no_data_frame():
    pytest.importorskip("pandas")
    with pytest.raises(jax.errors.TracerArrayConversionError):
        jax.jit(lambda J: J.to_pandas())(jacobian())
