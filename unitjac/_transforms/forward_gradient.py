"""Random forward gradients: ``fwd_grad``.

Owns: the public function, how far a random direction goes in each input, and the clip. Never
touches: how a direction is drawn or pushed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._engine.along import estimated, slopes_along
from unitjac._engine.dtypes import Mode, is_complex
from unitjac._engine.seeds import directions
from unitjac._errors import array_text, as_int, dtype_of, has_tracer, is_arraylike
from unitjac._states.state import State, StateTrace, commit
from unitjac._units.quantity import (
    Unit,
    is_dimensionless,
    is_quantity,
    rescale,
    same_dimension,
    strip,
    unit_ratio,
)
from unitjac._units.unit_text import unit_text

from .arguments import check_function, check_keywords, name_of
from .decorator import decorating
from .gradient import Gradient
from .inputs import Group, Inputs
from .random_key import as_key, drawn
from .traced import Traced
from .transform import GradientTransform

_KNOWN = (
    "grad_states",
    "argnums",
    "return_value",
    "has_aux",
    "tangent_size",
    "drct_der_clip",
    "key",
    "typical",
    "unit_aware",
    "check_states",
    "jit",
    "debug_nan",
)


class ForwardGradient(Gradient):
    """The gradient as the slopes along random directions tell it, on average."""

    def __init__(
        self,
        fun: Callable[..., Any],
        *,
        key: Any,
        tangent_size: Any,
        clip: Any,
        typical: Any,
        **shared: Any,
    ):
        check_function(fun, "fwd_grad", self.usage)  # before the rest is looked at
        self.key = as_key(key)
        self.count = _checked_count(tangent_size)
        self.clip = _checked_clip(clip)
        self.typical = typical
        super().__init__(fun, **shared)
        self.transform_name = "fwd_grad"
        self.offers = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> GradientTransform:
        clone = super().__deepcopy__(memo)
        if isinstance(self.key, State) and isinstance(clone, ForwardGradient):
            clone.key = self.key.copied(memo)
            clone._compile()
        return clone

    def _known_states(self) -> tuple[State, ...]:
        key = (self.key,) if isinstance(self.key, State) else ()
        return tuple(dict.fromkeys((*self.selection.states, *key)))

    def _work(self, traced: Traced, outputs: list[Any]) -> dict[str, Any]:
        return {"mode": "fwd", "reason": "along random directions", "passes": self.count or 1}

    def _rules(self, inputs: Inputs) -> tuple[Mode, Mode]:
        return "fwd", "fwd"

    def _evaluate(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not isinstance(self.key, State):
            return super()._evaluate(args, kwargs)
        with StateTrace() as trace:  # the next key is handed over when all is computed
            result = super()._evaluate(args, kwargs)
        commit(trace.outcome())
        return result

    def _differentiate(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        inputs = traced.inputs
        leaves, scales = inputs.leaves, self._scales(inputs)
        drawn_now = directions(drawn(self.key), leaves, self.count)
        tangents = [d * jnp.asarray(s, d.dtype) for d, s in zip(drawn_now, scales, strict=True)]
        outputs, slopes, carried = slopes_along(traced, leaves, tangents, self.count is not None)
        self._check_outputs(traced, outputs)
        slope = self._clipped(slopes[0], traced.outputs.units[0])
        units = self._units(traced)
        self._warn_of_dropped_units(units)
        columns = {
            j: self._attach(estimated(slope, d, s), units[j])
            for j, d, s in zip(inputs.active, drawn_now, scales, strict=True)
        }

        def gradient_of(group: Group) -> Any:
            return group.tree(columns)

        return *inputs.parts(gradient_of), outputs, carried

    def _check_outputs(self, traced: Traced, outputs: list[Any]) -> None:
        super()._check_outputs(traced, outputs)
        if is_complex(outputs[0]):
            raise TypeError(
                f"{traced.output_label(0)} is {array_text(outputs[0])}, but fwd_grad wants a real "
                "output. Return the real and imaginary parts in two calls."
            )

    def _scales(self, inputs: Inputs) -> list[Any]:
        """How far a direction goes in each input, as a magnitude in the input's own unit."""
        if self.typical is None:
            return list(map(_size_of, inputs.magnitudes, inputs.units))
        like = strip(
            inputs.selection.pair(*inputs.parts(lambda g: g.stripped.attach(g.stripped.magnitudes)))
        )
        given = strip(self.typical)
        if given.treedef != like.treedef:
            raise ValueError(
                f"typical has the tree {given.treedef}, but what is differentiated has "
                f"{like.treedef}. Give a typical size for each leaf."
            )
        return [
            _scale((size, unit), leaf, own, label)
            for size, unit, leaf, own, label in zip(
                given.magnitudes,
                given.units,
                inputs.magnitudes,
                inputs.units,
                inputs.labels,
                strict=True,
            )
        ]

    def _clipped(self, slope: Any, unit: Unit | None) -> Any:
        if self.clip is None:
            return slope
        (most,), (own,) = strip(self.clip)[:2]
        if not same_dimension(own, unit):
            raise ValueError(
                f"drct_der_clip is in {unit_text(own)}, but the slopes of {name_of(self.fun)} "
                f"along a direction are in {unit_text(unit)}. Give it in a unit of this dimension."
            )
        limit = rescale(jnp.asarray(most, dtype_of(slope)), unit_ratio(own, unit))
        return jnp.clip(slope, -limit, limit)


