"""One browser for each process of the tests, started by the first test that looks at a page."""

import os
from collections.abc import Iterator

import pytest

from .chromium import NAMES, Browser, installed


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = installed()
    if path is None:
        missing = (
            f"no Chromium: none of {', '.join(NAMES)} is on the path, nor is UNITJAC_CHROMIUM set"
        )
        if os.environ.get("UNITJAC_BROWSER") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    running = Browser(path)
    yield running
    running.close()
