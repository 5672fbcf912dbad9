"""zoo.bench step and sample: others get the same work as ours, and all of it is measured."""

import json

import numpy as np
import pytest
import reference

from zoo import cli, config, report
from zoo.bench import command, sample, step
from zoo.bench.trainings import ours, workload
from zoo.cells import LSTMParams
from zoo.data import registry
from zoo.data.errors import DataError
from zoo.train import optimizers


def written(runs, file):
    """The workload as another process reads it."""
    np.savez(file, **runs["workload"].arrays(runs["workload"].call()))
    return workload.read(str(file))


def test_others_get_the_sizes_the_data_and_the_first_parameters_of_a_config(tmp_path):
    runs = ours.prepare("airline:stacked", tmp_path)
    work = written(runs, tmp_path / "work.npz")
    assert (work.sizes["kind"], work.sizes["batch"], work.sizes["members"]) == ("series", 1, 1)
    assert work.sizes["optimizer"]["name"] == "adam"
    assert work.data["windows"].shape == (len(work.data["targets"]), 3, 1)
    params = work.member(0)
    assert work.parameters() == sum(a.size for a in params.values()) == 245
    xs = work.data["windows"][:1].swapaxes(0, 1).astype(np.float64)
    for i in range(2):
        layer = LSTMParams(*(params[f"layer_{i}.{name}"] for name in ("w_x", "w_h", "b")))
        zeros = np.zeros((1, 4)), np.zeros((1, 4))
        xs = reference.unroll(reference.lstm, layer, xs, zeros)[1]
    forecast = (xs[-1] @ params["kernel"] + params["bias"])[0, 0]
    want = (forecast - work.data["targets"][0]) ** 2
    assert runs["loss"].call() == pytest.approx([want], rel=1e-4)
    runs["steps"].many(3)
    assert runs["loss"].call() == pytest.approx([want], rel=1e-4)  # of the first parameters, always


def test_a_text_is_read_in_windows_and_its_operations_are_counted(tmp_path, monkeypatch):
    settings = config.load("configs/char_lm.py:docs")
    settings.model.update({"embed": 2, "hidden": 4})
    settings.update({"batch_size": 2})
    settings.data.window = 5
    monkeypatch.setattr(ours.configs, "load", lambda name: settings)
    work = written(ours.prepare("char_lm:docs", tmp_path), tmp_path / "work.npz")
    V = work.sizes["vocab"]
    assert work.data["tokens"].shape[0] == 1 and work.data["batch"].shape == (1, 2, 6)
    assert work.params["embedding"].shape == (1, V, 2)
    assert work.sizes["operations"] == 6 * (2 * 5) * (16 * (2 + 4) + 4 * V)


def test_where_a_corpus_cannot_be_had_all_read_random_text_of_its_size(tmp_path, monkeypatch):
    def nowhere(name):
        raise DataError(f"{name} is not here")

    monkeypatch.setattr(registry, "locate", nowhere)
    job, data = ours.make_job("char_lm:shakespeare", tmp_path)
    assert data == "random text" and job.task.vocabulary.size == 65 + 1
    assert job.task.describe_data()["tokens"]["train"] == pytest.approx(1_003_500)
    runs = ours.prepare("language_detector:source", tmp_path)
    work = written(runs, tmp_path / "work.npz")
    assert work.sizes["data"] == "random text" and work.sizes["members"] == 2
    assert work.data["batch"].shape == (2, 128, 6)
    assert (work.data["batch"][..., 0] == work.sizes["start"]).all()
    symbols = work.sizes["vocab"]
    assert runs["loss"].call() == pytest.approx([np.log(symbols)] * 2, rel=0.05)
    runs["steps"].many(2)


@pytest.mark.parametrize("kind", ["constant", "cosine"])
def test_the_schedule_of_others_is_ours(kind):
    settings = config.load("configs/char_lm.py:docs").optimizer
    settings.update({"schedule": kind, "warmup_steps": 4, "final_fraction": 0.1})
    mine = optimizers.schedule(settings, 20)
    for at in range(22):
        share = workload.rate(settings.to_dict(), 20, at)
        assert share * settings.learning_rate == pytest.approx(float(mine(at)), rel=1e-5)


def test_a_step_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(step, "_TURN", 0.01)
    file = tmp_path / "step.json"
    flags = ["--configs=airline:regression", "--contestants=ours", "--rounds=2", f"--out={file}"]
    assert cli.run(command.main, ["bench", "step", *flags]) == 0
    record = json.loads(file.read_text())["configs"][0]
    assert record["parameters"] == 101 and record["data"] == "airline"
    assert len(record["steps"]["ours"]["seconds"]) == 2
    assert "| `airline:regression` | airline |" in capsys.readouterr().out


def test_a_step_in_bfloat16_is_measured_beside_float32(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(step, "_TURN", 0.01)
    file = tmp_path / "step.json"
    flags = ["--configs=airline:regression", "--contestants=half,ours", "--half", "--rounds=1"]
    assert cli.run(command.main, ["bench", "step", *flags, f"--out={file}"]) == 0
    entry = json.loads(file.read_text())
    record = entry["configs"][0]
    assert entry["part"] == " --half" and record["steps"]["half"]["ratio"] == 1
    off = record["losses"]["half"][0] / record["losses"]["ours"][0] - 1
    assert 0 < abs(off) < step.TOLERANCE_HALF  # products of another type
    assert "| ms a step | ours |\n" in capsys.readouterr().out


def test_writing_text_is_measured(tmp_path, capsys):
    file = tmp_path / "sample.json"
    sizes = ["--hidden=4", "--length=3", "--layers=2", "--batches=2", "--rounds=1"]
    flags = [*sizes, "--contestants=ours", f"--out={file}"]
    assert cli.run(command.main, ["bench", "sample", *flags]) == 0
    entry = json.loads(file.read_text())
    record = entry["models"][0]
    assert record["cold"]["ours"] > record["text"]["ours"]["median"] > 0 and record["floor"] > 0
    shown = capsys.readouterr().out.strip()
    assert report.speeds({"zoo.bench sample": entry}) == shown
    assert "| 2 x 4, 2 at once | ours |" in shown


def test_the_weights_of_a_character_are_those_that_it_is_multiplied_with():
    assert sample.weights(8, 2) == 4 * 8 * (64 + 8) + 4 * 8 * (8 + 8) + 8 * 65
