"""Whole files in and out: reads that cannot hang, writes that are there completely or not."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from zoo.data.errors import DataError


def read_bytes(path: str | os.PathLike) -> bytes:
    """The content of a regular file.

    Raises DataError where it is missing, empty, unreadable, a directory, or something that a read
    could block on (FIFO, device, socket): the kind of file is known before it is opened.
    """
    name = repr(os.fspath(path))
    try:
        mode = os.stat(path).st_mode
        content = Path(path).read_bytes() if stat.S_ISREG(mode) else b""
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{name} does not exist: {_nearest_folder(path)}") from None
    except PermissionError:
        raise DataError(f"{name} may not be read (permission denied): make it readable") from None
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise DataError(f"{name} is no path: {error}") from None
    if stat.S_ISDIR(mode):
        raise DataError(f"{name} is a directory: give the path of one file")
    if not stat.S_ISREG(mode):
        raise DataError(f"{name} is {_kind(mode)}: give the path of a regular file")
    if not content:
        raise DataError(f"{name} is empty (0 bytes): give a file with text in it")
    return content


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file under its name only once all of it is on disk; an older one stays until then.

    Raises DataError where the folder is missing or may not be written, or the disk is full.
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(draft, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            draft.unlink()


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
