"""Buckets of like lengths: the best widths, and every row once an epoch."""

import itertools

import jax
import numpy as np
import pytest

from zoo.data import buckets

LENGTHS = np.random.default_rng(0).integers(0, 12, 50)


def steps_of(lengths, widths):
    return np.array(widths)[buckets.bucket_of(lengths, widths)].sum()


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_no_other_widths_need_fewer_steps(count):
    lengths = LENGTHS[:20]
    got = buckets.widths(lengths, count)
    sizes = np.unique(np.maximum(lengths, 1)).tolist()
    assert list(got) == sorted(set(got)) and got[-1] == sizes[-1] and len(got) <= count
    best = min(
        steps_of(lengths, (*some, sizes[-1]))
        for k in range(min(count, len(sizes)))
        for some in itertools.combinations(sizes[:-1], k)
    )
    assert steps_of(lengths, got) == best
    if count == 20:
        assert buckets.padding(lengths[lengths > 0], got) == 0


def test_every_row_is_in_one_batch_of_its_bucket_and_each_epoch_has_its_own_order():
    widths = buckets.widths(LENGTHS, 3)
    epochs = [buckets.order(7, epoch, LENGTHS, widths, 4) for epoch in (0, 1)]
    for rows, bucket in epochs:
        assert rows.shape == (buckets.steps(LENGTHS, widths, 4), 4)
        kept = rows[rows >= 0]
        assert sorted(kept.tolist()) == list(range(50))
        for some, b in zip(rows.tolist(), bucket.tolist(), strict=True):
            assert {int(buckets.bucket_of(LENGTHS[r], widths)) for r in some if r >= 0} == {b}
    assert (epochs[0].rows != epochs[1].rows).any()
    again = jax.jit(lambda epoch: buckets.order(7, epoch, LENGTHS, widths, 4))(1)
    np.testing.assert_array_equal(again.rows, epochs[1].rows)
    assert buckets.padding(LENGTHS, widths) < buckets.padding(LENGTHS, widths[-1:])


def test_what_is_longer_than_the_last_width_is_in_the_last_bucket():
    assert buckets.bucket_of(np.array([0, 3, 4, 99]), (3, 5)).tolist() == [0, 0, 1, 1]
