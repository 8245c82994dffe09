"""Finding a function of the user's: ``path/to/model.py:function``, ``package.module:function``.

Owns: the import of what was named, and what is said where there is no such thing. Never touches:
how the function is called.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from unitjac._cli.failures import BadInput

__all__ = ["function_named"]

_HOW = "Write path/to/model.py:function, or package.module:function."


def function_named(name: str) -> Callable[..., Any]:
    """The function that ``where:function`` names.

    Raises
    ------
    BadInput
        If there is no such file, module or function.
    """
    where, _, function_name = name.rpartition(":")
    module = _module(where)
    function = getattr(module, function_name, None)
    if not callable(function):
        what = f"has no function {function_name!r}"
        what = what if function is None else f"has {function_name!r}, no function"
        raise BadInput(f"{where} {what}. It has: {', '.join(_functions_in(module)) or 'none'}.")
    return function


def _module(where: str) -> ModuleType:
    if Path(where).is_file():
        return _module_in(Path(where))
    if where.endswith(".py") or not all(map(str.isidentifier, where.split("."))):
        raise BadInput(f"no file {where}. {_HOW}")
    sys.path.insert(0, os.getcwd())  # as `python -m` does
    try:
        return importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{where}.".startswith(f"{error.name}."):
            raise  # what the module imports itself
        raise BadInput(f"no file and no module {where}. {_HOW}") from None


def _module_in(path: Path) -> ModuleType:
    name = f"_unitjac_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{path} is no Python file. {_HOW}")
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
