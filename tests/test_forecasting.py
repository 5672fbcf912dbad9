"""Forecasting: frames and their inverse, baselines against known figures, the task and its commands."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from reference import parameters

from zoo import cli, predict, tasks
from zoo import config as configs
from zoo.data.series import calendar, frames
from zoo.data.series.read import named
from zoo.data.series.table import Table
from zoo.errors import UserError
from zoo.tasks import protocol
from zoo.tasks.forecasting import baselines, intervals, scores
from zoo.train import job as jobs
from zoo.train import loop, plan

ROOT = Path(__file__).parent.parent
AIRLINE = named("airline").values[0]
TINY = ["--config.model.hidden=4", "--config.epochs=3", "--config.ensemble.members=2"]


@pytest.mark.parametrize("difference", [(), (1,), (12,), (1, 12)])
@pytest.mark.parametrize("transform", ["none", "log"])
@pytest.mark.parametrize("scaler", ["standard", "minmax", "none"])
def test_undo_gives_back_what_a_perfect_forecast_would_be(difference, transform, scaler):
    frame = frames.frame(
        named("airline"), transform=transform, difference=difference, scaler=scaler, test=48
    )
    origins = frames.origins(frame, "test", len(frame.a) + 3, 5)
    u = frame.u[origins[:, :1], origins[:, 1:] + np.arange(5)]
    got = frames.values(frame, frames.undo(frame, origins, u))
    want = np.stack([AIRLINE[t : t + 5] for t in origins[:, 1]])
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_the_scale_is_that_of_the_training_part_unless_all_is_asked_for():
    table = named("airline")
    honest = frames.frame(table, scaler="minmax", test=48)
    assert honest.u[0, :96].max() == pytest.approx(1) and honest.u.max() > 1.5
    assert frames.frame(table, scaler="minmax", scale="all", test=48).u.max() == pytest.approx(1)


def test_difference_coefficients_are_the_product_of_the_lags():
    np.testing.assert_array_equal(frames.coefficients((1,)), [1])
    a = frames.coefficients((1, 12))
    assert (a[0], a[11], a[12], np.abs(a).sum()) == (1, 1, -1, 3)


# RMSE and MASE one step ahead on the last 48 months, then 12 ahead from 37 origins (shared figures).
KNOWN = {
    "persistence": (48.04, 1.371, 90.6, 2.42),
    "seasonal_naive": (41.85, 1.266, 41.2, 1.22),
    "seasonal_ratio": (15.62, 0.387, 25.8, 0.70),
    "log_ar": (14.05, 0.360, 19.8, 0.55),
    "holt_winters": (17.17, 0.460, 26.5, 0.73),
    "sarima": (13.75, 0.368, 22.3, 0.59),
}


@pytest.mark.parametrize("name", KNOWN)
def test_baselines_have_the_known_figures_on_the_airline_months(name):
    if name in ("holt_winters", "sarima"):
        pytest.importorskip("statsmodels")
    got = []
    for horizon in (1, 12):
        forecast = baselines.forecasts(AIRLINE, 96, horizon, 12, classical=True)[name]
        actual = np.stack([AIRLINE[96 + i : 96 + i + horizon] for i in range(len(forecast))])
        got += [scores.rmse(actual, forecast), scores.mase(actual, forecast, AIRLINE[:96], 12)]
    assert got == pytest.approx(KNOWN[name], rel=1e-2)


def test_no_baseline_looks_ahead():
    changed = AIRLINE.copy()
    changed[110:] *= 3
    one, other = (baselines.forecasts(y, 96, 2, 12) for y in (AIRLINE, changed))
    for name in one:
        np.testing.assert_array_equal(one[name][:15], other[name][:15])


def test_baselines_of_hard_series_are_finite_or_left_out():
    for values in (np.zeros(40), np.arange(-20.0, 20), np.ones(5)):
        forecasts = baselines.forecasts(values, len(values) - 2, 1, 12, classical=True)
        assert "persistence" in forecasts and all(np.isfinite(f).all() for f in forecasts.values())


def test_scores_by_hand():
    actual, forecast = np.array([1.0, 2.0, 0.0]), np.array([2.0, 2.0, 0.0])
    assert scores.rmse(actual, forecast) == pytest.approx(np.sqrt(1 / 3))
    assert scores.mae(actual, forecast) == pytest.approx(1 / 3)
    assert scores.smape(actual, forecast) == pytest.approx(200 / 9)
    assert scores.mase(actual, forecast, np.array([1.0, 2.0, 4.0]), 1) == pytest.approx(1 / 4.5)
    assert np.isnan(scores.mase(actual, forecast, np.ones(9), 1))
    assert scores.coverage(actual, forecast - 1, forecast) == 1
    assert scores.pinball(np.array([1.0]), np.array([0.0]), 0.9) == pytest.approx(0.9)


def test_half_widths_hold_their_share_and_grow_past_the_last_step():
    residuals = np.random.default_rng(0).normal(size=(2000, 2))
    widths = intervals.half_widths(residuals, 0.95, 8)
    assert widths[:2] == pytest.approx([1.96, 1.96], abs=0.1)
    assert widths[7] == pytest.approx(widths[1] * 2)


def make(variant="regression", config="airline", **keys):
    c = configs.load(str(ROOT / f"configs/{config}.py:{variant}"))
    c.mesh.data, c.baselines = 1, "naive"
    for key, value in keys.items():
        *groups, last = key.split("__")
        group = c
        for name in groups:
            group = group[name]
        group[last] = value
    return c


@pytest.mark.parametrize("variant", ["window", "timesteps", "stateful", "stacked"])
def test_rolling_forecasts_read_their_own_output_and_keep_the_state(variant):
    """One step at a time by the model itself, in the order of the source."""
    task = tasks.make(make(variant))
    params = parameters(task, 1)
    origins = task.origins("test")[:4]
    got = task.forecasts(params, origins, 3)[0]
    carry, u = None, task.frame.u[0]
    for k, (_, t) in enumerate(origins):
        window, known = u[t - 3 : t], np.zeros((1, 4, 0), np.float32)
        inner = carry if task.config.model.stateful else None
        for h in range(3):
            series = np.zeros(1, np.int32)
            inner, y = task.model.apply(params, window[None], known, series, inner)
            carry = inner if h == 0 else carry
            inner = inner if task.config.model.stateful else None
            assert got[k, h] == pytest.approx(float(y[0, 0]), rel=1e-4, abs=1e-6)
            window = np.append(window[1:], y)


def test_the_source_leaves_out_the_months_that_it_does():
    assert [len(tasks.make(make(v)).origins("train")) for v in ("regression", "window")] == [94, 92]
    for variant, months in (("regression", 46), ("window", 44)):
        task = tasks.make(make(variant))
        backtest = task.backtest(parameters(task), "test")
        look_back, skip = backtest.source
        t = backtest.origins[:, 1]
        assert len(t) == 48 and ((t >= 96 + look_back) & (t < 144 - skip)).sum() == months


def test_members_train_on_other_months_and_are_judged_on_what_they_left_out():
    task = tasks.make(make("best", ensemble__members=4, ensemble__holdout=0.3, model__hidden=4))
    kept = task._kept
    assert kept.shape == (4, len(task.origins("train"))) and 0.5 < kept.mean() < 0.9
    _, residuals = task._errors(parameters(task))
    able = np.array([task.origins("train")[:, 1] >= task.views[k % 2].need for k in range(4)])
    unseen = ((kept == 0) & able).any(axis=0)
    np.testing.assert_array_equal(np.isfinite(residuals[:, 0]), unseen)
    assert not kept[~able].any()


def test_views_are_combined_in_the_unit_of_the_series():
    """Perfect forecasts of two kinds of differences give back the series, the longer where it can."""
    table = named("airline")
    both = [frames.frame(table, transform="log", difference=d) for d in ((12,), (1, 12))]
    views = [frames.View(both[0], 2), frames.View(both[1], 13)]
    t = np.arange(10, 120)
    origins = np.stack([0 * t, t], axis=1)
    at = t[:, None] + np.arange(3)
    u = np.stack([both[k].u[0][at] for k in (0, 1, 0, 1)])
    u[3] += 1  # a member that is wrong by one
    z = frames.combine(views, origins, u)
    assert np.isnan(z[t < 14]).all()  # nobody reaches back
    off = z - np.log(AIRLINE)[at]
    np.testing.assert_allclose(off[(t >= 14) & (t < 26)], 0, atol=1e-6)
    d = both[1].scale[0] / 4 * np.array([1, 2, 3])  # the error of (1, 12) accumulates
    np.testing.assert_allclose(off[t >= 26], np.broadcast_to(d, off[t >= 26].shape), atol=1e-6)
    use = np.array([1, 1, 1, 0])[:, None] * np.ones(len(t))
    off = frames.combine(views, origins, u, use) - np.log(AIRLINE)[at]
    np.testing.assert_allclose(off[t >= 14], 0, atol=1e-6)


def test_intervals_follow_the_errors_that_are_known_and_no_later_ones():
    task = tasks.make(make("best", ensemble__members=4, ensemble__recent=10, model__hidden=4))
    params = parameters(task)
    backtest = task.backtest(params, "test")
    _, high = backtest.interval(None, 0.8)
    scale = backtest.frame.scale[0]
    before = backtest.before[1]
    for row, h in ((0, 0), (5, 0), (5, 3), (30, 11)):
        known = list(before[np.isfinite(before[:, h]), h])
        known += [(backtest.truth - backtest.z)[j, h] / scale for j in range(max(0, row - h))]
        width = np.sort(np.abs(known[-10:]))[8]  # ceil(11 x 0.8) - 1
        assert high[row, h] - backtest.z[row, h] == pytest.approx(width * scale)
    latest = task.residuals(params, backtest)
    assert latest.shape == (10, 12)
    np.testing.assert_allclose(latest[:, 0], ((backtest.truth - backtest.z) / scale)[-10:, 0])


def test_an_incomplete_batch_weighs_nothing_more():
    task = tasks.make(make("window", batch_size=50, ensemble__members=1))
    data, order = task.data("train"), task.order("train", 0)
    assert task.steps_per_epoch("train") == 2
    batches = [task.gather(data, task.indices(order, i, 0)) for i in range(2)]
    params = task.init(jax.random.key(0))
    sums = [task.loss(params, (), b, jax.random.key(0))[0]["loss"] for b in batches]
    assert sum(float(s.weight) for s in sums) == 92


def test_a_batch_that_all_members_hold_out_teaches_nothing():
    task = tasks.make(make("best", ensemble__members=2, model__hidden=4))
    task.__dict__["_kept"] = np.zeros_like(task._kept)
    batch = task.gather(task.data("train"), task.indices(task.order("train", 0), 0, 1))
    params = task.init(jax.random.key(0))

    def objective(params):
        loss = task.loss(params, (), batch, jax.random.key(0))[0]["loss"]
        return loss.total / loss.weight

    value, gradient = jax.value_and_grad(objective)(params)
    assert float(value) == 0
    assert all((np.asarray(g) == 0).all() for g in jax.tree.leaves(gradient))


def test_newer_data_is_scaled_as_the_training_data_was():
    """What is known in advance too: a constant price must not become zero."""
    n = 40
    plan, values = np.arange(n, dtype=float)[:, None], np.sin(np.arange(n))
    month = calendar.frequency("month")
    times = (np.datetime64("2020-01") + np.arange(n)).astype("datetime64[s]")
    table = Table(("a",), (times,), (values,), (plan,), ("price",), month)
    frame = frames.frame(table, test=10)
    part = Table(("a",), (times[30:],), (values[30:],), (plan[30:],), ("price",), month)
    got = frames.frame(part, like=frame)
    np.testing.assert_allclose(got.known[0], frame.known[0, 30:40], rtol=1e-6)
    np.testing.assert_allclose(got.u[0], frame.u[0, 30:], rtol=1e-6)


def test_artifacts_show_what_was_evaluated_and_forecast_nothing_again(tmp_path, monkeypatch):
    task = tasks.make(make("window"))
    params = task.init(jax.random.key(0))
    whole = protocol.evaluate_all(task, params)
    assert {"train", "test", "residuals", "baselines"} <= whole.shown.keys()
    monkeypatch.setattr(task, "backtest", lambda *_: pytest.fail("forecast again"))
    task.artifacts(params, whole, tmp_path)
    assert (tmp_path / "plots/forecast.png").stat().st_size > 5000


def test_values_after_the_origin_change_no_forecast(tmp_path):
    table = named("airline")
    later = table.values[0].copy()
    later[120:] += 100
    task, other = tasks.make(make("best")), tasks.make(make("best"))
    other.__dict__["table"] = table._replace(values=(later,))
    params = parameters(task)
    origins = task.origins("test")[:24]
    for t in (task, other):
        assert t.frame.ends[0, 1] == 96
    one, two = (t.forecasts(params, origins, 2) for t in (task, other))
    np.testing.assert_array_equal(one, two)


def run_cli(*args):
    command = [sys.executable, "train.py", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_train_then_predict_from_the_run_and_from_newer_data(tmp_path, capsys):
    file = tmp_path / "my.csv"
    rng = np.random.default_rng(0)
    months = np.datetime64("2010-01") + np.arange(70)
    rows = [f"{m},{10 + k % 12 + rng.normal():.3f},{k}" for k, m in enumerate(months)]
    file.write_text("month,a,b\n" + "\n".join(rows) + "\n")
    run = tmp_path / "run"
    done = run_cli(
        "--config=configs/forecast.py", f"--config.data.path={file}", f"--run={run}",
        "--config.horizon=4", *TINY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "persistence" in done.stdout
    result = json.loads((run / "result.json").read_text())
    assert {"test_rmse", "test_mase", "persistence_rmse", "coverage_95"} <= result["metrics"].keys()
    for name in ("forecast", "residuals", "loss"):
        assert (run / f"plots/{name}.png").stat().st_size > 5000
    file.rename(tmp_path / "moved.csv")  # the run alone is enough
    assert predict.main(["predict", f"--run={run}", "--horizon=5"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["time"] for r in lines[:2]] == ["2015-11", "2015-12"] and len(lines) == 10
    assert all(r["lower"] < r["forecast"] < r["upper"] for r in lines)
    rows = (run / "forecast.csv").read_text().splitlines()
    written = list(csv.DictReader(rows))
    assert [r["series"] for r in written] == ["a"] * 5 + ["b"] * 5
    same = ["predict", f"--run={run}", "--horizon=5", f"--input={tmp_path / 'moved.csv'}"]
    assert predict.main(same) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == lines
    other = tmp_path / "other.csv"
    other.write_text("month,a,c\n2010-01,1,2\n2010-02,2,3\n2010-03,2,3\n")
    with pytest.raises(UserError, match="series a, c; this model forecasts a, b"):
        predict.main(["predict", f"--run={run}", f"--input={other}"])
    with pytest.raises(UserError, match="--horizon=0: must be at least 1"):
        predict.main(["predict", f"--run={run}", "--horizon=0"])


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"data__test": 140.0}, "144 rows, of which 4 are for training.*needs"),
        ({"horizon": 0}, "horizon=0: must be at least 1"),
        ({"model__horizon": 0}, "model.horizon=0: must be at least 1"),
        ({"model__patch": 5, "model__length": 12}, "patch=5: must divide"),
        ({"data__transform": "lgo"}, "did you mean 'log'"),
        ({"data__difference": (0,)}, "lags of at least 1"),
        ({"model__stateful": True}, "batch_size=16: must be 1"),
        ({"data__name": "airlin"}, "did you mean 'airline'"),
        ({"best__metric": "valid_loss"}, "no validation part"),
        ({"best__metric": "valid_rsme"}, "did you mean 'valid_rmse'"),
        ({"best__metric": "valid_loss", "data__valid": 0.001}, "valid part has 0 rows"),
        ({"loss": "mes"}, "did you mean 'mse'"),
        ({"ensemble__members": 1}, "multiple of the 2 views"),
        (
            {"ensemble__members": 1, "ensemble__differences": (), "ensemble__lengths": ()},
            "holdout=.*needs",
        ),
        ({"ensemble__lengths": (2, 12)}, "longest must be --config.model.length=13"),
        ({"ensemble__differences": ((12,), (0,))}, "lags of at least 1"),
        ({"ensemble__differences": (1, 12)}, "lags of at least 1"),
        ({"ensemble__lengths": (0, 13)}, "at least 1 each"),
        ({"ensemble__recent": -1}, "ensemble.recent=-1: must be at least 0"),
    ],
)
def test_a_config_out_of_range_is_named(keys, message):
    with pytest.raises(UserError, match=message):
        task = tasks.make(make("best", **keys))
        plan.make(task.config, task.steps_per_epoch("train"))


def test_a_logarithm_of_zero_and_a_constant_series_are_told(tmp_path, capsys):
    table = named("airline")
    with pytest.raises(UserError, match="is 0 at 1949-04: a logarithm"):
        values = table.values[0].copy()
        values[3] = 0
        frames.frame(table._replace(values=(values,)), transform="log")
    task = tasks.make(make("window", data__scaler="standard"))
    task.__dict__["table"] = table._replace(values=(np.full(144, 7.0),))
    assert np.isfinite(task.frame.u).all()
    assert "'passengers' is constant" in capsys.readouterr().err
    metrics = task.evaluate(parameters(task), "test").metrics
    assert all(np.isfinite(v) for v in metrics.values()) and "test_mase" not in metrics


def test_what_is_known_is_not_shifted_where_blocks_do_not_divide_the_horizon():
    """The last origins read features past the end of the series: 15 rows ahead for 12 in blocks of 5."""
    keys = {"model__horizon": 5, "horizon": 12, "data__calendar": True, "model__hidden": 4}
    task = tasks.make(make("own", "forecast", **keys))
    params = parameters(task)
    origins = task.origins("test")[-3:]
    far = task.views_of(task.table, 100)
    np.testing.assert_array_equal(
        task.forecasts(params, origins, 12), task.forecasts(params, origins, 12, far)
    )


def test_forecasts_of_standard_input_and_of_a_run_that_cannot_be_written(
    tmp_path, capsys, monkeypatch
):
    run = tmp_path / "run"
    config = make("own", "forecast", model__hidden=4, epochs=1.0, horizon=3)
    loop.fit(jobs.make(config), run)
    capsys.readouterr()
    months = np.datetime64("1961-01") + np.arange(40)
    sheet = "time,passengers\n" + "\n".join(f"{m},{400 + i}" for i, m in enumerate(months))

    def ask(*more):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sheet.encode())))
        code = cli.run(predict.main, ["predict", f"--run={run}", *more])
        out, err = capsys.readouterr()
        return code, [json.loads(line)["time"] for line in out.splitlines()], err

    assert ask("--input=-") == (0, ["1964-05", "1964-06", "1964-07"], "")
    (run / "forecast.csv").unlink()
    (run / "forecast.csv").mkdir()  # cannot be written
    code, times, err = ask()
    assert (code, len(times)) == (0, 3)
    assert err.startswith("note: ") and "cannot be written" in err and err.count("\n") == 1
    code, times, err = ask(f"--out={tmp_path}/none/out.csv")
    assert (code, times) == (2, []) and "cannot be written" in err
