"""From what was typed to a function, the point at which it is differentiated, and its table.

Owns: which value each parameter has, and what is said of those that are missing. Never touches:
derivatives, printing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unitjac._cli.failures import BadInput, ModelFailed, alike, place_of
from unitjac._cli.functions import function_named
from unitjac._cli.quantities import Reader, check_kind, merged, twin_of
from unitjac._units.unit_text import UnitTexts
from unitjac.models import BUILT_IN, Model
from unitjac.sensitivity import SensitivityTable, sensitivity_table
from unitjac.sensitivity._keywords import (
    argument_names,
    call_text,
    of_a_dict,
    other_defaults,
    quantity_defaults,
    with_defaults,
)

__all__ = ["Job", "prepare", "table_of"]


@dataclass(frozen=True)
class Job:
    """A function, the inputs at which it is looked at, and what to call them.

    Parameters
    ----------
    name, title, point : str
        What was typed; what it is; what its inputs are, or an empty text.
    function : callable
        From a dict of quantities, or from them by name, to a tree of quantities.
    inputs : dict
        The point.
    texts : UnitTexts
        How the user wrote the units.
    """

    name: str
    title: str
    point: str
    function: Callable[..., Any]
    inputs: dict[str, Any]
    texts: UnitTexts


def prepare(name: str, params: Path | None, settings: Iterable[str]) -> Job:
    """The job of ``unitjac sensitivity NAME --params PARAMS --set SETTING``.

    Raises
    ------
    BadInput
        If there is no such model or function, or its parameters cannot be what was given.
    """
    reader = Reader()
    given = {} if params is None else reader.file(params)
    if name in BUILT_IN:
        return _built_in(BUILT_IN[name], given, settings, reader, params)
    if ":" not in name:
        raise BadInput(_no_model(name))
    return _of_the_user(name, function_named(name), given, settings, reader)


def table_of(job: Job, *, jit: bool) -> SensitivityTable:
    """The table of a job.

    Raises
    ------
    ModelFailed
        If the function asks for a parameter that was not given.
    """
    inputs = job.inputs
    while True:
        try:
            return sensitivity_table(job.function, inputs, jit=jit)
        except KeyError as error:
            asked: Any = error.args[0] if error.args else None
            if not isinstance(asked, str) or asked in inputs:
                raise
            twin = twin_of(asked, inputs)
            if twin is None:
                raise ModelFailed(_asked_in_vain(job, asked, place_of(error))) from None
        # Python takes the micro sign in a name for the Greek letter, and in a text it does not
        inputs = {asked if name == twin else name: value for name, value in inputs.items()}


def _asked_in_vain(job: Job, name: str, where: str) -> str:
    return (
        f"{job.name} failed{where}.\nKeyError: {name!r}. {call_text(job.function)} was given "
        f"{', '.join(job.inputs)}. Where {name} is a parameter, give it with --set "
        f'{name}="-50 mV", or in the file of --params.'
    )


def _of_the_user(
    name: str,
    function: Callable[..., Any],
    given: Mapping[str, Any],
    settings: Iterable[str],
    reader: Reader,
) -> Job:
    known = None
    if given:
        others = (name for name in argument_names(function, given) if name not in given)
        known = {**given, **dict.fromkeys(others)}
    inputs = _with_settings(dict(given), settings, reader, known)
    for key, default in quantity_defaults(function).items():
        if key in inputs:
            check_kind(default, inputs[key], f"{name}, {key}")
    inputs = with_defaults(function, inputs)
    if not inputs:
        raise BadInput(
            f"{name} has no parameters yet. Give them with --params params.toml, in which "
            'g = "120 mS/cm^2" is one, or with --set g="120 mS/cm^2". It is called as '
            f"{call_text(function)}."
        )
    try:
        of_a_dict(function, inputs)
    except TypeError as error:
        raise BadInput(
            f'{name}: {error} Give one with --set g="120 mS/cm^2", or in the file of --params.'
        ) from None
    title = (inspect.getdoc(function) or "").partition("\n")[0].rstrip(".")
    others = other_defaults(function, inputs)
    point = ", ".join(f"{key} = {value!r}" for key, value in others.items())
    point = f"With {point} by default" if point else ""
    return Job(name, title, point, function, inputs, UnitTexts(reader.written))


def _built_in(
    model: Model,
    given: Mapping[str, Any],
    settings: Iterable[str],
    reader: Reader,
    params: Path | None,
) -> Job:
    defaults = model.inputs()
    inputs = defaults
    for key, value in given.items():
        inputs = merged(inputs, [key], value, f"{params}, {key}")
    inputs = _with_settings(inputs, settings, reader)
    if unknown := [key for key in inputs if key not in defaults]:
        raise BadInput(f"{model.name} has no input {', '.join(unknown)}: {', '.join(defaults)}.")
    own = [key for key in inputs if inputs[key] is not defaults[key]]
    # what is said of the point is true of that point alone
    point = f"The built-in point, but with {', '.join(own)} as given" if own else model.point
    return Job(model.name, model.summary, point, model.function, inputs, UnitTexts(reader.written))


def _with_settings(
    inputs: dict[str, Any],
    settings: Iterable[str],
    reader: Reader,
    known: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    for text in settings:
        names, value = reader.setting(text)
        where = f"--set {'.'.join(names)}"
        if known is not None:
            _expect_known(names, known, where)
        inputs = merged(inputs, names, value, where)
    return inputs


def _expect_known(names: list[str], known: Mapping[str, Any], where: str) -> None:
    """A misspelt name must not stand as one more parameter beside the one that it means."""
    first, *rest = names
    if first not in known:
        raise BadInput(
            f"{where}: no parameter {first} beside {', '.join(known)}.{_meant(first, known)} "
            "What is new goes into the file of --params."
        )
    if rest and isinstance(known[first], dict):
        _expect_known(rest, known[first], where)


def _meant(name: str, known: Iterable[str]) -> str:
    close = alike(name, known)
    return f" Did you mean {close[0]}?" if close else ""


def _no_model(name: str) -> str:
    if name.endswith(".py"):
        return f"{name} is a file: name the function in it, as in {name}:function."
    return (
        f"no model {name!r}.{_meant(name, BUILT_IN)} Built in: {', '.join(BUILT_IN)}. A function "
        "of your own is written path/to/model.py:function, or package.module:function."
    )
