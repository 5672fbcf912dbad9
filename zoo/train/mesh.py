"""Devices as a mesh: batches over "data", weights over "model". One device is a mesh of one."""

import sys

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from zoo.config import require
from zoo.errors import UserError


def make(config: ConfigDict) -> Mesh:
    """The mesh of ``config.mesh``; data = -1 takes as many devices as divide the batch, and says so where
    some are left idle.

    Raises UserError where there are too few devices or the batch cannot be shared out.
    """
    require(config, "mesh.model", 1)
    devices, model, batch = jax.device_count(), config.mesh.model, config.batch_size
    data = config.mesh.data
    if data == -1:
        available = devices // model
        data = next((n for n in range(available, 0, -1) if batch % n == 0), 1)
        if data < available:
            print(
                f"note: a batch of {batch} is shared by {data} of {available} devices, the most that "
                f"divide it; a --config.batch_size that is a multiple of {available} uses all",
                file=sys.stderr,
            )
    require(config, "mesh.data", -1)
    if data < 1 or data * model > devices:
        raise UserError(
            f"mesh.data={data} x mesh.model={model} needs more than {devices} device(s)"
        )
    if batch % data:
        raise UserError(f"--config.batch_size={batch}: not divisible by mesh.data={data}")
    # Explicit axes, JAX's default, break scans that begin with a carry of zeros.
    return jax.make_mesh(
        (data, model),
        ("data", "model"),
        axis_types=(AxisType.Auto, AxisType.Auto),
        devices=jax.devices()[: data * model],
    )


def replicated(mesh: Mesh, tree):
    """The tree with every leaf on every device."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def spread(mesh: Mesh, tree):
    """The tree with the last axis of matrices over "model" where it divides; the rest everywhere."""
    n = mesh.shape["model"]

    def one(x):
        split = n > 1 and x.ndim > 1 and x.shape[-1] % n == 0
        return NamedSharding(
            mesh, PartitionSpec(*[None] * (x.ndim - 1), "model") if split else PartitionSpec()
        )

    return jax.device_put(tree, jax.tree.map(one, tree))


def by_batch(mesh: Mesh, tree):
    """Inside jit: the tree with the first axis of its arrays over "data", where it divides."""
    n = mesh.shape["data"]

    def one(x):
        if x.ndim == 0 or x.shape[0] % n:
            return x
        return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, PartitionSpec("data")))

    return jax.tree.map(one, tree)
