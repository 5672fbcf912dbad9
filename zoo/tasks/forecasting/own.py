"""What a careful person would choose for series of their own, from how long they are and their season.

Which of the candidates counts, and how much, is then found by their errors (``combination``). Every setting
that was given on the command line stays.
"""

import numpy as np
from ml_collections import ConfigDict

from zoo.config import flatten, put
from zoo.tasks.forecasting.config import kinds

_MEMBERS = 4  # networks of each view
_LONGEST = 28  # values that a network reads, at most
_STEPS, _WINDOWS, _MOST = 3000, 60_000, 300  # of training, each at most, and epochs
_KEYS = (
    "data.transform",
    "model.length",
    "ensemble.transforms",
    "ensemble.differences",
    "ensemble.lengths",
    "ensemble.members",
    "ensemble.combine",
    "batch_size",
    "epochs",
    "eval_epochs",
    "optimizer.weight_decay",
)
# What a command says, also of a run that it goes on with.
_ASKED = {"name", "variant", "seed", "data.name", "data.path"}


def settle(config: ConfigDict, given: set[str], begun: ConfigDict | None = None) -> str:
    """Sets what follows from the series and was not ``given``; a sentence that says so, "" where nothing
    follows: the config does not ``adapt``, or there are no series to read.

    begun: the config of the run, where it has begun: then what it has stays
    """
    if config.model.stateful:
        put(config, {"refit": False}, given)
    if not config.adapt or config.model.stateful:
        return ""
    if begun is not None:
        have = flatten(config)
        put(config, {k: v for k, v in flatten(begun).items() if k in have}, _ASKED | given)
        return ""
    from zoo.errors import UserError
    from zoo.tasks.forecasting.task import ForecastingTask

    if config.ensemble.members < 2:
        put(config, {"ensemble.combine": "mean"}, given)
    try:
        table = ForecastingTask(config).table
    except UserError:
        return ""  # the task says what is wrong
    test, season = config.data.test, table.frequency.season
    train = [v[: len(v) - round(test * len(v) if test < 1 else test)] for v in table.values]
    if min(map(len, train)) < 12:
        return ""
    shortest = min(map(len, train))
    positive = all((v > 0).all() for v in table.values)
    length, views = _views(shortest, season, positive)
    if "model.length" in given:
        length = config.model.length
    if "data.difference" in given:
        views = list(dict.fromkeys((transform, config.data.difference) for transform, _ in views))
    if "data.transform" in given:
        own = config.data.transform
        views = [view for view in views if view[0] == own] or [(own, lags) for _, lags in views]
    members = _MEMBERS * len(views)
    if "ensemble.members" in given:
        members = config.ensemble.members
        most = (n for n in range(len(views), 1, -1) if members % n == 0 and members >= 2 * n)
        views = views[: next(most, 1)]
    windows = sum(len(v) - length for v in train)
    batch = int(2 ** np.clip(np.round(np.log2(windows / 24)), 3, 8))
    epochs = float(np.clip(round(min(_STEPS * batch, _WINDOWS) / windows), 5, _MOST))
    values = (
        views[0][0],
        length,
        tuple(transform for transform, _ in views),
        tuple(lags for _, lags in views),
        (length,) * len(views),
        members,
        "stacked" if members > 1 else "mean",
        batch,
        epochs,
        epochs,
        1.0 if windows < 500 else 0.1,
    )
    put(config, dict(zip(_KEYS, values, strict=True)), given)
    rows, period, e = min(map(len, table.values)), table.frequency.name, config.ensemble
    if e.combine != "stacked":
        return ""
    return (
        f"{len(table.names)} series, {rows:,} rows or more by {period}, season {season}: {e.members} "
        f"networks of {kinds(config)} kind{'s' if kinds(config) > 1 else ''}, two autoregressions, "
        "exponential smoothing and the Theta method, weighed by their errors; change with "
        "--config.ensemble.differences, --config.model.length, …"
    )


def _views(rows, season, positive):
    """(values that a network reads, the (transform, differences) that it may see) of series of so many
    rows."""
    length = season + 1 if season >= 12 else 2 * season if season > 1 else 10
    length = min(length, _LONGEST, max(2, rows // 4))

    def fits(lags):
        return sum(lags) + length + 8 <= 0.6 * rows

    values = [lags for lags in ((season,), (1,), ()) if season > 1 or lags != (season,)]
    logs = [lags for lags in ((season,), (1, season)) if season > 1 and fits(lags)] or [(1,)]
    views = [("log", lags) for lags in logs if positive] + [("none", lags) for lags in values]
    return length, [view for view in views if fits(view[1])] or [("none", ())]
