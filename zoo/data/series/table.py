"""Series in memory, and as the file that a run keeps of them."""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.errors import DataError
from zoo.data.files import read_bytes, write_bytes
from zoo.data.series.calendar import Frequency


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
    except Exception as error:  # NumPy's words would advise to unpickle it
        raise DataError(
            f"{str(path)!r} is damaged: no archive of series ({type(error).__name__})"
        ) from None
