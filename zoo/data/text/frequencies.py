"""Words of a language by how often they are used, from the package wordfreq or from files of one's own."""

import importlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from zoo.data.errors import DataError
from zoo.data.text.alphabet import MIXED, script, scripts_of, unspaced
from zoo.data.text.languages import clean, decode

MOST = 30_000  # words of a language, the most frequent
_DRAWN = 120_000  # words in the text that is made of them
_TIMES = 6  # that a text stands before the words, which are many
_FOREIGN = 20  # times as frequent a word is in the language that it was taken from


def read(source: str, codes: Sequence[str], lowercase: bool = True) -> dict[str, dict[str, float]]:
    """code -> word -> how frequent it is, in shares of all words; the most frequent of words of letters.

    source: "wordfreq", the package of that name (Speer 2022; its lists are CC BY-SA 4.0), or a folder
            with a file CODE.txt a language: a word a line, the most frequent first, or with a tab and a
            count behind it

    A word is left out of a language where another one that is asked for uses it much more often: lists are
    counted on the web, and have "the" in most of them. Raises DataError where a list cannot be had.
    """
    lists = _packaged(codes) if source == "wordfreq" else _own(source, codes)
    kept: dict[str, dict[str, float]] = {}
    for code, words in lists.items():
        counts: dict[str, float] = {}
        for word, count in words.items():
            word = clean(word, lowercase)
            if word and all(script(c) or c in "'’-" for c in word):
                counts[word] = counts.get(word, 0.0) + count
        best = sorted(counts, key=lambda w: (-counts[w], w))[:MOST]
        total = sum(counts[w] for w in best)
        kept[code] = {w: counts[w] / total for w in best}
    highest: dict[str, float] = {}
    for words in kept.values():
        for word, share in words.items():
            highest[word] = max(share, highest.get(word, 0.0))
    return {
        code: {w: share for w, share in words.items() if share * _FOREIGN >= highest[w]}
        for code, words in kept.items()
    }


def beside(text: str, words: Mapping[str, float]) -> str:
    """A text to train on: ``text`` several times, and behind it the words in the scripts that it has."""
    return " ".join([text] * _TIMES + [drawn(words, scripts_of(text))]).strip()


def drawn(words: Mapping[str, float], scripts: Sequence[str]) -> str:
    """A text of words in random order, each as often as the root of its frequency says; of those that are
    written in ``scripts``, and with no space between those of scripts that have none. The same words give
    the same text."""
    mixed = {other for name in scripts for other in MIXED.get(name, (name,))}
    own = [word for word in words if all(script(c) in mixed for c in word if script(c))]
    if not own:
        return ""
    weights = np.cumsum(np.sqrt([words[word] for word in own]))
    places = (np.arange(_DRAWN) + 0.5) / _DRAWN * weights[-1]
    order = np.random.default_rng(0).permutation(np.searchsorted(weights, places))
    read = [own[i] for i in order]
    more = (b if unspaced(a[-1]) and unspaced(b[0]) else f" {b}" for a, b in pairwise(read))
    return read[0] + "".join(more)


def _packaged(codes):
    try:
        wordfreq = importlib.import_module("wordfreq")
    except ImportError:
        raise DataError(
            "--config.data.words=wordfreq: the package is not installed: pip install '.[words]'"
        ) from None
    lists = {}
    for code in codes:
        try:
            lists[code] = wordfreq.get_frequency_dict(code)
        except LookupError:
            raise DataError(
                f"--config.data.words=wordfreq: it has no list of {code!r}; leave that language out of "
                "--config.data.languages, or give a folder of lists"
            ) from None
    return lists


def _own(source, codes):
    folder = Path(source)
    if not folder.is_dir():
        raise DataError(
            f"--config.data.words={source}: no such folder; or wordfreq, for the package of that name"
        )
    lists = {}
    for code in codes:
        file, words = folder / f"{code}.txt", {}
        for number, line in enumerate(decode(file, "utf-8").splitlines(), 1):
            word, tab, count = line.partition("\t")
            if not word.strip():
                continue
            try:
                value = float(count) if tab else 1.0 / number  # Zipf's law
            except ValueError:
                value = 0.0
            if not 0 < value < np.inf:
                raise DataError(f"{file}, line {number}: {count!r} is no count of {word!r}")
            words[word] = words.get(word, 0.0) + value
        if not words:
            raise DataError(f"{file} has no words")
        lists[code] = words
    return lists
