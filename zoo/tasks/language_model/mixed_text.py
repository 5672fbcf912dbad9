"""Text by a network and a Kneser-Ney model: each symbol is drawn from the mean of what both foretell.

The n-gram model counts on the host, so that every symbol goes there and back.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo import random
from zoo.data.text.tokenizers import Tokenizer
from zoo.generate import BLOCK, begun, cuts, noise, restrict
from zoo.models import LanguageModel
from zoo.tasks.kneser_ney import Reader
from zoo.tasks.language_model.mixture import Mixed


def blocks(
    model: LanguageModel,
    params: Any,
    vocabulary: Tokenizer,
    start: np.ndarray,
    mixed: Mixed,
    length: int,
    num: int = 1,
    seed: int = 0,
    **cut: float,
) -> Iterator[np.ndarray]:
    """As ``zoo.generate.generate_blocks``, with the same noise for the same seed; ``cut`` are the settings
    of ``zoo.generate.cuts``."""
    unknown, how = jnp.asarray(vocabulary.unknown_ids, jnp.int32), cuts(**cut)
    key, share = random.key(seed, "sample"), jnp.float32(mixed.share)
    counting = Reader(mixed.counted, num)
    for symbol in start[-len(mixed.counted.orders) :]:
        counting.read(np.full(num, symbol))
    table, state = begun(model, params, start, num, unknown)
    held = []
    for at in range(length):
        foretold = counting.probabilities().astype(np.float32)
        state, drawn = _one(model, params, table, state, unknown, foretold, share, key, at, *how)
        held.append(np.asarray(drawn))
        counting.read(held[-1])
        if at % BLOCK == 0 or at == length - 1:  # the first at once: people wait for it
            yield np.stack(held, axis=1)
            held = []


@partial(jax.jit, static_argnums=0)
def _one(model, params, table, state, unknown, foretold, share, key, at, *how):
    carry, logits = state
    foretold = foretold.at[:, unknown].set(0)
    foretold /= jnp.sum(foretold, axis=1, keepdims=True)
    both = jnp.log((1 - share) * jax.nn.softmax(logits) + share * foretold)
    drawn = jnp.argmax(restrict(both, *how) + noise(key, at[None], logits)[0], axis=-1)
    drawn = drawn.astype(jnp.int32)
    carry, logits = model.apply(params, drawn, carry, table, method="step")
    return (carry, logits.at[:, unknown].set(-jnp.inf)), drawn
