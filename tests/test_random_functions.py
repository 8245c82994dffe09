"""Random functions of random quantities, and what must hold for the derivatives of each of them.

A program is a list of steps, each of which adds a node to a pool that begins with the inputs.
Three backends run it: quantities (what is tested), JAX on bare numbers in SI base units, and NumPy
in extended precision. The dimension of each node is worked out here, by arithmetic on exponents
that knows nothing of the unit package.

``UNITJAC_SEED`` repeats a run; ``-m slow`` runs five thousand functions instead of three hundred.
"""

import collections
import math
import operator
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any

import brainunit as u
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import is_quantity
from hypothesis import strategies as st

import unitjac

# Units and dimensions by hand: exponents of metre, kilogram, second, ampere and kelvin

Dimension = tuple[Fraction, ...]
BASE = ("m", "kg", "s", "A", "K")


def dimension(*exponents: int) -> Dimension:
    return tuple(Fraction(e) for e in exponents)


NONE = dimension(0, 0, 0, 0, 0)
# For each dimension, units as texts with their sizes in SI base units.
KINDS: dict[Dimension, dict[str, float]] = {
    dimension(2, 1, -3, -1, 0): {"mV": 1e-3, "V": 1.0, "uV": 1e-6, "kV": 1e3},
    dimension(0, 0, 0, 1, 0): {"nA": 1e-9, "A": 1.0, "mA": 1e-3},
    dimension(-2, -1, 3, 2, 0): {"uS": 1e-6, "S": 1.0, "nS": 1e-9},
    dimension(0, 0, 1, 0, 0): {"ms": 1e-3, "s": 1.0, "minute": 60.0},
    dimension(1, 0, 0, 0, 0): {"cm": 1e-2, "m": 1.0, "km": 1e3},
    dimension(0, 0, 0, 0, 1): {"K": 1.0, "mK": 1e-3},
    NONE: {"1": 1.0},
}
ALL_UNITS = [(kind, text) for kind, units in KINDS.items() for text in units]
PREFIXED = {
    "m": {"m": 1.0, "cm": 1e-2, "km": 1e3},
    "kg": {"kg": 1.0, "g": 1e-3, "mg": 1e-6},
    "s": {"s": 1.0, "ms": 1e-3, "minute": 60.0},
    "A": {"A": 1.0, "mA": 1e-3, "uA": 1e-6},
    "K": {"K": 1.0, "mK": 1e-3},
}


def composed(kind: Dimension, pick: int) -> tuple[Any, float]:
    """Some unit of any dimension, made of powers of base units, and its size."""
    unit, size = u.UNITLESS, 1.0
    for base, exponent in zip(BASE, kind, strict=True):
        choices = list(PREFIXED[base].items())
        text, scale = choices[pick % len(choices)]
        if exponent:
            unit, size = unit * u.parse_unit(text) ** float(exponent), size * scale**exponent
    return unit, size


# The functions


@dataclass(frozen=True, eq=False)
class Node:
    """One step: an operation on nodes, the dimension by hand, and the value at the point in SI."""

    text: str
    children: tuple["Node", ...]
    apply: Callable[..., Any]  # from a backend and the children's values
    dimension: Dimension
    value: np.ndarray
    operation: str


@dataclass(frozen=True)
class Backend:
    """What a program runs on: a module of functions, and how constants are written."""

    xp: Any
    constant: Callable[[float, Any, float], Any]  # from SI value, unit and the unit's size


BARE = Backend(jnp, lambda value, unit, size: value)
EXTENDED = Backend(np, lambda value, unit, size: np.longdouble(value))
QUANTITIES = Backend(u.math, lambda value, unit, size: u.Quantity(value / size, unit=unit))


def evaluate(node: Node, leaves: Sequence[Any], backend: Backend, known: dict[int, Any]) -> Any:
    if id(node) not in known:
        values = [evaluate(child, leaves, backend, known) for child in node.children]
        known[id(node)] = node.apply(backend, leaves, *values)
    return known[id(node)]


