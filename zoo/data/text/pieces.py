"""Text to pieces of words and back: byte-pair encoding of the bytes of UTF-8.

The pair of neighbours that is the most frequent in the training text becomes a piece of its own, again and
again (Sennrich et al. 2016), of bytes at first (Radford et al. 2019). Frequent words are one piece, rare
ones several, and no text has an unknown one. Learning and encoding need the library ``tokenizers``, the
extra "pieces"; decoding does not.
"""

import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from zoo.data.errors import DataError
from zoo.data.files import write_bytes
from zoo.data.text.records import checked_ids, read_record
from zoo.data.text.vocabulary import UNKNOWN

FORMAT = "lstm-zoo pieces 1"
_BYTES = (UNKNOWN.encode(), *(bytes([i]) for i in range(256)))
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Pieces:
    """Pieces in the order of their ids: the unknown symbol U+FFFD, which no text is encoded as, then the
    256 bytes, then what each of ``merges`` makes that was not there before.

    merges: pairs of ids of pieces that become one, in the order in which they are looked for
    """

    merges: tuple[tuple[int, int], ...]
    kind: ClassVar[str] = "pieces"

    @classmethod
    def from_text(cls, train_text: str, min_count: int = 1, most: int | None = None) -> "Pieces":
        """The pieces of a training text: ``most`` at most, with the unknown one and the bytes; None is
        30,000. A pair that occurs fewer than ``min_count`` times makes none.

        A piece is within a line and within a word, with the space before it. The same text gives the same
        pieces. Raises DataError for a ``min_count`` below 1, a ``most`` below 257, an empty training text,
        and where the library is missing.
        """
        most = 30_000 if most is None else most
        if min_count < 1:
            raise DataError(f"min_count = {min_count} must be 1 or more occurrences")
        if most < len(_BYTES):
            raise DataError(
                f"most = {most} must be {len(_BYTES)} or more for pieces: the 256 bytes and the unknown "
                "symbol are among them"
            )
        if not train_text:
            raise DataError("the training text is empty: no pieces to make a vocabulary of")
        library = _library()
        learner, alphabet = _bytewise(library, library.models.BPE()), _alphabet(library)
        trainer = library.trainers.BpeTrainer(
            vocab_size=most - 1,  # the library does not know the unknown symbol
            min_frequency=min_count,
            initial_alphabet=alphabet,
            show_progress=False,
        )
        learner.train_from_iterator(_lines(train_text), trainer)
        ids = {character: i for i, character in enumerate(alphabet, 1)}
        merges = []
        for first, second in json.loads(learner.to_str())["model"]["merges"]:
            ids.setdefault(first + second, len(ids) + 1)
            merges.append((ids[first], ids[second]))
        return cls(tuple(merges))

    @property
    def size(self) -> int:
        """Number of ids; they are 0 to size - 1."""
        return len(self._contents)

    @property
    def unknown_ids(self) -> tuple[int, ...]:
        """The id of the unknown symbol."""
        return (0,)

    def encode(self, text: str) -> np.ndarray:
        """Ids of a text: int32 (N,), N its pieces. Any text will do; a lone surrogate, which is no
        character, is read as U+FFFD. Raises DataError where the library is missing."""
        encodings = self._encoder.encode_batch(_lines(text), add_special_tokens=False)
        return np.concatenate(
            [np.zeros(0, np.int32), *(np.array(e.ids, np.int32) for e in encodings)]
        )

    def decode(self, ids: np.ndarray) -> str:
        """Text of ids (N,), integers; the unknown symbol and bytes that are not UTF-8 are U+FFFD.

        Raises DataError for ids that are no integers in [0, size).
        """
        content = b"".join(self._contents[i] for i in checked_ids(ids, self.size).tolist())
        return content.decode("utf-8", "replace")

    def unknown(self, text: str) -> list[str]:
        """None: each text has its pieces."""
        return []

    def record(self) -> dict:
        """What ``save`` writes."""
        return {"format": FORMAT, "merges": self.merges}

    def save(self, path: str | os.PathLike) -> None:
        """Writes JSON, whole or not at all. Raises DataError where it cannot be written."""
        write_bytes(path, json.dumps(self.record()).encode("ascii") + b"\n")

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Pieces":
        """Reads what ``save`` wrote. Raises DataError where the file is missing or not that."""
        merges = read_record(path, "table of pieces", [FORMAT]).get("merges")
        if not isinstance(merges, list):
            raise DataError(f"{os.fspath(path)!r}: 'merges' must be a list of pairs of ids")
        try:
            _contents(merges)
        except ValueError as error:
            raise DataError(f"{os.fspath(path)!r}: {error}") from None
        return cls(tuple(map(tuple, merges)))

    @cached_property
    def _contents(self) -> tuple[bytes, ...]:
        """Bytes of each id."""
        return _contents(self.merges)

    @cached_property
    def _encoder(self) -> Any:
        """The library's tokenizer with these pieces under these ids."""
        library = _library()
        alphabet = _alphabet(library)
        names = ["", *("".join(alphabet[b] for b in content) for content in self._contents[1:])]
        ids = {name: i for i, name in enumerate(names) if i}
        merges = [(names[first], names[second]) for first, second in self.merges]
        return _bytewise(library, library.models.BPE(vocab=ids, merges=merges))


def _contents(merges):
    """The bytes of each id. Raises ValueError for what is no pair of ids that are there before it."""
    contents, seen, pairs = list(_BYTES), set(_BYTES[1:]), set()
    for i, pair in enumerate(merges):
        if not (
            isinstance(pair, list | tuple)
            and len(pair) == 2
            and all(type(x) is int and 0 < x < len(contents) for x in pair)
        ):
            raise ValueError(
                f"merge {i} is {pair!r}, must be two ids from 1 to {len(contents) - 1}"
            )
        if tuple(pair) in pairs:
            raise ValueError(f"merge {i}, {pair!r}, is there more than once")
        pairs.add(tuple(pair))
        content = contents[pair[0]] + contents[pair[1]]
        if content not in seen:  # two merges may make the same piece
            seen.add(content)
            contents.append(content)
    return tuple(contents)


def _library():
    try:
        import tokenizers
    except ImportError:
        raise DataError(
            "pieces need the library tokenizers: pip install 'lstm-zoo[pieces]'"
        ) from None
    return tokenizers


def _bytewise(library, model):
    """A tokenizer of the library that reads words as bytes and joins pieces by ``model``."""
    tokenizer = library.Tokenizer(model)
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def _alphabet(library):
    """The character that the library writes for each byte: for one that can be seen, the character of its
    number; the others have those from 256 on, in order."""
    characters = sorted(library.pre_tokenizers.ByteLevel.alphabet())
    own = {ord(c): c for c in characters if ord(c) < 256}
    others = (c for c in characters if ord(c) >= 256)
    return [own.get(byte) or next(others) for byte in range(256)]


def _lines(text):
    """The lines of a text, each with its end: together they are the text."""
    return _SURROGATE.sub(UNKNOWN, text).splitlines(keepends=True)
