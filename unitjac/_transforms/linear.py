"""Products with a Jacobian: ``jvp``, ``vjp``, ``linearize``, ``linear_transpose``.

Owns: the public functions. Never touches: the units of tangents and cotangents, seeds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax

from unitjac import _typed
from unitjac._engine import direction
from unitjac._engine.dtypes import check_output, has_tangent
from unitjac._errors import abstract, array_text, as_int
from unitjac._states.remembered import Memory
from unitjac._states.state import StateTrace, commit, raise_leak

from .advice import advise
from .arguments import Selection, check_function, name_of, select
from .debug_nan import all_finite, check
from .debug_products import (
    check_outputs,
    checked_pull,
    checked_push,
    checked_transpose,
    push_search,
)
from .inputs import Inputs
from .tangents import PullBack, PushForward, pushed, seeds
from .traced import Traced


def vjp(
    fun: Callable[..., Any],
    *primals: Any,
    grad_states: Any = None,
    argnums: Any = 0,
    has_aux: bool = False,
    check_states: bool = True,
    kwargs: Mapping[str, Any] | None = None,
    debug_nan: bool = False,
) -> tuple[Any, ...]:
    """The value of ``fun``, and the function that pulls cotangents back.

    Parameters
    ----------
    fun : callable
        From arrays and quantities to arrays and quantities, in any trees.
    *primals
        The positional arguments of ``fun``.
    grad_states : State or sequence or dict of State, optional
        States to pull back to.
    argnums : int or sequence of int or None, default 0
        Positional arguments to pull back to. With ``grad_states``, None stands for the states
        alone, as the default does where there are no positional arguments.
    has_aux : bool, default False
        ``fun`` returns ``(output, aux)``.
    check_states : bool, default True
        A state in ``grad_states`` that ``fun`` never uses is an error.
    kwargs : mapping, optional
        Keyword arguments of ``fun``, of any name.
    debug_nan : bool, default False
        As in :func:`jacrev`, for the value and for each product.

    Returns
    -------
    value : pytree
        What ``fun`` gave.
    pull : callable
        From a cotangent, a tree like the output, to a tree like what is differentiated with
        respect to (``(states, arguments)`` where both are). A cotangent may have any unit; with
        W = cotangent unit * output unit the result is in W / input unit.
    aux : pytree
        Only with ``has_aux=True``.

    Raises
    ------
    TypeError, ValueError
        As in :func:`jacrev`. ``pull`` raises where the cotangent's tree or shapes are not those of
        the output, or where its leaves disagree about W.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> value, pull = uj.vjp(lambda x: x**2, 3.0 * u.mV)
    >>> pull(1.0)  # d(x**2)/dx
    Quantity(6., "mV")
    >>> pull(1.0 * u.mV**2)
    Quantity(6., "mV^3")
    """
    chosen = _chosen(grad_states, argnums, primals)
    trace = functools.partial(_trace, "vjp", fun, primals, kwargs, chosen, has_aux, check_states)
    traced, title = trace(), f"vjp of {name_of(fun)}"
    outputs, pull, aux = _run(
        "vjp",
        traced,
        functools.partial(direction.vjp, traced, traced.inputs.leaves),
        (lambda outputs, _: check_outputs(outputs, title, trace)) if debug_nan else None,
    )
    pulling = jax.tree_util.Partial(PullBack(traced, outputs), pull)
    if debug_nan:
        pulling = checked_pull(pulling, title, trace)
    return traced.outputs.attach(outputs), pulling, *((aux,) if has_aux else ())


def linearize(
    fun: Callable[..., Any],
    *primals: Any,
    grad_states: Any = None,
    argnums: Any = 0,
    has_aux: bool = False,
    check_states: bool = True,
    kwargs: Mapping[str, Any] | None = None,
    debug_nan: bool = False,
) -> tuple[Any, ...]:
    """The value of ``fun``, and the function that pushes tangents forward.

    Parameters
    ----------
    fun, *primals, grad_states, argnums, has_aux, check_states, kwargs, debug_nan
        As in :func:`vjp`.

    Returns
    -------
    value : pytree
        What ``fun`` gave.
    push : callable
        From a tangent, a tree like what is differentiated with respect to (``(states,
        arguments)`` where both are), to a tree like the output and in its units. A tangent has
        its input's dimension. ``fun`` is not called again.
    aux : pytree
        Only with ``has_aux=True``.

    Raises
    ------
    TypeError, ValueError
        As in :func:`jacrev`. ``push`` raises where the tangent's tree, shapes or dimensions are not
        those of the input.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> value, push = uj.linearize(lambda x: x**2, 3.0 * u.mV)
    >>> push(1000.0 * u.uvolt)  # 6 mV * 1 mV
    Quantity(6., "mV^2")
    """
    chosen = _chosen(grad_states, argnums, primals)
    trace = functools.partial(
        _trace, "linearize", fun, primals, kwargs, chosen, has_aux, check_states
    )
    traced, title = trace(), f"linearize of {name_of(fun)}"
    outputs, push, aux = _run(
        "linearize",
        traced,
        functools.partial(direction.linearize, traced, traced.inputs.leaves),
        (lambda outputs, _: check_outputs(outputs, title, trace)) if debug_nan else None,
    )
    pushing = jax.tree_util.Partial(PushForward(traced), push)
    if debug_nan:
        pushing = checked_push(pushing, title, trace)
    return traced.outputs.attach(outputs), pushing, *((aux,) if has_aux else ())


def jvp(
    fun: Callable[..., Any],
    primals: Any,
    tangents: Any,
    *,
    grad_states: Any = None,
    state_tangents: Any = None,
    has_aux: bool = False,
    check_states: bool = True,
    kwargs: Mapping[str, Any] | None = None,
    debug_nan: bool = False,
) -> tuple[Any, ...]:
    """The value of ``fun``, and its derivative along a tangent.

    Parameters
    ----------
    fun : callable
        As in :func:`vjp`.
    primals, tangents : tuple or list
        The positional arguments of ``fun`` and, for each, a tangent of its tree, shapes and
        dimensions; None for an argument that is held fixed (and may be anything).
    grad_states : State or sequence or dict of State, optional
        States that are moved too.
    state_tangents : pytree, optional
        For each of them a tangent, in the structure of ``grad_states``.
    has_aux, check_states, kwargs, debug_nan
        As in :func:`vjp`.

    Returns
    -------
    value : pytree
        What ``fun`` gave.
    tangent : pytree
        A tree like the output, in its units.
    aux : pytree
        Only with ``has_aux=True``.

    Raises
    ------
    TypeError, ValueError
        As in :func:`jacrev`, and where a tangent's tree, shapes or dimensions are not those of its
        primal.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> uj.jvp(lambda x: x**2, (3.0 * u.mV,), (1.0 * u.mV,))
    (Quantity(9., "mV^2"), Quantity(6., "mV^2"))
    """
    moved = _moved(primals, tangents)
    if (grad_states is None) != (state_tangents is None):
        raise TypeError(
            "grad_states and state_tangents go together: name the states in the one, and give a "
            "tangent for each, in the same structure, in the other."
        )
    if grad_states is None and not moved:
        raise ValueError(
            "there is nothing to differentiate: all tangents are None. Give one for a primal, or "
            "grad_states with state_tangents."
        )
    chosen = select(grad_states, moved or None)
    trace = functools.partial(
        _trace, "jvp", fun, tuple(primals), kwargs, chosen, has_aux, check_states
    )
    traced, title = trace(), f"jvp of {name_of(fun)}"
    tangent = chosen.pair(state_tangents, tuple(tangents[n] for n in moved))
    given = ([*traced.inputs.leaves],), ([*seeds(traced.inputs.abstract(), tangent)],)

    def look(outputs: list[Any], tangents_out: list[Any]) -> None:
        finite = all_finite((outputs, tangents_out))
        check(finite, lambda: push_search(title, trace, tangent), title)

    outputs, tangents_out, aux = _run(
        "jvp", traced, functools.partial(direction.jvp, traced, *given), look if debug_nan else None
    )
    out = traced.outputs
    return out.attach(outputs), pushed(out, tangents_out), *((aux,) if has_aux else ())


def linear_transpose(
    fun: Callable[..., Any],
    *primals: Any,
    argnums: Any = 0,
    kwargs: Mapping[str, Any] | None = None,
    debug_nan: bool = False,
) -> Callable[[Any], Any]:
    """The transpose of a linear function, from cotangents of its output to those of its input.

    Parameters
    ----------
    fun : callable
        Linear in what ``argnums`` names. It is traced, not run.
    *primals
        Arguments of the right shapes, dtypes and units; a :class:`jax.ShapeDtypeStruct`, or a
        quantity around one, does.
    argnums, kwargs, debug_nan
        As in :func:`vjp`.

    Returns
    -------
    callable
        As ``pull`` of :func:`vjp`.

    Raises
    ------
    TypeError, ValueError
        As in :func:`vjp`, and where ``fun`` writes a state, or no input is real or complex.

    Examples
    --------
    >>> import brainunit as u, unitjac as uj
    >>> transpose = uj.linear_transpose(lambda I: I * (2.0 * u.Mohm), 1.0 * u.nA)
    >>> transpose(1.0)  # mV per nA
    Quantity(2., "Mohm")
    """
    chosen = _chosen(None, argnums, primals)
    trace = functools.partial(_trace, "linear_transpose", fun, primals, kwargs, chosen, False, True)
    traced = trace()
    if traced.inputs.magnitudes and not traced.inputs.active:
        raise TypeError(
            f"{traced.inputs.labels[0]} is {array_text(traced.inputs.magnitudes[0])}, and "
            "linear_transpose wants real or complex inputs. Convert it to float."
        )
    leaves = list(map(abstract, traced.inputs.leaves))
    with StateTrace():
        outputs, _ = jax.eval_shape(traced, leaves)
    if traced.writes:
        raise ValueError(
            "linear_transpose wants a function that writes no state, and "
            f"{', '.join(map(repr, traced.writes))} was written. Return the value instead."
        )

    numbers = [i for i, out in enumerate(outputs) if has_tangent(out)]

    def outputs_of(inner: list[Any]) -> list[Any]:
        found = traced(inner)[0]
        return [found[i] for i in numbers]

    pull = _typed.linear_transpose(outputs_of, leaves)
    transpose = jax.tree_util.Partial(PullBack(traced, outputs, numbers), pull)
    if debug_nan:
        return checked_transpose(transpose, f"linear_transpose of {name_of(fun)}", trace)
    return transpose


def _chosen(grad_states: Any, argnums: Any, primals: tuple[Any, ...]) -> Selection:
    """The states and positions; no position where the default meets no positional argument."""
    if grad_states is not None and not primals and as_int(argnums) == 0:
        argnums = None
    if grad_states is None and argnums is None:
        raise ValueError(
            "there is nothing to differentiate: argnums is None, and no grad_states are given. "
            "Leave argnums out for the first argument, or name states in grad_states."
        )
    return select(grad_states, argnums)


def _trace(
    name: str,
    fun: Callable[..., Any],
    primals: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    selection: Selection,
    has_aux: bool,
    check_states: bool,
) -> Traced:
    check_function(fun, name, "(fun, (x,), (dx,))" if name == "jvp" else "(fun, x)")
    offers = {"argnums", "has_aux"} - _LACKS.get(name, set())
    inputs = Inputs.of(selection, primals, kwargs or {}, offers)
    inputs.check_dtypes(mode="rev", holomorphic=False, allow_int=True)
    return Traced(
        fun,
        inputs,
        kwargs or {},
        has_aux=bool(has_aux),
        check_states=bool(check_states),
        # products are defined for complex outputs too, and whole numbers are float0 in them
        check_output=functools.partial(check_output, mode="fwd", holomorphic=False, allow_int=True),
        memory=Memory.of(fun),
        offers=offers,
        none_passes=True,
    )


# of what messages may advise, what a product has not
_LACKS = {"jvp": {"argnums"}, "linear_transpose": {"has_aux"}}


def _run(
    name: str,
    traced: Traced,
    linear: Callable[..., Any],
    look: Callable[[list[Any], Any], None] | None = None,
) -> tuple[list[Any], Any, Any]:
    """``(outputs, what is linear, aux)``; the states that ``fun`` wrote are handed over.

    ``look`` sees the outputs and what is linear before that.
    """
    try:
        outputs, product, carried = linear(has_aux=True)
    except jax.errors.UnexpectedTracerError as error:
        raise_leak(error, traced.writes)
    except (TypeError, ValueError) as error:
        advise(error, name)
        raise
    if look is not None:
        look(outputs, product)
    aux, written = traced.unpack(carried)
    commit(written)
    return outputs, product, aux


def _moved(primals: Any, tangents: Any) -> tuple[int, ...]:
    """The positions of the arguments that have a tangent."""
    for name, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, tuple | list):
            raise TypeError(
                f"{name} must be a tuple or list with one entry for each positional argument, got "
                f"a {type(value).__name__}. Write jvp(fun, (x, y), (dx, dy))."
            )
    if len(primals) != len(tangents):
        raise TypeError(
            f"there are {len(primals)} primals and {len(tangents)} tangents. Give one tangent for "
            "each primal, None where it is held fixed."
        )
    return tuple(n for n, tangent in enumerate(tangents) if tangent is not None)
