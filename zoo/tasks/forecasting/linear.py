"""A linear autoregression whose order the data choose: what a network has to beat, and combines with.

    z_t = c + sum_j w_j z_(t-j) + sum_k (a_k cos(2 pi k t / P) + b_k sin(2 pi k t / P)),  j = 1..p

The order p, up to twice the season, whether there are harmonics of the long seasons P (the year of daily
data, the week of hourly data), and whether seasonal differences are what is regressed are chosen by the
corrected AIC (Hurvich & Tsai 1989), with least squares on the same rows for all. z is the series or its
logarithm, whichever forecasts the last third better from rolling origins.
"""

from typing import NamedTuple

import numpy as np

_HARMONICS = 3  # of each long season
_LONGEST = 400  # lags, at most
_LEAST = 1e-5  # of the largest singular value of the lags is one that counts
_CYCLES = 2.5  # of a long season that the rows must hold


class Linear(NamedTuple):
    """A fitted autoregression.

    weights:    (p,) w, the lag of 1 first
    constant:   c
    waves:      (2 pairs,) a, then b, of
    pairs:      (period, k)
    order:      lags of what is regressed, and
    difference: the lag of the differences of the series that are; 0 for none
    logs:       z is the logarithm
    """

    weights: np.ndarray
    constant: float
    waves: np.ndarray
    pairs: tuple[tuple[float, int], ...]
    order: int
    difference: int
    logs: bool


def long_seasons(frequency) -> tuple[float, ...]:
    """Rows of the seasons beyond the season of a frequency (``zoo.data.series.calendar``): the week of what
    is shorter than a day, the year of what is shorter than a week."""
    if frequency.unit == "B":
        return (365.25 * 5 / 7,)
    seconds = {"m": 60, "h": 3600, "D": 86400}.get(frequency.unit, 0) * frequency.step
    if not seconds or seconds > 86400:
        return ()
    day = 86400 / seconds
    return (7 * day, 365.25 * day) if seconds < 86400 else (365.25,)


def fit(
    values: np.ndarray, season: int, seasons: tuple[float, ...] = (), horizon: int = 12
) -> Linear | None:
    """The autoregression of values (T,), for forecasts of up to ``horizon`` steps; ``seasons`` are the long
    ones, in rows. None for a series that is constant, or too short for a lag and a constant."""
    values = np.asarray(values, np.float64)
    logs = bool((values > 0).all()) and _better_in_logs(values, season, seasons, horizon)
    return _best(values, season, seasons, logs)


def plain(values: np.ndarray, season: int) -> Linear | None:
    """The autoregression on the last season and one value more, of logarithms where all are positive; None
    as for ``fit``."""
    values = np.asarray(values, np.float64)
    order = min(season + 1, _LONGEST)
    if len(values) < 2 * order + 3 or np.ptp(values) == 0:
        return None
    empty = Linear(np.zeros(0), 0.0, np.zeros(0), (), order, 0, bool((values > 0).all()))
    return refit(empty, values, np.ones(len(values), bool))


def last(season: int = 1) -> Linear:
    """What repeats the value of a season ago, of 1 the last one, as an autoregression."""
    weights = np.zeros(season)
    weights[-1] = 1
    return Linear(weights, 0.0, np.zeros(0), (), season, 0, False)


def refit(model: Linear, values: np.ndarray, use: np.ndarray) -> Linear:
    """The same kind of autoregression, fitted on the rows of values (T,) where ``use`` (T,)."""
    z = np.log(values) if model.logs else np.asarray(values, np.float64)
    rows = np.arange(model.order + model.difference, len(z))
    rows, mean = rows[use[rows]], z.mean()
    design, target = _design(z - mean, rows, model.order, model.difference, model.pairs)
    # Directions in which the lags hardly differ would have weights of thousands, in curves that repeat
    # themselves to the last digit, as interpolated values do.
    norms = np.maximum(np.sqrt(np.mean(design**2, axis=0)), 1e-300)
    solved = np.linalg.lstsq(design / norms, target, rcond=_LEAST)[0] / norms
    fixed = 1 + 2 * len(model.pairs)
    weights = _of_values(solved[fixed:], model.difference)
    constant = float(solved[0] + mean * (1 - weights.sum()))
    return model._replace(weights=weights, constant=constant, waves=solved[1:fixed])


