"""The tests that are marked "optimised": right numbers and equal bits, of programs as a user has them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import QUICK

TESTS = Path(__file__).parent


@pytest.mark.skipif(QUICK not in os.environ["XLA_FLAGS"], reason="all tests are optimised")
def test_optimised_programs_compute_right_numbers():
    marked = [f for f in TESTS.glob("test_*.py") if "mark.optimised" in f.read_text("utf-8")]
    files = [str(file) for file in marked if file.name != Path(__file__).name]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-m", "optimised", *files],
        cwd=TESTS.parent,
        env=os.environ | {"XLA_FLAGS": "--xla_backend_optimization_level=3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
