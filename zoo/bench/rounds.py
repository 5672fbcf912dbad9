"""Rounds, and what they come to: medians, minima, ratios and their spread."""

import math
import statistics
from collections.abc import Callable

# Seconds that a round takes at least: shorter ones are read off a clock that others disturb.
ROUND = 0.03
# Seconds that are not timed before a round: caches fill, and the threads of PyTorch, which spin for 20 ms
# after their last work, have come to rest. Calls that take longer than _LONG do without.
_WARM, _LONG = 0.03, 0.3


def repeats(seconds: Callable[[int], float], least: float = ROUND) -> tuple[int, int]:
    """(calls that make a round of ``least`` seconds, calls before it that are not timed).

    ``seconds(n)`` is what n calls take. The first call is not counted.
    """
    n = 1
    if seconds(n) > _LONG and (took := seconds(n)) > max(_LONG, least):
        return n, 0
    while (took := seconds(n)) < least:
        n = max(n + 1, math.ceil(1.2 * n * least / max(took, least / 50)))
    one = took / n
    return n, 0 if one > _LONG else math.ceil(_WARM / one)


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
