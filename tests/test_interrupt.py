"""Ctrl-C and other signals: one line and the exit code of the signal, wherever they come."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo import config as configs
from zoo import interrupt
from zoo.runs import folder
from zoo.train import job as jobs
from zoo.train import loop
from zoo.train.progress import Progress
from zoo.train.signals import Signals, Stopped

ROOT = Path(__file__).parent.parent


def settings(text):
    c = configs.load(str(ROOT / "configs/char_lm.py"))
    c.data.path, c.batch_size, c.data.window = str(text), 4, 8
    c.steps, c.epochs, c.eval_every, c.eval_epochs, c.log_every = 30, None, 10, None, 5
    c.model.update({"hidden": 8, "embed": 4})
    c.mesh.data, c.adapt, c.kneser_ney = 1, False, 0
    return c


@pytest.fixture
def config(text):
    return settings(text)


@pytest.fixture(scope="module")
def whole(text, tmp_path_factory):
    """The record of a run that nothing interrupted."""
    return loop.fit(jobs.make(settings(text)), tmp_path_factory.mktemp("whole")).record


def after(step, monkeypatch, *numbers):
    """Sends signals to this process once training has done so many steps."""
    shown, left = Progress.steps, list(numbers)

    def steps(self, at, *rest):
        shown(self, at, *rest)
        while at >= step and left:
            os.kill(os.getpid(), left.pop(0))

    monkeypatch.setattr(Progress, "steps", steps)


@pytest.fixture
def heard():
    """Signals as a command has them in the foreground: in the background they may be ignored."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_a_signal_saves_and_the_same_bits_come_out(
    config, whole, tmp_path, monkeypatch, heard, number, code
):
    with monkeypatch.context() as patched:
        after(12, patched, number)
        with pytest.raises(Stopped, match="saved; the same command goes on from there") as stopped:
            loop.fit(jobs.make(config), tmp_path / "run")
    assert stopped.value.code == code
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
    got = loop.fit(jobs.make(config), tmp_path / "run").record
    assert got["params_sha256"] == whole["params_sha256"]
    assert got["metrics"] == whole["metrics"]


def test_a_signal_at_the_last_step_saves_too(config, tmp_path, monkeypatch):
    after(30, monkeypatch, signal.SIGTERM)
    with pytest.raises(Stopped, match="stopped at step 30, saved"):
        loop.fit(jobs.make(config), tmp_path / "run")
    assert (tmp_path / "run/checkpoints/30").is_dir()
    assert folder.read_result(tmp_path / "run") is None


def test_the_end_of_a_terminal_is_ignored_under_nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.caught == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_ctrl_c_ends_at_once(monkeypatch):
    told = []
    monkeypatch.setattr(os, "_exit", told.append)
    monkeypatch.setattr(os, "write", lambda _, content: told.append(content.decode()))
    before = signal.signal(signal.SIGINT, interrupt.stop)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            assert (signals.caught, told) == (signal.SIGINT, [])
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    line = "stopped at once; the same command goes on from the last checkpoint\n"
    assert told == [line, 130]


@pytest.mark.parametrize("seconds", [0.4, 1.2])
@pytest.mark.parametrize(
    "command",
    [
        ["train.py", "--config=configs/char_lm.py", "--config.steps=9999999", "--run={run}"],
        ["-m", "zoo.sample", "--run={run}"],
    ],
)
def test_ctrl_c_while_a_command_starts_is_one_line(tmp_path, command, seconds):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    argv = [sys.executable, *(part.format(run=tmp_path / "run") for part in command)]
    slow = tmp_path / "slow"  # an import of JAX that takes long, on any machine
    slow.mkdir()
    (slow / "ml_collections.py").write_text("import time\ntime.sleep(30)\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(slow), str(ROOT)])}
    process = subprocess.Popen(
        argv, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "stopped\n")


def test_what_ignores_ctrl_c_goes_on_to():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        interrupt.prepare()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
