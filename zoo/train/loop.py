"""The one training loop. Every config goes through ``fit``."""

import json
import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import SingleDeviceSharding
from ml_collections import ConfigDict

from zoo import random
from zoo.config import choose, require
from zoo.errors import UserError
from zoo.tasks.protocol import Sum, Task
from zoo.train import bank, folder, mesh, metrics, optimizers
from zoo.train.checkpoint import Checkpoints, finite
from zoo.train.state import Best, TrainState, fingerprint

# Steps whose order is made and dispatched at once. An epoch of a small data set is a few steps: with
# one dispatch each, the calls would take longer than the training.
_SPAN = 10_000


class Result(NamedTuple):
    """What ``fit`` returns: the content of result.json, and the parameters it speaks of."""

    record: dict[str, Any]
    params: Any


class Stopped(Exception):
    """Training was interrupted by a signal, after saving; ``code`` is the exit code."""

    def __init__(self, step: int, signum: int):
        super().__init__(f"stopped at step {step}, saved; the same command goes on from there")
        self.code = 128 + signum


class Plan(NamedTuple):
    """When things happen, in steps; ``span`` is in epochs: those whose order is made at once."""

    steps: int
    per_epoch: int
    span: int
    log: int
    evaluate: int
    save: int

    def due(self, step: int, every: int) -> bool:
        """Whether something that happens every so many steps happens now."""
        return step == self.steps or step % every == 0

    def boundary(self, step: int) -> int:
        """The next step at which a dispatch must end: a log, an evaluation, a save, a span."""
        every = (self.log, self.evaluate, self.save, self.span * self.per_epoch)
        return min(self.steps, *((step // n + 1) * n for n in every))


def plan(task: Task, config: ConfigDict) -> Plan:
    """The plan that a config makes for a task. Raises UserError for values out of range."""
    for key in ("steps", "eval_every", "log_every", "keep"):
        require(config, key, 1)
    for key in ("checkpoint_every", "checkpoint_minutes", "patience"):
        require(config, key, 0)
    for key in ("epochs", "eval_epochs"):
        if config[key] is not None and config[key] <= 0:
            raise UserError(f"--config.{key}={config[key]}: must be more than 0")
    if config.patience and not config.best.metric:
        raise UserError(f"--config.patience={config.patience}: needs --config.best.metric to watch")
    per_epoch = task.steps_per_epoch("train")
    if config.steps is None and config.epochs is None:
        raise UserError("--config.steps or --config.epochs must be set")
    steps = config.steps or max(1, round(config.epochs * per_epoch))
    evaluate = config.eval_every or max(1, round((config.eval_epochs or 1) * per_epoch))
    save = config.checkpoint_every or evaluate
    span = max(1, min(_SPAN // per_epoch, -(-steps // per_epoch)))
    return Plan(steps, per_epoch, span, config.log_every, evaluate, save)


def orders(task: Task, what: Plan) -> Callable[[int], Any]:
    """step -> the orders of the span of epochs that it lies in, stacked: the first axis is the epoch.

    Each is a function of (seed, epoch) alone, so it does not matter where a run goes on.
    """
    # A loop, not vmap: XLA takes twice as long to compile a batch of sorts as one sort.
    make = _jit_once(lambda epochs: lax.map(lambda epoch: task.order("train", epoch), epochs))
    epochs = jnp.arange(what.span, dtype=jnp.int32)
    make = make.lower(epochs).compile()

    def at(step):
        return make(step // what.per_epoch // what.span * what.span + epochs)

    return at


def optimizer(task: Task, config: ConfigDict) -> optax.GradientTransformationExtraArgs:
    """The optimizer of a config, its schedule as long as the training."""
    return optimizers.make(config, plan(task, config).steps)


def begin(
    task: Task, rule: optax.GradientTransformationExtraArgs, config: ConfigDict
) -> TrainState:
    """The state before the first step, on the mesh of the config."""
    state = _jit_once(_first(task, rule, config))(random.key(config.seed, "init"))
    return mesh.spread(mesh.make(config), state._replace(carry=()))._replace(carry=state.carry)


def shapes(
    task: Task, rule: optax.GradientTransformationExtraArgs, config: ConfigDict
) -> TrainState:
    """What ``begin`` gives, as shapes on one device: nothing is compiled."""
    found = jax.eval_shape(_first(task, rule, config), random.key(config.seed, "init"))
    place = SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), found)


def _first(task, rule, config):
    """key -> the state before the first step."""
    devices = mesh.make(config)
    if config.best.metric:
        choose(config, "best.mode", ("min", "max"))
    worst = math.inf if config.best.mode == "min" else -math.inf

    def make(key):
        params = task.init(key)
        best = Best(jnp.float32(worst), jnp.int32(0), jnp.int32(0), params)
        return TrainState(
            jnp.int32(0),
            params,
            rule.init(params),
            mesh.by_batch(devices, task.carry()),
            best if config.best.metric else (),
            {name: Sum(jnp.float32(0), jnp.float32(0)) for name in task.sums()},
        )

    return bank.each(make, task.members)


def _jit_once(f):
    """jax.jit for what runs a few times: on a CPU it compiles in half the time, to the same bits."""
    quick = {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else None
    return jax.jit(f, compiler_options=quick)


def program(
    task: Task,
    rule: optax.GradientTransformationExtraArgs,
    config: ConfigDict,
    state: TrainState,
    form: str = "",
) -> Any:
    """The jitted loop (state, data, orders, n) -> state after at most n steps; n is traced.

    ``state`` is one of those it will be given: the loop leaves every array on the devices it is on.
    ``form`` is that of a bank, "map" or "vmap"; the faster one when left out.

    It ends early after a step whose loss is not finite: then ``state.sums["loss"]`` is not finite.
    """
    devices = mesh.make(config)
    per_epoch = task.steps_per_epoch("train")

    def one(state: TrainState, data, orders, *member) -> TrainState:
        key = random.key(config.seed, "dropout", state.step)
        key = jax.random.fold_in(key, *member) if member else key
        epoch, i = jnp.divmod(state.step, per_epoch)
        order = jax.tree.map(lambda a: a[epoch % len(a)], orders)
        batch = task.gather(data, task.indices(order, i, *member))
        batch = mesh.by_batch(devices, batch)

        def objective(params):
            sums, carry = task.loss(params, state.carry, batch, key)
            return sums["loss"].total / sums["loss"].weight, (sums, carry)

        grads, (sums, carry) = jax.grad(objective, has_aux=True)(state.params)
        updates, opt_state = rule.update(grads, state.opt_state, state.params)
        return TrainState(
            state.step + 1,
            optax.apply_updates(state.params, updates),
            opt_state,
            carry,
            state.best,
            jax.tree.map(jnp.add, state.sums, sums),
        )

    places = jax.tree.map(lambda x: x.sharding, state)
    form = form or (bank.form(state.params) if task.members else "")
    steps = bank.loop(one, task.members, form)

    @partial(jax.jit, donate_argnums=0, out_shardings=places)
    def many(state: TrainState, data, orders, n):
        return steps(state, data, orders, n)

    return many


def fit(
    task: Task, rule: optax.GradientTransformationExtraArgs, config: ConfigDict, run: Path
) -> Result:
    """Trains ``task`` in the folder ``run``, or goes on from its newest checkpoint.

    The bits depend on the config, the data and the machine, never on where a run was interrupted.
    Raises UserError for a config out of range or a folder that cannot be used, and for a loss that
    is not finite; Stopped after SIGTERM or Ctrl-C, when the state has been saved.
    """
    what = plan(task, config)
    place = folder.open_folder(run)
    try:
        folder.check_config(run, config)
        task.prepare(run)
        with Checkpoints(run / "checkpoints", config.keep) as checkpoints, _Signals() as signals:
            return _train(task, rule, config, run, what, checkpoints, signals)
    finally:
        place.close()


def _train(task, rule, config, run, what, checkpoints, signals):
    began = time.perf_counter()
    with ThreadPoolExecutor(1) as other:  # two programs compile side by side
        orders_at = other.submit(orders, task, what)
        state = begin(task, rule, config)
        orders_at = orders_at.result()
    state, before = resume(checkpoints, state, run, mend=True)
    step = start = int(state.step)
    if step:
        print(f"going on from step {step} in {run}", file=sys.stderr)

    def seconds():
        return before + time.perf_counter() - began

    log = metrics.Log(run, step)
    data = mesh.replicated(mesh.make(config), task.data("train"))
    span = what.span * what.per_epoch
    order, at = orders_at(step), step // span
    compiling = time.perf_counter()
    steps = program(task, rule, config, state).lower(state, data, order, jnp.int32(1)).compile()
    compile_seconds = time.perf_counter() - compiling
    pace, chunk, spent, saved = 0.0, 1, 0.0, time.monotonic()
    progress = metrics.Progress(what.steps, step, task.tokens_per_step())
    try:
        while step < what.steps and not _patience_is_over(state, config):
            if step // span != at:
                order, at = orders_at(step), step // span
            n = min(chunk, what.boundary(step) - step)
            clock = time.perf_counter()
            state = steps(state, data, order, jnp.int32(n))
            step = int(state.step)
            took = time.perf_counter() - clock
            spent += took
            # About a second a dispatch, so that a signal is soon heard; the bits do not depend on it.
            chunk = max(1, min(8 * chunk, int(n / took)))
            pace = n / took if not pace else 0.7 * pace + 0.3 * n / took
            progress.steps(step, pace)
            if not np.isfinite(state.sums["loss"].total).all():
                raise _not_finite(f"the training loss at step {step}", checkpoints)
            if what.due(step, what.evaluate) or what.due(step, what.log):
                state, record = _measure(task, config, run, what, state, checkpoints)
                record["seconds"] = round(seconds(), 3)
                log.add(record)
                if what.due(step, what.evaluate):
                    progress.line(record, pace)
            over = _patience_is_over(state, config)
            late = 0 < config.checkpoint_minutes <= (time.monotonic() - saved) / 60
            if what.due(step, what.save) or over or late or signals.caught:
                if not finite(state.params):
                    raise _not_finite(f"a parameter at step {step}", checkpoints)
                checkpoints.save(state, seconds())
                saved = time.monotonic()
            if over:
                name, times = config.best.metric, config.patience
                progress.say(f"stopped early: no better {name} for {times} evaluations")
            elif signals.caught and step < what.steps:
                raise Stopped(step, signals.caught)
    finally:
        progress.close()
    if start == step:
        progress.say(f"nothing left to train: {step} steps are done")
    pace = (step - start) / spent if spent else None
    return _finish(task, config, run, state, seconds(), compile_seconds, pace)


def _measure(task, config, run, what, state, checkpoints):
    """The record of a log point, with an evaluation where one is due, and the state after it."""
    step = int(state.step)
    record = {"step": step, "epoch": step / what.per_epoch, "seconds": 0.0}
    means = {k: np.asarray(s.total / s.weight) for k, s in state.sums.items()}
    record |= bank.numbers({f"train_{k}": v if v.ndim else float(v) for k, v in means.items()})
    state = state._replace(sums=jax.tree.map(jnp.zeros_like, state.sums))
    if what.due(step, what.evaluate):
        values = task.evaluate(state.params, "valid")
        if not all(np.isfinite(v).all() for v in values.values()):
            raise _not_finite(f"the validation at step {step}", checkpoints)
        record |= bank.numbers(values)
        state = _judge(state, record, config)
        title, text = task.observe(state.params, step, record)
        if text:
            metrics.add_sample(run, step, title, text)
    return state, record


def resume(
    checkpoints: Checkpoints, state: TrainState, run: Path, mend: bool = False
) -> tuple[TrainState, float]:
    """The newest checkpoint that is whole and its seconds, or (state, 0) where there is none.

    With ``mend``, damaged ones that are newer are deleted: training will write them again.
    Raises UserError where there are checkpoints, and every one is damaged.
    """
    damaged = []
    for step in checkpoints.steps():
        try:
            found = checkpoints.restore(step, state)
        except ValueError as error:
            why = f"checkpoint {step} is damaged: {error}"
            print(f"warning: {why}; trying an older one", file=sys.stderr)
            damaged.append(step)
            continue
        if mend:
            checkpoints.delete(damaged)
        return found
    if damaged:
        raise UserError(
            f"--run={run}: no checkpoint there is whole; delete the folder to begin again"
        )
    return state, 0.0


def _judge(state, record, config):
    """Keeps the best parameters, and lowers the learning rate on a plateau."""
    name = config.best.metric
    if not name:
        return state
    if name not in record:
        raise UserError(f"--config.best.metric={name}: an evaluation gives {', '.join(record)}")
    value, best = np.float32(record.get(f"{name}_each", record[name])), state.best
    value = np.broadcast_to(value, best.value.shape)  # one value for a bank is every member's
    sign = 1 if config.best.mode == "min" else -1
    better = sign * value < sign * np.asarray(best.value)
    waited = np.where(better, 0, np.asarray(best.waited) + 1)
    found = Best(value, np.broadcast_to(state.step, better.shape), waited, state.params)
    kept = bank.choose(better, found, best)
    state = state._replace(best=kept._replace(waited=bank.choose(~better, waited, kept.waited)))
    c = config.optimizer
    if c.schedule == "plateau":
        late = ~better & (waited % c.plateau_patience == 0)
        factor = np.where(late, c.plateau_factor, 1).astype(np.float32)
        return state._replace(opt_state=optimizers.reduce_rate(state.opt_state, factor))
    return state


def _patience_is_over(state, config):
    waited = np.min(state.best.waited) if state.best else 0
    return bool(config.patience and waited >= config.patience)


def _finish(task, config, run, state, seconds, compile_seconds, pace):
    params = state.best.params if state.best else state.params
    last = task.evaluate(state.params, "valid") if state.best else {}
    values = {}
    for split in ("train", "valid", "test"):
        values |= task.evaluate(params, split)
    if state.best:
        step = np.asarray(state.best.step)
        values |= {"best_step": step if step.ndim else int(step)}
        values |= {f"{k}_last": v for k, v in last.items()}
    values = bank.numbers(values)
    records = metrics.read(run)
    values["train_loss"] = next((r["train_loss"] for r in reversed(records)), math.nan)
    if name := config.target.metric:
        times = [r["seconds"] for r in records if r.get(name, math.inf) <= config.target.value]
        values["seconds_to_target"] = times[0] if times else None
    task.artifacts(params, run, values)
    metrics.plot(run, task.unit())
    record = {
        "config": config.name,
        "variant": config.variant,
        "seed": config.seed,
        "metrics": values,
        "steps": int(state.step),
        "train_seconds": round(seconds, 2),
        "compile_seconds": round(compile_seconds, 2),
        "steps_per_second": pace and round(pace, 1),
        "params": sum(x.size for x in jax.tree.leaves(state.params)),
        "params_sha256": fingerprint(state.params),
        "best_sha256": fingerprint(state.best.params) if state.best else None,
        "versions": versions(),
        "platform": jax.default_backend(),
        "devices": jax.device_count(),
        "finished": True,
    }
    folder.write(run / "result.json", json.dumps(record, indent=2) + "\n")
    return Result(record, params)


def versions() -> dict[str, str]:
    """The versions that results depend on."""
    import platform
    from importlib.metadata import version

    names = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    return {"python": platform.python_version()} | {n: version(n) for n in names}


def _not_finite(what, checkpoints):
    steps = checkpoints.steps()
    good = f"the last good checkpoint is step {steps[0]}" if steps else "there is no checkpoint yet"
    return UserError(
        f"{what} is not finite; {good}, and it is kept. Try a lower --config.optimizer.learning_rate "
        "or --config.optimizer.clip_norm"
    )


class _Signals:
    """SIGTERM and Ctrl-C end training after the dispatch; a second Ctrl-C ends it at once."""

    def __init__(self):
        self.caught = 0
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._catch)
        return self

    def _catch(self, number, frame):
        if self.caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.caught = number

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)
