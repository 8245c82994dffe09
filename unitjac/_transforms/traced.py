"""The user's function as the engine sees it: from a list of magnitudes to a list of magnitudes.

Owns: the one place where the user's function is called, and what is found out there: the
outputs' structure and units, aux, the states read and written. Never touches: derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from unitjac import _typed
from unitjac._engine.dtypes import Offers
from unitjac._errors import (
    array_text,
    is_arraylike,
    path_text,
    refuse_foreign_in,
    show_numbers,
)
from unitjac._foreign import refuse_foreign
from unitjac._states.foreign import Adopted
from unitjac._states.remembered import Memory
from unitjac._states.state import (
    State,
    StateTrace,
    fresh,
    raise_leak,
    runs_inside,
)
from unitjac._units.quantity import Stripped, is_quantity, strip

from .arguments import Selection, name_of
from .inputs import Inputs
from .static import Packed, is_jax_array, pack

CheckOutput = Callable[..., None]


class Traced:
    """``fun`` as a pure function of the magnitudes that have tangents.

    A call gives ``(magnitudes of the outputs, carried)``; :meth:`unpack` takes what was carried
    through the derivative apart again. The attributes are known after the call.

    Parameters
    ----------
    fun : callable
        The user's function.
    inputs : Inputs
        What is differentiated.
    kwargs : mapping
        Keyword arguments of the call.
    has_aux : bool
        Whether ``fun`` returns a pair of output and aux.
    check_states : bool
        Whether a differentiated state that ``fun`` does not use is an error.
    check_output : callable
        Called with each output's magnitude and label; raises where it cannot be differentiated.
    memory : Memory
        The programs of ``fun`` that JAX remembers.
    offers : collection of str
        The parameters that messages may advise.
    none_passes : bool
        Whether ``fun`` may return None, as JAX lets it in products.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        inputs: Inputs,
        kwargs: Mapping[str, Any],
        *,
        has_aux: bool,
        check_states: bool,
        check_output: CheckOutput,
        memory: Memory,
        offers: Offers,
        none_passes: bool = False,
    ):
        self.fun = fun
        self.inputs = inputs
        self.kwargs = kwargs
        self.has_aux = has_aux
        self.check_states = check_states
        self.check_output = check_output
        self.memory = memory
        self.offers = offers
        self.none_passes = none_passes
        self.is_inside = runs_inside()
        self.outputs = Stripped([], (), None, [])
        self.reads: list[State] = []
        self.writes: list[State] = []

    def __call__(self, leaves: list[Any]) -> tuple[list[Any], Packed]:
        args, seeds = self.inputs.place(leaves)
        try:
            result, trace = self.memory.run(lambda: self._run(args, seeds))
        except jax.errors.UnexpectedTracerError as error:
            raise_leak(error, self.writes)
        for state in trace.reads:
            if isinstance(state, Adopted):
                refuse_foreign_in(state.held(), lambda state=state: repr(state), trees_pass=True)
        if self.check_states:
            check_used(trace, self.inputs.selection, self.fun)
        output, aux = self._split(result)
        if output is None and not self.none_passes:
            raise TypeError(
                f"{name_of(self.fun)} returns None, so that there is nothing to differentiate: is "
                "its return statement missing? Return a quantity, an array, or a dict of them."
            )
        stripped = strip(output)
        # the structure only: a magnitude kept here would keep a tracer alive
        self.outputs = stripped._replace(magnitudes=[])
        self._check_outputs(stripped.magnitudes)
        self.reads = list(trace.reads)
        carried = aux, list(trace.outcome().items())
        return stripped.magnitudes, pack(
            carried, is_jax_array, label=self._aux_label, as_written=True
        )

    def _aux_label(self, path: tuple[Any, ...]) -> str:
        return f"{path_text('aux', path[1:])} of {name_of(self.fun)}"

    def _run(self, args: list[Any], seeds: dict[State, Any]) -> tuple[Any, StateTrace]:
        trace = StateTrace(seeds, self.is_inside)
        try:
            with trace:
                result = self.fun(
                    *map(_own, args), **{name: _own(value) for name, value in self.kwargs.items()}
                )
        except Exception as error:
            show_numbers(error)
            raise
        finally:
            self.writes = list(trace.writes)
        return result, trace

    def output_label(self, i: int) -> str:
        """What messages call the i-th output."""
        return f"{self.output_labels[i]} of {name_of(self.fun)}"

    @property
    def output_labels(self) -> list[str]:
        """What plans call each output."""
        return [path_text("output", path) for path in self.outputs.paths]

    def unpack(self, carried: Packed) -> tuple[Any, dict[State, Any]]:
        """Aux, and the value of each state that the function wrote."""
        aux, written = carried.unpack()
        return aux, dict(written)

    def _split(self, result: Any) -> tuple[Any, Any]:
        if not self.has_aux:
            return result, None
        if _typed.is_a(result, tuple | list) and len(result) == 2:
            return result[0], result[1]
        many = f" of {len(result)}" if _typed.is_a(result, tuple | list) else ""
        raise TypeError(
            f"with has_aux=True, {name_of(self.fun)} must return a pair (output, aux), got "
            f"{array_text(result)}{many}. Return exactly two things, or leave has_aux out."
        )

    def _check_outputs(self, magnitudes: list[Any]) -> None:
        for i, magnitude in enumerate(magnitudes):
            if not is_arraylike(magnitude):
                refuse_foreign(magnitude, self.output_label(i))
                aux = "Return it as aux with has_aux=True." if "has_aux" in self.offers else ""
                raise TypeError(
                    f"{self.output_label(i)} must be an array, a number or a quantity, got "
                    f"{array_text(magnitude)}. {aux or 'Leave it out.'}"
                )
            self.check_output(magnitude, lambda i=i: self.output_label(i), offers=self.offers)


def _own(argument: Any) -> Any:
    """``argument`` with quantities of its own: ``q += 1`` changes an object, not the caller's."""
    leaves = jax.tree.leaves(argument, is_leaf=is_quantity)
    return fresh(argument) if any(map(is_quantity, leaves)) else argument


def check_used(trace: StateTrace, selection: Selection, fun: Callable[..., Any]) -> None:
    """Raise where ``fun`` used a differentiated state not at all."""
    for state, label in selection.labelled_states:
        if not trace.used(state):
            raise ValueError(
                f"{label} ({state!r}): {name_of(fun)} never reads it, so that its derivative is "
                "zero. Was another State meant? Read it in the function, leave it out of "
                "grad_states, or pass check_states=False for a block of zeros."
            )
