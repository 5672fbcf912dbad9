"""Series of one's own: an autoregression whose order the data choose, and the weights of candidates."""

import json
from pathlib import Path

import numpy as np
import pytest

import train
from zoo import cli, predict, tasks
from zoo import config as configs
from zoo.data.errors import DataError
from zoo.data.series import calendar, frames
from zoo.data.series.read import named
from zoo.runs.load import load
from zoo.tasks.forecasting import (
    baselines,
    candidates,
    combination,
    evaluation,
    exponential,
    intervals,
    linear,
    own,
    smoothing,
    summary,
    theta,
)
from zoo.tasks.forecasting.combination import Combination

ROOT = Path(__file__).parent.parent
AIRLINE = named("airline").values[0]


def series(length, seed=0):
    """An autoregression of order 2 around 50."""
    noise, y = np.random.default_rng(seed).normal(size=length + 50), np.zeros(length + 50)
    for t in range(2, len(y)):
        y[t] = 1.2 * y[t - 1] - 0.5 * y[t - 2] + noise[t]
    return 50 + y[50:]


def test_the_order_and_the_weights_of_an_autoregression_are_found():
    model = linear.fit(series(3000), 1)
    assert 2 <= len(model.weights) <= 4
    np.testing.assert_allclose(model.weights[:2], [1.2, -0.5], atol=0.06)


def test_seasonal_differences_and_logarithms_are_chosen_for_the_airline():
    model = linear.fit(AIRLINE[:96], 12)
    assert model.logs and model.difference == 12
    assert len(model.weights) == model.order + 12


@pytest.mark.parametrize("values", [series(60), AIRLINE])
def test_forecasts_are_the_equation_step_by_step(values):
    model = linear.fit(values, 12, (25.0,))
    z = np.log(values) if model.logs else values
    waves = [k for _, k in model.pairs]
    for origin, row in zip(
        (40, 50), linear.forecasts(model, values, np.array([40, 50]), 5), strict=True
    ):
        past = list(z[:origin])
        for h in range(5):
            value = model.constant + sum(w * past[-j] for j, w in enumerate(model.weights, 1))
            for i, (period, k) in enumerate(model.pairs):
                angle = 2 * np.pi * k * (origin + h) / period
                value += model.waves[i] * np.cos(angle) + model.waves[i + len(waves)] * np.sin(
                    angle
                )
            past.append(value)
        np.testing.assert_allclose(row, past[origin:], rtol=1e-9)


def test_a_year_in_daily_data_is_found_where_there_are_enough_of_them():
    t = np.arange(1500)
    noise = np.random.default_rng(1).normal(size=len(t))
    values = 10 * np.cos(2 * np.pi * t / 365.25) + noise
    seasons = linear.long_seasons(calendar.frequency("day"))
    assert linear.fit(values, 7, seasons).pairs[0] == (365.25, 1)
    assert linear.fit(values[:600], 7, seasons).pairs == ()
    assert linear.long_seasons(calendar.frequency("hour")) == (168, 8766)
    assert linear.long_seasons(calendar.frequency("month")) == ()


def test_an_autoregression_of_some_rows_does_not_see_the_others():
    values, model = series(80), linear.fit(series(80), 1)
    use = np.ones(80, bool)
    use[30:40] = False
    rows = np.arange(model.order, 80)
    rows = rows[use[rows]]
    design = np.stack(
        [np.ones(len(rows)), *(values[rows - j] for j in range(1, model.order + 1))], 1
    )
    wanted = np.linalg.lstsq(design, values[rows], rcond=None)[0]
    got = linear.refit(model, values, use)
    np.testing.assert_allclose([got.constant, *got.weights], wanted, rtol=1e-8)


@pytest.mark.parametrize("values", [np.ones(50), np.arange(3.0), np.zeros(0)])
def test_a_series_that_teaches_nothing_has_no_autoregression(values):
    assert linear.fit(values, 12) is None


