"""The one style of all pictures, and the one module that imports matplotlib.

Owns: sizes, inks, colours, colour bars, how large a text is. Never touches: what is drawn,
settings of matplotlib.

Where the background is not known (a transparent figure in a notebook, light or dark) the ink has
the luminance whose contrast to white and to a dark page is the same, 4.2. Colours of lines and
bars are those of M. Okabe and K. Ito (2008), "Color Universal Design", that have a contrast of 3 to
both. Cells of a map are opaque, so that they look alike on both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from unitjac._errors import needing
from unitjac._units.quantity import is_quantity, parse_unit, unit_ratio

from ._labels import short_number, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Columns = Literal[1, 2]

SMALL, NORMAL, LARGE = 5.0, 7.0, 8.0  # points: the smallest text, labels, titles
BAR = 6.0  # points: how thick a colour bar is
_COLUMN_MM = {1: 85.0, 2: 175.0}

ANY_INK, DARK_INK, LIGHT_INK = "#777b82", "#1d2330", "#e6e9ef"
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
LINE_COLORS = (BLUE, ORANGE, GREEN, PURPLE)
DASHES = ("solid", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.2, 1.2, 1.2)))

_LIGHT_GROUND, _DARK_GROUND = "#f3f4f6", "#262b33"
_ON_LIGHT = ("#8c3a00", "#e08a4a", _LIGHT_GROUND, "#5b9fd0", "#08457e")
_ON_DARK = ("#ffb27a", "#b8561a", _DARK_GROUND, "#1f6ca8", "#7cc4f7")


@dataclass(frozen=True)
class Canvas:
    """Axes to draw into, and what fits them.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where it is drawn.
    own : bool
        Whether the figure was made here, so that its size is ours to choose.
    background : str or None
        The colour behind it; None where that is not known.
    """

    axes: Axes
    own: bool
    background: Any

    @property
    def is_dark(self) -> bool:
        """Whether the background is known to be dark."""
        return self.background is not None and luminance(self.background) < 0.2

    @property
    def ink(self) -> str:
        """The colour of text and axes."""
        if self.background is None:
            return ANY_INK
        return LIGHT_INK if self.is_dark else DARK_INK

    @property
    def ground(self) -> str:
        """The colour of a cell in which nothing is."""
        return _DARK_GROUND if self.is_dark else _LIGHT_GROUND

    @property
    def gap(self) -> Any:
        """The colour of lines between cells."""
        return self.background if self.is_dark else "white"

    @property
    def width(self) -> float:
        """In points: of the figure where it is ours, else of the axes."""
        figure = self.axes.get_figure(root=True)
        assert figure is not None
        return figure.get_size_inches()[0] * 72 if self.own else self.box[0]

    @property
    def height(self) -> float:
        """Height of the figure in points."""
        figure = self.axes.get_figure(root=True)
        assert figure is not None
        return float(figure.get_size_inches()[1]) * 72

    @property
    def box(self) -> tuple[float, float]:
        """Width and height of the axes in points, as they are laid out now."""
        figure = self.axes.get_figure(root=True)
        assert figure is not None
        if self.own:
            figure.draw_without_rendering()
        extent = self.axes.get_window_extent()
        return extent.width * 72 / figure.dpi, extent.height * 72 / figure.dpi

    def set_height(self, points: float) -> None:
        """Make the figure as high as what is drawn needs, where it is ours."""
        figure = self.axes.get_figure(root=True)
        if self.own and figure is not None:
            figure.set_size_inches(figure.get_size_inches()[0], points / 72)

    def measure(self, text: str, size: float) -> tuple[float, float]:
        """Width and height of a text in points."""
        figure = self.axes.get_figure(root=True)
        assert figure is not None
        artist = figure.text(0, 0, text, fontsize=size, parse_math=False)
        extent = artist.get_window_extent()
        artist.remove()
        return extent.width * 72 / figure.dpi, extent.height * 72 / figure.dpi

    def wrap(self, text: str, width: float, size: float) -> str:
        """A text in lines of at most a width in points."""
        return wrapped(text, lambda line: self.measure(line, size)[0] <= width)

    def widest(self, texts: Sequence[str], size: float) -> float:
        """Width of the widest of some texts in points."""
        return max((self.measure(text, size)[0] for text in texts), default=0.0)

    def highest(self, texts: Sequence[str], size: float) -> float:
        """Height of the highest of some texts in points."""
        return max((self.measure(text, size)[1] for text in texts), default=0.0)

    def title(self, text: str) -> float:
        """Title over the axes, from their left side, in lines as wide as they are; its height."""
        lines = self.wrap(text, self.box[0], LARGE)
        self.axes.set_title(
            lines, loc="left", fontsize=LARGE, color=self.ink, parse_math=False, pad=5
        )
        return self.measure(lines, LARGE)[1] + 5

    def x_label(self, text: str) -> float:
        """Label of the axis that goes across; its height."""
        lines = self.wrap(text, self.box[0], NORMAL)
        self.axes.set_xlabel(lines, fontsize=NORMAL, color=self.ink, parse_math=False)
        return self.measure(lines, NORMAL)[1] + 4

    def y_label(self, text: str) -> None:
        """Label of the axis that goes up."""
        lines = self.wrap(text, self.box[1], NORMAL)
        self.axes.set_ylabel(lines, fontsize=NORMAL, color=self.ink, parse_math=False)

    def text(self, x: float, y: float, text: str, size: float, **options: Any) -> Any:
        """A text in the ink of the picture, unless ``options`` say otherwise."""
        options = {"color": self.ink, "parse_math": False, **options}
        return self.axes.text(x, y, text, fontsize=size, **options)


def canvas(ax: Axes | None, columns: Columns, width: Any = None, background: Any = None) -> Canvas:
    """Axes that were given, or those of a new figure that is as wide as a column."""
    with needing("a picture", "matplotlib", "plot"):
        import matplotlib.pyplot as plt
    if ax is not None:
        found = Canvas(ax, False, _behind(ax) if background is None else background)
    else:
        size = (
            _width_mm(columns, width) / 25.4,
            10.0,
        )  # high enough for anything, until it is known
        ax = plt.subplots(figsize=size, layout="constrained")[1]
        known = _preferred() if background is None else background
        face: Any = "none" if known is None else known
        ax.figure.set_facecolor(face)
        ax.patch.set_alpha(0.0)
        found = Canvas(ax, True, known)
    _dress(found)
    return found


def luminance(color: Any) -> float:
    """Relative luminance of a colour, as the Web Content Accessibility Guidelines define it."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return sum(part * c for part, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: Any, other: Any) -> float:
    """Contrast ratio of two colours, from 1 to 21."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def readable_on(color: Any) -> str:
    """White or near-black, whichever is the more readable on a colour."""
    return max(("#ffffff", "#10141c"), key=lambda ink: contrast(ink, color))


def diverging(on: Canvas, limit: float, linear: float | None) -> Any:
    """What gives numbers their colours: orange below zero, blue above.

    Parameters
    ----------
    limit : float
        The size of number that has the full colour.
    linear : float or None
        Numbers above this size are on a logarithmic scale; None for a linear one throughout.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize, SymLogNorm

    colors = LinearSegmentedColormap.from_list("", _ON_DARK if on.is_dark else _ON_LIGHT)
    norm: Any = Normalize(-limit, limit)
    if linear is not None and linear < limit:
        norm = SymLogNorm(linear, vmin=-limit, vmax=limit)
    return ScalarMappable(norm, colors)


