"""Benchmarks: ratios measured in one process, printed as tables. Run with ``make bench``."""
