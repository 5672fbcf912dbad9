"""Series that are short, turn negative, or come through a pipe: through the real command."""

import io
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import train
from zoo import cli, predict
from zoo.tasks.forecasting import linear, theta

ROOT = Path(__file__).parent.parent
TINY = ["epochs=1", "model.hidden=2", "ensemble.members=2", "baselines=naive", "horizon=2"]


def sheet(values):
    months = np.datetime64("2010-01") + np.arange(len(values))
    return "month,v\n" + "".join(f"{m},{v:.3f}\n" for m, v in zip(months, values, strict=True))


def command(path, run, *keys):
    argv = ["train.py", f"--config={ROOT / 'configs/forecast.py'}", f"--config.data.path={path}"]
    return cli.run(train.main, [*argv, f"--run={run}", *(f"--config.{key}" for key in keys)])


def wave(length, level=20.0):
    t = np.arange(length)
    return level + 3 * np.sin(t * np.pi / 6) + np.random.default_rng(0).normal(size=length) / 5


@pytest.mark.parametrize("path", ["-", "/dev/stdin"])
def test_a_pipe_is_read_once_and_the_settings_follow_from_it(tmp_path, capsys, monkeypatch, path):
    def piped(text):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    run = tmp_path / "run"
    piped(sheet(wave(60)))
    assert command(path, run, *TINY) == 0
    assert "1 series, 60 rows or more by month, season 12" in capsys.readouterr().err
    piped(sheet(wave(60)))
    assert command(path, run, *TINY) == 0
    assert "is finished" in capsys.readouterr().err
    piped(sheet(wave(61)))
    assert command(path, run, *TINY) == 2
    assert "not the data that" in capsys.readouterr().err
    piped("")
    assert command(path, tmp_path / "other", *TINY) == 2
    assert "standard input is empty" in capsys.readouterr().err


def test_a_series_that_turns_negative_after_its_training_part_is_forecast_without_a_word_of_numpy(
    tmp_path, capsys
):
    values = np.append(wave(50), wave(14, level=-10))
    file, run = tmp_path / "a.csv", tmp_path / "run"
    file.write_text(sheet(values))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert command(file, run, *TINY) == 0
        capsys.readouterr()
        assert cli.run(predict.main, ["predict", f"--run={run}"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(np.isfinite([r["lower"], r["forecast"], r["upper"]]).all() for r in rows)
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    assert np.isfinite(metrics["test_rmse"])
    assert command(file, tmp_path / "logs", *TINY, "data.transform=log") == 2
    assert "a logarithm needs values above 0" in capsys.readouterr().err


def test_where_a_value_has_no_logarithm_there_is_no_forecast_from_it():
    values = np.exp(wave(60, level=2))
    model, smooth = linear.plain(values, 1), theta.fit(values, 1, logs=True)
    assert model.logs and smooth.logs
    values[50] = -1
    at = np.array([50, 51, 55])
    with np.errstate(all="raise"):
        got = linear.forecasts(model, values, at, 2), theta.forecasts(smooth, values, at, 2)
    np.testing.assert_array_equal(np.isfinite(got[0][:, 0]), [True, False, True])
    np.testing.assert_array_equal(np.isfinite(got[1][:, 0]), [True, False, False])


@pytest.mark.parametrize("count", [20, 8])
def test_a_short_series_is_forecast_or_its_length_is_told(tmp_path, capsys, count):
    file, run = tmp_path / "a.csv", tmp_path / "run"
    file.write_text(sheet(wave(count)))
    code = command(file, run, *TINY)
    out, err = capsys.readouterr()
    if code == 2:
        assert count == 8 and "8 rows, of which 6 are for training" in err
        assert not run.exists()
    else:
        assert count == 20 and code == 0 and "this model" in out
