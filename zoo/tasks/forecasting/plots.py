"""Plots of forecasts: PNG files, drawn without a screen."""

from pathlib import Path

from zoo.data.series import calendar, frames
from zoo.tasks import figures

_ROWS = 300  # of a series that are drawn: more cannot be told apart
_SHOWN = ("seasonal_naive", "persistence")


def draw(task, shown: dict, predictions: list[dict], run: Path) -> None:
    """Writes plots/forecast.png (of the first series) and plots/residuals.png, from what an evaluation
    has shown: "residuals", "baselines", and a Backtest under the name of each split."""
    figure, axes = figures.subplots(size=(10, 5))
    _forecast(axes, task, shown, predictions)
    figures.keep(figure, run, "forecast.png")
    figure, axes = figures.subplots(1, 2, size=(10, 3.6))
    _residuals(axes, task, shown)
    figures.keep(figure, run, "residuals.png")


def _forecast(axes, task, shown, predictions):
    table, frame = task.table, task.frame
    times, values, ends = table.times[0], table.values[0], frame.ends[0]
    first = max(0, len(values) - _ROWS)
    axes.plot(times[first:], values[first:], color="black", linewidth=1, label=table.names[0])
    for split, color in (("train", "tab:green"), ("valid", "tab:olive"), ("test", "tab:blue")):
        if split not in shown:
            continue
        backtest = shown[split]
        rows = (backtest.origins[:, 0] == 0) & (backtest.origins[:, 1] >= first)
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
    ahead = [row for row in predictions if row["series"] == table.names[0]]
    if ahead:
        at = calendar.following(times, len(ahead), table.frequency)
        low, middle, high = ([r[k] for r in ahead] for k in ("lower", "forecast", "upper"))
        axes.fill_between(at, low, high, color="tab:purple", alpha=0.15, lw=0)
        label = f"the next {len(ahead)}"
        axes.plot(at, middle, color="tab:purple", linewidth=1.2, label=label)
    if first <= ends[1] < len(values):
        axes.axvline(times[ends[1]], color="gray", linewidth=0.8, linestyle="--")
    axes.set(title=f"{task.config.name}:{task.config.variant}", ylabel=table.names[0])
    axes.grid(alpha=0.3)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=4, fontsize="small", frameon=False
    )


def _residuals(axes, task, shown):
    colors = {"train": "tab:green", "valid": "tab:olive", "test": "tab:blue"}
    for split in (s for s in colors if s in shown):
        backtest = shown[split]
        rows = backtest.origins[:, 0] == 0
        truth, z = (frames.values(task.frame, a)[rows, 0] for a in (backtest.truth, backtest.z))
        at = task.table.times[0][backtest.origins[rows, 1]]
        axes[0].plot(at, truth - z, ".", markersize=4, color=colors[split], label=split)
        axes[1].hist(truth - z, bins=20, alpha=0.5, color=colors[split], label=split, density=True)
    axes[0].axhline(0, color="gray", linewidth=0.8)
    name = task.table.names[0]
    axes[0].set(ylabel=f"actual - forecast ({name})", title="residuals, one step ahead")
    axes[1].set(xlabel=f"actual - forecast ({name})", ylabel="density", title="how they are spread")
    for a in axes:
        a.grid(alpha=0.3)
        a.legend(fontsize="small")
