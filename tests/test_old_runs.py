"""Runs that version 0.1 made are still used: resumed, evaluated, sampled, predicted with.

``tests/old_runs/runs.zip`` holds three, of 30 steps each, made by commit 9c200e0 from the small files
beside it. Their configs name those files relative to the repository's root.
"""

import io
import json
import shutil
import sys
import zipfile
from pathlib import Path

import jax
import pytest

import train
import zoo
from zoo import cli, predict, random, sample
from zoo.runs import folder
from zoo.runs.state import fingerprint

ROOT = Path(__file__).parent.parent
COMMON = ["keep=3", "steps=30", "eval_every=10", "log_every=5", "batch_size=4"]
COMMANDS = {  # as they were given to 0.1
    "language_model": [
        "--config=configs/char_lm.py:docs",
        "--config.data.path=tests/old_runs/text.txt",
        "--config.data.lowercase",
        "--config.model.hidden=8",
        "--config.model.embed=4",
        "--config.model.layers=2",
        "--config.model.dropout=0.1",
        "--config.data.window=8",
    ],
    "forecasting": [
        "--config=configs/forecast.py",
        "--config.data.path=tests/old_runs/sales.csv",
        "--config.data.known=price",
        "--config.ensemble.members=2",
        "--config.ensemble.holdout=0.2",
        "--config.model.hidden=4",
        "--config.horizon=6",
    ],
    "language_detection": [
        "--config=configs/language_detector.py:english_french",
        "--config.data.path=tests/old_runs/texts",
        "--config.data.languages=()",
        "--config.data.test=0.3",
        "--config.data.valid=0.2",
        "--config.ensemble.members=2",
        "--config.model.hidden=6",
        "--config.model.embed=4",
        "--config.baselines=none",
    ],
}


@pytest.fixture(params=COMMANDS)
def run(request, tmp_path, monkeypatch):
    """A folder that holds a finished run of 0.1; its name is that of its task."""
    monkeypatch.chdir(ROOT)
    zipfile.ZipFile(ROOT / "tests/old_runs/runs.zip").extractall(tmp_path)
    return tmp_path / request.param


def command(run, *more):
    settings = [f"--config.{setting}" for setting in COMMON]
    argv = ["train.py", *COMMANDS[run.name], *settings, f"--run={run}", *more]
    return cli.run(train.main, argv)


def test_a_run_of_0_1_is_loaded_with_the_very_parameters_it_had(run):
    result = folder.read_result(run)
    _, params = zoo.load(run)
    assert fingerprint(params) == (result["best_sha256"] or result["params_sha256"])


def test_a_run_of_0_1_is_finished_by_its_own_command_and_evaluated_again(run, capsys):
    assert command(run) == 0
    assert "is finished" in capsys.readouterr().err
    assert command(run, "--mode=eval") == 0
    metrics, then = json.loads(capsys.readouterr().out), folder.read_result(run)["metrics"]
    same = [key for key in metrics if key in then and not key.endswith("_each")]
    # valid_loss of language detection read 64 windows, some twice; now it reads all, once.
    changed = {"valid_loss"} if run.name == "language_detection" else set()
    assert len(same) >= 2
    for key in set(same) - changed:
        assert metrics[key] == pytest.approx(then[key], rel=1e-3, abs=1e-5), key


def test_a_run_of_0_1_goes_on_from_its_checkpoint(run, capsys, monkeypatch):
    def keep(key, rate, shape):  # as 0.1 drew its masks
        return jax.random.bernoulli(key, 1 - rate, shape)

    monkeypatch.setattr(random, "keep", keep)
    result = folder.read_result(run)
    (run / "result.json").unlink()
    shutil.rmtree(run / "checkpoints/30")
    assert command(run) == 0
    assert "going on from step 20" in capsys.readouterr().err
    again = folder.read_result(run)
    assert again["steps"] == 30
    # Dropout between layers draws from a key of its own now, so not to the same bits.
    assert again["metrics"]["train_loss"] == pytest.approx(result["metrics"]["train_loss"], 1e-2)
    assert json.loads((run / "data.json").read_text())["digest"]


def test_a_run_of_0_1_still_tells_other_data(run, capsys, monkeypatch, tmp_path):
    shutil.copytree(ROOT / "tests/old_runs", tmp_path / "tests/old_runs")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    for file in (tmp_path / "tests/old_runs").rglob("*.*"):
        if file.suffix in (".txt", ".csv"):
            lines = file.read_text(encoding="utf-8")
            file.write_text(
                lines.replace("cat", "dog").replace("abba", "baab").replace("20.", "21.")
            )
    assert command(run) == 2
    assert "not the data that" in capsys.readouterr().err


def test_a_run_of_0_1_samples_and_predicts(run, capsys, monkeypatch):
    if run.name == "language_model":
        assert (
            cli.run(sample.main, ["sample", f"--run={run}", "--prompt=Alice", "--length=20"]) == 0
        )
        assert capsys.readouterr().out.startswith("Alice")
        return
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("abba\nжук\n".encode())))
    assert cli.run(predict.main, ["predict", f"--run={run}"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    if run.name == "forecasting":
        assert len(rows) == 6 and rows[0]["time"] == "2020-03-25"
    else:
        assert [row["label"] for row in rows] == ["aa", "cc"]
