"""What is said of a number that is not finite.

Owns: the search in a traced function and its derivative, the words of what was found. Never
touches: when it is looked for, states; how a program is gone through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._engine.origin import (
    Index,
    Origin,
    Passed,
    Place,
    Run,
    first_nonfinite,
    is_finite,
    operations,
)
from unitjac._errors import abstract, array_text
from unitjac._units.quantity import Unit
from unitjac._units.unit_text import unit_text

from .lines import Line, own_lines
from .nan_search import Part, Parts, Search

_MOST_NUMBERS = 6  # of an array that is written out
_MOST_INPUTS = 8


def raise_found(search: Search) -> NoReturn:
    """Look for the operation that made a number that is not finite, and say what was found."""
    inputs = [jnp.asarray(part.magnitude) for part in search.inputs]
    try:
        value, outputs = _run(search.value, inputs)
        found = _report(search, value, outputs, value, is_derivative=False)
        if found is None:
            derivative, blocks = _run(search.derivative, inputs)
            found = _report(search, derivative, blocks, value, is_derivative=True)
    except jax.errors.JAXTypeError as error:
        raise FloatingPointError(
            f"{search.title}: a nan or an infinity came out, in the value or in the derivative. "
            "Which operation made it is not known, since the function decides on numbers in Python "
            f"({type(error).__name__}), and cannot be traced without them. Where jax.lax.cond or "
            f"jax.numpy.where do it, the operation is found.{_inputs_text(search)}"
        ) from error
    raise FloatingPointError(
        found
        or f"{search.title}: a nan or an infinity came out of the program as it was run as a "
        "whole, and none where it is run operation by operation: a number is at the edge of what "
        f"its dtype holds. Compute in float64.{_inputs_text(search)}"
    )


def _run(parts_of: Parts, inputs: list[Any]) -> tuple[Run, list[Part]]:
    """The program of a pure function, run, and what came out."""
    made: list[Part] = []

    def pure(leaves: list[Any]) -> list[Any]:
        parts = parts_of(leaves)
        made[:] = [part._replace(magnitude=None) for part in parts]
        return [part.magnitude for part in parts]

    run = Run(jax.make_jaxpr(pure)(inputs), inputs)
    pairs = zip(made, run.outputs, strict=True)
    return run, [part._replace(magnitude=magnitude) for part, magnitude in pairs]


def _report(
    search: Search, run: Run, parts: list[Part], value: Run, *, is_derivative: bool
) -> str | None:
    """What is said of the first part that is not finite; None where all are."""
    for k, part in enumerate(parts):
        index = first_nonfinite(part.magnitude)
        if index is not None:
            found = run.origin(k, index)
            lines = [f"{search.title}: {_bad_text(part, index)}."]
            if isinstance(found, Passed):
                given = search.inputs[found.position]
                lines.append(f"{_bad_text(given, found.entry)} when it goes in.")
            elif found.eqn is None:
                lines += _constant_lines(search, found)
            else:
                lines += _operation_lines(search, found, value, is_derivative)
            return "\n  ".join(lines) + _inputs_text(search)
    return None


def _bad_text(part: Part, index: Index) -> str:
    bad = int((~is_finite(part.magnitude)).sum())
    size = np.size(part.magnitude)
    many = f" ({bad:,} of its {size:,} numbers are not finite)" if size > 1 else ""
    if part.name is not None:
        return f"{part.label} {part.name(index)} is {_number_at(part.magnitude, index)}{many}"
    return f"{part.label} is {_at_text(part.magnitude, index, part.unit)}{many}"


def _constant_lines(search: Search, found: Origin) -> Iterator[str]:
    """Of a number that was not finite before the function began, and is no input."""
    lines = list(_nonfinite_lines(search))
    if lines:
        yield from lines
    else:
        (value,) = found.operands
        yield f"A constant of the function is {_at_text(value, found.index)}."


def _nonfinite_lines(search: Search) -> Iterator[str]:
    """What is held fixed, or read from a state, and is not finite."""
    for part in search.fixed():
        index = first_nonfinite(part.magnitude)
        if index is not None:
            yield f"{_bad_text(part, index)} when it goes in."


def _operation_lines(
    search: Search, found: Origin, value: Run, is_derivative: bool
) -> Iterator[str]:
    own = _lines_of(found.eqn, found.trail)
    forward = _forward(found, own, value) if is_derivative else None
    if forward is None:
        what = "in the derivative, by" if is_derivative else "by"
        yield f"It is made {what} {_operation_text(search, found)}"
    else:
        yield f"It is made in the derivative of {_operation_text(search, forward)}"
    if own:
        yield f"at {own[-1]}"
    for k, (eqn, number) in enumerate(found.trail):
        if number is not None:
            kind = eqn.primitive.name
            lines = _lines_of(eqn, found.trail[:k])
            at = f" at {lines[-1]}" if lines else ""
            yield f"in {'branch' if kind == 'cond' else 'step'} {number} of a {kind}{at}"
    if not all(is_finite(operand).all() for operand in found.operands):
        yield from _nonfinite_lines(search)
    if forward is not None and not is_finite(forward.results[forward.output])[forward.index]:
        yield (
            "The value does not take this number up (a where, an index, or a cond under vmap "
            "leaves it out), but its derivative does, times zero. Keep what goes into the "
            "operation away from here by a where of its own: x_safe = where(is_here, 1.0, x)."
        )


def _lines_of(eqn: Any, around: Sequence[Place]) -> tuple[Line, ...]:
    """The user's lines of an equation, or of the innermost one around it that has any."""
    for inner in (eqn, *(place.eqn for place in reversed(around))):
        trace = inner.source_info.traceback
        lines = own_lines(trace.as_python_traceback()) if trace is not None else ()
        if lines:
            return lines
    return ()


