"""What a careful person would choose for series of their own, from how long they are and their season.

Which of the candidates counts, and how much, is then found by their errors (``combination``). Every setting
that was given on the command line stays.
"""

import numpy as np
from ml_collections import ConfigDict

from zoo.config import flatten, put

_MEMBERS = 4  # networks of each view
_LONGEST = 28  # values that a network reads, at most
_STEPS, _MOST = 3000, 300  # of training, about; epochs at most
_KEYS = (
    "data.transform",
    "model.length",
    "ensemble.transforms",
    "ensemble.differences",
    "ensemble.lengths",
    "ensemble.members",
    "batch_size",
    "epochs",
    "eval_epochs",
    "optimizer.weight_decay",
)


def settle(config: ConfigDict, given: set[str], begun: ConfigDict | None = None) -> str:
    """Sets what follows from the series and was not ``given``; a sentence that says so, "" where nothing
    follows: the config does not ``adapt``, or there are no series to read.

    begun: the config of the run, where it has begun: then what it has stays
    """
    if not config.adapt:
        return ""
    if begun is not None:
        put(config, {key: flatten(begun)[key] for key in (*_KEYS, "adapt")}, given)
        return ""
    from zoo.errors import UserError
    from zoo.tasks.forecasting.task import ForecastingTask

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
    windows = sum(len(v) - length for v in train)
    batch = int(2 ** np.clip(np.round(np.log2(windows / 24)), 3, 8))
    epochs = float(np.clip(round(_STEPS * batch / windows), 5, _MOST))
    values = (
        views[0][0],
        length,
        tuple(transform for transform, _ in views),
        tuple(lags for _, lags in views),
        (length,) * len(views),
        _MEMBERS * len(views),
        batch,
        epochs if not given & {"steps", "epochs"} else config.epochs,
        epochs,
        1.0 if windows < 500 else 0.1,
    )
    put(config, dict(zip(_KEYS, values, strict=True)), given)
    rows, period, e = min(map(len, table.values)), table.frequency.name, config.ensemble
    return (
        f"{len(table.names)} series, {rows:,} rows or more by {period}, season {season}: an "
        f"autoregression and {e.members} networks of {max(1, len(e.differences))} kinds, weighed by their "
        "errors; change with --config.ensemble.differences, --config.model.length, …"
    )


def _views(rows, season, positive):
    """(values that a network reads, the (transform, differences) that it may see) of series of so many
    rows."""
    length = season + 1 if season >= 12 else 2 * season if season > 1 else 10
    length = min(length, _LONGEST, max(2, rows // 4))
    values = (
        [("none", (season,)), ("none", (1,)), ("none", ())]
        if season > 1
        else [("none", (1,)), ("none", ())]
    )
    logs = [("log", (season,)), ("log", (1, season))] if season > 1 else [("log", (1,))]
    views = logs * positive + values
    fits = [view for view in views if sum(view[1]) + length + 8 <= 0.6 * rows]
    return length, fits or [("none", ())]