@pytest.mark.parametrize("logs", [False, True])
def test_the_theta_method_is_its_recursion(logs):
    model = theta.fit(AIRLINE, 12, logs)
    assert model.season.sum() == pytest.approx(0, abs=1e-9) and len(model.season) == 12
    z = np.log(AIRLINE) if logs else AIRLINE
    level = z[0] - model.season[0]
    for t in range(1, 50):
        before = level + model.drift
        level = before + model.alpha * (z[t] - model.season[t % 12] - before)
    wanted = [level + model.drift * h + model.season[(49 + h) % 12] for h in range(1, 15)]
    np.testing.assert_allclose(theta.forecasts(model, AIRLINE, np.array([50]), 14)[0], wanted)


def test_theta_finds_a_trend_and_a_season():
    t = np.arange(80)
    values = 3 + 0.5 * t + np.array([2.0, -1, -1])[t % 3]
    model = theta.fit(values, 3, False)
    np.testing.assert_allclose(model.season, [2, -1, -1], atol=0.05)
    ahead = theta.forecasts(model, values, np.array([79]), 1)[0, 0]
    assert ahead == pytest.approx(values[79], abs=0.3)
    assert theta.fit(np.ones(50), 3, False) is None and theta.fit(values[:7], 3, False) is None


def test_exponential_smoothing_is_that_of_statsmodels():
    ets = pytest.importorskip("statsmodels.tsa.exponential_smoothing.ets")
    model = exponential.fit(AIRLINE[:100], 12, True)
    alpha, beta, gamma, phi = model.parameters
    start = {"initial_level": model.level, "initial_trend": model.trend}
    other = ets.ETSModel(
        np.log(AIRLINE[:120]), error="add", trend="add", damped_trend=True, seasonal="add",
        seasonal_periods=12, initialization_method="known", initial_seasonal=model.season, **start,
    )  # fmt: skip
    numbers = [alpha, alpha * beta, (1 - alpha) * gamma, phi]
    wanted = other.smooth(numbers)
    at = np.array([30, 120])
    got = exponential.forecasts(model, AIRLINE, at, 14)
    np.testing.assert_allclose(got[0, 0], wanted.fittedvalues[30])
    np.testing.assert_allclose(got[1], wanted.forecast(14))


def test_exponential_smoothing_finds_a_trend_and_a_season():
    t = np.arange(300)
    values = 3 + 0.5 * t + np.array([2.0, -1, -1])[t % 3]
    model = exponential.fit(values[:200], 3, False)
    got = exponential.forecasts(model, values, np.array([200, 250]), 5)
    wanted = values[[[200, 201, 202, 203, 204], [250, 251, 252, 253, 254]]]
    np.testing.assert_allclose(got, wanted, atol=1e-6)
    # The last 2,000 rows are what is looked at, and the season goes on in them.
    long = np.resize([2.0, -1, -1], 2500) + 5
    model = exponential.fit(long, 3, True)
    assert model.first == 500
    got = exponential.forecasts(model, long, np.array([501, 2500]), 3)
    np.testing.assert_allclose(np.exp(got), [[7, 4, 4], [4, 4, 7]], atol=0.05)


def test_exponential_smoothing_needs_rows_that_differ_and_have_logarithms():
    for values in (np.arange(9.0), np.ones(50)):
        assert exponential.fit(values, 1, False) is None
    assert exponential.fit(np.arange(50.0), 1, True) is None
    assert len(exponential.fit(np.arange(50.0), 52, False).season) == 1  # less than two seasons
    assert len(exponential.fit(np.arange(500.0) % 70, 70, False).season) == 1  # too long a season


def test_the_last_value_and_that_of_a_season_ago_are_repeated():
    at = np.array([20, 40])
    np.testing.assert_array_equal(
        linear.forecasts(linear.last(), AIRLINE, at, 3), np.repeat(AIRLINE[at - 1, None], 3, axis=1)
    )
    got = linear.forecasts(linear.last(12), AIRLINE, at, 14)
    np.testing.assert_array_equal(got[:, :12], AIRLINE[at[:, None] - 12 + np.arange(12)])
    np.testing.assert_array_equal(got[:, 12:], got[:, :2])


