"""Tasks, found by the name of their folder. One folder a task, and nothing of it elsewhere:

    NAME/config.py    defaults() -> ConfigDict; METRICS, name -> Metric, for the results in the README;
                      where an older config said something otherwise, upgrade(record) -> record
    NAME/task.py      the class NameTask, which satisfies ``zoo.tasks.protocol.Task``;
                      where it depends on the config, of(config) -> the class; or
    NAME/stages.py    of a task that is several trainings, one after the other, and a check of what they
                      made: NAMES; USES, which stage a command uses; describe_data(config); make(name,
                      config, run) -> the stage's config; finish(config, run, load, results) -> metrics
    NAME/own.py       where settings follow from a person's data: settle(config, given) -> a sentence on it
    NAME/predict.py   where ``zoo.predict`` is for it: FLAGS and predict(...), see ``zoo.predict``
    NAME/score.py     where ``zoo.score`` is for it: check, score, Settings, shades

``protocol`` says what a task must do, ``labels`` and ``figures`` are what several share.
"""

import importlib
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from ml_collections import ConfigDict

from zoo.config import choose, from_json, overlay
from zoo.errors import UserError


class Metric(NamedTuple):
    """A metric in plain words, its unit, and which direction is better: "lower" or "higher"."""

    words: str
    unit: str
    better: str


def names() -> list[str]:
    """The tasks that there are."""
    return sorted(file.parent.name for file in Path(__file__).parent.glob("*/config.py"))


def defaults_of(name: str) -> ConfigDict:
    """The keys of a task with their defaults: of a stage, for a task of several."""
    return module(name, "config").defaults()


def module(name: str, part: str) -> ModuleType | None:
    """A module of a task, such as its ``predict``; None where the task has none."""
    if not (Path(__file__).parent / name / f"{part}.py").is_file():
        return None
    return importlib.import_module(f"zoo.tasks.{name}.{part}")


def make(config: ConfigDict):
    """The task that ``config.task`` names. Raises UserError for a config out of range."""
    return _class(config)(config)


def rebuild(config: ConfigDict, run: Path):
    """The task of a run, made from its folder alone."""
    return _class(config).rebuild(config, run)


def restored_config(text: str) -> ConfigDict:
    """The config of a run, from its JSON, laid over today's defaults of its task: a key that came later
    has its default. Raises ValueError for text that is no JSON object, an unknown task, and a value of
    another type than its key has."""
    record = from_json(text)
    if isinstance(record.get("data"), dict):
        record["data"].pop("sha256", None)  # a key of configs of 0.1: the digest of the data
    if (name := record.get("task")) not in names():
        raise ValueError(f"its task is {name!r}, none of {', '.join(names())}")
    keys = module(name, "config")
    record = getattr(keys, "upgrade", lambda record: record)(record)
    return overlay(keys.defaults(), record)


def _class(config):
    name = choose(config, "task", names())
    part, words = module(name, "task"), "".join(word.capitalize() for word in name.split("_"))
    if part is None:
        raise UserError(f"--config: {name} is several trainings, one after the other; run train.py")
    return part.of(config) if hasattr(part, "of") else getattr(part, f"{words}Task")
