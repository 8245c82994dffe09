"""Where the program keeps what JAX has compiled, so that its next run need not compile it again.

Owns: the folder, how large it gets, and what JAX is told of it. Never touches: what is compiled.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import warnings
from pathlib import Path

__all__ = ["VARIABLE", "keep_programs", "processor"]

VARIABLE = "UNITJAC_CACHE"
"""The environment variable that names another folder; empty or 0 does without."""

# A table of a small model is some hundred kilobytes.
_MOST_BYTES = 200_000_000


def processor() -> str:
    """A short name for what this processor can do: a program for another one need not run here."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        features = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        features = platform.processor() + platform.machine()
    return hashlib.sha256(features.encode()).hexdigest()[:12]


def keep_programs() -> None:
    """Tell JAX where to keep programs, unless it already knows or there is no such place.

    To be called before JAX is imported, which then reads what is to be logged.

    That a program cannot be read or written is no failure: JAX compiles it then.
    """
    # JAX 0.10.0 logs as errors which features of the processor it does not know by name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import jax

    folder = _folder()
    if (
        folder is None
        or getattr(jax.config, "jax_compilation_cache_dir", None)
        or not _is_ready(folder)
    ):
        return
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _folder() -> Path | None:
    named = os.environ.get(VARIABLE)
    if named in ("", "0"):
        return None
    if named is not None:
        return Path(named).expanduser() / processor()
    import platformdirs

    return platformdirs.user_cache_path("unitjac", appauthor=False) / "programs" / processor()


def _is_ready(folder: Path) -> bool:
    """Make the folder; begin anew where years of runs have piled up.

    JAX can bound it too (``jax_compilation_cache_max_size``), but needs a package for it that it
    does not bring.
    """
    with contextlib.suppress(OSError):
        if folder.is_dir() and sum(f.stat().st_size for f in folder.iterdir()) > _MOST_BYTES:
            shutil.rmtree(folder, ignore_errors=True)
    try:
        # JAX runs what it finds there: it is for this user alone
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
