"""What a training is made of, once from a config, and handed on."""

from pathlib import Path
from typing import NamedTuple

import optax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from zoo import tasks
from zoo.errors import UserError
from zoo.runs import folder
from zoo.runs.load import rebuild
from zoo.tasks.protocol import Task
from zoo.train import averaging, memory, mesh, optimizers, plan


class Job(NamedTuple):
    """A config and all that training makes of it."""

    config: ConfigDict
    task: Task
    optimizer: optax.GradientTransformationExtraArgs
    mesh: Mesh
    plan: plan.Plan


def make(config: ConfigDict) -> Job:
    """The job of a config. Reads the data. Raises UserError for a config out of range and for data that
    cannot be used."""
    task = tasks.make(config)
    if config.start:
        _check_start(Path(config.start), config.task)
    for part in (plan, optimizers, averaging, mesh):  # what needs no data is told before it is read
        part.check(config)
    steps = plan.make(config, task.steps_per_epoch("train"))
    starts = steps.starts(task.phases())
    optimizer = optimizers.make(config, steps.steps, starts, task.rate_factor)
    shared = mesh.make(config)
    memory.check(task, shared.devices.size)
    return Job(config, task, optimizer, shared, steps)


def _check_start(run, task):
    """Raises UserError for a folder to start from that holds no finished run of the task, or a damaged
    one."""
    if not folder.read_result(run):
        raise UserError(f"--config.start={run}: no finished run is there; give the folder of one")
    config = folder.read_config(run)
    if config.task != task:
        raise UserError(
            f"--config.start={run}: is a run of the task {config.task!r}, and this is one of {task!r}"
        )
    rebuild(run, config)
