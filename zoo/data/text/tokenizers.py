"""All ways from text to ids, in one table, with one contract.

bytes, characters, words, tokenised   ``zoo.data.text.vocabulary``
pieces                                ``zoo.data.text.pieces``
alphabet                              ``zoo.data.text.alphabet``
"""

import hashlib
import json
import os
from typing import Protocol

import numpy as np

from zoo.data.errors import DataError, unknown_name
from zoo.data.text import alphabet, pieces, vocabulary
from zoo.data.text.alphabet import Alphabet
from zoo.data.text.pieces import Pieces
from zoo.data.text.records import read_record
from zoo.data.text.vocabulary import Vocabulary


class Tokenizer(Protocol):
    """A table of symbols that was made of a training text, and never changes.

    Two that are equal encode and decode alike. What ``save`` writes is one JSON file; ``load`` gives an
    equal tokenizer.
    """

    @property
    def kind(self) -> str:
        """Its name in ``KINDS``."""

    @property
    def size(self) -> int:
        """Number of ids; they are 0 to size - 1."""

    @property
    def unknown_ids(self) -> tuple[int, ...]:
        """The ids that stand for what has no symbol of its own; of the bytes, none. The first may stand
        for any symbol that is to be hidden."""

    def encode(self, text: str) -> np.ndarray:
        """Ids (N,) int32 of any text."""

    def decode(self, ids: np.ndarray) -> str:
        """Text of ids (N,), integers; what has no symbol is U+FFFD. Of bytes and pieces it is the text that
        was encoded; of characters and alphabet too, where they have all of its characters; of words it is
        a text for people.

        Raises DataError for ids that are no integers in [0, size).
        """

    def unknown(self, text: str) -> list[str]:
        """What of a text has no symbol of its own, sorted, each once."""

    def record(self) -> dict:
        """What ``save`` writes."""

    def save(self, path: str | os.PathLike) -> None:
        """Writes JSON with its format. Raises DataError where it cannot be written."""


def _vocabulary(kind):
    return lambda text, min_count, most: Vocabulary.from_text(text, kind, min_count, most)


# kind -> what makes it of (training text, min_count, most)
KINDS = {
    "bytes": _vocabulary("bytes"),
    "characters": _vocabulary("characters"),
    "words": _vocabulary("words"),
    "tokenised": _vocabulary("tokenised"),
    "pieces": Pieces.from_text,
    "alphabet": lambda text, min_count, _: Alphabet.from_texts([text], min_count),
}
_FORMATS = {vocabulary.FORMAT: Vocabulary, pieces.FORMAT: Pieces, alphabet.FORMAT: Alphabet}


def make(kind: str, text: str, min_count: int = 1, most: int | None = None) -> Tokenizer:
    """The tokenizer of a kind, of a training text.

    min_count: what occurs fewer times has no symbol of its own; all bytes have one
    most:      symbols at most, of words and pieces

    Raises DataError for another kind, a ``min_count`` below 1, a ``most`` that is too small, an empty text
    but for bytes, and pieces without their library.
    """
    if kind not in KINDS:
        raise unknown_name("tokenizer", kind, KINDS)
    if min_count < 1:
        raise DataError(f"min_count = {min_count} must be 1 or more occurrences")
    if not text and kind != "bytes":
        raise DataError(f"the training text is empty: no {kind} to make a tokenizer of")
    return KINDS[kind](text, min_count, most)


def known(tokenizer: Tokenizer, min_count: int) -> Tokenizer:
    """The tokenizer. Raises DataError where it knows nothing: ``min_count`` is too high."""
    starts = isinstance(tokenizer, Alphabet)  # it has a symbol for the start of a string
    if tokenizer.size > len(tokenizer.unknown_ids) + starts:
        return tokenizer
    raise DataError(
        f"--config.data.min_count={min_count}: nothing in the training text occurs so often; set it lower"
    )


def load(path: str | os.PathLike) -> Tokenizer:
    """The tokenizer that some ``save`` wrote, of whatever kind. Raises DataError for any other file."""
    record = read_record(path, "tokenizer of this package", _FORMATS)
    return _FORMATS[record["format"]].load(path)


def digest(tokenizer: Tokenizer) -> str:
    """The sha256 of what it knows."""
    return hashlib.sha256(json.dumps(tokenizer.record(), sort_keys=True).encode()).hexdigest()
