"""A table of sensitivities: its rows, what is chosen of them, what they say.

Owns: :class:`Sensitivity` and :class:`SensitivityTable`. Never touches: derivatives, how a table is
drawn.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, overload

from unitjac._display import Displayed, Report
from unitjac._units.unit_text import UnitTexts

from ._described import described

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Sensitivity", "SensitivityTable", "Value"]

# A `Quantity`, or a plain number where there is no dimension.
Value = Any

# No function of one number that floating point can hold is as steep: exp(x) has the relative
# sensitivity x, and leaves the range of float64 at x = 709.
_CANCELLED = 1_000.0


@dataclass(frozen=True)
class Sensitivity:
    """How one output answers to one input.

    Parameters
    ----------
    output, parameter : str
        The labels of the output and of the input.
    value : Quantity or float
        The value of the input.
    sensitivity : Quantity or float
        The derivative of the output with respect to the input, in output unit over input unit; a
        plain number where that has no dimension.
    relative : float or None
        The relative sensitivity ``p / y * dy/dp``: the change of the output in per cent for a
        change of the input by one per cent. None where the output is zero to within rounding.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.sensitivity import sensitivity_table
    >>> (row,) = sensitivity_table(lambda x: x**2, 3.0 * u.mV).rows
    >>> row.sensitivity, round(row.relative, 6)
    (Quantity(6., "mV"), 2.0)
    """

    output: str
    parameter: str
    value: Value
    sensitivity: Value
    relative: float | None


@dataclass(frozen=True, repr=False)
class SensitivityTable(Displayed):
    """The sensitivities of a function at one point.

    It shows itself in a notebook and in a terminal; ``to_text``, ``to_html``, ``to_markdown``,
    ``to_csv`` and ``to_pandas`` give it in other forms. It has the length of its rows, which it
    iterates over.

    Parameters
    ----------
    inputs, outputs : dict
        The values of inputs and outputs by label, each a scalar in its unit, in the order in which
        they were given and returned.
    rows : tuple of Sensitivity
        Output by output; within an output from the largest relative sensitivity to the smallest,
        by absolute value.
    hidden : tuple of Sensitivity
        The rows that :meth:`top` left out.
    name : str
        What it is of.
    texts : UnitTexts
        How units are written; by default as everywhere.

    Examples
    --------
    >>> import brainunit as u
    >>> from unitjac.sensitivity import sensitivity_table
    >>> table = sensitivity_table(lambda p: {"P": p["R"] * p["I"] ** 2, "U": p["R"] * p["I"]},
    ...                           {"R": 2.0 * u.ohm, "I": 4.0 * u.amp})
    >>> table["P", "I"].relative
    2.0
    >>> print(table["P"])
    Sensitivities
    <BLANKLINE>
      R = 2 ohm   I = 4 A
    <BLANKLINE>
    P = 32.00 W
      parameter  value  sensitivity  relative
      I          4 A    16.00 V      2.000     ████████████████████
      R          2 ohm  16.00 A^2    1.000     ██████████
    <BLANKLINE>
    relative: change of the output in % for a change of the parameter by 1 %
    """

    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    rows: tuple[Sensitivity, ...]
    hidden: tuple[Sensitivity, ...] = ()
    name: str = ""
    texts: UnitTexts = field(default_factory=UnitTexts, compare=False)

    def __repr__(self) -> str:
        return self.to_text()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Sensitivity]:
        return iter(self.rows)

    @overload
    def __getitem__(self, key: str) -> SensitivityTable: ...
    @overload
    def __getitem__(self, key: tuple[str, str]) -> Sensitivity: ...
    def __getitem__(self, key: str | tuple[str, str]) -> SensitivityTable | Sensitivity:
        """``table["dV/dt"]``: the table of one output; ``table["dV/dt", "g_Na"]``: one row."""
        if isinstance(key, str):
            return self.select(key)
        output, parameter = key
        for row in (*self.rows, *self.hidden):
            if (row.output, row.parameter) == (output, parameter):
                return row
        if output not in self.outputs:
            raise KeyError(_no_output(output, self.outputs))
        raise KeyError(
            f"no parameter {parameter!r}: the inputs are {_nearest(parameter, self.inputs)}. "
            "Name one of them."
        )

    @property
    def cancelled(self) -> tuple[str, ...]:
        """Labels of the outputs that are a small difference of large terms.

        The largest relative sensitivity of an output says how many times its terms are as large as
        itself. Where that is more than a thousand, the terms cancel: by its slope, a change of one
        parameter by less than a thousandth takes the output to zero. Relative sensitivities
        have no unit, so that the units of inputs and outputs do not matter.

        An output that is zero, or rounding, is not among them: it has no relative sensitivity.

        Examples
        --------
        >>> import brainunit as u
        >>> from unitjac.sensitivity import sensitivity_table
        >>> table = sensitivity_table(lambda p: {"net": p["a"] - p["b"], "sum": p["a"] + p["b"]},
        ...                           {"a": 1.0 * u.nA, "b": 0.9999 * u.nA})
        >>> table.cancelled
        ('net',)
        """
        return tuple(
            output
            for output in self.outputs
            if any(abs(row.relative or 0.0) > _CANCELLED for row in self.of(output))
        )

    def of(self, output: str) -> tuple[Sensitivity, ...]:
        """The rows of one output."""
        return tuple(row for row in self.rows if row.output == output)

    def select(self, outputs: str | Iterable[str]) -> SensitivityTable:
        """The table of some of the outputs.

        Parameters
        ----------
        outputs : str or iterable of str
            Labels of outputs; the name of an array stands for all of its entries.

        Raises
        ------
        KeyError
            If there is no such output.
        """
        wanted = [outputs] if isinstance(outputs, str) else list(outputs)
        for name in wanted:
            if not any(_names(name, output) for output in self.outputs):
                raise KeyError(_no_output(name, self.outputs))
        kept = {o: v for o, v in self.outputs.items() if any(_names(name, o) for name in wanted)}
        rows, hidden = (
            tuple(row for row in some if row.output in kept) for some in (self.rows, self.hidden)
        )
        return replace(self, outputs=kept, rows=rows, hidden=hidden)

    def top(self, count: int) -> SensitivityTable:
        """The table of the first `count` rows of each output; it says how many more there are."""
        cut = [(self.of(output)[:count], self.of(output)[count:]) for output in self.outputs]
        return replace(
            self,
            rows=tuple(row for kept, _ in cut for row in kept),
            hidden=(*self.hidden, *(row for _, rest in cut for row in rest)),
        )

    def report(self, *, zeros: bool = False) -> Report:
        """The description that all ways of showing the table share.

        Parameters
        ----------
        zeros : bool, default False
            Whether a parameter without effect has a row, or is only named below the others.
        """
        return described(self, zeros=zeros)

    def full_report(self) -> Report:
        """The description with a row for each parameter, those without effect too."""
        return self.report(zeros=True)

    def plot(self, output: str | None = None, **options: Any) -> Axes:
        """Draw what one output depends on most, as :func:`unitjac.plot.tornado` does.

        Parameters
        ----------
        output : str, optional
            Which output; by default the first.
        **options
            Those of :func:`unitjac.plot.tornado`: ``top``, ``ax``, ``columns`` and others.
        """
        from unitjac.plot._tornado import tornado

        return tornado(self, output, **options)


def _no_output(name: str, outputs: Iterable[str]) -> str:
    return f"no output {name!r}: the function returns {_nearest(name, outputs)}. Name one of them."


def _nearest(name: str, names: Iterable[str], most: int = 20) -> str:
    """The names, those that look like this one first; not hundreds of them."""
    every = list(names)
    close = difflib.get_close_matches(name, every)
    listed = [*close, *(other for other in every if other not in close)]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def _names(name: str, label: str) -> bool:
    return label == name or label.startswith((f"{name}[", f"{name}."))
