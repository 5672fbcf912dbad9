"""Series from a CSV file or by name: one or several, on a regular calendar, without holes.

Wide files have a column a series; long ones a column that names the series of each row (``key``).
Every fault is named with its line (the header is line 1) and column.
"""

import csv
import hashlib
import io
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data import calendar
from zoo.data.airline import PASSENGERS
from zoo.data.calendar import Frequency
from zoo.data.errors import DataError, unknown_name
from zoo.data.files import read_bytes, write_bytes
from zoo.data.registry import locate
from zoo.data.text import read_text

_MISSING = {"", "na", "nan", "null", "none", "-", "?"}
_TIME_NAMES = {
    "time",
    "date",
    "datetime",
    "timestamp",
    "month",
    "year",
    "week",
    "day",
    "ds",
    "period",
}
_GROUPED = re.compile(r"[+-]?\d{1,3}([ ,_])\d{3}(\1\d{3})*(\.\d+)?")


class Table(NamedTuple):
    """One or several series of one calendar frequency.

    names:     N names
    times:     N arrays (T_i,), datetime64[s] or int64 row numbers
    values:    N arrays (T_i,) float64, finite
    known:     N arrays (T_i + F_i, K) float64: what is known in advance, rows past T_i of the future
    features:  K names
    """

    names: tuple[str, ...]
    times: tuple[np.ndarray, ...]
    values: tuple[np.ndarray, ...]
    known: tuple[np.ndarray, ...]
    features: tuple[str, ...]
    frequency: Frequency


def read_series(
    path: str | Path,
    *,
    column: str = "",
    time: str = "",
    frequency: str = "",
    key: str = "",
    known: str = "",
    missing: str = "error",
) -> Table:
    """The series of a CSV file (comma, semicolon or tab; a header line; UTF-8).

    column:    value columns, comma between; "" takes every column of numbers that has no other role
    time:      the column of time stamps; "" finds it, and else numbers the rows
    frequency: a name of ``calendar.frequency``; "" takes the most common distance
    key:       long format: the column that names the series of a row; ``column`` is then one column
    known:     columns that are known in advance; last rows without values are then of the future
    missing:   "error", or "interpolate" to fill holes and gaps of the calendar along a straight line

    Raises DataError that names file, line and column.
    """
    if missing not in ("error", "interpolate"):
        raise DataError(f"missing={missing!r}: must be 'error' or 'interpolate'")
    sheet = _read(path)
    plans = [sheet.column(name, "known") for name in _split(known)]
    keys = sheet.column(key, "key") if key else None
    stamps = sheet.column(time, "time") if time else _find_time(sheet, {key, *_split(known)})
    taken = {key, *_split(known), *([stamps.name] if stamps else [])}
    if column:
        columns = [sheet.column(name, "column") for name in _split(column)]
        for c in columns:
            if c.name in taken:
                raise DataError(f"{sheet.name}: the column {c.name!r} cannot have two roles")
    else:
        free = [c for c in sheet.columns if c.name not in taken]
        columns = [c for c in free if _looks_numeric(c.cells, sheet.delimiter == ";")] or free
    if not columns:
        raise DataError(f"{sheet.name}: there is no column of values beside {', '.join(taken)}")
    if keys and len(columns) > 1:
        raise DataError(
            f"{sheet.name}: a long file has one column of values, this one {len(columns)} "
            f"({', '.join(c.name for c in columns)}): name it with --config.data.column"
        )
    rows = {name: np.arange(len(sheet.lines)) for name in [""]}
    if keys:
        labels = np.array(keys.cells)
        rows = {str(n): np.flatnonzero(labels == n) for n in dict.fromkeys(keys.cells)}
    series = []
    for label, at in rows.items():
        for c in columns:
            name = label if keys else c.name
            series.append((name, *_series(sheet, at, stamps, c, plans, frequency, missing, name)))
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
        months = np.datetime64("1949-01") + np.arange(len(PASSENGERS))
        values = np.array(PASSENGERS, np.float64)
        none = np.zeros((len(values), 0))
        times = months.astype("datetime64[s]")
        month = calendar.FREQUENCIES["month"]
        return Table(("passengers",), (times,), (values,), (none,), (), month)
    if name != "etth1":
        raise unknown_name("series", name, ["airline", "etth1"])
    return read_series(locate(name), **options)


