"""What a config says: first what differs from its experiment, then from its task's defaults, then all."""

import re
from pathlib import Path

from ml_collections import ConfigDict

from zoo import config as configs
from zoo import tasks
from zoo.errors import UserError
from zoo.pages.folders import Run
from zoo.pages.markup import Markup, details, join, pre, table, tag

WORDS = {"name", "variant", "task", "about", "results"}  # told elsewhere on the page
_MANY = 16  # rows that are folded away


def experiment(run: Run) -> ConfigDict | None:
    """The config of configs/NAME.py:VARIANT as it is today; None where there is none of this task."""
    name, variant = run.config.name, run.config.variant
    if not (re.fullmatch(r"\w+", name) and re.fullmatch(r"\w+", variant)):
        return None
    if not Path(f"configs/{name}.py").is_file():
        return None
    try:
        config = configs.load(f"configs/{name}.py:{variant}")
    except UserError:
        return None
    return config if config.task == run.config.task else None


def changed(run: Run) -> list[str] | None:
    """The keys that say something else than the experiment; None where that is not known. The seed is
    none of them."""
    config = experiment(run)
    if config is None:
        return None
    return [k for k in configs.differences(run.config, config) if k not in WORDS | {"seed"}]


def show(run: Run) -> Markup:
    """The settings of a run."""
    above, keys = experiment(run), changed(run)
    file = f"configs/{run.config.name}.py:{run.config.variant}"
    if keys is None:
        first = None
    elif keys:
        first = join(
            tag("p", "Set otherwise than in ", tag("code", file), ":"),
            _table(run.config, above, keys, "in the file", f"settings that differ from {file}"),
        )
    else:
        first = tag("p", "All as in ", tag("code", file), ".")
    defaults = tasks.defaults_of(run.config.task)
    keys = [k for k in configs.differences(run.config, defaults) if k not in WORDS]
    label = f"settings that differ from the defaults of the task {run.config.task}"
    second = _table(run.config, defaults, keys, "default", label)
    title = f"{len(keys)} settings differ from the defaults of the task {run.config.task}"
    if len(keys) > _MANY:
        second = details(title, second)
    elif keys:
        second = join(tag("p", title, ":"), second)
    else:
        second = tag("p", "All are the defaults of the task.")
    whole = pre(configs.to_json(run.config).strip(), "config.json")
    return join(first, second, details("All settings", whole))


def _table(config, other, keys, head, label):
    ours, theirs = configs.flatten(config), configs.flatten(other)
    rows = [[tag("code", key), _value(ours, key), _value(theirs, key)] for key in keys]
    return table(["key", "this run", head], rows, label=label)


def _value(flat, key):
    """A value as one would write it; a dash where the key is not there."""
    if key not in flat:
        return "–"
    value = flat[key]
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "()"
    return repr(value) if value == "" else str(value)
