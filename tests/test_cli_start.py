"""How the program starts and ends: what it imports, what it keeps, what it says at its end."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from unitjac._cli import cache, main
from unitjac.models import BUILT_IN

FULL = Path("/dev/full")


def run_program(*args: str, code: str = "", stdout: int | None = None, **env: str):
    command = ["-c", code] if code else ["-m", "unitjac", *args]
    return subprocess.run(
        [sys.executable, *command],
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, **env},
    )


@pytest.mark.parametrize("typed", [["--help"], ["--version"], ["sensitivity", "--help"]])
def test_help_and_version_do_without_jax(typed: list[str]) -> None:
    code = (
        "import sys; from unitjac._cli import main; "
        f"main({typed}, standalone_mode=False); "
        "print([m for m in ('jax', 'brainunit', 'rich', 'numpy') if m in sys.modules])"
    )
    done = run_program(code=code)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_the_door_is_imported_without_jax_and_gives_what_it_lists() -> None:
    code = (
        "import sys, unitjac; early = 'jax' in sys.modules; from unitjac import *; "
        "print(early, jacrev is unitjac.jacrev, isinstance(State(1.0), unitjac.State))"
    )
    assert run_program(code=code).stdout.split() == ["False", "True", "True"]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("typed", [["--help"], ["sensitivity", "--help"], ["models", "--help"]])
def test_help_is_whole_sentences_within_its_width(typed: list[str], width: int) -> None:
    shown = CliRunner().invoke(main, typed, terminal_width=width, prog_name="unitjac").stdout
    assert "..." not in shown.replace("COMMAND [ARGS]...", "")
    assert max(map(len, shown.splitlines())) <= width
    if typed == ["--help"]:
        assert "depends on each of its parameters." in " ".join(shown.split())


def test_models_as_json() -> None:
    listed = json.loads(CliRunner().invoke(main, ["models", "--json"]).stdout)
    assert [model["name"] for model in listed] == list(BUILT_IN)
    assert listed[0]["summary"] == BUILT_IN["hodgkin-huxley"].summary
    assert listed[0]["point"] == BUILT_IN["hodgkin-huxley"].point


def test_programs_are_kept_and_a_broken_one_is_no_failure(tmp_path: Path) -> None:
    typed = "sensitivity", "passive-cable", "--json"
    first = run_program(*typed, UNITJAC_CACHE=str(tmp_path))
    kept = [file for file in (tmp_path / cache.processor()).iterdir() if file.name[0] != "."]
    assert (first.returncode, first.stderr) == (0, "")
    assert kept
    for file in kept:
        file.write_bytes(b"broken")
    again = run_program(*typed, UNITJAC_CACHE=str(tmp_path))
    assert (again.returncode, again.stderr, again.stdout) == (0, "", first.stdout)


@pytest.mark.parametrize("named", ["", "0"])
def test_the_variable_turns_the_cache_off(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, named)
    assert cache._folder() is None


def test_the_folder_is_the_users_and_of_this_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    folder = cache._folder()
    assert folder is not None
    assert folder.parts[-3:-1] == ("unitjac", "programs")
    assert re.fullmatch("[0-9a-f]{12}", folder.name)


def test_a_folder_that_cannot_be_made_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not cache._is_ready(tmp_path / "file" / "folder")


def test_a_folder_too_large_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old").write_bytes(bytes(100))
    assert cache._is_ready(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["old"]
    monkeypatch.setattr(cache, "_MOST_BYTES", 99)
    assert cache._is_ready(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not FULL.exists(), reason="a device that is always full")
def test_a_full_disk_is_said_in_a_line() -> None:
    with FULL.open("w") as full:
        done = run_program("--help", stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write the output: No space left on device.\n"


def test_a_reader_that_has_seen_enough_is_told_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run_program("--help", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_interruption_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("unitjac._cli.job.sensitivity_table", interrupted)
    result = CliRunner().invoke(main, ["sensitivity", "hodgkin-huxley", "--no-cache"])
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Interrupted.\n")