def test_smoothing_goes_on_from_what_it_was_fitted_on_and_from_nothing_else():
    pytest.importorskip("statsmodels")
    model = smoothing.fit("holt_winters", AIRLINE[:96], 12, 1)
    origins = np.array([40, 96, 110, 144])
    got = smoothing.forecasts(model, AIRLINE, origins, 3)
    wanted = baselines.forecasts(AIRLINE, 96, 3, 12, classical=True)["holt_winters"]
    assert np.isnan(got[0]).all() and np.isfinite(got[1:]).all()
    np.testing.assert_allclose(got[1:3], wanted[[0, 14]])
    assert np.isnan(smoothing.forecasts(model, AIRLINE[1:], origins[1:2], 3)).all()
    assert (
        smoothing.fit("sarima", AIRLINE, 12, 4) is None
        and smoothing.fit("sarima", AIRLINE, 52, 1) is None
    )


def test_usual_candidates_count_alike_and_so_do_the_three_best():
    actual, signs = np.zeros((400, 2)), np.resize([1.0, -1.0], (400, 2))
    sizes = np.array([1.0, 1.25, 1.1, 1.2, 1.4, 1.6])
    each, usual = signs * sizes[:, None, None], np.array([0, 1, 0, 0, 1, 1], bool)
    got = combination.fit(tuple("abcdef"), each, actual, usual)
    # The error of the last one is too large.
    wanted = np.array([0, 1, 0, 0, 1, 0]) / 3 + np.array([1, 0, 1, 1, 0, 0]) / 9
    np.testing.assert_allclose(got.weights, [wanted, wanted])
    np.testing.assert_allclose(got.errors, [sizes, sizes])
    alone = combination.fit(tuple("abcdef"), each, actual, np.arange(6) == 5)
    np.testing.assert_allclose(alone.weights[0], [1 / 3, 0, 1 / 3, 1 / 3, 0, 0])


def test_a_candidate_that_is_always_wrong_has_no_weight_and_one_without_forecasts_neither():
    rng = np.random.default_rng(0)
    actual = rng.normal(size=(2000, 3))
    each = np.stack([actual + rng.normal(size=actual.shape) * s for s in (0.1, 5.0)])
    lacking = np.full((1, *actual.shape), np.nan)
    usual = np.array([False, True, True])
    found = combination.fit(("good", "bad", "none"), np.concatenate([each, lacking]), actual, usual)
    assert found.weights[:, 0].min() > 0.9 and not found.weights[:, 2].any()
    assert found.errors[0, 0] == pytest.approx(0.1, rel=0.2) and np.isnan(found.errors[0, 2])
    one = combination.fit(("a", "b"), each[:, :, :1], actual[:, :1], usual[:2])
    np.testing.assert_array_equal(one.weights[0], one.weights[1])


def test_weights_go_by_name_for_a_run_that_knew_fewer_candidates():
    known = Combination(("a", "b"), np.array([[0.3, 0.7], [1.0, 0.0]]), np.ones((2, 2)))
    got = combination.among(known, ("new", "b", "a"))
    np.testing.assert_array_equal(got.weights, [[0, 0.7, 0.3], [0, 0, 1]])
    np.testing.assert_array_equal(got.errors, [[np.nan, 1, 1]] * 2)


def test_a_width_by_few_errors_is_no_narrower_than_that_of_the_step_before():
    few = np.array([[3.0, 1.0, np.nan, 4.0]] * 19)
    np.testing.assert_array_equal(intervals.half_widths(few, 0.8, 4), [3, 3, 3, 4])
    enough = np.concatenate([few, few[:1]])
    np.testing.assert_array_equal(intervals.half_widths(enough, 0.8, 4), [3, 1, 1, 4])


def test_a_forecast_beyond_all_reach_is_left_out_unless_all_are():
    frame = frames.frame(named("airline"), test=0.2)
    low, high = AIRLINE[:100].min(), AIRLINE[:100].max()
    origins, edge = np.array([[0, 100], [0, 100]]), 2 * high - low
    each = np.array([[[high], [edge * 2]], [[edge * 1.01], [edge * 3]], [[low], [np.nan]]])
    got = candidates.within_reach(frame, origins, each)
    np.testing.assert_array_equal(got[:, 0, 0], [high, np.nan, low])
    np.testing.assert_array_equal(got[:, 1, 0], each[:, 1, 0])
    far = np.full((2, 2, 300), edge + (high - low))  # 300 steps ahead of 100 rows
    far[1] = high
    got = candidates.within_reach(frame, origins, far)
    assert np.isnan(got[0, :, :199]).all() and np.isfinite(got[0, :, 200:]).all()


