"""The Theta method: exponential smoothing with drift, of what is left without the season.

Assimakopoulos & Nikolopoulos 2000; in the form of Hyndman & Billah 2003. With z without its season,

    level_t = level_(t-1) + b + alpha (z_t - level_(t-1) - b)
    z_(t+h) = level_t + h b

where b is half the slope of a line through all of it, and alpha makes the squared error one step ahead
least.
"""

from typing import NamedTuple

import numpy as np

from zoo.tasks.forecasting import linear

_ALPHAS = np.linspace(0.02, 1, 50)


class Theta(NamedTuple):
    """season: (s,) what is added at rows 0, 1, … modulo s; drift: b; logs: z is the logarithm."""

    season: np.ndarray
    alpha: float
    drift: float
    logs: bool


def fit(values: np.ndarray, season: int, logs: bool) -> Theta | None:
    """The method on values (T,); None for fewer than 8, and for a constant series."""
    z = np.log(values) if logs else np.asarray(values, np.float64)
    if len(z) < 8 or np.ptp(z) == 0:
        return None
    added = pattern(z, season)
    d = z - np.resize(added, len(z))
    drift = np.polyfit(np.arange(len(d)), d, 1)[0] / 2
    errors = d[1:, None] - _levels(d, _ALPHAS, drift)[:-1] - drift
    alpha = _ALPHAS[np.argmin(np.mean(errors**2, axis=0))]
    return Theta(added, float(alpha), float(drift), logs)


def forecasts(model: Theta, values: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
    """(n, horizon) forecasts of z from rows ``origins`` (n,), 1 or more, of values (T,), each with the true
    past."""
    z = linear.in_logs(values) if model.logs else np.asarray(values, np.float64)
    d = z - np.resize(model.season, len(z))
    level = _levels(d, np.array([model.alpha]), model.drift)[origins - 1]
    ahead = origins[:, None] + np.arange(horizon)
    steps = np.arange(1, horizon + 1)
    return level + model.drift * steps + model.season[ahead % len(model.season)]


def pattern(z, season):
    """(s,) means of what is above a moving average of a season in z (T,), at rows 0, 1, ... modulo s, less
    the mean of them; one zero for a season of 1, and for less than two seasons."""
    if season < 2 or len(z) < 2 * season + 1:
        return np.zeros(1)
    width = season + 1 - season % 2
    weights = np.ones(width) / season
    if season % 2 == 0:
        weights[[0, -1]] /= 2
    middle = np.convolve(z, weights, "valid")
    first = width // 2
    over = z[first : first + len(middle)] - middle
    at = np.arange(first, first + len(middle)) % season
    counts = np.bincount(at, minlength=season)
    pattern = np.bincount(at, over, season) / np.maximum(counts, 1)
    return pattern - pattern.mean()


def _levels(d, alphas, drift):
    """(T, alphas) the level after each row."""
    levels = np.empty((len(d), len(alphas)))
    levels[0] = d[0]
    for t in range(1, len(d)):
        before = levels[t - 1] + drift
        levels[t] = before + alphas * (d[t] - before)
    return levels
