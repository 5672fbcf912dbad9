"""Batches of sequences of like lengths: little padding, and still a function of (seed, epoch, i).

Each sequence belongs to the bucket of the smallest width that it fits in, and a batch to one bucket. The
batches of an epoch are made of what each bucket holds, in an order drawn anew; the last of a bucket may
lack rows, which are -1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from zoo import random


class Order(NamedTuple):
    """The batches of an epoch, S of them: rows (S, B) int32, -1 for none; bucket (S,) int32."""

    rows: Array
    bucket: Array


def widths(lengths: np.ndarray, count: int) -> tuple[int, ...]:
    """At most ``count`` widths, rising, the last one the greatest length, for which the lengths (n,) need
    the fewest padded steps."""
    sizes, each = np.unique(np.maximum(lengths, 1), return_counts=True)
    before = np.concatenate([[0], np.cumsum(each)])  # rows of the first k sizes
    cost = np.full(len(sizes) + 1, np.inf)
    cost[0], chosen = 0, []
    for _ in range(min(count, len(sizes))):
        # The steps of the first j sizes, where the last bucket has those from the i-th on.
        steps = cost[:, None] + (before[None] - before[:, None]) * np.append(0, sizes)[None]
        steps[np.tri(len(steps), dtype=bool)] = np.inf
        chosen.append(steps.argmin(axis=0))
        cost = steps.min(axis=0)
        cost[0] = np.inf
    found, j = [], len(sizes)
    for last in reversed(chosen):
        found.append(int(sizes[j - 1]))
        j = int(last[j])
    return tuple(reversed(found))


def bucket_of(lengths: np.ndarray, widths: tuple[int, ...]) -> np.ndarray:
    """The bucket of each length (n,): that of the smallest width it fits in, else the last."""
    return np.minimum(np.searchsorted(widths, lengths), len(widths) - 1)


def steps(lengths: np.ndarray, widths: tuple[int, ...], batch_size: int) -> int:
    """Batches of an epoch."""
    counts = np.bincount(bucket_of(lengths, widths), minlength=len(widths))
    return int(np.sum(-(-counts // batch_size)))


def order(
    seed: int, epoch: int | Array, lengths: np.ndarray, widths: tuple[int, ...], batch_size: int
) -> Order:
    """The batches of an epoch; ``epoch`` may be traced."""
    key = random.key(seed, "data", epoch)
    bucket, rows, buckets = bucket_of(lengths, widths), [], []
    for b in range(len(widths)):
        mine = np.flatnonzero(bucket == b).astype(np.int32)
        count = -(-len(mine) // batch_size)
        mixed = jax.random.permutation(jax.random.fold_in(key, b), jnp.asarray(mine))
        padded = jnp.pad(mixed, (0, count * batch_size - len(mine)), constant_values=-1)
        rows.append(padded.reshape(count, batch_size))
        buckets.append(jnp.full(count, b, jnp.int32))
    rows, buckets = jnp.concatenate(rows), jnp.concatenate(buckets)
    mixed = jax.random.permutation(jax.random.fold_in(key, len(widths)), len(rows))
    return Order(rows[mixed], buckets[mixed])


def padding(lengths: np.ndarray, widths: tuple[int, ...]) -> float:
    """The share of the steps of an epoch that are padding: of rows, not of the rows that a batch lacks."""
    taken = np.minimum(lengths, widths[-1])
    return float(1 - taken.sum() / np.array(widths)[bucket_of(lengths, widths)].sum())