POWERS = (Fraction(2), Fraction(3), Fraction(-1), Fraction(-2), Fraction(1, 2), Fraction(3, 2))
OPERATIONS = (
    *("add", "sub", "mul", "div", "pow", "exp", "log", "sum", "matmul", "index", "where"),
    *("add", "mul", "div", "exp"),  # more often than the others
)
INDICES = (0, -1, slice(None, None, -1), (Ellipsis, 0))
# Few layouts, as an eager call compiles each operation once for each shape that it meets.
LAYOUTS = (((), ()), ((3,),), ((3,), ()), ((2, 3), (3,)), ((3,), (), ()))


@dataclass(frozen=True)
class Step:
    operation: str
    first: int
    second: int
    pick: int


@dataclass(frozen=True)
class Program:
    """What hypothesis draws; units and rewritten units of the inputs are digits of a number."""

    shapes: tuple[tuple[int, ...], ...]
    units: int
    rewritten: int
    signed: int
    numbers: int
    with_state: bool
    steps: tuple[Step, ...]

    def unit_of(self, n: int, rewritten: bool = False) -> tuple[Dimension, str]:
        """The dimension and the unit of an input."""
        kind, text = ALL_UNITS[self.units // len(ALL_UNITS) ** n % len(ALL_UNITS)]
        others = list(KINDS[kind])
        return kind, others[self.rewritten // 4**n % len(others)] if rewritten else text


steps = st.builds(
    Step, st.sampled_from(OPERATIONS), st.integers(0, 9), st.integers(0, 9), st.integers(0, 99)
)
programs = st.builds(
    Program,
    shapes=st.sampled_from(LAYOUTS),
    units=st.integers(0, len(ALL_UNITS) ** 3 - 1),
    rewritten=st.integers(0, 4**3 - 1),
    signed=st.integers(0, 7),
    numbers=st.integers(0, 2**32 - 1),
    with_state=st.booleans(),
    steps=st.lists(steps, min_size=3, max_size=8).map(tuple),
)


@dataclass
class Function:
    """A program at its point: leaves with their units, and the nodes that it gives back."""

    program: Program
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self):
        rng = np.random.default_rng(self.program.numbers)
        self.point: list[np.ndarray] = []  # in SI
        for n, shape in enumerate(self.program.shapes):
            kind, text = self.program.unit_of(n)
            sign = rng.choice([-1.0, 1.0], shape) if self.program.signed >> n & 1 else 1.0
            value = np.asarray(rng.uniform(0.3, 3.0, shape) * sign * KINDS[kind][text])
            self.point.append(value)
            get = lambda _, leaves, n=n: leaves[n]  # noqa: E731
            self.nodes.append(Node(f"x{n}", (), get, kind, value, "leaf"))
        for step in self.program.steps:
            node = grown(self.nodes, step)
            if node is not None:
                self.nodes.append(node)
        self.outputs = self.nodes[-1], self.nodes[len(self.nodes) // 2]

    @property
    def text(self) -> str:
        return ", ".join(f"{node.text} [{node.value.shape}]" for node in self.outputs)

    def units(self, rewritten: bool = False) -> list[tuple[str, float]]:
        """The unit of each leaf and its size, as drawn or rewritten."""
        pairs = (self.program.unit_of(n, rewritten) for n in range(len(self.point)))
        return [(text, KINDS[kind][text]) for kind, text in pairs]

    def quantities(self, rewritten: bool = False) -> list[Any]:
        units = zip(self.point, self.units(rewritten), strict=True)
        return [
            jnp.asarray(value) if text == "1" else u.Quantity(value / size, unit=u.parse_unit(text))
            for value, (text, size) in units
        ]

    def on(self, backend: Backend, *leaves: Any) -> list[Any]:
        known: dict[int, Any] = {}
        return [evaluate(node, leaves, backend, known) for node in self.outputs]

    def jacobian(self, transform: Any, leaves: list[Any], **options: Any) -> tuple[Any, list[Any]]:
        """``table[output][leaf]`` and the values, from a transform of a tree and maybe a state."""
        state = unitjac.State(leaves[0], name="x0")
        states = {"grad_states": state} if self.program.with_state else {}

        def fun(tree):
            first = state.value if states else tree["x"][0]
            outputs = self.on(QUANTITIES, first, *tree["x"][1:])
            return {"y": outputs[0], "z": [(outputs[1], None)]}

        transform = partial(transform, fun, argnums=0, unit_aware=True, return_value=True)
        found, value = transform(**states, **options)({"x": leaves})
        by_state, by_arg = found if states else (None, found)
        rows = zip(*map(flat, (by_state or by_arg, by_arg)), strict=True)
        table = [[s if states else a["x"][0], *a["x"][1:]] for s, a in rows]
        return table, flat(value)


def flat(outputs: Any) -> list[Any]:
    return [outputs["y"], outputs["z"][0][0]]


def grown(pool: list[Node], step: Step) -> Node | None:
    """A new node, or None where the operation is undefined or ill-conditioned at the point."""
    a, b = (pool[-1 - n % len(pool)] for n in (step.first, step.second))
    with np.errstate(all="ignore"):
        node = GROW[step.operation](pool, a, b, step.pick)
        if node is None or not np.all(np.isfinite(node.value)):
            return None
        sizes = np.abs(node.value)
        return node if np.all((sizes > 1e-90) & (sizes < 1e90)) else None


def applied(
    operation: str, text: str, fun: Callable[..., Any], kind: Dimension, *children: Node
) -> Node:
    """A node whose value and whose application come from one function of a backend's module."""
    value = fun(np, *(child.value for child in children))
    apply = lambda backend, _, *values: fun(backend.xp, *values)  # noqa: E731
    return Node(text, children, apply, kind, np.asarray(value), operation)


def constant(like: Node, value: float, pick: int) -> Node:
    """A constant of a node's dimension, in some unit of it."""
    unit, size = composed(like.dimension, pick)
    apply = lambda backend, _: backend.constant(value, unit, size)  # noqa: E731
    return Node(
        f"{value / size:.6g} {unit}", (), apply, like.dimension, np.asarray(value), "constant"
    )


def broadcast(a: Node, b: Node) -> bool:
    try:
        np.broadcast_shapes(a.value.shape, b.value.shape)
    except ValueError:
        return False
    return True


def partner(pool: list[Node], a: Node, pick: int) -> Node:
    """Something that can be added to ``a``: a node of its dimension, or a constant."""
    found = [n for n in pool if n is not a and n.dimension == a.dimension and broadcast(a, n)]
    if found and pick % 3:
        return found[pick % len(found)]
    return constant(a, float(np.max(np.abs(a.value))) * (0.5 + (pick % 7) / 2), pick)


def product(a: Dimension, b: Dimension, sign: int = 1) -> Dimension:
    return tuple(x + sign * y for x, y in zip(a, b, strict=True))


def conditioned(node: Node, largest: Any) -> Node | None:
    """``node``, if what was summed did not cancel."""
    return node if np.all(np.abs(node.value) > 0.05 * np.abs(largest)) else None


def grow_sum_of_two(sign: str, fun: Any, pool: list[Node], a: Node, b: Node, pick: int) -> Any:
    pair = a, partner(pool, a, pick)
    a, b = pair if pick % 2 else pair[::-1]  # the sum is in the unit of the first
    text = f"({a.text} {sign} {b.text})"
    node = applied(sign, text, lambda xp, x, y: fun(x, y), a.dimension, a, b)
    return conditioned(node, np.maximum(np.abs(a.value), np.abs(b.value)))


def grow_product(sign: int, fun: Any, pool: list[Node], a: Node, b: Node, pick: int) -> Node | None:
    if not broadcast(a, b):
        return None
    text = f"({a.text} {'*' if sign > 0 else '/'} {b.text})"
    kind = product(a.dimension, b.dimension, sign)
    return applied("*" if sign > 0 else "/", text, lambda xp, x, y: fun(x, y), kind, a, b)


def grow_power(pool: list[Node], a: Node, b: Node, pick: int) -> Node | None:
    power = POWERS[pick % len(POWERS)]
    exponent = int(power) if power.denominator == 1 else float(power)
    kind = tuple(power * e for e in a.dimension)
    if max(abs(e) for e in kind) > 8:
        return None
    return applied("**", f"{a.text}**({power})", lambda xp, x: x**exponent, kind, a)


def ratio(pool: list[Node], a: Node, pick: int) -> Node | None:
    """``a`` over something of its dimension, so that it lies within +-6."""
    b = partner(pool, a, pick)
    node = applied("/", f"({a.text} / {b.text})", lambda xp, x, y: x / y, NONE, a, b)
    return node if np.all(np.abs(node.value) < 6) else None


def grow_exp(pool: list[Node], a: Node, b: Node, pick: int) -> Node | None:
    r = ratio(pool, a, pick)
    return r and applied("exp", f"exp({r.text})", lambda xp, x: xp.exp(x), NONE, r)


def grow_log(pool: list[Node], a: Node, b: Node, pick: int) -> Node | None:
    r = ratio(pool, a, pick)
    if r is None or not np.all(r.value > 0.01):
        return None
    node = applied("log", f"log({r.text})", lambda xp, x: xp.log(x), NONE, r)
    return node if np.all(np.abs(node.value) > 0.1) else None


def grow_sum(pool: list[Node], a: Node, b: Node, pick: int) -> Node | None:
    axis = (None, 0, -1)[pick % 3] if a.value.ndim else None
    text = f"sum({a.text}, {axis})"
    node = applied("sum", text, lambda xp, x: xp.sum(x, axis=axis), a.dimension, a)
    return conditioned(node, np.max(np.abs(a.value)))


def grow_matmul(pool: list[Node], a: Node, b: Node, pick: int) -> Node | None:
    found = [
        (x, y)
        for x in pool
        for y in pool
        if (x.value.shape, y.value.shape) in (((2, 3), (3,)), ((3,), (3,)))
    ]
    if not found:
        return None
    a, b = found[pick % len(found)]
    kind = product(a.dimension, b.dimension)
    node = applied("@", f"({a.text} @ {b.text})", lambda xp, x, y: x @ y, kind, a, b)
    return conditioned(node, np.abs(a.value) @ np.abs(b.value))


def grow_index(pool: list[Node], a: Node, b: Node, pick: int) -> Node | None:
    index = INDICES[pick % len(INDICES)]
    if not a.value.ndim:
        return None
    return applied("[]", f"{a.text}[{index}]", lambda xp, x: x[index], a.dimension, a)


def grow_where(pool: list[Node], a: Node, b: Node, pick: int) -> Node | None:
    other = partner(pool, b, pick)
    if not (broadcast(a, b) and broadcast(a, other)):
        return None
    limit = constant(a, float(np.mean(a.value)) * (0.7 + 0.1 * (pick % 5)), pick)
    if np.any(np.abs(a.value - limit.value) < 0.02 * np.abs(limit.value)):
        return None  # too near to the step for a difference quotient
    text = f"where({a.text} > {limit.text}, {b.text}, {other.text})"
    choose = lambda xp, x, y, z, w: xp.where(x > y, z, w)  # noqa: E731
    return applied("where", text, choose, b.dimension, a, limit, b, other)


GROW: dict[str, Callable[..., Node | None]] = {
    "add": partial(grow_sum_of_two, "+", operator.add),
    "sub": partial(grow_sum_of_two, "-", operator.sub),
    "mul": partial(grow_product, 1, operator.mul),
    "div": partial(grow_product, -1, operator.truediv),
    "pow": grow_power,
    "exp": grow_exp,
    "log": grow_log,
    "sum": grow_sum,
    "matmul": grow_matmul,
    "index": grow_index,
    "where": grow_where,
}


# What must hold


def in_si(block: Any) -> np.ndarray:
    return np.asarray(u.get_mantissa(block), np.float64) * u.get_unit(block).magnitude


def exponents(unit: Any) -> list[float]:
    return [float(unit.dim.get_dimension(base)) for base in BASE]


@dataclass(frozen=True)
class Judge:
    """Compares blocks in SI, within what rounding does to a function of this size."""

    function: Function

    def same(self, what: str, found: Any, expected: Any, tolerance: float) -> None:
        for i, j in np.ndindex(len(self.function.outputs), len(self.function.point)):
            a, b = np.asarray(found[i][j]), np.asarray(expected[i][j])
            y, x = self.function.outputs[i].value, self.function.point[j]
            natural = np.max(np.abs(y), initial=0.0) / np.min(np.abs(x))
            allowed = tolerance * (np.max(np.abs(b), initial=0.0) + natural)
            assert a.shape == b.shape == y.shape + x.shape, f"{what}: shape of block {i}, {j}"
            worst = np.max(np.abs(a - b), initial=0.0)
            assert worst <= allowed, f"{what}: block {i}, {j} is off by {worst} of {allowed}"

    def units(self, blocks: Any, values: list[Any], rewritten: bool) -> None:
        """Each block is in output unit / input unit, and has the dimension found by hand."""
        sizes = [size for _, size in self.function.units(rewritten)]
        kinds = [node.dimension for node in self.function.nodes[: len(sizes)]]  # of the inputs
        for row, node, value in zip(blocks, self.function.outputs, values, strict=True):
            assert exponents(u.get_unit(value)) == pytest.approx(list(map(float, node.dimension)))
            for block, kind, size in zip(row, kinds, sizes, strict=True):
                expected = product(node.dimension, kind, -1)
                unit = u.get_unit(block)
                assert exponents(unit) == pytest.approx(list(map(float, expected)))
                assert is_quantity(block) == any(expected)
                if any(expected):
                    assert math.isclose(unit.magnitude, u.get_unit(value).magnitude / size)


def differences(function: Function) -> list[list[np.ndarray]]:
    """Central differences in extended precision with one step of Richardson extrapolation."""
    point = [value.astype(np.longdouble) for value in function.point]
    table = [[np.zeros(o.value.shape + x.shape) for x in point] for o in function.outputs]
    for j, x in enumerate(point):
        for index in np.ndindex(x.shape):
            quotients = []
            for step in (1e-3 * x[index], 5e-4 * x[index]):
                up, down = (moved(function, point, j, index, sign * step) for sign in (1, -1))
                quotients.append([(a - b) / (2 * step) for a, b in zip(up, down, strict=True)])
            for row, coarse, fine in zip(table, *quotients, strict=True):
                row[j][(..., *index)] = (4 * fine - coarse) / 3
    return table


def moved(function: Function, point: list[Any], j: int, index: Any, step: Any) -> list[Any]:
    leaves = [np.array(x) for x in point]
    leaves[j][index] += step
    return function.on(EXTENDED, *leaves)


def check(function: Function) -> None:
    hypothesis.note(function.text)
    judge = Judge(function)
    leaves = function.quantities()
    forward, values = function.jacobian(unitjac.jacfwd, leaves)
    reverse, _ = function.jacobian(unitjac.jacrev, leaves)
    judge.units(forward, values, rewritten=False)
    judge.units(reverse, values, rewritten=False)
    si = [[in_si(block) for block in row] for row in reverse]
    judge.same("forward", [[in_si(block) for block in row] for row in forward], si, 1e-11)
    positions = tuple(range(len(leaves)))
    bare = jax.jacrev(partial(function.on, BARE), argnums=positions)
    judge.same("SI", si, bare(*map(jnp.asarray, function.point)), 1e-10)
    judge.same("differences", si, differences(function), 1e-7)
    again, values = function.jacobian(unitjac.jacobian, function.quantities(rewritten=True))
    judge.units(again, values, rewritten=True)
    judge.same("rewritten", [[in_si(block) for block in row] for row in again], si, 1e-10)


def run(body: Callable[[Function], None], examples: int) -> collections.Counter[str]:
    """Run ``body`` on random functions, and count the operations that occurred in them."""
    seen: collections.Counter[str] = collections.Counter()

    @hypothesis.seed(int(os.environ["UNITJAC_SEED"]))
    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(programs)
    def each(program: Program) -> None:
        with jax.enable_x64(True):
            function = Function(program)
            seen.update(["functions", *{node.operation for node in function.nodes}])
            body(function)

    each()
    return seen


NAMES = {"+", "-", "*", "/", "**", "exp", "log", "sum", "@", "[]", "where"}


@pytest.mark.parametrize("examples", [300, pytest.param(5000, marks=pytest.mark.slow)])
def test_random_functions(examples, request):
    if examples > 300 and "slow" not in request.config.option.markexpr:
        pytest.skip("five thousand functions take minutes: run them with -m slow")
    seen = run(check, examples)
    assert seen["functions"] >= examples
    # the logarithm, which wants what is positive, occurred in 6 to 58 of 300
    assert all(seen[name] > examples / 150 for name in NAMES), seen
