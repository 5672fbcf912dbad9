"""What forecasts are worth: scores beside baselines on the same rows, intervals, tables."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.errors import DataError
from zoo.data.files import read_bytes, write_bytes
from zoo.data.series import calendar, frames
from zoo.data.series.table import Table
from zoo.tasks.forecasting import ahead, baselines, combination, intervals, linear, plots, scores
from zoo.tasks.protocol import Evaluation

LEVELS = (0.8, 0.95)
# The level by which intervals of what comes next are as wide as those before, and by how much at most.
_STEERED, _STRETCH = 0.8, (0.5, 2.0)


class Backtest(NamedTuple):
    """Forecasts of one split from every origin in it, with the true past known at each.

    origins: (n, 2) of (series, row)
    z:       (n, H) forecasts in the transformed scale
    source:  (look back, skip): rows at the start and end of the test part that the source leaves out
    before:  ((m,) series, (m, H) residuals): known before the split; given where intervals follow the
             last ``recent`` errors of each series, those of the split included once they are known, and,
             with ``gamma``, whether the intervals held them, see ``intervals``
    """

    table: Table
    frame: frames.Frame
    split: str
    origins: np.ndarray
    z: np.ndarray
    source: tuple[int, int] | None = None
    before: tuple[np.ndarray, np.ndarray] | None = None
    recent: int = 0
    gamma: float = 0.0

    @property
    def truth(self) -> np.ndarray:
        """z (n, H) that came; NaN past the end of the split."""
        return frames.actual(self.frame, self.origins, self.z.shape[1], self.split)

    def scores(self) -> dict[str, float]:
        """One step ahead: rmse, mae, mase, smape. All H steps, from rolling origins: the same with
        "_ahead". Of several series mase is the mean of theirs; rmse and mae are of all their values
        together, so that of the largest counts most: ``of_each`` tells them apart. scaled_mse and
        scaled_mae are of all H steps in units of each series' scale."""
        actual, forecast = (frames.values(self.frame, z) for z in (self.truth, self.z))
        metrics = self.scores_of(actual, forecast, self.split)
        metrics |= self._scaled(self.truth - self.z, self.split)
        if self.source and self.split == "test":
            look_back, skip = self.source
            series, t = self.origins.T
            ends = self.frame.ends[series]
            kept = (t >= ends[:, 1] + look_back) & (t < ends[:, 2] - skip)
            metrics["test_rmse_source"] = scores.rmse(actual[kept, 0], forecast[kept, 0])
        return metrics

    def interval_scores(self, residuals: np.ndarray) -> dict[str, float]:
        """One step ahead: the share of values inside each interval, and the mean pinball loss."""
        truth, metrics, losses = self.truth[:, :1], {}, []
        for level in LEVELS:
            low, high = self.interval(residuals, level)
            share = scores.coverage(truth, low[:, :1], high[:, :1])
            metrics[f"coverage_{level * 100:.0f}"] = share
            for bound, quantile in ((low, (1 - level) / 2), (high, (1 + level) / 2)):
                losses.append(self._pinball(bound, quantile))
        losses.append(self._pinball(self.z, 0.5))
        return metrics | {"pinball": float(np.mean(losses))}

    def interval(self, residuals: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """(low, high), each z (n, H), that hold a share ``level`` of what comes."""
        scale = self.frame.scale[self.origins[:, 0], None]
        if self.before:
            half = self._following(level) * scale
        else:
            half = intervals.half_widths(residuals, level, self.z.shape[1])[None] * scale
        floor = intervals.floors(self.table, self.frame)[self.origins[:, 0], None]
        return np.maximum(self.z - half, floor), np.maximum(self.z + half, floor)

    def latest(self) -> np.ndarray:
        """(series x recent, H) the last residuals of each series at each step ahead; NaN for none."""
        kept = []
        for i in np.unique(self.origins[:, 0]):
            errors = self._errors(i)
            last = np.full((self.recent, errors.shape[1]), np.nan)
            for h, column in enumerate(errors.T):
                known = column[np.isfinite(column)][-self.recent :]
                last[self.recent - len(known) :, h] = known
            if self.gamma:  # as wide as they have become
                wide = self._widths(i, int(np.sum(self.origins[:, 0] == i)), _STEERED)[-1]
                plain = intervals.half_widths(last, _STEERED, last.shape[1])
                ratio = wide / np.where(plain > 0, plain, 1)
                if np.isfinite(ratio).any():
                    last *= np.clip(np.nanmedian(ratio), *_STRETCH)
            kept.append(last)
        return np.concatenate(kept)

    def _errors(self, series):
        """(rows, H) residuals of one series in order of time: those before the split, then its own."""
        mine = self.origins[:, 0] == series
        own = (self.truth[mine] - self.z[mine]) / self.frame.scale[series]
        return np.concatenate([self.before[1][self.before[0] == series], own])

    def _following(self, level):
        """Half widths (n, H) from the errors that are known at each origin (Xu & Xie 2021)."""
        half = np.empty(self.z.shape)
        for i in np.unique(self.origins[:, 0]):
            rows = np.flatnonzero(self.origins[:, 0] == i)
            half[rows] = self._widths(i, len(rows), level)[:-1]
        return half

    def _widths(self, series, count, level):
        errors = self._errors(series)
        settings = level, self.recent, self.gamma
        return intervals.following(errors, len(errors) - count, *settings)

    def baseline_scores(self, forecasts: dict[str, np.ndarray]) -> dict[str, float]:
        """rmse and mase of each baseline (n, H), one step ahead and "_ahead", and its scaled errors."""
        metrics: dict[str, float] = {}
        actual = frames.values(self.frame, self.truth)
        for name, forecast in forecasts.items():
            values = self.scores_of(actual, forecast, name)
            metrics |= {k: v for k, v in values.items() if "_rmse" in k or "_mase" in k}
            if not self.frame.logs:
                metrics |= self._scaled(actual - forecast, name)
        return metrics

    def of_each(self, baselines: dict[str, np.ndarray]) -> list[dict[str, float]]:
        """The scores of every series alone: of this model by the name of the split, and of the others."""
        actual, own = (frames.values(self.frame, z) for z in (self.truth, self.z))
        each = []
        for i in range(len(self.table.names)):
            mine, found = self.origins[:, 0] == i, {}
            part = self._replace(origins=self.origins[mine])
            for name, forecast in ({self.split: own} | baselines).items():
                found |= part.scores_of(actual[mine], forecast[mine], name)
            each.append(found)
        return each

    def scores_of(self, actual: np.ndarray, forecast: np.ndarray, name: str) -> dict[str, float]:
        """Those of any forecast (n, H) of ``actual``, as metrics that begin with ``name``."""
        parts = [("", actual[:, :1], forecast[:, :1])]
        whole = np.isfinite(actual).all(axis=1)
        if actual.shape[1] > 1 and whole.any():
            parts.append(("_ahead", actual[whole], forecast[whole]))
        metrics = {}
        for suffix, a, f in parts:
            series = self.origins[whole, 0] if suffix else self.origins[:, 0]
            metrics[f"{name}_rmse{suffix}"] = scores.rmse(a, f)
            metrics[f"{name}_mae{suffix}"] = scores.mae(a, f)
            if (mase := self._mase(a, f, series)) is not None:
                metrics[f"{name}_mase{suffix}"] = mase
            metrics[f"{name}_smape{suffix}"] = scores.smape(a, f)
        return metrics

    def _scaled(self, errors, name):
        whole = np.isfinite(errors).all(axis=1)
        if errors.shape[1] == 1 or not whole.any():
            return {}
        errors = errors[whole] / self.frame.scale[self.origins[whole, 0], None]
        mse, mae = float(np.mean(errors**2)), float(np.mean(np.abs(errors)))
        return {f"{name}_scaled_mse": mse, f"{name}_scaled_mae": mae}

    def _mase(self, actual, forecast, series):
        """The mean over series, each scaled by its own training part; None where all are constant."""
        each = []
        for i in np.unique(series):
            history = self.table.values[i][: self.frame.ends[i, 0]]
            rows = series == i
            each.append(
                scores.mase(actual[rows], forecast[rows], history, self.table.frequency.season)
            )
        each = [v for v in each if np.isfinite(v)]
        return float(np.mean(each)) if each else None

    def _pinball(self, z, quantile):
        actual = frames.values(self.frame, self.truth[:, :1])
        return scores.pinball(actual, frames.values(self.frame, z[:, :1]), quantile)


def listed(each: list[dict[str, float]]) -> dict[str, list[float | None]]:
    """The errors of every series as metrics: a list each, None where a series has none."""
    keys = [f"test_{kind}{steps}" for steps in ("", "_ahead") for kind in ("rmse", "mase")]
    found = {f"{key}_each": [scores.get(key) for scores in each] for key in keys}
    return {key: values for key, values in found.items() if any(v is not None for v in values)}


def baseline_forecasts(
    table: Table, frame: frames.Frame, horizon: int, classical: bool
) -> dict[str, np.ndarray]:
    """name -> (n, horizon): baselines from every origin of the test part, in the series' unit; those
    that every series has."""
    each = []
    for values, (_, start, end) in zip(table.values, frame.ends, strict=True):
        # Origins near the end look past it: their forecasts are made, and need no truth.
        values = np.append(values[:end], np.full(horizon - 1, values[end - 1]))
        season = table.frequency.season
        options = {"classical": classical, "seasons": linear.long_seasons(table.frequency)}
        each.append(baselines.forecasts(values, start, horizon, season, **options))
    common = [n for n in each[0] if all(n in f for f in each)]
    return {n: np.concatenate([f[n] for f in each]) for n in common}


def write(task, params, evaluated: Evaluation, run: Path) -> None:
    """Writes predictions.csv, backtest.csv, residuals.npy, summary.txt and plots."""
    shown = evaluated.shown
    if task.stack:
        combination.save(task.stack.combination, run)
    residuals = shown["residuals"] if "residuals" in shown else task.residuals(params)
    buffer = io.BytesIO()
    np.save(buffer, residuals)
    write_bytes(run / "residuals.npy", buffer.getvalue())
    predictions, horizon, table = [], task.config.horizon, task.table
    if table.features:  # as far as they are known in advance
        rows = zip(table.known, table.values, strict=True)
        horizon = min(horizon, *(len(k) - len(v) for k, v in rows))
    if horizon:
        predictions = ahead.rows(task, params, residuals, horizon)
        write_bytes(run / "predictions.csv", to_csv(predictions).encode())
    if (test := shown.get("test")) is not None:
        rows = _rows(test, residuals, shown["baselines"])
        write_bytes(run / "backtest.csv", to_csv(rows).encode())
        from zoo.tasks.forecasting import summary  # it reads a Backtest

        text = summary.text(task, evaluated)
        write_bytes(run / "summary.txt", text.encode())
    plots.draw(task, shown | {"residuals": residuals}, predictions, run)


def read_residuals(run: Path) -> np.ndarray:
    """The residuals (n, H) of a finished run. Raises DataError where they are missing or damaged."""
    file = run / "residuals.npy"
    try:
        return np.load(io.BytesIO(read_bytes(file)), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{str(file)!r} is damaged: {error}") from None


def to_csv(rows: list[dict]) -> str:
    """Rows as CSV, numbers to 6 digits."""
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return out.getvalue()


def _rows(backtest, residuals, baselines):
    low, high = (frames.values(backtest.frame, z)[:, 0] for z in backtest.interval(residuals, 0.95))
    actual, forecast = (
        frames.values(backtest.frame, z)[:, 0] for z in (backtest.truth, backtest.z)
    )
    table, rows = backtest.table, []
    for k, (i, t) in enumerate(backtest.origins):
        row = {"series": table.names[i], "time": calendar.show(table.times[i][t], table.frequency)}
        row |= {"actual": actual[k], "forecast": forecast[k], "lower": low[k], "upper": high[k]}
        rows.append(row | {name: values[k, 0] for name, values in baselines.items()})
    return rows
