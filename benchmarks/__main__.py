"""``python -m benchmarks [NAME ...]``: print the tables, all of them or those named."""

import sys

from . import calls
from .report import console, machine

SUITES = {"calls": calls.run}

if __name__ == "__main__":
    console.print(machine())
    for name in sys.argv[1:] or SUITES:
        SUITES[name]()
