"""What a stacked forecast is made of: the members of each view, and a linear autoregression."""

from functools import cached_property

import numpy as np

from zoo.data.series import frames
from zoo.data.series.table import Table
from zoo.tasks.forecasting import combination, linear
from zoo.tasks.forecasting.combination import Combination
from zoo.tasks.forecasting.linear import Linear


class Stack:
    """The candidates of a task, and the combination of them once it is known.

    ``task`` has views, table, frame, config and ``training_origins``.
    """

    def __init__(self, task):
        self._task = task
        self.combination: Combination | None = None

    @cached_property
    def folds(self) -> np.ndarray:
        """(n,) the fold of each origin of training: network i of a view leaves fold i out."""
        c = self._task.config
        count = c.ensemble.members // len(self._task.views)
        return folds(self._task.training_origins, count, c.horizon, c.seed)

    @cached_property
    def linear(self) -> list[Linear | None]:
        """The autoregression of each series on its training part."""
        table, horizon = self._task.table, self._task.config.horizon
        seasons = linear.long_seasons(table.frequency)
        ends, season = self._task.frame.ends[:, 0], table.frequency.season
        parts = [v[:end] for v, end in zip(table.values, ends, strict=True)]
        return [linear.fit(part, season, seasons, horizon) for part in parts]

    def weigh(self, u: np.ndarray) -> None:
        """Finds the combination, by forecasts u (members, n, H) from the origins of training: each counts
        where a network had not seen what came."""
        task, frame = self._task, self._task.frame
        origins = task.training_origins
        each = forecasts(task.views, origins, u, task.table, self.linear, self.folds)
        actual = frames.actual(frame, origins, u.shape[2], "train")
        e, scale = task.config.ensemble, frame.scale[origins[:, 0], None]
        label = names(task.views, e.differences or (task.config.data.difference,))
        self.combination = combination.fit(label, each / scale, actual / scale)

    def combined(
        self,
        views: list[frames.View],
        origins: np.ndarray,
        u: np.ndarray,
        table: Table,
        folds: np.ndarray | None = None,
    ) -> np.ndarray:
        """z (n, H) of all candidates, for the arguments see ``forecasts``."""
        each = forecasts(views, origins, u, table, self.linear, folds)
        return combination.combine(self.combination, each)


def names(views: list[frames.View], differences: tuple) -> tuple[str, ...]:
    """Of the candidates, in the order of ``forecasts``."""
    each = []
    for k, view in enumerate(views):
        lags = differences[k % len(differences)]
        seen = f"differences {' and '.join(map(str, lags))} of " if lags else ""
        seen += "logarithms" if view.frame.logs else "values"
        each.append(f"networks on {seen}, {view.length} back")
    return (*each, "autoregression")


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


def _as_in(frame, z, logs):
    """z of an autoregression as that of a frame, which may or may not be of logarithms."""
    if logs == frame.logs:
        return z
    if logs:
        return np.exp(z)
    return np.log(
        np.maximum(z, np.exp(np.nanmin(frame.z) - 3))
    )  # a value that is no more than none
