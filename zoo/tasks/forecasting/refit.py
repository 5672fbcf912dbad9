"""What comes next is forecast by members that have seen all rows; scores are of others, which have not.

Those further members are trained beside the others, on all rows, with as many steps of the same size. They
are no scouts, and nothing judges them: there is no row left that they do not know. The weights of the
candidates and the intervals stay those that the others have earned.
"""

from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from zoo import random
from zoo.data.series import frames
from zoo.tasks.forecasting.config import kinds


class Refit:
    """The members of a task that train on all rows: ``task`` has config, views, frame, stack and
    ``training_origins``."""

    def __init__(self, task):
        self._task = task

    @property
    def members(self) -> int:
        """How many there are, after the others: 0 where no row is held back, or none are asked for."""
        task, c = self._task, self._task.config
        if not c.refit or not (c.data.valid or c.data.test):
            return 0
        return c.ensemble.members - (task.stack.scouts * kinds(c) if task.stack else 0)

    @cached_property
    def origins(self) -> np.ndarray:
        """(n, 2) where forecasts in training begin, of all rows; those of the training part among them."""
        task = self._task
        ends = np.repeat(task.frame.lengths[:, None], len(frames.SPLITS), axis=1)
        need = min(view.need for view in task.views)
        whole = task.frame._replace(ends=ends)
        return frames.origins(whole, "train", need, task.config.model.horizon)

    @cached_property
    def _known(self):
        """Which of them are those of the training part, (m,)."""
        rows = int(self._task.frame.lengths.max()) + 1
        return np.searchsorted(_flat(self.origins, rows), _flat(self._task.training_origins, rows))

    def kept(self, judged: np.ndarray | None) -> np.ndarray:
        """(all members, n) 1 where a member trains on a window. ``judged``: that of the others for the
        origins of the training part; None for all of these."""
        task, first = self._task, self._task.config.ensemble.members
        kept = np.zeros((first + self.members, len(self.origins)), np.float32)
        kept[:first, self._known] = 1 if judged is None else judged
        needs = np.resize([view.need for view in task.views], self.members)
        kept[first:] = self.origins[:, 1] >= needs[:, None]
        return kept

    def order(self, judged: jax.Array, epoch: int) -> jax.Array:
        """(2, steps x batch) rows of the origins in an epoch: in the order ``judged`` of the training
        part, and as many of all. Past the last there is their number."""
        c, n = self._task.config, len(self.origins)
        size = len(judged) + -len(judged) % c.batch_size
        key = jax.random.fold_in(random.key(c.seed, "data", epoch), 1)
        orders = jnp.asarray(self._known)[judged], jax.random.permutation(key, n)
        orders = [jnp.pad(o[:size], (0, max(0, size - len(o))), constant_values=n) for o in orders]
        return jnp.stack(orders).astype(jnp.int32)


def _flat(origins, rows):
    return origins[:, 0].astype(np.int64) * rows + origins[:, 1]
