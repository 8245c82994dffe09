"""The quantity layer: the one door at which units are stripped and put back.

Owns: what a leaf's unit is, the unit of a block, and how a block that has no dimension becomes
a plain number. Never touches: derivatives, states.

A unit is written ``None`` for a plain array, so that what comes back is what went in: a plain
array stays one, and a quantity stays a quantity even where its unit is one.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _key_order, _typed
from unitjac._errors import dtype_of, in_full, library_folder
from unitjac._foreign import is_foreign

from .symbols import symbols_of

Unit = u.Unit
Quantity = u.Quantity
UNITLESS: Unit = u.UNITLESS
parse_unit = u.parse_unit
# as these types say, which brainunit leaves open
unit_of = cast("Callable[[Any], Unit]", u.get_unit)
magnitude_of = cast("Callable[[Any], Any]", u.get_mantissa)

# brainunit hands on what another package defines, and both raise unit errors
UNIT_FOLDERS = tuple(
    library_folder(sys.modules[name]) for name in ("brainunit", Quantity.__module__.split(".")[0])
)


class Stripped(NamedTuple):
    """A tree without its units: magnitudes leaf by leaf, and what is needed to go back.

    The key paths are those of the tree itself: a container may look at what it is made of, so that
    none is made of stand-ins. ``kinds`` has the structure of each leaf that is of a class derived
    from ``Quantity``. ``written`` is None where JAX's order of the keys is the one as written.
    """

    magnitudes: list[Any]
    units: tuple[Unit | None, ...]
    treedef: Any
    paths: list[tuple[Any, ...]]
    kinds: Mapping[int, Any] = MappingProxyType({})
    written: _key_order.Written | None = None

    @property
    def structure(self) -> Any:
        """What makes a tree of leaves, its keys in the order as written."""
        return self.treedef if self.written is None else self.written.structure

    @property
    def order(self) -> Sequence[int]:
        """The numbers of the leaves in the order as written."""
        return range(len(self.units)) if self.written is None else self.written.order

    def attach(self, magnitudes: Sequence[Any]) -> Any:
        """The tree with other magnitudes, in the same units."""
        leaves = [attach(m, unit) for m, unit in zip(magnitudes, self.units, strict=True)]
        for k, kind in self.kinds.items():
            leaves[k] = kind.unflatten([magnitudes[k]])
        return self.structure.unflatten(leaves)


def is_quantity(leaf: Any) -> bool:
    """Whether ``leaf`` is a quantity of brainunit."""
    return isinstance(leaf, Quantity)


def _is_whole(node: Any) -> bool:
    # a filter of a module's leaves leaves quantities of None behind, which hold nothing
    if is_quantity(node):
        return node.mantissa is not None
    return is_foreign(node)


def strip(tree: Any) -> Stripped:
    """Take the units off the leaves of ``tree``.

    A quantity of another library is a leaf, whatever it is to JAX, and no array: who takes arrays
    refuses it.
    """
    entries, treedef, written = _key_order.flatten(tree, _is_whole)
    magnitudes: list[Any] = [leaf for _, leaf in entries]
    units: list[Unit | None] = [None] * len(entries)
    kinds: dict[int, Any] = {}
    for k, (_, leaf) in enumerate(entries):
        if not is_quantity(leaf):
            continue
        magnitudes[k], units[k] = leaf.mantissa, leaf.unit
        if not _typed.is_exactly(leaf, Quantity) and not jax.tree_util.all_leaves([leaf]):
            kind = _typed.structure(leaf)
            if kind.num_leaves == 1:  # what else it holds would be kept beyond the trace
                kinds[k] = kind
    paths = [path for path, _ in entries]
    return Stripped(magnitudes, tuple(units), treedef, paths, kinds, written)


def attach(magnitude: Any, unit: Unit | None) -> Any:
    """Put ``unit`` on ``magnitude``; a plain array where the unit is None."""
    return magnitude if unit is None else Quantity(magnitude, unit=unit)


def split(leaf: Any) -> tuple[np.ndarray, Unit | None]:
    """The magnitude of a leaf as numbers of NumPy, and its unit: what :func:`attach` joins."""
    if is_quantity(leaf):
        return np.asarray(leaf.mantissa), leaf.unit
    return np.asarray(leaf), None


def with_units_of(value: Any, before: Any) -> Any:
    """``value`` with the very units of ``before`` where they are the same, leaf by leaf.

    JAX finds a compiled program by the units of its arguments: the same object is compared in no
    time, an equal one takes as long as a small program.
    """
    new, old = strip(value), strip(before)
    if new.treedef != old.treedef:
        return value
    pairs = zip(new.units, old.units, strict=True)
    units = tuple([was if _is_same(unit, was) else unit for unit, was in pairs])
    return new._replace(units=units).attach(new.magnitudes)


def _is_same(one: Unit | None, other: Unit | None) -> bool:
    """Whether two units are equal, and shown by the same name."""
    if one is None or other is None:
        return False
    return one == other and one.dispname == other.dispname


def _as_shown(unit: Unit | None) -> Unit | None:
    """The unit that goes by the symbols that are shown.

    V/kohm is shown as mA, and what brainunit before 0.6 has no name for is counted in SI's units
    although it is shown as mS/cm^2: what is made of it would be named by these.
    """
    if unit is None:
        return None
    symbols = symbols_of(unit)
    if unit.dispname.isalpha():
        if symbols != unit.dispname:
            return unit
    elif "10^" in symbols or symbols == str(unit).replace(" ", ""):
        return unit
    try:
        shown = parse_unit(symbols)
    except ValueError:  # a name that somebody gave it
        return unit
    return shown if shown == unit else unit


def _as_square(unit: Unit) -> Unit:
    """The unit as the square of one unit, where it is one: pW/uS is mV^2.

    brainunit before 0.6 names it so by itself; since then it is asked to.
    """
    simplify = getattr(unit, "simplify", None)
    if simplify is None or unit.dispname.isalpha():
        return unit
    simple = simplify()
    # an area stays as it was written: m^3/cm is dam^2
    return simple if re.fullmatch(r"[A-Za-z]*[^\Wm]\^2", simple.dispname) else unit


def cached_as_written(
    combine: Callable[[Unit | None, Unit | None], Unit],
) -> Callable[[Unit | None, Unit | None], Unit]:
    """Remember what two units make, by their names too, and make it of what these names stand for.

    Hz and 1/s are equal, and a cache that took one for the other would show a user the name that
    somebody else wrote first.
    """

    @lru_cache(maxsize=4096)
    def known(
        one: Unit | None, other: Unit | None, one_name: str | None, other_name: str | None
    ) -> Unit:
        return _as_square(combine(_as_shown(one), _as_shown(other)))

    @wraps(combine)
    def combined(one: Unit | None, other: Unit | None) -> Unit:
        names = (None if unit is None else symbols_of(unit) for unit in (one, other))
        return known(one, other, *names)

    return combined


@cached_as_written
def unit_ratio(out_unit: Unit | None, in_unit: Unit | None) -> Unit:
    """The unit of a derivative: that of the output over that of the input."""
    if in_unit is None or is_one(in_unit):
        return out_unit or UNITLESS
    # brainunit writes 1 / mV so, and UNITLESS / mV in base units
    ratio = in_unit**-1 if is_one(out_unit) else (out_unit or UNITLESS) / in_unit
    assert isinstance(ratio, Unit)  # brainunit's signature allows for a quantity here
    return ratio


@cached_as_written
def unit_product(one: Unit | None, other: Unit | None) -> Unit:
    """The unit of a product."""
    if is_one(one) or is_one(other):  # brainunit writes 1/mV times one in base units
        return (other if is_one(one) else one) or UNITLESS
    product = (one or UNITLESS) * (other or UNITLESS)
    assert isinstance(product, Unit)  # brainunit's signature allows for a quantity here
    return product


def is_dimensionless(unit: Unit | None) -> bool:
    """Whether ``unit`` has no dimension, whatever its scale."""
    return unit is None or bool(unit.dim.is_dimensionless)


def same_dimension(one: Unit | None, other: Unit | None) -> bool:
    """Whether quantities in the two units can be added."""
    return is_dimensionless(unit_ratio(one, other))


def is_one(unit: Unit | None) -> bool:
    """Whether ``unit`` is the number one, so that leaving it out changes nothing."""
    return unit is None or bool(unit.is_unitless)


def attach_block(block: Any, unit: Unit) -> Any:
    """A block in ``unit``: a quantity, or a plain array of numbers where it has no dimension.

    Blocks of integer inputs (dtype ``float0``) hold no number and stay as they are.
    """
    if dtype_of(block) == jax.dtypes.float0:
        return block
    if is_dimensionless(unit):
        return rescale(block, unit)
    return Quantity(block, unit=unit)


def rescale(magnitude: Any, unit: Unit) -> Any:
    """The number that ``magnitude`` in the dimensionless ``unit`` stands for.

    The scale is applied in steps that the dtype can hold, in float32 for the 16-bit types: each
    intermediate lies between the magnitude and the result, so that what can be held at the end
    is not lost by the scaling. A magnitude that came as inf stays so.
    """
    if is_one(unit):
        return magnitude
    dtype = dtype_of(magnitude)
    if not jnp.issubdtype(dtype, jnp.inexact):
        dtype = jnp.result_type(float)  # a scale would cut whole numbers
    wide = wide_dtype(dtype)
    with in_full(wide):
        result = jnp.asarray(magnitude, wide)
        for k, factor in enumerate(scale_steps(unit, wide)):
            if k:  # else the compiler multiplies the factors first, which overflows
                result = jax.lax.optimization_barrier(result)
            result = result * jnp.asarray(factor, wide)
        return result.astype(dtype)


def scale_steps(unit: Unit, dtype: Any) -> tuple[float, ...]:
    """Factors whose product is the scale of ``unit``, each a normal number of ``dtype``."""
    info = _typed.finfo(dtype)
    limit = min(math.log10(float(info.max)), -math.log10(float(info.tiny)))
    exponent = math.log10(unit.factor) + unit.scale * math.log10(unit.base)
    steps = math.ceil(abs(exponent) / limit) or 1
    if steps == 1:
        return (float(unit.magnitude),)
    return (10.0 ** (exponent / steps),) * steps


def real_dtype(dtype: Any) -> Any:
    """The dtype of the real part of numbers of ``dtype``."""
    return _typed.finfo(dtype).dtype


def wide_dtype(dtype: Any) -> Any:
    """The dtype that numbers of ``dtype`` are scaled in: those of 16 bits in 32."""
    return jnp.float32 if _typed.finfo(dtype).bits < 32 else dtype


def float0_block(shape: tuple[int, ...]) -> np.ndarray:
    """The block of an input that has no tangents: integers and bools."""
    return np.zeros(shape, dtype=jax.dtypes.float0)
