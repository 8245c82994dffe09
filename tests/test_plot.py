"""Pictures: what is drawn is what was computed, and nothing of it is clipped or lies on another."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

from unitjac.linalg import UnitMatrix, covariance
from unitjac.plot import heatmap, over_time, spy, tornado
from unitjac.sensitivity import SensitivityTable, sensitivity_table

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

TIMES = jnp.linspace(0.0, 50.0, 101) * u.ms


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


def names(count: int) -> list[str]:
    long = "a_parameter_with_a_name_that_is_rather_long"
    return ["g", long, *(f"E_{k}" for k in range(count - 2))]


def table(count: int) -> SensitivityTable:
    """Outputs of which the k-th parameter has the relative sensitivity ``(-1)^k (k + 1) / 5``."""
    point = {name: (k + 1.0) * u.mV for k, name in enumerate(names(count))}

    def product(p: dict[str, Any]) -> dict[str, Any]:
        powers = [(value / u.mV) ** ((-1) ** k * (k + 1) / 5) for k, value in enumerate(p.values())]
        whole = 1.0
        for power in powers:
            whole = whole * power
        return {
            "I_Na": whole * u.nA,
            "an_output_with_a_name_that_is_rather_long/dt": powers[0] * u.ms,
        }

    return sensitivity_table(product, point, jit=True)


def courses(count: int) -> dict[str, Any]:
    times = np.asarray(TIMES.mantissa)
    return {
        "V": {name: np.exp(-times / (k + 1)) * (u.mV / u.nS) for k, name in enumerate(names(count))}
    }


def matrix(count: int) -> UnitMatrix:
    values = np.random.default_rng(count).normal(size=(4, count)) * 10.0 ** np.arange(4)[:, None]
    rows = {"V": 1.0 * u.mV, "m": 1.0, "a_gate_with_a_name_that_is_rather_long": jnp.ones(2)}
    return UnitMatrix(values, rows, dict.fromkeys(names(count), 1.0 * u.nS))


PICTURES: dict[str, Callable[..., Any]] = {
    "tornado": lambda n, **options: tornado(table(n), top=n, **options),
    "heatmap of a table": lambda n, **options: heatmap(table(n), **options),
    "heatmap of a matrix": lambda n, **options: heatmap(matrix(n), **options),
    "over_time": lambda n, **options: over_time(TIMES, courses(min(n, 12)), **options),
    "spy": lambda n, **options: spy(BCOO.fromdense(jnp.eye(n * n)), **options),
}


def texts_of(ax: Any) -> list[Any]:
    """Every text that is seen: labels, titles, ticks within the limits, a colour bar's too."""
    return [
        text
        for one in ax.figure.axes
        for text in one.findobj(matplotlib.text.Text)
        if text.get_visible() and text.get_text().strip() and not is_beyond(text, one)
    ]


def is_beyond(text: Any, axes: Any) -> bool:
    """Whether it is a tick outside of the limits, which matplotlib keeps and does not draw."""
    for axis in (axes.xaxis, axes.yaxis):
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if text in (tick.label1, tick.label2):
                low, high = sorted(axis.get_view_interval())
                return not low - 1e-9 <= tick.get_loc() <= high + 1e-9
    return False


def boxes(ax: Any) -> dict[str, Any]:
    ax.figure.canvas.draw()
    extent = matplotlib.text.Text.get_window_extent  # of an annotation the text, not its line
    return {f"{k}: {text.get_text()}": extent(text) for k, text in enumerate(texts_of(ax))}


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("count", [2, 30])
@pytest.mark.parametrize("name", PICTURES)
def test_no_text_is_clipped_or_lies_on_another(
    name: str, count: int, columns: int, style: str
) -> None:
    with plt.style.context(style):
        ax = PICTURES[name](count, columns=columns)
        found = boxes(ax)
        edge = ax.figure.bbox
        for text, box in found.items():
            assert edge.x0 - 1 <= box.x0 <= box.x1 <= edge.x1 + 1, (text, box, edge)
            assert edge.y0 - 1 <= box.y0 <= box.y1 <= edge.y1 + 1, (text, box, edge)
        for (one, a), (other, b) in itertools.combinations(found.items(), 2):
            wide = min(a.x1, b.x1) - max(a.x0, b.x0)
            high = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert min(wide, high) < 1.5, (one, other)
        millimetres = ax.figure.get_size_inches()[0] * 25.4
        assert millimetres == pytest.approx({1: 85, 2: 175}[columns])


