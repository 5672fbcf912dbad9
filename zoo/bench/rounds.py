"""Rounds in turns, and what they come to: medians, minima, ratios and their spread."""

import math
import statistics
from collections.abc import Callable

# Seconds that a round takes at least: shorter ones are read off a clock that others disturb.
ROUND = 0.03


def repeats(seconds: Callable[[int], float]) -> int:
    """How many calls make a round; ``seconds(n)`` is what n of them take. The first is not counted."""
    seconds(1)
    n = 1
    while (took := seconds(n)) < ROUND:
        n = max(n + 1, math.ceil(1.2 * n * ROUND / max(took, ROUND / 50)))
    return n


def interleaved(
    seconds: dict[str, Callable[[int], float]], calls: dict[str, int], rounds: int
) -> dict[str, list[float]]:
    """Seconds a call of each round, all contestants in turns; each round begins with another of them.

    ``seconds[name](n)`` is what n calls take.
    """
    names, measured = list(seconds), {name: [] for name in seconds}
    for i in range(rounds):
        first = i % len(names) if names else 0
        for name in names[first:] + names[:first]:
            n = calls[name]
            if n > 1:
                seconds[name](1)  # its data and code come back into the caches
            measured[name].append(seconds[name](n) / n)
    return measured


def summary(seconds: list[float], first: list[float] | None = None) -> dict:
    """Median and minimum; with ``first``, the rounds of whom it is held against, the ratio of each round
    (above 1: the first is faster), its median and quartiles."""
    figures = {
        "seconds": [float(f"{s:.5g}") for s in seconds],
        "median": statistics.median(seconds),
        "minimum": min(seconds),
    }
    if first is not None:
        ratios = [a / b for a, b in zip(seconds, first, strict=True)]
        low, middle, high = quartiles(ratios)
        figures |= {"ratio": middle, "quartiles": [low, high]}
    return {name: _rounded(value) for name, value in figures.items()}


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """The lower quartile, the median, the upper quartile; of one value, itself."""
    if len(values) == 1:
        return (values[0],) * 3
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def geometric_mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(math.log(v) for v in values))


def _rounded(value):
    return float(f"{value:.5g}") if isinstance(value, float) else value
