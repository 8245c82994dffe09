"""In which directions what runs now is being differentiated.

Owns: the three ways in which this library differentiates a function, and what they tell of
themselves. Never touches: units, states, what is done with the answer.

A program with a loop that ends by itself has one derivative that can be pushed and another one that
can be pulled; who makes such a program has to know which is wanted. Nobody is told of it before
somebody asks, since JAX keeps programs of each direction apart.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal

import jax

from unitjac import _typed

Direction = Literal["forward", "reverse", "both"]

# Its value is part of the key by which JAX remembers a program.
_context = jax.make_user_context(())
_asked = threading.Event()


class _Thread(threading.local):
    directions: tuple[Direction, ...] = ()


_thread = _Thread()


def ask() -> None:
    """Let the directions be known from now on."""
    _asked.set()


def current() -> tuple[Direction, ...]:
    """The directions in which this library differentiates what runs now, the outermost first."""
    return _thread.directions


@contextmanager
def _going(direction: Direction) -> Generator[None]:
    if not _asked.is_set():
        yield
        return
    before = _thread.directions
    _thread.directions = (*before, direction)
    try:
        with _context(_thread.directions):
            yield
    finally:
        _thread.directions = before


def vjp(fun: Any, *primals: Any, **options: Any) -> Any:
    """``jax.vjp``, of which the function can know."""
    with _going("reverse"):
        return _typed.vjp(fun, *primals, **options)


def jvp(fun: Any, primals: Any, tangents: Any, **options: Any) -> Any:
    """``jax.jvp``, of which the function can know."""
    with _going("forward"):
        return jax.jvp(fun, primals, tangents, **options)


def linearize(fun: Any, *primals: Any, **options: Any) -> Any:
    """``jax.linearize``, of which the function can know: what comes back may be transposed."""
    with _going("both"):
        return _typed.linearize(fun, *primals, **options)
