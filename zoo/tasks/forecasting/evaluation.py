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
from zoo.tasks.forecasting import baselines, combination, intervals, linear, plots, scores
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
        "_ahead". scaled_mse and scaled_mae are of all H steps in units of each series' scale."""
        actual = frames.values(self.frame, self.truth)
        metrics = self._scores(actual, frames.values(self.frame, self.z), self.split)
        metrics |= self._scaled(self.truth - self.z, self.split)
        if self.source and self.split == "test":
            look_back, skip = self.source
            series, t = self.origins.T
            ends = self.frame.ends[series]
            kept = (t >= ends[:, 1] + look_back) & (t < ends[:, 2] - skip)
            forecast = frames.values(self.frame, self.z)
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
            values = self._scores(actual, forecast, name)
            metrics |= {k: v for k, v in values.items() if "_rmse" in k or "_mase" in k}
            if not self.frame.logs:
                metrics |= self._scaled(actual - forecast, name)
        return metrics

    def _scores(self, actual, forecast, name):
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


def summary(
    metrics: dict[str, float], backtest: Backtest, left_out: dict[str, str] | None = None
) -> str:
    """The scores of the model and the baselines as a table, who won, and which were left out and why."""
    left_out = left_out or {}
    table, horizon = backtest.table, backtest.z.shape[1]
    period, season = backtest.table.frequency.name, backtest.table.frequency.season
    first, last = backtest.origins[:, 1].min(), backtest.frame.ends[0, 2] - 1
    times = [calendar.show(table.times[0][t], table.frequency) for t in (first, last)]
    names = [k.removesuffix("_rmse") for k in metrics if k.endswith("_rmse")]
    names = ["test", *(n for n in names if n not in ("train", "valid", "test"))]
    ahead = "test_rmse_ahead" in metrics
    columns = ["rmse", "mase"] + (["rmse_ahead", "mase_ahead"] if ahead else [])
    heads = ["RMSE", "MASE"] + (
        [f"RMSE, {horizon} ahead", f"MASE, {horizon} ahead"] if ahead else []
    )
    rows = []
    for name in sorted(names, key=lambda n: metrics[f"{n}_rmse"]):
        values = [metrics.get(f"{name}_{c}") for c in columns]
        cells = ["-" if v is None else f"{v:.4g}" for v in values]
        rows.append(["this model" if name == "test" else name.replace("_", " "), *cells])
    title = f"{len(table.names)} series" if len(table.names) > 1 else table.names[0]
    lines = [
        f"{title}, {times[0]} to {times[1]}, one {period} ahead"
        + (f" and {horizon} ahead from rolling origins" if ahead else "")
        + (f"; season {season}" if season > 1 else ""),
        *_aligned([["", *heads], *rows]),
    ]
    if "coverage_80" in metrics:
        inside = ", ".join(
            f"{metrics[f'coverage_{p}'] * 100:.0f} % in the {p} % interval" for p in ("80", "95")
        )
        lines.append(f"of the test values, {inside}")
    steps = {"rmse": f"One {period} ahead", "rmse_ahead": f"{horizon} ahead"}
    for column in columns:
        own = metrics[f"test_{column}"] if column in steps else None
        better = [
            n for n in names if n != "test" and own is not None and metrics[f"{n}_{column}"] <= own
        ]
        if better:
            each = (f"{n.replace('_', ' ')} ({metrics[f'{n}_{column}']:.4g})" for n in better)
            lines.append(f"{steps[column]} this model ({own:.4g}) loses to {', '.join(each)}.")
    lines += [f"left out: {name.replace('_', ' ')}, {why}" for name, why in left_out.items()]
    return "\n".join(lines) + "\n"


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
        predictions = task.predict(params, residuals, horizon, 0.95)
        write_bytes(run / "predictions.csv", to_csv(predictions).encode())
    if (test := shown.get("test")) is not None:
        rows = _rows(test, residuals, shown["baselines"])
        write_bytes(run / "backtest.csv", to_csv(rows).encode())
        text = summary(evaluated.metrics, test, _left_out(task, shown["baselines"]))
        if task.stack:
            text += "\n" + "\n".join(_aligned(combination.words(task.stack.combination))) + "\n"
        write_bytes(run / "summary.txt", text.encode())
    plots.draw(task, shown | {"residuals": residuals}, predictions, run)


def _left_out(task, made):
    """Of the longest series."""
    if task.config.baselines != "classical":
        return {}
    rows, start = task.frame.ends[:, 2].max(), task.frame.ends[:, 1].max()
    return baselines.left_out(set(made), int(rows), int(start), task.table.frequency.season)


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


def _aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first, *rest = widths
    return [
        "  ".join([row[0].ljust(first), *(c.rjust(w) for c, w in zip(row[1:], rest, strict=True))])
        for row in rows
    ]
