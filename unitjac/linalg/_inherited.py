"""What a matrix inherits from the sparse matrices of brainunit and cannot do: it is hidden.

Owns: the hiding. Never touches: what a matrix can do.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Iterable
from typing import Any, NoReturn


class Absent:
    """A name of the base class that is none here: no attribute, and not among the suggestions.

    Parameters
    ----------
    instead : str
        What to type instead.
    """

    def __init__(self, instead: str):
        self.instead = instead

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, matrix: Any, owner: type) -> NoReturn:
        raise AttributeError(f"a {owner.__name__} has no {self.name}. Write {self.instead}.")


class Hiding(ABCMeta):
    """The class of classes that do not list what is :class:`Absent` in them."""

    def __dir__(cls) -> Iterable[str]:
        return shown(cls, super().__dir__())


def shown(owner: type, names: Iterable[str]) -> list[str]:
    """The names without those that are absent in ``owner``."""
    inside = vars(owner)
    return [name for name in names if not isinstance(inside.get(name), Absent)]
