"""Equations whose solutions are known, in quantities.

``exact(t, p)`` is the solution in the units of the state, as a function of magnitudes that JAX
differentiates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import lambertw

MOLAR = u.mole / u.litre


@dataclass(frozen=True)
class Known:
    rhs: Callable[[Any, Any, Any], Any]
    t: Callable[[], Any]
    y0: Any
    params: dict[str, Any]
    exact: Callable[[Any, dict[str, Any]], list[Any]]


def times(last: float, unit: Any, count: int = 6) -> Callable[[], Any]:
    return lambda: jnp.linspace(0.0, last, count) * unit


def _michaelis(t: Any, p: dict[str, Any]) -> list[Any]:
    S, V, K = 2.0, p["V_max"], p["K_m"]
    held = [np.asarray(jax.lax.stop_gradient(x)) for x in (V, K)]
    found = held[1] * lambertw(S / held[1] * np.exp((S - held[0] * np.asarray(t)) / held[1])).real

    def left(s: Any) -> Any:
        return s - S + K * jnp.log(s / S) + V * t

    slope = jax.lax.stop_gradient(1 + K / found)
    return [found - left(found) / slope]  # a step of Newton, which is exact to first order


def _bolus(t: Any, p: dict[str, Any]) -> list[Any]:
    A = jnp.array([[-(p["k_el"] + p["k_12"]), p["k_21"]], [p["k_12"], -p["k_21"]]])
    start = jnp.array([100.0, 0.0])
    return list(jax.vmap(lambda s: jax.scipy.linalg.expm(A * s) @ start)(t).T)


KNOWN = {
    "decay": Known(
        lambda t, y, p: {"V": -y["V"] / p["tau"]},
        times(30.0, u.ms),
        {"V": 8.0 * u.mV},
        {"tau": 10.0 * u.ms},
        lambda t, p: [8.0 * jnp.exp(-t / p["tau"])],
    ),
    "membrane": Known(
        lambda t, y, p: {"V": (p["E"] + p["R"] * p["I"] - y["V"]) / (p["R"] * p["C"])},
        times(50.0, u.ms),
        {"V": -65.0 * u.mV},
        {"E": -65.0 * u.mV, "R": 100.0 * u.Mohm, "I": 0.2 * u.nA, "C": 100.0 * u.pF},
        # R C in ms is 1e-3 of Mohm times pF
        lambda t, p: [
            p["E"]
            + p["R"] * p["I"]
            + (-65.0 - p["E"] - p["R"] * p["I"]) * jnp.exp(-t / (1e-3 * p["R"] * p["C"]))
        ],
    ),
    "logistic": Known(
        lambda t, y, p: {"N": p["r"] * y["N"] * (1 - y["N"] / p["K"])},
        times(10.0, u.hour),
        {"N": 0.1 * MOLAR},
        {"r": 0.9 / u.hour, "K": 2.0 * MOLAR},
        lambda t, p: [p["K"] / (1 + (p["K"] / 0.1 - 1) * jnp.exp(-p["r"] * t))],
    ),
    "michaelis": Known(
        lambda t, y, p: {"S": -p["V_max"] * y["S"] / (p["K_m"] + y["S"])},
        times(4.0, u.minute),
        {"S": 2.0 * u.mmole / u.litre},
        {"V_max": 0.9 * u.mmole / u.litre / u.minute, "K_m": 0.5 * u.mmole / u.litre},
        _michaelis,
    ),
    "bolus": Known(
        lambda t, y, p: {
            "central": p["k_21"] * y["tissue"] - (p["k_el"] + p["k_12"]) * y["central"],
            "tissue": p["k_12"] * y["central"] - p["k_21"] * y["tissue"],
        },
        times(12.0, u.hour),
        {"central": 100.0 * u.mgram, "tissue": 0.0 * u.mgram},
        {"k_el": 0.3 / u.hour, "k_12": 0.8 / u.hour, "k_21": 0.5 / u.hour},
        _bolus,
    ),
    "oscillator": Known(
        lambda t, y, p: {"x": y["v"], "v": -p["k"] / p["m"] * y["x"]},
        times(3.0, u.second),
        {"x": 1.0 * u.meter, "v": 0.0 * u.meter / u.second},
        {"k": 8.0 * u.newton / u.meter, "m": 2.0 * u.kgram},
        lambda t, p: [
            jnp.cos(jnp.sqrt(p["k"] / p["m"]) * t),
            -jnp.sqrt(p["k"] / p["m"]) * jnp.sin(jnp.sqrt(p["k"] / p["m"]) * t),
        ],
    ),
}


def pulse(t: Any, y: Any, p: Any) -> Any:
    """A leaky membrane with a stimulus among its parameters."""
    return {"V": (p["R"] * p["I"](t) - y["V"]) / p["tau"]}
