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
from zoo.data.text.records import checked_ids, read_record
from zoo.data.text.vocabulary import UNKNOWN

START = 0
# Scripts that are written without spaces between words.
UNSPACED = {"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"}
# Scripts that one writing system mixes, by those that are in no other: a text in one of them may be in all
# of them (ISO 15924: Jpan, Hanb).
MIXED = {
    "HIRAGANA": ("CJK", "HIRAGANA", "KATAKANA"),
    "KATAKANA": ("CJK", "HIRAGANA", "KATAKANA"),
    "BOPOMOFO": ("BOPOMOFO", "CJK"),
}
FORMAT = "lstm-zoo alphabet 1"


@cache
def script(character: str) -> str:
    """The script of a letter or of a mark on letters, as the first word of its Unicode name, such as
    LATIN, CJK, HANGUL; "" for everything else: digits, punctuation, symbols, spaces."""
    if unicodedata.category(character)[0] not in "LM":
        return ""
    name = unicodedata.name(character, "").removeprefix("HALFWIDTH ").removeprefix("FULLWIDTH ")
    return name.partition(" ")[0].partition("-")[0]


def scripts_of(text: str) -> list[str]:
    """The scripts of the language of a text: those of one in fifty of its letters at least, and those that
    are written together with them."""
    counts = Counter(script(c) for c in text)
    del counts[""]
    found = [name for name, n in counts.items() if n * 50 >= counts.total()]
    return sorted({each for name in found for each in MIXED.get(name, (name,))})


def unspaced(character: str) -> bool:
    """Whether a character is of a script that is written without spaces between words."""
    return script(character) in UNSPACED


def between_spaces(text: str) -> str:
    """A word or line as it stands in a text: a space at each end, but not beside a character of a
    script that has none between words."""
    if not text:
        return text
    first, last = ("" if unspaced(text[i]) else " " for i in (0, -1))
    return first + text + last


def spaced(text: str) -> bool:
    """Whether a text is written with spaces between words: one character in twenty is one at least."""
    return text.count(" ") * 20 > len(text)


class Alphabet(NamedTuple):
    """Symbols by id: 0 the start of a string, 1 whatever has no other, then one unknown symbol for
    each of ``scripts``, then ``characters``.

    Rare characters of the training text stand for the unknown symbols, so that those are trained: a
    Chinese character that was never seen still speaks for a language that is written with such.
    """

    scripts: tuple[str, ...]
    characters: tuple[str, ...]
    kind = "alphabet"  # no field: what ``zoo.data.text.tokenizers`` calls it

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

    @property
    def unknown_ids(self) -> tuple[int, ...]:
        """Ids of the unknown symbols: the one for whatever has no other, then one a script."""
        return tuple(range(1, 2 + len(self.scripts)))

    def encode(self, text: str) -> np.ndarray:
        """Ids (N,) int32 of a text of N code points; any text will do. The start is not put in."""
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        distinct, index = np.unique(points, return_inverse=True)
        ids = np.array([self._id(chr(p)) for p in distinct.tolist()], np.int32)
        return ids[index] if len(ids) else ids

    def decode(self, ids: np.ndarray) -> str:
        """Text of ids (N,), integers: the start is nothing, each unknown symbol U+FFFD.

        Raises DataError for ids that are no integers in [0, size).
        """
        symbols = ("", *(UNKNOWN for _ in self.unknown_ids), *self.characters)
        return "".join(symbols[i] for i in checked_ids(ids, self.size).tolist())

    def unknown(self, text: str) -> list[str]:
        """The characters of a text that are not in the alphabet, sorted."""
        return sorted(set(text).difference(self.characters))

    def record(self) -> dict:
        """What ``save`` writes."""
        return {"format": FORMAT, **self._asdict()}

    def save(self, path: str | os.PathLike) -> None:
        """Writes the alphabet as JSON."""
        text = json.dumps(self.record(), ensure_ascii=False, indent=0) + "\n"
        # A lone surrogate, which UTF-8 does not have, becomes an escape that JSON has too.
        write_bytes(path, text.encode("utf-8", "backslashreplace"))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Alphabet":
        """The alphabet that ``save`` wrote. Raises DataError for anything else."""
        record = read_record(path, "alphabet of this package", [FORMAT])
        scripts, characters = (record.get(name) for name in cls._fields)
        if not _distinct(scripts) or not _distinct(characters) or {*map(len, characters)} - {1}:
            raise DataError(
                f"{os.fspath(path)!r} is no alphabet of this package: 'scripts' must be a list of "
                "names, 'characters' one of single characters, each there once"
            )
        return cls(tuple(scripts), tuple(characters))

    def _id(self, character):
        ids = _table(self)
        known = ids.get(character)
        return ids.get((script(character),), 1) if known is None else known


def _distinct(symbols):
    return (
        isinstance(symbols, list)
        and all(isinstance(s, str) for s in symbols)
        and len(set(symbols)) == len(symbols)
    )


@lru_cache(maxsize=8)
def _table(alphabet):
    first = 2 + len(alphabet.scripts)
    ids = {(name,): i for i, name in enumerate(alphabet.scripts, 2)}
    return ids | {c: i for i, c in enumerate(alphabet.characters, first)}
