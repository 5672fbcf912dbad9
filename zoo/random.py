"""Randomness as a function of (seed, purpose, step): nothing to split, nothing to save.

    key(seed, "dropout", step) = fold_in(fold_in(key(seed), purpose), step)

The generator is named, because JAX may change its default between releases.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array, lax

_PURPOSES = {"init": 0, "data": 1, "dropout": 2, "sample": 3}


def key(seed: int, purpose: str, step: int | Array = 0) -> Array:
    """The key of one step of one purpose: "init", "data", "dropout" or "sample"."""
    root = jax.random.key(seed, impl="threefry2x32")
    return jax.random.fold_in(jax.random.fold_in(root, _PURPOSES[purpose]), step)


def keep(key: Array, rate: float, shape: tuple[int, ...]) -> Array:
    """A dropout mask of ``shape``: each True with probability 1 - rate, rounded to a multiple of 2^-16.

    Every 16 bits that Threefry makes are a draw; ``jax.random.bernoulli`` makes 64 for one, and takes two
    to three times as long. ``key`` is a key of any generator.
    """
    count = math.prod(shape)
    own = jax.random.wrap_key_data(jax.random.bits(key, (2,)), impl="threefry2x32")
    words = jax.random.key_data(jax.random.split(own, -(-count // 4)))
    draws = lax.bitcast_convert_type(words, jnp.uint16).ravel()[:count].reshape(shape)
    return draws >= jnp.uint16(min(round(rate * 2**16), 2**16 - 1))
