"""Series from a CSV file or by name: one or several, on a regular calendar, without holes.

Wide files have a column a series; long ones a column that names the series of each row (``key``).
"""

from pathlib import Path

import numpy as np

from zoo.data.errors import DataError, unknown_name
from zoo.data.registry import locate
from zoo.data.series import calendar
from zoo.data.series.airline import PASSENGERS
from zoo.data.series.sheet import find_time, looks_numeric, numbers, read_sheet
from zoo.data.series.table import Table

_HELD = 0.9  # of all Mondays to Fridays must be there; the others are taken for holidays


def read_series(
    path: str | Path,
    *,
    column: str = "",
    time: str = "",
    frequency: str = "",
    key: str = "",
    known: str = "",
    missing: str = "error",
    sort: bool = False,
) -> Table:
    """The series of a CSV file (comma, semicolon or tab; a header line; UTF-8; "-" is standard input).

    Numbers are written as in 1,234.5 or, unless commas divide the cells, as in 1.234,5: the numbers of
    a column all in one way, which they must tell.

    column:    value columns, comma between; "" takes every column of numbers that has no other role
    time:      the column of time stamps; "" finds it, and else numbers the rows
    frequency: a name of ``calendar.frequency``; "" takes the most common distance
    key:       long format: the column that names the series of a row; ``column`` is then one column
    known:     columns that are known in advance; last rows without values are then of the future
    missing:   "error", or "interpolate" to fill holes and gaps of the calendar along a straight line
    sort:      rows are put into the order of their times; else they must be in it

    Raises DataError that names file, line and column.
    """
    if missing not in ("error", "interpolate"):
        raise DataError(f"missing={missing!r}: must be 'error' or 'interpolate'")
    sheet = read_sheet(path)
    options = frequency, missing, sort
    plans = [sheet.column(name, "known") for name in _split(known)]
    keys = sheet.column(key, "key") if key else None
    named = {key, *_split(known), *_split(column)}
    stamps = sheet.column(time, "time") if time else find_time(sheet, named)
    taken = {key, *_split(known), *([stamps.name] if stamps else [])}
    if column:
        columns = [sheet.column(name, "column") for name in _split(column)]
        for c in columns:
            if c.name in taken:
                roles = {"known": known, "key": key, "time": stamps.name if stamps else ""}
                role = next(r for r, names in roles.items() if c.name in _split(names))
                raise DataError(
                    f"{sheet.name}: --config.data.column={column}: {c.name!r} is the column of "
                    f"--config.data.{role} already; leave it out of one of them"
                )
    else:
        free = [c for c in sheet.columns if c.name not in taken]
        columns = [c for c in free if looks_numeric(c, sheet.delimiter)]
        if plans and not columns:
            raise DataError(
                f"{sheet.name}: --config.data.known={known}: no other column of numbers is left, which "
                "could be forecast"
            )
        columns = columns or free
    if not columns:
        roles = ", ".join(repr(c.name) for c in sheet.columns if c.name in taken)
        raise DataError(f"{sheet.name}: there is no column of values beside {roles}")
    if keys and len(columns) > 1:
        raise DataError(
            f"{sheet.name}: a long file has one column of values, this one {len(columns)} "
            f"({', '.join(c.name for c in columns)}): name it with --config.data.column"
        )
    numeric = {c.name: numbers(sheet, c, "column") for c in columns}
    numeric |= {p.name: numbers(sheet, p, "known") for p in plans}
    rows = {"": np.arange(len(sheet.lines))}
    if keys:
        labels = np.array(keys.cells)
        rows = {str(n): np.flatnonzero(labels == n) for n in dict.fromkeys(keys.cells)}
    series = []
    for label, at in rows.items():
        for c in columns:
            name = label if keys else c.name
            series.append((name, *_series(sheet, at, stamps, c, plans, numeric, name, *options)))
    names, times, values, plan, freqs = zip(*series, strict=True)
    if len(set(freqs)) > 1:
        other = next(i for i, f in enumerate(freqs) if f != freqs[0])
        raise DataError(
            f"{sheet.name}: series {names[0]!r} is by {freqs[0].name}, {names[other]!r} by "
            f"{freqs[other].name}: one model needs one frequency"
        )
    return Table(names, times, values, plan, tuple(p.name for p in plans), freqs[0])


def named(name: str, **options) -> Table:
    """A series by name: "airline" (embedded), "etth1" (found under $ZOO_DATA or downloaded).

    ``options`` are those of ``read_series``. Raises DataError for an unknown name.
    """
    if name == "airline":
        months = np.datetime64("1949-01") + np.arange(len(PASSENGERS)).astype("timedelta64[M]")
        values = np.array(PASSENGERS, np.float64)
        none = np.zeros((len(values), 0))
        times = months.astype("datetime64[s]")
        month = calendar.FREQUENCIES["month"]
        return Table(("passengers",), (times,), (values,), (none,), (), month)
    if name != "etth1":
        raise unknown_name("series", name, ["airline", "etth1"])
    return read_series(locate(name), **options)


