"""What is used of JAX, under the types that it leaves open.

Owns: these types. Never touches: what the functions do.

For pyright, an annotation of a variable hides nothing unknown that is put in it; a cast does, and
so does an annotation that is read in another module.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax.extend import core

Linear = Callable[[list[Any]], list[Any]]
"""A linear map from a list of arrays to a list of arrays."""

Pull = Callable[[list[Any]], tuple[list[Any]]]
"""The transpose of one, as JAX gives it: in a tuple."""

flatten = cast("Callable[..., tuple[list[Any], Any]]", jax.tree.flatten)
flatten_with_path = cast(
    "Callable[..., tuple[list[tuple[tuple[Any, ...], Any]], Any]]",
    jax.tree_util.tree_flatten_with_path,
)
structure = cast("Callable[..., Any]", jax.tree.structure)
contents = cast("Callable[[Any], dict[str, Any]]", vars)
class_of = cast("Callable[[Any], Any]", type)
items = cast("Callable[[Any], ItemsView[Any, Any]]", dict.items)
entries = cast("Callable[[Any], Iterator[Any]]", iter)

# with has_aux=True: the outputs, the map, and what was carried along
linearize = cast("Callable[..., tuple[list[Any], Linear, Any]]", jax.linearize)
vjp = cast("Callable[..., tuple[list[Any], Pull, Any]]", jax.vjp)
linear_transpose = cast("Callable[[Linear, list[Any]], Pull]", jax.linear_transpose)

get_opaque_trace_state = cast("Callable[..., Any]", core.get_opaque_trace_state)
lax_map = cast("Callable[..., list[Any]]", jax.lax.map)
cond = cast("Callable[..., Any]", jax.lax.cond)
custom_linear_solve = cast("Callable[..., Any]", jax.lax.custom_linear_solve)
while_loop = cast("Callable[..., Any]", jax.lax.while_loop)
fori_loop = cast("Callable[..., Any]", jax.lax.fori_loop)
finfo = cast("Callable[[Any], Any]", jnp.finfo)
diagonal = cast("Callable[[Any], jax.Array]", jnp.diagonal)
cholesky: Callable[[Any], jax.Array] = jnp.linalg.cholesky
det: Callable[[Any], jax.Array] = jnp.linalg.det
norm: Callable[..., jax.Array] = jnp.linalg.norm


class_of = cast("Callable[[Any], Any]", type)


def is_a(value: Any, kind: Any) -> bool:
    """``isinstance``, after which pyright takes no Any for a container of unknown contents."""
    return isinstance(value, kind)


def is_exactly(value: Any, *kinds: Any) -> bool:
    """Whether ``value`` is of one of these classes itself, and of none derived from it."""
    return type(value) in kinds