def forecasts(model: Linear, values: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
    """(n, horizon) forecasts of z from rows ``origins`` (n,) of values (T,), each with the true past."""
    p = len(model.weights)
    z = in_logs(values) if model.logs else np.asarray(values, np.float64)
    path = np.empty((len(origins), p + horizon))
    path[:, :p] = z[origins[:, None] + np.arange(-p, 0)]
    backwards = model.weights[::-1]
    for h in range(horizon):
        path[:, p + h] = model.constant + path[:, h : p + h] @ backwards
        path[:, p + h] += _waves(model.pairs, origins + h) @ model.waves
    return path[:, p:]


def in_logs(values: np.ndarray) -> np.ndarray:
    """The logarithm of values, NaN where there is none: later values may have none where the first had."""
    values = np.asarray(values, np.float64)
    return np.log(values, out=np.full(len(values), np.nan), where=values > 0)


def _better_in_logs(values, season, seasons, horizon):
    """By the errors from rolling origins in the last third, on a fit to what comes before."""
    start = len(values) * 2 // 3
    origins = np.arange(start, len(values) - horizon + 1)
    if not len(origins):
        origins, horizon = np.arange(start, len(values)), 1
    truth, errors = values[origins[:, None] + np.arange(horizon)], []
    for logs in (False, True):
        model = _best(values[:start], season, seasons, logs)
        if model is None:
            return False
        with np.errstate(over="ignore"):
            z = forecasts(model, values, origins, horizon)
            off = np.abs((np.exp(z) if logs else z) - truth)
        errors.append(np.mean(off) if np.isfinite(off).all() else np.inf)
    return errors[1] < errors[0]


def _best(values, season, seasons, logs):
    found = list(_kinds(values, season, seasons, logs))
    if not found:
        return None
    _, order, difference, pairs = min(found)
    empty = Linear(np.zeros(0), 0.0, np.zeros(0), pairs, order, difference, logs)
    return refit(empty, values, np.ones(len(values), bool))


def _kinds(values, season, seasons, logs):
    """(AICc, order, difference, pairs) of the best order: of the series and of its seasonal differences,
    without and with harmonics. All on the same rows."""
    z = np.log(values) if logs else values
    differences = (0, season) if season > 1 and len(z) >= 4 * season else (0,)
    lost = max(differences)
    most = int(min(max(2 * season + 1, 10), _LONGEST, (len(z) - lost - 2) // 3))
    if most < 1 or np.ptp(z) == 0:
        return
    held = [period for period in seasons if len(z) >= _CYCLES * period]
    rows = np.arange(most + lost, len(z))
    for difference in differences:
        for periods in {(), tuple(held)}:
            pairs = tuple((period, k) for period in periods for k in range(1, _HARMONICS + 1))
            fixed = 1 + 2 * len(pairs)
            if fixed + 3 < len(rows):
                order, criterion = _order(*_design(z, rows, most, difference, pairs), fixed)
                yield criterion, order, difference, pairs


def _design(z, rows, order, difference, pairs):
    """(columns: the constant, the waves, the lags; what they give) on some rows."""
    d = z
    if difference:
        d = np.append(np.zeros(difference), z[difference:] - z[: len(z) - difference])
    lags = d[rows[:, None] - np.arange(1, order + 1)]
    columns = [np.ones((len(rows), 1)), _waves(pairs, rows), lags]
    return np.concatenate(columns, axis=1), d[rows]


def _of_values(weights, lag):
    """The weights of the values, of an autoregression of their differences."""
    if not lag:
        return weights
    whole = np.convolve(np.append(1, -weights), np.append(1, [*np.zeros(lag - 1), -1]))
    return -whole[1:]


def _order(design, target, fixed):
    """(number of lags, AICc) of the least AICc; the columns are ``fixed`` ones, then the lags."""
    q, _ = np.linalg.qr(design)
    # Each column takes the square of its projection off the sum of squares.
    left = target @ target - np.cumsum((q.T @ target) ** 2)
    n, k = len(target), np.arange(1, design.shape[1] + 1)
    free = n - k - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        aicc = n * np.log(np.maximum(left, 1e-12 * (target @ target)) / n) + 2 * (k + 1) * n / free
    aicc = np.where((free > 0) & (k > fixed), aicc, np.inf)
    best = int(np.argmin(aicc))
    return best + 1 - fixed, float(aicc[best])


def _waves(pairs, rows):
    """(n, 2 pairs): cosines, then sines."""
    angles = [2 * np.pi * k * rows / period for period, k in pairs]
    columns = [np.cos(a) for a in angles] + [np.sin(a) for a in angles]
    return np.stack(columns, axis=1) if columns else np.zeros((len(rows), 0))
