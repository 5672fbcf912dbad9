"""What series must bring: every mistake is named before training, or before a forecast."""

import sys

from ml_collections import ConfigDict

from zoo.data.series import calendar
from zoo.data.series.frames import View
from zoo.data.series.table import Table
from zoo.errors import UserError


def check_lengths(config: ConfigDict, table: Table, views: list[View]) -> None:
    """Raises UserError, with the numbers, for a series that is too short for one window."""
    c, view = config, max(views, key=lambda view: view.need)
    frame, lags = view.frame, len(view.frame.a)
    skip = c.data.skip_last
    need = view.need + c.model.horizon + skip
    for name, n, ends in zip(table.names, frame.lengths, frame.ends, strict=True):
        lags_text = f" + {lags} of differencing" if lags else ""
        lags_text += f" + {skip} that are left out (--config.data.skip_last)" if skip else ""
        if ends[0] < need:
            raise UserError(
                f"series {name!r} has {n} rows, of which {max(0, ends[0])} are for training; input "
                f"{view.length} + horizon {c.model.horizon}{lags_text} needs {need}: use a longer "
                "series, or smaller --config.model.length, --config.model.horizon, --config.data.test"
            )
        for split, rows in (("valid", ends[1] - ends[0]), ("test", ends[2] - ends[1])):
            if c.data[split] and rows < c.model.horizon:
                raise UserError(
                    f"series {name!r}: its {split} part has {rows} rows, fewer than the horizon "
                    f"{c.model.horizon}: set --config.data.{split} higher, or to 0 for none"
                )


def note_holidays(table: Table) -> None:
    """Says which weekdays a series of business days has no row for, on stderr."""
    if table.frequency.unit != "B":
        return
    if days := sorted({day for times in table.times for day in calendar.holidays(times)}):
        shown = ", ".join(map(str, days[:3])) + (", …" if len(days) > 3 else "")
        words = "1 weekday" if len(days) == 1 else f"{len(days)} weekdays"
        print(f"note: {words} without a row are taken for holidays: {shown}", file=sys.stderr)


def check_input(trained: Table, table: Table, need: int, horizon: int) -> None:
    """Raises UserError where newer data is not of the same series, or too short, or lacks its plans."""
    if table.names != trained.names:
        lost = [n for n in trained.names if n not in table.names]
        why = f"{_list(lost)} is missing" if lost else "there are others, or in another order"
        raise UserError(
            f"the input has the series {_list(table.names)}; this model forecasts "
            f"{_list(trained.names)}: {why}"
        )
    if table.frequency != trained.frequency:
        raise UserError(
            f"the input is by {table.frequency.name}; this model forecasts by {trained.frequency.name}"
        )
    for name, values, known in zip(table.names, table.values, table.known, strict=True):
        if len(values) < need:
            raise UserError(
                f"series {name!r} has {len(values)} rows; the model reads {need} to forecast"
            )
        if table.features and len(known) - len(values) < horizon:
            raise UserError(
                f"series {name!r}: {_list(table.features)} must be known for {horizon} rows after "
                f"the last value; there are {len(known) - len(values)}: add rows with empty values"
            )


def _list(names):
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
