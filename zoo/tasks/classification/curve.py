"""A learning curve by a bank: its members learn from all texts, from half of them, from a quarter, …

All take the same number of steps over batches of the same widths; where a member lacks a text, one of its
own that is as long stands in for it.
"""

import numpy as np


def sizes(labels: np.ndarray, members: int) -> list[int]:
    """How many texts each member has, of labels (n,)."""
    counts = np.bincount(labels)
    return [int(_share(counts, k).sum()) for k in range(members)]


def rows(labels: np.ndarray, bucket: np.ndarray, members: int, seed: int) -> np.ndarray:
    """Which text a member reads in place of each, (members, n), of labels and buckets (n,).

    Each class keeps the same share, at least one text, drawn by ``seed``; smaller parts lie within larger
    ones.
    """
    random, rank = np.random.default_rng(seed), np.zeros(len(labels), int)
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        rank[random.permutation(mine)] = np.arange(len(mine))
    found = np.tile(np.arange(len(labels), dtype=np.int32), (members, 1))
    for k, row in enumerate(found):
        kept = rank < _share(np.bincount(labels), k)[labels]
        for b in np.unique(bucket):
            fit = np.flatnonzero(kept & (bucket == b))
            if not len(fit):
                fit = np.flatnonzero(kept & (bucket <= b))
            if not len(fit):  # it will be cut
                fit = np.flatnonzero(kept & (bucket == bucket[kept].min()))
            wanted = np.flatnonzero(bucket == b)
            row[wanted] = fit[np.arange(len(wanted)) % len(fit)]
    return found


def _share(counts, k):
    return -(-counts // 2**k)
