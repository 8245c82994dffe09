"""Each ``raise`` in the library is read by a test: a piece of its text stands in a ``match=``."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("unitjac/*.py"), *ROOT.glob("unitjac/_engine/*.py")])
GAP = "\0"
LENGTH = 12  # of a piece, in characters
WITHOUT_TEXT = {
    "_NewStates": "internal: caught by the loop that traces anew",
    "error": "what JAX itself said, where no state was written",
    "": "a bare raise hands on what came, with a note",
}


@cache
def quoted_texts() -> tuple[str, ...]:
    """The text of each ``match=`` in the tests, without the escapes of regular expressions."""
    texts = []
    for path in ROOT.glob("tests/*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                names.setdefault(node.targets[0].id, []).append(node.value)
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "match":
                texts.append(literal(node.value, names))
            # a table of functions to refuse: the last entry of each row is what is matched
            if isinstance(node, ast.Tuple) and node.elts and path.name == "test_errors.py":
                texts.append(literal(node.elts[-1], names))
    return tuple(re.sub(r"\\(.)", r"\1", text) for text in texts)


def literal(node: ast.AST, names: dict[str, list[ast.AST]]) -> str:
    """The constant text in an expression, a gap for what is put in; names are followed."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(literal(part, names) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return literal(left, names) + literal(right, names)
        case ast.Name(id=name) if name in names:
            others = {k: v for k, v in names.items() if k != name}
            return GAP.join(literal(value, others) for value in names[name])
        case ast.IfExp(body=one, orelse=other):
            return literal(one, names) + GAP + literal(other, names)
        case _:
            return GAP


def raises() -> list[Any]:
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise):
                call = node.exc
                kind = ast.unparse(getattr(call, "func", call)) if call else ""
                args = call.args if isinstance(call, ast.Call) else []
                text = "".join(literal(arg, {}) for arg in args)
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                if kind not in WITHOUT_TEXT:
                    found.append(pytest.param(text, id=where))
    return found


RAISES = raises()


@pytest.mark.parametrize("text", RAISES)
def test_each_raise_is_read_by_a_test(text):
    others = [row.values[0] for row in RAISES if row.values[0] != text]
    pieces = (text[k : k + LENGTH] for k in range(len(text) - LENGTH + 1))
    # a piece of this message, and of no other
    own = [p for p in pieces if GAP not in p and not any(p in other for other in others)]
    assert any(piece in quoted for piece in own for quoted in quoted_texts()), (
        f"no match= in tests/ reads {text!r}"
    )


def test_the_library_has_errors_to_read():
    assert len(RAISES) > 30
    assert len(quoted_texts()) > 30
