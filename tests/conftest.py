"""Strict JAX, four fake CPU devices, and a compilation cache for the tests and commands of a worker."""

import gc
import os
import tempfile
from pathlib import Path

import pytest

from zoo import xla

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
).strip()
worker = os.environ.get("PYTEST_XDIST_WORKER", "")  # JAX does not write entries atomically
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", os.path.join(tempfile.gettempdir(), f"zoo-tests-xla{worker}")
)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
xla.prepare()


@pytest.fixture(scope="module", autouse=True)
def _forget():
    """Programs of a file are let go at its end: of all files they take gigabytes."""
    yield
    import jax

    jax.clear_caches()
    gc.collect()


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    """A file of 900 words, of six different ones."""
    import numpy as np  # after XLA has its flags

    file = tmp_path_factory.mktemp("text") / "text.txt"
    words = np.random.default_rng(0).choice(["the ", "cat ", "sat ", "on ", "a ", "mat.\n"], 900)
    file.write_text("".join(words), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def paths(tmp_path_factory):
    """config -> a small file or folder that it trains on."""
    from bad_input import data

    return data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def at_the_root(monkeypatch):
    """Commands name configs and files from there."""
    monkeypatch.chdir(Path(__file__).parent.parent)
