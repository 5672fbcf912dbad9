"""Forecasts that need no network, to be shown beside a model's: what it has to beat.

All know the true past before each origin, and were fitted on what comes before the first.
"""

import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np

from zoo.tasks.forecasting import linear

_LONGEST = 2000  # rows; Holt-Winters and SARIMA take minutes for more


def forecasts(
    values: np.ndarray,
    start: int,
    horizon: int,
    season: int,
    *,
    classical: bool = False,
    seasons: tuple[float, ...] = (),
) -> dict[str, np.ndarray]:
    """name -> (T - start - horizon + 1, horizon): row i forecasts values[t : t + horizon] for
    t = start + i, in the unit of values (T,).

    persistence:    the last value
    seasonal_naive: the value of a season ago
    seasonal_ratio: y[t-1] y[t-m] / y[t-m-1]; for positive values

    and with ``classical``, fitted on values[:start]:

    autoregression: its order by AIC up to twice the season, of logs where that says more, with
                    harmonics of ``seasons``, see ``linear``
    log_ar:         least squares autoregression on logs, lags 1..m+1; named ar, and on the values
                    themselves, where not all are positive
    holt_winters:   additive trend, multiplicative season (Winters 1960); statsmodels
    sarima:         SARIMA(0,1,1)(0,1,1)m on logs (Box & Jenkins 1976); statsmodels

    A method that these values or this installation do not allow is left out.
    """
    values = np.asarray(values, np.float64)
    origins = np.arange(start, len(values) - horizon + 1)
    positive, seasonal = bool((values > 0).all()), season > 1
    methods: dict[str, Callable] = {"persistence": _persistence}
    if seasonal and start > season:
        methods["seasonal_naive"] = _seasonal_naive
        if positive:
            methods["seasonal_ratio"] = _seasonal_ratio
    if classical:
        methods["autoregression"] = partial(_by_aic, seasons)
        methods["log_ar" if positive else "ar"] = _autoregression
        if seasonal and start >= 2 * season + 2 and len(values) <= _LONGEST:
            methods |= {"holt_winters": _holt_winters, "sarima": _sarima}
    made = {}
    for name, method in methods.items():
        if (forecast := _attempt(method, values, origins, horizon, season)) is not None:
            made[name] = forecast
    return made


def smoothed(
    name: str, values: np.ndarray, start: int, horizon: int, season: int
) -> np.ndarray | None:
    """(T - start + 1, horizon) forecasts of "holt_winters" or "sarima" from every row of values (T,) from
    ``start`` on, the one after the last included; None where there are none."""
    if season < 2 or start < 2 * season + 2 or len(values) > _LONGEST:
        return None
    method = {"holt_winters": _holt_winters, "sarima": _sarima}[name]
    # The last origin looks at no value: a place is kept for it.
    return _attempt(
        method, np.append(values, values[-1]), np.arange(start, len(values) + 1), horizon, season
    )


def _attempt(method, values, origins, horizon, season):
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            forecast = method(values, origins, horizon, season)
    except (ImportError, ValueError, np.linalg.LinAlgError):
        return None
    return forecast if forecast is not None and np.isfinite(forecast).all() else None


def left_out(made: set[str], rows: int, start: int, season: int) -> dict[str, str]:
    """name -> why, of the classical methods that are not among those ``made`` of a series."""
    if season < 2:
        why = "no season"
    elif start < 2 * season + 2:
        why = "fewer than two seasons before the test part"
    elif rows > _LONGEST:
        why = f"more than {_LONGEST:,} rows"
    elif find_spec("statsmodels") is None:
        why = "statsmodels is not installed: pip install '.[baselines]'"
    else:
        why = "no finite forecast"
    return {name: why for name in ("holt_winters", "sarima") if name not in made}


def _persistence(y, origins, horizon, season):
    return np.repeat(y[origins - 1, None], horizon, axis=1)


def _seasonal_naive(y, origins, horizon, season):
    return y[origins[:, None] - season + np.arange(horizon)[None] % season]


def _seasonal_ratio(y, origins, horizon, season):
    past = [y[origins - lag] for lag in range(season + 1, 0, -1)]
    for _ in range(horizon):
        past.append(past[-1] * past[-season] / past[-season - 1])
    return np.stack(past[season + 1 :], axis=1)


def _autoregression(y, origins, horizon, season):
    z = np.log(y) if (y > 0).all() else y
    lags, start = season + 1, int(origins[0])
    if start - lags < lags + 2:
        return None
    rows = np.arange(lags, start)
    design = np.stack([np.ones(len(rows)), *(z[rows - j] for j in range(1, lags + 1))], axis=1)
    weights = np.linalg.lstsq(design, z[rows], rcond=None)[0]
    past = [z[origins - lag] for lag in range(lags, 0, -1)]
    for _ in range(horizon):
        past.append(weights[0] + sum(w * past[-j] for j, w in enumerate(weights[1:], 1)))
    z = np.stack(past[lags:], axis=1)
    return np.exp(z) if (y > 0).all() else z


def _by_aic(seasons, y, origins, horizon, season):
    model = linear.fit(y[: int(origins[0])], season, seasons, horizon)
    if model is None or len(model.weights) > int(origins[0]):
        return None
    z = linear.forecasts(model, y, origins, horizon)
    return np.exp(z) if model.logs else z


def _holt_winters(y, origins, horizon, season):
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    form = "mul" if (y > 0).all() else "add"
    options = {"trend": "add", "seasonal": form, "seasonal_periods": season}
    start = int(origins[0])
    p = ExponentialSmoothing(y[:start], **options, initialization_method="estimated").fit().params
    # Its own recursion over the true values, with parameters and first states as fitted.
    level, trend, seasons = p["initial_level"], p["initial_trend"], list(p["initial_seasons"])
    alpha, beta, gamma = (p[f"smoothing_{k}"] for k in ("level", "trend", "seasonal"))
    times = form == "mul"
    rows = []
    steps = np.arange(1, horizon + 1)
    for t in range(int(origins[-1]) + 1):
        if t >= start:
            s = np.array([seasons[t + (h - 1) % season] for h in steps])
            rows.append((level + steps * trend) * s if times else level + steps * trend + s)
        old, before = seasons[t], level + trend
        level = alpha * (y[t] / old if times else y[t] - old) + (1 - alpha) * before
        trend = beta * (level - (before - trend)) + (1 - beta) * trend
        seasons.append(gamma * (y[t] / before if times else y[t] - before) + (1 - gamma) * old)
    return np.stack(rows)


def _sarima(y, origins, horizon, season):
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    z = np.log(y) if (y > 0).all() else y
    orders = {"order": (0, 1, 1), "seasonal_order": (0, 1, 1, season)}
    fitted = SARIMAX(z[: int(origins[0])], **orders).fit(disp=False)
    # One pass of the filter over all values: the state before each origin, and then its transition.
    system = SARIMAX(z[: int(origins[-1]) + 1], **orders).filter(fitted.params)
    known = system.filter_results
    design, transition = known.design[:, :, 0], known.transition[:, :, 0]
    state, steps = known.predicted_state[:, origins], []
    for _ in range(horizon):
        steps.append((design @ state)[0])
        state = transition @ state
    z = np.stack(steps, axis=1)
    return np.exp(z) if (y > 0).all() else z
