"""The average of the parameters over the steps: what is evaluated, kept as the best, and used afterwards.

Training itself goes on with the parameters p. Both kinds of average a follow one rule:

    s_t = d s_(t-1) + 1,  s_0 = 0
    a_t = (1 - 1 / s_t) a_(t-1) + p_t / s_t

"ema": d is ``optimizer.ema_decay``. This is the exponential moving average divided by 1 - d^t, the
correction of its bias that Adam has (Kingma & Ba 2015). So it is exact from the first step on, and
there is no warm-up of d to be chosen.

"asgd": d is 0 until the trigger, and 1 from then on. So a is p at first, and then the mean of all p
since the trigger, that of the trigger itself included (Merity et al. 2018, arXiv 1708.02182,
Algorithm 1, "NT-ASGD").
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from zoo.config import choose, require
from zoo.errors import UserError
from zoo.runs.state import Averaged, TrainState
from zoo.train import bank


def check(config: ConfigDict) -> None:
    """Raises UserError for a key of averaging out of range."""
    choose(config, "optimizer.average", ("", "ema", "asgd"))
    require(config, "optimizer.ema_decay", 0, 1)
    require(config, "optimizer.average_patience", 1, 10_000)
    if config.optimizer.average == "asgd" and not config.best.metric:
        raise UserError("--config.optimizer.average=asgd: needs --config.best.metric to watch")


def begin(params: Any, opt_state: Any, config: ConfigDict) -> Any:
    """The optimizer's state before the first step: Averaged where the config wants an average."""
    c = config.optimizer
    if not c.average:
        return opt_state
    if c.average == "ema":
        return Averaged(opt_state, params, jnp.float32(0), jnp.float32(c.ema_decay), ())
    lows = jnp.full(c.average_patience + 1, jnp.inf, jnp.float32)
    return Averaged(opt_state, params, jnp.float32(0), jnp.float32(0), lows)


def bare(opt_state: Any) -> Any:
    """The state of the optimizer itself."""
    return opt_state.optimizer if isinstance(opt_state, Averaged) else opt_state


def follow(
    before: TrainState, after: TrainState, config: ConfigDict, starts: tuple[int, ...]
) -> TrainState:
    """The state after a step of one model, averaged as the one before.

    after:  with the state of the optimizer itself
    starts: the steps at which a phase of the training begins. The average begins anew there: what came
            before was learned from another loss, and the metric meant something else.
    """
    average = before.opt_state
    if not isinstance(average, Averaged):
        return after
    average = average._replace(optimizer=())
    if starts:
        first, anew = begin(average.params, (), config), jnp.isin(before.step, jnp.array(starts))
        average = jax.tree.map(partial(jnp.where, anew), first, average)
    weight = average.decay * average.weight + 1

    def mean(a, p):
        share = (1 / weight).astype(p.dtype)
        return (1 - share) * a + share * p  # p itself where the share is 1

    params = jax.tree.map(mean, average.params, after.params)
    average = average._replace(optimizer=after.opt_state, params=params, weight=weight)
    return after._replace(opt_state=average)


def watch(opt_state: Any, value: np.ndarray, config: ConfigDict) -> Any:
    """The optimizer's state after an evaluation. It triggers "asgd" if the tracked metric is worse than
    its best before the last n evaluations, with n of ``optimizer.average_patience``.

    value: of the metric, () or (N,) of a bank, each member of which has a trigger of its own
    """
    if config.optimizer.average != "asgd":
        return opt_state
    low = np.asarray(value if config.best.mode == "min" else -value)
    lows = np.asarray(opt_state.lows)
    worse = low > lows[..., 0]
    newest = np.minimum(lows[..., -1], low)
    lows = np.concatenate([lows[..., 1:], newest[..., None]], axis=-1)
    before = (opt_state.decay, opt_state.lows)
    decay, lows = bank.choose(np.True_, (np.where(worse, 1, opt_state.decay), lows), before)
    return opt_state._replace(decay=decay, lows=lows)


def evaluated(state: TrainState) -> Any:
    """The parameters that an evaluation is of: the average where there is one, else the last."""
    return state.opt_state.params if isinstance(state.opt_state, Averaged) else state.params
