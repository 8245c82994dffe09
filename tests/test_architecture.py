"""The house of docs/architecture.md, held against the imports that the package really makes.

A module stands on the floor that FLOORS gives to the first part of its name below `unitjac`: a
folder is a floor, and `_engine.seeds` stands where `_engine` does.
Imports inside functions count as much as those at the top of a file.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

When = Literal["on import", "on call", "never, for types"]
PACKAGE = Path(__file__).parent.parent / "unitjac"

FLOORS = {
    "_display": 0,
    "_errors": 0,
    "_foreign": 0,
    "_key_order": 0,
    "_typed": 0,
    "_unit_markup": 0,
    "_units": 1,
    "_states": 1,
    "_engine": 2,
    "_transforms": 3,
    "linalg": 4,
    "sparse": 4,
    "interop": 5,
    "models": 5,
    "ode": 5,
    "optim": 5,
    "plot": 5,
    "sensitivity": 5,
    "testing": 5,
    "__main__": 6,
    "_cli": 6,
    "": 6,  # the door, unitjac/__init__.py; the program beside it is its first user
}
DOOR = "unitjac"

# what each of these areas alone imports, so that `import unitjac` stays light
AT_HOME = {
    "click": "_cli",
    "platformdirs": "_cli",
    "rich": "_display",
    "jinja2": "_display",
    "markupsafe": "_display",
}
# what a floor is built on: one module imports it at its top, which nobody asks for before a call
BUILT_ON = {"diffrax": "unitjac.ode._open", "equinox": "unitjac.ode._open"}
OPTIONAL = {
    "astropy",
    "brainstate",
    "diffrax",
    "equinox",
    "flax",
    "lineax",
    "matplotlib",
    "optax",
    "optimistix",
    "pandas",
    "pint",
    "tqdm",
    "unxt",
}


@dataclass(frozen=True)
class Import:
    """One import: the module it stands in, the name it asks for, where, and when it happens."""

    module: str
    target: str
    line: int
    when: When

    @property
    def package(self) -> str:
        return self.target.split(".")[0]

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def sources() -> dict[str, str]:
    """The text of every module of the package, by its dotted name."""
    return {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def imports_of(sources: dict[str, str]) -> list[Import]:
    packages = {name.rpartition(".")[0] for name in sources} | {DOOR}
    return [
        Import(module, resolve(target, sources), line, when)
        for module, text in sources.items()
        for target, line, when in raw_imports(ast.parse(text), module, module in packages)
    ]


def raw_imports(
    tree: ast.AST, module: str, is_package: bool, when: When = "on import"
) -> Iterator[tuple[str, int, When]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, module, is_package)
            yield from ((f"{base}.{alias.name}", node.lineno, when) for alias in node.names)
        else:
            yield from raw_imports(node, module, is_package, when_within(node, when))


def when_within(node: ast.AST, when: When) -> When:
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        return "never, for types"
    return "on call" if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else when


def absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """The dotted name that a `from` points to, relative ones resolved."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, node.module] if node.module else base)


def resolve(target: str, modules: dict[str, str]) -> str:
    """The module of ours that `target` is, or is a name in; another package's name as it is."""
    name = target
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or target


def area_of(module: str) -> str:
    """The entry of FLOORS that a module belongs to."""
    part = module.removeprefix(DOOR).removeprefix(".").split(".")[0]
    if part in FLOORS:
        return part
    raise AssertionError(f"{module} stands on no floor: add it to FLOORS and docs/architecture.md")


def floor_of(module: str) -> int:
    return FLOORS[area_of(module)]


def ours(found: Import) -> bool:
    return found.package == DOOR


def optional(found: Import) -> bool:
    return found.package in OPTIONAL


def upward(imports: list[Import]) -> list[Import]:
    return [
        found
        for found in imports
        if ours(found) and floor_of(found.target) > floor_of(found.module)
    ]


def circles(imports: list[Import]) -> list[str]:
    """Each circle of imports, once, as `a -> b -> a`."""
    below: dict[str, list[str]] = {}
    for found in imports:
        if ours(found) and found.target != found.module and found.when != "never, for types":
            below.setdefault(found.module, []).append(found.target)
    seen: set[str] = set()
    rings: list[str] = []

    def visit(module: str, way: list[str]) -> None:
        if module in way:
            rings.append(" -> ".join([*way[way.index(module) :], module]))
        elif module not in seen:
            for target in below.get(module, []):
                visit(target, [*way, module])
            seen.add(module)

    for module in below:
        visit(module, [])
    return rings


def units_where_they_are_not_known(imports: list[Import]) -> list[Import]:
    return [
        found
        for found in imports
        if found.package in {"brainunit", "saiunit"}
        and area_of(found.module) != "_units"
        and (floor_of(found.module) < 4 or found.module == DOOR)
    ]


