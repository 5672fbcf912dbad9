"""A CSV file as columns of cells, and the numbers and time stamps in them.

Every fault is named with its line (the header is line 1) and column.
"""

import csv
import io
import re
from typing import NamedTuple

import numpy as np

from zoo.data.errors import DataError, unknown_name
from zoo.data.series import calendar
from zoo.data.text.corpus import read_text

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


class Column(NamedTuple):
    name: str
    cells: list[str]


class Sheet(NamedTuple):
    name: str
    columns: list[Column]
    lines: list[int]
    delimiter: str

    def column(self, name, role):
        for column in self.columns:
            if column.name == name:
                return column
        error = unknown_name("column", name, [c.name for c in self.columns])
        raise DataError(f"{self.name}: --config.data.{role}={name}: {error}")

    def address(self, row, column):
        return f"{self.name}, line {self.lines[row]}, column {column!r}"


def read_sheet(path):
    name, text = repr(str(path)), read_text(path)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    if not rows:
        raise DataError(f"{name} holds no rows: the first line names the columns, values follow")
    header = [cell.strip() for cell in rows[0][1]]
    if all(_number(cell) is not None or _is_time(cell) for cell in header):
        example = delimiter.join(["time", "value", "other"][: len(header)])
        raise DataError(
            f"{name} has no header: its first line is {delimiter.join(header)!r}; put a line with the "
            f"columns' names before it, such as {example!r}"
        )
    if twice := [h for h in header if header.count(h) > 1]:
        raise DataError(f"{name}: two columns are named {twice[0]!r}")
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise DataError(
                f"{name}, line {line}: {len(row)} fields, the header has {len(header)}; a number with "
                "thousands separators must stand in quotes"
            )
    if len(rows) < 3:
        raise DataError(f"{name} has {len(rows) - 1} row(s) of values: a series needs more")
    cells = zip(*(row for _, row in rows[1:]), strict=True)
    columns = [Column(h, [c.strip() for c in col]) for h, col in zip(header, cells, strict=True)]
    return Sheet(name, columns, [line for line, _ in rows[1:]], delimiter)


def find_time(sheet, taken):
    """The first column that is mostly time stamps (a wrong one among them is then named); whole numbers
    only where the column's name says time."""
    for column in sheet.columns:
        if column.name in taken:
            continue
        first = column.cells[:20]
        if column.name.lower() in _TIME_NAMES or sum(map(_is_time, first)) > len(first) / 2:
            return column
    return None


def numbers(sheet, column, at):
    """float64 (n,), NaN for a missing cell. Raises DataError for what is no number or infinite."""
    decimal = sheet.delimiter == ";"
    found = np.empty(len(at))
    for k, i in enumerate(at):
        cell = column.cells[i]
        value = np.nan if cell.lower() in _MISSING else _number(cell, decimal)
        if value is None:
            raise DataError(
                f"{sheet.address(i, column.name)}: {cell!r} is no number; mend it, or name other columns "
                "with --config.data.column"
            )
        if np.isinf(value):
            raise DataError(f"{sheet.address(i, column.name)}: {cell!r} is infinite; give a number")
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


def looks_numeric(cells, decimal_comma):
    seen = [c for c in cells[:200] if c.lower() not in _MISSING]
    return bool(seen) and sum(_number(c, decimal_comma) is not None for c in seen) > len(seen) / 2
