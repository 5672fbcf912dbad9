"""A run used without the trainer: its model and parameters, from the folder alone."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from zoo import random, tasks
from zoo.data.errors import DataError
from zoo.data.text import tokenizers
from zoo.errors import UserError
from zoo.runs import folder, seeds
from zoo.runs.checkpoint import Checkpoints, Damaged
from zoo.runs.state import fingerprint


class Loaded(NamedTuple):
    """What a run is used with."""

    model: Any
    params: Any
    task: Any


def load(
    run: str | os.PathLike,
    *expected: str,
    use: str = "",
    early: Callable[[str], None] | None = None,
) -> Loaded:
    """The model of a run, rebuilt from its folder alone: no data is read. Of a run of several stages it is
    that of the stage which ``use`` is for: "generate" or "predict".

    early: takes a run that is not finished, too, with what its newest checkpoint holds; is told so in a
           sentence

    Raises UserError where the folder is no run, is not finished, or is of another task than those
    ``expected``; of any, where none is named.
    """
    run = folder.path(run)
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
        task = rebuild(run, config)
    except UserError as error:
        if result:
            raise
        raise UserError(f"--run={run}: not finished yet, and too early to use: {error}") from error
    params, step = _newest(run, task, config)
    if not result:
        kind = "the best parameters" if config.best.metric else "the parameters"
        early(f"{run} is not finished: {kind} up to step {step:,}")
    return Loaded(task.model, params, task)


def opened(
    path: str | os.PathLike,
    together: bool = False,
    mixed: bool = False,
    early: Callable[[str], None] | None = None,
) -> tuple[Path, Loaded]:
    """What a command for texts is given, and the folder that it was trained in: a run, of a folder of seeds
    the best one, or ``together`` all of them. Raises UserError as ``load`` does, and for all together where
    they are to be ``mixed`` with an n-gram model: the share is known of each alone."""
    if not together:
        run = seeds.chosen(folder.path(path))
        return run, load(run, use="generate", early=early)
    if mixed:
        raise UserError("--mixed: not with --together; its share is known of each seed alone")
    return load_together(path)


def load_together(
    path: str | os.PathLike, some: Sequence[Path] | None = None
) -> tuple[Path, Loaded]:
    """The models of all finished seeds in a folder, or of ``some``, as one, with the mean of their
    probabilities, and the folder of the first of them.

    Raises UserError for a folder with fewer than two of them, and for models that cannot be one.
    """
    path = folder.path(path)
    found = some or [run for run in seeds.runs(path) if folder.read_result(run)]
    if len(found) < 2:
        raise UserError(
            f"--run={path}: has {len(found)} finished seed(s); --together takes two or more, in a folder "
            "that --seeds has trained"
        )
    name = folder.read_config(found[0]).task
    if (joining := tasks.module(name, "together")) is None:
        raise UserError(
            f"--run={path}: runs of the task {name!r}; --together is of language models"
        )
    each = [load(run) for run in found]
    task, params = joining.join([one.task for one in each], [one.params for one in each], found[0])
    return found[0], Loaded(task.model, params, task)


def rebuild(run: Path, config: ConfigDict) -> Any:
    """The task of a run, made from its folder alone. Raises UserError where the files there are damaged."""
    try:
        task = tasks.rebuild(config, run)
        _check_vocabulary(run, getattr(task, "vocabulary", None))
        return task
    except DataError:  # names the file
        raise
    except UserError as error:
        raise UserError(f"{run}/config.json is damaged: {error}") from None
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise UserError(
            f"--run={run}: a file there is damaged ({type(error).__name__}: {error}); {_again(run)}, "
            "which writes it anew"
        ) from None


def _check_vocabulary(run, vocabulary):
    """Raises DataError where a run's vocabulary is of another text, however many symbols it has; runs of
    earlier versions do not tell."""
    try:
        wanted = (folder.read_data(run) or {}).get("vocabulary_sha256")
    except UserError:  # damaged; a model is used without it
        return
    if wanted and vocabulary is not None and tokenizers.digest(vocabulary) != wanted:
        raise DataError(
            f"{run}/vocabulary.json is of another text than the model; delete it and run the training "
            "command again, which writes it anew"
        )


def restore(run: Path, task, config: ConfigDict) -> Any:
    """The best parameters of the newest checkpoint; where none are tracked their average, or the last.
    On one device.

    Raises UserError where there is no checkpoint, or none that is whole; of a finished run, where they
    are not those of result.json.
    """
    return _newest(run, task, config)[0]


def _newest(run, task, config):
    """(parameters, step)."""
    result = folder.read_result(run)
    like = jax.eval_shape(task.init, random.key(config.seed, "init"))
    if n := task.members:
        like = jax.tree.map(lambda x: jax.ShapeDtypeStruct((n, *x.shape), x.dtype), like)
    if not (run / "checkpoints").exists():
        raise UserError(f"--run={run}: holds no checkpoint; {_again(run)}")

    with Checkpoints(run / "checkpoints", config.keep) as checkpoints:

        def read(step):
            params = checkpoints.params(step, like)
            if result and fingerprint(params) != folder.used_sha256(result):
                raise Damaged("its parameters are not those of result.json")
            return params, step

        found = checkpoints.newest(read, remedy=_again(run) if result else "")
    if found is None:
        raise UserError(f"--run={run}: holds no checkpoint yet; {_again(run)}")
    return found


def _again(run):
    """How a run mends itself."""
    delete = f"delete {run}/result.json and " if (run / "result.json").exists() else ""
    return f"{delete}run its training command again"
