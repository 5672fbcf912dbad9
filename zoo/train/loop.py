"""The one training loop. Every config goes through ``fit``."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zoo import canary
from zoo.errors import UserError
from zoo.runs import folder
from zoo.runs.checkpoint import Checkpoints, finite
from zoo.runs.log import Log, add_sample, read
from zoo.terminal import line
from zoo.train import averaging, bank, feed, hosts, mesh, timed
from zoo.train import step as programs
from zoo.train.best import judge, patience_is_over
from zoo.train.finish import Clock, finish
from zoo.train.job import Job
from zoo.train.progress import Progress
from zoo.train.signals import Signals, Stopped

_LOOK = 60  # seconds until a first look at a training whose first evaluation is as far away again
_DIVERGED = 10  # times the loss of the first step: worse than any noise


class Result(NamedTuple):
    """What ``fit`` returns: the content of result.json, and the parameters it speaks of."""

    record: dict[str, Any]
    params: Any


def fit(job: Job, run: Path, about: str = "") -> Result:
    """Trains a job in the folder ``run``, or goes on from its newest checkpoint. ``about`` is a sentence
    on the config, said once it is known that the folder can be used.

    The bits depend on the config, the data and the machine, never on where a run was interrupted.
    Raises UserError for data or a folder that cannot be used, and for a loss that is not finite;
    Stopped after SIGTERM, SIGHUP or Ctrl-C, when the state has been saved.
    """
    data = job.task.describe_data()
    with ExitStack() as held:

        def begin():
            held.enter_context(closing(folder.open_folder(run)))
            folder.check(run, job.config, data)
            job.task.prepare(run)

        hosts.led(begin)
        for sentence in filter(None, (about, mesh.remark(job.config, job.mesh))):
            line.say(sentence)
        checkpoints = None  # the leader's
        if hosts.leads():
            checkpoints = held.enter_context(Checkpoints(run / "checkpoints", job.config.keep))
            checkpoints.tidy()
        return _train(job, run, checkpoints)


def _train(job, run, checkpoints):
    config, task = job.config, job.task
    line.show("compiling")
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as aside:  # two programs compile side by side, beside the canary
        verdict = aside.submit(canary.verdict)
        orders_at = aside.submit(programs.orders, job)
        state = programs.begin(job)
        orders_at, verdict = orders_at.result(), verdict.result()
    if verdict != canary.RIGHT:
        line.say(f"warning: this JAX computes wrong numbers: {verdict}")
    state, before = _resumed(checkpoints, state)
    job, state = timed.settled(job, state)
    step = start = int(state.step)
    if step:
        line.say(f"going on from step {step} in {run}")

    def seconds():
        return before + time.perf_counter() - began

    log = Log(run, step) if hosts.leads() else None
    source = feed.of(job, orders_at)
    given = source.at(step)
    compiling = time.perf_counter()
    steps = programs.program(job, state)
    steps = steps.lower(state, given.data, given.orders, np.int32(1)).compile()
    compile_seconds = time.perf_counter() - compiling
    pace, chunk, spent, saved, looked, first = 0.0, 1, 0.0, time.monotonic(), False, None
    progress = Progress(job.plan.steps, step, task.tokens_per_step())
    # Before the first step nothing can be lost, nor after the last: there a signal ends the process.
    with closing(source), closing(progress), Signals() as signals:
        while step < job.plan.steps and not patience_is_over(state, config):
            plan, open_end = job.plan, timed.open_end(state)
            clock = time.perf_counter()  # waiting for data counts
            given = source.at(step)
            n = min(chunk, given.until - step, plan.boundary(step) - step)
            n = min(n, timed.until_known(step)) if open_end else n
            state = steps(state, given.data, given.orders, np.int32(n))
            step = int(state.step)
            took = time.perf_counter() - clock
            spent += took
            # About a second a dispatch, so that a signal is soon heard; the bits do not depend on it.
            chunk = max(1, min(8 * chunk, int(n / took)))
            pace = n / took if not pace else 0.7 * pace + 0.3 * n / took
            loss = state.sums["loss"]
            mean = np.mean(loss.total) / np.mean(loss.weight)
            first = mean if step == 1 else first
            progress.steps(step, pace, mean)
            if not np.isfinite(loss.total).all():
                hosts.led(partial(_not_finite, f"the training loss at step {step}", checkpoints))
            if open_end:
                now = hosts.led(lambda took=took, n=n: [n / took, seconds()])
                job, state = timed.measured(job, state, *now)
                if job.plan != plan:
                    plan = job.plan
                    progress.plan(plan.steps, n / took, config.minutes)
            if plan.due(step, plan.evaluate) or plan.due(step, plan.log):
                if plan.due(step, plan.evaluate):
                    progress.evaluating(step)
                state, record = _measure(job, run, state, checkpoints)
                record["seconds"] = round(seconds(), 3)
                hosts.led(lambda record=record: log.add(record))
                if plan.due(step, plan.evaluate):
                    progress.line(record, pace)
            late = 0 < config.checkpoint_minutes <= (time.monotonic() - saved) / 60
            look = not looked and time.perf_counter() - began > _LOOK
            (chunk, late, look), caught = hosts.agreed([chunk, late, look], signals.caught)
            if look:
                looked = True
                params = _whole(job, averaging.evaluated(state))
                if hosts.leads() and step < plan.evaluate and (plan.evaluate - step) / pace > _LOOK:
                    progress.evaluating(step)
                    progress.early(step, task.evaluate(params, "valid").metrics)
            over = patience_is_over(state, config)
            if plan.due(step, plan.save) or over or late or caught:
                kept = _whole(job, state)
                if not finite(kept.params):
                    hosts.led(partial(_not_finite, f"a parameter at step {step}", checkpoints))
                hosts.led(lambda kept=kept: checkpoints.save(kept, seconds()))
                saved = time.monotonic()
            if over:
                name, times = config.best.metric, config.patience
                progress.say(f"stopped early: no better {name} for {times} evaluations")
            if caught:
                raise Stopped(step, caught)
    _tell_divergence(first, read(run) if hosts.leads() else [], progress)
    if start == step:
        progress.say(f"nothing left to train: {step} steps are done")
    pace = (step - start) / spent if spent else None
    kept, clock = _whole(job, state), Clock(seconds(), compile_seconds, pace)
    record = hosts.led(lambda: finish(job, run, kept, clock, verdict))
    return Result(record, kept.best.params if kept.best else averaging.evaluated(kept))


def _resumed(checkpoints, state):
    """The newest checkpoint that is whole and its seconds of training; (state, 0) where there is none."""
    if not hosts.several():
        restored = checkpoints.newest(lambda step: checkpoints.restore(step, state), mend=True)
        return restored or (state, 0.0)
    like, found = hosts.whole(state), []

    def read():
        restored = checkpoints.newest(lambda step: checkpoints.restore(step, like), mend=True)
        found.append(restored or (like, 0.0))
        return found[0][1]

    seconds = hosts.led(read)
    kept = hosts.shared(found[0][0] if found else like)
    return jax.tree.map(lambda new, old: hosts.placed(new, old.sharding), kept, state), seconds


def _whole(job, tree):
    """The tree where all of it is at hand: of members that devices share, on each of them."""
    if mesh.shares_members(job.mesh, job.task.members):
        return mesh.replicated(job.mesh, tree)
    return hosts.whole(tree)


def _measure(job, run, state, checkpoints):
    """The record of a log point, with an evaluation where one is due, and the state after it."""
    task, plan, step = job.task, job.plan, int(state.step)
    record = {"step": step, "epoch": step / plan.per_epoch, "seconds": 0.0}
    means = {k: np.asarray(s.total / s.weight) for k, s in state.sums.items()}
    record |= bank.numbers({f"train_{k}": v if v.ndim else float(v) for k, v in means.items()})
    state = state._replace(sums=jax.tree.map(jnp.zeros_like, state.sums))
    if plan.due(step, plan.evaluate):
        params = _whole(job, averaging.evaluated(state))

        def evaluated():
            values = task.evaluate(params, "valid").metrics
            if not all(np.isfinite(v).all() for v in values.values()):
                _not_finite(f"the validation at step {step}", checkpoints)
            values = record | bank.numbers(values)
            title, text = task.sample(params, values)
            if text:
                add_sample(run, step, title, text)
            return values

        record = hosts.led(evaluated)
        state = judge(state, record, job.config)
    return state, record


def _not_finite(value, checkpoints):
    """Raises UserError that says so, and what is left."""
    steps = checkpoints.steps()
    lower = "a lower --config.optimizer.learning_rate or --config.optimizer.clip_norm"
    if steps:
        rest = f"the last good checkpoint is step {steps[0]}, and it is kept. In another --run, try {lower}"
    else:
        rest = f"nothing was saved yet. Try {lower}"
    raise UserError(f"{value} is not finite; {rest}")


def _tell_divergence(first, records, progress):
    """Says where the training loss ended far above ``first``, that of the first step; where that is not
    known, above the first that was logged."""
    losses = [r["train_loss"] for r in records if r.get("train_loss") is not None]
    if not losses:
        return
    first, last = losses[0] if first is None else float(first), losses[-1]
    if last > _DIVERGED * max(1.0, abs(first)):
        progress.say(
            f"warning: training diverged: its loss was {first:.4g} at first and is {last:.4g} now; try a "
            "lower --config.optimizer.learning_rate or --config.optimizer.clip_norm"
        )
