"""What training carries from step to step, and the fingerprint of parameters."""

import hashlib
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from zoo.tasks.protocol import Sum


class Best(NamedTuple):
    """The best value of the tracked metric, its step and parameters, and evaluations since."""

    value: Array
    step: Array
    waited: Array
    params: Any


class Averaged(NamedTuple):
    """The optimizer's state where parameters are averaged, see ``zoo.train.averaging``. It is no field
    of TrainState: a checkpoint without it would be of another structure, which Orbax refuses.

    optimizer: the state of the optimizer itself
    params: the average
    weight: float32, that of all iterates in the average over that of the newest
    decay:  float32, what a step multiplies the weight of the older ones with; 0 where the average is
            the newest one
    lows:   float32 (n + 1,), the lowest value of the tracked metric (of its negative, where more is
            better) as it was after each of the last evaluations, oldest first; () for "ema"
    """

    optimizer: Any
    params: Any
    weight: Array
    decay: Array
    lows: Any


class TrainState(NamedTuple):
    """All that the next step depends on, and all that is in a checkpoint.

    step:      int32, updates done
    opt_state: the optimizer's; Averaged where parameters are averaged
    carry:     the task's, () where nothing is kept between batches
    best:      Best, or () where nothing is tracked
    sums:      dict of Sum since the last log
    """

    step: Array
    params: Any
    opt_state: Any
    carry: Any
    best: Any
    sums: dict[str, Sum]


def leaves(tree: Any) -> dict[str, np.ndarray]:
    """path -> array on the host, sorted by path."""
    flat = jax.tree_util.tree_flatten_with_path(tree)[0]
    return dict(sorted((jax.tree_util.keystr(p), np.asarray(x)) for p, x in flat))


def digest(array: np.ndarray) -> str:
    """sha256 of an array's dtype, shape and bytes."""
    whole = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


def digests(tree: Any) -> dict[str, str]:
    """path -> digest of each leaf."""
    return {path: digest(x) for path, x in leaves(tree).items()}


def fingerprint(tree: Any) -> str:
    """One sha256 over all leaves: sorted path, dtype, shape and bytes."""
    whole = hashlib.sha256()
    for path, one in digests(tree).items():
        whole.update(f"{path} {one}\n".encode())
    return whole.hexdigest()