def luminance(color: Any) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: Any, other: Any) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("background", ["white", "#111111"])
def test_ink_is_read_on_white_and_on_dark(name: str, background: str) -> None:
    ax = PICTURES[name](4)  # of which nobody knows where it will lie
    outside = [text for text in texts_of(ax) if text not in ax.texts]
    assert outside
    for text in outside:
        assert contrast(text.get_color(), background) > 3, text.get_text()
    known = PICTURES[name](4, background=background)
    for text in texts_of(known):
        if text not in known.texts:
            assert contrast(text.get_color(), background) > 4.5, text.get_text()


def as_seen_without_green(color: Any) -> np.ndarray:
    """A colour as people with deuteranopia see it (Machado et al. 2009, severity 1)."""
    seen = np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.01182, 0.04294, 0.968881],
        ]
    )
    return np.clip(seen @ np.array(matplotlib.colors.to_rgb(color)), 0, 1)


def test_colour_blind_people_tell_the_colours_apart() -> None:
    ax = over_time(TIMES, courses(4))
    colors = [line.get_color() for line in ax.lines if len(line.get_xdata()) > 2]
    bars = [bar.get_facecolor() for bar in tornado(table(3)).patches]
    assert len(set(map(tuple, bars))) == 2
    for some in (colors, bars[:2]):
        for one, other in itertools.combinations(some, 2):
            distance = np.linalg.norm(as_seen_without_green(one) - as_seen_without_green(other))
            assert distance > 0.15, (one, other)


def test_bars_are_the_relative_sensitivities() -> None:
    found = table(6)
    ax = tornado(found)
    rows = found.of("I_Na")
    assert [bar.get_width() for bar in ax.patches] == [row.relative for row in rows]
    labels = [text.get_text().replace("\n", "") for text in ax.get_yticklabels()]
    assert [label.split("=")[0].strip() for label in labels] == [row.parameter for row in rows]
    assert "mV" in labels[0]
    signs = {bar.get_width() > 0: bar.get_facecolor() for bar in ax.patches}
    assert len(set(signs.values())) == 2
    few = tornado(found, top=2)
    assert "the 2 largest of 6" in few.get_title(loc="left").replace("\n", " ")
    with pytest.raises(KeyError, match="no output 'I_K': the function returns I_Na"):
        tornado(found, "I_K")
    several = sensitivity_table(lambda x: {"w": x * jnp.arange(1.0, 3.0)}, 2.0)
    with pytest.raises(
        KeyError, match=r"a tornado is of one output, and 'w' stands for w\[0\], w\[1\]"
    ):
        tornado(several, "w")


def test_undefined_ones_are_said_to_be_so() -> None:
    zero = sensitivity_table(lambda p: p["a"] - 2.0 * u.mV, {"a": 2.0 * u.mV})
    assert "undefined" in [text.get_text() for text in tornado(zero).texts]


@pytest.mark.parametrize("unit", [u.mV, u.volt, u.uvolt])
def test_bars_do_not_depend_on_units(unit: Any) -> None:
    point = {"a": (3.0 * u.mV).in_unit(unit), "b": 2.0 * u.nS}
    ax = tornado(sensitivity_table(lambda p: p["a"] ** 2 * p["b"], point))
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([2.0, 1.0])


