"""The examples in the package's docstrings are true, and every public name has one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import unitjac

# `...` may stand for what differs between machines; white space is for the reader.
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

MODULES = ["unitjac"] + [
    module.name
    for module in pkgutil.walk_packages(unitjac.__path__, "unitjac.")
    if not module.name.endswith("__main__")  # importing it runs the program
]


def has_use(public: object) -> bool:
    """Whether one calls it, so that an example can show how."""
    if inspect.isclass(public):
        return not issubclass(public, Exception)
    return inspect.isroutine(public)


PUBLIC = [name for name in unitjac.__all__ if has_use(getattr(unitjac, name))]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_module(name: str) -> None:
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for example in doctest.DocTestFinder().find(importlib.import_module(name)):
        runner.run(example, out=report.append)
    assert not runner.failures, "".join(report)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_has_an_example(name: str) -> None:
    doc = inspect.getdoc(getattr(unitjac, name)) or ""
    assert ">>>" in doc, f"unitjac.{name} has no example"


def test_a_wrong_example_is_found() -> None:
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(wrong, out=lambda text: None)
    assert runner.failures == 1
