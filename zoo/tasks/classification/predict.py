"""The classes of texts, for ``zoo.predict``."""

import csv
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from zoo.data.text import lines
from zoo.errors import UserError, nearest

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
        texts = _column(path, column) if kind == ".csv" else _key(file, path, column)
        while batch := list(islice(texts, _TEXTS)):
            yield batch


def _column(path, column):
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = [cell.strip() for cell in next(reader, [])]
            at = header.index(_known(column, header, f"--input={path}: no column"))
            for row in reader:
                if row and len(row) != len(header):
                    raise UserError(
                        f"--input={path}, line {reader.line_num}: {len(row)} fields, the header has "
                        f"{len(header)}"
                    )
                if row:
                    yield row[at]
        except csv.Error as error:
            raise UserError(f"--input={path}, line {reader.line_num}: {error}") from None
        except UnicodeDecodeError:
            raise UserError(
                f"--input={path}: not UTF-8 after line {reader.line_num}: convert it"
            ) from None


def _key(file, path, key):
    number = 0
    for batch in lines.batches(file, path):
        for line in batch:
            number += 1
            if not line.strip():
                continue
            at = f"--input={path}, line {number}"
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                raise UserError(f"{at}: not JSON; one object a line is needed") from None
            if not isinstance(record, dict):
                raise UserError(f"{at}: must be an object")
            text = record[_known(key, record, f"{at}: no key")]
            if not isinstance(text, str):
                raise UserError(f"{at}: {key!r} must be a string")
            yield text


def _known(name, names, fault):
    if name in names:
        return name
    near = nearest(name, names)
    hint = f"; did you mean {near!r}?" if near else f"; there are {', '.join(names)}"
    raise UserError(f"{fault} {name!r}, which the run read its texts from{hint}")
