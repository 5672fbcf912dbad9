"""Whole files in and out: reads that cannot hang, writes that are there completely or not."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from zoo.data.errors import DataError


def read_bytes(path: str | os.PathLike) -> bytes:
    """The content of a regular file.

    Raises DataError where it is empty, and as ``opened`` does.
    """
    with opened(path) as file:
        content = file.read()
    if not content:
        raise DataError(f"{os.fspath(path)!r} is empty (0 bytes): give a file with text in it")
    return content


@contextmanager
def opened(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A regular file to read, piece by piece or at once.

    Raises DataError where it is missing, unreadable, a directory, or something that a read could block on
    (FIFO, device, socket): the kind of file is known before it is opened. So does a read that fails.
    """
    name = repr(os.fspath(path))
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{name} does not exist: {_nearest_folder(path)}") from None
    except OSError as error:
        raise _unreadable(name, error) from None
    except ValueError as error:
        raise DataError(f"{name} is no path: {error}") from None
    if stat.S_ISDIR(mode):
        raise DataError(f"{name} is a directory: give the path of one file")
    if not stat.S_ISREG(mode):
        raise DataError(f"{name} is {_kind(mode)}: give the path of a regular file")
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise _unreadable(name, error) from None


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file under its name only once all of it is on disk; an older one stays until then.

    Raises DataError where the folder is missing or may not be written, or the disk is full.
    """
    with written(path) as file:
        file.write(content)


@contextmanager
def written(path: str | os.PathLike, remedy: str = "") -> Iterator[BinaryIO]:
    """A file to write piece by piece, as ``write_bytes`` does: it has its name only after the block, and
    nothing is left of it where the block ends with an error.

    ``remedy`` says what can be done where it cannot be written. An OSError inside of the block is taken
    for one of writing.
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(draft, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        fault = error.strerror or error
        raise DataError(f"{str(path)!r} cannot be written: {fault}{remedy}") from None
    finally:
        with suppress(OSError):
            draft.unlink()


def _unreadable(name, error):
    if isinstance(error, PermissionError):
        return DataError(f"{name} may not be read (permission denied): make it readable")
    return DataError(f"{name} cannot be read: {error.strerror or error}")


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a FIFO",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")


def _nearest_folder(path: str | os.PathLike) -> str:
    """Which part of a path is the wrong one."""
    if not os.fspath(path):
        return "the path is empty, give one"
    folder = Path(path).absolute().parent
    if os.path.isdir(folder):
        return f"the folder {str(folder)!r} has no such file"
    while not os.path.isdir(folder):
        missing, folder = folder, folder.parent
    return f"{str(folder)!r} has no folder {missing.name!r}"
