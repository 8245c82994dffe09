"""What to type where a function has no derivative in the mode that was asked for.

Owns: these words. Never touches: the choice of a mode.
"""

from __future__ import annotations

from unitjac._errors import say_more

# what has no tangents (a custom_vjp), and what cannot be pulled back through (a while_loop)
_INSTEAD_OF_FORWARD = {
    "jacfwd": "unitjac.jacrev",
    "jacobian": 'mode="rev"',
    "jacobian_matrix": 'mode="rev"',
    "sparse_jacobian": 'mode="rev"',
    "hessian": 'mode="rev-over-rev"',
    "hessian_matrix": 'mode="rev-over-rev"',
    "sparse_hessian": 'mode="rev-over-rev"',
    "jvp": "unitjac.vjp",
    "linearize": "unitjac.vjp",
}
_INSTEAD_OF_REVERSE = {
    "jacrev": "unitjac.jacfwd",
    "grad": "unitjac.jacfwd",
    "value_and_grad": "unitjac.jacfwd(..., return_value=True)",
    "vector_grad": "unitjac.jacfwd",
    "jacobian": 'mode="fwd"',
    "jacobian_matrix": 'mode="fwd"',
    "sparse_jacobian": 'mode="fwd"',
    "hessian": 'mode="fwd-over-fwd"',
    "hessian_matrix": 'mode="fwd-over-fwd"',
    "sparse_hessian": 'unitjac.hessian(..., mode="fwd-over-fwd")',
    "vjp": "unitjac.jvp",
}


def advise(error: Exception, transform: str) -> None:
    """Say in the message of JAX's error about a mode what to type instead."""
    text = str(error)
    if "Type " in text:  # a transform inside of this one has said it
        return
    if "forward-mode" in text and "custom_vjp" in text:
        instead, mode = _INSTEAD_OF_FORWARD.get(transform), "reverse"
    elif "Reverse-mode" in text and "while_loop" in text:
        instead, mode = _INSTEAD_OF_REVERSE.get(transform), "forward"
    else:
        return
    if instead:
        say_more(error, f"Type {instead}: it has a derivative in {mode} mode only.")
