"""Arrays that stay on disk: memory maps, read where they are needed.

What was read through a memory map counts as this process's memory for as long as the map is open. So
whoever reads much of a large one opens it again from time to time.
"""

from collections.abc import Iterator

import jax
import numpy as np

BLOCK = 1 << 20  # entries that are worked on at once


def is_mapped(tree) -> bool:
    """Whether a leaf of the tree is a memory map."""
    return any(isinstance(leaf, np.memmap) for leaf in jax.tree.leaves(tree))


def reopened(tree):
    """The tree with its memory maps, whole ones, opened again; what was read through the old ones goes with
    them."""

    def one(leaf):
        if not isinstance(leaf, np.memmap):
            return leaf
        return np.memmap(leaf.filename, leaf.dtype, "r", leaf.offset, leaf.shape)

    return jax.tree.map(one, tree)


def blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """An array (N,) in blocks, one after the other; of a memory map each through a map of its own."""
    for at in range(0, len(array), BLOCK):
        yield reopened(array)[at : at + BLOCK]


def counts(ids: np.ndarray, size: int) -> np.ndarray:
    """How often each of ``size`` ids is in ids (N,): (size,) int64."""
    total = np.zeros(size, np.int64)
    for block in blocks(ids):
        total += np.bincount(block, minlength=size)
    return total
