"""The loss of a language model on a part of a text.

The part is read once, in contiguous lanes with a state that is kept; each lane first reads the true
past, uncounted, so that no symbol is predicted without context. A long part is read some blocks at a time:
memory does not grow with it.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.data import batches, mapped
from zoo.models import LanguageModel

_LANES, _WARMUP, _BLOCK = 32, 256, 128  # lanes, uncounted symbols, symbols a step
_BLOCKS = 256  # that are on the device at once: a million symbols


def loss(model: LanguageModel, params, tokens: dict[str, np.ndarray], split: str) -> float:
    """Nats a symbol of a split, each given all before it; ``tokens`` are the ids (N,) of the splits, in
    the order of the text."""
    total, weight, carry = 0.0, 0.0, None
    for blocks in _lanes(past(tokens, split), tokens[split]):
        carry = model.carry(blocks[0].shape[1]) if carry is None else carry
        carry, nats, count = _sums(model, params, carry, *blocks)
        total, weight = total + float(nats), weight + float(count)
    return total / weight


def nats(model: LanguageModel, params, tokens: dict[str, np.ndarray], split: str) -> np.ndarray:
    """The same of each symbol by itself, (N,); without the first one where nothing is before it."""
    carry, found, counted = None, [], []
    for inputs, targets, weights in _lanes(past(tokens, split), tokens[split]):
        carry = model.carry(inputs.shape[1]) if carry is None else carry
        carry, each = _each(model, params, carry, inputs, targets)
        found.append(np.asarray(each))
        counted.append(weights > 0)
    # Lanes are stretches of the text, one after the other.
    found, counted = (np.concatenate(a).swapaxes(0, 1) for a in (found, counted))
    return found[counted]


def past(tokens: dict[str, np.ndarray], split: str) -> np.ndarray:
    """The ids before a split: as many as any lane reads of them."""
    before = []
    for name, part in tokens.items():
        if name == split:
            break
        before.append(part[-_WARMUP - 1 :])
    return np.concatenate([np.zeros(0, np.int32), *before])[-_WARMUP - 1 :]


def _lanes(past, part):
    """Some blocks at a time: inputs, targets and weights, each (blocks, lanes, _BLOCK)."""
    lanes = min(_LANES, len(part))
    sizes = len(past), len(part), lanes, _WARMUP
    number = -(-batches.eval_width(*sizes) // _BLOCK)
    for first in range(0, number, _BLOCKS):
        # Several times _BLOCKS: all of one length, the last one padded.
        last = first + _BLOCKS if number > _BLOCKS else number
        at = batches.eval_lanes(*sizes, columns=(first * _BLOCK, last * _BLOCK))
        ids = partial(_read, past, mapped.reopened(part))
        yield tuple(map(_blocks, (ids(at.inputs), ids(at.targets), at.weights)))


def _read(past, part, at):
    """Ids at places of the past and the part together, int32."""
    inside = part[np.maximum(at - len(past), 0)]
    if not len(past):
        return inside.astype(np.int32)
    return np.where(at < len(past), past[np.minimum(at, len(past) - 1)], inside).astype(np.int32)


def _blocks(array):
    """(lanes, width) -> (blocks, lanes, _BLOCK)."""
    return array.reshape(len(array), -1, _BLOCK).swapaxes(0, 1)


@partial(jax.jit, static_argnums=0)
def _sums(model, params, carry, inputs, targets, weights):
    def block(carry, at):
        inputs, targets, weights = at
        carry, nats = model.apply(params, inputs, targets, carry, method="nats")
        return carry, (jnp.sum(nats * weights), jnp.sum(weights))

    carry, (totals, counts) = lax.scan(block, carry, (inputs, targets, weights))
    return carry, jnp.sum(totals), jnp.sum(counts)


@partial(jax.jit, static_argnums=0)
def _each(model, params, carry, inputs, targets):
    def block(carry, at):
        return model.apply(params, *at, carry, method="nats")

    return lax.scan(block, carry, (inputs, targets))
