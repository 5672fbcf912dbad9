"""What a run says at its end: scores beside others, a line a series, weights of the candidates."""

import numpy as np

from zoo.data.series import calendar
from zoo.tasks.forecasting import baselines, combination
from zoo.tasks.forecasting.evaluation import Backtest
from zoo.tasks.protocol import Evaluation

_SERIES = 20  # that have a line


def text(task, evaluated: Evaluation) -> str:
    """The whole of it, of a run that was evaluated on its test part."""
    shown, backtest = evaluated.shown, evaluated.shown["test"]
    parts = [scores(evaluated.metrics, backtest, _left_out(task, shown["baselines"]))]
    if "each" in shown:
        parts.append("\n".join(by_series(backtest, shown["each"])) + "\n")
    if task.stack:
        parts.append("\n".join(_aligned(combination.words(task.stack.combination))) + "\n")
    if task.refit.members:
        rows, seen = task.frame.lengths.sum(), task.frame.ends[:, 0].sum()
        parts.append(
            "What comes next (predictions.csv, zoo.predict) is forecast by networks and methods that were\n"
            f"fitted again on all rows ({rows:,} in place of {seen:,}), with the same settings. The errors "
            "above are\nof those that had not seen the rows they forecast; they make the intervals too.\n"
        )
    return "\n".join(parts)


def scores(
    metrics: dict[str, float], backtest: Backtest, left_out: dict[str, str] | None = None
) -> str:
    """The scores of the model and the baselines as a table, who won, and which were left out and why.

    Of several series only what does not depend on their units: the mean over the series of each one's MASE.
    """
    table, horizon = backtest.table, backtest.z.shape[1]
    period, season = table.frequency.name, table.frequency.season
    names = [k.removesuffix("_rmse") for k in metrics if k.endswith("_rmse")]
    names = ["test", *(n for n in names if n not in ("train", "valid", "test"))]
    several = len(table.names) > 1 and "test_mase" in metrics
    kinds = {"mase": "MASE"} if several else {"rmse": "RMSE", "mase": "MASE"}
    steps = {"": f"One {period} ahead"}
    if "test_rmse_ahead" in metrics:
        steps["_ahead"] = f"{horizon} ahead"
    heads = {
        kind + suffix: name + (f", {horizon} ahead" if suffix else "")
        for suffix in steps
        for kind, name in kinds.items()
    }
    rows, by = [], next(iter(kinds))
    for name in sorted(names, key=lambda n: metrics.get(f"{n}_{by}", np.inf)):
        cells = [_number(metrics.get(f"{name}_{c}")) for c in heads]
        rows.append([_word(name), *cells])
    lines = [
        _title(backtest)
        + f", one {period} ahead"
        + (f" and {horizon} ahead from rolling origins" if "_ahead" in steps else "")
        + (f"; season {season}" if season > 1 else ""),
        *_aligned([["", *heads.values()], *rows]),
    ]
    if several:
        lines.append("MASE: the mean over the series, each in units of its own past change")
    if "coverage_80" in metrics:
        inside = ", ".join(
            f"{metrics[f'coverage_{p}'] * 100:.0f} % in the {p} % interval" for p in ("80", "95")
        )
        lines.append(f"of the test values, {inside}")
    for suffix, ahead in steps.items():
        key = f"{by}{suffix}"
        if (own := metrics.get(f"test_{key}")) is None:
            continue
        others = {n: metrics[f"{n}_{key}"] for n in names if f"{n}_{key}" in metrics}
        better = [f"{_word(n)} ({v:.4g})" for n, v in others.items() if n != "test" and v <= own]
        if better:
            lines.append(f"{ahead} this model ({own:.4g}) loses to {', '.join(better)}.")
    lines += [f"left out: {_word(name)}, {why}" for name, why in (left_out or {}).items()]
    return "\n".join(lines) + "\n"


def by_series(backtest: Backtest, each: list[dict[str, float]]) -> list[str]:
    """A line a series: errors, and the best of the other methods; of many those with the largest."""
    names, horizon = backtest.table.names, backtest.z.shape[1]
    suffixes = {"": "", "_ahead": f", {horizon} ahead"}
    counts = {s: sum(f"test_rmse{s}" in own for own in each) for s in suffixes}
    suffixes = {s: words for s, words in suffixes.items() if counts[s]}
    head = ["series"]
    for words in suffixes.values():
        head += [f"RMSE{words}", f"MASE{words}", "best other", "its RMSE"]
    shown, lines = range(len(names)), []
    if len(names) > _SERIES:
        worst = np.argsort([-s.get("test_mase", -np.inf) for s in each], kind="stable")
        shown = worst[:_SERIES]
    rows, won = [], dict.fromkeys(suffixes, 0)
    for i, own in enumerate(each):
        row = [names[i]]
        for suffix in suffixes:
            end = f"_rmse{suffix}"
            others = {k.removesuffix(end): v for k, v in own.items() if k.endswith(end)}
            if not others:  # the test part of this one is shorter
                row += ["-"] * 4
                continue
            mine = others.pop("test")
            best = min(others, key=others.get)
            won[suffix] += mine < others[best]
            row += [_number(mine), _number(own.get(f"test_mase{suffix}"))]
            row += [_word(best), _number(others[best])]
        rows.append(row)
    lines += _aligned([head, *(rows[i] for i in shown)])
    if len(names) > _SERIES:
        lines.append(
            f"{_SERIES} of {len(names)} series, those with the largest MASE; result.json has all: "
            "test_rmse_each, … in the order of data.json"
        )
    for suffix, words in suffixes.items():
        ahead = words.removeprefix(", ") or f"one {backtest.table.frequency.name} ahead"
        lines.append(
            f"{ahead}, this model is better than all others on {won[suffix]} of {counts[suffix]} series"
        )
    return lines


def _title(backtest):
    """Which series, and from when to when."""
    table, ends = backtest.table, backtest.frame.ends
    first = min(t[e[1]] for t, e in zip(table.times, ends, strict=True))
    last = max(t[e[2] - 1] for t, e in zip(table.times, ends, strict=True))
    name = f"{len(table.names)} series" if len(table.names) > 1 else table.names[0]
    return f"{name}, {' to '.join(calendar.show(t, table.frequency) for t in (first, last))}"


def _left_out(task, made):
    """Of the series that allow the least: the longest, and the one with the shortest training part."""
    if task.config.baselines != "classical":
        return {}
    rows, start = task.frame.ends[:, 2].max(), task.frame.ends[:, 1].min()
    return baselines.left_out(set(made), int(rows), int(start), task.table.frequency.season)


def _word(name):
    return "this model" if name == "test" else name.replace("_", " ")


def _number(value):
    return "-" if value is None else f"{value:.4g}"


def _aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first, *rest = widths
    return [
        "  ".join([row[0].ljust(first), *(c.rjust(w) for c, w in zip(row[1:], rest, strict=True))])
        for row in rows
    ]