def first_rows(table: Table, rows: int) -> Table:
    """The first rows of every series; what is known of later ones is left out."""
    cut = [tuple(a[:rows] for a in part) for part in (table.times, table.values, table.known)]
    return Table(table.names, *cut, table.features, table.frequency)


def digest(table: Table) -> str:
    """sha256 of all that is in a table."""
    whole = hashlib.sha256(repr((table.names, table.features, table.frequency)).encode())
    for part in (*table.times, *table.values, *table.known):
        whole.update(np.ascontiguousarray(part).view(np.uint8).tobytes() if part.size else b"")
    return whole.hexdigest()


def save_table(path: Path, table: Table) -> None:
    """Writes a table as .npz, whole or not at all."""
    arrays = {"names": np.array(table.names), "features": np.array(table.features, dtype=str)}
    arrays["frequency"] = np.array([str(f) for f in table.frequency])
    for i, parts in enumerate(zip(table.times, table.values, table.known, strict=True)):
        arrays |= {f"{k}_{i}": a for k, a in zip(("times", "values", "known"), parts, strict=True)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def load_table(path: Path) -> Table:
    """The inverse of ``save_table``. Raises DataError where the file is missing or damaged."""
    content = read_bytes(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            names = tuple(file["names"].tolist())
            parts = [
                tuple(file[f"{k}_{i}"] for i in range(len(names)))
                for k in ("times", "values", "known")
            ]
            name, unit, step, season = file["frequency"].tolist()
            freq = Frequency(name, unit, int(step), int(season))
            return Table(names, *parts, tuple(file["features"].tolist()), freq)
    except Exception as error:
        raise DataError(f"{str(path)!r} is damaged: {error}") from None


class _Column(NamedTuple):
    name: str
    cells: list[str]


class _Sheet(NamedTuple):
    name: str
    columns: list[_Column]
    lines: list[int]
    delimiter: str

    def column(self, name, role):
        for column in self.columns:
            if column.name == name:
                return column
        error = unknown_name("column", name, [c.name for c in self.columns])
        raise DataError(f"{self.name}: --config.data.{role}={name}: {error}")

    def place(self, row, column):
        return f"{self.name}, line {self.lines[row]}, column {column!r}"


def _read(path):
    name, text = repr(str(path)), read_text(path)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    found = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    if not found:
        raise DataError(f"{name} holds no rows: the first line names the columns, values follow")
    header = [cell.strip() for cell in found[0][1]]
    if all(_number(cell) is not None or _is_time(cell) for cell in header):
        example = delimiter.join(["time", "value", "other"][: len(header)])
        raise DataError(
            f"{name} has no header: its first line is {delimiter.join(header)!r}; put a line with the "
            f"columns' names before it, such as {example!r}"
        )
    if twice := [h for h in header if header.count(h) > 1]:
        raise DataError(f"{name}: two columns are named {twice[0]!r}")
    for line, row in found[1:]:
        if len(row) != len(header):
            raise DataError(
                f"{name}, line {line}: {len(row)} fields, the header has {len(header)}; a number with "
                "thousands separators must stand in quotes"
            )
    if len(found) < 3:
        raise DataError(f"{name} has {len(found) - 1} row(s) of values: a series needs more")
    cells = zip(*(row for _, row in found[1:]), strict=True)
    columns = [_Column(h, [c.strip() for c in col]) for h, col in zip(header, cells, strict=True)]
    return _Sheet(name, columns, [line for line, _ in found[1:]], delimiter)


def _find_time(sheet, taken):
    """The first column that is mostly time stamps (a wrong one among them is then named); whole numbers
    only where the column's name says time."""
    for column in sheet.columns:
        if column.name in taken:
            continue
        first = column.cells[:20]
        if column.name.lower() in _TIME_NAMES or sum(map(_is_time, first)) > len(first) / 2:
            return column
    return None


def _series(sheet, at, stamps, column, plans, frequency, missing, name):
    values = _numbers(sheet, column, at)
    features = [_numbers(sheet, p, at) for p in plans]
    last = len(at)
    if plans:  # the future: rows at the end that have no value yet
        seen = np.flatnonzero(~np.isnan(values))
        last = int(seen[-1]) + 1 if len(seen) else 0
    if not last:
        raise DataError(f"{sheet.name}: series {name!r} has no values")

    def place(i):
        return sheet.place(at[i], stamps.name)

    if stamps:
        times = calendar.parse([stamps.cells[i] for i in at], place)
        _check_order(sheet, times, place, stamps, at)
    else:
        times = np.arange(len(at))
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
    steps = calendar.places(times, freq)
    if (steps < 0).any():
        i = int(np.argmin(steps))
        raise DataError(
            f"{place(i)}: {stamps.cells[at[i]]} lies between the steps of a series by {freq.name} that "
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
                    f"{sheet.place(at[i], c.name)}: the value is missing ({c.cells[at[i]]!r}); fill it in, "
                    "or use --config.data.missing=interpolate"
                )
    elif size > 2 * len(at):
        gap = int(np.argmax(np.diff(steps)))
        raise DataError(
            f"{place(gap + 1)}: {size - len(at)} rows would be filled in for {len(at)} that are there; is "
            f"{stamps.cells[at[gap + 1]]} after {stamps.cells[at[gap]]} right?"
        )
    full = np.concatenate([times[:1], calendar.following(times[:1], size - 1, freq)])
    full[steps] = times
    for data, c, n in whole:
        if np.isnan(data[0]) or np.isnan(data[n - 1]):
            i = 0 if np.isnan(data[0]) else n - 1
            raise DataError(
                f"{sheet.place(at[i], c.name)}: the first and last values cannot be interpolated; remove "
                "that row"
            )
    filled = _fill(steps[:last], values[:last], end)
    known = np.stack([_fill(steps, f, size) for f in features], axis=1) if features else None
    return full[:end], filled, np.zeros((end, 0)) if known is None else known, freq


def _fill(steps, data, size):
    seen = ~np.isnan(data)
    return np.interp(np.arange(size), steps[seen], data[seen])


def _check_order(sheet, times, place, stamps, at):
    back = np.flatnonzero(times[1:] <= times[:-1])
    if not len(back):
        return
    _, first, counts = np.unique(times, return_index=True, return_counts=True)
    if (counts > 1).any():
        i = int(first[np.argmax(counts > 1)])
        j = int(np.flatnonzero(times == times[i])[1])
        raise DataError(
            f"{place(j)}: {stamps.cells[at[j]]} stands twice, first in line {sheet.lines[at[i]]}; "
            "keep one of them, or name the column that tells the series apart with --config.data.key"
        )
    i = int(back[0]) + 1
    raise DataError(
        f"{place(i)}: {stamps.cells[at[i]]} comes after {stamps.cells[at[i - 1]]}; sort the file by time"
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


def _numbers(sheet, column, at):
    """float64 (n,), NaN for a missing cell. Raises DataError for what is no number or infinite."""
    decimal = sheet.delimiter == ";"
    found = np.empty(len(at))
    for k, i in enumerate(at):
        cell = column.cells[i]
        value = np.nan if cell.lower() in _MISSING else _number(cell, decimal)
        if value is None:
            raise DataError(
                f"{sheet.place(i, column.name)}: {cell!r} is no number; mend it, or name other columns "
                "with --config.data.column"
            )
        if np.isinf(value):
            raise DataError(f"{sheet.place(i, column.name)}: {cell!r} is infinite; give a number")
        found[k] = value
    return found


def _number(cell, decimal_comma=False):
    """A float, or None. 1,234.5 and 1 234 have their thousands apart; 1.234,5 where ; divides."""
    try:
        return float(cell) if "_" not in cell else _grouped(cell)
    except ValueError:
        pass
    if decimal_comma and re.fullmatch(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+", cell):
        return float(cell.replace(".", "").replace(",", "."))
    return _grouped(cell)


def _grouped(cell):
    match = _GROUPED.fullmatch(cell.replace("\u00a0", " "))
    return float(re.sub(r"[ ,_\u00a0]", "", cell)) if match else None


def _is_time(cell):
    try:
        return calendar.parse([cell]).dtype.kind == "M"
    except DataError:
        return bool(re.fullmatch(r"\d{1,2}[/.]\d{1,2}[/.]\d{4}", cell))


def _looks_numeric(cells, decimal_comma):
    seen = [c for c in cells[:200] if c.lower() not in _MISSING]
    return bool(seen) and sum(_number(c, decimal_comma) is not None for c in seen) > len(seen) / 2


def _split(names):
    return [n.strip() for n in names.split(",") if n.strip()]
