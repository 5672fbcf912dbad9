"""What train.py does once it knows the config: train, evaluate again, or check."""

import json
import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from zoo import canary, tasks, xla
from zoo import config as configs
from zoo.errors import UserError
from zoo.runs import folder, overwrite, seeds
from zoo.runs.load import load_together, rebuild, restore
from zoo.runs.log import last_sample
from zoo.tasks.protocol import evaluate_all
from zoo.terminal import line
from zoo.train import bank, feed, further, hosts, loop, mesh, stages, step
from zoo.train import job as jobs
from zoo.train.signals import Stopped


def execute(
    config: ConfigDict,
    run: str | os.PathLike,
    mode: str,
    count: int,
    about: str = "",
    anew: bool = False,
) -> int:
    """Runs a mode and returns the exit code. ``about`` is a sentence on the config, said once it is known
    to be right. ``anew``: the folder is started anew."""
    run = folder.path(run)
    if mode == "eval":
        evaluated = evaluate_seeds(run, count)
        line.clear()
        print(json.dumps(evaluated, indent=2))
        return 0
    if mode == "check":
        checked = check(config)
        if about:
            line.say(about)
        line.clear()
        print(json.dumps(checked, indent=2))
        return 0
    if not count:
        return train(config, run, about, run if anew else None)
    return _seeds(config, run, count, about, anew)


def _seeds(config, run, count, about, anew):
    """Trains a run for each seed; a seed that fails does not keep the others from it."""
    failed = {}
    for seed in range(count):
        each, path = config.copy_and_resolve_references(), run / f"seed-{seed}"
        each.seed = seed
        try:
            if code := train(
                each, path, about if not seed else "", run if anew and not seed else None
            ):
                return code
        except UserError as error:
            if not path.exists():  # what is wrong is wrong with every seed
                raise
            failed[seed] = error
            line.say(f"seed {seed} failed: {error}")
    if failed:
        names = ", ".join(map(str, failed))
        raise UserError(
            f"--seeds={count}: {len(failed)} of {count} failed, seed {names}; the others are finished, and "
            "there is no summary. The last that failed: " + str(failed[max(failed)])
        )
    print(json.dumps(summary(run, count), indent=2))
    return 0


def train(
    config: ConfigDict, run: str | os.PathLike, about: str = "", old: Path | None = None
) -> int:
    """Trains, or says that the run is finished; shows what came out. What a training has left in the folder
    ``old`` is deleted first, once it is known that this one can begin."""
    run = folder.path(run)
    if not stages.of(config):
        code = _complete(config, run, about, old)
    else:
        if old:
            prepare(config, old)
        code = stages.complete(config, run, _complete)
    if not code and hosts.leads():
        line.clear()
        show(run)
    return code


def prepare(config: ConfigDict, old: Path | None) -> None:
    """Reads the data. Then, what a training has left in the folder ``old`` is deleted."""
    line.show("reading the data")
    if stages.of(config):
        stages.check(config, lambda stage: jobs.make(stage).task.describe_data())
    else:
        jobs.make(config).task.describe_data()
    if old:
        _delete(old)


def _complete(config, run, about="", old=None):
    """One training, up to its end."""
    line.show("reading the data")
    job = jobs.make(config)
    if hosts.several():
        hosts.same("other settings", configs.to_json(config))
        hosts.same("other data", job.task.describe_data()["digest"])

    def finished():
        if old:
            job.task.describe_data()
            _delete(old)
        if told := further.reopen(run, job):
            line.say(told)
        if folder.read_result(run):
            folder.check(run, config, job.task.describe_data())
            line.say(f"{run} is finished")
            return True
        return False

    if not hosts.led(finished):
        try:
            loop.fit(job, run, about)
        except Stopped as stopped:
            line.say(str(stopped))
            return stopped.code
    return 0


def _delete(old):
    """Deletes what a training has left in a folder, and says so."""
    if said := overwrite.clear(old):
        line.say(said)


def show(run: Path) -> None:
    """On stdout: the summary or the last sample, the files, and as the last line the metrics that count, as
    JSON; all of them are in result.json."""
    result = folder.read_result(run)
    summary = run / "summary.txt"
    written = summary.is_file()
    text = summary.read_text(errors="replace", encoding="utf-8") if written else last_sample(run)
    if text:
        print(text.strip("\n") + "\n")
    print(f"{run}: {', '.join(sorted(p.name for p in run.iterdir() if p.name[0] != '.'))}")
    config = folder.read_config(run)
    counted = {*tasks.module(config.task, "config").METRICS, config.best.metric}
    numbers = {k: round(v, 4) for k, v in result["metrics"].items() if isinstance(v, int | float)}
    print(json.dumps({k: v for k, v in numbers.items() if k in counted} or numbers))


def evaluate_seeds(run: Path, count: int = 0) -> dict:
    """What ``evaluate`` gives, of a run; of a folder of seeds that of each seed, under "summary" means and
    deviations, and under "together" that of all language models as one. ``count``: of so many seeds; 0 for
    all that have begun."""
    runs = [run / f"seed-{seed}" for seed in range(count)] or seeds.runs(run)
    if not runs:
        return evaluate(run)
    each = {one.name: evaluate(one) for one in runs}
    return each | {"summary": spread(list(each.values()))} | _together(run, runs)


def _together(run, runs):
    """{"together": metrics} of the seeds as one model, where they can be one."""
    config = folder.read_config(runs[0])
    joining = tasks.module(config.task, "together")
    if len(runs) < 2 or joining is None or not all(map(folder.read_result, runs)):
        return {}
    line.show(f"evaluating {run}, all seeds together")
    try:
        _, loaded = load_together(run, runs)
    except joining.Unfit:
        return {}
    folder.check_data(runs[0], config, loaded.task.describe_data())
    return {"together": bank.numbers(evaluate_all(loaded.task, loaded.params).metrics)}


def evaluate(run: str | os.PathLike) -> dict[str, float]:
    """The metrics of a run's parameters, computed again on all splits, as at the end of training."""
    run = folder.path(run)
    config = folder.read_config(run)
    line.show(f"evaluating {run}")
    if stages.of(config):
        return stages.evaluate(config, run)
    task = rebuild(run, config)
    folder.check_data(run, config, task.describe_data())
    return bank.numbers(evaluate_all(task, restore(run, task, config)).metrics)


def check(config: ConfigDict) -> dict:
    """Reads the data, builds and compiles everything, trains nothing."""
    if stages.of(config):
        return stages.check(config, check)
    line.show("reading the data")
    job = jobs.make(config)
    about = job.task.describe_data()
    if remark := mesh.remark(config, job.mesh):
        line.say(remark)
    line.show("compiling")
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
        "data": {key: value for key, value in about.items() if key != "digest"},
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
    record = spread([result["metrics"] for result in results])
    folder.write(run / "summary.json", json.dumps(record, indent=2) + "\n")
    return record


def spread(metrics: list[dict]) -> dict:
    """Mean, standard deviation and values of each metric of several runs that is a number in all."""
    values = {name: [one.get(name) for one in metrics] for name in metrics[0]}
    return {
        name: {
            "mean": statistics.fmean(v),
            "sd": statistics.stdev(v) if len(v) > 1 else 0.0,
            "values": v,
        }
        for name, v in values.items()
        if all(isinstance(x, int | float) for x in v)
    }
