"""Whether a model can be held: a system that runs out of memory ends a process without a word."""

import math
import os

import jax

from zoo import random
from zoo.errors import UserError
from zoo.tasks.protocol import Task

_COPIES = 3  # of the parameters, at least: themselves, their gradient, and where one begins from


def check(task: Task, devices: int) -> None:
    """Raises UserError where the parameters of a model alone, and what trains them, are more than there is
    memory on so many devices."""
    shapes = jax.eval_shape(task.init, random.key(task.config.seed, "init"))
    count = sum(math.prod(x.shape) for x in jax.tree.leaves(shapes)) * max(1, task.members)
    needed, there = 4 * _COPIES * count, _memory() * (1 if _on_host() else devices)
    if needed > there:
        raise UserError(
            f"the model has {count:,} parameters; to train it takes more than {needed / 2**30:,.0f} GiB; "
            f"there are {there / 2**30:,.0f}: set --config.model.hidden, --config.model.layers or the "
            "number of models lower"
        )


def _on_host():
    return jax.default_backend() == "cpu"


def _memory():
    """Bytes of this machine, or of an accelerator; infinite where that is not told."""
    if _on_host():
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (jax.devices()[0].memory_stats() or {}).get("bytes_limit", math.inf)
