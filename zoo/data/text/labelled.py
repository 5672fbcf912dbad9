"""Texts that have a label: of a CSV file, of JSON lines, of a folder with a file or sub-folder a class."""

import csv
import io
import json
import os
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo.data.errors import DataError, unknown_name
from zoo.data.text.corpus import read_text

_JSON = {".jsonl", ".ndjson"}
_DELIMITERS = ",;\t"
_LONGEST = 2**31 - 1  # characters of a field; the csv module's own limit is shorter than a book
_SHOWN = 5  # names that a remark gives
_brief = reprlib.Repr()  # what ought to be a name may be a text
_brief.maxstring = 120


class Labelled(NamedTuple):
    """Texts and their labels, in the order of their source; ``skipped`` are files that were left out."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    @property
    def empty(self) -> int:
        """How many texts have nothing but blanks."""
        return sum(not text.strip() for text in self.texts)

    def take(self, rows: np.ndarray) -> "Labelled":
        """Some of the rows, in the order of ``rows`` (n,)."""
        texts, labels = ([part[i] for i in rows] for part in self[:2])
        return Labelled(tuple(texts), tuple(labels), self.skipped)


def read_labelled(
    path: str | os.PathLike, text: str = "text", label: str = "label", skip: bool = False
) -> Labelled:
    """The labelled texts of a file or a folder, in UTF-8.

    A file that ends in .jsonl or .ndjson has an object a line; another one is a CSV file with a header,
    divided by commas, semicolons or tabs. ``text`` and ``label`` are the keys or columns. A folder has a
    file a class, ``CLASS.txt``, with a text a line; or a sub-folder a class, with a text a file. What
    begins with a point is not looked at.

    skip: leave out files of a folder that cannot be read as text, and name them in ``skipped``

    Raises DataError, with the line where there is one, for a column that is not there, a row of another
    length than the header, a value that is no text, a folder that is neither, and where there is no text.
    """
    path = Path(path)
    if path.is_dir():
        found = _folder(path, skip)
    elif path.suffix.lower() in _JSON:
        found = _json_lines(path, text, label)
    else:
        found = _sheet(path, text, label)
    if not found.texts:
        raise DataError(f"{str(path)!r} holds no texts")
    return found


def remarks(data: Labelled) -> list[str]:
    """What a person should know of labelled texts, a sentence each: labels that may be meant to be one,
    texts that are empty, texts that stand there more than once, and those of them with different labels."""
    said, alike = [], {}
    for label in dict.fromkeys(data.labels):
        alike.setdefault(" ".join(label.split()).casefold(), []).append(label)
    confusable = [names for names in alike.values() if len(names) > 1]
    for names in confusable[:_SHOWN]:
        said.append(
            f"the labels {some(names)} differ only in case or blanks, and are different classes"
        )
    if more := len(confusable[_SHOWN:]):
        said.append(f"{more} more groups of labels differ only in case or blanks")
    if data.empty:
        said.append(f"{data.empty} of {len(data.texts)} texts are empty")
    seen = {}
    for t, label in zip(data.texts, data.labels, strict=True):
        seen.setdefault(t, []).append(label)
    if twice := sum(len(labels) - 1 for labels in seen.values()):
        said.append(f"{twice} of {len(data.texts)} texts stand there before")
    if torn := sum(len(set(labels)) > 1 for labels in seen.values()):
        said.append(f"{torn} texts have more than one label")
    return said


def some(names: Sequence[str]) -> str:
    """The first few of some names, and how many there are where that is not all."""
    shown = ", ".join(map(_brief.repr, names[:_SHOWN]))
    return shown if len(names) <= _SHOWN else f"{shown}, … ({len(names)} in all)"


def must_be(found: Sequence[str], known: Sequence[str], start: str) -> None:
    """Raises DataError where the labels of texts are others than ``known``, those of the run ``start`` that
    training is to start from."""
    if list(found) != list(known):
        raise DataError(
            f"--config.start={start}: tells {some(known)} apart, and the texts here are of {some(found)}; "
            "give texts of the same labels"
        )


def by_position(data: Labelled, valid: float, test: float) -> dict[str, np.ndarray]:
    """Rows of ``train``, ``valid`` and ``test``: the first ones, those after them, the last ones."""
    n = len(data.texts)
    sizes = _sizes(n, valid, test)
    cuts = np.cumsum([n - sum(sizes), *sizes])
    rows = np.split(np.arange(n), cuts[:-1])
    return dict(zip(("train", "valid", "test"), rows, strict=True))


def stratified(data: Labelled, valid: float, test: float, seed: int) -> dict[str, np.ndarray]:
    """Rows of ``train``, ``valid`` and ``test``, drawn by ``seed``, in their order; each class gives the
    same share of its rows to each part, and keeps one for training at least."""
    random, of_class = np.random.default_rng(seed), {}
    parts = {"train": [], "valid": [], "test": []}
    for row, label in enumerate(data.labels):
        of_class.setdefault(label, []).append(row)
    for rows in of_class.values():
        rows = random.permutation(rows)
        n_valid, n_test = _sizes(len(rows), valid, test)
        while n_valid + n_test >= len(rows):
            n_valid, n_test = (n_valid, n_test - 1) if n_test >= n_valid else (n_valid - 1, n_test)
        parts["test"].append(rows[:n_test])
        parts["valid"].append(rows[n_test : n_test + n_valid])
        parts["train"].append(rows[n_test + n_valid :])
    return {name: np.sort(np.concatenate(rows)) for name, rows in parts.items()}


def distinct(data: Labelled) -> Labelled:
    """The first of texts that are the same, in their order."""
    rows = {text: i for i, text in reversed(list(enumerate(data.texts)))}
    return data.take(np.sort(list(rows.values())))


def in_both(one: Labelled, other: Labelled) -> int:
    """How many texts of ``other`` are texts of ``one`` too."""
    known = set(one.texts)
    return sum(text in known for text in other.texts)


def _sizes(n, valid, test):
    for name, value in (("valid", valid), ("test", test)):
        if not 0 <= value < 1:
            raise DataError(f"{name} = {value} is no share: it must be at least 0 and below 1")
    if valid + test >= 1:
        raise DataError(f"valid {valid} + test {test} leave no rows to train on")
    return round(n * valid), round(n * test)


def sheet_rows(lines: Iterable[str], name: str, columns: dict[str, str]) -> Iterator[list[str]]:
    """The cells of some columns of a CSV file, a row after the other; the first line names the columns.

    columns: role -> column, as --config.data.ROLE names it; ``name`` is what errors call the file

    Raises DataError, with the line where the row begins, for a row that is no row of the header's columns.
    """
    csv.field_size_limit(_LONGEST)
    lines = iter(lines)
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    began = 1
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not header:
            raise DataError(f"{name}: the first line is empty; it must name the columns")
        places = [_column(name, header, role, column) for role, column in columns.items()]
        began = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(header):
                raise DataError(
                    f"{name}, line {began}: {len(row)} fields, the header has {len(header)}; a "
                    "text with commas or line breaks stands in quotation marks"
                )
            if row:
                yield [row[i] for i in places]
            began = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{name}, line {began}: {error}; quotation marks stand around a whole field, and one inside of "
            "it is doubled"
        ) from None


def json_rows(lines: Iterable[str], name: str, keys: dict[str, str]) -> Iterator[list[Any]]:
    """The values of some keys of an object a line; ``keys`` as the columns of ``sheet_rows``. That of the
    role "text" is a string."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        at = f"{name}, line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError(f"{at}: not JSON; one object a line is needed") from None
        if not isinstance(record, dict):
            raise DataError(f"{at}: {type(record).__name__}, must be an object")
        for role, key in keys.items():
            if key not in record:
                error = unknown_name("key", key, record)
                raise DataError(f"{at}: {error}; --config.data.{role} of the training says which")
        text = record[keys["text"]]
        if not isinstance(text, str):
            raise DataError(f"{at}: {keys['text']!r} is {_brief.repr(text)}, must be a string")
        yield [record[key] for key in keys.values()]


