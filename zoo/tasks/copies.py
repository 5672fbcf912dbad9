"""How much of a text is copied from another: the longest run, and the share of n-grams found. NumPy.

Both texts are ids. Every window of 1, 2, 4, 8 … ids gets its rank among all windows of that length, from
the ranks of its two halves (Karp, Miller & Rosenberg 1972; Manber & Myers 1993, "Suffix arrays"). In the
order of the ranks the best match of a place stands right before or right after it. Nothing is hashed: the
figures are exact.
"""

from typing import NamedTuple

import numpy as np


class Run(NamedTuple):
    """A run of ``length`` ids: ids[start : start + length] == source[source_start : …]."""

    length: int
    start: int
    source_start: int


def longest_run(ids: np.ndarray, source: np.ndarray) -> Run:
    """The longest run of consecutive ids of ``ids`` (M,) that ``source`` (N,) has too.

    Of several the first in ``ids``, at one of its places in ``source``; Run(0, 0, 0) if they share nothing.
    """
    lengths, places = matches(np.asarray(ids)[None], source)
    if not lengths.any():
        return Run(0, 0, 0)
    start = int(lengths[0].argmax())
    return Run(int(lengths[0, start]), start, int(places[0, start]))


def longest_runs(rows: np.ndarray, source: np.ndarray) -> np.ndarray:
    """(R,) the length of the longest run inside of each of ``rows`` (R, L) that ``source`` (N,) has too."""
    return matches(rows, source)[0].max(axis=1, initial=0)


def share_found(rows: np.ndarray, source: np.ndarray, n: int = 8) -> float:
    """The share of all n-grams inside of ``rows`` (R, L), R (L - n + 1) of them, that ``source`` (N,) has.

    ValueError where there are none to count.
    """
    if not 1 <= n <= np.shape(rows)[1] or not len(rows):
        raise ValueError(f"rows of shape {np.shape(rows)} have no {n}-grams")
    lengths, _ = matches(rows, source)
    return float((lengths[:, : lengths.shape[1] - n + 1] >= n).mean())


def matches(rows: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At each place of ``rows`` (R, L) the longest run from there on, inside of its row, that ``source``
    (N,) has: its lengths (R, L), and where in ``source`` it starts (R, L), 0 where the length is 0.

    n log n time and 4 n bytes for each doubling up to the longest run, n = N + R (L + 1).
    """
    rows, source = np.asarray(rows), np.asarray(source)
    if not rows.size or not source.size:
        return np.zeros(rows.shape, np.int64), np.zeros(rows.shape, np.int64)
    ranks, at, N = _windows(rows, source), np.arange(rows.size), len(source)
    at = N + 1 + at + at // rows.shape[1]  # the rows' places in the joined text
    order = np.argsort(ranks[-1], kind="stable")
    inside = order < N
    sorted_place = np.arange(len(order))
    before = np.maximum.accumulate(np.where(inside, sorted_place, -1))
    after = np.minimum.accumulate(np.where(inside, sorted_place, len(order))[::-1])[::-1]
    place_of = np.empty_like(order)
    place_of[order] = sorted_place
    lengths, places = np.zeros((2, rows.size), np.int64)
    # without a neighbour (-1, len(order)) the source's first place is tried: it is as good as any
    for neighbour in (before[place_of[at]], after[place_of[at]]):
        found = np.append(order, 0)[neighbour]
        length = _common(ranks, at, found)
        places = np.where(length > lengths, found, places)
        lengths = np.maximum(lengths, length)
    return lengths.reshape(rows.shape), places.reshape(rows.shape)


def _windows(rows, source):
    """Ranks of all windows of 1, 2, 4 … ids, int32 arrays of one length each, up to the first length of
    which the rows and the source have none in common.

    The joined text is the source, a mark, and each row with a mark of another kind after it. So no window
    that reaches over an end is equal to one of the other text.
    """
    _, names = np.unique(np.append(source, rows), return_inverse=True)
    names, N = names + 2, len(source)
    marked = np.pad(names[N:].reshape(rows.shape), ((0, 0), (0, 1)), constant_values=1)
    joined = np.concatenate([names[:N], [0], marked.ravel()])
    ranks, width = [joined.astype(np.int32)], 1
    while True:
        rank = ranks[-1]
        in_source = np.zeros(rank.max() + 1, bool)
        in_source[rank[:N]] = True
        if not in_source[rank[N + 1 :]].any():
            return ranks
        second = np.append(rank[width:] + 1, np.zeros(width, np.int64))  # 0: after the end
        pair = rank.astype(np.int64) * (second.max() + 1) + second
        ranks.append(np.unique(pair, return_inverse=True)[1].astype(np.int32))
        width *= 2


def _common(ranks, a, b):
    """How many ids are equal from the places ``a`` and ``b`` on: fewer than the last ranks' width."""
    length = np.zeros(len(a), np.int64)
    for level in reversed(range(len(ranks) - 1)):
        rank = ranks[level]
        length += (rank[a + length] == rank[b + length]) * 2**level
    return length
