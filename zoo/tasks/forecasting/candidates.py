"""What a stacked forecast is made of: the members of each view, two autoregressions, exponential smoothing,
the Theta method, the last value and that of a season ago, and where statsmodels is installed Holt-Winters
and SARIMA.

Half of the members of a view are scouts: they do not train on the last part of the training part. What they
and the others on the rows before forecast there, from rolling origins, gives the weights and the
intervals: models of a trend are judged by how they go on with it. The other members train on all of it, and
are what forecasts.
"""

import sys
from functools import cached_property

import numpy as np

from zoo.data.series import frames
from zoo.data.series.table import Table
from zoo.tasks.forecasting import combination, exponential, linear, smoothing, theta
from zoo.tasks.forecasting.combination import Combination
from zoo.tasks.forecasting.config import kinds
from zoo.tasks.forecasting.exponential import Exponential
from zoo.tasks.forecasting.linear import Linear
from zoo.tasks.forecasting.smoothing import Smoothing
from zoo.tasks.forecasting.theta import Theta

_SCOUTED = 0.3  # of the training part
# What needs no network and no other library.
_SIMPLE = (
    "autoregression",
    "autoregression on a season",
    "exponential smoothing of logarithms",
    "exponential smoothing of values",
    "Theta",
    "persistence",
    "seasonal naive",
)


