"""What every transform of a function shares: states, arguments, returns, compilation, plan.

Owns: :class:`GradientTransform`, the way of one call, the twelve shapes of what comes back.
Never touches: how a derivative is computed.
"""

from __future__ import annotations

import abc
import copy
import functools
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax

from unitjac._engine.dtypes import Mode, check_output, has_tangent
from unitjac._errors import UnitsDroppedWarning, dtype_of, warn_user
from unitjac._states.remembered import Memory
from unitjac._states.state import State, StateTrace, commit, raise_leak
from unitjac._units.quantity import (
    Unit,
    attach_block,
    is_dimensionless,
    is_one,
    is_quantity,
    magnitude_of,
    unit_of,
    unit_ratio,
)
from unitjac._units.unit_text import quotient_text, unit_text

from .advice import advise
from .arguments import Selection, check_function, name_of, select
from .compiled import Compiled
from .debug_nan import Checked, Flagged, all_finite, search_of
from .inputs import Inputs
from .nan_search import Part, Search
from .plan import Leaf, Plan, leaf_of
from .traced import Traced
from .uncut import Uncut, in_blocks

Columns = dict[int, Any]
"""What a derivative has for each column that has tangents."""


class GradientTransform(abc.ABC):
    """A function that computes derivatives of another one, units and states included.

    What :func:`unitjac.jacrev` and its family give back. A transform is called as the function
    itself is; it binds as a method does, can be copied, pickled where the function can, and
    called from several threads.

    Attributes
    ----------
    fun : callable
        The function that is differentiated.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> jac = uj.jacrev(lambda x: x**2, unit_aware=True)
    >>> isinstance(jac, uj.GradientTransform)
    True
    >>> jac(3.0 * u.mV)
    Quantity(6., "mV")
    """

    transform_name: str
    usage = "(fun)(x)"  # how it is called, for messages
    offers: tuple[str, ...] = ()  # which of holomorphic and allow_int the public function has
    lacks: tuple[str, ...] = ()  # which of argnums and has_aux it has not

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
        holomorphic: bool = False,
        allow_int: bool = False,
        debug_nan: bool = False,
    ):
        check_function(fun, self.transform_name, self.usage)
        functools.update_wrapper(self, fun, updated=())
        self.fun = fun
        self.selection: Selection = select(grad_states, argnums)
        self.has_aux: bool = bool(has_aux)
        self.return_value: bool = bool(return_value)
        self.unit_aware: bool = bool(unit_aware)
        self.check_states: bool = bool(check_states)
        self.jit: bool = bool(jit)
        self.holomorphic: bool = bool(holomorphic)
        self.allow_int: bool = bool(allow_int)
        self.debug_nan: bool = bool(debug_nan)
        self._compile()

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """The derivative at these arguments, with value and aux where they were asked for."""
        return self._call(args, kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<unitjac.{self._title}>"

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_call"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._compile()

    def __deepcopy__(self, memo: dict[int, Any]) -> GradientTransform:
        # The states that fun uses: those of its copy where fun is an object that holds them,
        # the same ones where fun is a function, which Python does not copy.
        clone = copy.copy(self)
        memo[id(self)] = clone
        clone.fun = copy.deepcopy(self.fun, memo)
        clone.selection = self.selection.with_states(
            tuple(state.copied(memo) for state in self.selection.states)
        )
        clone._compile()
        return clone

    def describe(self, /, *args: Any, **kwargs: Any) -> Plan:
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

    def plan(self, /, *args: Any, **kwargs: Any) -> Plan:
        """The plan of a call with these arguments, without printing it."""
        traced = self._trace(args, kwargs)
        inputs = traced.inputs
        with StateTrace():  # what is written in here is dropped
            outputs, _ = jax.eval_shape(traced, inputs.leaves)
            work = self._work(traced, outputs)
        return Plan(
            title=self._title,
            **work,
            inputs=_leaves(inputs.order, inputs.labels, inputs.magnitudes, inputs.units),
            outputs=_leaves(
                traced.outputs.order, traced.output_labels, outputs, traced.outputs.units
            ),
            reads=tuple(map(self.selection.text_of, traced.reads)),
            writes=tuple(map(self.selection.text_of, traced.writes)),
            blocks=tuple(self._blocks(traced, outputs)),
        )

    @abc.abstractmethod
    def _work(self, traced: Traced, outputs: list[Any]) -> dict[str, Any]:
        """What the plan says of the work: mode, reason, passes, chunk, memory, notes."""

    @abc.abstractmethod
    def _blocks(self, traced: Traced, outputs: list[Any]) -> Iterable[Any]:
        """The table of blocks of the plan."""

    def _in_blocks(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        """What ``_differentiate`` gives, as trees of blocks."""
        return in_blocks(self._differentiate(traced))

    @abc.abstractmethod
    def _places(self, traced: Traced) -> Iterable[str]:
        """What messages call the blocks that ``_differentiate`` gives, in their order."""

    @abc.abstractmethod
    def _differentiate(self, traced: Traced) -> tuple[Any, Any, list[Any], Any]:
        """``(state part, argument part, magnitudes of the outputs, carried)`` of one call."""

    @abc.abstractmethod
    def _rules(self, inputs: Inputs) -> tuple[Mode, Mode]:
        """The modes by whose rules the dtypes of inputs and of outputs are checked."""

    @property
    def _title(self) -> str:
        return f"{self.transform_name} of {name_of(self.fun)}"

    def _compile(self) -> None:
        run = self._evaluate
        call = Compiled(run, self._known_states()) if self.jit else run
        self._call = Checked(call, self._search, self._title) if self.debug_nan else call

    def _known_states(self) -> tuple[State, ...]:
        """The states that a call uses before it runs ``fun``."""
        return self.selection.states

    def _trace(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
        """The function at these arguments, after the checks of what goes in."""
        offers = {"argnums", "has_aux", *self.offers} - {*self.lacks}
        inputs = Inputs.of(self.selection, args, kwargs, offers)
        mode_in, mode_out = self._rules(inputs)
        inputs.check_dtypes(
            mode=mode_in,
            holomorphic=self.holomorphic,
            allow_int=self.allow_int,
            offers=offers,
        )
        return Traced(
            self.fun,
            inputs,
            kwargs,
            has_aux=self.has_aux,
            check_states=self.check_states,
            check_output=functools.partial(
                check_output, mode=mode_out, holomorphic=self.holomorphic
            ),
            memory=Memory.of(self.fun),
            offers=offers,
        )

    def _evaluate(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        traced = self._trace(args, kwargs)
        try:
            state_part, arg_part, outputs, carried = self._differentiate(traced)
        except jax.errors.UnexpectedTracerError as error:
            raise_leak(error, traced.writes)
        except (TypeError, ValueError) as error:
            advise(error, self.transform_name)
            raise
        aux, written = traced.unpack(carried)
        result = self._returns(state_part, arg_part, traced.outputs.attach(outputs), aux)
        commit(written)
        if self.debug_nan:
            return Flagged(result, all_finite((state_part, arg_part, outputs)))
        return result

    def _search(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Search:
        """The search for a number that is not finite, in a call with these arguments."""
        plain = copy.copy(self)  # not compiled, and with all units
        plain.jit, plain.unit_aware = False, True
        return search_of(
            self._title, lambda: plain._trace(args, kwargs), lambda traced, _: plain._parts(traced)
        )

    def _parts(self, traced: Traced) -> list[Part]:
        """What is computed, each array with what messages call it."""
        state_part, arg_part, _, _ = self._in_blocks(traced)
        leaves = jax.tree.leaves((state_part, arg_part), is_leaf=is_quantity)
        return [
            Part(f"the derivative of {place}", magnitude_of(leaf), unit_of(leaf))
            for place, leaf in zip(self._places(traced), leaves, strict=True)
            if dtype_of(magnitude_of(leaf)) != jax.dtypes.float0
        ]

    def _returns(self, state_part: Any, arg_part: Any, value: Any, aux: Any) -> Any:
        if isinstance(arg_part, Uncut):  # both parts in one
            return self._with_extras(arg_part if self.jit else arg_part.cut(), value, aux)
        return self._with_extras(self.selection.pair(state_part, arg_part), value, aux)

    def _with_extras(self, derivative: Any, value: Any, aux: Any) -> Any:
        if not (self.return_value or self.has_aux):
            return derivative
        return (
            derivative,
            *((value,) if self.return_value else ()),
            *((aux,) if self.has_aux else ()),
        )

    def _attach(self, block: Any, unit: Unit) -> Any:
        """A block as it is handed back."""
        return attach_block(block, unit) if self.unit_aware else block

    def _unit_text(self, leaf: Any, over: Unit | None, under: Unit | None) -> str:
        """The unit of a block in the plan: what is handed back, or what is dropped."""
        if not has_tangent(leaf):
            return "float0"
        unit = unit_ratio(over, under)
        if not self.unit_aware and is_dimensionless(unit):
            return unit_text(unit)  # the scale stays in it
        return quotient_text(over, under)

    def _warn_of_dropped_units(self, units: Iterable[Unit]) -> None:
        if self.unit_aware:
            return
        lost = dict.fromkeys(unit_text(unit) for unit in units if not is_one(unit))
        if lost:
            warn_user(
                f"{self._title} has blocks in {', '.join(lost)}, "
                "which come back as plain magnitudes in the units of the function's own inputs "
                "and outputs. Pass unit_aware=True to keep the units.",
                UnitsDroppedWarning,
            )


def _leaves(
    order: Iterable[int], labels: Sequence[str], magnitudes: Sequence[Any], units: Sequence[Any]
) -> tuple[Leaf, ...]:
    return tuple(leaf_of(labels[k], magnitudes[k], units[k]) for k in order)
