"""What a person sees in a terminal while a training begins and goes on."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from bad_input import data, keys

from zoo import terminal
from zoo.train import progress

ROOT = Path(__file__).parent.parent


def in_terminal(columns, argv):
    """The exit code of a program, and all that a terminal got from it."""
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    ends = {"stdin": its, "stdout": its, "stderr": its}
    command, pieces = [sys.executable, *argv], []
    env = {**os.environ, "TERM": "xterm"}
    for name in ("COLUMNS", "LINES"):  # test workers have the width of another terminal there
        env.pop(name, None)
    with subprocess.Popen(command, **ends, cwd=ROOT, env=env) as program:
        os.close(its)
        try:
            while piece := os.read(mine, 65536):
                pieces.append(piece)
        except OSError:  # the program has ended
            os.close(mine)
    return program.returncode, b"".join(pieces).decode()


def test_a_training_says_at_once_what_it_does_and_every_line_fits(tmp_path):
    flags = [
        f"--config.data.path={data(tmp_path)['char_lm']}",
        *keys("char_lm", "steps=20 eval_every=5"),
    ]
    command = ["train.py", "--config=configs/char_lm.py", *flags, f"--run={tmp_path / 'run'}"]
    code, written = in_terminal(60, command)
    written = written.replace(
        "\x1b[2K", "\n"
    )  # a line that is taken away is no part of the next one
    whole = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    assert code == 0 and whole.lstrip("\r\n").startswith("starting…")
    for said in (
        "reading the data…",
        "compiling…",
        "evaluating…",
        "evaluating the best",
        "writing what",
    ):
        assert said in whole
    shown = whole.partition("════")[0].rpartition("writing")[0]  # what follows is the result
    lines = re.split(r"[\r\n]+", shown)
    assert not [line for line in lines if len(line) > 60]
    kept = [line for line in lines if re.match(r"step \d+/20  .*valid_loss", line)]
    assert [line.split()[1] for line in dict.fromkeys(kept)] == ["5/20", "10/20", "15/20", "20/20"]


def test_a_line_of_an_evaluation_loses_what_matters_least_until_it_fits(monkeypatch, capsys):
    record = {"step": 50, "epoch": 0.25, "seconds": 65.0, "train_loss": 1.5, "valid_loss": 1.25}
    shown = progress.Progress(100, 0, 3)
    shown.line(record, 2.0)
    losses = "train_loss 1.5000  valid_loss 1.2500"
    whole = f"step 50/100  epoch 0.25  {losses}  6 tokens/s  1:05 gone, 0:25 left"
    assert capsys.readouterr().err == f"{whole}\n"
    for width, text in (
        (len(whole), whole),
        (94, whole.replace("  6 tokens/s", "")),
        (75, f"step 50/100  {losses}  1:05 gone, 0:25 left"),
        (50, f"step 50/100  {losses}"),
    ):
        monkeypatch.setattr(terminal.Line, "width", width)
        shown.line(record, 2.0)
        assert capsys.readouterr().err == f"{text}\n"


def test_nothing_is_shown_where_stderr_is_no_terminal(capsys):
    terminal.line.show("compiling")
    terminal.line.clear()
    assert capsys.readouterr() == ("", "")
