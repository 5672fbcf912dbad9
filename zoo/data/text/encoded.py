"""Texts larger than memory: read piece by piece, their ids encoded once into the user's cache.

Two kinds of files are in the folder ``lstm-zoo/ids`` of the cache:

text: the digest of a text, the characters of its parts, its vocabulary; the name is made of the sha256 of
      its bytes and of how they are read
ids:  the ids of a text in a vocabulary, integers of the smallest type, one part after the other, beside a
      record with their sha256

Each is written under another name first, and is complete under its own. The folder can be deleted at any
time.
"""

import hashlib
import json
import math
import os
import sys
import time
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from zoo import cache
from zoo.data.errors import DataError
from zoo.data.files import opened, write_bytes, written
from zoo.data.text import corpus, stream
from zoo.data.text.stream import Source
from zoo.data.text.vocabulary import Vocabulary

_FORMAT = "lstm-zoo ids 1"
# Seconds after which a file that is being written was left by a process that was killed.
_STALE = 3600


class Measured(NamedTuple):
    """What was learned of a text by reading it.

    content:    sha256 of its bytes, and digest: that of the text, in UTF-8
    characters: part -> how many
    vocabulary: of the training part
    """

    source: Source
    content: str
    digest: str
    characters: dict[str, int]
    vocabulary: Vocabulary


def measured(
    source: Source,
    kind: str,
    min_count: int = 1,
    most: int | None = None,
    valid: float = 0.1,
    test: float = 0.0,
) -> Measured:
    """The record of a text, out of the cache or made now; see ``Vocabulary.from_text`` and
    ``corpus.split`` for the arguments.

    Raises DataError for a text that cannot be read or split, and for a cache that cannot be written.
    """
    content = stream.content(source)
    made_of = [kind, min_count, most, valid, test]
    file = _file(source, content, made_of, "text")
    record = _load(file)
    if record is None:
        digest, n = hashlib.sha256(), 0
        _say(f"reading {source.name} ({source.size / 1e6:,.1f} MB), once")
        for text in stream.pieces(source):
            digest.update(text.encode("utf-8", "surrogatepass"))
            n += len(text)
        cuts = corpus.cuts(n, valid, test)
        train = stream.within(stream.pieces(source), *cuts["train"])
        symbols = Vocabulary.from_texts(train, kind, min_count, most).symbols
        record = {
            "digest": digest.hexdigest(),
            "characters": {part: end - start for part, (start, end) in cuts.items()},
            "symbols": None if kind == "bytes" else symbols,
        }
        _save(file, record)
    vocabulary = _vocabulary(kind, record["symbols"])
    return Measured(source, content, record["digest"], record["characters"], vocabulary)


def ids(text: Measured, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
    """part -> its ids (N,), a memory map, out of the cache or encoded now.

    Raises DataError where the text changes while it is read, and for a cache that cannot be written.
    """
    made_of = [vocabulary.kind, [str(s) for s in vocabulary.symbols], text.characters]
    file = _file(text.source, text.content, made_of, "ids")
    record = _load(about := file.with_suffix(".json"))
    if record and not _sound(file, record):
        _say(f"note: {file} was cut short or changed: it is made again")
        record = None
    if record is None:
        _say(f"encoding {text.source.name} into {file.parent}, once")
        record = _encode(text, vocabulary, file)
        _save(about, record)
    parts, at, dtype = {}, 0, np.dtype(record["dtype"])
    for part, n in record["tokens"].items():
        parts[part] = np.memmap(file, dtype, "r", at, (n,)) if n else np.zeros(0, dtype)
        at += n * dtype.itemsize
    return parts


def dtype(size: int) -> np.dtype:
    """The smallest type that has ids of so many symbols: unsigned of 8 or 16 bits, or int32."""
    return np.dtype("<u1" if size <= 1 << 8 else "<u2" if size <= 1 << 16 else "<i4")


def _encode(text, vocabulary, file):
    """Writes the ids and returns their record."""
    small, bounds, at = dtype(vocabulary.size), {}, 0
    for part, n in text.characters.items():
        bounds[part], at = (at, at + n), at + n
    whole, read = hashlib.sha256(), hashlib.sha256()
    remedy = (
        ": make room, give another folder as XDG_CACHE_HOME, or, if there is memory for it, "
        f"--config.data.in_memory={math.ceil(text.source.size / 1e6)}"
    )
    with written(file, remedy) as out:
        tokens, at = dict.fromkeys(bounds, 0), 0
        for piece in stream.pieces(text.source):
            read.update(piece.encode("utf-8", "surrogatepass"))
            for part, (start, end) in bounds.items():
                if cut := piece[max(start - at, 0) : max(end - at, 0)]:
                    encoded = vocabulary.encode(cut).astype(small).tobytes()
                    whole.update(encoded)
                    out.write(encoded)
                    tokens[part] += len(encoded) // small.itemsize
            at += len(piece)
        if read.hexdigest() != text.digest:
            raise DataError(f"{text.source.name!r} changed while it was read: start again")
    return {"dtype": small.str, "tokens": tokens, "sha256": whole.hexdigest()}


def _sound(file, record):
    """Whether a file of ids is what its record says."""
    size = sum(record["tokens"].values()) * np.dtype(record["dtype"]).itemsize
    try:
        if os.path.getsize(file) != size:
            return False
        with opened(file) as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == record["sha256"]
    except (OSError, DataError):
        return False


def _file(source, content, made_of, kind):
    """Where something that is made of a text is in the cache."""
    reading = [source.encoding, source.lowercase, source.joined]
    key = json.dumps([_FORMAT, content, reading, made_of])
    name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    try:
        folder = cache.base() / "ids"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"the cache folder cannot be made ({error}): give another as XDG_CACHE_HOME"
        ) from None
    _tidy(folder)
    return folder / f"{name}.{'ids' if kind == 'ids' else 'text.json'}"


def _tidy(folder):
    """Deletes what processes that were killed have left half written."""
    for draft in folder.glob(".*.part"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _STALE:
                draft.unlink()


def _load(file):
    """A record; None where there is none, or a damaged one, which is said."""
    try:
        whole = json.loads(file.read_bytes())
        if whole["sha256"] == _digest(whole["record"]):
            return whole["record"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError):
        pass
    _say(f"note: {file} was cut short or changed: it is made again")
    return None


def _save(file, record):
    whole = {"record": record, "sha256": _digest(record)}
    write_bytes(file, json.dumps(whole).encode() + b"\n")


def _digest(record):
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _vocabulary(kind, symbols):
    return Vocabulary.from_text("", kind) if kind == "bytes" else Vocabulary(kind, tuple(symbols))


def _say(text):
    print(text, file=sys.stderr, flush=True)
