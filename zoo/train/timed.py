"""Trainings that have so many minutes: the number of steps follows from the speed of the first ones.

It is part of the optimizer's state, and so of every checkpoint: a run that goes on keeps it.
"""

from zoo.runs.state import TrainState
from zoo.train import optimizers
from zoo.train.job import Job

# The steps after which the speed is known; the fewest steps of a training; the share of the time that is
# for steps.
_MEASURED, _FEWEST, _FOR_STEPS = 50, 200, 0.88


def settled(job: Job, state: TrainState) -> tuple[Job, TrainState]:
    """The job with the steps that its state says, and the state with those that need no measuring: given
    ones, or few. A job without minutes as it is."""
    steps = optimizers.planned(state.opt_state)
    if steps is None:
        return job, state
    if job.config.steps is not None or (not steps and job.plan.steps <= _MEASURED):
        steps = job.plan.steps
        state = _with(state, steps)
    return job._replace(plan=job.plan.within(job.config, steps)) if steps else job, state


def open_end(state: TrainState) -> bool:
    """Whether the steps of the training are not known yet."""
    return optimizers.planned(state.opt_state) == 0


def until_known(step: int) -> int:
    """The steps, 1 or more, before the speed is known."""
    return max(1, _MEASURED - step)


def measured(job: Job, state: TrainState, pace: float, seconds: float) -> tuple[Job, TrainState]:
    """The same once the speed is known, ``pace`` steps a second, when ``seconds`` are gone."""
    step = int(state.step)
    if step < _MEASURED:
        return job, state
    left = max(0.0, 60 * job.config.minutes * _FOR_STEPS - seconds)
    steps = min(job.plan.steps, max(_FEWEST, step + int(pace * left)))
    return settled(job, _with(state, steps))


def _with(state, steps):
    return state._replace(opt_state=optimizers.plan(state.opt_state, steps))
