"""Holt-Winters and SARIMA, by statsmodels, as candidates of a stacked forecast."""

from typing import NamedTuple

import numpy as np

from zoo.tasks.forecasting import baselines

NAMES = ("holt_winters", "sarima")
_ROWS, _SEASON, _SERIES = 1000, 24, 3  # of more they take too long


class Smoothing(NamedTuple):
    """name: one of ``NAMES``; train: (T,) what it is fitted on; made: what was forecast already"""

    name: str
    train: np.ndarray
    season: int
    made: dict


def fit(name: str, values: np.ndarray, season: int, series: int) -> Smoothing | None:
    """The method for one of so many series; None where it would take too long, or has nothing to go by. It
    is fitted when it first forecasts."""
    if series > _SERIES or len(values) > _ROWS or not 1 < season <= _SEASON:
        return None
    return Smoothing(name, np.asarray(values, np.float64), season, {}) if np.ptp(values) else None


def forecasts(
    model: Smoothing, values: np.ndarray, origins: np.ndarray, horizon: int
) -> np.ndarray:
    """(n, horizon) forecasts, in the unit of values (T,), from rows ``origins`` (n,). NaN before the end of
    what it was fitted on, and for values that do not begin with that: its state is not known there."""
    start, found = len(model.train), np.full((len(origins), horizon), np.nan)
    late = origins >= start
    if not late.any() or not np.array_equal(values[:start], model.train):
        return found
    key = len(values), horizon
    if key not in model.made:
        model.made[key] = baselines.smoothed(model.name, values, start, horizon, model.season)
    if model.made[key] is not None:
        found[late] = model.made[key][origins[late] - start]
    return found
