"""Dynamic evaluation: the parameters follow the text that is read (Krause et al. 2018).

Every segment of the text is predicted first. Then the parameters take one step down the gradient of its
loss, and a small step back to those of training:

    p <- p - rate g / (s + damping mean(s)) + min(decay s / mean(s), 1) (p_trained - p)

g is the gradient of the segment's mean loss, s the root of its mean square on the training text, for each
parameter by itself; mean(s) is over all parameters. Nothing is predicted from what comes after it.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.models import LanguageModel
from zoo.tasks.language_model.scoring import segments

_TOGETHER = 32  # segments of a dispatch
# s is estimated at so many places of the training text, on so many segments from each on.
_LANES, _SEGMENTS = 4, 256


class Settings(NamedTuple):
    """How the parameters follow. ``segment``: symbols a step. Chosen on texts that no figure is of: see
    docs/choices.md."""

    rate: float = 1.5e-3
    decay: float = 0.005
    segment: int = 20
    damping: float = 0.5


class Reader:
    """Reads a text, or lines in order: the parameters follow from line to line, the state does not."""

    def __init__(
        self, model: LanguageModel, params, start: int, train: np.ndarray, settings: Settings
    ):
        """``train``: ids (N,) of the training text, N above a segment."""
        self._model, self._trained, self._start, self._settings = model, params, start, settings
        self._params, self._carry, self._last = params, None, start
        self._scales = _scales(model, params, train, settings)

    def follow(self, ids: np.ndarray, first: bool) -> np.ndarray:
        """Nats of ids (N,) that go on from what was read before; ``first``: from a zero state."""
        if first or self._carry is None:
            self._carry, self._last = self._model.carry(1), self._start
        parts, nats = list(segments(self._last, ids, self._settings.segment)), []
        for at in range(0, len(parts), _TOGETHER):
            some = parts[at : at + _TOGETHER]
            counts = np.zeros(_TOGETHER, np.int32)
            counts[: len(some)] = [count for *_, count in some]
            inputs, targets = np.zeros((2, _TOGETHER, self._settings.segment), np.int32)
            inputs[: len(some)] = [a for a, *_ in some]
            targets[: len(some)] = [b for _, b, _ in some]
            given = (self._trained, *self._scales, self._params, self._carry)
            self._params, self._carry, found = _follow(self._model, *given, inputs, targets, counts)
            found = np.asarray(found)
            nats += [found[i, : counts[i]] for i in range(len(some))]
        self._last = int(ids[-1]) if len(ids) else self._last
        return np.concatenate(nats) if nats else np.zeros(0)


def _gradient(model, params, carry, inputs, targets, count):
    """(carry, nats (S,)), gradient of the mean of the first ``count`` of them."""

    def loss(params):
        given = inputs[None], targets[None], carry
        after, nats = model.apply(params, *given, lengths=count[None], method="nats")
        counted = jnp.where(jnp.arange(nats.shape[1]) < count, nats[0], 0)
        return jnp.sum(counted) / jnp.maximum(count, 1).astype(nats.dtype), (after, nats[0])

    gradient, (after, nats) = jax.grad(loss, has_aux=True)(params)
    return (after, nats), gradient


@partial(jax.jit, static_argnums=0)
def _follow(model, trained, steps, back, params, carry, inputs, targets, counts):
    def segment(state, given):
        params, carry = state
        (carry, nats), gradient = _gradient(model, params, carry, *given)
        share = given[2].astype(nats.dtype) / inputs.shape[1]  # a short segment takes a short step

        def moved(p, at, g, step, back):
            return p - share * step * g + share * back * (at - p)

        return (jax.tree.map(moved, params, trained, gradient, steps, back), carry), nats

    (params, carry), nats = lax.scan(segment, (params, carry), (inputs, targets, counts))
    return params, carry, nats


def _scales(model, params, train, settings) -> tuple[Any, Any]:
    """Of each parameter rate / (s + damping mean(s)), and min(decay s / mean(s), 1)."""
    size = settings.segment
    steps = max(1, min(_SEGMENTS, (len(train) - 1) // (_LANES * size)))
    starts = np.linspace(0, len(train) - 1 - steps * size, _LANES).astype(int).clip(0)
    windows = np.stack([train[at : at + steps * size + 1] for at in starts])
    cut = (_LANES, -1, size)
    inputs, targets = (a.reshape(cut).swapaxes(0, 1) for a in (windows[:, :-1], windows[:, 1:]))
    root = jax.tree.map(jnp.sqrt, _mean_squares(model, params, inputs, targets))
    count = sum(a.size for a in jax.tree.leaves(root))
    mean = sum(jnp.sum(a) for a in jax.tree.leaves(root)) / count
    step = jax.tree.map(lambda s: settings.rate / (s + settings.damping * mean), root)
    return step, jax.tree.map(lambda s: jnp.minimum(settings.decay * s / mean, 1), root)


@partial(jax.jit, static_argnums=0)
def _mean_squares(model, params, inputs, targets):
    """Mean squares of the gradients of segments; inputs and targets (segments, lanes, S)."""

    def one(state, given):
        carries, total = state
        count = jnp.full(inputs.shape[1], inputs.shape[2])
        (carries, _), gradients = jax.vmap(lambda c, x, y, n: _gradient(model, params, c, x, y, n))(
            carries, *given, count
        )
        return (
            carries,
            jax.tree.map(lambda t, g: t + jnp.sum(g**2, axis=0), total, gradients),
        ), None

    carry = jax.tree.map(lambda a: jnp.stack([a] * inputs.shape[1]), model.carry(1))
    zeros = jax.tree.map(jnp.zeros_like, params)
    (_, total), _ = lax.scan(one, (carry, zeros), (inputs, targets))
    return jax.tree.map(lambda t: t / (inputs.shape[0] * inputs.shape[1]), total)
