"""Randomness is a function of (seed, purpose, step)."""

import jax

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
