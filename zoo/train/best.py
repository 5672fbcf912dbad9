"""The best parameters so far, and when to stop waiting for better ones."""

import numpy as np
from ml_collections import ConfigDict

from zoo.errors import UserError
from zoo.runs.state import Best, TrainState
from zoo.train import averaging, bank, optimizers


def judge(state: TrainState, record: dict, config: ConfigDict) -> TrainState:
    """Keeps the best parameters, lowers the rate on a plateau, and triggers the average "asgd"."""
    name = config.best.metric
    if not name:
        return state
    if name not in record:
        raise UserError(f"--config.best.metric={name}: an evaluation gives {', '.join(record)}")
    value, best = np.float32(record.get(f"{name}_each", record[name])), state.best
    value = np.broadcast_to(value, best.value.shape)  # one value for a bank is every member's
    sign = 1 if config.best.mode == "min" else -1
    most = sign * np.asarray(best.value)
    better = sign * value < most
    # Of parameters that are about as good, the latest.
    slack = config.best.get("slack", 0.0)
    latest = better | (sign * value < most + slack * np.abs(most)) if slack else better
    waited = np.where(better, 0, np.asarray(best.waited) + 1)
    params = averaging.evaluated(state)
    value_of = np.where(better, value, best.value)
    new = Best(value_of, np.broadcast_to(state.step, better.shape), waited, params)
    kept = bank.choose(latest, new, best)
    state = state._replace(
        best=kept._replace(waited=bank.choose(~better, waited, kept.waited)),
        opt_state=averaging.watch(state.opt_state, value, config),
    )
    c = config.optimizer
    if c.schedule == "plateau":
        late = ~better & (waited % c.plateau_patience == 0)
        factor = np.where(late, c.plateau_factor, 1).astype(np.float32)
        return state._replace(opt_state=optimizers.reduce_rate(state.opt_state, factor))
    return state


def patience_is_over(state: TrainState, config: ConfigDict) -> bool:
    """Whether every member has waited as long as ``config.patience`` allows."""
    waited = np.min(state.best.waited) if state.best else 0
    return bool(config.patience and waited >= config.patience)
