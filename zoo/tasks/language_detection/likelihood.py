"""log P(string | language) of many strings: which languages are worth scoring, and in what batches.

A language is left out of the scoring of a string where

- no letter of the string is of a script of the language; Latin letters do not count where one in five
  letters is of another script, since names and quotations in them stand in texts of every script;
- after 16, 32, 64, … characters it is 40 nats less likely than the best (of 2,472 strings of held-out
  UDHR, with and without foreign words, and of Genesis, 40 changed the label of none, 30 of two).

A string is read while two languages are left: the rest could not change by how much one leads.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import jax
import numpy as np

from zoo.data.text.alphabet import START, script

RULED_OUT = 100.0  # nats that a language left out for its script stays below the best
BEHIND = 40.0  # nats behind the best at which a language is given up
_HEAD = 16  # characters that every language is scored on
_WIDTHS = (16, 32, 64, 128, 256, 1024)  # characters that are scored at once: a program each
_ROWS = (8, 64, 512)  # of one call

# (languages (N,), symbols (N, 1 + W), carry or None) -> (carry, log P of all symbols but the first (N, W))
Piece = Callable


def candidates(strings: Sequence[str], scripts: Sequence[Sequence[str]]) -> np.ndarray:
    """(strings, languages) bools: the languages that the letters of a string allow, by the scripts of
    each language; none where no letter is of a script of any."""
    known = sorted(set().union(*scripts))
    uses = np.array([[name in mine for name in known] for mine in scripts])
    allowed = np.zeros((len(strings), len(scripts)), bool)
    for row, string in zip(allowed, strings, strict=True):
        counts = Counter(map(script, string))
        letters = np.array([counts[name] for name in known])
        if "LATIN" in known:
            latin = known.index("LATIN")
            if letters[latin] < letters.sum() and 5 * letters[latin] <= 4 * letters.sum():
                letters[latin] = 0
        row[:] = (uses & (letters > 0)).any(axis=1)
    return allowed


def score(
    piece: Piece,
    tokens: Sequence[np.ndarray],
    allowed: np.ndarray,
    contamination: float = 0.0,
    apart: bool = False,
) -> np.ndarray:
    """log P of each string as far as it is read, (n, languages), float64; it is the differences between
    languages that count.

    allowed:       (n, languages) bools, one at least of each string; the others end up ``RULED_OUT``
    contamination: e; a character counts p + e max p, the largest over the languages scored
    apart:         a call of ``piece`` takes rows of one language only
    """
    lengths = np.array([len(t) for t in tokens], int)
    scores = np.zeros(allowed.shape)
    kinds = np.searchsorted(_WIDTHS[:-1], lengths - _HEAD)
    for kind in np.unique(kinds):
        mine = np.flatnonzero(kinds == kind)
        size = min(512, 65536 // _WIDTHS[kind])
        for i in range(0, len(mine), size):
            rows = mine[i : i + size]
            some = [tokens[r] for r in rows]
            scores[rows] = _chunk(piece, some, lengths[rows], allowed[rows], contamination, apart)
    return scores


def trace(piece: Piece, tokens: np.ndarray, languages: int, contamination: float) -> np.ndarray:
    """log P of each character after those before it, (characters, languages)."""
    symbols = np.concatenate([[START], tokens])[None].astype(np.int32)
    each = [piece(np.full(1, label), symbols, None)[1] for label in range(languages)]
    return _contaminated(np.array(each, np.float64)[:, 0].T, contamination)


def _chunk(piece, tokens, lengths, allowed, contamination, apart):
    total, behind = np.zeros(allowed.shape), np.where(allowed, 0.0, RULED_OUT)
    longest, start = lengths.max(), 0
    undecided = (lengths > 0) & (np.sum(allowed, axis=1) > 1)
    pairs, carry = np.argwhere(allowed & undecided[:, None]), None
    while len(pairs):
        width = _width(start, longest)
        symbols = _window(tokens, start, width)
        carry, each = _rows(piece, symbols, pairs, carry, apart, start + width < longest)
        values = np.full((len(tokens), width, allowed.shape[1]), -np.inf)
        values[pairs[:, 0], :, pairs[:, 1]] = each
        values = _contaminated(values, contamination)
        start += width
        inside = (np.arange(start - width, start) < lengths[:, None])[:, :, None]
        part = np.sum(values, axis=1, where=inside)
        total[tuple(pairs.T)] += part[tuple(pairs.T)]
        going = behind == 0
        best = np.max(total, axis=1, keepdims=True, where=going, initial=-np.inf)
        behind = np.where(going & (best - total > BEHIND), best - total, behind)
        undecided = (lengths > start) & (np.sum(behind == 0, axis=1) > 1)
        keep = (behind[tuple(pairs.T)] == 0) & undecided[pairs[:, 0]]
        pairs, carry = pairs[keep], _take(carry, keep)
    best = np.max(total, axis=1, keepdims=True, where=behind == 0, initial=-np.inf)
    return np.where(behind == 0, total, best - behind)


def _width(start, longest):
    """Characters to read next: as many again, so that languages far behind are left soon."""
    if not start:
        return _HEAD
    needed = np.searchsorted(_WIDTHS[:-1], longest - start)
    again = np.searchsorted(_WIDTHS, start, side="right") - 1
    return _WIDTHS[min(needed, again)]


def _window(tokens, start, width):
    """Symbols (strings, 1 + width): the one before ``start``, and those from there on."""
    symbols = np.full((len(tokens), 1 + width), START, np.int32)
    for row, t in zip(symbols, tokens, strict=True):
        part = t[max(0, start - 1) : start + width]
        at = 0 if start else 1
        row[at : at + len(part)] = part
    return symbols


def _contaminated(values, e):
    """Of log P (..., languages); the models' own for e = 0."""
    if not e:
        return values
    return np.logaddexp(values, np.log(e) + values.max(axis=-1, keepdims=True))


def _rows(piece, symbols, pairs, carry, apart, going_on):
    """``piece`` of all pairs (string, language), so many rows at once that programs are few; the carry
    is () where nothing comes after."""
    string, language = pairs.T
    width = symbols.shape[1] - 1
    groups = [np.flatnonzero(language == v) for v in np.unique(language)]
    groups = groups if apart else [np.arange(len(pairs))]
    size = _ROWS[np.searchsorted(_ROWS[:-1], max(map(len, groups)))]
    each, states = np.zeros((len(pairs), width)), []
    for group in groups:
        for i in range(0, len(group), size):
            mine = group[i : i + size]
            rows = np.resize(mine, size)  # the last call is filled up with some of its rows again
            after, log_p = piece(language[rows], symbols[string[rows]], _take(carry, rows))
            each[mine] = np.asarray(log_p)[: len(mine)]
            if going_on:
                states.append(_take(after, slice(len(mine))))
    if not going_on:
        return (), each
    rank = np.argsort(np.concatenate(groups), kind="stable")
    return jax.tree.map(lambda *a: np.concatenate(a, axis=1)[:, rank], *states), each


def _take(carry, rows):
    return jax.tree.map(lambda a: np.asarray(a)[:, rows], carry)
