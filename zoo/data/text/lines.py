"""Files and streams of lines."""

import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zoo.data.text.languages import clean, decode
from zoo.errors import UserError

_LINES, _CHARACTERS = 512, 1 << 20  # that are read at once, at most


def read_lines(folder: str | os.PathLike, code: str, lowercase: bool) -> list[str]:
    """The lines of FOLDER/CODE.txt that are not empty, cleaned; [] where there is no such file."""
    file = Path(folder) / f"{code}.txt"
    if not file.is_file():
        return []
    lines = (clean(line, lowercase) for line in decode(file, "utf-8").split("\n"))
    return [line for line in lines if line]


def batches(file: BinaryIO, name: str) -> Iterator[list[str]]:
    """The lines of a stream of UTF-8 in lists, of few lines where they are long: memory does not grow
    with the input. What is there is not kept back while more is waited for: somebody types, or a log
    grows. ``name`` is what errors call the stream.

    A byte-order mark is dropped.

    Raises UserError where it is not UTF-8, has a zero byte or cannot be read, after the lines before
    the fault.
    """
    batch, size = [], 0
    try:
        for line, more in _decoded(file, name):
            batch.append(line)
            size += len(line)
            if len(batch) == _LINES or size > _CHARACTERS or not more:
                yield batch
                batch, size = [], 0
    except UserError:  # the lines before the one that cannot be read are answered
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _decoded(file, name):
    number = 0
    try:
        for line, more in _lines(file):
            number += 1
            text = line.decode("utf-8").rstrip("\r")
            if "\0" in text:
                raise UserError(f"{name}: line {number} is binary (0x00): give text in UTF-8")
            yield text.removeprefix("\ufeff") if number == 1 else text, more
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name}: line {number} is not UTF-8 (0x{error.object[error.start]:02x} at its byte "
            f"{error.start}): convert it to UTF-8"
        ) from None
    except OSError as error:  # a folder, or a disk that fails
        raise UserError(f"{name}: {error.strerror}") from None


def _lines(file):
    """(line, whether more can be read without waiting), without ends of lines."""
    begun = []
    while chunk := file.read1(1 << 16):
        *whole, rest = chunk.split(b"\n")
        for i, line in enumerate(whole):
            yield b"".join([*begun, line]), i + 1 < len(whole) or ready(file)
            begun = []
        begun.append(rest)
    if any(begun):
        yield b"".join(begun), False


def ready(file):
    try:
        return bool(select.select([file], [], [], 0)[0])
    except (OSError, ValueError):  # no file of the system
        return True
