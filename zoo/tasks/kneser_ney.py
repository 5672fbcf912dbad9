"""The n-gram model that a neural one has to beat: interpolated, modified Kneser-Ney. NumPy, float64.

Kneser & Ney 1995, "Improved backing-off for m-gram language modeling"; Chen & Goodman 1999, "An empirical
study of smoothing techniques for language modeling" (three discounts an order, all orders interpolated).

For a word w after a context h of k - 1 words, h' being h without its first word:

    P(w | h) = max(c(h w) - D(c(h w)), 0) / sum_v c(h v) + left(h) P(w | h')
    left(h)  = sum_v D(c(h v)) / sum_v c(h v)

At the highest order c counts occurrences. Below, it counts the different words that come before. Below one
word stands the uniform distribution over the vocabulary. After a context that was never seen,
P(w | h) = P(w | h').

A text is one stream of ids: a context reaches over line breaks, as a recurrent network's does.
"""

from typing import NamedTuple

import numpy as np

FALLBACK = (
    0.5,
    1.0,
    1.5,
)  # discounts of counts 1, 2 and above, where a text is too small to estimate them


class Order(NamedTuple):
    """The n-grams of one length k, n of them, in the order of their keys.

    A key is (place of the first k - 1 words among the n-grams of that length) * vocabulary + last word.
    """

    keys: np.ndarray  # (n,) int64, sorted
    counts: np.ndarray  # (n,) c
    discount: np.ndarray  # (4,) what is subtracted from a count of 0, 1, 2, and 3 or more
    share: np.ndarray  # (n,) max(c - D, 0) / sum: what the order itself gives to the last word
    left: np.ndarray  # (contexts,) what goes to the next lower order; 1 after an unseen context


class KneserNey(NamedTuple):
    """What ``fit`` learned: one ``Order`` for each length from 1 up, and the number of different ids."""

    orders: tuple[Order, ...]
    vocab: int


