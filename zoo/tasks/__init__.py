"""Tasks by name. Each is one file; each satisfies the ``Task`` protocol."""

import importlib
from pathlib import Path

from ml_collections import ConfigDict

from zoo.config import choose
from zoo.tasks.protocol import Sum, Task

_TASKS = {
    "forecasting": "zoo.tasks.forecasting:ForecastingTask",
    "language_detection": "zoo.tasks.language_detection:LanguageDetectionTask",
    "language_model": "zoo.tasks.language_model:LanguageModelTask",
}


def make(config: ConfigDict) -> Task:
    """The task that ``config.task`` names. Raises UserError for a config out of range."""
    return _class(config)(config)


def rebuild(config: ConfigDict, run: Path) -> Task:
    """The task of a run, made from its folder alone."""
    return _class(config).rebuild(config, run)


def _class(config):
    module, name = _TASKS[choose(config, "task", _TASKS)].split(":")
    return getattr(importlib.import_module(module), name)


__all__ = ["Sum", "Task", "make", "rebuild"]
