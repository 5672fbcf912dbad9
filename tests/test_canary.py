"""The canary: it sings on the installed version, and falls silent for wrong numbers and crashes."""

import subprocess

import numpy as np
import pytest

from zoo import canary, xla


def test_the_installed_version_computes_right_numbers_as_it_is_set_here():
    assert canary.verdict() == canary.RIGHT
    assert canary.crashes() == canary.RIGHT


def fault(*pairs):
    return canary.Fault(1, "a sum", lambda: iter(pairs))


def test_wrong_numbers_are_counted():
    right = np.arange(4.0)
    wrong = np.array([0.0, 1.0, 5.0, np.nan])
    assert canary.examined(fault((right, right))) == canary.RIGHT
    told = canary.examined(fault((right, right), (wrong, right)))
    where = f"(JAX issue 1, jaxlib {xla.jaxlib()})"
    assert told == f"a sum: 2 of 4 numbers are wrong {where}"


def test_a_program_that_fails_is_wrong():
    def fails():
        raise RuntimeError("no memory\nat all")
        yield

    told = canary.examined(canary.Fault(1, "a sum", fails))
    assert told.startswith("a sum: RuntimeError: no memory (")


@pytest.mark.parametrize(
    ("code", "how"), [(-11, "ends the process (SIGSEGV)"), (3, "exit code 3"), (None, "hangs")]
)
def test_a_crash_is_told_by_the_program_that_was_running(monkeypatch, code, how):
    def run(command, timeout, **_):
        if code is None:
            raise subprocess.TimeoutExpired(command, timeout, output=b"right\n")
        return subprocess.CompletedProcess(command, code, stdout="right\n")

    monkeypatch.setattr(subprocess, "run", run)
    told = canary.crashes.__wrapped__()
    assert told.startswith(f"{canary.CRASHES[1].words}: ") and how in told
    assert canary.RIGHT not in told.split("; ")


def test_verdicts_are_joined_once_each():
    assert canary.joined([canary.RIGHT, canary.RIGHT]) == canary.RIGHT
    assert canary.joined(["a", canary.RIGHT, "b", "a"]) == "a; b"
