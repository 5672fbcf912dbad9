"""The numbers of test_right_numbers.py again, of programs that are optimised as a user's are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import QUICK

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(QUICK not in os.environ["XLA_FLAGS"], reason="all tests are optimised")
def test_optimised_programs_compute_right_numbers():
    command = [sys.executable, "-m", "pytest", "-n", "0", "tests/test_right_numbers.py"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"XLA_FLAGS": "--xla_backend_optimization_level=3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
