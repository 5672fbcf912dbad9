"""Characters of many scripts to ids: one symbol a common character, one a script for its rare ones."""

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from zoo.data.errors import DataError
from zoo.data.files import write_bytes
from zoo.data.text.corpus import read_text

START = 0
# Scripts that are written without spaces between words.
UNSPACED = {"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"}
_FORMAT = "lstm-zoo alphabet 1"


@cache
def script(character: str) -> str:
    """The script of a letter or of a mark on letters, as the first word of its Unicode name, such as
    LATIN, CJK, HANGUL; "" for everything else: digits, punctuation, symbols, spaces."""
    if unicodedata.category(character)[0] not in "LM":
        return ""
    return unicodedata.name(character, "").partition(" ")[0].partition("-")[0]


def scripts_of(text: str) -> list[str]:
    """The scripts that a text is written in: those of one in fifty of its letters at least."""
    counts = Counter(script(c) for c in text)
    del counts[""]
    return sorted(name for name, n in counts.items() if n * 50 >= counts.total())


def between_spaces(text: str) -> str:
    """A word or line as it stands in a text: a space at each end, but not beside a character of a
    script that has none between words."""
    if not text:
        return text
    first, last = ("" if script(text[i]) in UNSPACED else " " for i in (0, -1))
    return first + text + last


class Alphabet(NamedTuple):
    """Symbols by id: 0 the start of a string, 1 whatever has no other, then one unknown symbol for
    each of ``scripts``, then ``characters``.

    Rare characters of the training text stand for the unknown symbols, so that those are trained: a
    Chinese character that was never seen still speaks for a language that is written with such.
    """

    scripts: tuple[str, ...]
    characters: tuple[str, ...]

    @classmethod
    def from_texts(cls, texts: Sequence[str], min_count: int = 2) -> "Alphabet":
        """Of the characters that occur ``min_count`` times in all, and the scripts of any."""
        counts = Counter()
        for text in texts:
            counts.update(text)
        scripts = sorted({script(c) for c in counts} - {""})
        return cls(tuple(scripts), tuple(sorted(c for c, n in counts.items() if n >= min_count)))

    @property
    def size(self) -> int:
        """Number of ids."""
        return 2 + len(self.scripts) + len(self.characters)

    def encode(self, text: str) -> np.ndarray:
        """Ids (N,) int32 of a text of N code points; any text will do. The start is not put in."""
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        distinct, index = np.unique(points, return_inverse=True)
        ids = np.array([self._id(chr(p)) for p in distinct.tolist()], np.int32)
        return ids[index] if len(ids) else ids

    def save(self, path: str | os.PathLike) -> None:
        """Writes the alphabet as JSON."""
        record = {"format": _FORMAT, **self._asdict()}
        write_bytes(path, (json.dumps(record, ensure_ascii=False, indent=0) + "\n").encode())

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Alphabet":
        """The alphabet that ``save`` wrote. Raises DataError for anything else."""
        try:
            record = json.loads(read_text(path))
            if record.pop("format") != _FORMAT:
                raise ValueError
            return cls(*(tuple(record[name]) for name in cls._fields))
        except (ValueError, KeyError, AttributeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{os.fspath(path)!r} is no alphabet of this package") from None

    def _id(self, character):
        ids = _table(self)
        known = ids.get(character)
        return ids.get((script(character),), 1) if known is None else known


@lru_cache(maxsize=8)
def _table(alphabet):
    first = 2 + len(alphabet.scripts)
    ids = {(name,): i for i, name in enumerate(alphabet.scripts, 2)}
    return ids | {c: i for i, c in enumerate(alphabet.characters, first)}