def engine_that_knows_too_much(imports: list[Import]) -> list[Import]:
    """The engine sees arrays: of the package it knows itself and the ground floor."""
    return [
        found
        for found in imports
        if area_of(found.module) == "_engine"
        and ours(found)
        and area_of(found.target) not in {"_engine", "_errors", "_typed"}
    ]


def drawing_elsewhere(imports: list[Import]) -> list[Import]:
    return [
        found
        for found in imports
        if found.package in AT_HOME and area_of(found.module) != AT_HOME[found.package]
    ]


def optional_at_the_top(imports: list[Import]) -> list[Import]:
    return [
        found
        for found in imports
        if optional(found)
        and found.when == "on import"
        and BUILT_ON.get(found.package) != found.module
    ]


def optional_in_two_places(imports: list[Import]) -> list[str]:
    where: dict[str, set[str]] = {}
    for found in filter(optional, imports):
        if found.when != "never, for types":
            where.setdefault(found.package, set()).add(found.module)
    return [f"{name} in {sorted(m)}" for name, m in where.items() if len(m) > 1]


def private_jax(imports: list[Import]) -> list[Import]:
    return [found for found in imports if found.target.startswith(("jax._src", "jaxlib"))]


IMPORT_RULES = [
    upward,
    circles,
    units_where_they_are_not_known,
    engine_that_knows_too_much,
    drawing_elsewhere,
    optional_at_the_top,
    optional_in_two_places,
    private_jax,
]


@pytest.mark.parametrize("rule", IMPORT_RULES, ids=lambda rule: rule.__name__)
def test_imports(rule) -> None:
    assert [str(found) for found in rule(imports_of(sources()))] == []


def test_every_module_has_a_floor() -> None:
    assert all(floor_of(module) >= 0 for module in sources())


def test_every_floor_is_inhabited() -> None:
    inhabited = {area_of(module) for module in sources()}
    assert set(FLOORS) - inhabited == set(), "delete what is no longer there"


@pytest.mark.parametrize("module", sources())
def test_module_says_what_it_owns(module: str) -> None:
    assert ast.get_docstring(ast.parse(sources()[module])), f"{module} has no docstring"


@pytest.mark.parametrize("module", sources())
def test_no_private_jax_in_the_text(module: str) -> None:
    assert "jax._src" not in sources()[module]


PLANTED = {
    upward: {"unitjac._errors": "from . import _units", "unitjac._units": ""},
    circles: {
        "unitjac._states.state": "def f():\n    from .adopted import g",
        "unitjac._states.adopted": "import unitjac._states.state",
    },
    units_where_they_are_not_known: {"unitjac._states.state": "from brainunit import mV"},
    engine_that_knows_too_much: {
        "unitjac._engine.dense": "from .._states.state import State",
        "unitjac._states.state": "",
    },
    drawing_elsewhere: {"unitjac.sensitivity": "def f():\n    import rich.table"},
    optional_at_the_top: {"unitjac.plot": "import matplotlib.pyplot as plt"},
    optional_in_two_places: {
        "unitjac.plot": "def f():\n    import pandas",
        "unitjac.sensitivity": "def f():\n    from pandas import DataFrame",
    },
    private_jax: {"unitjac._engine": "from jax._src import core"},
}


@pytest.mark.parametrize("rule", IMPORT_RULES, ids=lambda rule: rule.__name__)
def test_a_planted_breach_is_found(rule) -> None:
    assert len(rule(imports_of(PLANTED[rule]))) == 1


def test_an_import_for_types_makes_no_circle_and_needs_no_package() -> None:
    for_types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {}"
    planted = {
        "unitjac.plot": for_types.format("matplotlib.axes"),
        "unitjac.linalg._show": for_types.format("unitjac.linalg._matrix"),
        "unitjac.linalg._matrix": "from . import _show",
    }
    assert optional_at_the_top(imports_of(planted)) == circles(imports_of(planted)) == []


def test_an_unknown_module_is_found() -> None:
    with pytest.raises(AssertionError, match=r"unitjac\._attic stands on no floor"):
        floor_of("unitjac._attic")


def test_relative_imports_are_resolved() -> None:
    planted = {
        "unitjac": "",
        "unitjac.models": "from . import membrane\nfrom .. import _units",
        "unitjac.models.membrane": "from ..plot import draw",
        "unitjac._units": "",
        "unitjac.plot": "",
    }
    assert [found.target for found in imports_of(planted)] == [
        "unitjac.models.membrane",
        "unitjac._units",
        "unitjac.plot",
    ]
