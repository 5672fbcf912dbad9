"""-log P of each symbol of a text, each given all before it, in memory that does not grow with the text."""

import heapq
from functools import partial

import jax
import numpy as np

from zoo.models import LanguageModel

LONG = 4096  # symbols; a longer line is read alone
LANES = (1, 8, 64)  # lines that are read side by side; few shapes, few programs
_SIDE, _ALONE = 128, 512  # symbols a step, of lines side by side and of one text


class Reader:
    """Reads by a model whose parameters stay as they are. ``start``: the symbol that stands before a text,
    and before a line."""

    def __init__(self, model: LanguageModel, params, start: int):
        self._model, self._params, self._start = model, params, start
        self._carry, self._last = None, start

    def lines(self, lines: list[np.ndarray]) -> list[np.ndarray]:
        """Nats of the ids of lines that know nothing of each other, as many arrays as given.

        They are laid one after the other into lanes, which are about equally full.
        """
        count = next((n for n in LANES if n >= len(lines)), LANES[-1])
        lanes, places = [(0, i) for i in range(count)], {}
        for i in sorted(range(len(lines)), key=lambda i: -len(lines[i])):
            used, lane = heapq.heappop(lanes)
            places[i] = lane, used
            heapq.heappush(lanes, (used + len(lines[i]), lane))
        width = -(-max(used for used, _ in lanes) // _SIDE) * _SIDE
        inputs, targets = np.zeros((2, count, width), np.int32)
        fresh = np.zeros((count, width), bool)
        for i, (lane, at) in places.items():
            if n := len(lines[i]):
                inputs[lane, at : at + n] = np.append(self._start, lines[i][:-1])
                targets[lane, at : at + n] = lines[i]
                fresh[lane, at] = True
        carry, nats = self._model.carry(count), [np.zeros((count, 0))]
        for at in range(0, width, _SIDE):
            some = (a[:, at : at + _SIDE] for a in (inputs, targets, fresh))
            carry, found = _side_by_side(self._model, self._params, carry, *some)
            nats.append(found)
        nats = np.concatenate(nats, axis=1)
        return [nats[lane, at : at + len(lines[i])] for i, (lane, at) in sorted(places.items())]

    def follow(self, ids: np.ndarray, first: bool) -> np.ndarray:
        """Nats of ids (N,) that go on from what was read before; ``first``: from nothing."""
        if first or self._carry is None:
            self._carry, self._last = self._model.carry(1), self._start
        nats = []
        for inputs, targets, count in segments(self._last, ids, _ALONE):
            given = inputs[None], targets[None], np.array([count])
            self._carry, found = _alone(self._model, self._params, self._carry, *given)
            nats.append(np.asarray(found)[0, :count])
        self._last = int(ids[-1]) if len(ids) else self._last
        return np.concatenate(nats) if nats else np.zeros(0)


def segments(last: int, ids: np.ndarray, size: int):
    """(inputs (size,), targets (size,), how many of them count) of ids (N,) that come after ``last``."""
    inputs = np.append(last, ids[:-1]) if len(ids) else ids
    for at in range(0, len(ids), size):
        count = min(size, len(ids) - at)
        pad = 0, size - count
        yield np.pad(inputs[at : at + count], pad), np.pad(ids[at : at + count], pad), count


@partial(jax.jit, static_argnums=0)
def _side_by_side(model, params, carry, inputs, targets, fresh):
    return model.apply(params, inputs, targets, carry, resets=fresh, method="nats")


@partial(jax.jit, static_argnums=0)
def _alone(model, params, carry, inputs, targets, lengths):
    return model.apply(params, inputs, targets, carry, lengths=lengths, method="nats")