def _size_of(leaf: Any, unit: Unit | None) -> Any:
    """The mean of the absolute values; one where there is no dimension, or nothing but zeros."""
    dtype = dtype_of(leaf)
    one = jnp.ones((), dtype)
    if is_dimensionless(unit):  # which any unit of it calls the same
        return rescale(one, unit_ratio(None, unit))
    if not np.size(leaf):
        return one
    mean = jnp.mean(jnp.abs(jax.lax.stop_gradient(leaf)))
    return jnp.where((mean > 0) & jnp.isfinite(mean), mean, one)


def _scale(given: tuple[Any, Unit | None], leaf: Any, unit: Unit | None, label: str) -> Any:
    size, own = given
    if not is_arraylike(size) or np.shape(size) not in ((), np.shape(leaf)):
        raise ValueError(
            f"the typical size of {label} must be one number or quantity, or one for each entry of "
            f"{array_text(leaf)}, got {array_text(size)}."
        )
    if not same_dimension(own, unit):
        raise ValueError(
            f"the typical size of {label} is in {unit_text(own)}, but this is in "
            f"{unit_text(unit)}. Give it in a unit of this dimension."
        )
    if not has_tracer(size) and not np.all(np.isfinite(size) & (np.asarray(size) != 0)):
        raise ValueError(
            f"the typical size of {label} must be finite and not zero, got {size!r}. Give the size "
            "of a change that matters."
        )
    return rescale(jnp.asarray(size, dtype_of(leaf)), unit_ratio(own, unit))


def _checked_count(tangent_size: Any) -> int | None:
    count = None if tangent_size is None else as_int(tangent_size)
    if tangent_size is not None and (count is None or count < 1):
        raise ValueError(
            "tangent_size must be a whole number of directions, 1 or more, or None for one, got "
            f"{tangent_size!r}."
        )
    return count


def _checked_clip(clip: Any) -> Any:
    if clip is None:
        return None
    magnitude = clip.mantissa if is_quantity(clip) else clip
    is_number = is_arraylike(magnitude) and np.shape(magnitude) == () and not is_complex(magnitude)
    if not is_number or not (has_tracer(magnitude) or 0 < float(magnitude) < math.inf):
        raise ValueError(
            f"drct_der_clip must be one positive number or quantity, got {clip!r}. Give the "
            "largest slope along a direction that is to count."
        )
    return clip


@decorating
def fwd_grad(
    fun: Callable[..., Any],
    grad_states: Any = None,
    argnums: Any = None,
    return_value: bool = False,
    has_aux: bool | None = None,
    tangent_size: int | None = None,
    drct_der_clip: Any = None,
    key: Any = None,
    *,
    typical: Any = None,
    unit_aware: bool = False,
    check_states: bool = True,
    jit: bool = False,
    debug_nan: bool = False,
    **kwargs: Any,
) -> GradientTransform:
    """A random estimate of the gradient, from slopes along random directions.

    Forward mode alone: nothing is kept for a backward pass, however long a loop is. A direction d
    has in each entry a normal number times a typical size s of the leaf; the slope along d, times
    d / s**2, is the gradient in the mean over directions. Its standard deviation in an entry is
    about that of the whole slope over s, and falls with the square root of ``tangent_size``.

    Parameters
    ----------
    fun : callable
        Its output is one real scalar, of any unit. Left out, ``fwd_grad`` gives a decorator.
    grad_states, argnums, return_value, has_aux, unit_aware, check_states, jit, debug_nan
        As in :func:`grad`.
    tangent_size : int, optional
        The number of directions, whose estimates are averaged. Default: one, without ``vmap``.
    drct_der_clip : number or quantity, optional
        The largest slope along a direction that counts, in a unit of the output's dimension; a
        larger one is cut to it, which biases the estimate.
    key : int, key of jax.random, or State
        With an int or a key, the directions are the same in each call. A state that holds a key
        (of any library) gets the next one after each call, compiled ones too.
    typical : pytree, optional
        A tree like what is differentiated with respect to (``(states, arguments)`` where both
        are): how large a change of each leaf matters, in any unit, one for the leaf or one for
        each entry. Default: one for a leaf without dimension; else the mean of the leaf's absolute
        values, and one in its own unit where these are all zero.

    Returns
    -------
    GradientTransform
        As in :func:`grad`.

    Raises
    ------
    TypeError, ValueError
        As in :func:`grad`; where there is no key; where ``typical`` has another tree, shape or
        dimension than what is differentiated, or ``drct_der_clip`` another one than the output.

    Notes
    -----
    The mean over directions is the gradient whatever the units are. With one and the same key the
    estimate itself is the same too, however inputs and outputs are written, except for leaves of
    nothing but zeros without ``typical``: they are moved by one of the unit that they are in. See
    A. G. Baydin, B. A. Pearlmutter, D. Syme, F. Wood and P. Torr, arXiv:2202.08587 (2022).

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> energy = lambda C, V: 0.5 * C * V**2
    >>> make = uj.fwd_grad(argnums=(0, 1), tangent_size=10_000, key=0, unit_aware=True)
    >>> dC, dV = make(energy)(2.0 * u.nF, 2.0 * u.mV)
    >>> dC.unit, round(dC.mantissa.item())  # about 2, which is its mean
    (Unit("mV^2"), 2)
    >>> dV.unit, round(dV.mantissa.item())
    (Unit("pC"), 4)
    """
    check_keywords(kwargs, _KNOWN, "fwd_grad")
    return ForwardGradient(
        fun,
        key=key,
        tangent_size=tangent_size,
        clip=drct_der_clip,
        typical=typical,
        grad_states=grad_states,
        argnums=argnums,
        has_aux=has_aux,
        return_value=return_value,
        unit_aware=unit_aware,
        check_states=check_states,
        jit=jit,
        debug_nan=debug_nan,
    )
