"""How far forecasts are from what came. NumPy, float64."""

import numpy as np


def rmse(actual: np.ndarray, forecast: np.ndarray) -> float:
    """Root of the mean squared error, in the unit of the series."""
    return float(np.sqrt(np.mean((actual - forecast) ** 2)))


def mae(actual: np.ndarray, forecast: np.ndarray) -> float:
    """Mean absolute error, in the unit of the series."""
    return float(np.mean(np.abs(actual - forecast)))


def mase(actual: np.ndarray, forecast: np.ndarray, history: np.ndarray, season: int) -> float:
    """Mean absolute error over that of the seasonal naive forecast within ``history`` (T,), which is
    the training part (Hyndman & Koehler 2006). NaN where that is 0 or the history too short."""
    steps = np.abs(history[season:] - history[:-season])
    scale = steps.mean() if len(steps) else 0.0
    return mae(actual, forecast) / scale if scale else float("nan")


def smape(actual: np.ndarray, forecast: np.ndarray) -> float:
    """Symmetric mean absolute percentage error, 0 to 200; where both are 0 it is 0."""
    size = np.abs(actual) + np.abs(forecast)
    error = np.abs(actual - forecast)
    return float(200 * np.mean(np.divide(error, size, out=np.zeros_like(error), where=size > 0)))


def coverage(actual: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """The share of values within their interval, bounds included."""
    return float(np.mean((lower <= actual) & (actual <= upper)))


def pinball(actual: np.ndarray, forecast: np.ndarray, quantile: float) -> float:
    """The mean loss of a forecast of a quantile (Koenker & Bassett 1978), in the unit of the series."""
    error = actual - forecast
    return float(np.mean(np.maximum(quantile * error, (quantile - 1) * error)))
