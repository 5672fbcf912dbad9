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


class TrainState(NamedTuple):
    """All that the next step depends on, and all that is in a checkpoint.

    step:      int32, updates done
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


def digests(tree: Any) -> dict[str, str]:
    """path -> sha256 of a leaf's dtype, shape and bytes."""
    return {path: _sha256(f"{x.dtype} {x.shape}", x) for path, x in leaves(tree).items()}


def fingerprint(tree: Any) -> str:
    """One sha256 over all leaves: sorted path, dtype, shape and bytes."""
    whole = hashlib.sha256()
    for path, digest in digests(tree).items():
        whole.update(f"{path} {digest}\n".encode())
    return whole.hexdigest()


def _sha256(header, x):
    digest = hashlib.sha256(header.encode())
    digest.update(np.ascontiguousarray(x).tobytes())
    return digest.hexdigest()
