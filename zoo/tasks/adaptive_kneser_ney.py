"""A Kneser-Ney model that goes on counting while it reads: every symbol that was predicted is learned.

It is the measure for models whose parameters follow the text (dynamic evaluation). Discounts stay those of
the training text. What it says of a text without repeating anything in it is what ``kneser_ney`` says.
"""

import numpy as np

from zoo.tasks import kneser_ney
from zoo.tasks.kneser_ney import KneserNey


class Reader:
    """Reads a text that goes on from ``history`` (N,): a model of a training text, and its counts since.

    Pure Python: about 200,000 symbols take a second for each order.
    """

    def __init__(self, model: KneserNey, history: np.ndarray):
        self._model = model
        self._order = len(model.orders)
        self._context = _text(np.asarray(history)[max(len(history) - self._order + 1, 0) :])
        self._counts: dict[str, int] = {}  # of n-grams, where they differ from the training text's
        self._contexts: dict[str, list[int]] = {}  # total, and n-grams counted once, twice, oftener
        self._discounts = [order.discount.tolist() for order in model.orders]
        self._stats = [_stats(order, model.vocab) for order in model.orders]

    def log_p(self, ids: np.ndarray) -> np.ndarray:
        """(M,) natural logarithm of the probability of each of ``ids`` (M,), given all that was read."""
        before = self._context
        text = before + _text(np.asarray(ids))
        base = self._base(text)
        p = np.empty(len(ids))
        for i in range(len(ids)):
            at = len(before) + i
            p[i] = self._read(text, at, base)
        self._context = text[max(len(text) - self._order + 1, 0) :] if self._order > 1 else ""
        return np.log(p)

    def _read(self, text, at, base):
        """The probability of the symbol at a place; then it is counted."""
        p, levels = 1 / self._model.vocab, []
        for k in range(min(self._order, at + 1)):
            gram = text[at - k : at + 1]
            count, stats = self._counts.get(gram), self._contexts.get(gram[:-1])
            if count is None:
                count = base[k][0][at]
            if stats is None:
                stats = [column[at] for column in base[k][1:]]
            levels.append((gram, count, stats))
            total, discount = stats[0], self._discounts[k]
            if total:
                left = discount[1] * stats[1] + discount[2] * stats[2] + discount[3] * stats[3]
                own = count - discount[min(count, 3)]
                p = (max(own, 0) + left * p) / total
        for k in reversed(range(len(levels))):
            gram, count, stats = levels[k]
            self._counts[gram] = count + 1
            stats[0] += 1
            if 0 < count < 3:
                stats[count] -= 1
            if count < 3:
                stats[count + 1] += 1
            self._contexts[gram[:-1]] = stats
            # Below, what counts is how many different symbols come before.
            if count:
                break
        return p

    def _base(self, text):
        """Of each order and place: the n-gram's count in the training text, and its context's total and
        numbers of n-grams counted once, twice and oftener. Lists."""
        ids = np.array([ord(c) for c in text], np.int64)
        context, found_of = np.zeros(len(ids), np.int64), []
        for order, stats in zip(self._model.orders, self._stats, strict=True):
            found = kneser_ney.looked_up(order, context, ids, self._model.vocab)
            counts = np.append(order.counts, 0)[found]
            found_of.append([counts.tolist(), *(column[context].tolist() for column in stats)])
            context = np.append(-1, found)[:-1]
        return found_of


def _stats(order, vocab):
    """Of the contexts of an order, the last being one that was never seen: total, and how many n-grams
    were counted once, twice, oftener; (contexts + 1,) each."""
    contexts, size = order.keys // vocab, len(order.left) + 1
    total = np.bincount(contexts, order.counts, size).astype(np.int64)
    often = np.minimum(order.counts, 3)
    return [total, *(np.bincount(contexts[often == n], minlength=size) for n in (1, 2, 3))]


def _text(ids):
    """Ids as a string, whose slices make good keys. Surrogates are no fault: nothing encodes it."""
    return "".join(map(chr, ids.tolist()))
