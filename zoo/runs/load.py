"""A run used without the trainer: its model and parameters, from the folder alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from zoo import random, tasks
from zoo.errors import UserError
from zoo.runs import folder
from zoo.runs.checkpoint import Checkpoints
from zoo.runs.state import fingerprint


class Loaded(NamedTuple):
    """What a run is used with."""

    model: Any
    params: Any
    task: Any


def load(
    run: Path, *expected: str, use: str = "", early: Callable[[str], None] | None = None
) -> Loaded:
    """The model of a run, rebuilt from its folder alone: no data is read. Of a run of several stages it is
    that of the stage which ``use`` is for: "generate" or "predict".

    early: takes a run that is not finished, too, with what its newest checkpoint holds; is told so in a
           sentence

    Raises UserError where the folder is no run, is not finished, or is of another task than those
    ``expected``; of any, where none is named.
    """
    config = folder.read_config(run)
    if recipe := tasks.module(config.task, "stages"):
        if use not in recipe.USES:
            stages = " or ".join(str(run / name) for name in recipe.NAMES)
            raise UserError(f"--run={run}: has several stages; give {stages}")
        return load(run / recipe.USES[use], *expected, early=early)
    if expected and config.task not in expected:
        wanted = " or ".join(map(repr, expected))
        raise UserError(f"--run={run}: is a run of the task {config.task!r}, not of {wanted}")
    result = folder.read_result(run)
    if not result and early is None:
        raise UserError(f"--run={run}: not finished yet; run its training command again first")
    try:
        rebuilt = tasks.rebuild(config, run)
    except UserError as error:
        if result:
            raise
        raise UserError(f"--run={run}: not finished yet, and too early to use: {error}") from error
    params, step = _newest(run, rebuilt, config)
    if not result:
        kind = "the best parameters" if config.best.metric else "the parameters"
        early(f"{run} is not finished: {kind} up to step {step:,}")
    elif fingerprint(params) != folder.used_sha256(result):
        raise UserError(
            f"--run={run}: its last checkpoint is damaged; delete {run}/result.json and run its "
            "training command again"
        )
    return Loaded(rebuilt.model, params, rebuilt)


def restore(run: Path, task, config: ConfigDict) -> Any:
    """The best parameters of the newest checkpoint; where none are tracked their average, or the last.
    On one device.

    Raises UserError where there is no checkpoint, or none that is whole.
    """
    return _newest(run, task, config)[0]


def _newest(run, task, config):
    """(parameters, step)."""
    like = jax.eval_shape(task.init, random.key(config.seed, "init"))
    if n := task.members:
        like = jax.tree.map(lambda x: jax.ShapeDtypeStruct((n, *x.shape), x.dtype), like)
    if not (run / "checkpoints").is_dir():
        raise UserError(f"--run={run}: holds no checkpoint yet")
    with Checkpoints(run / "checkpoints", config.keep) as checkpoints:
        found = checkpoints.newest(lambda step: (checkpoints.params(step, like), step))
    if found is None:
        raise UserError(f"--run={run}: holds no checkpoint yet")
    return found
