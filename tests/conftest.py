"""What all tests share: the CPU as device, kept programs, a printed seed, bounded memory."""

import os
import secrets
from collections.abc import Iterator

# Before JAX is imported: the tests compare digits, and the CPU is what every machine has.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Four of it, for what is spread over devices; programs that run once are compiled in a hurry.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
)

import compile_cache
import hypothesis
import jax
import numpy as np
import pytest

for name, value in compile_cache.settings().items():
    jax.config.update(name, value)

# Flags that projects set: UNITJAC_FLAGS=rank, dtype or both, with a comma between.
FLAGS = {
    "rank": ("jax_numpy_rank_promotion", "raise"),
    "dtype": ("jax_numpy_dtype_promotion", "strict"),
}
for flag in filter(None, os.environ.get("UNITJAC_FLAGS", "").split(",")):
    jax.config.update(*FLAGS[flag])

SEED = int(os.environ.setdefault("UNITJAC_SEED", str(secrets.randbits(32))))

# The first example of a property compiles, so that a deadline for one example says nothing.
hypothesis.settings.register_profile("unitjac", deadline=None, print_blob=True)
hypothesis.settings.load_profile("unitjac")


def pytest_report_header() -> str:
    flags = f", flags: {os.environ['UNITJAC_FLAGS']}" if os.environ.get("UNITJAC_FLAGS") else ""
    return f"seed: {SEED} (UNITJAC_SEED={SEED} repeats this run){flags}"


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers from the seed that the head of the run prints, the same in every test."""
    return np.random.default_rng(SEED)


@pytest.fixture(autouse=True, scope="module")
def compiled_programs_go_with_their_module() -> Iterator[None]:
    """Thousands of tests compile gigabytes of programs that no other module runs."""
    yield
    jax.clear_caches()
