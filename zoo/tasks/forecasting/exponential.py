"""Exponential smoothing with a damped trend and a season, of values or of their logarithms.

Gardner & McKenzie 1985; ETS(A, Ad, A) in Hyndman, Koehler, Snyder & Grose 2002. With the error one step
ahead, e_t = z_t - level_(t-1) - phi trend_(t-1) - season_(t-m),

    level_t  = level_(t-1) + phi trend_(t-1) + alpha e_t
    trend_t  = phi trend_(t-1) + alpha beta e_t
    season_t = season_(t-m) + (1 - alpha) gamma e_t
    z_(t+h)  = level_t + (phi + ... + phi^h) trend_t + season of that row

The four numbers make the squared error one step ahead least, among those that are looked at: a coarse grid,
then finer ones around the best.
"""

from itertools import product
from typing import NamedTuple

import numpy as np

from zoo.tasks.forecasting import linear, theta

_LONGEST = 60  # a season; of a longer one too little is known of each of its rows
_ROWS = 2000  # that are looked at
_ALPHA, _BETA = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1), (0, 0.01, 0.05, 0.1, 0.3)
_GAMMA, _PHI = (0, 0.05, 0.1, 0.2, 0.4), (0.8, 0.9, 0.95, 0.98, 1)
_LEAST, _MOST = (0.01, 0, 0, 0.75), (1, 0.6, 0.9, 1)
_MOVES, _SIZES, _STEPS = (-1, -0.5, 0, 0.5, 1), (0.12, 0.05, 0.08, 0.03), (1, 0.5, 0.25, 0.125)


class Exponential(NamedTuple):
    """parameters: alpha, beta, gamma, phi

    level, trend: before row ``first``, and
    season:       (m,) what is added there and at the rows after it, in turn
    logs:         z is the logarithm
    """

    parameters: np.ndarray
    level: float
    trend: float
    season: np.ndarray
    first: int
    logs: bool


def fit(values: np.ndarray, season: int, logs: bool) -> Exponential | None:
    """The method on the last 2,000 of values (T,); None for fewer than 10, for constant ones, and for those
    that have no logarithm. It has no season where that is longer than 60 rows, or where there are less than
    two of them and 2 rows."""
    first = max(0, len(values) - _ROWS)
    values = np.asarray(values[first:], np.float64)
    if len(values) < 10 or np.ptp(values) == 0 or (logs and values.min() <= 0):
        return None
    z = np.log(values) if logs else values
    if not 1 < season <= _LONGEST or len(z) < 2 * season + 2:
        season = 1
    start = _start(z, season)._replace(first=first, logs=logs)
    settled = min(len(z) // 4, 2 * season)  # errors before it are those of the start
    gammas, moves = ((0.0,), (0.0,)) if season == 1 else (_GAMMA, _MOVES)
    near = np.array(list(product(_MOVES, _MOVES, moves, _MOVES)))
    tried, best, least = np.array(list(product(_ALPHA, _BETA, gammas, _PHI))), None, np.inf
    for step in (*_STEPS, None):
        each = np.mean(_run(start, z, tried)[0][settled:] ** 2, axis=0)
        if each.min() < least:
            best, least = tried[np.argmin(each)], each.min()
        if best is None:
            return None  # no finite error
        if step is not None:
            tried = np.clip(best + step * near * _SIZES, _LEAST, _MOST)
    return start._replace(parameters=best)


def forecasts(
    model: Exponential, values: np.ndarray, origins: np.ndarray, horizon: int
) -> np.ndarray:
    """(n, horizon) forecasts of z from rows ``origins`` (n,) of values (T,), all after ``first``, each with
    the true past."""
    z = linear.in_logs(values) if model.logs else np.asarray(values, np.float64)
    z, before = z[model.first :], origins - model.first - 1
    errors, levels, trends = (a[:, 0] for a in _run(model, z, model.parameters[None]))
    alpha, _, gamma, phi = model.parameters
    rows, m = np.arange(len(z)), len(model.season)
    seasons = np.zeros((len(z), m))
    seasons[rows, rows % m] = (1 - alpha) * gamma * errors
    seasons = model.season + np.cumsum(seasons, axis=0)
    damped = np.cumsum(phi ** np.arange(1, horizon + 1))
    ahead = (before[:, None] + np.arange(1, horizon + 1)) % m
    line = levels[before, None] + damped * trends[before, None]
    return line + seasons[before[:, None], ahead]


def _start(z, season):
    """What is known before the first row: a line through the first two seasons, and their pattern."""
    pattern = np.resize(theta.pattern(z[: 5 * season + 1], season), season)
    rows = min(len(z), 2 * season if season > 1 else 10)
    slope, level = np.polyfit(np.arange(rows), z[:rows] - np.resize(pattern, rows), 1)
    return Exponential(np.zeros(4), level - slope, slope, pattern, 0, False)


def _run(start, z, parameters):
    """(errors, levels, trends), each (T, g), of g choices of the parameters (g, 4)."""
    alpha, beta, gamma, phi = parameters.T
    to_trend, to_season = alpha * beta, (1 - alpha) * gamma
    level, trend = np.full(len(phi), start.level), np.full(len(phi), start.trend)
    seasons = [np.full(len(phi), s) for s in start.season]
    states = np.empty((3, len(z), len(phi)))
    for t, value in enumerate(z):
        k = t % len(seasons)
        trend = phi * trend
        line = level + trend
        error = value - line - seasons[k]
        level, trend = line + alpha * error, trend + to_trend * error
        seasons[k] = seasons[k] + to_season * error
        states[:, t] = error, level, trend
    return states
