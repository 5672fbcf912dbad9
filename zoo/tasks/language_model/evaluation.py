"""The loss of a language model on a part of a text.

The part is read once, in contiguous lanes with a state that is kept; each lane first reads the true
past, uncounted, so that no symbol is predicted without context.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.data import batches
from zoo.models import LanguageModel

_LANES, _WARMUP, _BLOCK = 32, 256, 128  # lanes, uncounted symbols, symbols a step


def loss(model: LanguageModel, params, tokens: dict[str, np.ndarray], split: str) -> float:
    """Nats a symbol of a split, each given all before it; ``tokens`` are the ids (N,) of the splits, in
    the order of the text."""
    before = 0
    for name, part in tokens.items():
        if name == split:
            break
        before += len(part)
    whole = np.concatenate(list(tokens.values()))
    total, weight = _sums(model, params, *_lanes(whole, before, len(tokens[split])))
    return float(total) / float(weight)


def _lanes(tokens, before, size):
    """Blocks of the evaluation: inputs, targets and weights, each (blocks, lanes, _BLOCK)."""
    inputs, targets, weights = batches.eval_lanes(before, size, min(_LANES, size), _WARMUP)
    pad = [(0, 0), (0, -inputs.shape[1] % _BLOCK)]

    def blocks(a):
        a = np.pad(a, pad)
        return a.reshape(a.shape[0], -1, _BLOCK).swapaxes(0, 1)

    return tokens[blocks(inputs)], tokens[blocks(targets)], blocks(weights)


@partial(jax.jit, static_argnums=0)
def _sums(model, params, inputs, targets, weights):
    def block(carry, at):
        inputs, targets, weights = at
        carry, nats = model.apply(params, inputs, targets, carry, method="nats")
        return carry, (jnp.sum(nats * weights), jnp.sum(weights))

    carry = model.carry(inputs.shape[1])
    _, (totals, counts) = lax.scan(block, carry, (inputs, targets, weights))
    return jnp.sum(totals), jnp.sum(counts)
