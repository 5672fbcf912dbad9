"""zoo.report: tables that tell who wins and what was not reached, and pictures of plots."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from zoo import cli, compare, report, reproduce
from zoo import config as configs
from zoo.runs import reference

ROOT = Path(__file__).parent.parent
ENTRIES = reference.read(ROOT / "runs/reference.json")


def entry(*metrics):
    """A result of a run for each of ``metrics``."""
    return {"runs": [{"metrics": m, "params": 12345, "train_seconds": 61.4} for m in metrics]}


def rows(name, *metrics):
    """The rows of a table, as dictionaries by column, of an experiment with these metrics."""
    lines = report.tables({name: entry(*metrics)}).splitlines()[2:]
    heads, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(heads, row, strict=True)) for row in rows]


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_every_row_has_a_cell_for_every_column_and_none_is_empty():
    for table in report.tables(ENTRIES).split("\n\n"):
        lines = [line for line in table.splitlines() if line.startswith("|")]
        cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
        assert len({len(row) for row in cells}) <= 1
        assert all(all(row) for row in cells)


def test_a_table_has_the_words_of_its_task_and_tables_are_in_the_order_of_their_titles():
    titles = re.findall(r"^\*\*(.*)\*\*$", report.tables(ENTRIES), re.MULTILINE)
    names = {name.partition(":")[0] for name in ENTRIES if ":" in name}
    assert len(titles) == len({configs.load(f"{ROOT}/configs/{name}.py").task for name in names})
    assert titles == sorted(titles)


def test_a_goal_that_was_not_reached_is_told_and_lost():
    loss, goal = rows("char_lm:alice", {"valid_loss": 1.25, "seconds_to_target": None})
    assert (loss["ours"], loss["do we win?"]) == ("1.25", "yes")
    assert (goal["ours"], goal["do we win?"]) == ("not reached", "no")
    some = {"valid_loss": 1.25, "seconds_to_target": 9.0}
    _, goal = rows("char_lm:alice", some, some | {"seconds_to_target": None})
    assert (goal["ours"], goal["do we win?"]) == ("not reached by 1 of 2 seeds", "no")


def test_what_runs_share_is_written_once_and_read_back_in_each(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "FILE", tmp_path / "reference.json")
    runs = [
        {
            "seed": i,
            "metrics": {"loss": i / 3, "other": 1.5, "none": None},
            "versions": {"jax": "1"},
        }
        for i in range(3)
    ]
    runs[2]["metrics"]["more"] = [1, 2]
    runs[1]["extra"] = {}
    entries = {
        "a:b": {"runs": runs, "command": "c"},
        "one:run": {"runs": runs[:1]},
        "bench": {"x": 1},
    }
    for name, given in entries.items():
        reference.put(name, given)
    assert reference.read() == entries
    written = (tmp_path / "reference.json").read_text()
    assert written.count('"other"') == 2  # once for three runs, once for the one
    for name, given in ENTRIES.items():
        reference.put(name, given)
    assert reference.read() == entries | ENTRIES


def test_a_figure_that_was_not_measured_is_told_and_compared_with_nothing():
    goal = rows("char_lm:alice", {"valid_loss": 1.25})[1]
    assert (goal["ours"], goal["do we win?"]) == ("not measured", "–")
    source, other = rows("airline:window", {"test_rmse_source": 50.0, "test_rmse": 50.0})
    assert source["best other figure"] == "64.4 by PyTorch (source 003: 70.48)"
    assert (other["best other figure"], other["do we win?"]) == ("not measured by SARIMA", "–")


def test_seeds_as_one_model_have_a_row_of_their_own():
    runs = [{"metrics": {"valid_loss": v}, "params": 10, "train_seconds": 60.0} for v in (1.3, 1.5)]
    entry = {"runs": runs, "together": {"valid_loss": 1.21, "valid_mixed_loss": 1.1}}
    lines = report.tables({"char_lm:shakespeare": entry}).splitlines()
    first, mixed, together, both = [line.split(" | ") for line in lines[4:]]
    assert (first[4], mixed[4], together[4], both[4]) == (
        "1.40 ± 0.14",
        "not measured",
        "1.21",
        "1.1",
    )
    assert together[0] == "| `char_lm:shakespeare`: its 2 seeds as one model"
    assert together[-2:] == ["20", "2.0 min |"]


def test_keys_that_a_result_was_made_with_stand_in_its_row_and_are_given_to_the_trainings(
    tmp_path, monkeypatch
):
    key, result = "--config.model.precision=bfloat16", tmp_path / "runs/window_lm-alice/result.json"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    result.parent.mkdir(parents=True)
    given = entry({"train_loss": 1.7, "valid_loss": 1.6})["runs"][0]
    result.write_text(
        json.dumps(given | {"config": "window_lm", "variant": "alice", "finished": True})
    )
    commands = []

    def ended(command):
        commands.append(command[1:])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(reproduce.subprocess, "run", ended)
    assert cli.run(reproduce.main, ["reproduce", "configs/window_lm.py:alice", key]) == 0
    config, run = "--config=configs/window_lm.py:alice", "--run=runs/window_lm-alice"
    assert commands == [["train.py", config, key, run]]
    entries = reference.read(tmp_path / "runs/reference.json")
    assert entries["window_lm:alice"]["runs"] == [given]
    for table in report.tables(entries), compare.table("window_lm", entries):
        assert f"windows of 100, with `{key}`" in table


def test_a_loss_to_a_baseline_is_shown_as_a_loss():
    rmse = rows("airline:best", {"test_rmse": 13.884, "sarima_rmse": 13.7453})[0]
    assert (rmse["ours"], rmse["best other figure"]) == ("13.88", "13.75 by SARIMA")
    assert (rmse["better"], rmse["do we win?"]) == ("lower", "no")


def test_a_win_within_the_spread_of_the_seeds_is_told():
    def won(*values):
        return rows("forecast:ett", *({"test_scaled_mse": v} for v in values))[0]["do we win?"]

    assert won(0.385) == "yes"
    assert won(0.380, 0.382) == "yes"
    assert won(0.350, 0.420) == "barely"
    assert won(0.386) == "no"


def test_a_metric_of_which_neither_more_nor_less_is_better_is_not_won():
    coverage = rows("airline:best", {"coverage_80": 0.75})[2]
    assert coverage["better"] == "near 0.8"
    assert (coverage["best other figure"], coverage["do we win?"]) == ("none given", "–")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((1.29902662,), "1.299"),
        ((10110.4,), "10,110"),
        ((0.99996,), "0.99996"),
        ((1.0,), "1"),
        ((62.9, 40.2, 84.0), "62 ± 22"),
        ((13.88, 13.75, 14.09), "13.91 ± 0.17"),
        ((0.9555, 0.9561), "0.9558 ± 0.0004"),
        ((0.5, 0.5), "0.5"),
    ],
)
def test_figures_are_as_precise_as_the_seeds_agree(values, text):
    metrics = [{"valid_loss": v} for v in values]
    assert rows("char_lm:docs", *metrics)[0]["ours"] == text


def test_a_picture_holds_the_plots_one_below_the_other(tmp_path):
    from matplotlib import image, pyplot

    red, gray, clear = (tmp_path / name for name in ("red.png", "gray.png", "clear.png"))
    pyplot.imsave(red, np.tile([1.0, 0.0, 0.0], (30, 40, 1)))
    pyplot.imsave(gray, np.full((10, 20), 0.5), cmap="gray", vmin=0, vmax=1)
    pyplot.imsave(clear, np.tile([0.0, 0.0, 1.0, 0.0], (10, 20, 1)))
    out = tmp_path / "new/runs.png"
    plots = [str(red), str(gray), str(clear)]
    assert cli.run(report.main, ["report", f"--picture={out}", *plots]) == 0
    page = image.imread(out)[..., :3]
    assert page.shape == (30 + 10 + 10 + 3 * 20, 40, 3)
    assert (page[:30] == [1, 0, 0]).all()
    assert (page[50:60, :10] == 1).all() and np.allclose(page[50:60, 10:30], 0.5, atol=0.01)
    assert (page[60:] == 1).all()


def test_the_committed_picture_is_small():
    assert (ROOT / "docs/runs.png").stat().st_size < 300_000


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "give one of"),
        (["--table", "--verify=x"], "give one of"),
        (["--table", "x.png"], "plots go with --picture"),
        (["--picture=x.png"], "plots go with --picture"),
        (["--picture=x.png", "LICENSE"], "LICENSE: no PNG file that can be read"),
        (["--picture=x.png", "gone.png"], "gone.png: no PNG file that can be read"),
        (["--verify=gone"], "gone: no such folder"),
    ],
)
def test_mistakes_are_told_in_one_line(capsys, args, message):
    assert cli.run(report.main, ["report", *args]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_picture_that_cannot_be_written_is_told(tmp_path, capsys):
    from matplotlib import pyplot

    pyplot.imsave(tmp_path / "plot.png", [[0.0, 1.0]])
    (tmp_path / "file").write_text("")
    args = [f"--picture={tmp_path}/file/x.png", f"{tmp_path}/plot.png"]
    assert cli.run(report.main, ["report", *args]) == 2
    assert "cannot be written" in capsys.readouterr().err
