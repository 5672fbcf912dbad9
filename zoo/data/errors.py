"""The one error of this package, and how it names a misspelt word."""

from collections.abc import Iterable

from zoo.errors import UserError, nearest

_LONGEST = 60  # characters of a name: what ought to be names may be texts


class DataError(UserError):
    """Data that cannot be used; one line: what is wrong, where, and what would be right."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> DataError:
    """The error for a ``kind`` of name that no table has: the nearest right one, and the first forty."""
    known = sorted(known)
    near = nearest(name, known)
    hint = f"did you mean {near!r}? " if near else ""
    shown = ", ".join(k if len(k) <= _LONGEST else k[:_LONGEST] + "…" for k in known[:40]) + (
        f", … ({len(known)} in all)" if len(known) > 40 else ""
    )
    return DataError(f"{kind} {name!r} is unknown: {hint}known are {shown}")
