"""When things happen in a training, in steps."""

from typing import NamedTuple

from ml_collections import ConfigDict

from zoo.bounds import COUNT, WEIGHT
from zoo.config import choose, require
from zoo.errors import UserError

# Steps whose order is made and dispatched at once. An epoch of a small data set is a few steps: with
# one dispatch each, the calls would take longer than the training.
_SPAN = 10_000
_EVALUATIONS = 12  # of a training that has so many minutes, where the config does not say


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

    def within(self, config: ConfigDict, steps: int) -> "Plan":
        """The plan of a training of so many steps, for a config with minutes."""
        plan = self._replace(steps=steps)
        if config.eval_every is None and config.eval_epochs is None:
            plan = plan._replace(evaluate=-(-steps // _EVALUATIONS))
        return plan if config.checkpoint_every else plan._replace(save=plan.evaluate)

    def starts(self, phases: tuple[int, ...]) -> tuple[int, ...]:
        """The steps at which phases begin that are given in epochs."""
        return tuple(epoch * self.per_epoch for epoch in phases)

    def boundary(self, step: int) -> int:
        """The next step at which a dispatch must end: a log, an evaluation, a save, a span."""
        every = (self.log, self.evaluate, self.save, self.span * self.per_epoch)
        return min(self.steps, *((step // n + 1) * n for n in every))


def check(config: ConfigDict) -> None:
    """Raises UserError for a key of the plan out of range."""
    for key in ("steps", "eval_every", "log_every", "keep"):
        require(config, key, 1)
    for key in ("checkpoint_every", "checkpoint_minutes", "patience", "minutes"):
        require(config, key, 0)
    if "slack" in config.best:  # not in runs of 0.1
        require(config, "best.slack", 0, WEIGHT)
    for key in ("epochs", "eval_epochs"):
        if config[key] is not None and config[key] <= 0:
            raise UserError(f"--config.{key}={config[key]}: must be more than 0")
    for key in ("best.mode", "target.mode"):
        choose(config, key, ("min", "max"))
    if config.patience and not config.best.metric:
        raise UserError(f"--config.patience={config.patience}: needs --config.best.metric to watch")
    if config.steps is None and config.epochs is None:
        raise UserError("--config.steps or --config.epochs must be set")


def make(config: ConfigDict, per_epoch: int) -> Plan:
    """The plan of a config for data with so many steps in an epoch. Raises UserError for values out of
    range."""
    check(config)
    for key in ("epochs", "eval_epochs"):
        if (config[key] or 0) * per_epoch > COUNT:
            raise UserError(
                f"--config.{key}={config[key]}: must be at most {COUNT // per_epoch:,} of this data, which "
                f"has {per_epoch:,} steps an epoch"
            )
    steps = config.steps or max(1, round(config.epochs * per_epoch))
    evaluate = config.eval_every or max(1, round((config.eval_epochs or 1) * per_epoch))
    if config.minutes and not config.eval_every and not config.eval_epochs:
        evaluate = steps  # until it is known how many there are
    save = config.checkpoint_every or evaluate
    span = max(1, min(_SPAN // per_epoch, -(-steps // per_epoch)))
    return Plan(steps, per_epoch, span, config.log_every, evaluate, save)
