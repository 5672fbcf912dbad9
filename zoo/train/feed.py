"""Where the loop's batches come from: data on the device, or data beyond it, fed ahead of time.

A task whose ``data`` are memory maps keeps them on disk. The same ``indices`` and ``gather`` then make
batches on the host, some blocks of steps ahead of the device, while it works. The batches are the same,
integer by integer, and so is all that is computed of them.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from zoo.data import mapped
from zoo.errors import UserError
from zoo.train import hosts, mesh
from zoo.train.job import Job

_BYTES, _STEPS = 1 << 22, 1024  # of a block, at most
_AHEAD = 2  # blocks that are made or wait while another is used
_REOPEN = 16  # steps that are read through one memory map


class Block(NamedTuple):
    """The batches of some steps, one after the other: what the compiled loop gets in the place of data.

    first:   int32 (), the step of the first
    batches: (steps, ...) each
    """

    first: Array
    batches: Any

    def at(self, step: Array) -> Any:
        """The batch of a step."""
        return jax.tree.map(lambda a: a[step - self.first], self.batches)


class Given(NamedTuple):
    """What the compiled loop gets, and the step before which it must be asked for again."""

    data: Any
    orders: Any
    until: int


def indices(task, per_epoch: int, orders: Any, step: Array, member: Array | int) -> Any:
    """Where the batch of a step lies in the data; ``orders`` are those of its span."""
    epoch, i = jnp.divmod(step, per_epoch)
    order = jax.tree.map(lambda a: a[epoch % len(a)], orders)
    return task.indices(order, i, member)


def of(job: Job, orders_at):
    """What feeds a job: ``Resident``, or ``Ahead`` where its data are memory maps. ``orders_at`` is that of
    ``zoo.train.step.orders``."""
    data = job.task.data("train")
    return (Ahead if mapped.is_mapped(data) else Resident)(job, data, orders_at)


class Resident:
    """All data on the device, and the orders of a span of epochs."""

    def __init__(self, job: Job, data, orders_at):
        self._mesh, self._data = job.mesh, mesh.replicated(job.mesh, data)
        self._span, self._orders_at = job.plan.span * job.plan.per_epoch, orders_at
        self._at, self._orders = None, None

    def at(self, step: int) -> Given:
        """From this step on."""
        span = step // self._span
        if span != self._at:
            self._at, self._orders = span, self._orders_at(step)
            if hosts.several():
                self._orders = mesh.replicated(self._mesh, self._orders)
        return Given(self._data, self._orders, (span + 1) * self._span)

    def close(self) -> None:
        """Nothing runs."""


class Ahead:
    """Blocks of batches that a thread reads from memory maps, ahead of the steps that need them."""

    def __init__(self, job: Job, data, orders_at):
        """Raises UserError for a bank: its members read different batches."""
        if job.task.members:
            raise UserError("data beyond memory are read by one model: several cannot be trained")
        self._job, self._data, self._orders_at = job, data, orders_at
        self._span = job.plan.span * job.plan.per_epoch
        self._orders = (None, None)
        # Beside the device, which is busy with the steps before.
        self._device = jax.local_devices(backend="cpu")[0]
        per_epoch = job.plan.per_epoch
        some = jax.vmap(lambda o, s: indices(job.task, per_epoch, o, s, 0), in_axes=(None, 0))
        self._indices = jax.jit(some)
        self._steps = None
        self._thread = ThreadPoolExecutor(1)
        self._blocks = deque()  # (first step, last + 1, what will be the block)
        self._now = None

    def at(self, step: int) -> Given:
        """From this step on; waits for the block that has it."""
        if self._now is None or not self._now[0] <= step < self._now[1]:
            if not self._blocks:
                self._put(step)
            first, end, block = self._blocks.popleft()
            if first != step:
                raise ValueError(f"blocks go on with step {first}, not {step}")
            # The other arrays are let go of first: no more blocks in memory than are counted.
            self._now = None
            self._now = first, end, block.result()
            while len(self._blocks) < _AHEAD:
                self._put(self._blocks[-1][1] if self._blocks else end)
        _, end, block = self._now
        return Given(block, (), end)

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _put(self, first):
        if self._steps is None:
            size = sum(a.nbytes for a in jax.tree.leaves(self._batches(first, 1)))
            # Not fewer for a short training: it has the compiled loop of a long one.
            self._steps = max(1, min(_BYTES // size, _STEPS, self._span))
        # A block is of one span. All are of one length, which the compiled loop has: what is too much
        # is not used.
        end = min(first + self._steps, (first // self._span + 1) * self._span)
        self._blocks.append((first, end, self._thread.submit(self._block, first)))

    def _block(self, first):
        block = Block(np.int32(first), self._batches(first, self._steps))
        return mesh.replicated(self._job.mesh, block)

    def _batches(self, first, count):
        """The batches of ``count`` steps, stacked; after the end of a span its last step's."""
        span = first // self._span
        if span != self._orders[0]:
            self._orders = span, jax.device_put(self._orders_at(first), self._device)
        steps = np.minimum(first + np.arange(count), (span + 1) * self._span - 1)
        steps = jax.device_put(steps.astype(np.int32), self._device)
        places = jax.tree.map(np.asarray, self._indices(self._orders[1], steps))
        batches, data = [], self._data
        for i in range(count):
            if i % _REOPEN == 0:
                data = mapped.reopened(self._data)
            one = jax.tree.map(lambda a, i=i: a[i], places)
            batches.append(self._job.task.gather(data, one))
        return jax.tree.map(lambda *each: np.stack(each), *batches)
