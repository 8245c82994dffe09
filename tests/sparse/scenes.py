"""Functions whose Jacobians are sparse, with arguments, for all tests of sparse derivatives.

Each is generic: no entry of the Jacobian that may be other than zero is zero at these arguments, so
that the dense Jacobian shows the pattern.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
from helpers import q
from jax import lax

from unitjac.linalg import UnitMatrix, jacobian_matrix
from unitjac.models import cable


@dataclass(frozen=True)
class Scene:
    """A function, arguments for it, and what is differentiated."""

    name: str
    fun: Callable[..., Any]
    args: Callable[[], tuple[Any, ...]]
    argnums: Any = None

    @property
    def dense(self) -> UnitMatrix:
        """The Jacobian that the sparse one has to equal."""
        return dense_jacobian(self)

    @property
    def pattern(self) -> np.ndarray:
        """Where the Jacobian is not zero."""
        return np.asarray(self.dense.dense) != 0


@cache
def dense_jacobian(scene: Scene) -> UnitMatrix:
    return jacobian_matrix(scene.fun, argnums=scene.argnums, jit=True)(*scene.args())


def ramp(n: int, low: float = 0.3, high: float = 2.1) -> Any:
    """Numbers of which no two are equal, on no straight line."""
    return jnp.linspace(low**2, high**2, n) ** 0.5


def turned(x: Any, imaginary: Any) -> Any:
    """Complex numbers of two parts."""
    return lax.complex(x, jnp.broadcast_to(jnp.asarray(imaginary, x.dtype), x.shape))


def diffusion(V, g):
    """Net currents between neighbours in a row of sealed cells."""
    through = jnp.pad((g * (V[:-1] - V[1:])).to_decimal(u.pA), 1)
    return (through[:-1] - through[1:]) * u.pA


def decay(p):
    """Two species in a vessel and their total: leaves of several shapes, three dimensions."""
    rate = p["k"] * p["A"]
    return {
        "dA": -rate,
        "dB": rate - p["loss"][None] * p["B"],
        "heat": [u.math.sum(rate, axis=1) * p["h"]],
    }


def windows(x):
    """Sums over windows of four: fewer numbers come out than go in."""
    return u.math.sum(x.reshape((-1, 4)) ** 2, axis=1)


def spread(x):
    """Each number, and its square, cube and sine: more come out than go in."""
    return {"powers": jnp.stack([x, x**2, x**3], axis=1), "sine": jnp.sin(x) * u.mV}


def energy_and_slope(p):
    """Diagonal for the most part, with one dense row and one dense column."""
    V, g = p["V"], p["g"]
    return {"slope": (g * V).in_unit(u.pA), "energy": u.math.sum(g * V**2).in_unit(u.fwatt)}


def plate(T):
    """The heat that flows into each cell of a plate from its four neighbours."""
    T = T.to_decimal(u.kelvin)
    across = jnp.pad(T[1:] ** 2 - T[:-1] ** 2, ((1, 1), (0, 0)))
    along = jnp.pad(T[:, 1:] ** 2 - T[:, :-1] ** 2, ((0, 0), (1, 1)))
    return (across[1:] - across[:-1] + along[:, 1:] - along[:, :-1]) * u.watt


def reactions(p):
    """Twelve scalars by twelve, each by itself and by the next one."""
    names = sorted(p)
    return {a: p[a] ** 2 * p[b] for a, b in zip(names, names[1:] + names[:1], strict=True)}


def vessel():
    return {
        "A": q(ramp(6).reshape(3, 2), u.mM),
        "B": q(ramp(6, 1.0).reshape(3, 2), u.mM),
        "k": q(0.3, u.ms**-1),
        "loss": q(ramp(2), u.ms**-1),
        "h": q(2.0, u.kjoule / u.mol),
    }


def axon(n):
    params = cable.parameters()
    state = cable.resting_state(n, params)
    gates = {gate: state[gate] * (1 + 0.1 * ramp(n)) for gate in "mhn"}
    return {"V": state["V"] + 10 * ramp(n) * u.mV, **gates}, params


SCENES = [
    Scene("band", diffusion, lambda: (q(ramp(7), u.mV), q(2.0, u.nS))),
    Scene("tree", decay, lambda: (vessel(),)),
    Scene("wide", windows, lambda: (q(ramp(20), u.mV),)),
    Scene("tall", spread, lambda: (ramp(5),)),
    Scene("both modes", energy_and_slope, lambda: ({"V": q(ramp(70), u.mV), "g": q(1.5, u.nS)},)),
    Scene("plate", plate, lambda: (q(ramp(72).reshape(9, 8), u.kelvin),)),
    Scene(
        "many leaves", reactions, lambda: ({f"x{k:02}": q(1.0 + k / 7, u.mM) for k in range(12)},)
    ),
    Scene("arguments", diffusion, lambda: (q(ramp(7), u.mV), q(2.0, u.nS)), argnums=(-1, 0)),
    Scene("axon", cable.derivatives, lambda: axon(66)),
]
