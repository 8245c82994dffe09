"""What every transform of a function shares: states, arguments, returns, compilation.

Owns: :class:`GradientTransform`, the way of one call, the twelve shapes of what comes back.
Never touches: how a derivative is computed.
"""

from __future__ import annotations

import abc
import copy
import functools
import types
from collections.abc import Callable
from typing import Any

from ._arguments import Selection, check_function, name_of, select
from ._compiled import Compiled
from ._inputs import Inputs
from ._plan import Plan
from ._state import commit
from ._traced import CheckOutput, Traced


class GradientTransform(abc.ABC):
    """A function that computes derivatives of another one, units and states included.

    What :func:`unitjac.jacrev` and its family give back. A transform is called as the function
    itself is; it binds as a method does, can be copied, pickled where the function can, and
    called from several threads.

    Attributes
    ----------
    fun : callable
        The function that is differentiated.
    """

    transform_name: str

    def __init__(
        self,
        fun: Callable[..., Any],
        *,
        grad_states: Any,
        argnums: Any,
        has_aux: bool | None,
        return_value: bool,
        unit_aware: bool,
        check_states: bool,
        jit: bool,
    ):
        check_function(fun, self.transform_name)
        functools.update_wrapper(self, fun, updated=())
        self.fun = fun
        self.selection: Selection = select(grad_states, argnums)
        self.has_aux = bool(has_aux)
        self.return_value = bool(return_value)
        self.unit_aware = bool(unit_aware)
        self.check_states = bool(check_states)
        self.jit = bool(jit)
        self._compile()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The derivative at these arguments, with value and aux where they were asked for."""
        return self._call(args, kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<unitjac.{self.transform_name} of {name_of(self.fun)}>"

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_call"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compile()

    def __deepcopy__(self, memo: dict[int, Any]) -> GradientTransform:
        # The states that fun uses: those of its copy where fun is an object that holds them,
        # the same ones where fun is a function, which Python does not copy.
        clone = copy.copy(self)
        memo[id(self)] = clone
        clone.fun = copy.deepcopy(self.fun, memo)
        states = tuple(memo.get(id(state), state) for state in self.selection.states)
        clone.selection = Selection(
            self.selection.argnums, states, self.selection.state_labels, self.selection.state_tree
        )
        clone._compile()
        return clone

    def describe(self, *args: Any, **kwargs: Any) -> Plan:
        """Print the plan of a call with these arguments, and give it back.

        Nothing is computed and no state is touched: ``fun`` is traced with abstract values.

        Returns
        -------
        Plan
            Mode, passes, states read and written, and the table of blocks; ``str`` of it is what
            was printed.
        """
        plan = self.plan(*args, **kwargs)
        print(plan)
        return plan

    @abc.abstractmethod
    def plan(self, *args: Any, **kwargs: Any) -> Plan:
        """The plan of a call with these arguments, without printing it."""

    @abc.abstractmethod
    def _differentiate(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        """``(state part, argument part, magnitudes of the outputs, carried)`` of one call."""

    @abc.abstractmethod
    def _trace(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
        """The function at these arguments, after the checks of what goes in."""

    def _compile(self) -> None:
        run = self._evaluate
        self._call = Compiled(run, self.selection.states) if self.jit else run

    def _evaluate(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        traced = self._trace(args, kwargs)
        state_part, arg_part, outputs, carried = self._differentiate(traced)
        aux, written = traced.unpack(carried)
        result = self._returns(state_part, arg_part, traced.outputs.attach(outputs), aux)
        commit(written)
        return result

    def _returns(self, state_part: Any, arg_part: Any, value: Any, aux: Any) -> Any:
        if not self.selection.has_states:
            derivative = arg_part
        elif self.selection.argnums is None:
            derivative = state_part
        else:
            derivative = (state_part, arg_part)
        if not (self.return_value or self.has_aux):
            return derivative
        return (
            derivative,
            *((value,) if self.return_value else ()),
            *((aux,) if self.has_aux else ()),
        )

    def _make_traced(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], check_output: CheckOutput
    ) -> Traced:
        inputs = Inputs(self.selection, args, tuple(kwargs))
        return Traced(
            self.fun,
            inputs,
            kwargs,
            has_aux=self.has_aux,
            check_states=self.check_states,
            check_output=check_output,
        )
