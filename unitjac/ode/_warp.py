r"""Time as seen by an equation whose breakpoints move with its parameters.

Owns: that map of time. Never touches: the equation, solvers.

A step that ends at a breakpoint :math:`\tau` is made of numbers, while :math:`\tau` may depend on
parameters. So the equation is solved in a time s in which breakpoints stand still:
:math:`t = s + \delta(s)`, where :math:`\delta` is piecewise linear, and at each breakpoint is
:math:`\tau(p)` minus its number. That is zero, so that nothing changes, but its derivative is
:math:`d\tau/dp`. Then

.. math:: dy/ds = f(s + \delta(s), y, p) (1 + \delta'(s))

has no jump that moves, any way of differentiating it is right, and what was wanted at a fixed t is
:math:`y(s) - f \delta(s)` to first order. Where breakpoints are few, :math:`\delta` is zero away
from them, so that what happens between them does not have to cancel.
"""

# pyright: basic

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

# Around each of up to so many breakpoints this part of the span is moved.
_FEW, _PART = 16, 0.01


class Warp(NamedTuple):
    """A piecewise linear map of time that is the identity, and whose derivative is not.

    Attributes
    ----------
    nodes : array
        The start, the breakpoints between, the end, and where the map is bent besides.
    shifts : array of the same shape
        Zeros whose derivative is that of each node.
    """

    nodes: Any
    shifts: Any

    @classmethod
    def of(cls, breaks: Any, t: Any) -> Warp:
        """The map for breakpoints, and times that may move as well."""
        first, last = t[0], t[-1]
        held = jax.lax.stop_gradient
        inside = (breaks > first) & (breaks < last)
        at = jnp.where(inside, held(breaks), held(first))
        shifts = jnp.where(inside, breaks - held(breaks), first - held(first))
        # breakpoints at one time are one
        same = (at[:, None] == at[None]).astype(at.dtype)
        shifts = same @ shifts / jnp.sum(same, axis=1)
        order = jnp.argsort(at)
        ends = jnp.stack([first, last])
        moved = ends - held(ends)
        nodes = jnp.concatenate([held(ends[:1]), at[order], held(ends[1:])])
        shifts = jnp.concatenate([moved[:1], shifts[order], moved[1:]])
        return cls(nodes, shifts)._near() if 0 < breaks.shape[0] <= _FEW else cls(nodes, shifts)

    def _near(self) -> Warp:
        """The same near the nodes, and no shift away from them."""
        before, after = self.nodes[:-1], self.nodes[1:]
        width = jnp.minimum(_PART * (after[-1] - before[0]), (after - before) / 2)
        nodes = jnp.stack([before, before + width, after - width], axis=1).ravel()
        zeros = jnp.zeros_like(width)
        shifts = jnp.stack([self.shifts[:-1], zeros, zeros], axis=1).ravel()
        ends = self.nodes[-1:], self.shifts[-1:]
        return Warp(*(jnp.concatenate(pair) for pair in zip((nodes, shifts), ends, strict=True)))

    def at(self, s: Any) -> tuple[Any, Any]:
        """The shift at a time and its slope, both zero."""
        count = self.nodes.shape[0]
        k = jnp.clip(jnp.searchsorted(self.nodes, s, side="right") - 1, 0, count - 2)
        width = self.nodes[k + 1] - self.nodes[k]
        width = jnp.where(width > 0, width, 1)
        before, after = self.shifts[k], self.shifts[k + 1]
        part = (s - self.nodes[k]) / width
        return before + part * (after - before), (after - before) / width


def jumps(warp: Warp) -> Any:
    """The nodes between the ends as a controller of steps wants them: each once."""
    nodes = jax.lax.stop_gradient(warp.nodes)
    is_new = (nodes[1:] > nodes[:-1]) & (nodes[1:] < nodes[-1])
    return jnp.sort(jnp.where(is_new, nodes[1:], jnp.inf))
