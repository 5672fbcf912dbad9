"""What a stacked forecast is made of: the members of each view, and a linear autoregression."""

import numpy as np

from zoo.data.series import frames
from zoo.data.series.table import Table
from zoo.tasks.forecasting import combination, linear
from zoo.tasks.forecasting.combination import Combination
from zoo.tasks.forecasting.linear import Linear


def names(views: list[frames.View], differences: tuple) -> tuple[str, ...]:
    """Of the candidates, in the order of ``forecasts``."""
    each = []
    for k, view in enumerate(views):
        lags = differences[k % len(differences)]
        seen = f"differences {' and '.join(map(str, lags))} of " if lags else ""
        seen += "logarithms" if view.frame.logs else "values"
        each.append(f"networks on {seen}, {view.length} back")
    return (*each, "autoregression")


def fit_linear(table: Table, frame: frames.Frame, horizon: int) -> list[Linear | None]:
    """The autoregression of each series on its training part, for so many steps ahead."""
    seasons = linear.long_seasons(table.frequency)
    ends = frame.ends[:, 0]
    season = table.frequency.season
    parts = [v[:end] for v, end in zip(table.values, ends, strict=True)]
    return [linear.fit(part, season, seasons, horizon) for part in parts]


def forecasts(
    views: list[frames.View],
    origins: np.ndarray,
    u: np.ndarray,
    table: Table,
    models: list[Linear | None],
    folds: np.ndarray | None = None,
) -> np.ndarray:
    """z (K, n, H) of every candidate from origins (n, 2); NaN where it has none.

    u:      (members, n, H) of the networks
    models: the autoregressions of the series
    folds:  (n,) of origins of the training part: each is then forecast by the network of a view that left
            that fold out, and by an autoregression that did
    """
    each, count = [], len(u) // len(views)
    use = None if folds is None else folds == np.arange(count)[:, None]
    for k, view in enumerate(views):
        z = frames.combine([view], origins, u[k :: len(views)], use)
        each.append(_as_in(views[0].frame, z, view.frame.logs))
    frame, horizon = views[0].frame, u.shape[2]
    linear_z = np.full((len(origins), horizon), np.nan)
    for i, (values, model) in enumerate(zip(table.values, models, strict=True)):
        mine = (origins[:, 0] == i) & (model is not None)
        mine &= origins[:, 1] >= (len(model.weights) if model else 0)
        for fold in [None] if folds is None else range(count):
            rows = np.flatnonzero(mine & (fold is None or folds == fold))
            if not len(rows):
                continue
            one = model
            if fold is not None:
                seen = np.arange(len(values)) < frame.ends[i, 0]
                seen[origins[rows, 1]] = False
                one = linear.refit(model, values, seen)
            z = linear.forecasts(one, values, origins[rows, 1], horizon)
            linear_z[rows] = _as_in(frame, z, model.logs)
    return np.stack([*each, linear_z])


def folds(origins: np.ndarray, count: int, horizon: int, seed: int) -> np.ndarray:
    """(n,) ints below ``count``: which fold each of the training origins (n, 2) is in. A fold is of whole
    stretches of rows, so that several steps ahead lie in it too."""
    last = int(origins[:, 1].max()) + 1
    width = int(np.clip(last // (4 * count), 1, 2 * horizon))
    blocks = -(-last // width)
    order = np.random.default_rng(seed).permutation(blocks) % count
    return order[origins[:, 1] // width]


def fit(
    label: tuple[str, ...],
    each: np.ndarray,
    frame: frames.Frame,
    origins: np.ndarray,
    actual: np.ndarray,
) -> Combination:
    """The combination of candidates ``each`` (K, n, H), by what came, ``actual`` (n, H), both z."""
    scale = frame.scale[origins[:, 0], None]
    return combination.fit(label, each / scale, actual / scale)


def _as_in(frame, z, logs):
    """z of an autoregression as that of a frame, which may or may not be of logarithms."""
    if logs == frame.logs:
        return z
    if logs:
        return np.exp(z)
    return np.log(
        np.maximum(z, np.exp(np.nanmin(frame.z) - 3))
    )  # a value that is no more than none
