"""Numbers as people write them: with a decimal point, 1,234.5, or with a decimal comma, 1.234,5."""

import re
from typing import NamedTuple

_MISSING = {"", "na", "nan", "-nan", "null", "none", "-", "?"}


class Notation(NamedTuple):
    """A way to write numbers.

    example:   a number that the other notation does not take
    decimal:   the mark before the decimals
    thousands: the marks of which one, the same throughout a number, may stand between its thousands
    number:    matches whatever is a number
    """

    example: str
    decimal: str
    thousands: str
    number: re.Pattern


def _notation(example, decimal, thousands):
    mark, group = re.escape(decimal), f"[{thousands}]"
    # Thousands begin with no 0 and have no exponent: 0.123 and 1.234e5 can only have decimals.
    apart = rf"[1-9]\d{{0,2}}(?P<group>{group})\d{{3}}((?P=group)\d{{3}})*({mark}\d*)?"
    plain = rf"(\d+({mark}\d*)?|{mark}\d+)(e[+-]?\d+)?"
    number = re.compile(rf"[+-]?({apart}|{plain}|inf(inity)?)", re.IGNORECASE)
    return Notation(example, decimal, thousands, number)


# Spaces between thousands may be no-break spaces, wide or narrow.
POINT = _notation("1,234.5", decimal=".", thousands=", \u00a0\u202f_")
COMMA = _notation("1.234,5", decimal=",", thousands=". \u00a0\u202f")


def notations(delimiter: str) -> tuple[Notation, ...]:
    """The notations that a file may use: beside commas that divide cells there is no decimal comma."""
    return (POINT,) if delimiter == "," else (POINT, COMMA)


def is_missing(cell: str) -> bool:
    """Whether a cell stands for a value that is not there: empty, NA, null, ?"""
    return cell.lower() in _MISSING


def value(cell: str, notation: Notation) -> float | None:
    """The number of a cell, None where it is none in this notation; 1e5 and inf are numbers in both."""
    if not notation.number.fullmatch(cell):
        return None
    return float(cell.translate(str.maketrans(notation.decimal, ".", notation.thousands)))


def is_number(cell: str, delimiter: str) -> bool:
    """Whether a cell is a number in one of the file's notations."""
    return any(value(cell, notation) is not None for notation in notations(delimiter))
