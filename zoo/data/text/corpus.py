"""Bytes to text: UTF-8 files read strictly, named corpora, Gutenberg bodies, splits by position."""

import codecs
import math
import os
import re
from fractions import Fraction

from zoo.data import registry
from zoo.data.errors import DataError, unknown_name
from zoo.data.files import read_bytes
from zoo.data.text import tunes
from zoo.data.text.stream import DECLARE

# The title inside of a marker may run over several lines; the closing asterisks may be missing.
_MARKER = r"^\*\*\* ?{} OF (?:[^*]{{0,300}}?\*\*\*[ \t]*$|.*$)"
_START = re.compile(_MARKER.format("START"), re.MULTILINE | re.IGNORECASE)
_END = re.compile(_MARKER.format("END"), re.MULTILINE | re.IGNORECASE)


# Parts of the documentation, each a corpus of its own, by their topics.
_PARTS_OF_DOCS = {
    "docs_classes": ("specialnames",),
    "docs_statements": ("compound",),
    "docs_strings": ("formatstrings", "string-methods"),
    "docs_types": ("types",),
}


def read_text(path: str | os.PathLike, encoding: str = "utf-8", remedy: str = "") -> str:
    """The text of a file; a byte-order mark is dropped, CRLF and lone CR become LF. ``remedy`` says what
    else can be done about a file that is not UTF-8.

    Raises DataError where the file is missing, empty, unreadable or not a regular file, and where
    it is not text in ``encoding``: the offset of the first wrong byte counts from 0, in bytes of the
    file.
    """
    name = repr(os.fspath(path))
    try:
        is_utf8 = codecs.lookup(encoding).name == "utf-8"
    except LookupError:
        raise DataError(f"--config.data.encoding={encoding}: no encoding of this name") from None
    content = read_bytes(path)
    if is_utf8:
        return decode_text(content, name, remedy)
    try:
        return decode_text(content.decode(encoding).encode("utf-8", "surrogatepass"), name)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not {encoding} (0x{content[error.start]:02x} at byte {error.start}): "
            "declare another encoding"
        ) from None


def decode_text(content: bytes, name: str, remedy: str = "") -> str:
    """What ``read_text`` makes of the bytes of a file in UTF-8; ``name`` is what errors call it.

    Raises DataError where they are no UTF-8 text.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{name} starts with the mark of UTF-16 at byte 0: save it as UTF-8")
    nul = content.find(b"\0")
    if nul >= 0:
        raise DataError(f"{name} is binary (0x00 at byte {nul}): give a text file in UTF-8")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
        raise DataError(
            f"{name} is not UTF-8 (0x{content[at]:02x} at byte {at}, {error.reason}): "
            f"convert it to UTF-8{remedy}"
        ) from None
    text = prepare(text.removeprefix("\ufeff"), lowercase=False)
    if not text and not content:
        raise DataError(f"{name} is empty (0 bytes): give text")
    if not text:
        raise DataError(f"{name} holds a byte-order mark and nothing else: give a file with text")
    return text


def prepare(text: str, lowercase: bool) -> str:
    """A text as a model trains on it: CRLF and lone CR become LF, letters lower case where asked.

    What a model is to go on from, a prompt, goes the same way. Twice does no more than once.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.lower() if lowercase else text


def gutenberg_body(text: str, name: str) -> str:
    """The book inside of a Project Gutenberg file: what stands between its two marker lines.

    Blank lines at the borders go, and so do lines there that name Project Gutenberg ("End of
    Project Gutenberg's …"). ``name`` says in errors which text it is.

    Raises DataError where a marker is missing or nothing stands between them.
    """
    start = _START.search(text)
    if not start:
        raise DataError(f"{name!r} has no line '*** START OF …': not a Project Gutenberg text")
    end = _END.search(text, start.end())
    if not end:
        line = text.count("\n", 0, start.start()) + 1
        raise DataError(
            f"{name!r} has '*** START OF …' in line {line} but no '*** END OF …' after it: "
            "the file is cut short, get it again"
        )
    lines = text[start.end() : end.start()].split("\n")
    while lines and _border(lines[-1]):
        lines.pop()
    first = next((i for i, line in enumerate(lines) if not _border(line)), len(lines))
    if first == len(lines):
        raise DataError(f"{name!r} has nothing between '*** START OF …' and '*** END OF …'")
    return "\n".join(lines[first:]) + "\n"