class Stack:
    """The candidates of a task, and the combination of them once it is known.

    ``task`` has views, table, frame, config and ``training_origins``.
    """

    def __init__(self, task):
        self._task = task
        self.combination: Combination | None = None

    @property
    def scouts(self) -> int:
        """How many members of each view are scouts: the first ones."""
        return self._task.config.ensemble.members // kinds(self._task.config) // 2

    @cached_property
    def cuts(self) -> np.ndarray:
        """(series,) the row of each series at which the part that scouts do not train on begins."""
        return np.round(self._task.frame.ends[:, 0] * (1 - _SCOUTED)).astype(int)

    @cached_property
    def kept(self) -> np.ndarray:
        """(members, n) whether a member trains on the window from an origin of training."""
        task = self._task
        series, t = task.training_origins.T
        late = t + task.config.model.horizon > self.cuts[series]
        member = np.arange(task.config.ensemble.members) // len(task.views)
        return (member >= self.scouts)[:, None] | ~late[None]

    @cached_property
    def simple(self) -> list[list]:
        """What needs no network, of each kind for each series, fitted on its training part."""
        return self._fitted(self._task.frame.ends[:, 0])

    @cached_property
    def _refitted(self):
        """The same, fitted on all rows."""
        return self._fitted(self._task.frame.lengths)

    @cached_property
    def _before(self):
        """The same, fitted on the rows that scouts train on."""
        return self._fitted(self.cuts)

    def _fitted(self, ends):
        table, horizon = self._task.table, self._task.config.horizon
        season, seasons = table.frequency.season, linear.long_seasons(table.frequency)
        logs = (
            self._task.frame.logs
        )  # of all series or of none: errors are compared on the same rows
        each = []
        for values, end in zip(table.values, ends, strict=True):
            seen = values[:end]
            chosen = linear.fit(seen, season, seasons, horizon)
            models = [
                chosen,
                linear.plain(seen, season),
                exponential.fit(seen, season, logs=True) if logs else None,
                exponential.fit(seen, season, logs=False),
                theta.fit(seen, season, bool(chosen and chosen.logs)),
                linear.last(),
                linear.last(season) if season > 1 else None,
            ]
            models += [smoothing.fit(n, seen, season, len(table.names)) for n in self._smoothings]
            each.append(models)
        return [list(kind) for kind in zip(*each, strict=True)]

    @property
    def _smoothings(self):
        return smoothing.NAMES if self._task.config.baselines == "classical" else ()

    def weigh(self, u: np.ndarray) -> None:
        """Finds the combination, by forecasts u (members, n, H) from the origins of training: those of
        scouts count where they did not train."""
        task, frame = self._task, self._task.frame
        origins = task.training_origins
        each = self._forecasts(task.views, origins, u, task.table, scouted=True)
        actual = frames.actual(frame, origins, u.shape[2], "train")
        scale = frame.scale[origins[:, 0], None]
        self.combination = combination.fit(self._names, each / scale, actual / scale, self._usual)

    @property
    def _names(self):
        return names(self._task.views, self._lags, self._smoothings)

    @property
    def _usual(self):
        season = self._task.table.frequency.season
        return usual(self._task.views, self._lags, season, self._smoothings)

    @property
    def _lags(self):
        c = self._task.config
        return c.ensemble.differences or (c.data.difference,)

    def combined(
        self,
        views: list[frames.View],
        origins: np.ndarray,
        u: np.ndarray,
        table: Table,
        scouted: bool = False,
        refitted: bool = False,
    ) -> np.ndarray:
        """z (n, H) of all candidates from origins (n, 2), of which u (members, n, H) is what the networks
        say. ``scouted``: of scouts, where they did not train; NaN elsewhere. ``refitted``: of members and
        of other candidates that were fitted on all rows."""
        each = self._forecasts(views, origins, u, table, scouted, refitted)
        # A run of an earlier version may know fewer.
        weighed = combination.among(self.combination, self._names)
        if scouted:
            return combination.combine(weighed, each)
        near = within_reach(views[0].frame, origins, each)
        after = origins[:, 1] >= self._task.frame.ends[origins[:, 0], 0]
        after |= table is not self._task.table
        if after.any():
            there, kept = np.isfinite(each[:, after]), np.isfinite(near[:, after])
            reason = "statsmodels is missing, or the rows do not begin where those of training do"
            _tell(weighed, ~there.any(axis=(1, 2)), reason)
            reason = "somewhere it forecasts what is far beyond all that the series has been"
            _tell(weighed, (there & ~kept).any(axis=(1, 2)), reason)
        return combination.combine(weighed, near)

    def _forecasts(self, views, origins, u, table, scouted=False, refitted=False):
        trained = self._task.table.times
        same = np.array([a[0] == b[0] for a, b in zip(table.times, trained, strict=True)])
        if refitted:
            use = np.ones((len(u) // len(views), len(origins)), bool)
            return forecasts(views, origins, u, table, self._refitted, use, same)
        late = origins[:, 1] >= self.cuts[origins[:, 0]]
        members = np.arange(len(u) // len(views))
        use = (members < self.scouts if scouted else members >= self.scouts)[:, None]
        use = use & (late | (not scouted))[None]
        models = self._before if scouted else self.simple
        return forecasts(views, origins, u, table, models, use, same)


def names(
    views: list[frames.View], differences: tuple, smoothings: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Of the candidates, in the order of ``forecasts``."""
    each = []
    for k, view in enumerate(views):
        lags = differences[k % len(differences)]
        seen = f"differences {' and '.join(map(str, lags))} of " if lags else ""
        seen += "logarithms" if view.frame.logs else "values"
        each.append(f"networks on {seen}, {view.length} back")
    return (*each, *_SIMPLE, *(name.replace("_", " ") for name in smoothings))


def usual(
    views: list[frames.View], differences: tuple, season: int, smoothings: tuple[str, ...] = ()
) -> np.ndarray:
    """(K,) which of the candidates are good on most series, in the order of ``forecasts``: networks that
    see differences to a season ago, the first autoregression, exponential smoothing, Holt-Winters and
    SARIMA. Of values and logarithms it is those that the first view has."""
    logs = views[0].frame.logs
    networks = [
        view.frame.logs == logs and season in differences[k % len(differences)]
        for k, view in enumerate(views)
    ]
    smoothed = f"exponential smoothing of {'logarithms' if logs else 'values'}"
    simple = [name in ("autoregression", smoothed) for name in _SIMPLE]
    return np.array([*networks, *simple, *(True for _ in smoothings)])


def forecasts(
    views: list[frames.View],
    origins: np.ndarray,
    u: np.ndarray,
    table: Table,
    simple: list[list[Linear | Theta | Exponential | Smoothing | None]],
    use: np.ndarray,
    same: np.ndarray,
) -> np.ndarray:
    """z (K, n, H) of every candidate from origins (n, 2); NaN where it has none.

    u:      (members, n, H) of the networks
    simple: of each kind, what is fitted to each series
    use:    (members of a view, n) which count where; what needs no network where any does
    same:   (N,) whether a series begins where it did in training; where not, what counts rows from there,
            for its season, has no forecast
    """
    each = []
    for k, view in enumerate(views):
        z = frames.combine([view], origins, u[k :: len(views)], use)
        each.append(_as_in(views[0].frame, z, view.frame.logs))
    for models in simple:
        last = np.full(u.shape[1:], np.nan)
        for i, (values, model) in enumerate(zip(table.values, models, strict=True)):
            if model is None or not (same[i] or _anywhere(model)):
                continue
            rows = (origins[:, 0] == i) & use.any(axis=0)
            rows &= origins[:, 1] >= _need(model)
            last[rows] = _forecast(views[0].frame, model, values, origins[rows, 1], u.shape[2])
        each.append(last)
    return np.stack(each)


def within_reach(frame: frames.Frame, origins: np.ndarray, each: np.ndarray) -> np.ndarray:
    """The forecasts (K, n, H), NaN for those that are further from all that came before than that reaches
    from its least to its greatest; further ahead than there is a past, as much further. A method may have
    got numbers that explode. Where no candidate is within reach, the series itself has gone far: they
    stay."""
    series, t = origins.T
    low, high = (f.accumulate(frame.z, axis=1)[series, t - 1] for f in (np.fmin, np.fmax))
    steps = np.arange(1, each.shape[2] + 1)
    reach = (high - low)[:, None] * np.maximum(1, steps / t[:, None])
    near = (each >= low[:, None] - reach) & (each <= high[:, None] + reach)
    return np.where(near | ~near.any(axis=0), each, np.nan)


def _tell(weighed, lacking, reason):
    """Names what counts and is not there."""
    each = zip(weighed.names, weighed.weights.T, lacking, strict=True)
    if lost := [name for name, weight, no in each if no and weight.any()]:
        print(
            f"note: without {', '.join(lost)}, whose weight goes to the others: {reason}",
            file=sys.stderr,
        )


def _need(model):
    """Rows before the first origin."""
    if isinstance(model, Linear):
        return len(model.weights)
    return model.first + 1 if isinstance(model, Exponential) else 1


def _anywhere(model):
    """Whether it forecasts from any past, wherever that begins. Smoothing sees to that itself."""
    if isinstance(model, Linear):
        return not model.pairs
    return isinstance(model, Smoothing) or (isinstance(model, Theta) and len(model.season) == 1)


def _forecast(frame, model, values, rows, horizon):
    """What a model that is no network forecasts, as z of a frame."""
    if isinstance(model, Smoothing):
        return _as_in(frame, smoothing.forecasts(model, values, rows, horizon), False)
    methods = {Linear: linear, Theta: theta, Exponential: exponential}
    method = methods[type(model)]
    return _as_in(frame, method.forecasts(model, values, rows, horizon), model.logs)


def _as_in(frame, z, logs):
    """z of an autoregression as that of a frame, which may or may not be of logarithms."""
    if logs == frame.logs:
        return z
    if logs:
        return np.exp(z)
    return np.log(
        np.maximum(z, np.exp(np.nanmin(frame.z) - 3))
    )  # a value that is no more than none
