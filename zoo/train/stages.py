"""Runs of several stages: trainings one after the other, each in a folder of its own, and a check."""

import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path

from ml_collections import ConfigDict

from zoo import tasks, xla
from zoo.errors import UserError
from zoo.runs import folder
from zoo.runs.load import load
from zoo.runs.reference import versions


def of(config: ConfigDict):
    """The module of a task that is made of stages: NAMES, USES, describe_data, make and finish; None for a
    task that is one training."""
    return tasks.module(config.task, "stages")


def complete(config: ConfigDict, run: Path, train) -> int:
    """Trains all stages that are not finished, and checks what they made; the exit code.

    train: (config, folder) -> exit code, of one training
    """
    recipe = of(config)
    data = recipe.describe_data(config)  # what cannot be used is told before there is a folder
    held = folder.open_folder(run)
    try:
        folder.check(run, config, data)
        for name in recipe.NAMES:
            print(f"stage {name}: {run / name}", file=sys.stderr)
            if code := train(recipe.make(name, config, run), run / name):
                return code
        results = _results(recipe, run)
        before = folder.read_result(run)
        if before and before["stages"] == _parameters(results):
            print(f"{run} is finished", file=sys.stderr)
            return 0
        began = time.perf_counter()
        metrics = recipe.finish(config, run, load, results)
        folder.write(
            run / "result.json", _record(config, results, metrics, time.perf_counter() - began)
        )
    finally:
        held.close()
    return 0


def evaluate(config: ConfigDict, run: Path) -> dict:
    """The metrics of the check, made again."""
    recipe = of(config)
    return recipe.finish(config, run, load, _results(recipe, run))


def check(config: ConfigDict, one) -> dict:
    """What ``one`` says of each stage's config; trains nothing."""
    recipe = of(config)
    said = {}
    with tempfile.TemporaryDirectory() as nowhere:
        for name in recipe.NAMES:
            stage = recipe.make(name, config, Path(nowhere))
            stage.start = ""  # what it would start from is not trained yet
            said[name] = one(stage)
    return said


def _results(recipe, run):
    results = {name: folder.read_result(run / name) for name in recipe.NAMES}
    for name, result in results.items():
        if not result:
            raise UserError(
                f"--run={run / name}: not finished yet; run the training command again first"
            )
    return results


def _parameters(results):
    return {name: folder.used_sha256(result) for name, result in results.items()}


def _record(config, results, metrics, seconds):
    """result.json of the whole: figures of the check, and sums over the stages and the check."""
    each = list(results.values())
    stages = _parameters(results)
    whole = hashlib.sha256(json.dumps(stages, sort_keys=True).encode()).hexdigest()
    record = {
        "config": config.name,
        "variant": config.variant,
        "seed": config.seed,
        "metrics": metrics,
        "steps": sum(r["steps"] for r in each),
        "train_seconds": round(sum(r["train_seconds"] for r in each) + seconds, 2),
        "check_seconds": round(seconds, 2),
        "compile_seconds": round(sum(r["compile_seconds"] for r in each), 2),
        "params": sum(r["params"] for r in each),
        "params_sha256": whole,
        "best_sha256": whole,
        "stages": stages,
        "versions": versions(),
        "xla_flags": xla.in_force(),
        "canary": each[-1]["canary"],
        "platform": each[-1]["platform"],
        "devices": each[-1]["devices"],
        "finished": True,
    }
    return json.dumps(record, indent=2) + "\n"
