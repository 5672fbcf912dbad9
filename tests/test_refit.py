"""What lies beyond the table is forecast by members that have seen all of it; scores are of the others."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

import train
from zoo import cli, predict, tasks
from zoo import config as configs
from zoo.data.series.read import named
from zoo.errors import UserError
from zoo.runs.load import load
from zoo.tasks.forecasting import ahead, evaluation
from zoo.train import job as jobs
from zoo.train import loop

ROOT = Path(__file__).parent.parent
TINY = {"epochs": 2.0, "horizon": 3, "baselines": "naive", "batch_size": 16}


def own(**keys):
    c = configs.load(str(ROOT / "configs/forecast.py"))
    c.update(TINY | keys)
    c.mesh.data, c.model.hidden, c.data.calendar = 1, 4, False
    c.ensemble.update({"members": 8, "differences": ((12,), ()), "transforms": ("log", "none")})
    c.model.length, c.ensemble.lengths = 13, (13, 13)
    return c


def trained(config, run):
    job = jobs.make(config)
    return job.task, loop.fit(job, run).params


def csv_of(path, values):
    months = np.datetime64("1949-01") + np.arange(len(values))
    lines = [f"{m},{v}" for m, v in zip(months, values, strict=True)]
    path.write_text("month,passengers\n" + "\n".join(lines) + "\n")
    return str(path)


def test_members_that_are_judged_train_as_without_the_others(tmp_path):
    task, params = trained(own(), tmp_path / "both")
    alone, before = trained(own(refit=False), tmp_path / "alone")
    assert (task.members, task.refit.members, alone.members) == (12, 4, 8)
    judged = jax.tree.map(lambda a: a[:8], params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), judged, before)
    one, other = (
        json.loads((tmp_path / run / "result.json").read_text())["metrics"]
        for run in ("both", "alone")
    )
    assert one["test_rmse"] == pytest.approx(other["test_rmse"], rel=1e-5)
    assert one["coverage_80"] == other["coverage_80"]


def test_only_the_further_members_train_on_the_test_part_and_only_they_forecast_what_comes(
    tmp_path,
):
    table = named("airline")
    config, other = own(), own()
    config.data.path = csv_of(tmp_path / "a.csv", table.values[0])
    changed = table.values[0].copy()
    changed[125:140] *= 1.5  # within the test part, which begins at row 115
    other.data.path = csv_of(tmp_path / "b.csv", changed)
    task, one = trained(config, tmp_path / "one")
    again, two = trained(other, tmp_path / "two")
    pairs = list(zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True))
    for a, b in pairs:
        np.testing.assert_array_equal(a[:8], b[:8])
    assert any((np.asarray(a[8:]) != np.asarray(b[8:])).any() for a, b in pairs)
    np.testing.assert_array_equal(task.stack.combination.weights, again.stack.combination.weights)
    # From the same rows: what differs is what was learned.
    residuals = evaluation.read_residuals(tmp_path / "one")
    rows = [ahead.rows(t, p, residuals, 2, table=table) for t, p in ((task, one), (again, two))]
    assert rows[0][0]["forecast"] != rows[1][0]["forecast"]
    # As many steps of the same size, on windows of all rows.
    kept = task.data("train")["kept"]
    late = task.refit.origins[:, 1] >= 115
    assert not kept[:8, late].any() and kept[8:, late].all()
    order = np.asarray(task.order("train", 0))
    assert order.shape == (2, task.steps_per_epoch("train") * 16)
    assert late[order[1][order[1] < len(late)]].any()
    assert not late[order[0][order[0] < len(late)]].any()


def test_a_refit_run_says_so_and_predicts_from_its_folder(tmp_path, capsys):
    run = tmp_path / "run"
    _, params = trained(own(), run)
    said = (run / "summary.txt").read_text()
    assert "fitted again on all rows (144 in place of 115)" in said
    written = (run / "predictions.csv").read_text()
    capsys.readouterr()
    asked = ["predict", f"--run={run}", "--quantiles=0.1,0.5,0.9,0.975"]
    assert cli.run(predict.main, asked) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 3
    for row in rows:
        assert row["0.1"] < row["0.5"] == row["forecast"] < row["0.9"] < row["upper"]
        assert row["0.975"] == pytest.approx(row["upper"], rel=1e-6)
    assert (
        (run / "forecast.csv")
        .read_text()
        .startswith("series,time,forecast,lower,upper,0.1,0.5,0.9,0.975\n")
    )
    assert written.splitlines()[1].split(",")[2] == f"{rows[0]['forecast']:.6g}"
    jax.tree.map(np.testing.assert_array_equal, load(run).params, params)


@pytest.mark.parametrize("members", [1, 2])
def test_models_that_are_averaged_are_refitted_each(tmp_path, members):
    c = own(refit=True)
    c.ensemble.update({"members": members, "differences": (), "lengths": (), "transforms": ()})
    c.ensemble.combine = "mean"
    task, params = trained(c, tmp_path / "run")
    assert task.members == 2 * members
    u = [task.forecasts(params, task.origins("test"), 2, refitted=r) for r in (False, True)]
    assert u[0].shape == u[1].shape and (u[0] != u[1]).all()


def test_nothing_is_refitted_where_no_row_is_held_back_or_the_state_is_kept(tmp_path):
    c = own()
    c.data.test = 0.0
    assert tasks.make(c).refit.members == 0
    c = configs.load(str(ROOT / "configs/airline.py:stateful"))
    assert not c.refit
    c.refit = True
    with pytest.raises(UserError, match="refit=True: not with"):
        tasks.make(c)


@pytest.mark.parametrize("given", ["0.1,x", "0", "1.0", "0.5,-1"])
def test_a_wrong_quantile_is_told(given, capsys):
    assert cli.run(predict.main, ["predict", "--run=none", f"--quantiles={given}"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "is not between 0 and 1; give 0.1,0.5,0.9" in line


def test_a_stateful_series_of_ones_own_is_not_refitted(tmp_path, capsys):
    argv = ["train.py", f"--config={ROOT / 'configs/forecast.py'}", "--mode=check"]
    argv += ["--config.model.stateful", "--config.batch_size=1", "--config.ensemble.members=1"]
    argv += ["--config.ensemble.combine=mean", f"--run={tmp_path / 'run'}"]
    assert cli.run(train.main, argv) == 0
