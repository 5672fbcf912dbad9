"""JSON files that say in "format" what they hold, and the ids that such a table has."""

import json
import os
from collections.abc import Collection

import numpy as np

from zoo.data.errors import DataError
from zoo.data.text.corpus import read_text


def read_record(path: str | os.PathLike, what: str, formats: Collection[str]) -> dict:
    """The JSON object of a file whose "format" is one of ``formats``; ``what`` is what errors miss.

    Raises DataError where the file is missing, no JSON, or of another format.
    """
    text = read_text(path)
    name = repr(os.fspath(path))
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        fault = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nesting"
        raise DataError(f"{name} is no {what}: not JSON ({fault})") from None
    own = record.get("format") if isinstance(record, dict) else None
    if not isinstance(own, str) or own not in formats:
        known = " or ".join(map(repr, formats))
        raise DataError(f"{name} is no {what}: its 'format' is not {known}")
    return record


def checked_ids(ids: np.ndarray, size: int) -> np.ndarray:
    """Ids as a flat array (N,). Raises DataError for ids that are no integers in [0, size)."""
    ids = np.asarray(ids).reshape(-1)
    if not ids.size:
        return ids.astype(np.int32)
    if not np.issubdtype(ids.dtype, np.integer):
        raise DataError(f"ids of dtype {ids.dtype} cannot be decoded: they must be integers")
    wrong = np.flatnonzero((ids < 0) | (ids >= size))
    if wrong.size:
        raise DataError(
            f"id {ids[wrong[0]]} at position {wrong[0]} is in no vocabulary of {size} "
            f"symbols: ids go from 0 to {size - 1}; was the text encoded with another one?"
        )
    return ids