def _forward(found: Origin, own: tuple[Line, ...], value: Run) -> Origin | None:
    """The operation of the function that has a derivative which is not finite.

    It stands in the same line, and its own derivative is not finite where it was.
    """
    steps = [
        place.number
        for k, place in enumerate(found.trail)
        if place.eqn.primitive.name != "cond"
        and place.number is not None
        and _lines_of(place.eqn, found.trail[:k])
    ]
    for run, eqn, around in operations(value, steps):
        if _lines_of(eqn, around) == own:
            forward = run.singular(eqn)
            if forward is not None:
                return replace(forward, inputs=[None] * len(forward.inputs)) if around else forward
    return None


def _operation_text(search: Search, found: Origin) -> str:
    """An operation, what it took and what it gave."""
    name = found.eqn.params.get("name") or found.eqn.primitive.name
    result = found.results[found.output]
    took = [
        _operand_text(search, operand, number, found.index, np.shape(result))
        for operand, number in zip(found.operands, found.inputs, strict=True)
    ]
    at = f" at {list(found.index)} of {array_text(result)}" if found.index else ""
    return f"{name}({', '.join(took)}) = {_number_at(result, found.index)}{at}"


def _operand_text(
    search: Search, operand: Any, number: int | None, index: Index, shape: tuple[int, ...]
) -> str:
    unit = None if number is None else search.inputs[number].unit
    label = "" if number is None else f"{search.inputs[number].label} = "
    if np.shape(operand) == shape:
        return label + _with_unit(_number_at(operand, index), unit)
    return label + _with_unit(_array(operand), unit)


def _inputs_text(search: Search) -> str:
    lines = [
        f"{part.label} = {_with_unit(_array(part.magnitude), part.unit)}" for part in search.inputs
    ]
    more = [f"and {len(lines) - _MOST_INPUTS} more"] if len(lines) > _MOST_INPUTS else []
    text = "\n    ".join([*lines[:_MOST_INPUTS], *more])
    return f"\n  It was called with\n    {text}\n  No state was written."


def _at_text(magnitude: Any, index: Index, unit: Unit | None = None) -> str:
    where = f" at {list(index)}" if index else ""
    return _with_unit(_number_at(magnitude, index), unit) + where


def _with_unit(text: str, unit: Unit | None) -> str:
    name = unit_text(unit)
    return text if name == "1" else f"{text} {name}"


def _number_at(magnitude: Any, index: Index) -> str:
    return _number(np.asarray(magnitude)[index])


def _number(value: Any) -> str:
    return f"{np.asarray(value).item():.6g}"


def _array(value: Any) -> str:
    array = np.asarray(value)
    if array.ndim == 0:
        return _number(array)
    if array.size <= _MOST_NUMBERS:
        return (
            f"{np.array2string(array, precision=6, separator=', ')} ({array_text(abstract(value))})"
        )
    if array.dtype.kind in "biu":
        return array_text(value)
    finite = array[is_finite(array)]
    if not finite.size or np.iscomplexobj(finite):
        return array_text(value)
    low, high = _number(finite.min()), _number(finite.max())
    return f"{array_text(value)} from {low} to {high}"
