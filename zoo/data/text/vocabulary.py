"""Text to ids and back: one id a character, a byte of UTF-8, or a word."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from zoo.data.errors import DataError, unknown_name
from zoo.data.files import write_bytes
from zoo.data.text import words
from zoo.data.text.records import checked_ids, read_record

UNKNOWN = "\ufffd"
KINDS = ("bytes", "characters", "words", "tokenised")
# kind -> its tokens of a text
_WORDS = {"words": partial(words.tokens, lines=True), "tokenised": words.marked}
FORMAT = "lstm-zoo vocabulary 1"
_BYTES = tuple(bytes([i]) for i in range(256))
_SLICE = 1 << 22


@dataclass(frozen=True)
class Vocabulary:
    """Symbols in the order of their ids.

    kind:    "characters", "bytes", "words", which are those of ``zoo.data.text.words``, punctuation and
             line breaks among them, or "tokenised", what blanks separate, and line breaks
    symbols: of characters and words, distinct, first the unknown one, U+FFFD, which all that is outside of
             the table is encoded as; of bytes, the 256 bytes, none unknown
    """

    kind: str
    symbols: tuple[str, ...] | tuple[bytes, ...]

    @classmethod
    def from_text(
        cls,
        train_text: str,
        kind: str = "characters",
        min_count: int = 1,
        most: int | None = None,
    ) -> "Vocabulary":
        """The characters of the training text in the order of their code points; its words, the most
        frequent first; or all bytes. See ``from_texts``.
        """
        return cls.from_texts([train_text], kind, min_count, most)

    @classmethod
    def from_texts(
        cls,
        train_texts: Iterable[str],
        kind: str = "characters",
        min_count: int = 1,
        most: int | None = None,
    ) -> "Vocabulary":
        """``from_text`` of all texts together: pieces of one, cut where no word is, one after the other.

        What occurs fewer than ``min_count`` times is left to the unknown symbol: with ``min_count`` of 2
        or more it occurs in training, and the model learns what it stands for. Of words, ``most`` is the
        number of symbols at most, the unknown one included. An own U+FFFD of the text is the unknown
        symbol too. For bytes only ``kind`` matters.

        Raises DataError for another kind, a ``min_count`` below 1, a ``most`` below 2, and an empty
        training text.
        """
        if kind not in KINDS:
            raise unknown_name("vocabulary", kind, KINDS)
        if min_count < 1:
            raise DataError(f"min_count = {min_count} must be 1 or more occurrences")
        if kind == "bytes":
            return cls(kind, _BYTES)
        if kind in _WORDS:
            counts, empty = Counter(), True
            for text in train_texts:
                counts.update(_WORDS[kind](text))
                empty &= not text
            kept = _frequent(counts, min_count, most)
        else:
            counts = _counted(train_texts)
            kept = map(chr, np.flatnonzero(counts >= min_count).tolist())
            empty, kept = not counts.any(), [c for c in kept if c != UNKNOWN]
        if empty:
            raise DataError(f"the training text is empty: no {kind} to make a vocabulary of")
        return cls(kind, (UNKNOWN, *kept))

    @property
    def size(self) -> int:
        """Number of ids; they are 0 to size - 1."""
        return len(self.symbols)

    @property
    def unknown_ids(self) -> tuple[int, ...]:
        """The id of the unknown symbol; of bytes, none."""
        return () if self.kind == "bytes" else (0,)

    def encode(self, text: str) -> np.ndarray:
        """Ids of a text: int32 (N,), N its characters, words, or bytes in UTF-8. Any text will do."""
        if self.kind == "bytes":
            content = text.encode("utf-8", "surrogatepass")
            return np.frombuffer(content, np.uint8).astype(np.int32)
        if self.kind in _WORDS:
            ids = self._ids
            return np.array([ids.get(w, 0) for w in _WORDS[self.kind](text)], np.int32)
        ids = np.empty(len(text), np.int32)
        at = 0
        for points in _codepoints(text):
            np.minimum(points, self._table.size - 1, out=points)
            ids[at : at + points.size] = self._table[points]
            at += points.size
        return ids

    def decode(self, ids: np.ndarray) -> str:
        """Text of ids (N,), integers; the unknown symbol and bytes that are not UTF-8 are U+FFFD. Of
        words it is a text for people: ``zoo.data.text.words.text_of``.

        Raises DataError for ids that are no integers in [0, size).
        """
        ids = checked_ids(ids, self.size)
        if self.kind == "bytes":
            return ids.astype(np.uint8).tobytes().decode("utf-8", "replace")
        if self.kind in _WORDS:
            return words.text_of(self.symbols[i] for i in ids.tolist())
        return self._points[ids].tobytes().decode("utf-32-le", "surrogatepass")

    def unknown(self, text: str) -> list[str]:
        """The characters or words of a text that are not in the vocabulary, sorted; for bytes, none."""
        if self.kind == "bytes":
            return []
        found = _WORDS[self.kind](text) if self.kind in _WORDS else text
        return sorted(set(found).difference(self.symbols))

    def record(self) -> dict:
        """What ``save`` writes."""
        symbols = {} if self.kind == "bytes" else {"symbols": self.symbols}
        return {"format": FORMAT, "kind": self.kind} | symbols

    def save(self, path: str | os.PathLike) -> None:
        """Writes JSON, whole or not at all. Raises DataError where it cannot be written."""
        write_bytes(path, json.dumps(self.record()).encode("ascii") + b"\n")

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Vocabulary":
        """Reads what ``save`` wrote. Raises DataError where the file is missing or not that."""
        content = read_record(path, "vocabulary", [FORMAT])
        name = repr(os.fspath(path))
        kind = content.get("kind")
        if kind == "bytes":
            return cls(kind, _BYTES)
        if kind not in KINDS:
            raise DataError(f"{name}: 'kind' is {kind!r}, must be one of {', '.join(KINDS)}")
        symbols = content.get("symbols")
        if not isinstance(symbols, list) or symbols[:1] != [UNKNOWN]:
            raise DataError(f"{name}: 'symbols' must be a list that starts with U+FFFD")
        for i, symbol in enumerate(symbols):
            if not isinstance(symbol, str) or not _is_one(symbol, kind):
                raise DataError(f"{name}: symbol {i} is {symbol!r}, must be a single {kind[:-1]}")
        if len(set(symbols)) < len(symbols):
            twice = Counter(symbols).most_common(1)[0][0]
            raise DataError(f"{name}: symbol {twice!r} is there more than once")
        return cls(kind, tuple(symbols))

    @cached_property
    def _ids(self) -> dict[str, int]:
        """Id of each word."""
        return {word: i for i, word in enumerate(self.symbols)}

    @cached_property
    def _points(self) -> np.ndarray:
        """Code point of each id."""
        return np.array([ord(symbol) for symbol in self.symbols], "<u4")

    @cached_property
    def _table(self) -> np.ndarray:
        """Id of each code point up to one past the last known; that one stands for all above."""
        table = np.zeros(int(self._points.max()) + 2, np.int32)
        table[self._points] = np.arange(self.size, dtype=np.int32)
        return table


def _counted(texts):
    """How often each code point occurs."""
    counts = np.zeros(0x110000, np.int64)
    for text in texts:
        for points in _codepoints(text):
            some = np.bincount(points)
            counts[: len(some)] += some
    return counts


def _frequent(counts, min_count, most):
    """The words that occur often enough, the most frequent first, then by their letters."""
    if most is not None and most < 2:
        raise DataError(f"most = {most} must be 2 or more: the unknown symbol is one of them")
    del counts[UNKNOWN]
    kept = sorted((w for w, n in counts.items() if n >= min_count), key=lambda w: (-counts[w], w))
    return kept if most is None else kept[: most - 1]


def _is_one(symbol, kind):
    return len(symbol) == 1 if kind == "characters" else _WORDS[kind](symbol) == [symbol]


def _codepoints(text: str) -> Iterator[np.ndarray]:
    """A text as uint32 code points, by slices: at once, it would need four times its memory."""
    for at in range(0, len(text), _SLICE):
        piece = text[at : at + _SLICE].encode("utf-32-le", "surrogatepass")
        yield np.frombuffer(bytearray(piece), "<u4")
