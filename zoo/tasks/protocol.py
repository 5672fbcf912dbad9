"""What a task is to the training loop, to a run folder and to the commands."""

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from jax import Array
from ml_collections import ConfigDict


class Sum(NamedTuple):
    """A sum and the weight it was taken over; their quotient is the mean.

    Losses travel as sums, so that padding, a short last batch and the number of devices change nothing.
    """

    total: Array
    weight: Array


class Evaluation(NamedTuple):
    """What an evaluation gives.

    metrics: name -> a number, or (N,) for a bank of N members; a list of numbers is kept as it is
    shown:   what ``artifacts`` draw and write, by name; the task's own
    """

    metrics: dict[str, float | np.ndarray]
    shown: dict[str, Any]


class Task(Protocol):
    """A model, its data, its loss and its evaluation.

    What runs inside the compiled loop is pure: ``indices``, ``gather`` and ``loss``. The order of the
    data is a function of (seed, epoch), made outside the loop, once an epoch.

    A task with ``members`` = N is a bank: N models of the same shapes that are trained at once and
    know nothing of each other. ``init``, ``carry``, ``indices``, ``gather`` and ``loss`` are then of
    one member, whose index goes to ``indices``; parameters are stacked, (N, ...) each, and
    ``evaluate`` may give (N,) for a metric, by which each member keeps its own best parameters.

    A task derives from this class. It has the defaults that are written here, and must bring the other
    methods; Python names those that are missing.

    config:    as the command line left it; nobody writes into it
    members:   N of a bank, else 0
    loss_unit: what the loss is measured in, for its plot
    model:     a Flax module, or another function of parameters; ``zoo.load`` hands it out
    """

    config: ConfigDict
    members: int = 0
    loss_unit: str
    model: Any

    def __init__(self, config: ConfigDict):
        """Raises UserError for keys out of range; data is read when it is first needed."""

    @classmethod
    def rebuild(cls, config: ConfigDict, run: Path) -> "Task":
        """The task of a run, from its config and what ``prepare`` and ``artifacts`` wrote; no data is
        read until it is asked for."""
        return cls(config)

    @abstractmethod
    def describe_data(self) -> dict[str, Any]:
        """What the task learned of its data, as JSON takes it: "digest", the sha256 of what it trains
        on, and sizes. The run folder keeps it, and a restart with another digest is refused.

        Raises UserError for data that training or evaluation could not use: all that either will read
        is read here, before the run begins.
        """

    def prepare(self, run: Path) -> None:
        """Writes what a run is rebuilt from besides config.json, such as a vocabulary."""

    @abstractmethod
    def init(self, key: Array) -> Any:
        """The parameters before training."""

    def carry(self) -> Any:
        """What is kept between batches, before the first; () for nothing."""
        return ()

    def sums(self) -> tuple[str, ...]:
        """The names of the sums that ``loss`` returns; "loss" is the one that is minimised."""
        return ("loss",)

    def phases(self) -> tuple[int, ...]:
        """The epochs at which training turns to another loss, rising, without the first; the schedule of
        the learning rate begins anew at each."""
        return ()

    def rate_factor(self, parameter: str) -> float:
        """What the learning rate of a parameter is multiplied with in the last phase; its path is
        such as "params.layer_0.w_x"."""
        return 1.0

    @abstractmethod
    def steps_per_epoch(self, split: str) -> int:
        """Batches in one pass."""

    @abstractmethod
    def tokens_per_step(self) -> int:
        """Tokens (or time steps) in one batch, for the speed that people see."""

    @abstractmethod
    def data(self, split: str) -> Any:
        """Arrays that go to the device once, as an argument of the compiled loop. Where one is a memory
        map, all stay where they are: batches are made of them on the host, see ``zoo.train.feed``."""

    @abstractmethod
    def order(self, split: str, epoch: int) -> Any:
        """The order of one epoch, from the seed and the epoch alone."""

    @abstractmethod
    def indices(self, order: Any, i: Array, member: Array | int) -> Any:
        """Where the i-th batch of the epoch lies in the data; i is traced. ``member`` is that of a bank,
        0 for one model alone."""

    @abstractmethod
    def gather(self, data: Any, indices: Any) -> Any:
        """The batch; the same for arrays on the device and memory-mapped ones."""

    @abstractmethod
    def loss(self, params: Any, carry: Any, batch: Any, key: Array) -> tuple[dict[str, Sum], Any]:
        """Sums over the batch, and the carry after it."""

    @abstractmethod
    def evaluate(self, params: Any, split: str) -> Evaluation:
        """Metrics of a split, such as "valid_loss"; none where there is no such split, and for "train"
        where a pass over it costs too much. "valid" is evaluated during training too."""

    def sample(self, params: Any, metrics: dict[str, Any]) -> tuple[str, str]:
        """(title, text) to show people after an evaluation; it goes to samples.txt. "" for nothing."""
        return "", ""

    def artifacts(self, params: Any, evaluation: Evaluation, run: Path) -> None:
        """Writes what a finished run shows: plots, predictions; summary.txt is printed. ``evaluation``
        is that of all splits."""


def evaluate_all(task: Task, params: Any) -> Evaluation:
    """The evaluation of every split, as at the end of training: train, valid, test."""
    return merged(task.evaluate(params, split) for split in ("train", "valid", "test"))


def merged(evaluations: Iterable[Evaluation]) -> Evaluation:
    """Several evaluations as one; of metrics by the same name the last."""
    whole = Evaluation({}, {})
    for metrics, shown in evaluations:
        whole = Evaluation(whole.metrics | metrics, whole.shown | shown)
    return whole
