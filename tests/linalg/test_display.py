"""What a person sees of a matrix: text, HTML, a data frame."""

import sys
from html.parser import HTMLParser

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

from unitjac.linalg import UnitMatrix, covariance

OUTPUTS = {"dV": 1.0 * u.mV / u.ms, "n": 1.0}
INPUTS = {"g_Na": 1.0 * u.parse_unit("mS/cm^2"), "V": jnp.ones(2) * u.mV, "k": 1.0}
NUMBERS = jnp.array([[1.0, -2.5, 3.0, 0.0], [4.0, 5.0, 5.0, 1e-7]])


def jacobian(array=NUMBERS) -> UnitMatrix:
    return UnitMatrix(array, OUTPUTS, INPUTS)


def test_a_table_of_blocks():
    assert repr(jacobian()) == (
        "UnitMatrix 2 x 4, float32\n"
        "row  column  shape  unit               values\n"
        "dV   V       (2,)   1/ms               1 to -2.5\n"
        "dV   g_Na    ()     (mV/ms)/(mS/cm^2)  3\n"
        "dV   k       ()     mV/ms              0\n"
        "n    V       (2,)   1/mV               4 to 5\n"
        "n    g_Na    ()     cm^2/mS            5\n"
        "n    k       ()     1                  1e-07"
    ).replace("1 to -2.5", "-2.5 to 1")


def test_units_of_a_covariance_are_products():
    text = repr(covariance({"g": 0.3 * u.nS, "E": 2.0 * u.mV}))
    assert [line.split()[3] for line in text.splitlines()[2:]] == ["mV^2", "mV*nS", "nS*mV", "nS^2"]
    density = covariance([1.0 * u.uA / u.cm**2, 1.0 * u.mV])
    assert "(uA/cm^2)*mV" in repr(density) or "mV*uA/cm^2" in repr(density)


def test_a_block_without_dimension_shows_the_plain_numbers_that_it_is():
    gain = jnp.array([[2.0, -0.5]], jnp.float16)  # which holds nothing above 65504
    rows, cols = {"out": 1.0 * u.mV}, {"in": jnp.ones(2) * u.nvolt}
    for array, text in {
        "dense": (gain, "(2,)   1     -5e+05 to 2e+06"),
        "sparse": (BCOO.fromdense(gain), "(2,)   1     2 stored, -5e+05 to 2e+06"),
        "complex": (gain.astype("complex64"), "(2,)   1     up to 2e+06 in size"),
    }.values():
        assert repr(UnitMatrix(array, rows, cols)).endswith(text)
    mixed = covariance({"tau": 2.0 * u.ms, "rate": 3.0 * u.Hz})
    assert [line.split()[3] for line in repr(mixed).splitlines()[2:]] == ["Hz^2", "1", "1", "ms^2"]


def test_one_leaf_has_no_name():
    assert repr(UnitMatrix(jnp.ones((1, 1)), 1.0 * u.mV, 1.0 * u.nA)).splitlines()[2] == (
        ".    .       ()     Mohm  1"
    )


def test_many_blocks_are_cut_short():
    n = 60
    J = UnitMatrix(jnp.eye(n), [1.0 * u.mV] * n, [1.0 * u.ms] * n)
    lines = repr(J).splitlines()
    assert len(lines) == 2 + 24 + 1
    assert lines[-1] == "... and 3,576 blocks more"


def test_what_has_no_values():
    empty = UnitMatrix(jnp.zeros((0, 1)), {"a": jnp.zeros(0)}, {"b": 1.0 * u.mV})
    assert repr(empty).splitlines()[2].split()[-1] == "none"
    assert repr(UnitMatrix(jnp.zeros((0, 0)), {}, {})).startswith("UnitMatrix 0 x 0, float32")


def test_complex_values_have_a_size():
    Z = UnitMatrix(jnp.array([[3.0 + 4.0j]]), 1.0 * u.mV, 1.0 * u.nA)
    assert repr(Z).splitlines()[2].endswith("Mohm  up to 5 in size")


def test_a_traced_matrix_is_shown_too():
    shown = []
    jax.jit(lambda J: shown.extend([repr(J), J._repr_html_()]))(jacobian())
    assert "V       (2,)   1/ms               traced" in shown[0]
    assert shown[1].startswith("<pre>UnitMatrix 2 x 4")
    abstract = jax.eval_shape(jacobian)
    assert "traced" in repr(abstract)


def test_a_batch_is_shown_too():
    batch = jax.vmap(lambda k: jacobian() * k)(jnp.arange(3.0))
    assert repr(batch).startswith("UnitMatrix 2 x 4, float32, a batch of 3\n")
    assert "-5 to 2" in repr(batch)
    assert batch._repr_html_().startswith("<pre>UnitMatrix 2 x 4, float32, a batch of 3")


def test_a_sparse_matrix_says_what_is_stored():
    text = repr(jacobian(BCOO.fromdense(NUMBERS)))
    assert text.startswith("UnitMatrix 2 x 4, float32, BCOO with 7 entries\n")
    assert text.splitlines()[2].endswith("2 stored, -2.5 to 1")
    assert text.splitlines()[4].endswith("none stored")


class Cells(HTMLParser):
    """The text of each cell of a table."""

    def __init__(self):
        super().__init__()
        self.cells: list[str] = []

    def handle_data(self, data):
        self.cells.append(data)


def test_a_small_matrix_shows_its_values_in_a_notebook():
    parser = Cells()
    parser.feed(jacobian()._repr_html_())
    assert parser.cells == [
        "UnitMatrix 2 x 4: row unit / column unit",
        *("V[0] (mV)", "V[1] (mV)", "g_Na (mS/cm^2)", "k"),
        *("dV (mV/ms)", "1", "-2.5", "3", "0"),
        *("n", "4", "5", "5", "1e-07"),
    ]
    assert jacobian()._repr_html_() == jacobian(BCOO.fromdense(NUMBERS))._repr_html_()


def test_a_large_matrix_shows_its_blocks_in_a_notebook():
    J = UnitMatrix(jnp.ones((21, 20)), jnp.ones(21) * u.mV, jnp.ones(20) * u.nA)
    assert J._repr_html_() == f"<pre>{J!r}</pre>"


def test_names_are_escaped():
    J = UnitMatrix(jnp.ones((1, 1)), {"<script>alert(1)</script>": 1.0}, {"a&b": 1.0})
    html = J._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "a&amp;b" in html
    wide = UnitMatrix(jnp.ones((1, 500)), {"<b>": 1.0}, jnp.ones(500))
    assert "<b>" not in wide._repr_html_()


def test_a_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = jacobian().to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.index.tolist() == [("dV", "mV/ms"), ("n", "")]
    assert frame.columns.tolist() == [
        *(("V[0]", "mV"), ("V[1]", "mV"), ("g_Na", "mS/cm^2"), ("k", ""))
    ]
    assert frame.index.names == ["row", "unit"]
    np.testing.assert_array_equal(frame.to_numpy(), NUMBERS)
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
