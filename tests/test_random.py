"""Randomness is a function of (seed, purpose, step)."""

import jax
import numpy as np
import pytest

from zoo import random


def test_keys_differ_by_seed_purpose_and_step_and_name_their_generator():
    keys = [
        random.key(seed, purpose, step)
        for seed in range(3)
        for purpose in ("init", "data", "dropout", "sample")
        for step in range(3)
    ]
    assert len({tuple(jax.random.key_data(k).tolist()) for k in keys}) == 36
    assert {str(jax.random.key_impl(k)) for k in keys} == {"threefry2x32"}


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
def test_a_mask_keeps_what_it_should_everywhere_and_draws_each_value_by_itself(impl):
    shape, rate = (401, 251), 0.2  # not a whole number of keys
    mask = np.asarray(random.keep(jax.random.key(7, impl=impl), rate, shape))
    n, deviation = mask.size, (rate * (1 - rate)) ** 0.5
    assert mask.shape == shape and mask.dtype == bool
    assert abs(mask.mean() - (1 - rate)) < 4 * deviation / n**0.5
    for axis in (0, 1):
        each = mask.mean(axis=axis)
        spread = deviation / shape[axis] ** 0.5
        assert abs(each - (1 - rate)).max() < 5 * spread
        assert 0.85 * spread < each.std() < 1.15 * spread
    flat = mask.ravel() - mask.mean()
    for lag in (1, 2, 3, 4, 8, 251, 502):
        correlation = (flat[lag:] * flat[:-lag]).mean() / flat.var()
        assert abs(correlation) < 4.5 / n**0.5, lag


def test_masks_of_different_keys_differ_and_an_old_style_key_draws_the_same():
    first, second = (random.keep(jax.random.key(k), 0.5, (100,)) for k in (1, 2))
    assert (first != second).any()
    np.testing.assert_array_equal(first, random.keep(jax.random.PRNGKey(1), 0.5, (100,)))


def test_a_mask_of_the_highest_rate_still_keeps_something():
    assert random.keep(jax.random.key(0), 1 - 1e-9, (1000, 1000)).sum() in range(1, 50)