def corpus(
    name: str,
    path: str | os.PathLike | None = None,
    lowercase: bool = False,
    encoding: str = "utf-8",
    unwrap: bool = False,
) -> str:
    """The text of a corpus: of the file ``path`` where one is given, as it is, else the named one.

    ``docs`` is Python's own reference (``pydoc_data.topics``, 0.46 million characters of English
    and code): on every machine that runs Python, without a network, but not the same text in every
    version of Python; ``docs_classes``, ``docs_statements``, ``docs_strings`` and ``docs_types`` are
    parts of it. The other names are in ``zoo.data.registry``; of Gutenberg's files it is the
    body. ``unwrap``: see ``unwrapped``.

    Raises DataError for an unknown name, and where the text cannot be had or read.
    """
    if path is not None:
        text = read_text(path, encoding, DECLARE)
    elif name == "docs" or name in _PARTS_OF_DOCS:
        text = _docs(_PARTS_OF_DOCS.get(name))
    elif name not in registry.names():
        raise unknown_name("corpus", name, sorted([*registry.names(), *_PARTS_OF_DOCS]))
    else:
        text = _named(name)
    return prepare(unwrapped(text) if unwrap else text, lowercase)


def parts(
    name: str,
    path: str | os.PathLike | None = None,
    valid: float = 0.1,
    test: float = 0.0,
    **reading,
) -> dict[str, str]:
    """``split(corpus(...))``; a corpus that comes in parts, such as WikiText-2, keeps its own.

    ``reading`` are further arguments of ``corpus``. Raises DataError as these two do.
    """
    text = corpus(name, path, **reading)
    if path is not None or f"{name}_test" not in registry.REGISTRY:
        return split(text, valid=valid, test=test)
    finish = {key: value for key, value in reading.items() if key in ("lowercase", "unwrap")}
    return {"train": text, **{p: _part(f"{name}_{p}", **finish) for p in ("valid", "test")}}


def unwrapped(text: str) -> str:
    """Prose without the line breaks inside of its paragraphs; an empty line, or several, is one break."""
    paragraphs = re.split(r"\n[ \t]*(?:\n[ \t]*)+", text.strip())
    return "\n".join(" ".join(p.split()) for p in paragraphs) + "\n"


def split(text: str, valid: float = 0.1, test: float = 0.0) -> dict[str, str]:
    """Cuts a text by position into ``train``, ``valid`` and ``test``, in this order.

    ``valid`` and ``test`` are fractions of the characters, from 0 up to below 1 together; 0 makes
    that part empty. Cuts are at floor(n (1 - valid - test)) and floor(n (1 - test)), in exact
    decimal arithmetic; the parts joined are the text.

    Raises DataError for other fractions, and where a part that was asked for would be empty.
    """
    return {part: text[a:b] for part, (a, b) in cuts(len(text), valid, test).items()}


def cuts(n: int, valid: float = 0.1, test: float = 0.0) -> dict[str, tuple[int, int]]:
    """Where ``split`` cuts a text of n characters: part -> (from, to). Raises DataError as it does."""
    fractions = {"valid": _fraction("valid", valid), "test": _fraction("test", test)}
    held_out = sum(fractions.values())
    if held_out >= 1:
        raise DataError(
            f"valid {valid} + test {test} leave no training text: they must be below 1 together"
        )
    at = [0, math.floor(n * (1 - held_out)), math.floor(n * (1 - fractions["test"])), n]
    parts = {part: (at[i], at[i + 1]) for i, part in enumerate(("train", "valid", "test"))}
    for part, fraction in {"train": 1 - held_out, **fractions}.items():
        if fraction and parts[part][0] == parts[part][1]:
            raise DataError(
                f"the text has {n} characters, none of them in its {part} part "
                f"(valid {valid}, test {test}): use a longer text or other fractions"
            )
    return parts


def _docs(wanted=None) -> str:
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise DataError(
            "corpus 'docs': this Python came without pydoc_data: install its full standard "
            "library, or give a text file with --config.data.path=FILE"
        ) from None
    return "\n\n".join(topics[topic] for topic in wanted or sorted(topics))


def _named(name: str) -> str:
    if several := registry.parts(name):
        return tunes.joined(read_text(registry.locate(part)) for part in several)
    row = registry.source(name)
    text = read_text(registry.locate(name))
    text = gutenberg_body(text, name) if row.gutenberg else text
    if row.starts:
        text = text[text.rindex(f"\n{row.starts}\n") + 1 :]
    return text[: text.rindex(f"\n{row.ends}\n") + 1] if row.ends else text


def _part(name: str, lowercase: bool = False, unwrap: bool = False) -> str:
    text = _named(name)
    return prepare(unwrapped(text) if unwrap else text, lowercase)


def _border(line: str) -> bool:
    return not line.strip() or "project gutenberg" in line.lower()


def _fraction(name: str, value: float) -> Fraction:
    """0.1 as one tenth, not as the nearest binary number: cuts fall where a person expects them."""
    try:
        fraction = Fraction(repr(float(value)))
    except (TypeError, ValueError, OverflowError):
        fraction = Fraction(-1)
    if not 0 <= fraction < 1:
        raise DataError(f"{name} = {value!r} is no fraction: it must be at least 0 and below 1")
    return fraction