def test_a_curve_that_repeats_itself_to_the_last_digit_has_small_weights():
    values = np.round(0.31 * 1.044 ** np.arange(34), 4)
    values[-3:] -= 0.1  # and then does not
    model = linear.fit(values, 1)
    assert np.abs(model.weights).sum() < 5
    ahead = linear.forecasts(model, values, np.array([34]), 12)
    ahead = np.exp(ahead) if model.logs else ahead
    assert (np.abs(ahead - 1.5) < 1).all()


def test_what_is_not_there_leaves_its_weight_to_the_others():
    c = Combination(("a", "b", "c"), np.array([[0.5, 0.5, 0.0], [0.2, 0.8, 0.0]]), np.ones((2, 3)))
    z = np.array([[[1.0, 1.0]], [[3.0, 3.0]], [[9.0, 9.0]]])
    np.testing.assert_allclose(combination.combine(c, z), [[2.0, 2.6]])
    z[1] = np.nan
    np.testing.assert_allclose(combination.combine(c, z), [[1.0, 1.0]])
    z[0] = np.nan
    np.testing.assert_allclose(combination.combine(c, z), [[9.0, 9.0]])


def test_a_combination_is_kept_and_a_damaged_one_is_named(tmp_path):
    c = Combination(
        ("a", "b"), np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[1.0, np.nan], [2.0, 3.0]])
    )
    combination.save(c, tmp_path)
    got = combination.load(tmp_path)
    assert got.names == c.names
    np.testing.assert_array_equal(got.weights, c.weights)
    np.testing.assert_array_equal(got.errors, c.errors)
    for text in (
        "{",
        '{"names": ["a"]}',
        '{"names": ["a"], "weights": [[1]], "errors": [[1], [1]]}',
    ):
        (tmp_path / "combination.json").write_text(text)
        with pytest.raises(DataError, match="is damaged"):
            combination.load(tmp_path)
    (tmp_path / "combination.json").unlink()
    assert combination.load(tmp_path) is None


def csv_of(path, values, start="2001-01"):
    months = np.datetime64(start) + np.arange(len(values))
    path.write_text(
        "month,v\n" + "".join(f"{m},{v}\n" for m, v in zip(months, values, strict=True))
    )
    return path


@pytest.mark.parametrize(
    ("values", "transforms"),
    [
        (AIRLINE, {"log", "none"}),
        (AIRLINE - 300, {"none"}),
        (series(20), {"none"}),
        (series(40), {"log", "none"}),
    ],
)
def test_candidates_follow_from_the_series(tmp_path, values, transforms):
    c = configs.load(str(ROOT / "configs/forecast.py"))
    c.data.path = str(csv_of(tmp_path / "a.csv", values))
    said = own.settle(c, {"batch_size"})
    assert set(c.ensemble.transforms) == transforms and c.batch_size == 32
    assert len(c.ensemble.transforms) == len(c.ensemble.differences) == len(c.ensemble.lengths)
    assert f"{c.ensemble.members} networks of {len(c.ensemble.lengths)} kind" in said
    assert c.ensemble.members == 4 * len(c.ensemble.lengths)


def test_candidates_keep_to_what_was_given(tmp_path):
    def settled(**data):
        c = configs.load(str(ROOT / "configs/forecast.py"))
        c.data.update({"path": str(csv_of(tmp_path / "a.csv", AIRLINE)), **data})
        c.model.length = 5
        own.settle(c, {"model.length", *(f"data.{key}" for key in data)})
        assert set(c.ensemble.lengths) == {5}
        return c.ensemble

    assert set(settled(transform="none").transforms) == {"none"}
    assert set(settled(transform="log").transforms) == {"log"}
    assert settled(difference=(12,)).differences == ((12,), (12,))
    assert settled(difference=(12,), transform="log").members == 4
    c = configs.load(str(ROOT / "configs/forecast.py"))
    c.model.stateful = True
    assert own.settle(c, set()) == ""


