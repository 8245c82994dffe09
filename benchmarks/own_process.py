"""What is measured in a process of its own: peak memory, first calls, numbers of devices.

Peak memory is what a process takes above what the imports and the inputs take.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import jax

from .race import timed

Figures = dict[str, float]
FAILED: Figures = dict.fromkeys(("seconds", "peak", "first", "second"), float("nan"))


def in_own_process(module: str, what: str, name: str, devices: int = 1) -> Figures:
    """The figures that a module prints for one of its measurements; nan where it failed."""
    env = dict(os.environ)
    env["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    command = [sys.executable, "-m", module, what, name]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else FAILED


def dispatch(measurements: Mapping[str, Callable[[str], Figures]]) -> None:
    """Run the measurement that the command line names, and print its figures."""
    what, name = sys.argv[1:]
    print(json.dumps(measurements[what](name)))


@contextmanager
def peak_above() -> Iterator[Callable[[], float]]:
    """How many bytes the process takes at most above what it takes now."""
    if not os.path.exists("/proc/self/clear_refs"):
        yield lambda: float("nan")
        return
    # not getrusage: what it gives begins with the peak of the process that started this one
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    before = _high_water()
    yield lambda: _high_water() - before


def _high_water() -> float:
    with open("/proc/self/status") as lines:
        return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def best(function: Callable[[], object], repeats: int = 5) -> float:
    """The shortest of some calls in seconds, after a first one."""
    jax.block_until_ready(function())
    return min(timed(function) for _ in range(repeats))
