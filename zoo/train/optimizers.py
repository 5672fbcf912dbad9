"""Optimizers and schedules by name, from Optax."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from ml_collections import ConfigDict

from zoo.bounds import WEIGHT
from zoo.config import choose, require
from zoo.errors import UserError

_OPTIMIZERS = {
    "adam": lambda rate, c: optax.adam(rate, c.b1, c.b2),
    "adamw": lambda rate, c: optax.adamw(
        rate, c.b1, c.b2, weight_decay=c.weight_decay, mask=_matrices
    ),
    "rmsprop": lambda rate, c: optax.rmsprop(
        rate, decay=0.9, eps=1e-7, momentum=c.momentum or None
    ),
    "sgd": lambda rate, c: optax.sgd(rate, momentum=c.momentum or None),
}


class Planned(NamedTuple):
    """The state of an optimizer whose schedule is for a number of steps that is found out on the way.

    count: int32, updates done
    steps: int32, of the whole training; 0 as long as that is unknown
    """

    count: Array
    steps: Array
    optimizer: Any


def make(
    config: ConfigDict,
    steps: int,
    starts: tuple[int, ...] = (),
    factor: Callable[[str], float] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """The optimizer that ``config.optimizer`` describes, for a training of ``steps`` updates.

    Gradients are clipped by their global norm first (Pascanu et al. 2013); weight decay acts on
    matrices only. Under the schedule "plateau" the learning rate is part of the optimizer's state; where
    the training has ``config.minutes``, the number of steps is.

    starts: the steps at which the schedule begins anew, for the rest of the training or up to the next
    factor: path of a parameter -> what its updates are multiplied with from the last start on:
            discriminative rates (Howard & Ruder 2018)

    Raises UserError for an unknown name and for values outside their range.
    """
    check(config)
    c = config.optimizer
    optimizer = _OPTIMIZERS[c.name]
    if config.minutes:
        if c.schedule == "plateau" or starts:
            why = (
                "config.optimizer.schedule=plateau"
                if not starts
                else "a training in several phases"
            )
            raise UserError(
                f"--config.minutes={config.minutes}: not with --{why}; set --config.steps"
            )
        chain = [_planned(optimizer(1.0, c), c)]
    elif c.schedule == "plateau":
        rate = optax.inject_hyperparams(lambda learning_rate: optimizer(learning_rate, c))
        chain = [_warmed_up(rate(learning_rate=c.learning_rate), min(c.warmup_steps, steps))]
    else:
        cuts = [at for at in starts if at < steps]
        pieces = [schedule(c, b - a) for a, b in pairwise([0, *cuts, steps])]
        rate = optax.join_schedules(pieces, cuts) if cuts else pieces[0]
        chain = [optimizer(rate, c)]
        if cuts:
            chain.append(_multiplied(factor, cuts[-1]))
    if c.clip_norm:
        chain.insert(0, optax.clip_by_global_norm(c.clip_norm))
    return _lenient(optax.chain(*chain))


def check(config: ConfigDict) -> None:
    """Raises UserError for a key of the optimizer out of range."""
    choose(config, "optimizer.name", _OPTIMIZERS)
    choose(config, "optimizer.schedule", ("constant", "cosine", "plateau"))
    require(config, "optimizer.learning_rate", 0, 1000)
    for key in ("clip_norm", "weight_decay"):
        require(config, f"optimizer.{key}", 0, WEIGHT)
    require(config, "optimizer.warmup_steps", 0)
    for key in ("b1", "b2"):  # with 1 they would count nothing
        require(config, f"optimizer.{key}", 0, 0.999999)
    for key in ("momentum", "final_fraction", "plateau_factor"):
        require(config, f"optimizer.{key}", 0, 1)
    require(config, "optimizer.plateau_patience", 1)
    c = config.optimizer
    if c.schedule == "plateau" and not config.best.metric:
        raise UserError("--config.optimizer.schedule=plateau: needs --config.best.metric to watch")


def schedule(c: ConfigDict, steps: int | Array) -> optax.Schedule:
    """step -> learning rate: linear warm-up, then constant or a cosine down to final_fraction. ``steps``
    may be traced; then the warm-up is of ``warmup_steps``, however few they are."""
    warm = c.warmup_steps if isinstance(steps, Array) else min(c.warmup_steps, steps)
    if c.schedule == "constant":
        after = optax.constant_schedule(c.learning_rate)
    elif isinstance(steps, Array):
        after = _cosine(c, jnp.maximum(1, steps - warm))
    else:
        after = optax.cosine_decay_schedule(c.learning_rate, max(1, steps - warm), c.final_fraction)
    if not warm:
        return after
    return optax.join_schedules([optax.linear_schedule(0.0, c.learning_rate, warm), after], [warm])


def _cosine(c, steps):
    """Optax's, for a number of steps that is traced."""

    def rate(count):
        share = jnp.minimum(count, steps) / steps
        fraction = 0.5 * (1 + jnp.cos(jnp.pi * share))
        return c.learning_rate * ((1 - c.final_fraction) * fraction + c.final_fraction)

    return rate


