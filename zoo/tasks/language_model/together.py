"""Runs of one config with several seeds as one model: the mean of their probabilities."""

from pathlib import Path
from typing import Any

from zoo.errors import UserError
from zoo.models.ensemble import joined


class Unfit(UserError):
    """Models that cannot be one."""


def join(tasks: list[Any], params: list[Any], run: Path) -> tuple[Any, Any]:
    """(task, params) of the models of several tasks as an ensemble; ``run`` is a folder that has their
    vocabulary. Raises Unfit for models of windows, ensembles and banks."""
    config = tasks[0].config.copy_and_resolve_references()
    lone = config.model.ensemble == 1 and not tasks[0].members
    if not (lone and hasattr(tasks[0].model, "nats")):
        raise Unfit(
            "--together: of runs with one model each, which reads on (data.batches=lanes or chunks)"
        )
    with config.unlocked():
        config.model.ensemble = len(params)
    return type(tasks[0]).rebuild(config, run), joined(params)