def counting(most: int) -> Any:
    """What gives counts from 1 their colours, on a logarithmic scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, LogNorm

    colors = LinearSegmentedColormap.from_list("", [BLUE, "#a3608f", ORANGE])
    return ScalarMappable(LogNorm(1, max(most, 2)), colors)


def color_bar(
    on: Canvas, mappable: Any, label: str, ticks_for: Callable[[float], Sequence[float]]
) -> None:
    """A thin colour bar under the axes, where it takes no width.

    Parameters
    ----------
    ticks_for : callable
        The ticks, of the length of the bar in points.
    """
    across, up = on.box
    bar = on.axes.figure.colorbar(
        mappable,
        ax=on.axes,
        location="bottom",
        fraction=min(1.6 * BAR / up, 0.3),  # more than it takes, so that it is as long as the axes
        aspect=across / BAR,
        pad=min(BAR / up, 0.3),
    )
    ticks = ticks_for(Canvas(bar.ax, on.own, None).box[0])
    bar.set_ticks(list(ticks), labels=[short_number(tick) for tick in ticks])
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=NORMAL - 1, colors=on.ink, width=0.6, length=2)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    lines = on.wrap(label, across, NORMAL)
    bar.set_label(lines, fontsize=NORMAL, color=on.ink, parse_math=False)


def widened(value: Callable[[float], float], start: float) -> float:
    """The fixed point of a length that grows with itself, such as limits that hold their labels."""
    for _ in range(20):
        start = value(start)
    return start


def _dress(on: Canvas) -> None:
    on.axes.tick_params(which="both", colors=on.ink, labelsize=NORMAL, width=0.6, length=2.5)
    for side, spine in on.axes.spines.items():
        spine.set_color(on.ink)
        spine.set_linewidth(0.6)
        spine.set_visible(side in ("left", "bottom"))


def _width_mm(columns: Columns, width: Any) -> float:
    if width is None:
        if columns not in _COLUMN_MM:
            raise ValueError(
                f"columns is 1 (85 mm wide) or 2 (175 mm), got {columns!r}. For another width "
                "write width=120 * brainunit.mmeter."
            )
        return _COLUMN_MM[columns]
    if is_quantity(width):
        return float(width.mantissa) * unit_ratio(width.unit, parse_unit("mm")).magnitude
    return float(width)


def _behind(ax: Axes) -> Any:
    """The colour that is seen behind axes; None where both they and their figure are clear."""
    from matplotlib.colors import to_rgba

    figure: Figure | None = ax.get_figure(root=True)
    for patch in [ax.patch] if figure is None else [ax.patch, figure.patch]:
        *color, alpha = to_rgba(patch.get_facecolor())
        if patch.get_visible() and alpha > 0.5:
            return tuple(color)
    return None


def _preferred() -> Any:
    """The background that a style sheet asks for; None where it is the white of the defaults."""
    from matplotlib import rcParams
    from matplotlib.colors import to_rgba

    *color, alpha = to_rgba(rcParams["figure.facecolor"])
    return tuple(color) if alpha > 0.5 and min(color) < 0.99 else None