def _series(sheet, at, stamps, column, plans, numeric, name, frequency, missing, sort):
    """(times, values, known, frequency) of the rows ``at``; ``numeric``: column -> its numbers."""

    def address(i):
        return sheet.address(at[i], stamps.name)

    times = calendar.parse([stamps.cells[i] for i in at], address) if stamps else np.arange(len(at))
    if sort:
        order = np.argsort(times, kind="stable")
        at, times = at[order], times[order]
    values = numeric[column.name][at]
    features = [numeric[p.name][at] for p in plans]
    last = len(at)
    if plans:  # the future: rows at the end that have no value yet
        seen = np.flatnonzero(~np.isnan(values))
        last = int(seen[-1]) + 1 if len(seen) else 0
    if not last:
        raise DataError(f"{sheet.name}: series {name!r} has no values")
    if stamps:
        _check_order(sheet, times, address, stamps, at)
    try:
        freq = calendar.frequency(frequency) if frequency else calendar.infer(times)
    except DataError as error:
        raise DataError(f"{sheet.name}: series {name!r}: {error}") from None
    if freq.unit != "row" and times.dtype.kind != "M":
        raise DataError(
            f"{sheet.name}: --config.data.frequency={frequency} needs a column of times; name it with "
            "--config.data.time"
        )
    if freq.unit == "row" and times.dtype.kind == "M":
        times = np.arange(len(at))
    steps = calendar.steps(times, freq)
    if freq.unit == "B" and missing == "error" and len(at) >= _HELD * (steps[-1] + 1):
        steps = np.where(steps < 0, steps, np.arange(len(at)))  # what lacks are holidays
    if (steps < 0).any():
        i = int(np.argmin(steps))
        raise DataError(
            f"{address(i)}: {stamps.cells[at[i]]} lies between the steps of a series by {freq.name} that "
            f"begins at {stamps.cells[at[0]]}"
        )
    size, end = int(steps[-1]) + 1, int(steps[last - 1]) + 1
    whole = [(values, column, last)]
    whole += [(f, p, len(at)) for f, p in zip(features, plans, strict=True)]
    if missing == "error":
        _check_gaps(sheet, steps, times, freq, name)
        for data, c, n in whole:
            if np.isnan(data[:n]).any():
                i = int(np.argmax(np.isnan(data[:n])))
                raise DataError(
                    f"{sheet.address(at[i], c.name)}: the value is missing ({c.cells[at[i]]!r}); fill it "
                    "in, or use --config.data.missing=interpolate"
                )
    elif size > 2 * len(at):
        gap = int(np.argmax(np.diff(steps)))
        raise DataError(
            f"{address(gap + 1)}: {size - len(at)} rows would be filled in for {len(at)} that are there; "
            f"is {stamps.cells[at[gap + 1]]} after {stamps.cells[at[gap]]} right?"
        )
    full = np.concatenate([times[:1], calendar.following(times[:1], size - 1, freq)])
    full[steps] = times
    for data, c, n in whole:
        if np.isnan(data[0]) or np.isnan(data[n - 1]):
            i = 0 if np.isnan(data[0]) else n - 1
            raise DataError(
                f"{sheet.address(at[i], c.name)}: the first and last values cannot be interpolated; remove "
                "that row"
            )
    filled = _fill(steps[:last], values[:last], end)
    known = np.stack([_fill(steps, f, size) for f in features], axis=1) if features else None
    return full[:end], filled, np.zeros((end, 0)) if known is None else known, freq


def _fill(steps, data, size):
    seen = ~np.isnan(data)
    return np.interp(np.arange(size), steps[seen], data[seen])


def _check_order(sheet, times, address, stamps, at):
    back = np.flatnonzero(times[1:] <= times[:-1])
    if not len(back):
        return
    _, first, counts = np.unique(times, return_index=True, return_counts=True)
    if (counts > 1).any():
        i = int(first[np.argmax(counts > 1)])
        j = int(np.flatnonzero(times == times[i])[1])
        raise DataError(
            f"{address(j)}: {stamps.cells[at[j]]} stands twice, first in line {sheet.lines[at[i]]}; "
            "keep one of them, or name the column that tells the series apart with --config.data.key"
        )
    i = int(back[0]) + 1
    raise DataError(
        f"{address(i)}: {stamps.cells[at[i]]} comes after {stamps.cells[at[i - 1]]}; sort the "
        "file by time, or add --config.data.sort=True"
    )


def _check_gaps(sheet, steps, times, freq, name):
    absent = np.setdiff1d(np.arange(steps[-1] + 1), steps)
    if not len(absent):
        return
    full = np.concatenate([times[:1], calendar.following(times[:1], int(absent[-1]), freq)])
    stamps = ", ".join(calendar.show(full[i], freq) for i in absent[:5])
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    raise DataError(
        f"{sheet.name}: series {name!r} lacks {stamps}{more} (by {freq.name}); add the rows, use "
        "--config.data.missing=interpolate, or count rows with --config.data.frequency=row"
    )


def _split(names):
    return [n.strip() for n in names.split(",") if n.strip()]
