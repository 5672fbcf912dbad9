"""A CSV file as columns of cells, and the numbers and time stamps in them.

Every fault is named with its line (the header is line 1) and column.
"""

import csv
import io
import re
import sys
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.errors import DataError, unknown_name
from zoo.data.series import calendar
from zoo.data.series.notation import COMMA, POINT, is_missing, is_number, notations, value
from zoo.data.text.corpus import decode_text, read_text

_STANDARD_INPUT = {"-", "/dev/stdin", "/dev/fd/0"}
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


class Column(NamedTuple):
    """A column: its name in the header, and the text of its cells, without spaces around it."""

    name: str
    cells: list[str]


class Sheet(NamedTuple):
    """A file's columns, the line of each row, and the delimiter; ``name`` is what errors call it."""

    name: str
    columns: list[Column]
    lines: list[int]
    delimiter: str

    def column(self, name: str, role: str) -> Column:
        """The column that --config.data.ROLE names. Raises DataError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        error = unknown_name("column", name, [c.name for c in self.columns])
        raise DataError(f"{self.name}: --config.data.{role}={name}: {error}")

    def address(self, row: int, column: str) -> str:
        """Where a cell stands, for errors."""
        return f"{self.name}, line {self.lines[row]}, column {column!r}"


def read_sheet(path: str | Path) -> Sheet:
    """The sheet of a UTF-8 file that commas, semicolons or tabs divide, its first line a header; of
    standard input where the path is "-" or "/dev/stdin", which is read once and may be asked for again.

    Raises DataError where the header is missing or names two columns alike, for a row with more or
    fewer cells than the header, and for fewer than two rows.
    """
    if str(path) in _STANDARD_INPUT:
        name = "standard input"
        text = decode_text(_piped(sys.stdin.buffer), name)
    else:
        name, text = repr(str(path)), read_text(path)
    # A comma between digits may be a decimal one; a file of nothing else is divided by commas.
    first = re.sub(r"(?<=\d),(?=\d)", "", text.split("\n", 1)[0])
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    if not rows:
        raise DataError(f"{name} holds no rows: the first line names the columns, values follow")
    header = [cell.strip() for cell in rows[0][1]]
    if all(is_number(cell, delimiter) or _is_time(cell) for cell in header):
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


@lru_cache(maxsize=1)
def _piped(stream):
    """All that comes out of a pipe: settings follow from it, and then a training reads it."""
    return stream.read()


def find_time(sheet: Sheet, taken: Collection[str]) -> Column | None:
    """The first column that is mostly time stamps (a wrong one among them is then named); whole numbers
    only where the column's name says time, and years where they rise evenly."""
    for column in sheet.columns:
        if column.name in taken:
            continue
        if column.name.lower() in _TIME_NAMES or _mostly_times(column.cells[:20]):
            return column
    return None


def looks_numeric(column: Column, delimiter: str) -> bool:
    """Whether most of a column's first 200 cells that are not missing are numbers."""
    seen = [cell for cell in column.cells[:200] if not is_missing(cell)]
    return sum(is_number(cell, delimiter) for cell in seen) > len(seen) / 2


def numbers(sheet: Sheet, column: Column, role: str) -> np.ndarray:
    """float64 (rows,) of a column that was named, or could be, by --config.data.ROLE; NaN for a
    missing cell.

    All cells are read in one notation, the one in which all are numbers. Raises DataError, with line
    and column, where none is that, where both are and give different numbers, and where a number is
    infinite.
    """
    readings = {
        notation: [np.nan if is_missing(cell) else value(cell, notation) for cell in column.cells]
        for notation in notations(sheet.delimiter)
    }
    values = np.array(readings[_notation(sheet, column, role, readings)])
    if np.isinf(values).any():
        row = int(np.argmax(np.isinf(values)))
        cell = column.cells[row]
        raise DataError(f"{sheet.address(row, column.name)}: {cell!r} is infinite; give a number")
    return values


def _notation(sheet, column, role, readings):
    """The notation of a column. ``readings``: notation -> the cells' numbers, None for what is none."""
    remedy = f"or name other columns with --config.data.{role}"
    wrong = {n: [row for row, v in enumerate(readings[n]) if v is None] for n in readings}
    best = min(wrong, key=lambda n: len(wrong[n]))  # the decimal point where both are as good
    if wrong[best]:
        row = wrong[best][0]
        cell, other = column.cells[row], COMMA if best is POINT else POINT
        hint = ""
        if value(cell, other) is not None:
            hint = (
                f": it is written as in {other.example}, this column is read as in {best.example}"
            )
        raise DataError(
            f"{sheet.address(row, column.name)}: {cell!r} is no number{hint}; mend it, {remedy}"
        )
    right = [readings[n] for n in readings if not wrong[n]]
    for row, (cell, *values) in enumerate(zip(column.cells, *right, strict=True)):
        if len(set(values)) > 1 and not is_missing(cell):
            mark = "." if "." in cell else ","
            raise DataError(
                f"{sheet.address(row, column.name)}: {cell!r} may be {cell.replace(mark, '')} or "
                f"{cell.replace(mark, '.')}, and no cell of this column tells which; write "
                f"thousands without the {mark!r} or, in one cell, a fourth decimal ({cell}0), {remedy}"
            )
    return best


def _mostly_times(cells):
    stamps = [cell for cell in cells if _is_time(cell)]
    if all(stamp.isdecimal() for stamp in stamps):
        # Values of 1001 to 2999 look like years. Years rise evenly, in a long file again and again.
        rises = {int(step) for step in np.diff([int(stamp) for stamp in stamps]) if step > 0}
        if len(rises) != 1 or max(rises) > 10:
            return False
    return len(stamps) > len(cells) / 2


def _is_time(cell):
    try:
        return calendar.parse([cell]).dtype.kind == "M"
    except DataError:
        return bool(re.fullmatch(r"\d{1,2}[/.]\d{1,2}[/.]\d{4}", cell))
