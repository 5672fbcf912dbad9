"""Meshes with automatic axes: each device runs the time loop over its own sequences.

There the place of an array is no part of its type. XLA places what is inside the loop, and on CPUs it
gathers numbers of all sequences within it. Told the axis of the batch, the loop is a program of each device
alone, and the gradients of the parameters are summed once, after it.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from math import prod

import jax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

_BATCH = ContextVar("batch", default=(None, ()))


@contextmanager
def batch_over(mesh: Mesh, axes: str | tuple[str, ...]):
    """While a program is traced within, ``unroll`` shares the sequences out over axes of the mesh, where
    they divide the batch and all other axes are of one device; ``()`` for no sharing."""
    token = _BATCH.set((mesh, (axes,) if isinstance(axes, str) else axes))
    try:
        yield
    finally:
        _BATCH.reset(token)


def sharing() -> tuple[Mesh | None, tuple[str, ...], int]:
    """(mesh, axes, devices along them) of ``batch_over``; one device where there are others beside them."""
    mesh, axes = _BATCH.get()
    devices = prod(mesh.shape[axis] for axis in axes)
    return mesh, axes, devices if devices > 1 and devices == mesh.size else 1


def run(loop, params, xs, carry, mask, resets):
    """``loop`` (params, xs, carry, mask, resets) -> (carry, ys, carries or None)."""
    arguments = params, xs, carry, mask, resets
    mesh, axes, devices = sharing()
    if devices == 1 or xs.shape[1] % devices:
        return loop(*arguments)
    first, second = P(axes), P(None, axes)
    return jax.shard_map(
        loop,
        # Within explicit axes that were made automatic, the mesh at hand is the automatic one.
        mesh=None if jax.sharding.get_abstract_mesh().shape else mesh,
        in_specs=(P(), second, first, first, second),
        out_specs=(first, second, second),
    )(*arguments)
