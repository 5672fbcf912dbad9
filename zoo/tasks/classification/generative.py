"""P(text | class) P(class) by a language model that knows the class (Yogatama et al. 2017).

It learns from fewer texts than P(class | text) does, and it is asked once for each class.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from zoo.models import LanguageModel
from zoo.tasks.protocol import Sum


def nats(
    model: LanguageModel, params, tokens: Array, lengths: Array, labels: Array, **options
) -> Array:
    """-log P(text | class), (B,), of tokens (B, T), lengths (B,) and classes (B,): the sum over its
    symbols. The symbol 0 stands before the first."""
    before = jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)))
    _, each = model.apply(params, before, tokens, None, labels, method="nats", **options)
    within = jnp.arange(tokens.shape[1])[None] < lengths[:, None]
    return jnp.sum(jnp.where(within, each, 0), axis=1)


def loss(model: LanguageModel, params, tokens: Array, batch: dict[str, Array], key: Array) -> Sum:
    """In nats a symbol, of tokens (B, T) by their own classes."""
    lengths, options = batch["lengths"], {"train": True, "rngs": {"dropout": key}}
    each = nats(model, params, tokens, lengths, batch["labels"], **options)
    weights = batch["weights"]
    return Sum(jnp.sum(each * weights), jnp.sum(lengths.astype(weights.dtype) * weights))


def log_p(model: LanguageModel, params, tokens: Array, lengths: Array, log_prior: Array) -> Array:
    """log P(class | text) (B, C), by Bayes' rule from log P(class) (C,)."""

    def one(label):
        return -nats(model, params, tokens, lengths, jnp.full(len(tokens), label, jnp.int32))

    each = lax.map(one, jnp.arange(len(log_prior), dtype=jnp.int32))
    return jax.nn.log_softmax(each.T + log_prior[None])
