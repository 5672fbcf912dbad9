"""Strict JAX, four fake CPU devices, and one compilation cache for all tests and commands."""

import gc
import os
import tempfile
from pathlib import Path

import pytest

from zoo import xla

os.environ["JAX_PLATFORMS"] = "cpu"
# NumPy's products are tiny, and its threads wait busily.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
gc.set_threshold(100_000)  # tracing makes many objects, few of them garbage
# Most of the time would go into making programs fast. Those of tests that are marked "optimised" are, in
# the process that test_optimised.py starts; all are with XLA_FLAGS=--xla_backend_optimization_level=3.
QUICK = "--xla_backend_optimization_level=0"
if not xla.unknown([EMITTERS := "--xla_cpu_use_fusion_emitters"]):  # gone in 0.12
    QUICK += f" {EMITTERS}=false"
given = os.environ.get("XLA_FLAGS", "")
given = given if "optimization_level" in given else f"{given} {QUICK}"
os.environ["XLA_FLAGS"] = f"{given} --xla_force_host_platform_device_count=4".strip()
# Of all workers. One may read what another is writing: then JAX warns, and compiles it again.
CACHE = os.path.join(tempfile.gettempdir(), "zoo-tests-xla")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", CACHE)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
xla.prepare()


def pytest_collection_modifyitems(config, items):
    marked = [item for item in items if item.get_closest_marker("optimised")]
    if QUICK not in os.environ["XLA_FLAGS"] or not marked:
        return
    if any(item.path.name == "test_optimised.py" for item in items):
        config.hook.pytest_deselected(items=marked)
        items[:] = [item for item in items if item not in marked]
        return
    alone = pytest.mark.skip(reason="needs XLA_FLAGS=--xla_backend_optimization_level=3")
    for item in marked:
        item.add_marker(alone)


@pytest.fixture(scope="module", autouse=True)
def _forget():
    """Programs of a file are let go at its end: of all files they take gigabytes."""
    yield
    import jax

    jax.clear_caches()
    gc.collect()


@pytest.fixture(scope="module", autouse=True)
def _each_plot_once():
    """A plot takes half a second: each file draws those of a name once, and gets that picture again."""
    from zoo.tasks import figures

    keep, drawn = figures.keep, {}

    def known(figure, run, name, dpi=110):
        if name not in drawn or not (run / "plots").is_dir():
            keep(figure, run, name, dpi)
            drawn[name] = (run / "plots" / name).read_bytes()
            return
        from matplotlib import pyplot

        pyplot.close(figure)
        (run / "plots" / name).write_bytes(drawn[name])

    figures.keep = known
    yield
    figures.keep = keep


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
