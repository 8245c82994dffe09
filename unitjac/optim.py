"""Training in units, with the optimizers of optax.

>>> import brainunit as u, optax
>>> from unitjac.optim import scale_by_units
>>> optimizer = scale_by_units(optax.adam(0.01), typical={"E": 10.0 * u.mV})

Optimizers (optax is needed: ``pip install 'unitjac[optax]'``):

    scale_by_units  an optimizer for parameters with units
"""

# Owns: the way from gradients with units to the plain numbers of an optimizer, and back. Never
# touches: derivatives, what the optimizer does with the numbers.

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from ._errors import needing, path_text, refuse_foreign_in
from ._units.quantity import (
    Stripped,
    attach,
    is_dimensionless,
    rescale,
    same_dimension,
    strip,
    unit_product,
    unit_ratio,
)
from ._units.unit_text import unit_text

__all__ = ["scale_by_units"]


def scale_by_units(optimizer: Any, typical: Any, loss: Any = 1.0) -> Any:
    """An optimizer of optax for parameters and gradients with units.

    The optimizer sees plain numbers: each parameter over its typical size, and the gradient of the
    loss over its typical size by these. So one learning rate means the same for all parameters,
    and no step depends on the units that anything is written in.

    Parameters
    ----------
    optimizer : optax.GradientTransformation
        Such as ``optax.adam(0.01)``: with it, a step is about a hundredth of the typical size.
    typical : pytree
        Like the parameters, in any units of their dimensions: how large a change of each one
        matters. A leaf is a number or quantity for a whole array, or an array for its entries.
    loss : number or quantity, default 1.0
        The typical size of the loss; with its unit, where the loss has one.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        ``init(params)`` and ``update(gradients, state, params)``, where gradients are those of
        :func:`unitjac.grad` with ``unit_aware=True``. Updates are in the units of the parameters,
        so that ``optax.apply_updates`` adds them.

    Raises
    ------
    ImportError
        If optax is not installed.
    ValueError
        If a tree, a shape or a dimension is another one, or ``update`` is called without the
        parameters.

    Examples
    --------
    >>> import brainunit as u, optax, unitjac as uj
    >>> from unitjac.optim import scale_by_units
    >>> def loss(p):
    ...     return (p["E"] + 65.0 * u.mV) ** 2
    >>> params = {"E": -0.06 * u.volt}
    >>> optimizer = scale_by_units(optax.sgd(0.1), {"E": 1.0 * u.mV}, loss=1.0 * u.mV**2)
    >>> state = optimizer.init(params)
    >>> gradients = uj.grad(loss, unit_aware=True)(params)
    >>> updates, state = optimizer.update(gradients, state, params)
    >>> round(float(updates["E"].to_decimal(u.mV)), 3)  # a tenth of the slope, 10 mV^2 per mV
    -1.0
    """
    with needing("scale_by_units", "optax", "optax"):
        import optax
    inner = optax.with_extra_args_support(optimizer)
    refuse_foreign_in(typical, "typical")
    refuse_foreign_in(loss, "loss")
    sizes, of_loss = strip(typical), strip(loss)
    if len(of_loss.units) != 1 or np.shape(of_loss.magnitudes[0]) != ():
        raise ValueError(
            f"loss must be one number or quantity, its typical size, got {loss!r}. Write "
            "loss=1.0 * u.mV**2."
        )

    def init(params: Any) -> Any:
        return inner.init(plain(params))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        if params is None:
            raise ValueError(
                "the units of the parameters are needed: call update(gradients, state, params)."
            )
        numbers, state = inner.update(slopes(updates), state, plain(params), **extra)
        return in_units(numbers, strip(params)), state

    def plain(params: Any) -> Any:
        """Each parameter over its typical size."""
        given = _like(sizes, params, "params")
        found = []
        for k, (size, unit) in enumerate(zip(sizes.magnitudes, sizes.units, strict=True)):
            own = given.units[k]
            if not same_dimension(own, unit):
                raise ValueError(
                    f"{_label('params', given, k)} is in {unit_text(own)}, but its typical size in "
                    f"{unit_text(unit)}. Give both in units of one dimension."
                )
            found.append(rescale(jnp.asarray(given.magnitudes[k]), unit_ratio(own, unit)) / size)
        return sizes.treedef.unflatten(found)

    def slopes(gradients: Any) -> Any:
        """The gradient of the loss over its typical size, by each parameter over its own."""
        given = _like(sizes, gradients, "gradients")
        found = []
        for k, (size, unit) in enumerate(zip(sizes.magnitudes, sizes.units, strict=True)):
            of_change = unit_product(given.units[k], unit)
            ratio = unit_ratio(of_change, of_loss.units[0])
            if not is_dimensionless(ratio):
                raise ValueError(
                    f"{_label('gradients', given, k)} is in {unit_text(given.units[k])}, which "
                    f"times the typical size of its parameter is in {unit_text(of_change)}, but "
                    f"the loss in {unit_text(of_loss.units[0])}. Pass loss=..., the typical size "
                    "of the loss in its unit."
                )
            found.append(
                rescale(jnp.asarray(given.magnitudes[k]), ratio) * size / of_loss.magnitudes[0]
            )
        return sizes.treedef.unflatten(found)

    def in_units(numbers: Any, params: Stripped) -> Any:
        """Each step times the typical size, in the parameter's own unit and dtype."""
        leaves = sizes.treedef.flatten_up_to(numbers)
        found = [
            attach(rescale(number * size, unit_ratio(unit, own)).astype(jnp.result_type(old)), own)
            for number, size, unit, own, old in zip(
                leaves, sizes.magnitudes, sizes.units, params.units, params.magnitudes, strict=True
            )
        ]
        return params.treedef.unflatten(found)

    return optax.GradientTransformationExtraArgs(init, update)


def _like(sizes: Stripped, tree: Any, what: str) -> Stripped:
    refuse_foreign_in(tree, what)
    given = strip(tree)
    if given.treedef != sizes.treedef:
        raise ValueError(
            f"{what} must have the tree of the typical sizes, {sizes.treedef}, got "
            f"{given.treedef}. Give a typical size for each parameter."
        )
    return given


def _label(what: str, given: Stripped, k: int) -> str:
    return path_text(what, given.paths[k])
