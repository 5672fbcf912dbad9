"""What the training loop asks of a task."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from jax import Array


class Sum(NamedTuple):
    """A sum and the weight it was taken over; their quotient is the mean.

    Losses travel as sums, so that padding, a short last batch and the number of devices change nothing.
    """

    total: Array
    weight: Array


class Task(Protocol):
    """A model, its data, its loss and its evaluation.

    What runs inside the compiled loop is pure: ``indices``, ``gather`` and ``loss``. The order of the
    data is a function of (seed, epoch), made outside the loop, once an epoch.

    A task with ``members`` = N is a bank: N models of the same shapes that are trained at once and
    know nothing of each other. ``init``, ``carry``, ``indices``, ``gather`` and ``loss`` are then of
    one member, whose index goes to ``indices``; parameters are stacked, (N, ...) each, and
    ``evaluate`` may give (N,) for a metric, by which each member keeps its own best parameters.
    """

    members: int = 0

    def prepare(self, run: Path) -> None:
        """Writes what a run is rebuilt from besides config.json, such as a vocabulary."""

    def init(self, key: Array) -> Any:
        """The parameters before training."""

    def carry(self) -> Any:
        """What is kept between batches, before the first; () for nothing."""

    def sums(self) -> tuple[str, ...]:
        """The names of the sums that ``loss`` returns; "loss" is the one that is minimised."""

    def steps_per_epoch(self, split: str) -> int:
        """Batches in one pass."""

    def tokens_per_step(self) -> int:
        """Tokens (or time steps) in one batch, for the speed that people see."""

    def data(self, split: str) -> Any:
        """Arrays that go to the device once, as an argument of the compiled loop."""

    def order(self, split: str, epoch: int) -> Any:
        """The order of one epoch, from the seed and the epoch alone."""

    def indices(self, order: Any, i: Array) -> Any:
        """Where the i-th batch of the epoch lies in the data; i is traced. For a bank there is a third
        argument, the member's index."""

    def gather(self, data: Any, indices: Any) -> Any:
        """The batch; the same for arrays on the device and memory-mapped ones."""

    def loss(self, params: Any, carry: Any, batch: Any, key: Array) -> tuple[dict[str, Sum], Any]:
        """Sums over the batch, and the carry after it."""

    def evaluate(self, params: Any, split: str) -> dict[str, float | np.ndarray]:
        """Metrics of a split, such as "valid_loss"; {} where there is no such split, and for "train"
        where a pass over it costs too much. At the end all are evaluated, "train" first."""

    def observe(self, params: Any, step: int, record: dict) -> tuple[str, str]:
        """(title, text) to show people after an evaluation; it goes to samples.txt. "" for nothing."""

    def artifacts(self, params: Any, run: Path, metrics: dict[str, float]) -> None:
        """Writes what a finished run shows: samples, plots, predictions; summary.txt is printed."""

    def unit(self) -> str:
        """What the loss is measured in, for its plot."""
