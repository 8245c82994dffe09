"""Plans in files: a pattern, and what it was made for, as one ``.npz``.

Owns: the format of the file. Never touches: functions, states, values of arguments.
"""

from __future__ import annotations

import json
import os
import zipfile
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from unitjac._engine.pattern import Pattern
from unitjac._errors import abstract
from unitjac._units.quantity import parse_unit

from ._signature import Field, Signature

_FORMAT = 1


class Blueprint(NamedTuple):
    """A plan: the pattern, shapes and dtypes of leaves and images, the signature.

    ``notes`` say how the pattern was found.
    """

    pattern: Pattern
    leaves: list[Any]
    images: list[Any]
    signature: Signature
    notes: tuple[str, ...] = ()


def write(path: str | os.PathLike[str], blueprint: Blueprint, options: dict[str, Any]) -> None:
    """Write a plan, and the options of its transform."""
    pattern, leaves, images, signature, notes = blueprint
    about = {
        "format": _FORMAT,
        "options": options,
        "shape": pattern.shape,
        "notes": notes,
        "leaves": list(map(_described, leaves)),
        "images": list(map(_described, images)),
        "inputs": [_written(field) for field in signature.inputs],
        "outputs": [_written(field) for field in signature.outputs],
    }
    with open(path, "wb") as file:
        np.savez_compressed(
            file, rows=pattern.rows, cols=pattern.cols, about=np.array(json.dumps(about))
        )


def read(path: str | os.PathLike[str]) -> tuple[Blueprint, dict[str, Any]]:
    """The plan in a file, and the options of its transform.

    Raises
    ------
    ValueError
        If the file holds no plan, or one of another format.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            rows, cols, about = file["rows"], file["cols"], json.loads(file["about"].item())
        known = about["format"]
    except (KeyError, TypeError, AttributeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{os.fspath(path)!r} holds no plan. Write one with the method save of what "
            "sparse_jacobian or sparse_hessian gives."
        ) from error
    if known != _FORMAT:
        raise ValueError(
            f"{os.fspath(path)!r} holds a plan of format {known}, and this version reads format "
            f"{_FORMAT}. Make the plan again."
        )
    blueprint = Blueprint(
        Pattern(rows, cols, tuple(about["shape"])),
        list(map(_shaped, about["leaves"])),
        list(map(_shaped, about["images"])),
        Signature(
            tuple(_read(field) for field in about["inputs"]),
            tuple(_read(field) for field in about["outputs"]),
        ),
        tuple(about.get("notes", ())),  # plans of older versions have none
    )
    return blueprint, about["options"]


def _described(leaf: Any) -> list[Any]:
    known = abstract(leaf)
    return [list(known.shape), str(known.dtype)]


def _shaped(described: list[Any]) -> jax.ShapeDtypeStruct:
    shape, dtype = described
    return jax.ShapeDtypeStruct(tuple(shape), jnp.dtype(dtype))


def _written(field: Field) -> list[Any]:
    return [field.label, field.kind, None if field.unit is None else str(field.unit)]


def _read(written: list[Any]) -> Field:
    label, kind, unit = written
    return Field(label, kind, None if unit is None else parse_unit(unit))
