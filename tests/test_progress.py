"""What a person sees of a training while it goes on."""

import re
from pathlib import Path

import train
from zoo import cli
from zoo.train import loop, progress

ROOT = Path(__file__).parent.parent


def test_a_long_training_shows_something_after_a_minute(text, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(loop, "_LOOK", 0)
    tiny = (
        "model.hidden=8 model.embed=4 batch_size=4 data.window=8 steps=30 eval_every=10 log_every=5"
    )
    argv = ["train.py", f"--config={ROOT / 'configs/char_lm.py'}", f"--run={tmp_path / 'run'}"]
    keys = [f"--config.{key}" for key in (*tiny.split(), f"data.path={text}")]
    assert cli.run(train.main, [*argv, *keys]) == 0
    looks = [line for line in capsys.readouterr().err.splitlines() if "a first look" in line]
    assert len(looks) == 1 and re.match(r"step [1-9]/30  a first look: valid_loss \d", looks[0])


def test_a_file_gets_a_line_a_minute(capsys, monkeypatch):
    clock = iter(range(0, 1000, 25))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    shown = progress.Progress(400, 0, 3)
    for step in range(1, 9):
        shown.steps(step, 2.0, 1.5)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "step 3/400  train_loss 1.5000  6 tokens/s  3:18 left"
    assert len(lines) == 2
