"""From what was typed to a function of one dict and the point at which it is differentiated.

Owns: finding a built-in model or a user's function, how the function wants its parameters, and
which value each parameter has. Never touches: derivatives, printing.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from unitjac._cli.failures import BadInput, alike
from unitjac._cli.quantities import Reader, merged
from unitjac._units.unit_text import UnitTexts
from unitjac.models import BUILT_IN, Model

__all__ = ["Job", "prepare"]

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Job:
    """A function, the inputs at which it is looked at, and what to call them.

    Parameters
    ----------
    name, title, point : str
        What was typed; what it is; what its inputs are, or an empty text.
    function : callable
        From a dict of quantities to a tree of quantities.
    inputs : dict
        The point.
    texts : UnitTexts
        How the user wrote the units.
    """

    name: str
    title: str
    point: str
    function: Callable[[dict[str, Any]], Any]
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
    path, _, function_name = name.rpartition(":")
    function = _function(Path(path), function_name)
    known = {**given, **_keywords(function, given)} if given else None
    inputs = _with_settings(given, settings, reader, known)
    if not inputs:
        raise BadInput(
            f"{name} has no parameters yet. Give them with --params params.toml, in which "
            'g = "120 mS/cm^2" is one, or with --set g="120 mS/cm^2".'
        )
    title = (inspect.getdoc(function) or "").partition("\n")[0].rstrip(".")
    takes_dict = _of_a_dict(function, inputs, name)
    return Job(name, title, "", takes_dict, inputs, UnitTexts(reader.written))


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
    point = f"{model.point}, but with {', '.join(own)} as given" if own else model.point
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
        "of your own is written path/to/model.py:function."
    )


def _function(path: Path, name: str) -> Callable[..., Any]:
    if not path.is_file():
        raise BadInput(f"no file {path}. Write path/to/model.py:function.")
    module = _module(path)
    function = getattr(module, name, None)
    if not callable(function):
        what = f"has no function {name!r}" if function is None else f"has {name!r}, no function"
        raise BadInput(f"{path} {what}. It has: {', '.join(_functions_in(module)) or 'none'}.")
    return function


def _module(path: Path) -> Any:
    name = f"_unitjac_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{path} is no Python file. Write path/to/model.py:function.")
    module = importlib.util.module_from_spec(spec)
    # What stands beside the file can be imported in it, as when Python runs it.
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _functions_in(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]


def _keywords(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The names that the function takes beside those given, where it takes keyword arguments."""
    signature = inspect.signature(function)
    try:
        signature.bind_partial(**given)
    except TypeError:
        return {}
    named = [name for name, p in signature.parameters.items() if p.kind not in _VARIADIC]
    return {name: None for name in named if name not in given}


def _of_a_dict(
    function: Callable[..., Any], inputs: Mapping[str, Any], name: str
) -> Callable[[dict[str, Any]], Any]:
    """The function as one of a dict, whether it takes a dict or keyword arguments."""
    signature = inspect.signature(function)
    try:
        signature.bind(**inputs)
    except TypeError:
        required = [p for p in signature.parameters.values() if _is_required(p)]
        if len(required) == 1 and required[0].kind != inspect.Parameter.KEYWORD_ONLY:
            return function
        raise BadInput(_no_fit(signature, inputs, name)) from None

    @functools.wraps(function)
    def of_a_dict(keywords: dict[str, Any]) -> Any:
        return function(**keywords)

    return of_a_dict


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty and parameter.kind not in _VARIADIC


def _no_fit(signature: inspect.Signature, inputs: Mapping[str, Any], name: str) -> str:
    known = signature.parameters
    missing = [p.name for p in known.values() if _is_required(p) and p.name not in inputs]
    unknown = [key for key in inputs if key not in known]
    said = [
        f"{word} {', '.join(names)}"
        for word, names in (("missing", missing), ("unknown", unknown))
        if names
    ]
    return (
        f"{name}{signature} does not take these parameters: {'; '.join(said)}. A function takes "
        "one dict, or a keyword argument for each parameter."
    )
