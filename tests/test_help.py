"""``help()`` of a public module greets a user: what it is, an example, an index of its names."""

import doctest
import importlib
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import unitjac

PACKAGES = [name for name in dir(unitjac) if inspect.ismodule(getattr(unitjac, name))]
MODULES = [
    "unitjac",
    *(f"unitjac.{name}" for name in PACKAGES),
    "unitjac.models.cable",
    "unitjac.models.hodgkin_huxley",
]
# A name, then what it does.
INDEX_LINE = re.compile(r"^    (\w+)  +\S", re.MULTILINE)
OPTIONAL = {"astropy", "jinja2", "matplotlib", "optax", "pandas", "pint", "rich", "unxt"}


def public_names(name: str) -> list[str]:
    names = [x for x in importlib.import_module(name).__all__ if not x.startswith("__")]
    return sorted([*names, *PACKAGES] if name == "unitjac" else names)


def doc_of(name: str) -> str:
    return inspect.getdoc(importlib.import_module(name)) or ""


@pytest.mark.parametrize("name", MODULES)
def test_begins_with_what_it_is_and_an_example(name: str) -> None:
    doc = doc_of(name)
    first, empty, example = doc.splitlines()[:3]
    assert first.endswith(".")
    assert len(first) < 100
    assert not first.startswith("Owns")
    assert (empty, example[:4]) == ("", ">>> ")
    assert len(doctest.DocTestParser().get_examples(doc)) >= 2


@pytest.mark.parametrize("name", MODULES)
def test_index_names_each_public_name_once(name: str) -> None:
    assert sorted(INDEX_LINE.findall(doc_of(name))) == public_names(name)


@pytest.mark.parametrize("name", MODULES)
def test_is_read_in_80_columns(name: str) -> None:
    text = doc_of(name).splitlines()[1:]  # `help` moves it to the right by four
    assert not [line for line in text if len(line) > 76]


@pytest.mark.parametrize("name", MODULES)
def test_what_it_owns_comes_after_the_docstring(name: str) -> None:
    assert "Owns" not in doc_of(name)
    source = Path(str(importlib.import_module(name).__file__)).read_text(encoding="utf-8")
    assert "\n# Owns: " in source


@pytest.mark.parametrize("name", MODULES)
def test_help_has_every_public_name(name: str) -> None:
    text = pydoc.plain(pydoc.render_doc(name))
    missing = [x for x in public_names(name) if not re.search(rf"\b{x}\b", text)]
    assert not missing


def test_help_imports_no_optional_library() -> None:
    # JAX and brainunit import some of these themselves.
    program = (
        "import jax, brainunit, pydoc, sys, unitjac; before = set(sys.modules); "
        "pydoc.render_doc(unitjac); print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = run.stdout.split()
    assert "unitjac.plot" in imported
    assert not {name.partition(".")[0] for name in imported} & OPTIONAL
