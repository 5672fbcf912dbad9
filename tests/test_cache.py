"""The cache of compiled programs: where it is, whose word counts, and that it is never in the way."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from zoo import cache, xla

ROOT = Path(__file__).parent.parent
DIR = "JAX_COMPILATION_CACHE_DIR"


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A user's cache folder, before JAX is imported."""
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    monkeypatch.delenv(DIR)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def used():
    """The folder that JAX is told, or None."""
    cache.use("0.10.2")
    return os.environ.get(DIR)


def test_the_folder_is_that_of_the_version_and_of_the_processor(home, monkeypatch):
    first = used()
    assert first == str(cache.folder_of("0.10.2")) and Path(first).is_relative_to(home)
    assert Path(first).is_dir()
    assert cache.folder_of("0.12.0") != Path(first)
    monkeypatch.setattr(cache, "_processor", lambda: ["another", "kind"])
    assert cache.folder_of("0.10.2") != Path(first)


@pytest.mark.parametrize("own", ["/somewhere/else", ""])
def test_what_the_user_tells_jax_wins(home, monkeypatch, own):
    monkeypatch.setenv(DIR, own)
    assert used() == own
    assert list(home.iterdir()) == []


def test_a_command_started_by_another_uses_its_folder(home):
    first, show = used(), warnings.showwarning
    assert used() == first and warnings.showwarning is not show


def test_a_home_that_cannot_be_written_is_no_error(home, monkeypatch):
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "file"))
    assert used() is None
    monkeypatch.setenv("XDG_CACHE_HOME", "~nobody-of-that-name/cache")
    assert used() is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert used() is None


@pytest.mark.parametrize("accepts", [True, False])
def test_a_doubtful_processor_is_tried_once(home, monkeypatch, accepts):
    tried = []
    monkeypatch.setattr(cache, "_processor", lambda: ["flags: avx2 avx512f"])
    monkeypatch.setattr(cache, "comes_back", lambda folder: tried.append(folder) or accepts)
    assert (used() is not None) == accepts
    monkeypatch.delenv(DIR, raising=False)
    assert (used() is not None) == accepts
    assert len(tried) == 1


def test_a_program_that_cannot_be_read_is_thrown_away(home, monkeypatch):
    shown = []
    monkeypatch.setattr(warnings, "showwarning", lambda *warning: shown.append(warning))
    folder = Path(used())
    for name in ("jit_one-1a-cache", "jit_one_more-1a-cache"):
        (folder / name).write_bytes(b"cut o")
    message = "Error reading persistent compilation cache entry for 'jit_one': error: Error -5"
    warnings.showwarning(UserWarning(message), UserWarning, "compiler.py", 1)
    assert [file.name for file in folder.glob("jit*")] == ["jit_one_more-1a-cache"]
    assert shown == []
    warnings.showwarning(UserWarning("another"), UserWarning, "compiler.py", 1)
    assert len(shown) == 1


def test_a_second_start_of_a_config_compiles_nothing(tmp_path):
    """As processes, on the machine at hand: 38445 would show here. (Bits: tests/test_training.py, whose
    runs that go on after a kill take their programs from a cache.)"""
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "XLA_FLAGS": ""}
    del environment[DIR]
    command = [sys.executable, "train.py", "--config=configs/airline.py:regression", "--mode=check"]
    programs = []
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")  # no warning of any kind
        report = json.loads(done.stdout)
        assert report["canary"] == "right"
        assert report["xla_flags"] == " ".join(flag.text for flag in xla.needed())
        programs.append(sorted(file.name for file in tmp_path.rglob("*-cache")))
    assert programs[0] == programs[1] and len(programs[0]) > 9
