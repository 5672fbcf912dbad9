"""Texts piece by piece: what ``corpus.read_text`` makes of a file, without all of it in memory."""

import codecs
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from zoo.data.errors import DataError
from zoo.data.files import opened

_PIECE = 1 << 20  # bytes that are read at once
# What else can be done about a text that is not UTF-8.
DECLARE = ", or declare what it is, as in --config.data.encoding=iso-8859-1"
_LONGEST = 1 << 23  # characters of a piece without any blank


class Source(NamedTuple):
    """Files that are one text, and how they are read.

    files:     in their order
    name:      what people call the text: a path
    encoding:  of all files
    lowercase: letters become lower case
    joined:    each file's text ends with a line break: one is added where it has none
    """

    files: tuple[Path, ...]
    name: str
    encoding: str = "utf-8"
    lowercase: bool = False
    joined: bool = False

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files)


def content(source: Source) -> str:
    """sha256 of the bytes of all files, and of where each ends."""
    whole = hashlib.sha256()
    for path in source.files:
        with opened(path) as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def pieces(source: Source) -> Iterator[str]:
    """The text, in pieces of about a million characters. Each but the last of a file ends with a blank or
    line break, where it has any: no word is cut.

    Byte-order marks are dropped, CRLF and lone CR become LF, as in ``corpus.read_text``.

    Raises DataError for a file that cannot be read or is no text, and at the end where there was none.
    """
    some = False
    for path in source.files:
        rest, end = "", "\n"
        for text in _of_file(path, source.encoding):
            rest += text
            cut = max(rest.rfind(" "), rest.rfind("\n")) + 1
            cut = cut or len(rest) * (len(rest) > _LONGEST)
            if cut:
                yield _finished(rest[:cut], source)
            rest, end, some = rest[cut:], text[-1], True
        if source.joined and end != "\n":
            rest += "\n"
        if rest:
            yield _finished(rest, source)
    if not some:
        raise DataError(f"{source.name!r} has no text in it: give some")


def within(texts: Iterable[str], start: int, end: int) -> Iterator[str]:
    """Of a text in pieces the characters from ``start`` to ``end``; the rest is read too."""
    at = 0
    for text in texts:
        part = text[max(start - at, 0) : max(end - at, 0)]
        at += len(text)
        if part:
            yield part


def codec_of(encoding: str) -> codecs.CodecInfo:
    """The encoding of this name. Raises DataError where there is none for text."""
    try:
        "".encode(encoding)
        return codecs.lookup(encoding)
    except LookupError:
        raise DataError(f"--config.data.encoding={encoding}: no encoding of this name") from None


def _finished(text, source):
    return text.lower() if source.lowercase else text


def decoded(
    chunks: Iterable[bytes], name: str, encoding: str = "utf-8", remedy: str = ""
) -> Iterator[str]:
    """The text of bytes that come in chunks, in pieces that are not empty, each as soon as its chunk was
    read. Line ends are LF, a byte-order mark is dropped.

    ``name`` is what errors call it, ``remedy`` what else can be done about bytes that are not in the
    encoding. Raises DataError for such, for a zero byte, and for the mark of UTF-16.
    """
    codec = codec_of(encoding)
    decoder, utf8 = codec.incrementaldecoder("strict"), codec.name == "utf-8"
    lines = io.IncrementalNewlineDecoder(None, translate=True)
    at, first = 0, True
    for chunk in chain(chunks, [b""]):
        if utf8 and not at and chunk.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataError(f"{name} starts with the mark of UTF-16 at byte 0: save it as UTF-8")
        if utf8 and (nul := chunk.find(b"\0")) >= 0:
            raise DataError(f"{name} is binary (0x00 at byte {at + nul}): give text in UTF-8")
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            wrong = f"(0x{error.object[error.start]:02x} at byte {at - held + error.start})"
            raise DataError(
                f"{name} is not {'UTF-8' if utf8 else encoding} {wrong}: convert it to UTF-8{remedy}"
            ) from None
        except UnicodeError as error:
            raise DataError(f"{name} is not {encoding}: {error}") from None
        if not utf8 and "\0" in text:
            raise DataError(f"{name} is binary, or not {encoding} (0x00): give a text file")
        at += len(chunk)
        text = lines.decode(text, final=not chunk)
        if first and text:
            first, text = False, text.removeprefix("\ufeff")
        if text:
            yield text


def _of_file(path, encoding):
    """The text of one file in pieces."""
    name = repr(os.fspath(path))
    with opened(path) as file:
        yield from decoded(iter(partial(file.read, _PIECE), b""), name, encoding, DECLARE)
