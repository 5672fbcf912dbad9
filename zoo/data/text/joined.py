"""A folder of text files as one corpus: source code, a shelf of books."""

import os
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from zoo.data.errors import DataError
from zoo.data.files import opened
from zoo.data.text.stream import codec_of

_HEAD = 8192  # bytes that are looked at
_SHOWN = 5  # names that a remark gives


class Listing(NamedTuple):
    """The files of a folder that are one corpus, and those that are left out."""

    files: tuple[Path, ...]
    binary: tuple[Path, ...]


def listing(folder: str, patterns: str = "*", encoding: str = "utf-8") -> Listing:
    """The files of a folder and of all folders in it whose names match one of ``patterns``, such as
    "*.py,*.pyi", sorted by their path.

    Hidden files and folders, whose names begin with a dot, are not looked at, nor what is no regular file;
    empty files add nothing. A file with a zero byte among its first 8192 is binary.

    Raises DataError where ``folder`` is none, no file is left, or one cannot be read.
    """
    if not os.path.isdir(folder):
        raise DataError(
            f"--config.data.path={folder}: no folder; --config.data.joined is of a folder"
        )
    zeros = codec_of(encoding).name.startswith(("utf-16", "utf-32"))
    files, binary, found = [], [], sorted(_found(folder, patterns.split(",")))
    for name in found:
        path = Path(folder, name)
        with opened(path) as file:
            head = file.read(_HEAD)
        if head:
            (binary if b"\0" in head and not zeros else files).append(path)
    if not files:
        fault = "only empty or binary files" if found else "no file"
        raise DataError(
            f"--config.data.path={folder}: {fault} by the names {patterns!r} in this folder; "
            "say which are the text with --config.data.files, such as '*.txt,*.md'"
        )
    return Listing(tuple(files), tuple(binary))


def remark(folder: str, binary: tuple[Path, ...]) -> str:
    """What people should know: files that are left out; "" for none."""
    if not binary:
        return ""
    names = [str(path.relative_to(folder)) for path in binary[:_SHOWN]]
    more = f", … ({len(binary)} in all)" if len(binary) > _SHOWN else ""
    return f"{folder}: binary files are left out: {', '.join(names)}{more}"


def _found(folder, patterns):
    def failed(error):
        raise DataError(f"{error.filename!r} cannot be read: {error.strerror}")

    for root, folders, names in os.walk(folder, onerror=failed):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(root, name)
            wanted = any(fnmatch(name, pattern.strip()) for pattern in patterns)
            if wanted and not name.startswith(".") and path.is_file():
                yield path.relative_to(folder).as_posix()
