"""Each ``raise`` in the library is read by a test: a piece of its text stands in a ``match=``."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
# what the program says is read where it prints it, in tests/test_cli.py
SOURCES = sorted(p for p in ROOT.glob("unitjac/**/*.py") if "_cli" not in p.parts)
GAP = "\0"
LENGTH = 10  # of a piece, in characters
WITHOUT_TEXT = {
    "_NewStates": "internal: caught by the loop that traces anew",
    "error": "what JAX itself said, where no state was written",
    "": "a bare raise hands on what came, with a note",
}


@cache
def quoted_texts() -> tuple[str, ...]:
    """What the tests match, without the escapes of regular expressions.

    Where a ``match=`` is no literal but comes from a table, all texts of its file count.
    """
    texts = []
    for path in ROOT.glob("tests/**/*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        matches = [
            n.value for n in ast.walk(tree) if isinstance(n, ast.keyword) and n.arg == "match"
        ]
        if all(map(is_literal, matches)):
            texts += map(literal, matches)
        else:
            texts += map(literal, ast.walk(tree))
    return tuple(re.sub(r"\\(.)", r"\1", text) for text in texts)


def is_literal(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant | ast.JoinedStr)


def literal(node: ast.AST) -> str:
    """The constant text of an expression, with a gap for what is put in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(literal, parts))
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
                text = "".join(map(literal, args))
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                if kind not in WITHOUT_TEXT:
                    found.append(pytest.param(text, id=where))
    return found


RAISES = raises()


@pytest.mark.parametrize("text", RAISES)
def test_each_raise_is_read_by_a_test(text):
    others = [row.values[0] for row in RAISES if row.values[0] != text]
    pieces = (text[k : k + LENGTH] for k in range(len(text) - LENGTH + 1))
    # a piece of this message, and of no other; where there is none, all of it
    own = [re.escape(p) for p in pieces if GAP not in p and not any(p in t for t in others)]
    pattern = "|".join(own) or ".*".join(map(re.escape, text.rstrip(".").split(GAP)))
    assert any(re.search(pattern, quoted) for quoted in quoted_texts()), (
        f"no match= in tests/ reads {text!r}"
    )


def test_the_library_has_errors_to_read():
    assert len(RAISES) > 30
    assert len(quoted_texts()) > 30
