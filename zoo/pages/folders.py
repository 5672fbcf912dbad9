"""Run folders, read for a page: everything that is there, of finished and of unfinished runs."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from zoo import tasks
from zoo.errors import UserError
from zoo.runs import folder, log, seeds

_PNG = b"\x89PNG\r\n\x1a\n"


class Plot(NamedTuple):
    """A picture of plots/: its bytes, width and height in pixels; None for a file that is no PNG."""

    name: str
    content: bytes | None
    size: tuple[int, int]


class Run(NamedTuple):
    """What a run folder holds.

    name:    what the run is called on the page
    unit:    what the loss is measured in; "" where today's code does not take the config
    data:    data.json, {} where there is none
    result:  result.json, None of an unfinished run
    records: metrics.jsonl
    said:    samples.txt where it has no blocks of steps: what the whole said at its end
    stages:  name -> run of each stage, None of one that has not begun; {} of one training
    """

    path: Path
    name: str
    config: ConfigDict
    unit: str
    data: dict
    result: dict | None
    records: list[dict]
    samples: list[log.Sample]
    said: str
    summary: str
    plots: list[Plot]
    stages: dict[str, Any]

    @property
    def experiment(self) -> str:
        """NAME:VARIANT, as in the reference."""
        return f"{self.config.name}:{self.config.variant}"


def read(paths: list[Path]) -> list[Run]:
    """The runs of folders; of a folder of seeds each seed, in order. A folder that is named twice is read
    once.

    Raises UserError for a folder that is no run, and for a damaged config.json, metrics.jsonl or
    result.json.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for each in seeds.runs(path) or [path]:
            found.setdefault(each.resolve(), each)
    names = _names(list(found))
    return [_read(path, name) for path, name in zip(found.values(), names, strict=True)]


def _names(paths):
    """The last part of each path, or so many that all differ; of a seed its folder's too, where there are
    other runs than the seeds of that folder."""
    one = len(paths) > 1 and len({path.parent for path in paths}) == 1
    for parts in range(1, max(len(path.parts) for path in paths) + 1):
        names = [_last(path, parts, alone=not one) for path in paths]
        if len(set(names)) == len(names):
            break
    return names


def _last(path, parts, alone):
    """So many parts of the end of a path, one more of a seed that would stand ``alone``."""
    more = 1 if alone and path.name.startswith("seed-") else 0
    return "/".join(path.parts[-parts - more :])


def _read(path, name):
    config = _config(path)
    recipe = tasks.module(config.task, "stages")
    stages = {}
    for stage in recipe.NAMES if recipe else ():
        there = (path / stage / "config.json").exists()
        stages[stage] = _read(path / stage, f"{name}/{stage}") if there else None
    samples = log.samples(path)
    return Run(
        path=path,
        name=name,
        config=config,
        unit="" if recipe else _unit(path, config),
        data=_data(path),
        result=folder.read_result(path),
        records=log.read_whole(path),
        samples=samples,
        said="" if samples else _text(path / "samples.txt"),
        summary=_text(path / "summary.txt"),
        plots=[_plot(file) for file in sorted(path.glob("plots/*.png"))],
        stages=stages,
    )


def _config(path):
    file = path / "config.json"
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; give the folder of a run, such as runs/char_lm")
    if not file.is_file():
        raise UserError(f"{path}: not a run of train.py: it has no config.json")
    config = folder.read_config(path)
    try:
        for metric, other, whose in config.results:
            _require(isinstance(metric, str) and isinstance(whose, str), "results")
            _require(isinstance(other, int | float | str | None), "results")
        return config
    except (ValueError, TypeError) as error:
        raise UserError(f"{file} is damaged: {error}") from error


def _require(right, key):
    """Raises ValueError that names the key of a file, where its value is none that a run has written."""
    if not right:
        raise ValueError(f"no such value of {key} is written by a run")


def _unit(path, config):
    """What the loss is measured in. A config that today's code refuses is no fault of the run."""
    try:
        return tasks.make(config).loss_unit
    except UserError:
        return ""
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path / 'config.json'} is damaged: {error}") from error


def _data(path):
    try:
        record = json.loads((path / "data.json").read_text(encoding="utf-8"))
        return record if isinstance(record, dict) else {}
    except (OSError, ValueError):  # not there in runs of 0.1; a page does without
        return {}


def _text(file):
    return file.read_text(encoding="utf-8", errors="replace").strip("\n") if file.is_file() else ""


def _plot(file):
    content = file.read_bytes()
    if content[:8] != _PNG or len(content) < 24:
        return Plot(file.stem, None, (0, 0))
    width, height = (int.from_bytes(content[i : i + 4]) for i in (16, 20))
    return Plot(file.stem, content, (width, height))
