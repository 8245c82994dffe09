"""A solver made of another one, whose steps it changes.

Owns: what both have in common. Never touches: the step.
"""

# pyright: basic

from __future__ import annotations

from typing import Any, ClassVar

from ._open import dfx


class Around(dfx.AbstractAdaptiveSolver):
    """A solver that has the order and the interpolation of the one inside."""

    inner: Any
    term_structure: ClassVar[Any] = dfx.AbstractTerm

    @property
    def interpolation_cls(self) -> Any:
        """That of the solver."""
        return self.inner.interpolation_cls

    def order(self, terms: Any) -> Any:
        """That of the solver."""
        return self.inner.order(terms)

    def error_order(self, terms: Any) -> Any:
        """That of the solver."""
        return self.inner.error_order(terms)
