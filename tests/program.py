"""The program as a test calls it: what it prints, and what it says where it refuses."""

import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

from unitjac._cli import main


@pytest.fixture(autouse=True)
def own_import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a module that imports it: what a test puts on the path of imports goes with it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def run(*args: Any) -> Result:
    return CliRunner().invoke(main, ["sensitivity", *map(str, args)])


def printed(*args: Any) -> str:
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*args: Any, code: int = 2) -> str:
    """The message, on one line, of a call that fails without a traceback and prints no table."""
    result = run(*args)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())
