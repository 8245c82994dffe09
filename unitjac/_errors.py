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
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from . import _typed
from ._foreign import foreign_text, is_foreign, refuse_foreign


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


def in_full(*dtypes: Any) -> AbstractContextManager[Any]:
    """Where arrays of these dtypes are made in them, while 64 bits are switched off too.

    A function can switch them on for itself, and gives float64 then.
    """
    if all(jax.dtypes.canonicalize_dtype(dtype) == dtype for dtype in dtypes):
        return nullcontext()
    return jax.enable_x64(True)


def common_dtype(leaves: Iterable[Any]) -> np.dtype:
    """The dtype that holds numbers of all ``leaves``, with JAX's promotion forbidden or not."""
    dtypes = set(map(dtype_of, leaves))
    if len(dtypes) == 1:
        return dtypes.pop()
    with jax.numpy_dtype_promotion("standard"):
        return np.dtype(jax.numpy.result_type(*dtypes) if dtypes else jax.numpy.result_type(float))


def array_text(leaf: Any) -> str:
    """``float32[3,2]`` for an array, the type's name for any other object."""
    if is_foreign(leaf):
        return foreign_text(leaf)
    if hasattr(leaf, "__jax_array__") and not is_arraylike(leaf):
        return (
            f"a {type(leaf).__name__}, which is no tree to JAX either: register its class with "
            "jax.tree_util.register_pytree_node_class"
        )
    if _typed.is_a(leaf, np.ndarray) and not is_arraylike(leaf):  # of objects, text, dates
        return f"a NumPy array of dtype {leaf.dtype}"
    if not is_arraylike(leaf):
        return f"a {type(leaf).__name__}"
    shape = ",".join(str(n) for n in np.shape(leaf))
    return f"{dtype_of(leaf)}[{shape}]"


def has_tracer(tree: Any) -> bool:
    """Whether a leaf of ``tree`` is a tracer of JAX."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree))


def abstract(leaf: Any) -> jax.ShapeDtypeStruct:
    """What JAX calls the type of an array or a number: shape, dtype, sharding; without values."""
    return jax.ShapeDtypeStruct(np.shape(leaf), dtype_of(leaf), sharding=sharding_of(leaf))


def sharding_of(leaf: Any) -> Any:
    """The sharding that is part of an array's type, on a mesh with Explicit axes; else None."""
    if not isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
        return None
    sharding = jax.typeof(leaf).sharding
    return sharding if any(sharding.spec) else None


def is_arraylike(leaf: Any) -> bool:
    """Whether JAX takes ``leaf`` for an array: an array of JAX or NumPy, or a number.

    JAX takes quantities of other libraries for arrays too, and their units are lost.
    """
    if isinstance(leaf, jax.Array):
        return True
    if is_foreign(leaf):
        return False
    if _typed.is_a(leaf, np.ndarray | np.generic):
        dtype = leaf.dtype
        if dtype.names is not None:  # records; JAX's float0 is made as one
            return bool(dtype == jax.dtypes.float0)
        return dtype.kind not in "OSUMm"  # objects, text, dates
    return isinstance(leaf, float | complex | int | jax.ShapeDtypeStruct)


def path_text(root: str, path: tuple[Any, ...]) -> str:
    """``root`` followed by a key path, as one would type it: ``argument 0['g_Na'][1]``.

    A last step into a node's only child (from a quantity to its magnitude) is left out.
    """
    if path and path[-1] == jax.tree_util.FlattenedIndexKey(0):
        path = path[:-1]
    return root + jax.tree_util.keystr(path)


def index_text(index: Iterable[Any]) -> str:
    """An index as one would type it, ``[3, 1]``; nothing where there is none."""
    inside = ", ".join(map(str, index))
    return f"[{inside}]" if inside else ""


def refuse_foreign_in(tree: Any, root: str | Callable[[], str], trees_pass: bool = False) -> None:
    """Raise a TypeError where ``tree`` holds a quantity of another library; its place is named.

    With ``trees_pass`` one that JAX knows as a tree may pass: it arrives as itself where its unit
    is of no concern, while the first operation with a tracer takes the unit of one that is an array
    to JAX.
    """
    whole = None if trees_pass else is_foreign
    if isinstance(tree, jax.Array) or not any(
        map(is_foreign, jax.tree.leaves(tree, is_leaf=whole))
    ):
        return
    for path, leaf in _typed.flatten_with_path(tree, is_leaf=whole)[0]:
        refuse_foreign(leaf, path_text(root if isinstance(root, str) else root(), path))
