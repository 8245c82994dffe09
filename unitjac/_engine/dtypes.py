"""Which dtypes can be differentiated, in which mode.

Owns: the verdict on one leaf, with what to type instead. Never touches: values, trees.

The rules are JAX's own (``jax.jacrev``, ``jax.jacfwd``): reverse mode wants real outputs, forward
mode wants real inputs, and ``holomorphic=True`` wants both complex.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal

import jax
import jax.numpy as jnp

from unitjac._errors import array_text, dtype_of

Mode = Literal["fwd", "rev"]

Label = Callable[[], str]
"""How a message calls a leaf; asked for only where there is a message to write."""

Offers = Collection[str]
"""The parameters that the user's transform has, so that a hint names no other."""


def has_tangent(leaf: Any) -> bool:
    """Whether ``leaf`` has tangents of its own: real and complex numbers do, integers do not."""
    return jnp.issubdtype(dtype_of(leaf), jnp.inexact)


def is_complex(leaf: Any) -> bool:
    """Whether ``leaf`` holds complex numbers."""
    return jnp.issubdtype(dtype_of(leaf), jnp.complexfloating)


def is_inexact(value: Any) -> bool:
    """Whether an array or a number is of a dtype that has a nan."""
    return jnp.issubdtype(dtype_of(value), jnp.inexact)


def check_input(
    leaf: Any,
    label: Label,
    *,
    mode: Mode,
    holomorphic: bool,
    allow_int: bool = False,
    offers: Offers = (),
) -> None:
    """Raise a TypeError where ``leaf`` cannot be differentiated with respect to."""
    dtype = dtype_of(leaf)
    if jnp.issubdtype(dtype, jnp.floating) and not holomorphic:
        return
    came = f"{label()} is {array_text(leaf)}"
    if jnp.issubdtype(dtype, jax.dtypes.extended):
        raise TypeError(
            f"{came}: a random key has no derivative. Leave it out of what is differentiated."
        )
    if not has_tangent(leaf):
        if allow_int and not holomorphic:
            return
        kind = "complex" if holomorphic else "real"
        offered = "allow_int" in offers and not holomorphic
        hint = ", or pass allow_int=True for a float0 block" if offered else ""
        raise TypeError(
            f"{came}, but a differentiated input must be {kind}. "
            f"Convert it to {'complex' if holomorphic else 'float'}{hint}."
        )
    if holomorphic and not is_complex(leaf):
        raise TypeError(
            f"{came}, but holomorphic=True wants complex inputs. "
            "Convert it to complex, or leave holomorphic out."
        )
    if mode == "fwd" and is_complex(leaf) and not holomorphic:
        raise TypeError(
            f"{came}, but forward mode wants real inputs. {_hint(offers, 'pass')} the real and "
            "imaginary parts."
        )


def check_output(
    leaf: Any,
    label: Label,
    *,
    mode: Mode,
    holomorphic: bool,
    allow_int: bool = False,
    offers: Offers = (),
) -> None:
    """Raise a TypeError where ``leaf`` cannot be differentiated."""
    if jnp.issubdtype(dtype_of(leaf), jnp.floating) and not holomorphic:
        return
    if allow_int and not has_tangent(leaf):
        return
    came = f"{label()} is {array_text(leaf)}"
    if not has_tangent(leaf):
        aux = ", or return it as aux with has_aux=True" if "has_aux" in offers else ""
        raise TypeError(
            f"{came}, but a differentiated output must be real or complex. Convert it to float"
            f"{aux}."
        )
    if holomorphic and not is_complex(leaf):
        raise TypeError(
            f"{came}, but holomorphic=True wants complex outputs. Leave holomorphic out, or return "
            "the complex value."
        )
    if mode == "rev" and is_complex(leaf) and not holomorphic:
        raise TypeError(
            f"{came}, but reverse mode wants real outputs. {_hint(offers, 'return')} the real "
            "and imaginary parts."
        )


def _hint(offers: Offers, verb: str) -> str:
    if "holomorphic" not in offers:
        return verb.capitalize()
    return (
        f"Pass holomorphic=True where the function is holomorphic and its inputs complex, or {verb}"
    )
