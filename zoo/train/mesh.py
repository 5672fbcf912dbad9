"""Devices as a mesh: batches, or the members of a bank, over "data", weights over "model". One device is a
mesh of one."""

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from zoo import cache
from zoo.config import require
from zoo.errors import UserError
from zoo.train import hosts


def check(config: ConfigDict) -> None:
    """Raises UserError where there are too few devices or the batch cannot be shared out."""
    require(config, "mesh.model", 1)
    devices, data, model = jax.device_count(), config.mesh.data, config.mesh.model
    if model > devices:
        raise UserError(
            f"--config.mesh.model={model}: must be at most {devices}, the devices there are"
        )
    if data < 1 and data != -1:
        raise UserError(
            f"--config.mesh.data={data}: must be at least 1, or -1 for as many devices as divide the batch"
        )
    if data * model > devices:
        raise UserError(
            f"--config.mesh.data={data}: with --config.mesh.model={model} that needs {data * model} "
            f"devices; there are {devices}{_of_cpu()}"
        )
    if config.batch_size % data:
        raise UserError(
            f"--config.batch_size={config.batch_size}: must be a multiple of --config.mesh.data={data}"
        )


def _of_cpu():
    """What a CPU can be divided into."""
    return f", and a CPU gives up to {cache.cores()}" if jax.default_backend() == "cpu" else ""


def make(config: ConfigDict) -> Mesh:
    """The mesh of ``config.mesh``; data = -1 takes as many devices as divide the batch. Raises UserError as
    ``check`` does."""
    check(config)
    model, data = config.mesh.model, config.mesh.data
    if data == -1:
        available = jax.device_count() // model
        data = next((n for n in range(available, 0, -1) if config.batch_size % n == 0), 1)
    if hosts.several() and data * model < jax.device_count():
        raise UserError(
            f"--distributed: only {data * model} of {jax.device_count()} devices have a part; give a "
            f"--config.batch_size that is a multiple of {jax.device_count() // model}"
        )
    # With explicit axes, JAX's default, the program itself would have to place every array between.
    return jax.make_mesh(
        (data, model),
        ("data", "model"),
        axis_types=(AxisType.Auto, AxisType.Auto),
        devices=jax.devices()[: data * model],
    )


def remark(config: ConfigDict, mesh: Mesh) -> str:
    """A sentence on devices that are left idle; "" where none is, or where the config wants it so."""
    data, available = mesh.shape["data"], jax.device_count() // mesh.shape["model"]
    if config.mesh.data != -1 or data == available:
        return ""
    return (
        f"note: a batch of {config.batch_size} is shared by {data} of {available} devices, the most that "
        f"divide it; a --config.batch_size that is a multiple of {available} uses all"
    )


def replicated(mesh: Mesh, tree):
    """The tree with every leaf on every device."""
    everywhere = NamedSharding(mesh, PartitionSpec())
    if not hosts.several():
        return jax.device_put(tree, everywhere)
    return jax.tree.map(lambda x: hosts.placed(x, everywhere), tree)


def spread(mesh: Mesh, tree):
    """The tree with the last axis of matrices over "model" where it divides; the rest everywhere."""
    n = mesh.shape["model"]

    def one(x):
        split = n > 1 and x.ndim > 1 and x.shape[-1] % n == 0
        return NamedSharding(
            mesh, PartitionSpec(*[None] * (x.ndim - 1), "model") if split else PartitionSpec()
        )

    shardings = jax.tree.map(one, tree)
    if not hosts.several():
        return jax.device_put(tree, shardings)
    return jax.tree.map(hosts.placed, tree, shardings)


def shares_members(mesh: Mesh, members: int) -> bool:
    """Whether the devices share the members of a bank instead of its batches. Members know nothing of each
    other, so nothing is sent; where they are trained one after the other, the bits are those of one
    device."""
    n = mesh.shape["data"]
    alone = mesh.size == n and not hosts.several()
    return alone and n > 1 and members > 0 and members % n == 0


def by_member(mesh: Mesh, tree):
    """The tree with the first axis of its arrays, that of members, over "data"."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec("data")))


def by_batch(mesh: Mesh, tree):
    """Inside jit: the tree with the first axis of its arrays over "data", where it divides."""
    n = mesh.shape["data"]

    def one(x):
        if x.ndim == 0 or x.shape[0] % n:
            return x
        return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, PartitionSpec("data")))

    return jax.tree.map(one, tree)
