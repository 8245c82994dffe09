"""What the states of other libraries have in common.

Owns: :class:`Adopted`. Never touches: units, derivatives; it imports none of these libraries, since
who has a state of one has imported it.
"""

from __future__ import annotations

from typing import Any

from unitjac._errors import imported

from .remembered import note_made
from .state import State


class Adopted(State):
    """A state of another library; equal to any other one that was made of the same state."""

    __slots__ = ("origin",)
    module: str
    type_name: str

    def __init__(self, origin: Any):
        self.origin = origin
        note_made()

    @classmethod
    def known(cls) -> Any:
        """The class of such states; None where its library is not imported."""
        return imported(cls.module, cls.type_name)

    @property
    def name(self) -> Any:
        """The name that the other library gives it, if any."""
        return getattr(self.origin, "name", None)

    def held(self) -> Any:
        """What the state itself holds, without the other library taking notice."""
        raise NotImplementedError

    def copied(self, memo: dict[int, Any]) -> State:
        """The state of the copy, where the origin was copied."""
        origin = memo.get(id(self.origin))
        return self if origin is None else type(self)(origin)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Adopted) and other.origin is self.origin

    def __hash__(self) -> int:
        return id(self.origin)

    def __reduce__(self) -> Any:
        return type(self), (self.origin,)

    def kind_and_value(self) -> tuple[str, Any]:
        """What messages show."""
        return type(self.origin).__name__, self.held()
