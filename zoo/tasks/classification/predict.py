"""The classes of texts, for ``zoo.predict``."""

import io
import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from zoo import bounds
from zoo.data.text import labelled, lines
from zoo.errors import UserError

FLAGS = (("integer", "top", 5, "classes a text, the likeliest first; 0 for all"),)
_TEXTS = 512  # that are read at once


def check(values) -> None:
    """Raises UserError for a flag out of range."""
    bounds.flag(values, "top", 0)


def predict(task, params, run: Path, values) -> Iterator[list[dict]]:
    """Lists of rows, a row a text of --input, in their order: label, probabilities, "known": false where no
    symbol of a text is known, and "cut": true where a text is longer than what is read.

    A file that ends in .csv has the run's text column, one in .jsonl its text key; any other one, and
    standard input, has a text a line.
    """
    for texts in _batches(values.input, task.config.data.text):
        rows = task.posterior(params, texts, values.top or None)
        for row in rows:
            row["probabilities"] = {label: round(p, 6) for label, p in row["probabilities"].items()}
        yield rows


def _batches(path, column):
    if path in (None, "-"):
        yield from lines.batches(sys.stdin.buffer, "standard input")
        return
    name = f"--input={path}"
    try:
        file = open(path, "rb")  # noqa: SIM115 (closed below)
    except OSError as error:
        hint = ": give one file" if Path(path).is_dir() else ""
        raise UserError(f"{name}: {error.strerror}{hint}") from None
    with file:
        kind = Path(path).suffix.lower()
        if kind not in (".csv", ".jsonl", ".ndjson"):
            yield from lines.batches(file, name)
            return
        each, wanted = chain.from_iterable(lines.batches(file, name)), {"text": column}
        if kind == ".csv":
            rows = labelled.sheet_rows(_with_ends(each), name, wanted)
        else:
            rows = labelled.json_rows(each, name, wanted)
        texts = (text for (text,) in rows)
        while batch := list(islice(texts, _TEXTS)):
            yield batch


def _with_ends(each):
    """Lines with their ends, which may be part of a text; a lone CR ends one too, as in training."""
    for line in each:
        yield from io.StringIO(line + "\n", newline=None)
