"""The program of a derivative, with every choice that depends on the point taken in all ways.

Owns: the walk through a program, and through the loops and branches in it. Never touches: single
operations (``rules``), the search for entries (``found``).

Where ``where``, ``cond``, a sort or an index picks by the point, one push shows the dependence of
what was picked there, and that of another point may be another one. So what is picked is the sum
of all that may be. A loop that ends by the point is repeated until nothing is added.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.core import Tracer
from jax.extend.core import Literal

from .choices import picking
from .rules import OPAQUE, PLACING, carriers, dense
from .sweep import programs
from .values import Level, Value, bind

FIXED, POINT, TANGENT = Level
Levels = list[Level]

_NO_CALLS = {"cond", "custom_linear_solve", "scan", "shard_map", "while", *OPAQUE}


class Joined:
    """The walk through the program of a derivative, linear in the tangents.

    Attributes
    ----------
    choices : dict of str
        The operations that picked by the point, in order of appearance.
    taken_dense : dict of str
        Those of which all results were taken to depend on all operands.
    """

    def __init__(self) -> None:
        self.choices: dict[str, None] = {}
        self.taken_dense: dict[str, None] = {}
        self._known: dict[tuple[int, tuple[Level, ...]], tuple[Any, Levels]] = {}
        self._ways: dict[str, Callable[[Any, list[Value], Levels], list[Value]]] = {
            "cond": self._cond,
            "custom_linear_solve": self._solve,
            "scan": self._scan,
            "while": self._while,
        }

    def run(self, program: Any, values: Sequence[Value]) -> list[Value]:
        """The outputs of a program, closed or without constants."""
        jaxpr, consts = _parts(program)
        return self.follow(jaxpr, [*map(_constant, jaxpr.constvars, consts), *values])

    def follow(self, jaxpr: Any, values: Sequence[Value]) -> list[Value]:
        """The outputs of a program, of which the constants are the first of the values."""
        known = dict(zip([*jaxpr.constvars, *jaxpr.invars], values, strict=True))

        def read(atom: Any) -> Value:
            return _literal(atom) if isinstance(atom, Literal) else known[atom]

        for eqn in jaxpr.eqns:
            known |= zip(eqn.outvars, self._results(eqn, list(map(read, eqn.invars))), strict=True)
        return list(map(read, jaxpr.outvars))

    def _results(self, eqn: Any, values: list[Value]) -> list[Value]:
        inner = _called(eqn)
        if inner is not None:
            return self.run(inner, values)
        name, kinds = eqn.primitive.name, [v.aval for v in eqn.outvars]
        if name in PLACING:
            return values
        levels = self._levels_of(eqn, _levels(values))
        if TANGENT not in levels:
            # of what depends on the point nothing is computed, and callbacks are not called
            fixed = FIXED in levels
            arrays = bind(eqn, [v.array for v in values]) if fixed else [None] * len(levels)
            return list(map(Value, levels, kinds, arrays))
        if name in self._ways:
            return self._ways[name](eqn, values, levels)
        if any(value.level is POINT for value in picking(name, values)):
            self.choices[name] = None
        found = carriers(eqn, values)
        if found is None:
            return self._dense(eqn, values)
        return list(map(Value, levels, kinds, found))

    def _dense(self, eqn: Any, values: list[Value]) -> list[Value]:
        self.taken_dense[eqn.primitive.name] = None
        return [Value(TANGENT, v.aval, c) for v, c in _paired(eqn, dense(eqn, values))]

    # Levels, without a look at arrays

    def _levels_of(self, eqn: Any, levels: Levels) -> Levels:
        """What the results of an equation depend on."""
        name, most = eqn.primitive.name, max(levels, default=FIXED)
        if most is FIXED and name in OPAQUE:
            most = POINT
        if most is TANGENT:
            if name == "cond":
                return self._levels_of_cond(eqn, levels)
            if name == "scan":
                return self._levels_of_scan(eqn, levels)[1]
            if name == "while":
                return self._levels_of_while(eqn, levels)[1]
        return [most] * len(eqn.outvars)

    def _levels_through(self, program: Any, levels: Levels) -> Levels:
        """What the outputs of a program depend on."""
        jaxpr, consts = _parts(program)
        key = id(jaxpr), tuple(levels)
        if key in self._known:
            return self._known[key][1]
        given = [*_levels(map(_constant, jaxpr.constvars, consts)), *levels]
        known = dict(zip([*jaxpr.constvars, *jaxpr.invars], given, strict=True))

        def read(atom: Any) -> Level:
            return FIXED if isinstance(atom, Literal) else known[atom]

        for eqn in jaxpr.eqns:
            mine, inner = list(map(read, eqn.invars)), _called(eqn)
            through = inner is not None
            found = self._levels_through(inner, mine) if through else self._levels_of(eqn, mine)
            known |= zip(eqn.outvars, found, strict=True)
        found = list(map(read, jaxpr.outvars))
        self._known[key] = jaxpr, found  # with the program, so that no other one gets its id
        return found

    def _levels_of_cond(self, eqn: Any, levels: Levels) -> Levels:
        index, *given = levels
        each = [self._levels_through(branch, given) for branch in eqn.params["branches"]]
        return [max(index, *of_one) for of_one in zip(*each, strict=True)]

    def _levels_of_scan(self, eqn: Any, levels: Levels) -> tuple[Levels, Levels]:
        """Those that go into the body, and those of the results."""
        fixed, carried = _scan_cuts(eqn)
        body, levels = eqn.params["jaxpr"], list(levels)
        while True:
            found = self._levels_through(body, levels)
            grown = list(map(max, levels[fixed:carried], found))
            if grown == levels[fixed:carried]:
                return levels, grown + found[carried - fixed :]
            levels[fixed:carried] = grown

    def _levels_of_while(self, eqn: Any, levels: Levels) -> tuple[Level, Levels]:
        """That of the condition, and those of the results."""
        a, b = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
        of_cond, of_body, carry = levels[:a], levels[a : a + b], levels[a + b :]
        while True:
            found = self._levels_through(eqn.params["body_jaxpr"], [*of_body, *carry])
            (ends,) = self._levels_through(eqn.params["cond_jaxpr"], [*of_cond, *carry])
            # after a number of steps that depends on something, all does
            grown = [max(ends, *pair) for pair in zip(carry, found, strict=True)]
            if grown == carry:
                return ends, carry
            carry = grown

    # Operations with programs inside

    def _cond(self, eqn: Any, values: list[Value], levels: Levels) -> list[Value]:
        index, *operands = values
        if index.is_tangent:
            return self._dense(eqn, values)

        def branch(program: Any) -> list[Any]:
            return _arrays(map(Value.at, self.run(program, operands), levels))

        branches = eqn.params["branches"]
        if index.level is FIXED:
            ways = [functools.partial(branch, program) for program in branches]
            return _filled(eqn, levels, lax.switch(index.array, ways))
        self.choices["cond"] = None
        each = zip(*[branch(program) for program in branches], strict=True)
        return _filled(eqn, levels, [functools.reduce(lax.add, one) for one in each])

    def _scan(self, eqn: Any, values: list[Value], levels: Levels) -> list[Value]:
        fixed, carried = _scan_cuts(eqn)
        body = eqn.params["jaxpr"]
        inside, _ = self._levels_of_scan(eqn, _levels(values))
        kinds = [v.aval for v in _parts(body)[0].invars]
        count = carried - fixed
        start = _arrays(map(Value.at, values[fixed:carried], levels[:count]))

        def step(carry: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
            given = _values(inside[fixed:], kinds[fixed:], [*carry, *slices])
            found = list(map(Value.at, self.run(body, [*values[:fixed], *given]), levels))
            return _arrays(found[:count]), _arrays(found[count:])

        rest = {name: eqn.params[name] for name in ("length", "reverse")}
        last, stacks = lax.scan(step, start, _arrays(values[carried:]), **rest)
        return _filled(eqn, levels, [*last, *stacks])

    def _while(self, eqn: Any, values: list[Value], levels: Levels) -> list[Value]:
        a, b = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
        of_cond, of_body = values[:a], values[a : a + b]
        ends, _ = self._levels_of_while(eqn, _levels(values))
        start = list(map(Value.at, values[a + b :], levels))
        kinds = [value.aval for value in start]

        def body(arrays: list[Any]) -> list[Any]:
            given = _values(levels, kinds, arrays)
            found = self.run(eqn.params["body_jaxpr"], [*of_body, *given])
            return _arrays(map(Value.at, found, levels))

        def goes_on(arrays: list[Any]) -> Any:
            given = _values(levels, kinds, arrays)
            return self.run(eqn.params["cond_jaxpr"], [*of_cond, *given])[0].array

        if ends is FIXED:
            return _filled(eqn, levels, lax.while_loop(goes_on, body, _arrays(start)))
        if ends is TANGENT:
            return self._dense(eqn, values)
        self.choices["while"] = None
        return _filled(eqn, levels, _until_nothing_is_added(body, _arrays(start)))

    def _solve(self, eqn: Any, values: list[Value], levels: Levels) -> list[Value]:
        """The solver is followed; of the matrix nothing is known but that it is fixed, if so."""
        lengths = eqn.params["const_lengths"]
        before = lengths.matvec + lengths.vecmat
        matrix = values[before : before + lengths.solve]
        sides = values[before + lengths.solve + lengths.transpose_solve :]
        if any(value.is_tangent for value in values[: -len(sides)]):
            return self._dense(eqn, values)
        found = self.run(eqn.params["jaxprs"].solve, [*matrix, *sides])
        return list(map(Value.at, found, levels))


def _until_nothing_is_added(body: Callable[[list[Any]], list[Any]], start: list[Any]) -> list[Any]:
    """What may come out of a loop that ends after any number of steps, none too."""

    def step(state: tuple[Any, list[Any]]) -> tuple[Any, list[Any]]:
        _, before = state
        after = list(map(lax.add, before, body(before)))
        grown = [jnp.any(jnp.isnan(x) != jnp.isnan(y)) for x, y in zip(after, before, strict=True)]
        return functools.reduce(jnp.logical_or, grown), after

    return lax.while_loop(lambda state: state[0], step, (jnp.asarray(True), start))[1]


def _called(eqn: Any) -> Any | None:
    """The program of an operation that is only a call of it."""
    if eqn.primitive.name in _NO_CALLS:
        return None
    inner = programs(eqn)
    if len(inner) != 1:
        return None
    jaxpr = _parts(inner[0])[0]
    same = _shapes(jaxpr.invars) == _shapes(eqn.invars)
    return inner[0] if same and _shapes(jaxpr.outvars) == _shapes(eqn.outvars) else None


def _scan_cuts(eqn: Any) -> tuple[int, int]:
    """Where what is carried begins and ends among the operands of a scan.

    Told by the shapes, since the names of the parameters differ between versions of JAX: what is
    scanned has one dimension more outside.
    """
    jaxpr = _parts(eqn.params["jaxpr"])[0]
    pairs = zip(_shapes(eqn.invars), _shapes(jaxpr.invars), strict=True)
    scanned = sum(len(outside) != len(inside) for outside, inside in pairs)
    pairs = zip(_shapes(eqn.outvars), _shapes(jaxpr.outvars), strict=True)
    carried = sum(len(outside) == len(inside) for outside, inside in pairs)
    stop = len(eqn.invars) - scanned
    return stop - carried, stop


def _parts(program: Any) -> tuple[Any, Sequence[Any]]:
    return (program.jaxpr, program.consts) if hasattr(program, "consts") else (program, ())


def _constant(variable: Any, array: Any) -> Value:
    """A constant; one of an outer trace has no value yet."""
    if isinstance(array, Tracer):
        return Value(POINT, variable.aval)
    return Value(FIXED, variable.aval, array)


def _literal(atom: Any) -> Value:
    return Value(FIXED, atom.aval, jnp.asarray(atom.val, atom.aval.dtype))


def _levels(values: Any) -> Levels:
    return [value.level for value in values]


def _shapes(variables: Sequence[Any]) -> list[Any]:
    return [getattr(v.aval, "shape", None) for v in variables]


def _paired(eqn: Any, arrays: Sequence[Any]) -> Any:
    return zip(eqn.outvars, arrays, strict=True)


def _arrays(values: Any) -> list[Any]:
    """The arrays of those values of which something is known."""
    return [value.array for value in values if value.level is not POINT]


def _values(levels: Levels, kinds: Sequence[Any], arrays: Sequence[Any]) -> list[Value]:
    """The inverse of :func:`_arrays`."""
    rest = iter(arrays)
    return [
        Value(level, kind, None if level is POINT else next(rest))
        for level, kind in zip(levels, kinds, strict=True)
    ]


def _filled(eqn: Any, levels: Levels, arrays: Sequence[Any]) -> list[Value]:
    return _values(levels, [v.aval for v in eqn.outvars], arrays)
