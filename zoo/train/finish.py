"""The end of a training: evaluation, artifacts, result.json."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from zoo import xla
from zoo.runs import folder, log, plots
from zoo.runs.reference import versions
from zoo.runs.state import TrainState, fingerprint
from zoo.tasks.protocol import evaluate_all
from zoo.terminal import line
from zoo.train import averaging, bank, further
from zoo.train.job import Job


class Clock(NamedTuple):
    """Seconds of training in all and of compiling; steps a second inside the loop, None for no step."""

    seconds: float
    compile_seconds: float
    pace: float | None


def finish(job: Job, run: Path, state: TrainState, clock: Clock, canary: str) -> dict[str, Any]:
    """Evaluates the best parameters on all splits, writes what the task shows, and result.json last, whose
    content is returned.

    ``canary`` says whether this JAX computes right numbers, see ``zoo.canary``.
    """
    task, config = job.task, job.config
    line.show("evaluating the best parameters" if state.best else "evaluating")
    newest = averaging.evaluated(state)
    params = state.best.params if state.best else newest
    last = task.evaluate(newest, "valid").metrics if state.best else {}
    evaluation = evaluate_all(task, params)
    metrics = dict(evaluation.metrics)
    if state.best:
        step = np.asarray(state.best.step)
        metrics |= {"best_step": step if step.ndim else int(step)}
        metrics |= {f"{k}_last": v for k, v in last.items()}
    metrics = bank.numbers(metrics)
    records = log.read(run)
    metrics["train_loss"] = next((r["train_loss"] for r in reversed(records)), math.nan)
    name = config.best.metric
    if state.best and name.startswith("train_"):  # then it is of the best parameters too
        metrics |= {f"{name}_last": metrics[name], name: np.asarray(state.best.value).mean().item()}
    if config.target.metric:
        metrics["seconds_to_target"] = _seconds_to(config.target, records)
    line.show("writing what came out")
    task.artifacts(params, evaluation, run)
    plots.draw_losses(run, task.loss_unit)
    record = {
        "config": config.name,
        "variant": config.variant,
        "seed": config.seed,
        "metrics": metrics,
        "steps": int(state.step),
        "train_seconds": round(clock.seconds, 2),
        "compile_seconds": round(clock.compile_seconds, 2),
        "steps_per_second": clock.pace and round(clock.pace, 1),
        "params": sum(x.size for x in jax.tree.leaves(state.params)),
        "params_sha256": fingerprint(state.params),
        "best_sha256": fingerprint(state.best.params) if state.best else None,
        "versions": versions(),
        "xla_flags": xla.in_force(),
        "canary": canary,
        "platform": jax.default_backend(),
        "devices": jax.device_count(),
        "finished": True,
    }
    if past := further.history(run):
        record["history"] = past
    if config.optimizer.average:
        record["average_sha256"] = fingerprint(newest)
    folder.write(run / "result.json", json.dumps(record, indent=2) + "\n")
    return record


def _seconds_to(target, records):
    """Of the first evaluation that reached the target; None where none did."""
    sign = 1 if target.mode == "min" else -1
    reached = (
        r["seconds"]
        for r in records
        if target.metric in r and sign * r[target.metric] <= sign * target.value
    )
    return next(reached, None)
