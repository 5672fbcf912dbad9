"""Randomness as a function of (seed, purpose, step): nothing to split, nothing to save.

    key(seed, "dropout", step) = fold_in(fold_in(key(seed), purpose), step)

The generator is named, because JAX may change its default between releases.
"""

import jax
from jax import Array

_PURPOSES = {"init": 0, "data": 1, "dropout": 2, "sample": 3}


def key(seed: int, purpose: str, step: int | Array = 0) -> Array:
    """The key of one step of one purpose: "init", "data", "dropout" or "sample"."""
    root = jax.random.key(seed, impl="threefry2x32")
    return jax.random.fold_in(jax.random.fold_in(root, _PURPOSES[purpose]), step)
