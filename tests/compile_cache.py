"""Where the tests keep compiled programs, so that one run finds what another one has compiled.

Most of a test's time is the compiling of small programs. They are kept in the user's cache folder,
and apart for each kind of processor: a program for one need not run on the other.
`UNITJAC_TEST_CACHE=` (empty) does without.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from unitjac._cli.cache import VARIABLE, processor

MOST_BYTES = 2_000_000_000


def default_folder() -> str:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return str(Path(home) / "unitjac" / "tests" / processor())


def settings() -> dict[str, Any]:
    """What JAX is told. It is not in the environment: a program that a test starts has no cache.

    JAX 0.10.0 writes of the processor to stderr where it loads a program, and tests read that.
    """
    os.environ.setdefault(VARIABLE, "0")
    folder = os.environ.get("UNITJAC_TEST_CACHE", default_folder())
    if not folder or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return {}
    if "PYTEST_XDIST_WORKER" not in os.environ:
        forget_too_many(Path(folder))
    return {
        "jax_compilation_cache_dir": folder,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }


def forget_too_many(folder: Path) -> None:
    """Begin anew where years of runs have piled up."""
    if folder.is_dir() and sum(file.stat().st_size for file in folder.iterdir()) > MOST_BYTES:
        shutil.rmtree(folder, ignore_errors=True)