def _sheet(path, text, label):
    lines = io.StringIO(read_text(path))
    rows = list(sheet_rows(lines, repr(str(path)), {"text": text, "label": label}))
    return Labelled(tuple(t for t, _ in rows), tuple(given for _, given in rows))


def _column(name, header, role, column):
    if header.count(column) > 1:
        raise DataError(f"{name}: two columns are named {column!r}")
    if column not in header:
        error = unknown_name("column", column, header)
        raise DataError(
            f"{name}: {error}; the first line must name the columns, and --config.data.{role} of the "
            f"training says which is the {role}"
        )
    return header.index(column)


def _json_lines(path, text, label):
    name, texts, labels = repr(str(path)), [], []
    rows = json_rows(read_text(path).split("\n"), name, {"text": text, "label": label})
    for content, given in rows:
        if not isinstance(given, str | int | bool):
            raise DataError(
                f"{name}: {label!r} is {_brief.repr(given)}, must be a string or a whole number"
            )
        texts.append(content)
        labels.append(str(given))
    return Labelled(tuple(texts), tuple(labels))


def _folder(path, skip):
    entries = sorted(e for e in path.iterdir() if not e.name.startswith("."))
    folders, files = ([e for e in entries if e.is_dir() == kind] for kind in (True, False))
    if folders and files:
        raise DataError(
            f"{str(path)!r} holds folders and files ({folders[0].name}, {files[0].name}): give either a "
            "sub-folder or a file CLASS.txt for each class"
        )
    texts, labels, skipped = [], [], []
    each = (
        [(folder.name, file, _whole) for folder in folders for file in _files(folder)]
        if folders
        else [(file.stem, file, _lines) for file in files]
    )
    for label, file, read in each:
        try:
            found = read(file)
        except DataError as error:
            if not skip:
                hint = "--config.data.skip_unreadable=True leaves such files out"
                raise DataError(f"{error}; {hint}") from None
            skipped.append(str(file))
            continue
        texts += found
        labels += [label] * len(found)
    return Labelled(tuple(texts), tuple(labels), tuple(skipped))


def _files(folder):
    return sorted(f for f in folder.rglob("*") if f.is_file() and not f.name.startswith("."))


def _whole(file: Path) -> list[str]:
    return [read_text(file)]


def _lines(file: Path) -> list[str]:
    return [line for line in read_text(file).split("\n") if line]
