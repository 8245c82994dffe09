"""``python -m benchmarks [NAME ...]``: print the tables, all of them or those named."""

import sys

from . import big, calls, linalg, sparse
from .report import console, machine

SUITES = {"calls": calls.run, "big": big.run, "sparse": sparse.run, "linalg": linalg.run}

if __name__ == "__main__":
    console.print(machine())
    for name in sys.argv[1:] or SUITES:
        SUITES[name]()
