r"""Rodas5P, a Rosenbrock method of order five, as a solver of diffrax.

Owns: the method. Never touches: how its linear systems are solved, the size of steps.

A Rosenbrock method is implicit without an iteration: each of its stages is one linear system with
the Jacobian of the right-hand side. So nothing in it depends on the units of the state, and it can
be differentiated either way.

G. Steinebach, "Construction of Rosenbrock-Wanner method Rodas5P and numerical benchmarks within the
Julia Differential Equations package", BIT Numer. Math. 63 (2023) 27, in the form of E. Hairer and
G. Wanner (1996), "Solving Ordinary Differential Equations II", section IV.7, which needs no product
with the Jacobian: with :math:`W = I / (\gamma h) - J`

.. math:: W k_i = f(t + c_i h, y + \sum_j a_{ij} k_j) + \sum_j C_{ij} k_j / h + d_i h f_t .
"""

# pyright: basic

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed

from ._factors import Factors
from ._open import dfx, eqx

STAGES = 8
GAMMA = 0.21193756319429014
# of the last two stages the sums are those before, and one more
_A = [
    [],
    [3.0],
    [2.849394379747939, 0.45842242204463923],
    [-6.954028509809101, 2.489845061869568, -10.358996098473584],
    [2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641],
    [
        -7.502846399306121,
        2.561846144803919,
        -11.627539656261098,
        -0.18268767659942256,
        0.030198172008377946,
    ],
]
A = [*_A, [*_A[5], 1.0], [*_A[5], 1.0, 1.0]]
C = [
    [],
    [-14.155112264123755],
    [-17.97296035885952, -2.859693295451294],
    [147.12150275711716, -1.41221402718213, 71.68940251302358],
    [165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306],
    [
        24.854864614690072,
        -3.0009227002832186,
        47.4931110020768,
        5.5814197821558125,
        -0.6610691825249471,
    ],
    [
        30.91273214028599,
        -3.1208243349937974,
        77.79954646070892,
        34.28646028294783,
        -19.097331116725623,
        -28.087943162872662,
    ],
    [
        37.80277123390563,
        -3.2571969029072276,
        112.26918849496327,
        66.9347231244047,
        -40.06618937091002,
        -54.66780262877968,
        -9.48861652309627,
    ],
]
TIMES = (
    0.0,
    0.6358126895828704,
    0.4095798393397535,
    0.9769306725060716,
    0.4288403609558664,
    1.0,
    1.0,
    1.0,
)
SLOPES = (
    0.21193756319429014,
    -0.42387512638858027,
    -0.3384627126235924,
    1.8046452872882734,
    2.325825639765069,
    0.0,
    0.0,
    0.0,
)
# between the steps, of order four
BETWEEN = np.array(
    [
        [
            25.948786856663858,
            -2.5579724845846235,
            10.433815404888879,
            -2.3679251022685204,
            0.524948541321073,
            1.1241088310450404,
            0.4272876194431874,
            -0.17202221070155493,
        ],
        [
            -9.91568850695171,
            -0.9689944594115154,
            3.0438037242978453,
            -24.495224566215796,
            20.176138334709044,
            15.98066361424651,
            -6.789040303419874,
            -6.710236069923372,
        ],
        [
            11.419903575922262,
            2.8879645146136994,
            72.92137995996029,
            80.12511834622643,
            -52.072871366152654,
            -59.78993625266729,
            -0.15582684282751913,
            4.883087185713722,
        ],
    ]
)


class Interpolation(dfx.AbstractLocalInterpolation):
    """The polynomial between the ends of a step."""

    t0: Any
    t1: Any
    y0: Any
    y1: Any
    k: Any

    def evaluate(self, t0: Any, t1: Any | None = None, left: bool = True) -> Any:
        """The state at a time, or the difference between two."""
        if t1 is not None:
            return self.evaluate(t1) - self.evaluate(t0)
        width = self.t1 - self.t0
        w = jnp.where(width == 0, 0.0, (t0 - self.t0) / jnp.where(width == 0, 1.0, width))
        bow = self.k[0] + w * (self.k[1] + w * self.k[2])
        return (1 - w) * (self.y0 + w * bow) + w * self.y1


class Rodas5P(dfx.AbstractAdaptiveSolver):
    """The method, with a way to solve its linear systems.

    Parameters
    ----------
    factors : Factors
        That way.
    """

    factors: Factors = eqx.field(static=True)
    term_structure: ClassVar[Any] = dfx.AbstractTerm
    interpolation_cls: ClassVar[Any] = Interpolation

    def order(self, terms: Any) -> int:
        """Five."""
        return 5

    def error_order(self, terms: Any) -> int:
        """That of the estimate, and one."""
        return 5

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> None:
        """Nothing is carried from step to step."""

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        """The right-hand side."""
        return terms.vf(t0, y0, args)

    def step(
        self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any, solver_state: None, made_jump: Any
    ) -> Any:
        """The state at the end of a step, an estimate of the error, and what is between."""
        h = terms.contr(t0, t1)

        def slope(t: Any, y: Any) -> Any:
            return terms.vf(t, y, args)

        def at_start(y: Any) -> Any:
            return slope(t0, y)

        shift = 1 / (GAMMA * h)
        solve = self._solver(at_start, y0, shift, args.scale)
        first, in_time = jax.jvp(lambda t: slope(t, y0), (t0,), (jnp.ones_like(t0),))
        stages: list[Any] = []
        point = y0
        for i in range(STAGES):
            point = y0 + _combined(A[i], stages, y0)
            value = slope(_time(TIMES[i], t0, t1), point) if i else first
            right = value + _combined(C[i], stages, y0) / h
            if SLOPES[i]:
                right = right + SLOPES[i] * h * in_time
            stages.append(solve(right))
        y1, error = point + stages[-1], stages[-1]
        between = jnp.stack([_combined(row, stages, y0) for row in BETWEEN.tolist()])
        dense = {"y0": y0, "y1": y1, "k": between}
        return y1, error, dense, None, dfx.RESULTS.successful

    def _solver(self, slope: Any, y: Any, shift: Any, scale: Any) -> Any:
        """What solves with the matrix of the stages, and knows its derivative.

        The factorization is one of numbers: derivatives are those of the system, by the implicit
        function theorem, and cost one product and one solve for each stage.
        """
        held = jax.lax.stop_gradient
        closed, constants = jax.closure_convert(slope, y)
        frozen = held(constants)
        solve = self.factors.factorized(
            lambda v: closed(v, *frozen), held(y), held(shift), held(scale)
        )

        def times(x: Any) -> Any:
            return shift * x - jax.jvp(slope, (y,), (x,))[1]

        def forward(_: Any, right: Any) -> Any:
            return solve(right)

        def transposed(_: Any, right: Any) -> Any:
            return jax.linear_transpose(solve, right)(right)[0]

        def solved(right: Any) -> Any:
            return _typed.custom_linear_solve(times, right, forward, transposed)

        return solved


def _combined(weights: Any, stages: list[Any], like: Any) -> Any:
    terms = [w * k for w, k in zip(weights, stages, strict=False) if w]
    return sum(terms[1:], start=terms[0]) if terms else jnp.zeros_like(like)


def _time(part: float, t0: Any, t1: Any) -> Any:
    return t1 if part == 1 else t0 + part * (t1 - t0)