def test_a_stacked_run_forecasts_and_says_what_it_weighed(tmp_path, capsys):
    file, run = csv_of(tmp_path / "a.csv", AIRLINE), tmp_path / "run"
    argv = ["train.py", f"--config={ROOT / 'configs/forecast.py'}", f"--config.data.path={file}"]
    argv += [f"--run={run}", "--config.epochs=2", "--config.model.hidden=4", "--config.horizon=3"]
    argv += ["--config.baselines=naive"]
    assert cli.run(train.main, argv) == 0
    out, err = capsys.readouterr()
    assert "20 networks of 5 kinds, two autoregressions, exponential smoothing and the Theta" in err
    assert "autoregression" in out and "weight ahead" in out
    _, params, task = load(run)
    record = json.loads((run / "combination.json").read_text())
    assert np.sum(record["weights"], axis=1) == pytest.approx([1, 1])
    # What networks of a view and the autoregression say, by those weights.
    u = task.forecasts(params, task.origins("test"), 3)
    full = np.arange(4)[:, None] >= 2
    full = np.broadcast_to(full, (4, u.shape[1]))
    at = task.views, task.origins("test")
    each = candidates.forecasts(*at, u, task.table, task.stack.simple, full, np.array([True]))
    wanted = combination.combine(task.stack.combination, each)
    np.testing.assert_allclose(task.backtest(params, "test").z, wanted)
    assert each.shape[0] == 12 and np.isfinite(each).all()
    assert cli.run(predict.main, ["predict", f"--run={run}", "--horizon=4"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 4 and all(row["lower"] > 0 for row in rows)
    # Newer data that begin in another month: what counts rows for its season is left out.
    newer = csv_of(tmp_path / "newer.csv", AIRLINE[77:], "2007-06")
    view = task.views_of(task.read(str(newer)), 3, like=task.views)
    at, table = np.array([[0, 60]]), task.read(str(newer))
    full = np.ones((4, 1), bool)
    each = candidates.forecasts(
        view, at, u[:, :1], table, task.stack.simple, full, np.zeros(1, bool)
    )
    lacking = np.isnan(each[:, 0]).all(axis=1)
    assert [n for n, no in zip(record["names"], lacking, strict=True) if no] == [
        "exponential smoothing of logarithms", "exponential smoothing of values", "Theta",
    ]  # fmt: skip
    record["weights"] = np.full((2, 12), 1 / 12).tolist()
    (run / "combination.json").write_text(json.dumps(record))
    assert cli.run(predict.main, ["predict", f"--run={run}", f"--input={newer}"]) == 0
    assert "the rows do not begin where those of training do" in capsys.readouterr().err
    # A run that has begun keeps its candidates.
    (run / "result.json").unlink()
    assert cli.run(train.main, argv) == 0


def test_scouts_do_not_train_on_what_they_are_judged_by(tmp_path):
    c = configs.load(str(ROOT / "configs/forecast.py"))
    c.data.path = str(csv_of(tmp_path / "a.csv", AIRLINE))
    own.settle(c, set())
    task = tasks.make(c)
    views, late = len(task.views), task.training_origins[:, 1] >= task.stack.cuts[0]
    assert 0.25 < late.mean() < 0.45
    for member in range(c.ensemble.members):
        left_out = task._kept[member] == 0
        able = task.training_origins[:, 1] >= task.views[member % views].need
        scout = member // views < 2
        assert left_out[late].all() == scout and not left_out[able & ~late].any()
    u = np.zeros((c.ensemble.members, len(late), 2))
    u[: 2 * views] = np.nan  # nothing of what scouts say is in a forecast
    names = task.stack._names
    task.stack.combination = Combination(names, np.full((2, 14), 1 / 14), np.ones((2, 14)))
    at = task.views, task.training_origins
    z, same = (task.stack.combined(*at, np.nan_to_num(u, nan=n), task.table) for n in (0, 0.5))
    np.testing.assert_array_equal(z, same)
    scouted = task.stack.combined(
        task.views, task.training_origins, u * 0, task.table, scouted=True
    )
    np.testing.assert_array_equal(np.isfinite(scouted[:, 0]), late)


def test_mistakes_are_told(tmp_path, capsys):
    file = csv_of(tmp_path / "a.csv", AIRLINE)

    def error(*keys):
        argv = [
            "train.py",
            f"--config={ROOT / 'configs/forecast.py'}",
            f"--config.data.path={file}",
        ]
        argv += [f"--run={tmp_path / 'run'}", *(f"--config.{key}" for key in keys)]
        assert cli.run(train.main, argv) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line

    assert "ensemble.combine=best" in error("ensemble.combine=best")
    assert "each must be none or log" in error("ensemble.transforms=('root',)")
    differences = "ensemble.differences=((1,),(2,),(3,))"
    assert "needs two members or more of each of 3 view(s)" in error(
        "ensemble.members=3", differences
    )
    assert "need --config.ensemble.combine=stacked" in error(
        "ensemble.combine=mean", "ensemble.transforms=('log','none')"
    )


def test_counts_have_no_interval_below_zero(tmp_path, capsys):
    counts = np.random.default_rng(0).poisson(0.6, 60).astype(float)
    file, run = csv_of(tmp_path / "a.csv", counts), tmp_path / "run"
    argv = ["train.py", f"--config={ROOT / 'configs/forecast.py'}", f"--config.data.path={file}"]
    argv += [f"--run={run}", "--config.epochs=1", "--config.model.hidden=2", "--config.horizon=2"]
    assert cli.run(train.main, [*argv, "--config.baselines=naive"]) == 0
    capsys.readouterr()
    assert cli.run(predict.main, ["predict", f"--run={run}", "--horizon=3"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(0 <= row["lower"] <= row["forecast"] < row["upper"] for row in rows)


def test_intervals_widen_after_they_did_not_hold_and_shrink_after_they_did():
    errors = np.concatenate([np.random.default_rng(0).normal(size=200), np.full(30, 9.0)])[:, None]
    calm = intervals.following(errors, 100, 0.8, 50)
    steered = intervals.following(errors, 100, 0.8, 50, gamma=0.1)
    assert len(calm) == len(steered) == 131
    early = slice(0, 100)
    held = np.abs(errors[100:200, 0]) <= steered[early, 0]
    assert held.mean() == pytest.approx(0.8, abs=0.03)
    assert steered[106, 0] > calm[106, 0] and steered[130, 0] >= 9
    # What came after an origin changes nothing of it.
    other = errors.copy()
    other[150:] = 0
    np.testing.assert_array_equal(
        intervals.following(other, 100, 0.8, 50, gamma=0.1)[:51], steered[:51]
    )
    with_gap = np.where(np.arange(230)[:, None] == 120, np.nan, errors)
    assert np.isfinite(intervals.following(with_gap, 100, 0.8, 50, gamma=0.1)).all()


def test_classical_methods_that_are_left_out_are_named(monkeypatch):
    assert "no season" in baselines.left_out(set(), 100, 80, 1)["sarima"]
    assert "two seasons" in baselines.left_out(set(), 40, 20, 12)["sarima"]
    assert "2,000 rows" in baselines.left_out(set(), 3000, 2000, 24)["holt_winters"]
    monkeypatch.setattr(baselines, "find_spec", lambda name: None)
    assert "not installed" in baselines.left_out({"sarima"}, 144, 96, 12)["holt_winters"]
    assert baselines.left_out({"sarima", "holt_winters"}, 144, 96, 12) == {}


def test_every_baseline_that_is_better_is_named():
    origins = np.stack([np.zeros(40, int), np.arange(100, 140)], axis=1)
    frame = frames.frame(named("airline"), test=44)
    backtest = evaluation.Backtest(named("airline"), frame, "test", origins, np.ones((40, 2)))
    metrics = {"test_rmse": 3.0, "test_rmse_ahead": 5.0, "ar_rmse": 2.0, "ar_rmse_ahead": 6.0}
    metrics |= {"persistence_rmse": 3.0, "persistence_rmse_ahead": 4.0}
    text = summary.scores(metrics, backtest, {"sarima": "no season"})
    assert "One month ahead this model (3) loses to ar (2), persistence (3)." in text
    assert "2 ahead this model (5) loses to persistence (4)." in text
    assert "left out: sarima, no season" in text
