"""Functions of keywords, beside those of one dict: which of the two a function is, its defaults.

Owns: how a function is called with a dict of parameters. Never touches: derivatives, tables.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from unitjac import _typed
from unitjac._transforms.arguments import name_of
from unitjac._units.quantity import is_quantity
from unitjac._units.tree_display import value_or_leaf_text

__all__ = [
    "argument_names",
    "call_text",
    "of_a_dict",
    "other_defaults",
    "quantity_defaults",
    "with_defaults",
]

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def of_a_dict(function: Callable[..., Any], inputs: Any) -> Callable[[Any], Any]:
    """The function as one of a dict, whether it takes a dict or an argument for each parameter.

    Raises
    ------
    TypeError
        If it takes neither.
    """
    signature = _signature(function)
    if signature is None or not _has_names(inputs):
        return function
    if not _knows(signature, inputs):
        if _takes_one(signature):
            return function
        raise TypeError(_no_fit(function, signature, inputs))
    try:
        signature.bind(**inputs)
    except TypeError:
        raise TypeError(_no_fit(function, signature, inputs)) from None

    @functools.wraps(function)
    def of_names(keywords: dict[str, Any]) -> Any:
        return function(**keywords)

    return of_names


def with_defaults(function: Callable[..., Any], inputs: Any) -> Any:
    """The inputs, and the defaults that are quantities, in the order of the signature."""
    signature = _signature(function)
    if signature is None or not _has_names(inputs) or not _knows(signature, inputs):
        return inputs
    every = {**quantity_defaults(function), **inputs}
    return {**{name: every[name] for name in signature.parameters if name in every}, **every}


def quantity_defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """The defaults that are quantities, and so can be differentiated."""
    signature = _signature(function)
    known = () if signature is None else signature.parameters.values()
    return {p.name: _real(p.default) for p in known if is_quantity(p.default)}


def other_defaults(function: Callable[..., Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that are no quantities, and which nobody gave."""
    signature = _signature(function)
    if signature is None or not _knows(signature, inputs):
        return {}
    return {
        p.name: p.default
        for p in signature.parameters.values()
        if p.name not in inputs and p.kind not in _VARIADIC and not _is_required(p)
    }


def argument_names(function: Callable[..., Any], inputs: Mapping[str, Any]) -> list[str]:
    """The names that a function takes which takes the inputs by name; else none."""
    signature = _signature(function)
    if signature is None or not _knows(signature, inputs):
        return []
    return [p.name for p in signature.parameters.values() if p.kind not in _VARIADIC]


def call_text(function: Callable[..., Any]) -> str:
    """The function as it is called: ``leak(p)``, ``leak(V, g, E=-54 mV)``."""
    signature = _signature(function)
    if signature is None:
        return f"{name_of(function)}(...)"
    bare = [
        p.replace(annotation=inspect.Parameter.empty, default=_Shown.of(p.default))
        for p in signature.parameters.values()
    ]
    plain = signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
    return f"{name_of(function)}{plain}"


class _Shown(str):
    """A default as a signature shows it: a quantity as ``-54 mV``."""

    __slots__ = ()

    __repr__ = str.__str__

    @classmethod
    def of(cls, default: Any) -> Any:
        return cls(value_or_leaf_text(default)) if is_quantity(default) else default


def _real(quantity: Any) -> Any:
    """A quantity that can be differentiated: somebody wrote -54 * mV and meant no whole number."""
    dtype = np.asarray(quantity.mantissa).dtype
    return quantity * 1.0 if dtype.kind in "iu" else quantity


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some functions of C have none
        return None


def _has_names(inputs: Any) -> bool:
    return _typed.is_exactly(inputs, dict) and all(isinstance(key, str) for key in inputs)


def _knows(signature: inspect.Signature, inputs: Mapping[str, Any]) -> bool:
    """Whether the inputs are arguments by their names; not all that are needed may be there."""
    try:
        signature.bind_partial(**inputs)
    except TypeError:
        return False
    return bool(inputs) or not any(map(_is_required, signature.parameters.values()))


def _takes_one(signature: inspect.Signature) -> bool:
    """Whether it can be called with one dict."""
    required = [p for p in signature.parameters.values() if _is_required(p)]
    if required:
        return len(required) == 1 and required[0].kind is not inspect.Parameter.KEYWORD_ONLY
    kinds = {p.kind for p in signature.parameters.values()}
    return bool(kinds - {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD})


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty and parameter.kind not in _VARIADIC


def _no_fit(
    function: Callable[..., Any], signature: inspect.Signature, inputs: Mapping[str, Any]
) -> str:
    known = signature.parameters
    missing = [p.name for p in known.values() if _is_required(p) and p.name not in inputs]
    unknown = [key for key in inputs if key not in known]
    said = [
        f"{word} {', '.join(names)}"
        for word, names in (("missing", missing), ("unknown", unknown))
        if names
    ]
    return (
        f"{call_text(function)} does not take these parameters: {'; '.join(said)}. A function "
        "takes one dict, or an argument by name for each parameter."
    )
