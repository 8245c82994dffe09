"""The decorator form: a transform that is given no function waits for it.

Owns: :func:`decorating`, which the public functions are wrapped in. Never touches: what a
transform does with its options.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

P = ParamSpec("P")
Made = TypeVar("Made", covariant=True)
Function = Callable[..., Any]


class Decorator(Generic[Made]):
    """A transform with its options, which makes something of the function below it."""

    def __init__(
        self, transform: Callable[..., Made], samples: tuple[Any, ...], options: dict[str, Any]
    ):
        self.transform = transform
        self.samples = samples
        self.options = options

    def __call__(self, fun: Function, /) -> Made:
        """What the transform makes of ``fun``."""
        return self.transform(fun, *self.samples, **self.options)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"<decorator unitjac.{self.transform.__name__}({options})>"


class Decorating(Protocol[P, Made]):
    """A transform of a function, or without one a decorator."""

    @overload
    def __call__(self, fun: Function, /, *args: P.args, **kwargs: P.kwargs) -> Made: ...
    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload] -- no option has this name
        self, *, fun: Function, **options: Any
    ) -> Made: ...
    @overload
    def __call__(self, **options: Any) -> Decorator[Made]: ...


def decorating(transform: Callable[Concatenate[Function, P], Made]) -> Decorating[P, Made]:
    """``transform``, and with options alone a decorator: ``@jacrev(unit_aware=True)``."""

    @functools.wraps(transform)
    def either(*args: Any, **options: Any) -> Any:
        if args or "fun" in options:
            return transform(*args, **options)
        return Decorator(either, (), options)

    return cast("Decorating[P, Made]", either)


def decorating_with_samples(
    transform: Callable[Concatenate[Function, P], Made],
) -> Decorating[P, Made]:
    """The same where sample arguments follow the function: they go by name, in ``sample_args``."""

    @functools.wraps(transform)
    def either(*args: Any, **options: Any) -> Any:
        if args or "fun" in options:
            return transform(*args, **options)
        samples = tuple(options.pop("sample_args", ()))
        return Decorator(either, samples, options)

    return cast("Decorating[P, Made]", either)
