"""A classifier of sequences: embedding, recurrent layers, one vector of all steps, softmax."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.nn.initializers import glorot_uniform, normal

from zoo.models import stack as stacked
from zoo.unroll import bidirectional, locked_dropout, stack, unroll

POOLS = ("last", "mean", "max", "attention")
# What keys are drawn from the dropout key for; numbers below are of matrices, for their weight drop.
_INPUT, _OUTPUT, _BETWEEN = 1000, 2000, 3000


class Classifier(stacked.Stacked, nn.Module):
    """Which class a sequence of symbols is of.

    vocab:         V, the number of symbols
    classes:       C
    embed:         E, the size of the embedding
    hidden:        H, units a layer and direction
    bidirectional: whether each layer reads from both ends
    pool:          what a sequence becomes: "last", the state after its last step, in each direction;
                   "mean" or "max" of all steps; "attention", their mean by learned weights
                   (Yang et al. 2016, of words)
    dropout:       locked dropout between layers (Gal & Ghahramani 2016)
    dropout_in:    locked dropout on the embedding
    dropout_out:   dropout on the pooled vector
    weight_drop:   DropConnect on the recurrent matrices (Merity et al. 2018)
    """

    vocab: int
    classes: int
    embed: int
    hidden: int
    layers: int = 1
    cell: str = "lstm"
    bidirectional: bool = True
    pool: str = "last"
    dropout: float = 0.0
    dropout_in: float = 0.0
    dropout_out: float = 0.0
    weight_drop: float = 0.0

    def setup(self):
        if self.pool not in POOLS:
            raise ValueError(f"pool must be one of {', '.join(POOLS)}; got {self.pool!r}")
        self.embedding = self.param("embedding", normal(0.1), (self.vocab, self.embed))
        layers = self._layers()
        if self.bidirectional:
            layers = list(zip(layers, self._layers("backward"), strict=True))
        self.stack = layers
        width = self.hidden * (1 + self.bidirectional)
        if self.pool == "attention":
            self.attend = self.param("attend", glorot_uniform(), (width, width))
            self.query = self.param("query", normal(width**-0.5), (width,))
        self.kernel = self.param("kernel", glorot_uniform(), (width, self.classes))
        self.bias = self.param("bias", nn.initializers.zeros, (self.classes,))

    def __call__(self, tokens: Array, lengths: Array, *, train: bool = False) -> Array:
        """tokens (B, T) ints, lengths (B,) ints in [0, T] -> logits (B, C).

        What stands after a sequence's length changes nothing, to the bit, as long as T is 5 or more. With
        ``train`` the dropout is on, and ``apply`` needs ``rngs={"dropout": key}``.
        """
        return self.of_vectors(self.embedding[tokens.T], lengths, train=train)

    def of_vectors(self, xs: Array, lengths: Array, *, train: bool = False) -> Array:
        """Logits (B, C) of embedded sequences xs (T, B, E): for losses that change the embedding."""
        pooled, _ = self._pooled(xs, lengths, train)
        return pooled @ self.kernel + self.bias[None]

    def weights(self, tokens: Array, lengths: Array) -> Array:
        """How much of a sequence's vector each step makes up, (B, T), with a sum of 1: of "attention"."""
        return self._pooled(self.embedding[tokens.T], lengths, False)[1].T

    def _pooled(self, xs, lengths, train):
        layers, between, key = self.stack, None, None
        if train:
            key = self.make_rng("dropout")
            layers = self._dropped(key)
            xs = locked_dropout(jax.random.fold_in(key, _INPUT), xs, self.dropout_in)
            between = jax.random.fold_in(key, _BETWEEN)
        layer = bidirectional if self.bidirectional else unroll
        options = {"lengths": lengths, "dropout": self.dropout, "key": between, "layer": layer}
        carry, ys = stack(self._cell, layers, xs, **options)
        within = jnp.arange(len(ys))[:, None] < lengths[None]
        weights = within.astype(ys.dtype) / jnp.maximum(lengths, 1)[None].astype(ys.dtype)
        if self.pool == "last":
            ends = carry[-1] if self.bidirectional else carry[-1:]
            pooled = jnp.concatenate([end.h for end in ends], axis=-1)
        elif self.pool == "max":
            none = jnp.where(lengths > 0, -jnp.inf, 0)[:, None]
            pooled = jnp.max(jnp.where(within[..., None], ys, none[None].astype(ys.dtype)), axis=0)
        else:
            if self.pool == "attention":
                scores = jnp.tanh(ys @ self.attend) @ self.query
                weights = _softmax(scores, within)
            pooled = _in_order(weights[..., None] * ys)
        if train:
            out = jax.random.fold_in(key, _OUTPUT)
            pooled = locked_dropout(out, pooled[None], self.dropout_out)[0]
        return pooled, weights

    def _dropped(self, key):
        """The layers, with weight drop on each matrix by a key of its own."""

        def one(number, params):
            return stacked.weight_drop(jax.random.fold_in(key, number), params, self.weight_drop)

        if not self.bidirectional:
            return [one(i, params) for i, params in enumerate(self.stack)]
        return [(one(2 * i, a), one(2 * i + 1, b)) for i, (a, b) in enumerate(self.stack)]

    @nn.nowrap
    def _pairs(self):
        later = self.hidden * (1 + self.bidirectional)
        return [(self.embed if not i else later, self.hidden) for i in range(self.layers)]


def _softmax(scores, within):
    """Over the steps (T, B) that lie within; zeros of a sequence without any."""
    highest = jnp.max(jnp.where(within, scores, -jnp.inf), axis=0)
    powers = jnp.exp(jnp.where(within, scores - lax.stop_gradient(highest)[None], -jnp.inf))
    return powers / jnp.maximum(_in_order(powers), jnp.finfo(scores.dtype).tiny)[None]


def _in_order(terms):
    """The sum over the first axis, one after the other: zeros behind the last do not change its bits."""
    return lax.scan(lambda total, term: (total + term, None), jnp.zeros_like(terms[0]), terms)[0]
