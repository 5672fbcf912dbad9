"""The classes of texts, for ``zoo.predict``."""

import io
import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from zoo.data.text import labelled, lines
from zoo.errors import UserError

FLAGS = (("integer", "top", 5, "classes a text, the likeliest first; 0 for all"),)
_TEXTS = 512  # that are read at once


def check(values) -> None:
    """Raises UserError for a flag out of range."""
    if values.top < 0:
        raise UserError(f"--top={values.top}: must be at least 0")


def predict(task, params, run: Path, values) -> Iterator[list[dict]]:
    """Lists of rows, a row a text of --input, in their order: label, probabilities, and "known": false
    where no symbol of a text is known.

    A file that ends in .csv has the run's text column, one in .jsonl its text key; any other one, and
    standard input, has a text a line.
    """
    for texts in _batches(values.input, task.config.data.text):
        rows = task.posterior(params, texts)
        for row in rows:
            likely = list(row["probabilities"].items())[: values.top or None]
            row["probabilities"] = {label: round(p, 6) for label, p in likely}
        yield rows


def _batches(path, column):
    if path in (None, "-"):
        yield from lines.batches(sys.stdin.buffer, "standard input")
        return
    try:
        file = open(path, "rb")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise UserError(f"--input={path}: {error.strerror}") from None
    with file:
        kind = Path(path).suffix.lower()
        if kind not in (".csv", ".jsonl", ".ndjson"):
            yield from lines.batches(file, path)
            return
        name, wanted = f"--input={path}", {"text": column}
        if kind == ".csv":
            rows = labelled.sheet_rows(_text(file, name), name, wanted)
        else:
            rows = labelled.json_rows(chain.from_iterable(lines.batches(file, path)), name, wanted)
        texts = (text for (text,) in rows)
        while batch := list(islice(texts, _TEXTS)):
            yield batch


def _text(file, name):
    try:
        with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            yield from text
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: not UTF-8 ({error.reason}): convert it to UTF-8") from None
