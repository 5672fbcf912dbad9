"""Plots of forecasts: PNG files, drawn without a screen."""

from pathlib import Path

import numpy as np

from zoo.data.series import calendar, frames
from zoo.tasks import figures

_ROWS = 300  # of a series that are drawn: more cannot be told apart
_SERIES = 6  # that are drawn: more would be too small
_SHOWN = ("seasonal_naive", "persistence")
_COLORS = {"train": "tab:green", "valid": "tab:olive", "test": "tab:blue"}


def draw(task, shown: dict, predictions: list[dict], run: Path) -> None:
    """Writes plots/forecast.png, of the first series each by itself, and plots/residuals.png, of all, from
    what an evaluation has shown: "residuals", "baselines", and a Backtest under the name of each split."""
    names = task.table.names
    several, drawn = len(names) > 1, min(len(names), _SERIES)
    rows = -(-drawn // 2) if several else 1
    size = (12, 3.2 * rows + 0.6) if several else (10, 5)
    figure, axes = figures.subplots(rows, 2 if several else 1, size=size)
    axes = np.atleast_1d(axes).ravel()
    for i, each in enumerate(axes[:drawn]):
        _forecast(each, task, shown, predictions, i)
    for unused in axes[drawn:]:
        unused.axis("off")
    title = f"{task.config.name}:{task.config.variant}"
    if several:
        part = f"the first {drawn} of {len(names)} series" if drawn < len(names) else "all series"
        figure.suptitle(f"{title}, {part}")
    else:
        axes[0].set(title=title)
    _legend(figure, axes[0])
    figures.keep(figure, run, "forecast.png")
    figure, axes = figures.subplots(1, 2, size=(10, 3.6))
    _residuals(axes, task, shown)
    _legend(figure, axes[0])
    figures.keep(figure, run, "residuals.png")


def _legend(figure, axes):
    """One for all axes, below them, where it covers nothing."""
    labels = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    options = {"ncols": 4, "fontsize": "small", "frameon": False}
    figure.legend(labels.values(), labels, loc="outside lower center", **options)


def _forecast(axes, task, shown, predictions, i):
    """Series i on axes of its own."""
    table, frame = task.table, task.frame
    times, values, ends = table.times[i], table.values[i], frame.ends[i]
    first = max(0, len(values) - _ROWS)
    axes.plot(times[first:], values[first:], color="black", linewidth=1, label="actual")
    for split, color in _COLORS.items():
        if split not in shown:
            continue
        backtest = shown[split]
        rows = (backtest.origins[:, 0] == i) & (backtest.origins[:, 1] >= first)
        if not rows.any():
            continue
        at = times[backtest.origins[rows, 1]]
        if split == "test":
            bounds = backtest.interval(shown["residuals"], 0.95)
            low, high = (frames.values(frame, z)[rows, 0] for z in bounds)
            axes.fill_between(at, low, high, color=color, alpha=0.2, label="95 % interval", lw=0)
            for name in [n for n in _SHOWN if n in shown["baselines"]][:1]:
                label = name.replace("_", " ")
                line = shown["baselines"][name][rows, 0]
                axes.plot(at, line, color="tab:red", linewidth=0.8, linestyle=":", label=label)
        label = {"train": "fit", "valid": "validation", "test": "test"}[split]
        label += f", one {table.frequency.name} ahead"
        axes.plot(
            at, frames.values(frame, backtest.z)[rows, 0], color=color, linewidth=1.2, label=label
        )
    ahead = [row for row in predictions if row["series"] == table.names[i]]
    if ahead:
        at = calendar.following(times, len(ahead), table.frequency)
        low, middle, high = ([r[k] for r in ahead] for k in ("lower", "forecast", "upper"))
        axes.fill_between(at, low, high, color="tab:purple", alpha=0.15, lw=0)
        label = f"the next {len(ahead)}"
        axes.plot(at, middle, color="tab:purple", linewidth=1.2, label=label)
    if first <= ends[1] < len(values):
        axes.axvline(times[ends[1]], color="gray", linewidth=0.8, linestyle="--")
    axes.set(ylabel=table.names[i])
    axes.grid(alpha=0.3)
    _dates(axes, times)


def _residuals(axes, task, shown):
    """Errors one step ahead: of one series in its unit, of several in scales of each."""
    names, frame = task.table.names, task.frame
    several = len(names) > 1
    for split, color in _COLORS.items():
        if split not in shown:
            continue
        backtest = shown[split]
        series, rows = backtest.origins.T
        truth, z = backtest.truth[:, 0], backtest.z[:, 0]
        if several:
            errors = (truth - z) / frame.scale[series]
        else:
            errors = frames.values(frame, truth) - frames.values(frame, z)
        at = np.array([task.table.times[i][t] for i, t in zip(series, rows, strict=True)])
        axes[0].plot(at, errors, ".", markersize=4, color=color, label=split)
        axes[1].hist(errors, bins=20, alpha=0.5, color=color, label=split, density=True)
    axes[0].axhline(0, color="gray", linewidth=0.8)
    label = "(actual - forecast) / scale of the series" if several else "actual - forecast"
    label += "" if several else f" ({names[0]})"
    title = "residuals, one step ahead" + (f", {len(names)} series" if several else "")
    axes[0].set(ylabel=label, title=title)
    axes[1].set(xlabel=label, ylabel="density", title="how they are spread")
    _dates(axes[0], task.table.times[0])
    for a in axes:
        a.grid(alpha=0.3)


def _dates(axes, times):
    """Few dates below the axes, each with no more than tells it from the one before."""
    if times.dtype.kind != "M":
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
