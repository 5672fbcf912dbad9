"""Numbers in words, for tables and pages."""

import math
import statistics

from zoo.tasks import Metric


def of_runs(runs: list[dict], key: str) -> tuple[float | None, str]:
    """(mean, text) of a metric over results; the mean is None where one of them has no figure.

    None as a figure is a goal that the run did not reach; a metric that is not there was not measured.
    """
    if any(key not in r["metrics"] for r in runs):
        return None, "not measured"
    values = [r["metrics"][key] for r in runs]
    reached = [v for v in values if v is not None]
    if len(reached) < len(values):
        part = f" by {len(values) - len(reached)} of {len(values)} seeds" if reached else ""
        return None, f"not reached{part}"
    mean, deviation = statistics.fmean(values), spread(values)
    if not deviation >= 1e-9:  # nor where it is no number
        return mean, rounded(mean)
    # The deviation to one figure, or two where it begins with 1; the mean to the same place.
    size = math.floor(math.log10(deviation))
    places = max(0, (1 if f"{deviation:e}"[0] == "1" else 0) - size)
    return mean, f"{mean:,.{places}f} ± {deviation:.{places}f}"


def published(figure: float) -> str:
    """What a config states, as it stands there: three figures at least."""
    exact = figure < 100 and float(f"{figure:.3g}") == figure
    return f"{figure:#.3g}" if exact else f"{figure:,.10g}"


def other(runs: list[dict], figure: float | str) -> tuple[float | None, str]:
    """(mean, text) of a figure of others: a number, or the name of the metric that holds it."""
    return of_runs(runs, figure) if isinstance(figure, str) else (figure, published(figure))


def won(metric: Metric, runs: list[dict], key: str, theirs: float | None) -> str:
    """Whether ours is the better figure: "barely" where seeds differ by more than it is better, a dash
    where there is nothing to compare."""
    measured = all(key in r["metrics"] for r in runs)
    if theirs is None or metric.better not in ("lower", "higher") or not measured:
        return "–"
    values = [r["metrics"][key] for r in runs]
    if None in values:
        return "no"
    gain = (theirs - statistics.fmean(values)) * (1 if metric.better == "lower" else -1)
    if not gain > 0:  # nor where ours is no number
        return "no"
    return "yes" if gain > spread(values) else "barely"


def spread(values: list[float]) -> float:
    """The standard deviation, 0 of one value; no number where a value is none."""
    if not all(map(math.isfinite, values)):
        return math.nan
    return statistics.stdev(values) if len(values) > 1 else 0.0


def rounded(value: float) -> str:
    """Four figures; more where four would make it 1."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.{4 if round(value, 4) != 1 else 6}g}"


def exact(value: float) -> str:
    """Four figures, zeros at the end too, so that figures of several runs line up; whole numbers whole."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else str(value)
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.{4 if round(value, 4) != 1 else 6}g}"


def clock(seconds: float) -> str:
    """Seconds, or minutes from two on."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
