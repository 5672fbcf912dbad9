"""What train.py does once it knows the config: train, evaluate again, or check."""

import json
import os
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from zoo import canary, xla
from zoo.errors import UserError
from zoo.runs import folder
from zoo.runs.load import rebuild, restore
from zoo.runs.log import last_sample
from zoo.tasks.protocol import evaluate_all
from zoo.train import bank, feed, further, loop, stages, step
from zoo.train import job as jobs
from zoo.train.signals import Stopped


def execute(
    config: ConfigDict, run: str | os.PathLike, mode: str, seeds: int, about: str = ""
) -> int:
    """Runs a mode and returns the exit code. ``about`` is a sentence on the config, said once it is known
    to be right."""
    run = folder.path(run)
    if seeds < 0:
        raise UserError(f"--seeds={seeds}: must be at least 1")
    if mode == "eval":
        print(json.dumps(evaluate(run), indent=2))
        return 0
    if mode == "check":
        checked = check(config)
        if about:
            print(about, file=sys.stderr, flush=True)
        print(json.dumps(checked, indent=2))
        return 0
    if not seeds:
        return train(config, run, about)
    return _seeds(config, run, seeds, about)


def _seeds(config, run, seeds, about):
    """Trains a run for each seed; a seed that fails does not keep the others from it."""
    failed = {}
    for seed in range(seeds):
        each, path = config.copy_and_resolve_references(), run / f"seed-{seed}"
        each.seed = seed
        try:
            if code := train(each, path, about if not seed else ""):
                return code
        except UserError as error:
            if not path.exists():  # what is wrong is wrong with every seed
                raise
            failed[seed] = error
            print(f"seed {seed} failed: {error}", file=sys.stderr)
    if failed:
        names = ", ".join(map(str, failed))
        raise UserError(
            f"--seeds={seeds}: {len(failed)} of {seeds} failed, seed {names}; the others are finished, and "
            "there is no summary. The last that failed: " + str(failed[max(failed)])
        )
    print(json.dumps(summary(run, seeds), indent=2))
    return 0


def train(config: ConfigDict, run: str | os.PathLike, about: str = "") -> int:
    """Trains, or says that the run is finished; shows what came out."""
    run, several = folder.path(run), stages.of(config)
    code = stages.complete(config, run, _complete) if several else _complete(config, run, about)
    if not code:
        show(run)
    return code


def _complete(config, run, about=""):
    """One training, up to its end."""
    job = jobs.make(config)
    if told := further.reopen(run, job):
        print(told, file=sys.stderr, flush=True)
    if folder.read_result(run):
        folder.check(run, config, job.task.describe_data())
        print(f"{run} is finished", file=sys.stderr)
    else:
        try:
            loop.fit(job, run, about)
        except Stopped as stopped:
            print(stopped, file=sys.stderr)
            return stopped.code
    return 0


def show(run: Path) -> None:
    """The result, and the summary or the last sample, on stdout."""
    result = folder.read_result(run)
    summary = run / "summary.txt"
    written = summary.is_file()
    text = summary.read_text(errors="replace", encoding="utf-8") if written else last_sample(run)
    if text:
        print(text.strip("\n") + "\n")
    metrics = {k: round(v, 4) for k, v in result["metrics"].items() if isinstance(v, int | float)}
    print(json.dumps(metrics))
    print(f"{run}: {', '.join(sorted(p.name for p in run.iterdir() if p.name[0] != '.'))}")


def evaluate(run: str | os.PathLike) -> dict[str, float]:
    """The metrics of a run's parameters, computed again on all splits, as at the end of training."""
    run = folder.path(run)
    config = folder.read_config(run)
    if stages.of(config):
        return stages.evaluate(config, run)
    task = rebuild(run, config)
    folder.check_data(run, config, task.describe_data())
    return bank.numbers(evaluate_all(task, restore(run, task, config)).metrics)


def check(config: ConfigDict) -> dict:
    """Reads the data, builds and compiles everything, trains nothing."""
    if stages.of(config):
        return stages.check(config, check)
    job = jobs.make(config)
    job.task.describe_data()
    with ThreadPoolExecutor(2) as aside:
        verdicts = [aside.submit(faults) for faults in (canary.verdict, canary.crashes)]
        state = step.begin(job)
        source = feed.of(job, step.orders(job))
        given = source.at(0)
        compiled = step.program(job, state)
        compiled = compiled.lower(state, given.data, given.orders, jnp.int32(1)).compile()
        source.close()
    memory = compiled.memory_analysis()
    needed = memory.argument_size_in_bytes + memory.temp_size_in_bytes if memory else None
    return {
        "parameters": sum(x.size for x in jax.tree.leaves(state.params)),
        "steps": job.plan.steps,
        "steps_per_epoch": job.plan.per_epoch,
        "memory_mib": round(needed / 2**20, 1) if needed else None,
        "devices": [str(d) for d in jax.devices()],
        "mesh": dict(job.mesh.shape),
        "xla_flags": xla.in_force(),
        "canary": canary.joined(verdict.result() for verdict in verdicts),
    }


def summary(run: str | os.PathLike, seeds: int) -> dict:
    """Mean and standard deviation of every metric over the seeds of a run; also in summary.json."""
    run = folder.path(run)
    results = [folder.read_result(run / f"seed-{s}") for s in range(seeds)]
    values = {
        name: [r["metrics"].get(name) for r in results]
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
