"""The keys of a config as a table for people: each with its value and what it means.

What a key means is the comment that stands beside it, or right above it, where its default is written
(``base`` in ``zoo/config.py``, ``defaults`` in ``zoo/tasks/NAME/config.py``): it is said in one place.
"""

import ast
import inspect
import io
import tokenize
from collections.abc import Callable

from ml_collections import ConfigDict

from zoo import config as configs
from zoo import tasks

OF_THE_FILE = {"about", "name", "results", "task", "variant"}  # no settings


def table(config: ConfigDict) -> str:
    """A line for each key of a config: its name, its value, what it means where that is written; in the
    order in which they are written, since one may go on from the one before."""
    words = meanings(configs.base) | _of_task(config.task)
    stages = ["", *(f"{stage}." for stage in _stages(_defaults(config.task)))]
    hidden = {f"{stage}{key}" for stage in stages for key in OF_THE_FILE}
    values, places = configs.flatten(config), {key: i for i, key in enumerate(words)}
    keys = sorted(values.keys() - hidden, key=lambda key: (places.get(key, len(places)), key))
    rows = [(key, configs.shown(values[key]), words.get(key, "")) for key in keys]
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    lines = [
        f"  {key:<{widths[0]}}  {value:<{widths[1]}}  {text}".rstrip() for key, value, text in rows
    ]
    return "\n".join(["keys, as in --config.seed=1 (key, value here, meaning):", *lines])


def _of_task(name):
    """What the keys of a task mean; of a stage, with its name before them."""
    words = meanings(_defaults(name))
    for stage, task in _stages(_defaults(name)).items():
        inner = meanings(configs.base) | _of_task(task)
        words |= {f"{stage}.{key}": text for key, text in inner.items()}
    return words


def _defaults(task):
    return tasks.module(task, "config").defaults


def meanings(function: Callable) -> dict[str, str]:
    """key -> the comment on it in the source of a function that writes defaults, "" for none. A key without
    one has that of its group where the group stands on one line."""
    source = inspect.getsource(function)
    comments = _comments(source)
    lines = source.splitlines()

    def above(line):
        text = []
        while line > 1 and lines[line - 2].lstrip().startswith("#"):
            line -= 1
            text.insert(0, comments[line])
        return text

    def of(line):
        return " ".join([*above(line), *([comments[line]] if line in comments else [])])

    words = {}

    def walk(node, prefix, group):
        for key, value in zip(node.keys, node.values, strict=True):
            one_line = node.lineno == node.end_lineno
            text = group if one_line else of(key.lineno)
            name = f"{prefix}{key.value}"
            if isinstance(value, ast.Dict):
                walk(value, f"{name}.", text)
            else:
                words[name] = text

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            name = node.targets[0].attr
            if isinstance(node.value, ast.Dict):
                walk(node.value, f"{name}.", of(node.lineno))
            else:
                words[name] = of(node.lineno)
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Call) and node.value.args:
            walk(node.value.args[0], "", "")
    return words


def _stages(function):
    """stage -> task, of defaults that hold those of whole tasks: ``c.STAGE = defaults_of("TASK")``."""
    found = {}
    for node in ast.walk(ast.parse(inspect.getsource(function))):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            call, target = node.value, node.targets[0]
            if getattr(call.func, "id", "") == "defaults_of":
                found[target.attr] = call.args[0].value
    return found


def _comments(source):
    """line -> the comment that ends it."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
