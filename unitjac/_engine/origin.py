"""Where a number that is not finite arises in a program.

Owns: the run of a program equation by equation, and the way back from a number that is not finite
to the operation that made it. Never touches: units, states, the user's function and its lines.

The way back follows what the number depends on, and nothing else: an infinity that a ``where``
keeps out of the result is never met. Whether an operation made the number or took it over is
tried out: is its result finite, once other numbers stand in place of the nonfinite ones it took?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from unitjac import _typed

from .dtypes import is_inexact

Index = tuple[int, ...]

_jaxpr_as_fun = cast("Callable[[Any], Callable[..., list[Any]]]", core.jaxpr_as_fun)
_vjp = cast("Callable[..., tuple[list[Any], _typed.Pull]]", jax.vjp)
# what moves numbers, or gives them another dtype, and leaves each as it is
_HANDS_ON = ("convert_element_type", "copy", "broadcast_in_dim", "reshape", "squeeze")
_CLOSED = ("shard_map", "custom_linear_solve")  # not looked into
_STAND_INS = (0.5, 2.0)  # few operations fail at both


class Place(NamedTuple):
    """An equation that contains a program, and the step of the loop, or the branch, that ran."""

    eqn: Any
    number: int | None = None  # None where it runs its program once


class Passed(NamedTuple):
    """The number is one that the program took: the position of the input, and where in it."""

    position: int
    entry: Index


@dataclass(frozen=True)
class Origin:
    """The operation that made a number that is not finite out of finite ones.

    Attributes
    ----------
    eqn : equation or None
        The operation; None where the number is a constant of the program.
    operands, results : list of array
        What it took and gave; ``operands`` alone for a constant.
    output, index
        Which of the results, and where in it; for a constant, where in that.
    inputs : list of int or None
        For each operand, which input of the program it is, with its numbers as they went in.
    trail : tuple of Place
        The equations that contain it, the outermost first.
    """

    eqn: Any
    operands: list[Any]
    results: list[Any]
    output: int
    index: Index
    inputs: list[int | None]
    trail: tuple[Place, ...] = ()

    def seen_from(self, outside: Callable[[int], int | None], *place: Place) -> Origin:
        """The same, its inputs being numbered as outside of the program it was found in."""
        inputs = [None if p is None else outside(p) for p in self.inputs]
        return replace(self, inputs=inputs, trail=(*place, *self.trail))


class Run:
    """A program, and the value of each of its variables.

    Parameters
    ----------
    program : ClosedJaxpr
        The program.
    inputs : sequence of array
        What goes in.
    """

    def __init__(self, program: Any, inputs: Sequence[Any]):
        self.jaxpr, consts = opened(program)
        self.values: dict[Any, Any] = dict(zip(self.jaxpr.constvars, consts, strict=True))
        self.values |= zip(self.jaxpr.invars, inputs, strict=True)
        self.positions: dict[Any, int] = {var: k for k, var in enumerate(self.jaxpr.invars)}
        self.makers: dict[Any, tuple[Any, int]] = {}
        for eqn in self.jaxpr.eqns:
            if not eqn.outvars:  # a callback that prints has done so already
                continue
            results = evaluate(eqn, self.operands(eqn))
            self.values |= zip(eqn.outvars, results, strict=True)
            self.makers |= {var: (eqn, k) for k, var in enumerate(eqn.outvars)}

    def value(self, atom: Any) -> Any:
        """The value of a variable or a literal."""
        return atom.val if isinstance(atom, core.Literal) else self.values[atom]

    def operands(self, eqn: Any) -> list[Any]:
        """What an equation took."""
        return [self.value(atom) for atom in eqn.invars]

    @property
    def outputs(self) -> list[Any]:
        """What came out."""
        return [self.value(atom) for atom in self.jaxpr.outvars]

    def origin(self, output: int, index: Index) -> Origin | Passed:
        """What made the number at ``index`` of an output, or the input that it was."""
        atom = self.jaxpr.outvars[output]
        turned: Origin | None = None
        while not isinstance(atom, core.Literal) and atom in self.makers:
            eqn, k = self.makers[atom]
            operands = self.operands(eqn)
            found = _inside(eqn, operands, k, index)
            if isinstance(found, Origin):
                return found.seen_from(lambda p, eqn=eqn: self._input(eqn.invars[p]))
            found = found or _blamed(eqn, operands, k, index)
            results = [self.values[var] for var in eqn.outvars]
            itself = Origin(eqn, operands, results, k, index, list(map(self._input, eqn.invars)))
            if found is None:
                return itself
            if np.isnan(results[k][index]) and np.isinf(operands[found.position][found.entry]):
                turned = itself
            atom, index = eqn.invars[found.position], found.entry
        if isinstance(atom, core.Literal):  # an infinity that is meant: what made a nan of it
            return turned or Origin(None, [atom.val], [], 0, index, [None])
        if atom in self.positions:
            return Passed(self.positions[atom], index)
        return Origin(None, [self.values[atom]], [], 0, index, [None])

    def singular(self, eqn: Any) -> Origin | None:
        """An operation, where its own derivative is not finite; None where it is everywhere."""
        operands = self.operands(eqn)
        moved = [k for k, x in enumerate(operands) if is_inexact(x)]

        def some(leaves: list[Any]) -> list[Any]:
            given = list(operands)
            for k, leaf in zip(moved, leaves, strict=True):
                given[k] = leaf
            return evaluate(eqn, given)

        results = [self.values[var] for var in eqn.outvars]
        if not moved or not all(map(is_inexact, results)):
            return None
        try:
            pull = _vjp(some, [operands[k] for k in moved])[1]
            (pulled,) = pull([jnp.ones_like(x) for x in results])
        except (TypeError, ValueError, NotImplementedError):  # it has no such derivative
            return None
        inputs = list(map(self._input, eqn.invars))
        for k, cotangent in zip(moved, pulled, strict=True):
            at = first_nonfinite(cotangent)
            if at is not None and not isinstance(eqn.invars[k], core.Literal):
                shape = np.shape(results[0])
                index = at if shape == np.shape(operands[k]) else (0,) * len(shape)
                return Origin(eqn, operands, results, 0, index, inputs)
        return None

    def _input(self, atom: Any) -> int | None:
        """The input that a variable is, its numbers as they went in."""
        while not isinstance(atom, core.Literal) and atom in self.makers:
            eqn, _ = self.makers[atom]
            if eqn.primitive.name not in _HANDS_ON:
                return None
            atom = eqn.invars[0]
        return None if isinstance(atom, core.Literal) else self.positions.get(atom)


def opened(program: Any) -> tuple[Any, list[Any]]:
    """A program, and its constants."""
    return getattr(program, "jaxpr", program), list(getattr(program, "consts", ()))


def evaluate(eqn: Any, operands: Sequence[Any]) -> list[Any]:
    """What an equation gives for these operands."""
    given = eqn.primitive.get_bind_params(eqn.params)
    # since JAX 0.12 these are the parameters only
    functions, params = given if _typed.is_a(given, tuple) else ((), given)
    results = eqn.primitive.bind(*functions, *operands, **params)
    return list(results) if eqn.primitive.multiple_results else [results]


def is_finite(value: Any) -> np.ndarray:
    """Which numbers of an array are finite; what holds no such numbers is."""
    if not is_inexact(value):
        return np.ones(np.shape(value), bool)
    return np.asarray(jnp.isfinite(value))


def first_nonfinite(value: Any) -> Index | None:
    """Where the first number that is not finite stands; None where there is none."""
    flags = is_finite(value)
    return None if flags.all() else tuple(np.argwhere(~flags)[0].tolist())


def _blamed(eqn: Any, operands: list[Any], k: int, index: Index) -> Passed | None:
    """The number among the operands that made this one what it is.

    None where there is none, so that the operation itself did.
    """
    # the entries that are not finite: of which operand, and where in it
    flags = [
        np.zeros(np.shape(x), bool) if isinstance(var, core.Literal) else ~is_finite(x)
        for var, x in zip(eqn.invars, operands, strict=True)
    ]
    owners = np.repeat(np.arange(len(flags)), [int(f.sum()) for f in flags])
    places = np.concatenate([np.flatnonzero(f) for f in flags])
    numbers = np.arange(len(places))

    def is_bad_with(kept: Any, stand_in: float) -> bool:
        """Whether the result is not finite where only these entries are left as they are."""
        changed = list(operands)
        for j in range(len(operands)):
            away = places[(owners == j) & ~np.isin(numbers, kept)]
            if away.size:
                value = np.array(operands[j])
                value.reshape(-1)[away] = stand_in
                changed[j] = jnp.asarray(value)
        return not is_finite(evaluate(eqn, changed)[k])[index]

    stand_in = next((x for x in _STAND_INS if not is_bad_with([], x)), None)
    if stand_in is None or not places.size:
        return None

    # most operations work entry by entry; else the entries are halved until one is left
    entries = numbers
    for j, flag in enumerate(flags):
        if flag.shape == eqn.outvars[k].aval.shape and flag[index]:
            before = int(flag.reshape(-1)[: _flat(index, flag.shape)].sum())
            here = np.flatnonzero(owners == j)[before : before + 1]
            if is_bad_with(here, stand_in):
                entries = here
                break
    while len(entries) > 1:
        half = entries[: len(entries) // 2]
        entries = half if is_bad_with(half, stand_in) else entries[len(entries) // 2 :]
    (n,) = entries.tolist()
    j = int(owners[n])
    return Passed(j, tuple(np.argwhere(flags[j])[int((owners[:n] == j).sum())].tolist()))


def _flat(index: Index, shape: tuple[int, ...]) -> int:
    return int(np.ravel_multi_index(index, shape)) if shape else 0


def _inside(eqn: Any, operands: list[Any], k: int, index: Index) -> Origin | Passed | None:
    """The way back through the program that an equation contains; None where it has none."""
    name, params = eqn.primitive.name, eqn.params
    if name == "scan":
        return _steps_of_scan(eqn, operands).origin(k, index)
    if name == "while":
        return _steps_of_while(eqn, operands).origin(k, index)
    if name == "cond":
        branch = _branch(eqn, operands)
        found = _in_body(params["branches"][branch], operands[1:], k, index)
        if isinstance(found, Passed):
            return found._replace(position=found.position + 1)
        return found and found.seen_from(lambda p: p + 1, Place(eqn, branch))
    program = _called(eqn)
    found = None if program is None else _in_body(program, operands, k, index)
    return found.seen_from(lambda p: p, Place(eqn)) if isinstance(found, Origin) else found


def _branch(eqn: Any, operands: list[Any]) -> int:
    """Which branch of a condition is taken."""
    return int(np.clip(operands[0], 0, len(eqn.params["branches"]) - 1))


def _called(eqn: Any) -> Any:
    """The program that an equation runs once, on its operands; None where it does otherwise."""
    programs = [p for p in eqn.params.values() if hasattr(opened(p)[0], "eqns")]
    if eqn.primitive.name in _CLOSED or len(programs) != 1:
        return None
    jaxpr, _ = opened(programs[0])
    fits = len(jaxpr.invars) == len(eqn.invars) and len(jaxpr.outvars) == len(eqn.outvars)
    return programs[0] if fits else None


def _in_body(program: Any, operands: list[Any], k: int, index: Index) -> Origin | Passed | None:
    """The way back through a program; None where it gives a finite number when it is run so.

    What is compiled as a whole rounds otherwise than one operation after the other.
    """
    run = Run(program, operands)
    return None if is_finite(run.outputs[k])[index] else run.origin(k, index)


@dataclass
class _Steps:
    """A loop: which operands are constants, carried at first, and scanned, and what was carried.

    ``carried[t]`` goes into step t, and ``carried[t + 1]`` comes out of it.
    """

    eqn: Any
    operands: list[Any]
    body: Any
    consts: range
    first: range
    scanned: range
    reverse: bool = False
    carried: list[list[Any]] = field(default_factory=list[list[Any]])

    def run(self, goes_on: Callable[[int, list[Any]], bool]) -> _Steps:
        """Take all steps."""
        jaxpr, consts = opened(self.body)
        step = _compiled(jaxpr, consts)
        self.carried = [[self.operands[p] for p in self.first]]
        while goes_on(len(self.carried) - 1, self.carried[-1]):
            t = len(self.carried) - 1
            self.carried.append(step(*self._operands_of(t))[: len(self.first)])
        return self

    def origin(self, k: int, index: Index) -> Origin | Passed | None:
        """The way back from output ``k`` of the loop."""
        t = len(self) - 1
        if k >= len(self.first):  # a stack of what each step gave
            t, index = self._number(index[0]), index[1:]
        while t >= 0:
            if k < len(self.first):
                # what is carried on as it is need not be gone through step by step
                while t > 0 and first_nonfinite(self.carried[t][k]) is not None:
                    t -= 1
                after = self.carried[t + 1][k]
                if is_finite(after)[index]:
                    index = first_nonfinite(after) or index
            found = _in_body(self.body, self._operands_of(t), k, index)
            if found is None:
                return None
            if isinstance(found, Origin):
                place = Place(self.eqn, self._number(t))
                return found.seen_from(lambda p, t=t: self._outside(p, t), place)
            carry = found.position - len(self.consts)
            if found.position < len(self.consts):
                return found._replace(position=self.consts[found.position])
            if carry >= len(self.first):
                position = self.scanned[carry - len(self.first)]
                return Passed(position, (self._number(t), *found.entry))
            t, k, index = t - 1, carry, found.entry
        return Passed(self.first[k], index)

    def __len__(self) -> int:
        return len(self.carried) - 1

    def step(self, number: int) -> Run:
        """The run of the step that takes this place in what is scanned."""
        return Run(self.body, self._operands_of(self._number(number)))

    def _number(self, t: int) -> int:
        """The place in what is scanned that step ``t`` takes, and the step that takes a place."""
        return len(self) - 1 - t if self.reverse else t

    def _operands_of(self, t: int) -> list[Any]:
        at = self._number(t) if self.scanned else 0
        scanned = [self.operands[p][at] for p in self.scanned]
        return [*[self.operands[p] for p in self.consts], *self.carried[t], *scanned]

    def _outside(self, position: int, t: int) -> int | None:
        """Which operand of the loop an operand of step ``t`` is."""
        if position < len(self.consts):
            return self.consts[position]
        carry = position - len(self.consts)
        return self.first[carry] if t == 0 and carry < len(self.first) else None


def _compiled(jaxpr: Any, consts: list[Any]) -> Callable[..., list[Any]]:
    return jax.jit(_jaxpr_as_fun(core.ClosedJaxpr(jaxpr, consts)))


def _steps_of_scan(eqn: Any, operands: list[Any]) -> _Steps:
    body, _ = opened(eqn.params["jaxpr"])

    def stacked(outside: Sequence[Any], inside: Sequence[Any]) -> int:
        """How many have one more axis outside than inside: that of the steps."""
        pairs = zip(outside, inside, strict=True)
        return sum(len(out.aval.shape) > len(var.aval.shape) for out, var in pairs)

    # told by the shapes, since the parameters' names differ between versions of JAX
    scanned = len(operands) - stacked(eqn.invars, body.invars)
    consts = scanned - (len(eqn.outvars) - stacked(eqn.outvars, body.outvars))
    parts = range(consts), range(consts, scanned), range(scanned, len(operands))
    length, reverse = eqn.params["length"], eqn.params["reverse"]
    steps = _Steps(eqn, operands, eqn.params["jaxpr"], *parts, reverse)
    return steps.run(lambda t, carried: t < length)


def _steps_of_while(eqn: Any, operands: list[Any]) -> _Steps:
    params = eqn.params
    ahead = params["cond_nconsts"]
    consts = ahead + params["body_nconsts"]
    parts = range(ahead, consts), range(consts, len(operands)), range(0)
    jaxpr, closed_over = opened(params["cond_jaxpr"])
    test = _compiled(jaxpr, closed_over)

    def goes_on(t: int, carried: list[Any]) -> bool:
        return bool(test(*operands[:ahead], *carried)[0])

    return _Steps(eqn, operands, params["body_jaxpr"], *parts).run(goes_on)


def operations(
    run: Run, numbers: Sequence[int], around: tuple[Place, ...] = ()
) -> Iterator[tuple[Run, Any, tuple[Place, ...]]]:
    """Each operation of a program, with the run that it is part of and the equations around it.

    Loops are entered in the step that ``numbers`` says, the outermost first, conditions in the
    branch that is taken.
    """
    for eqn in run.jaxpr.eqns:
        if not eqn.outvars:
            continue
        operands = run.operands(eqn)
        name = eqn.primitive.name
        program = _called(eqn)
        if name in ("scan", "while"):
            steps = (_steps_of_scan if name == "scan" else _steps_of_while)(eqn, operands)
            if numbers and numbers[0] < len(steps):
                inside = steps.step(numbers[0])
                yield from operations(inside, numbers[1:], (*around, Place(eqn, numbers[0])))
        elif name == "cond":
            branch = _branch(eqn, operands)
            inside = Run(eqn.params["branches"][branch], operands[1:])
            yield from operations(inside, numbers, (*around, Place(eqn, branch)))
        elif program is not None:
            yield from operations(Run(program, operands), numbers, (*around, Place(eqn)))
        else:
            yield run, eqn, around
