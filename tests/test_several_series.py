"""Several series in one file: each has its figures, none drowns in the unit of another."""

import json
from pathlib import Path

import numpy as np
import pytest

import train
from zoo import cli, predict
from zoo.data.series import calendar, frames
from zoo.data.series.table import Table
from zoo.tasks import figures
from zoo.tasks.forecasting import evaluation, scores, summary

ROOT = Path(__file__).parent.parent
TINY = ["epochs=2", "model.hidden=2", "model.length=4", "ensemble.members=4", "horizon=8"]
TINY += ["baselines=naive", "ensemble.differences=((1,),())", "ensemble.transforms=('none',)"]
TINY += ["ensemble.lengths=(4,)", "adapt=False"]


def months(lengths, sizes):
    """A table of series by month of these lengths, each of its own size."""
    rng, month = np.random.default_rng(0), calendar.frequency("month")
    times = [(np.datetime64("2010-01") + np.arange(n)).astype("datetime64[s]") for n in lengths]
    values = [
        size * (10 + np.sin(np.arange(n) * np.pi / 6) + rng.normal(size=n) / 9)
        for n, size in zip(lengths, sizes, strict=True)
    ]
    names = tuple(f"s{i}" for i in range(len(lengths)))
    return Table(
        names, tuple(times), tuple(values), tuple(np.zeros((n, 0)) for n in lengths), (), month
    )


def written(path, table):
    rows = ["name,month,v"]
    for name, times, values in zip(table.names, table.times, table.values, strict=True):
        rows += [f"{name},{str(t)[:7]},{v}" for t, v in zip(times, values, strict=True)]
    path.write_text("\n".join(rows) + "\n")
    return path


def command(file, run, *keys):
    argv = ["train.py", f"--config={ROOT / 'configs/forecast.py'}", f"--config.data.path={file}"]
    return cli.run(train.main, [*argv, f"--run={run}", *(f"--config.{key}" for key in keys)])


@pytest.fixture
def titles(monkeypatch):
    """The title of every figure that is kept, and of how many axes with something on them."""
    seen, keep = {}, figures.keep

    def kept(figure, run, name, **options):
        drawn = [axes for axes in figure.axes if axes.lines or axes.patches]
        title = figure.get_suptitle() or drawn[0].get_title()
        labels = [label.get_text() for label in drawn[0].get_xticklabels()]
        seen[name] = title, len(drawn), labels
        keep(figure, run, name, **options)

    monkeypatch.setattr(figures, "keep", kept)
    return seen


def test_each_series_has_its_figures_and_the_plots_say_what_they_leave_out(
    tmp_path, capsys, titles
):
    table = months([60] * 7 + [32], [1, 1000, 1, 1, 1, 1, 1, 50])
    file, run = written(tmp_path / "a.csv", table), tmp_path / "run"
    assert command(file, run, "data.key=name", *TINY) == 0
    out = capsys.readouterr().out
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    backtest = np.genfromtxt(
        run / "backtest.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    for i, (name, values) in enumerate(zip(table.names, table.values, strict=True)):
        rows = backtest[backtest["series"] == name]
        train_part = values[: len(values) - len(rows)]
        rmse = scores.rmse(rows["actual"], rows["forecast"])
        mase = scores.mase(rows["actual"], rows["forecast"], train_part, 12)
        assert metrics["test_rmse_each"][i] == pytest.approx(rmse, rel=1e-3)
        assert metrics["test_mase_each"][i] == pytest.approx(mase, rel=1e-3)
        (line,) = [line for line in out.splitlines() if line.startswith(f"{name} ")]
        assert f"{metrics['test_rmse_each'][i]:.4g}" in line
        ahead = metrics["test_mase_ahead_each"][i]
        assert (line.split()[-1] == "-") if name == "s7" else f"{ahead:.4g}" in line
    assert metrics["test_mase"] == pytest.approx(np.mean(metrics["test_mase_each"]))
    head = out.splitlines()[1]
    assert "MASE, 8 ahead" in head and "RMSE" not in head
    assert "MASE: the mean over the series" in out
    assert "one month ahead, this model is better than all others on" in out
    assert out.count("of 8 series\n") == 1 and out.count("of 7 series\n") == 1
    title, drawn, _ = titles["forecast.png"]
    assert (title, drawn) == ("forecast:own, the first 6 of 8 series", 6)
    title, _, labels = titles["residuals.png"]
    assert title == "residuals, one step ahead, 8 series"
    assert 2 <= len(labels) <= 8
    assert cli.run(predict.main, ["predict", f"--run={run}"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    times = {(row["series"], row["time"]) for row in rows}
    assert len(times) == 64 and ("s0", "2015-01") in times and ("s7", "2012-09") in times


def test_of_many_series_those_with_the_largest_errors_have_a_line():
    table = months([40] * 30, [1] * 30)
    frame = frames.frame(table, test=8)
    origins = frames.origins(frame, "test", 12, 1)
    z = frames.actual(frame, origins, 1, "test") + origins[:, :1] / 10
    backtest = evaluation.Backtest(table, frame, "test", origins, z)
    each = backtest.of_each({"persistence": z * 0})
    lines = summary.by_series(backtest, each)
    shown = {line.split()[0] for line in lines[1:21]}
    assert len(shown) == 20 and "s29" in shown and "s0" not in shown
    assert lines[21].startswith("20 of 30 series, those with the largest MASE; result.json has all")
    assert lines[22] == "one month ahead, this model is better than all others on 30 of 30 series"


def test_a_constant_series_among_others_has_no_mase_and_hides_nothing(tmp_path, capsys):
    table = months([60, 60], [1, 1])
    table.values[0][:] = 7
    file, run = written(tmp_path / "a.csv", table), tmp_path / "run"
    assert command(file, run, "data.key=name", *TINY) == 0
    out, err = capsys.readouterr()
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    assert metrics["test_mase_each"][0] is None and metrics["test_mase_each"][1] > 0
    assert "series 's0' is constant" in err
    (line,) = [line for line in out.splitlines() if line.startswith("s0 ")]
    assert line.split()[2] == "-"
