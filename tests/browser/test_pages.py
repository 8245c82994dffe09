"""Each display in a real browser: in light and dark, wide and narrow, nothing is wrong to the eye.

With UNITJAC_PICTURES=FOLDER each of them is saved there, for people to look at.
"""

import os
import re
from collections import defaultdict
from itertools import product
from pathlib import Path

import pytest

from .chromium import Browser
from .look import View, opened
from .pages import ALL

VIEWS = list(product((1280, 400), ("light", "dark")))
FOLDER = os.environ.get("UNITJAC_PICTURES")


@pytest.mark.parametrize("name", ALL)
def test_page(browser: Browser, name: str) -> None:
    with opened(browser, ALL[name]()) as view:
        save(view, name)
        found = [*faults(view, "as it opens")]
        view.press_all()
        found += faults(view, "with all pressed")
    if found:
        pytest.fail(told(found), pytrace=False)


def faults(view: View, when: str) -> list[tuple[str, str]]:
    """Each fault, and where it was seen."""
    return [
        (fault, f"{width} {scheme}, {when}")
        for width, scheme in VIEWS
        for fault in view.look(width, scheme).faults
    ]


def told(found: list[tuple[str, str]]) -> str:
    """Each fault once, with all the places where it was seen."""
    places = defaultdict(list)
    for fault, place in found:
        places[fault].append(place)
    return "\n".join(f"{fault}\n    ({'; '.join(where)})" for fault, where in places.items())


def save(view: View, name: str) -> None:
    if FOLDER:
        for width, scheme in VIEWS:
            file = re.sub(r"\W+", "-", f"{name} {width} {scheme}") + ".png"
            view.save(Path(FOLDER, file), width, scheme)


def test_a_fault_is_told_once() -> None:
    found = [("faint: a", "400 light"), ("faint: a", "400 dark"), ("faint: b", "400 dark")]
    assert told(found) == "faint: a\n    (400 light; 400 dark)\nfaint: b\n    (400 dark)"