def planned(opt_state) -> int | None:
    """The number of steps in the state of an optimizer that has it there: 0 for unknown; else None."""
    found = [n.steps for n in jax.tree.leaves(opt_state, is_leaf=_is_planned) if _is_planned(n)]
    return int(jnp.ravel(found[0])[0]) if found else None


def plan(opt_state, steps: int):
    """The state of such an optimizer with the number of steps."""

    def mend(node):
        if not _is_planned(node):
            return node
        number = jax.device_put(jnp.full_like(node.steps, steps), node.steps.sharding)
        return node._replace(steps=number)

    return jax.tree.map(mend, opt_state, is_leaf=_is_planned)


def _is_planned(node):
    return isinstance(node, Planned)


def _planned(optimizer, c):
    """The updates of an optimizer whose learning rate is 1, times a rate by Planned.steps."""

    def init(params):
        return Planned(jnp.int32(0), jnp.int32(0), optimizer.init(params))

    def update(updates, state, params=None, **extra):
        rate = schedule(c, state.steps)(state.count)
        updates, inner = optimizer.update(updates, state.optimizer, params, **extra)
        updates = jax.tree.map(lambda u: u * jnp.asarray(rate, u.dtype), updates)
        return updates, Planned(state.count + 1, state.steps, inner)

    return optax.GradientTransformationExtraArgs(init, update)


def reduce_rate(opt_state, factor: float):
    """Multiplies the learning rate that a "plateau" optimizer keeps in its state."""

    def mend(node):
        if not isinstance(node, optax.InjectStatefulHyperparamsState):
            return node
        rate = node.hyperparams["learning_rate"]
        return node._replace(hyperparams={**node.hyperparams, "learning_rate": rate * factor})

    return jax.tree.map(
        mend, opt_state, is_leaf=lambda n: isinstance(n, optax.InjectStatefulHyperparamsState)
    )


def _warmed_up(optimizer, steps):
    """Its updates, rising linearly from 0 in the first steps: those that ``inject_hyperparams`` counts."""
    if not steps:
        return optimizer

    def update(updates, state, params=None, **extra):
        factor = jnp.minimum(1, state.count / steps)
        updates, state = optimizer.update(updates, state, params, **extra)
        return jax.tree.map(lambda u: u * factor.astype(u.dtype), updates), state

    return optax.GradientTransformationExtraArgs(optimizer.init, update)


def _multiplied(factor, start):
    """Updates, each multiplied with the factor of its parameter from step ``start`` on."""

    def update(updates, state, params=None):
        def one(path, u):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            return u * jnp.where(state < start, 1.0, factor(name)).astype(u.dtype)

        return jax.tree_util.tree_map_with_path(one, updates), state + 1

    return optax.GradientTransformation(lambda params: jnp.int32(0), update)


def _matrices(params):
    return jax.tree.map(lambda p: p.ndim > 1, params)


def _lenient(optimizer):
    """The optimizer, also where a program has set strict promotion for itself: Optax mixes dtypes."""
    optimizer = optax.with_extra_args_support(optimizer)

    def init(params):
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return optimizer.init(params)

    def update(*args, **kwargs):
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return optimizer.update(*args, **kwargs)

    return optax.GradientTransformationExtraArgs(init, update)
