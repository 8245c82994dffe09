"""States against time: which are drawn, in which unit, under which name."""

from collections.abc import Iterator

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest

from unitjac.plot import courses

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")

from matplotlib import pyplot as plt  # noqa: E402

TIMES = jnp.linspace(0.0, 5.0, 6) * u.ms
STATES = {
    "V": jnp.arange(6.0) * u.mV,
    "E": jnp.arange(6.0) * u.volt,
    "m": jnp.arange(6.0) / 6,
    "w": jnp.ones((6, 30)) * u.nA,
}


@pytest.fixture(autouse=True)
def figures_are_closed() -> Iterator[None]:
    yield
    plt.close("all")


def drawn(ax) -> dict[str, list[float]]:
    """The lines by their names; that of zero has none."""
    lines = [line for line in ax.lines if len(line.get_xdata()) == 6]
    names = [text.get_text() for text in ax.texts]
    return {n: line.get_ydata().tolist() for n, line in zip(names, lines, strict=True)}


def test_the_first_and_all_of_its_dimension_in_its_unit() -> None:
    found = drawn(courses(TIMES, STATES))
    assert found == {"V": [0, 1, 2, 3, 4, 5], "E": [0, 1000, 2000, 3000, 4000, 5000]}


def test_one_by_its_name() -> None:
    ax = courses(TIMES, STATES, "m")
    assert list(drawn(ax)) == ["m"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "m")


def test_of_many_entries_some_are_drawn() -> None:
    found = drawn(courses(TIMES, STATES, "w"))
    assert len(found) == 12
    assert {"w[0]", "w[29]"} <= set(found)


def test_a_quantity_without_a_tree() -> None:
    ax = courses(TIMES, np.arange(6.0) * u.mV)
    assert drawn(ax) == {"y": [0, 1, 2, 3, 4, 5]}


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(KeyError, match="there is no 'U': there are V, E, m, w"):
        courses(TIMES, STATES, "U")
    with pytest.raises(ValueError, match="m is in 1 and V in mV: they have no common axis"):
        courses(TIMES, STATES, "V", "m")
    with pytest.raises(
        ValueError, match=r"V has shape \(3,\), but must have one row for each of the 6 times"
    ):
        courses(TIMES, {"V": jnp.ones(3) * u.mV})
