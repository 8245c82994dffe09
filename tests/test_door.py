"""What is reachable after `import unitjac` alone, and what that costs."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import unitjac

PACKAGES = sorted(
    found.name for found in pkgutil.iter_modules(unitjac.__path__) if not found.name.startswith("_")
)
# Run where nothing else was imported: what is not there yet, what comes when it is asked for.
REACHED = """
import sys, unitjac
heavy = "click", "rich", "jinja2", "unitjac._cli"
packages = {packages}
assert (early := [m for m in heavy if m in sys.modules]) == [], early
assert (early := [p for p in packages if "unitjac." + p in sys.modules]) == [], early
assert {{*packages, *unitjac.__all__}} <= {{*dir(unitjac)}}
assert (early := [p for p in packages if "unitjac." + p in sys.modules]) == [], early
assert unitjac.sparse_jacobian is sys.modules["unitjac.sparse"].sparse_jacobian
for package in packages:
    assert getattr(unitjac, package) is sys.modules["unitjac." + package], package
"""


def test_packages_are_reached_through_the_door_and_not_before() -> None:
    code = REACHED.format(packages=PACKAGES)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_what_is_public(package: str) -> None:
    module = importlib.import_module(f"unitjac.{package}")
    assert getattr(unitjac, package) is module
    assert all(hasattr(module, name) for name in module.__all__)


def test_the_door_lists_what_is_public_and_nothing_else() -> None:
    listed = {name for name in dir(unitjac) if not name.startswith("_")}
    assert listed == {name for name in unitjac.__all__ if name != "__version__"} | {*PACKAGES}
    assert {"__doc__", "__file__", "__version__"} <= {*dir(unitjac)}


def test_a_name_that_is_not_there_is_compared_with_those_that_are() -> None:
    with pytest.raises(AttributeError, match="module 'unitjac' has no attribute") as caught:
        unitjac.sparse_jacobain  # noqa: B018
    assert (caught.value.name, caught.value.obj) == ("sparse_jacobain", unitjac)
