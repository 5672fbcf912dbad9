"""What a training is made of, once from a config, and handed on."""

from typing import NamedTuple

import optax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from zoo import tasks
from zoo.tasks.protocol import Task
from zoo.train import averaging, mesh, optimizers, plan


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
    steps = plan.make(config, task.steps_per_epoch("train"))
    averaging.check(config)
    starts = steps.starts(task.phases())
    optimizer = optimizers.make(config, steps.steps, starts, task.rate_factor)
    return Job(config, task, optimizer, mesh.make(config), steps)
