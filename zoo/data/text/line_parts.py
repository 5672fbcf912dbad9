"""Text from a file or a pipe in pieces: memory does not grow with the input, nor with a line of it."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import BinaryIO, NamedTuple

from zoo.data.errors import DataError
from zoo.data.text import stream
from zoo.data.text.lines import ready

_BYTES = 1 << 16  # that are read at once, at most


class Piece(NamedTuple):
    """A part of a line.

    line:  its number, from 1
    text:  without the line's end
    first: whether the line begins with it
    last:  whether the line ends with it
    ended: whether a line break follows; not where the text ends without one
    waits: whether nothing more can be read without waiting
    """

    line: int
    text: str
    first: bool
    last: bool
    ended: bool
    waits: bool


def pieces(file: BinaryIO, name: str) -> Iterator[Piece]:
    """The lines of a stream of UTF-8, long ones in parts of 65,536 bytes at most; CRLF and lone CR are
    line breaks, a byte-order mark is dropped. What is there is not kept back while more is waited for.
    ``name`` is what errors call the stream.

    Raises DataError where it is not UTF-8, has a zero byte or cannot be read, after the pieces before the
    fault.
    """
    line, begun, held = 1, False, None
    for text in stream.decoded(_chunks(file, name), name):
        waits = not ready(file)
        *whole, rest = text.split("\n")
        for part in whole:
            # A part is held back until it is known whether its line goes on.
            if held:
                yield held
            yield Piece(line, part, not begun, True, True, waits)
            line, begun, held = line + 1, False, None
        if rest:
            if held:
                yield held
            held, begun = Piece(line, rest, not begun, False, False, waits), True
    if held:
        yield held._replace(last=True, waits=True)


def whole_lines(parts: Iterable[Piece]) -> Iterator[Piece]:
    """The same with each line in one piece: of words, a part of a line could end inside of one."""
    begun = []
    for piece in parts:
        begun.append(piece.text)
        if piece.last:
            yield piece._replace(text="".join(begun), first=True)
            begun = []


def _chunks(file, name):
    try:
        yield from iter(partial(file.read1, _BYTES), b"")
    except OSError as error:  # a folder, or a disk that fails
        raise DataError(f"{name}: {error.strerror}") from None