def discounts(counts: np.ndarray) -> np.ndarray:
    """(4,) what to subtract from a count of 0, 1, 2, and 3 or more (Chen & Goodman 1999).

    ``counts`` (n,) of all n-grams of one length. They are ``FALLBACK`` where one of the counts of counts
    1 to 4 is zero or the estimate is not positive: then a context could leave nothing to unseen words.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(np.float64)
    if n.all():
        k = np.arange(1, 4)
        estimate = k - (k + 1) * n[0] / (n[0] + 2 * n[1]) * n[1:] / n[:-1]
        if (estimate > 0).all():
            return np.append(0, estimate)
    return np.append(0, FALLBACK)


def fit(ids: np.ndarray, order: int, vocab: int) -> KneserNey:
    """The model of a text ``ids`` (N,), each in [0, vocab), with contexts of up to order - 1 words.

    N log N time. Of two million words and order 5 it took 3 s and 240 MiB. ValueError for an id or an
    order out of range.
    """
    if order < 1:
        raise ValueError(f"an n-gram model's order is 1 or more, not {order}")
    ids = _checked(ids, vocab)
    # place (N - k + 1,): which of the k-grams stands at each place of the text
    keys, place = np.unique(ids, return_inverse=True)
    contexts, size, orders = np.zeros(len(keys), np.int64), 1, []
    for k in range(1, order):
        longer, first, next_place = np.unique(
            place[:-1] * vocab + ids[k:], return_index=True, return_inverse=True
        )
        # each different longer n-gram is one more word before its ending
        counts = np.bincount(place[first + 1], minlength=len(keys))
        orders.append(_smoothed(keys, contexts, counts, size))
        size, keys, place, contexts = len(keys), longer, next_place, longer // vocab
    orders.append(_smoothed(keys, contexts, np.bincount(place, minlength=len(keys)), size))
    return KneserNey(tuple(orders), vocab)


def log_p(model: KneserNey, history: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """(M,) natural logarithm of the probability of each of ``ids`` (M,), given all ids before it.

    ``history`` (any length, also 0) is what comes before the first of them: of it the last order - 1 ids
    are used. exp(-mean) is the perplexity. ValueError for an id out of range.
    """
    before = np.asarray(history)[max(len(history) - len(model.orders) + 1, 0) :]
    text = np.concatenate([_checked(before, model.vocab), _checked(ids, model.vocab)])
    p = np.full(len(text), 1 / model.vocab)
    # which (k - 1)-gram stands before each word; -1: one that was never seen
    context = np.zeros(len(text), np.int64)
    for order in model.orders:
        found = looked_up(order, context, text, model.vocab)
        p *= np.append(order.left, 1)[context]  # -1 reads the 1 at the end
        p += np.append(order.share, 0)[found]
        context = np.append(-1, found)[:-1]
    return np.log(p[len(before) :])


class Reader:
    """Reads ``rows`` texts side by side, from their beginnings: what comes next in each."""

    def __init__(self, model: KneserNey, rows: int):
        self._model = model
        # (orders, rows) which (k - 1)-gram stands at the end of each text; -1: one that was never seen
        self._contexts = np.full((len(model.orders), rows), -1, np.int64)
        self._contexts[0] = 0

    def read(self, ids: np.ndarray) -> None:
        """One more symbol of each text, (rows,)."""
        found = [
            looked_up(order, context, ids, self._model.vocab)
            for order, context in zip(self._model.orders, self._contexts, strict=True)
        ]
        self._contexts = np.stack([self._contexts[0], *found[:-1]])

    def probabilities(self) -> np.ndarray:
        """(rows, V) of all symbols to come next."""
        size = self._model.vocab
        p = np.full((self._contexts.shape[1], size), 1 / size)
        for order, contexts in zip(self._model.orders, self._contexts, strict=True):
            ends = np.searchsorted(order.keys, np.add.outer(contexts, (0, 1)) * size)
            for row in np.flatnonzero(contexts >= 0):
                p[row] *= order.left[contexts[row]]
                seen = slice(*ends[row])
                p[row, order.keys[seen] % size] += order.share[seen]
        return p


def looked_up(order: Order, contexts: np.ndarray, ids: np.ndarray, vocab: int) -> np.ndarray:
    """(M,) the place among the n-grams of an order of each of ``ids`` (M,) after its context (M,), a place
    among those of the next lower order; -1 for an n-gram that was never seen, as for such a context."""
    if not len(order.keys):
        return np.full(len(ids), -1)
    key = contexts * vocab + ids
    found = np.minimum(np.searchsorted(order.keys, key), len(order.keys) - 1)
    return np.where((contexts >= 0) & (order.keys[found] == key), found, -1)


def best_order(ids: np.ndarray, vocab: int, orders=(5, 6, 7, 8, 10)) -> int:
    """The order that says most of the last tenth of a text ``ids`` (N,) after a fit on the rest; of fewer
    than 20 ids the lowest."""
    cut = len(ids) - len(ids) // 10
    if len(ids) < 20:
        return min(orders)
    losses = {n: -log_p(fit(ids[:cut], n, vocab), ids[:cut], ids[cut:]).mean() for n in orders}
    return min(losses, key=losses.get)


def _checked(ids, vocab):
    ids = np.asarray(ids, np.int64)
    if len(ids) and not 0 <= ids.min() <= ids.max() < vocab:
        raise ValueError(f"ids from {ids.min()} to {ids.max()}, of a vocabulary of {vocab}")
    return ids


def _smoothed(keys, contexts, counts, size):
    """The Order of n-grams with these keys, ``contexts`` (n,) in [0, size) and counts (n,)."""
    each = discounts(counts)
    discount = each[np.minimum(counts, 3)]
    total = np.bincount(contexts, counts, size)
    left = np.bincount(contexts, discount, size)
    left = np.where(total > 0, left / np.maximum(total, 1), 1)
    share = np.maximum(counts - discount, 0) / np.maximum(total, 1)[contexts]
    return Order(keys, counts, each, share, left)
