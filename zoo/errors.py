"""The one exception for mistakes that a person can mend, and the nearest right name."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """One line that says what is wrong, where, and what would be right.

    The commands print it on stderr and exit with code 2, without a traceback.
    """


def nearest(name: object, known: Iterable[str], least: float = 0.5) -> str | None:
    """The one of ``known`` that looks most like ``name``, or None where all are less alike than ``least``,
    of 1."""
    matches = get_close_matches(str(name).lower(), list(known), n=1, cutoff=least)
    return matches[0] if matches else None
