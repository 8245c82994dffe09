"""Warnings, and the words that messages are made of.

Owns: the library's warning class, how a warning finds the user's line, how an array, an
object or a place in a tree is written in a message, what is said of a library that is not there,
how a tracer in the text of an exception is written as its number.
Never touches: units, states, derivatives.
"""

from __future__ import annotations

import inspect
import operator
import os
import re
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import jax
import numpy as np
from jax.core import Tracer


def library_folder(module: ModuleType) -> str:
    """The folder that a package's files lie in, with the separator at its end."""
    return os.path.dirname(os.path.abspath(str(module.__file__))) + os.sep


OURS = library_folder(sys.modules[__package__ or "unitjac"])
_NOT_THE_USERS = (OURS, library_folder(jax))


class UnitsDroppedWarning(UserWarning):
    """Blocks of a Jacobian were given back as plain magnitudes although they have a unit."""


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the first line of the call stack that is neither ours nor JAX's."""
    level, frame = 1, inspect.currentframe()
    while frame and frame.f_back and frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def imported(module: str, name: str) -> Any:
    """What a module of another library has by this name; None where it is not imported."""
    return getattr(sys.modules.get(module), name, None)


@contextmanager
def needing(what: str, package: str, extra: str) -> Generator[None]:
    """Say which extra to install where the block imports a package that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{what} needs {package}, which is not installed. Type: pip install 'unitjac[{extra}]'"
        ) from error


def show_numbers(error: Exception) -> None:
    """Write numbers into the text of an exception in place of the tracers of JAX that held them.

    An operation under a transform says what it was given as JAX holds it; a number that is not
    known yet is written as its dtype and shape. What JAX says of its tracers stays as it is.
    """
    if isinstance(error, jax.errors.JAXTypeError):
        return
    error.args = tuple(_without_tracers(arg) if isinstance(arg, str) else arg for arg in error.args)
    for name, text in vars(error).items():
        if isinstance(text, str):
            setattr(error, name, _without_tracers(text))


def _without_tracers(text: str) -> str:
    found = re.search(r"\b\w*Tracer\(", text)
    if found is None:
        return text
    end, depth = found.end(), 1
    while end < len(text) and depth:
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    # JVPTracer(primal=3.0, tangent=...), VmapTracer(aval=float32[3], batched=...), JitTracer(f32[])
    inside = _without_tracers(text[found.end() : end - 1])
    number = re.split(r", (?:tangent|typeof\(tangent\)|batched)=", inside)[0]
    number = re.sub(r"^(primal|aval)=", "", number)
    return f"{text[: found.start()]}{number}{_without_tracers(text[end:])}"


def say_more(error: Exception, advice: str) -> None:
    """Add what to type to the message of an exception."""
    error.args = (f"{error} {advice}", *error.args[1:])


def as_int(value: Any) -> int | None:
    """The whole number that ``value`` is; None where it is none. A bool is none."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value)
    except TypeError:  # a float, an array of several numbers, no number at all
        return None


def dtype_of(leaf: Any) -> np.dtype:
    """Dtype of an array, a number or anything that JAX takes for an array."""
    if isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
        return leaf.dtype
    dtype = getattr(leaf, "dtype", None)
    if dtype == jax.dtypes.float0:
        return np.dtype(jax.dtypes.float0)
    # NumPy's float64 is float32 to JAX, unless 64 bits are switched on
    if dtype is not None:
        return np.dtype(jax.dtypes.canonicalize_dtype(dtype))
    return np.dtype(jax.numpy.result_type(leaf))


def array_text(leaf: Any) -> str:
    """``float32[3,2]`` for an array, the type's name for any other object."""
    if not is_arraylike(leaf):
        return f"a {type(leaf).__name__}"
    shape = ",".join(str(n) for n in np.shape(leaf))
    return f"{dtype_of(leaf)}[{shape}]"


def has_tracer(tree: Any) -> bool:
    """Whether a leaf of ``tree`` is a tracer of JAX."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree))


def abstract(leaf: Any) -> jax.ShapeDtypeStruct:
    """Shape and dtype of an array or a number, without its values."""
    return jax.ShapeDtypeStruct(np.shape(leaf), dtype_of(leaf))


def is_arraylike(leaf: Any) -> bool:
    """Whether JAX takes ``leaf`` for an array: an array of JAX or NumPy, or a number."""
    if isinstance(leaf, np.ndarray | np.generic):
        return leaf.dtype.kind not in "OSUMm"  # objects, text, dates
    return isinstance(leaf, jax.Array | float | complex | int | jax.ShapeDtypeStruct) or hasattr(
        leaf, "__jax_array__"
    )


def path_text(root: str, path: tuple[Any, ...]) -> str:
    """``root`` followed by a key path, as one would type it: ``argument 0['g_Na'][1]``.

    A last step into a node's only child (from a quantity to its magnitude) is left out.
    """
    if path and path[-1] == jax.tree_util.FlattenedIndexKey(0):
        path = path[:-1]
    return root + jax.tree_util.keystr(path)
