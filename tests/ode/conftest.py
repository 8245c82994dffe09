"""Equations are solved in double precision here, but where a test says otherwise."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def in_double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield
