"""A function with its arithmetic taken for sums: the same pattern, a fraction of the operations.

Owns: the list of elementwise operations, and the way through a program that gathers them.
Never touches: the pattern itself, units, values.

Detection keeps a set of inputs for each number of each intermediate. A chain of a hundred
elementwise operations on the same few arrays depends, number by number, on what their sum depends
on, so that the sum is what is handed on. Operations that move numbers about are left as they are,
and so is whatever may cancel a dependence: a product with a constant that may have zeros, a
selection by a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax.numpy as jnp
from jax.extend.core import Literal

_ELEMENTWISE = frozenset(
    (
        *("abs", "add", "add_any", "copy", "div", "max", "min", "mul", "neg", "sub"),
        *("cbrt", "integer_pow", "pow", "rsqrt", "sqrt", "square"),
        *("exp", "exp2", "expm1", "log", "log1p", "logistic"),
        *("acos", "asin", "atan", "atan2", "cos", "sin", "tan"),
        *("acosh", "asinh", "atanh", "cosh", "sinh", "tanh"),
        *("digamma", "erf", "erf_inv", "erfc", "lgamma"),
        *("reduce_precision", "select_n"),
    )
)
# Of these, a constant operand may cancel what the others depend on.
_CANCELLING = frozenset({"div", "mul", "pow"})
# Calls of an inner program that is what the operation computes, and where it stands.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


class _Value:
    """An intermediate.

    Attributes
    ----------
    array : array
        Itself, or the sum that has its dependence.
    depends : bool
        Whether it depends on what is differentiated.
    is_constant : bool
        Whether it depends on no input at all.
    """

    def __init__(self, array: Any, depends: bool, is_constant: bool = False):
        self.array = array
        self.depends = depends
        self.is_constant = is_constant

    @property
    def terms(self) -> list[Any]:
        """The arrays that it depends on number by number."""
        return [self.array]


class _Sum(_Value):
    """An intermediate that depends on several arrays number by number, added where it is needed."""

    def __init__(self, terms: list[Any], dtype: Any):
        self._terms = terms
        self._dtype = dtype
        self.depends = True
        self.is_constant = False

    @property
    def terms(self) -> list[Any]:
        return self._terms

    @cached_property
    def array(self) -> Any:
        total = self._terms[0].astype(self._dtype)
        for term in self._terms[1:]:
            total = total + term.astype(self._dtype)
        return total


def as_sums(program: Any, count: int) -> Callable[..., list[Any]]:
    """A function of the same arrays with the same pattern, of which the values mean nothing.

    Parameters
    ----------
    program : ClosedJaxpr
        As :func:`jax.make_jaxpr` gives it.
    count : int
        How many of its inputs, the first ones, are differentiated.

    Returns
    -------
    callable
    """

    def sums(*arrays: Any) -> list[Any]:
        given = [_Value(array, k < count) for k, array in enumerate(arrays)]
        return [value.array for value in _followed(program, given)]

    return sums


def _followed(program: Any, given: Sequence[_Value]) -> list[_Value]:
    """The outputs of a program, equation by equation."""
    jaxpr = program.jaxpr
    consts = [_Value(const, False, is_constant=True) for const in program.consts]
    known: dict[Any, _Value] = dict(
        zip([*jaxpr.invars, *jaxpr.constvars], [*given, *consts], strict=True)
    )

    def read(atom: Any) -> _Value:
        return _Value(atom.val, False, is_constant=True) if _is_literal(atom) else known[atom]

    for eqn in jaxpr.eqns:
        results = _results(eqn, [read(atom) for atom in eqn.invars])
        known |= dict(zip(eqn.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _results(eqn: Any, values: list[_Value]) -> list[_Value]:
    if eqn.primitive.name in _CALLS:
        return _followed(eqn.params[_CALLS[eqn.primitive.name]], values)
    if _is_sum(eqn, values):
        terms = {id(t): t for v in _summed(eqn, values) if v.depends for t in v.terms}
        return [_Sum(list(terms.values()), eqn.outvars[0].aval.dtype)]
    found = eqn.primitive.bind(*[value.array for value in values], **eqn.params)
    depends = any(value.depends for value in values)
    is_constant = all(value.is_constant for value in values)
    arrays = found if eqn.primitive.multiple_results else [found]
    return [_Value(array, depends, is_constant) for array in arrays]


def _summed(eqn: Any, operands: list[Any]) -> list[Any]:
    """The operands that have a derivative: not the one that a selection is made by."""
    return operands[1:] if eqn.primitive.name == "select_n" else operands


def _is_sum(eqn: Any, values: list[_Value]) -> bool:
    """Whether the result depends, number by number, on all that its operands depend on."""
    name, out = eqn.primitive.name, eqn.outvars[0].aval
    atoms, values_summed = _summed(eqn, eqn.invars), _summed(eqn, values)
    if not _is_float(out) or not any(value.depends for value in values_summed):
        return False
    if name == "convert_element_type":
        return _is_float(atoms[0].aval)
    if name not in _ELEMENTWISE or (name == "select_n" and values[0].is_constant):
        return False
    return all(
        atom.aval.shape == out.shape
        if value.depends
        else not (name in _CANCELLING and value.is_constant) or _is_nonzero_number(atom)
        for value, atom in zip(values_summed, atoms, strict=True)
    )


def _is_nonzero_number(atom: Any) -> bool:
    return _is_literal(atom) and jnp.shape(atom.val) == () and bool(atom.val != 0)


def _is_literal(atom: Any) -> bool:
    return isinstance(atom, Literal)


def _is_float(aval: Any) -> bool:
    return jnp.issubdtype(aval.dtype, jnp.floating)
