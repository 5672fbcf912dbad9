"""What train.py does once it knows the config: train, evaluate again, or check."""

import json
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from zoo import tasks
from zoo.errors import UserError
from zoo.train import bank, folder, loop, mesh, optimizers
from zoo.train.checkpoint import Checkpoints
from zoo.train.state import fingerprint


def execute(config: ConfigDict, run: Path, mode: str, seeds: int) -> int:
    """Runs a mode and returns the exit code."""
    if seeds < 0:
        raise UserError(f"--seeds={seeds}: must be at least 1")
    if mode == "eval":
        print(json.dumps(evaluate(run), indent=2))
        return 0
    if mode == "check":
        print(json.dumps(check(config), indent=2))
        return 0
    if not seeds:
        return train(config, run)
    for seed in range(seeds):
        config.seed = seed
        if code := train(config, run / f"seed-{seed}"):
            return code
    print(json.dumps(summary(run, seeds), indent=2))
    return 0


def train(config: ConfigDict, run: Path) -> int:
    """Trains, or says that the run is finished; shows what came out."""
    task = tasks.make(config)
    rule = loop.optimizer(task, config)
    if folder.read_result(run):
        folder.check_config(run, config)
        print(f"{run} is finished", file=sys.stderr)
    else:
        try:
            loop.fit(task, rule, config, run)
        except loop.Stopped as stopped:
            print(stopped, file=sys.stderr)
            return stopped.code
    show(run)
    return 0


def show(run: Path) -> None:
    """The result, and the summary or the last sample, on stdout."""
    result = folder.read_result(run)
    for name in ("summary.txt", "samples.txt"):
        if (run / name).exists():
            text = (run / name).read_text(encoding="utf-8")
            print(text.rsplit("════\n", 1)[-1].strip("\n"))
            print()
    metrics = {k: round(v, 4) for k, v in result["metrics"].items() if isinstance(v, int | float)}
    print(json.dumps(metrics))
    print(f"{run}: {', '.join(sorted(p.name for p in run.iterdir() if p.name[0] != '.'))}")


def evaluate(run: Path) -> dict[str, float]:
    """The metrics of a run's parameters, computed again."""
    config = folder.read_config(run)
    task = tasks.rebuild(config, run)
    params = restore(run, task, config)
    return bank.numbers(task.evaluate(params, "valid") | task.evaluate(params, "test"))


class Loaded(NamedTuple):
    """What a finished run is used with."""

    model: Any
    params: Any
    task: Any


def load(run: Path, task: str | None = None) -> Loaded:
    """The model of a finished run, rebuilt from its folder alone: no data is read.

    Raises UserError where the folder is no run, is not finished, or is of another task than ``task``.
    """
    config = folder.read_config(run)
    if task and config.task != task:
        raise UserError(f"--run={run}: is a run of the task {config.task!r}, not of {task!r}")
    result = folder.read_result(run)
    if not result:
        raise UserError(f"--run={run}: not finished yet; run its training command again first")
    rebuilt = tasks.rebuild(config, run)
    params = restore(run, rebuilt, config)
    if fingerprint(params) != (result["best_sha256"] or result["params_sha256"]):
        raise UserError(
            f"--run={run}: its last checkpoint is damaged; delete {run}/result.json and run its "
            "training command again"
        )
    return Loaded(rebuilt.model, params, rebuilt)


def restore(run: Path, task, config: ConfigDict):
    """The best parameters of a run, or its last where none are tracked; on one device."""
    config = config.copy_and_resolve_references()
    config.mesh.update({"data": 1, "model": 1})
    like = loop.shapes(task, optimizers.make(config, 1), config)
    with Checkpoints(run / "checkpoints", config.keep) as checkpoints:
        state, _ = loop.resume(checkpoints, like, run)
    if int(state.step) == 0:
        raise UserError(f"--run={run}: holds no checkpoint yet")
    return state.best.params if state.best else state.params


def check(config: ConfigDict) -> dict:
    """Reads the data, builds and compiles everything, trains nothing."""
    task = tasks.make(config)
    rule = loop.optimizer(task, config)
    what = loop.plan(task, config)
    state = loop.begin(task, rule, config)
    data = mesh.replicated(mesh.make(config), task.data("train"))
    compiled = loop.program(task, rule, config, state)
    compiled = compiled.lower(state, data, loop.orders(task, what)(0), jnp.int32(1)).compile()
    memory = compiled.memory_analysis()
    needed = memory.argument_size_in_bytes + memory.temp_size_in_bytes if memory else None
    return {
        "parameters": sum(x.size for x in jax.tree.leaves(state.params)),
        "steps": what.steps,
        "steps_per_epoch": what.per_epoch,
        "memory_mib": round(needed / 2**20, 1) if needed else None,
        "devices": [str(d) for d in jax.devices()],
        "mesh": dict(mesh.make(config).shape),
    }


def summary(run: Path, seeds: int) -> dict:
    """Mean and standard deviation of every metric over the seeds of a run; also in summary.json."""
    results = [folder.read_result(run / f"seed-{s}") for s in range(seeds)]
    values = {
        name: [r["metrics"][name] for r in results]
        for name, v in results[0]["metrics"].items()
        if isinstance(v, int | float)
    }
    record = {
        name: {
            "mean": statistics.fmean(v),
            "sd": statistics.stdev(v) if len(v) > 1 else 0.0,
            "values": v,
        }
        for name, v in values.items()
        if all(isinstance(x, int | float) for x in v)
    }
    folder.write(run / "summary.json", json.dumps(record, indent=2) + "\n")
    return record
