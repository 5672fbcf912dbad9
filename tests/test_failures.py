"""Trainings that fail: full disks, losses that run away, seeds of which one fails."""

import asyncio
import gc
import json
import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import train
import zoo
from zoo import cli
from zoo.errors import UserError
from zoo.runs.checkpoint import Checkpoints
from zoo.runs.log import Log
from zoo.train import command, loop

ROOT = Path(__file__).parent.parent
GIVEN = {
    "adapt": False,
    "kneser_ney": 0,
    "mesh.data": 1,
    "model.hidden": 8,
    "model.embed": 4,
    "batch_size": 4,
    "data.window": 8,
    "steps": 6,
    "eval_every": 2,
    "log_every": 1,
    "optimizer.warmup_steps": 0,
    "optimizer.schedule": "constant",
}


pytestmark = pytest.mark.usefixtures("at_the_root")


@pytest.fixture
def trained(text, tmp_path):
    """A training in the folder ``run``, with other keys: its exit code."""

    def call(*more, run=tmp_path / "run", **keys):
        given = GIVEN | {"data.path": text} | keys
        given = [f"--config.{key}={value}" for key, value in given.items()]
        argv = ["train.py", "--config=configs/char_lm.py", f"--run={run}", *given, *more]
        return cli.run(train.main, argv)

    return call


def errors(capsys):
    """What was told of what is wrong, without the lines of progress."""
    lines = capsys.readouterr().err.splitlines()
    return [line for line in lines if not line.startswith("step ")]


def digest(run):
    return json.loads((run / "result.json").read_text())["params_sha256"]


@pytest.mark.parametrize("step", [2, 4])
def test_a_full_disk_at_a_checkpoint_is_one_line_and_costs_nothing(
    trained, tmp_path, capsys, monkeypatch, step
):
    assert trained(run=tmp_path / "whole") == 0
    save = Checkpoints.save

    def full(self, state, seconds):
        """Saves where no file may be longer than 2 KiB."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        if int(state.step) == step:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2048, limits[1]))
        try:
            save(self, state, seconds)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    capsys.readouterr()
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "save", full)
        assert trained() == 2
    (line,) = errors(capsys)
    kept = "step 2 is kept" if step == 4 else "nothing was saved before"
    assert f"step {step} cannot be saved: File too large; {kept}. Make room" in line
    assert trained() == 0
    assert sorted(p.name for p in (tmp_path / "run/checkpoints").iterdir()) == ["4", "6"]
    assert digest(tmp_path / "run") == digest(tmp_path / "whole")


def test_what_a_failed_save_leaves_behind_is_quiet(tmp_path, caplog, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with Checkpoints(tmp_path / "checkpoints"):
        loop = asyncio.new_event_loop()
        left = loop.create_future()
        left.set_exception(OSError(28, "No space left on device"))
        del left
        gc.collect()
        loop.close()
        for error in (RuntimeError("Event loop is closed"), ValueError("of others")):
            sys.unraisablehook(SimpleNamespace(exc_value=error, object=None))
        code = SimpleNamespace(co_filename="/site-packages/orbax/checkpoint/one.py")
        orphan = SimpleNamespace(cr_code=code)
        sys.unraisablehook(SimpleNamespace(exc_value=ValueError("of orbax"), object=orphan))
    assert caplog.records == [] and [str(x.exc_value) for x in told] == ["of others"]


def test_a_full_disk_at_a_log_is_one_line(tmp_path, monkeypatch):
    record = Log(tmp_path, 0)

    def fsync(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(
        UserError, match=r"metrics.jsonl cannot be written: No space left on device"
    ):
        record.add({"step": 1})


@pytest.mark.parametrize("number", [28, 30, 122])
def test_a_disk_that_fails_anywhere_is_one_line(capsys, number):
    def main(_):
        raise OSError(number, "the reason", "/some/file")

    assert cli.run(main, ["command"]) == 2
    assert errors(capsys) == ["error: /some/file: the reason; nothing that was saved is lost"]


def test_a_run_that_saved_nothing_begins_anew_with_other_settings(
    trained, tmp_path, capsys, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(
            "zoo.bounds.within", lambda *_: None
        )  # no rate that is allowed ends like this
        assert trained(**{"optimizer.learning_rate": 1e38}) == 2
    (line,) = errors(capsys)
    assert (
        "is not finite; nothing was saved yet. Try a lower --config.optimizer.learning_rate" in line
    )
    assert trained() == 0
    (line,) = errors(capsys)
    assert line.endswith("was begun with other settings and holds no checkpoint: it begins anew")
    assert trained(run=tmp_path / "whole") == 0
    assert digest(tmp_path / "run") == digest(tmp_path / "whole")
    logged = [
        (tmp_path / name / "metrics.jsonl").read_text().count("\n") for name in ("run", "whole")
    ]
    assert logged[0] == logged[1]


def test_a_run_that_has_saved_keeps_its_settings(trained, tmp_path, capsys):
    assert trained() == 0
    (tmp_path / "run/result.json").unlink()
    capsys.readouterr()
    assert trained(**{"optimizer.learning_rate": 1e-4}) == 2
    assert "began with optimizer.learning_rate" in errors(capsys)[0]


def test_a_training_that_ran_away_says_so(trained, capsys):
    assert trained(**{"optimizer.learning_rate": 1000.0}) == 0
    (line,) = errors(capsys)
    assert line.startswith("warning: training diverged: its loss was 2.")
    assert "lower --config.optimizer.learning_rate" in line
    assert trained("--seeds=1") == 0
    assert errors(capsys) == []


def test_a_seed_that_fails_does_not_keep_the_others_from_it(trained, tmp_path, capsys, monkeypatch):
    fit = loop.fit

    def failing(job, run, about=""):
        result = fit(job, run, about)
        if job.config.seed == 1:
            (run / "result.json").unlink()
            raise UserError("the loss is not finite")
        return result

    monkeypatch.setattr(loop, "fit", failing)
    assert trained("--seeds=3") == 2
    first, last = errors(capsys)
    assert first == "seed 1 failed: the loss is not finite"
    assert "--seeds=3: 1 of 3 failed, seed 1; the others are finished" in last
    assert (tmp_path / "run/seed-2/result.json").exists()
    assert not (tmp_path / "run/summary.json").exists()


def test_what_is_wrong_with_every_seed_is_told_once(trained, capsys):
    assert trained("--seeds=3", **{"data.path": "/no/such/file"}) == 2
    assert len(errors(capsys)) == 1


def test_a_tilde_is_the_home_directory(trained, text, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.txt").write_bytes(text.read_bytes())
    assert trained(run="~/run", **{"data.path": "~/mine.txt"}) == 0
    assert (tmp_path / "run/result.json").exists() and not (ROOT / "~").exists()
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["data"]["path"] == str(tmp_path / "mine.txt")
    model, _ = zoo.load("~/run")
    assert model == zoo.load(tmp_path / "run")[0]
    capsys.readouterr()
    assert trained(run="~nobody-here/run") == 2
    assert "no such home directory" in errors(capsys)[0]


def test_a_folder_is_a_text_or_a_path(trained, tmp_path):
    assert trained() == 0
    assert command.evaluate(str(tmp_path / "run")) == command.evaluate(tmp_path / "run")
