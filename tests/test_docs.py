"""What the pages show is what the code does.

Every page is run from top to bottom, in one namespace:

- A ``python`` block is executed. `# -> text` after a statement, or on the lines under it, is
  compared with what the statement printed, with the `repr` of its value where it printed nothing,
  or with the error that it raised.
- A ``text`` block after it is compared with everything else that the block printed. A block that
  prints something has to show it. Warnings count as printed, as `Category: message`.
- A ``console`` block holds command lines of the program, `$ unitjac ...`, and what each prints.

`...` in an expected text stands for any text.
"""

import ast
import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
ARROW = re.compile(r"#\s+->\s(.*)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the page and line where the text begins."""

    language: str
    text: str
    page: str
    line: int


def blocks_of(page: str, text: str) -> list[Block]:
    return [
        Block(found[1], found[2], page, text.count("\n", 0, found.start(2)) + 1)
        for found in FENCE.finditer(text)
    ]


def run_page(page: str, text: str) -> None:
    blocks = blocks_of(page, text)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block, following in pairwise([*blocks, None]):
        assert block is not None
        if block.language == "python":
            shown = following.text if following and following.language == "text" else ""
            compare(shown, run_python(block, namespace), f"{block.page}:{block.line}")
        elif block.language == "console":
            run_console(block)


def run_python(block: Block, namespace: dict[str, object]) -> str:
    """Execute a block, compare each `# ->`, and give back what was printed without one."""
    printed = ""
    for statement, expected in statements_of(block):
        output, value = run_statement(statement, block.page, namespace, raises=expected is not None)
        if expected is None:
            printed += output
        else:
            where = f"{block.page}:{statement.lineno}"
            compare(expected, output or f"{value!r}\n", where, doctest.NORMALIZE_WHITESPACE)
    return printed


def statements_of(block: Block) -> Iterator[tuple[ast.stmt, str | None]]:
    """Each statement of a block with the text that its `# ->` comments expect."""
    lines = block.text.splitlines()
    for statement in ast.parse(block.text, block.page).body:
        expected = expected_after(lines, statement.end_lineno or statement.lineno)
        yield ast.increment_lineno(statement, block.line - 1), expected


def expected_after(lines: list[str], end: int) -> str | None:
    """The text of a `# ->` at the end of line `end`, or of the comment on the lines under it."""
    if found := ARROW.search(lines[end - 1]):
        return found[1] + "\n"
    comment = []
    for line in lines[end:]:
        found = ARROW.match(line) if not comment else re.match(r"#(\s+.*)", line)
        if not found:
            break
        comment.append(found[1])
    return "\n".join(comment) + "\n" if comment else None


def run_statement(
    statement: ast.stmt, page: str, namespace: dict[str, object], raises: bool
) -> tuple[str, object]:
    """What a statement prints (warnings too, and the error if one may be raised), and its value."""
    output, value = io.StringIO(), None
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(output):
        warnings.simplefilter("always")
        try:
            value = evaluate(statement, page, namespace)
        except Exception as error:
            if not raises:
                raise
            print(f"{type(error).__name__}: {error}")
        for warning in filter(reaches_the_reader, caught):
            print(f"{warning.category.__name__}: {warning.message}")
    return output.getvalue(), value


def reaches_the_reader(warning: warnings.WarningMessage) -> bool:
    """Python hides the deprecations of other people's code from the user of a program."""
    return not issubclass(warning.category, DeprecationWarning)


def evaluate(statement: ast.stmt, page: str, namespace: dict[str, object]) -> object:
    if isinstance(statement, ast.Expr):
        return eval(compile(ast.Expression(statement.value), page, "eval"), namespace)
    return exec(compile(ast.Module([statement], []), page, "exec"), namespace)


def run_console(block: Block) -> None:
    for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
        program, *arguments = shlex.split(command)
        assert program == "unitjac", f"{block.page}:{block.line}: cannot run {command!r}"
        done = subprocess.run(
            [sys.executable, "-m", "unitjac", *arguments],
            capture_output=True,
            encoding="utf-8",
            cwd=ROOT,
            env=os.environ | {"PYTHONIOENCODING": "utf-8", "COLUMNS": "100"},
        )
        compare(shown, done.stdout + done.stderr, f"{block.page}:{block.line}: {command}")


def compare(expected: str, got: str, where: str, flags: int = 0) -> None:
    flags |= doctest.ELLIPSIS
    expected, got = strip_lines(expected), strip_lines(got)
    checker = doctest.OutputChecker()
    if not checker.check_output(expected, got, flags):
        difference = checker.output_difference(doctest.Example("", expected), got, flags)
        pytest.fail(f"{where}\n{difference}", pytrace=False)


def strip_lines(text: str) -> str:
    """Without the blanks at the ends of lines, and without empty lines at the ends of the text."""
    lines = "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
    return lines + "\n" if lines else ""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_page(path: Path) -> None:
    page, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    fences = len(re.findall(r"```(?:python|console)", text))
    runnable = [block for block in blocks_of(page, text) if block.language in ("python", "console")]
    assert len(runnable) == fences, f"{page}: a block is indented or not closed, so it does not run"
    run_page(page, text)


@pytest.mark.parametrize(
    "path", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_links_lead_somewhere(path: Path) -> None:
    links = LINK.findall(path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("text", "difference"),
    [
        ("```python\n1 + 1  # -> 3\n```\n", r"page:2\nExpected:\n    3\nGot:\n    2"),
        ("```python\nx = 1\nx\n# -> 2\n```\n", r"page:3\nExpected:\n    2\nGot:\n    1"),
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", r"page:2\nExpected:\n    2\nGot:\n    1"),
        ("```python\nprint(1)\n```\n", r"page:2\nExpected nothing\nGot:\n    1"),
        ("```python\n1 / 0  # -> ValueError\n```\n", r"ZeroDivisionError: division by zero"),
        (
            '```python\nimport warnings\nwarnings.warn("old")\n```\n',
            r"Expected nothing\nGot:\n    UserWarning: old",
        ),
        (
            "```console\n$ unitjac --version\n0\n```\n",
            r"page:2: unitjac --version\nExpected:\n    0",
        ),
    ],
    ids=["value", "under", "text", "unshown", "error", "warning", "console"],
)
def test_a_page_that_is_wrong_fails(text: str, difference: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=difference):
        run_page("page", text)


RIGHT = """
```python
x = [1, 2]
x  # -> [1, 2]
print(x)
# -> [1,
#     2]
int("a")  # -> ValueError: invalid literal ...
print("seen")
```

prints

```text
seen
```
"""


def test_a_page_that_is_right_passes() -> None:
    run_page("page", RIGHT)


def test_an_error_that_no_page_shows_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        run_page("page", "```python\n1 / 0\n```\n")
