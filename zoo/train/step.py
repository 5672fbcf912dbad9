"""The compiled programs of a training: the first state, the orders of the data, the loop of steps."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from zoo import random, xla
from zoo.errors import UserError
from zoo.runs.load import load
from zoo.runs.state import Best, TrainState
from zoo.tasks.protocol import Sum
from zoo.train import averaging, bank, feed, hosts, mesh
from zoo.train.job import Job
from zoo.unroll import batch_over


def orders(job: Job) -> Callable[[int], Any]:
    """step -> the orders of the span of epochs that it lies in, stacked: the first axis is the epoch.

    Each is a function of (seed, epoch) alone, so it does not matter where a run goes on.
    """
    task, plan = job.task, job.plan
    # A loop, not vmap: XLA takes twice as long to compile a batch of sorts as one sort.
    make = _jit_once(lambda epochs: lax.map(lambda epoch: task.order("train", epoch), epochs))
    epochs = jnp.arange(plan.span, dtype=jnp.int32)
    make = make.lower(epochs).compile()

    def at(step):
        return make(step // plan.per_epoch // plan.span * plan.span + epochs)

    return at


def begin(job: Job) -> TrainState:
    """The state before the first step, on the mesh of the job. Raises UserError where ``start`` is no
    finished run, or has other parameters."""
    start = mesh.replicated(job.mesh, started(job))
    state = _jit_once(_first(job))(random.key(job.config.seed, "init"), start)
    if mesh.shares_members(job.mesh, job.task.members):
        step = mesh.replicated(job.mesh, state.step)
        return mesh.by_member(job.mesh, state._replace(step=()))._replace(step=step)
    carry = state.carry
    if hosts.several():  # where the batch does not divide, each process has made one of its own
        alone = [x.is_fully_addressable for x in jax.tree.leaves(carry)]
        carry = mesh.replicated(job.mesh, carry) if any(alone) else carry
    return mesh.spread(job.mesh, state._replace(carry=()))._replace(carry=carry)


def started(job: Job) -> Any:
    """The parameters of the run that ``start`` names, for a bank those of each member; None where it names
    none. One model is where all members begin."""
    start, members = job.config.start, job.task.members
    if not start:
        return None
    params = load(Path(start), job.config.task).params
    one = jax.eval_shape(job.task.init, random.key(0, "init"))
    if members and _sizes(params) == _sizes(one):
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (members, *x.shape)), params)
    if _sizes(params) != _sizes(one, (members,) if members else ()):
        raise UserError(
            f"--config.start={start}: a model of other sizes; give it the same --config.model, and as many "
            "models"
        )
    return params


def _sizes(tree, before=()):
    return jax.tree.map(lambda x: f"{(*before, *x.shape)}", tree)


def program(job: Job, state: TrainState, form: str = "") -> Any:
    """The jitted loop (state, data, orders, n) -> state after at most n steps; n is traced.

    ``state`` is one of those it will be given: the loop leaves every array on the devices it is on.
    ``data`` are those of the task, or a ``feed.Block``, with () as orders, that has the steps' batches.
    ``form`` is that of a bank, "map", "vmap" or "alone" (see ``zoo.train.bank.loop``); the faster one of
    the first two when left out.

    It ends early after a step whose loss is not finite: then ``state.sums["loss"]`` is not finite.
    """
    task, per_epoch = job.task, job.plan.per_epoch
    starts = job.plan.starts(task.phases())
    shares = mesh.shares_members(job.mesh, task.members)

    def one(state: TrainState, data, orders, member) -> TrainState:
        key = random.key(job.config.seed, "dropout", state.step)
        key = jax.random.fold_in(key, member) if task.members else key
        if isinstance(data, feed.Block):
            batch = data.at(state.step)
        else:
            places = feed.indices(task, per_epoch, orders, state.step, member)
            batch = task.gather(data, places)
        batch = batch if shares else mesh.by_batch(job.mesh, batch)

        def objective(params):
            sums, carry = task.loss(params, state.carry, batch, key)
            return sums["loss"].total / sums["loss"].weight, (sums, carry)

        with nullcontext() if shares else batch_over(job.mesh, "data"):
            grads, (sums, carry) = jax.grad(objective, has_aux=True)(state.params)
        opt_state = averaging.bare(state.opt_state)
        updates, opt_state = job.optimizer.update(grads, opt_state, state.params)
        after = TrainState(
            state.step + 1,
            optax.apply_updates(state.params, updates),
            opt_state,
            carry,
            state.best,
            jax.tree.map(jnp.add, state.sums, sums),
        )
        return averaging.follow(state, after, job.config, starts)

    shardings = jax.tree.map(lambda x: x.sharding, state)
    form = form or (bank.form(state.params) if task.members else "")
    steps = bank.loop(one, task.members, form, job.mesh if shares else None)

    size = sum(a.nbytes for a in jax.tree.leaves(state))
    options = xla.for_small_loops() if size < xla.SMALL else None

    @partial(jax.jit, donate_argnums=0, out_shardings=shardings, compiler_options=options)
    def many(state: TrainState, data, orders, n):
        return steps(state, data, orders, n)

    return many


def _first(job):
    """(key, start) -> the state before the first step, with the parameters ``start`` if there are such."""
    config, task = job.config, job.task
    worst = math.inf if config.best.mode == "min" else -math.inf

    shares = mesh.shares_members(job.mesh, task.members)

    def make(key, start):
        params, carry = task.init(key) if start is None else start, task.carry()
        best = Best(jnp.float32(worst), jnp.int32(0), jnp.int32(0), params)
        return TrainState(
            jnp.int32(0),
            params,
            averaging.begin(params, job.optimizer.init(params), config),
            carry if shares else mesh.by_batch(job.mesh, carry),
            best if config.best.metric else (),
            {name: Sum(jnp.float32(0), jnp.float32(0)) for name in task.sums()},
        )

    return bank.each(make, task.members)


def _jit_once(f):
    """jax.jit for what runs a few times: on a CPU it compiles in half the time, to the same bits."""
    level = "xla_backend_optimization_level"
    quick = jax.default_backend() == "cpu" and level not in xla.in_force()
    return jax.jit(f, compiler_options={level: 1} if quick else None)
