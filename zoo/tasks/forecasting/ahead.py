"""What comes after the end of every series: forecasts, intervals, quantiles."""

from collections.abc import Sequence

import numpy as np

from zoo.data.series import calendar, frames
from zoo.data.series.table import Table
from zoo.tasks.forecasting import intervals, limits


def rows(
    task,
    params,
    residuals: np.ndarray,
    horizon: int,
    level: float = 0.95,
    quantiles: Sequence[float] = (),
    table: Table | None = None,
) -> list[dict]:
    """What comes next of every series: series, time, forecast, lower, upper, and the quantiles by their
    number.

    ``residuals`` are those of the run; ``table`` is newer data of the same series. Raises UserError where
    it does not fit.
    """
    table = table or task.table
    limits.check_input(task.table, table, max(view.need for view in task.views), horizon)
    views = task.views_of(table, horizon, like=task.views)
    frame = views[0].frame
    z, floor = _after(task, params, views, horizon, table), intervals.floors(table, frame)[:, None]

    def off(level):
        return intervals.half_widths(residuals, level, horizon)[None] * frame.scale[:, None]

    bounds = {"forecast": z, "lower": z - off(level), "upper": z + off(level)}
    for q in quantiles:
        bounds[f"{q:g}"] = z if q == 0.5 else z + np.sign(q - 0.5) * off(abs(2 * q - 1))
    numbers = {k: frames.values(frame, np.maximum(bound, floor)) for k, bound in bounds.items()}
    made = []
    for i, name in enumerate(table.names):
        for h, time in enumerate(calendar.following(table.times[i], horizon, table.frequency)):
            row = {"series": name, "time": calendar.show(time, table.frequency)}
            made.append(row | {k: float(values[i, h]) for k, values in numbers.items()})
    return made


def _after(task, params, views, horizon, table):
    """z (N, horizon) after the end of every series, by those that have seen the most of it."""
    lengths, refitted = views[0].frame.lengths, bool(task.refit.members)
    ends = np.stack([np.arange(len(lengths)), lengths], axis=1)
    if not task.config.model.stateful:
        u = task.forecasts(params, ends, horizon, views, refitted)
        return task.combined(views, ends, u, table, refitted)
    u = []
    for i, n in ends:  # through the whole series, for the state at its end
        t = np.arange(views[0].need, n + 1)
        origins = np.stack([np.full(len(t), i), t], axis=1)
        u.append(task.forecasts(params, origins, horizon, views)[:, -1])
    return task.combined(views, ends, np.stack(u, axis=1), table)
