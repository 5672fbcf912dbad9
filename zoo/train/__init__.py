"""The generic training loop, its state, checkpoints, optimizers, metrics and mesh."""

from zoo.train.loop import Result, Stopped, fit, optimizer, plan
from zoo.train.state import Best, TrainState

__all__ = ["Best", "Result", "Stopped", "TrainState", "fit", "optimizer", "plan"]