def test_lines_are_the_blocks() -> None:
    blocks = courses(3)
    blocks["V"]["g"] = blocks["V"]["g"].in_unit(u.volt / u.uS)  # drawn in the unit of the others
    ax = over_time(TIMES, blocks)
    lines = [line for line in ax.lines if len(line.get_xdata()) > 2]
    for k, line in enumerate(lines):
        by_hand = np.exp(-np.asarray(TIMES.mantissa) / (k + 1))
        factor = np.ptp(line.get_ydata()) / np.ptp(by_hand)
        np.testing.assert_allclose(line.get_ydata(), by_hand * factor, rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(factor, factor_of(lines[0], 1), rtol=1e-5)
    assert ax.get_xlabel() == "time (ms)"
    with pytest.raises(KeyError, match="no blocks of 'I': there are those of V"):
        over_time(TIMES, blocks, outputs="I")
    with pytest.raises(ValueError, match=r"there is no block to draw\. Give blocks\[output\]"):
        over_time(TIMES, {"V": {}})
    with pytest.raises(ValueError, match=r"t must be one array of times, of shape \(n,\), got"):
        over_time(jnp.ones((2, 2)) * u.ms, blocks)
    with pytest.raises(ValueError, match="must have one row for each of the 101 times, got shape"):
        over_time(TIMES, {"V": {"g": jnp.ones(7)}})
    with pytest.raises(ValueError, match="blocks of different dimensions have no common axis"):
        over_time(TIMES, {"V": {"a": jnp.ones(101) * u.mV, "b": jnp.ones(101)}})


def factor_of(line: Any, tau: float) -> float:
    return float(np.ptp(line.get_ydata()) / np.ptp(np.exp(-np.asarray(TIMES.mantissa) / tau)))


def test_relative_courses_are_in_per_cent() -> None:
    tau, start = 8.0 * u.ms, 10.0 * u.mV
    V = start * jnp.exp(-(TIMES / tau))
    blocks = {"V": {"start": V / start, "tau": V * TIMES / tau**2}}
    ax = over_time(TIMES, blocks, relative=({"start": start, "tau": tau}, {"V": V}))
    one, ramp = (line.get_ydata() for line in ax.lines if len(line.get_xdata()) > 2)
    np.testing.assert_allclose(one, 1.0, rtol=1e-5)
    np.testing.assert_allclose(ramp, np.asarray(TIMES / tau), rtol=1e-5, atol=1e-9)
    with pytest.raises(KeyError, match="relative has no value of parameter 'tau': there are start"):
        over_time(TIMES, blocks, relative=({"start": start}, {"V": V}))


def test_cells_are_the_numbers() -> None:
    found = table(4)
    ax = heatmap(found)
    cells = {t.get_position()[::-1]: t.get_text() for t in ax.texts}
    for column, name in enumerate(found.inputs):
        relative = found["I_Na", name].relative
        shown = cells[0, column].replace("\N{MINUS SIGN}", "-")
        assert float(shown) == pytest.approx(relative, rel=0.06)
    C = covariance({"g": 0.3 * u.nS, "E": 2.0 * u.mV})
    assert "row unit \N{MULTIPLICATION SIGN} column unit" in heatmap(C).get_title(loc="left")
    labels = [text.get_text() for text in heatmap(C).get_xticklabels()]
    assert [label.replace("\n", " ") for label in labels] == ["g (nS)", "E (mV)"]
    with pytest.raises(
        TypeError, match="a heat map is of a SensitivityTable or a UnitMatrix, got a d"
    ):
        heatmap({})
    large = UnitMatrix(jnp.ones((1, 501)), 1.0, jnp.ones(501))
    with pytest.raises(
        ValueError, match="a heat map has at most 500 rows and columns, and the mat"
    ):
        heatmap(large)
    with pytest.raises(
        TypeError, match=r"the matrix is complex \(complex64\), and a heat map shows"
    ):
        heatmap(UnitMatrix(jnp.ones((1, 1)) * 1j, 1.0, 1.0))


def test_the_order_is_the_one_as_written() -> None:
    J = UnitMatrix(jnp.array([[1.0, 0.0], [0.0, 2.0]]), {"b": 1.0, "a": 1.0}, {"x": 1.0, "c": 1.0})
    cells = {t.get_position()[::-1]: t.get_text() for t in heatmap(J).texts}
    assert (cells[0, 0], cells[1, 1]) == ("2", "1")  # JAX has a and c first
    ax = spy(J)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["b", "a"]
    ax = over_time(TIMES, {"V": {"z": np.ones(101), "a": np.zeros(101)}})
    assert [text.get_text() for text in ax.texts] == ["z", "a"]


def test_dots_are_the_entries() -> None:
    ax = spy(BCOO.fromdense(jnp.eye(20)))
    assert ax.get_title(loc="left").startswith("20 \N{MULTIPLICATION SIGN} 20, 20 entries")
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row is on top


@pytest.mark.parametrize("name", PICTURES)
def test_axes_that_are_given_are_drawn_into(name: str) -> None:
    figure = Figure()
    size = tuple(figure.get_size_inches())
    ax = figure.subplots()
    assert PICTURES[name](3, ax=ax) is ax
    assert tuple(figure.get_size_inches()) == size
    assert plt.get_fignums() == []


def test_sizes_that_are_none() -> None:
    with pytest.raises(ValueError, match=r"columns is 1 \(85 mm wide\) or 2 \(175 mm\), got 3"):
        tornado(table(2), columns=3)  # type: ignore[arg-type]
    ax = tornado(table(2), width=12.0 * u.cm)
    assert ax.figure.get_size_inches()[0] * 25.4 == pytest.approx(120)
