"""Where random directions come from: a key, or a state that holds one.

Owns: what counts as a key, and that one in a state is used once. Never touches: derivatives.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unitjac import _typed
from unitjac._errors import array_text, as_int, dtype_of, is_arraylike
from unitjac._states.adopted import as_state
from unitjac._states.state import State


def as_key(key: Any) -> Any:
    """A key of JAX, or a state that holds one.

    Raises
    ------
    TypeError
        If it is neither.
    """
    state = as_state(key)
    if state is not None:
        _checked(state.value, f"the value of {state!r}")
        return state
    if key is None:
        raise TypeError(
            "fwd_grad draws random directions and wants a key. Write key=0 or key=jax.random.key(0)"
            " for the same ones in each call, or key=State(jax.random.key(0)) for new ones."
        )
    return _checked(key, "key")


def drawn(key: Any) -> Any:
    """A key to use now; where a state holds it, the state gets the next one."""
    if not isinstance(key, State):
        return key
    key.value, now = jax.random.split(key.value)
    return now


def _checked(key: Any, label: str) -> Any:
    dtype = dtype_of(key) if is_arraylike(key) else None
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) and np.shape(key) == ():
        return key
    if dtype == np.uint32 and np.ndim(key) == 1 and np.size(key) > 1:  # the bits of a key
        return key
    seed = as_int(key[0] if _typed.is_a(key, np.ndarray | jax.Array) and key.shape == (1,) else key)
    if seed is None or label != "key":
        raise TypeError(
            f"{label} must be a key of jax.random, an int or a State that holds a key, got "
            f"{array_text(key)}. Write jax.random.key(0)."
        )
    return jax.random.key(seed)
