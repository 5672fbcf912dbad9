"""A classifier of sequences: embedding, recurrent layers, one vector of all steps, softmax."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.nn.initializers import glorot_uniform, normal

from zoo import random
from zoo.models import stack as stacked
from zoo.models.softmax import cross_entropy_of, sampled_cross_entropy_of
from zoo.unroll import bidirectional, locked_dropout, stack, unroll

POOLS = ("last", "mean", "max", "attention")
# What keys are drawn from the dropout key for; numbers below are of matrices, for their weight drop.
_INPUT, _OUTPUT, _BETWEEN, _SYMBOLS = 1000, 2000, 3000, 4000


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
    embed_drop:    share of the symbols whose vectors are 0 in a batch, wherever they stand (Gal &
                   Ghahramani 2016, Merity et al. 2018)
    dropout_out:   dropout on the pooled vector
    weight_drop:   DropConnect on the recurrent matrices (Merity et al. 2018)
    activation, temporal: weights of the mean square of the last layer's output, and of its change from
                   step to step, among the "penalties" of a training step (Merity et al. 2017)
    precision:     "bfloat16" for products of that type in the layers of a training step (Micikevicius et
                   al. 2018); parameters, sums and all else stay as they are
    reads:         whether it has what ``language`` needs to foretell symbols
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
    embed_drop: float = 0.0
    dropout_out: float = 0.0
    weight_drop: float = 0.0
    activation: float = 0.0
    temporal: float = 0.0
    precision: str = "float32"
    reads: bool = False

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
        if self.reads:
            self.project = self.param("project", glorot_uniform(), (self.hidden, self.embed))
            self.symbol_bias = self.param("symbol_bias", nn.initializers.zeros, (self.vocab,))

    def __call__(self, tokens: Array, lengths: Array, *, train: bool = False) -> Array:
        """tokens (B, T) ints, lengths (B,) ints in [0, T] -> logits (B, C).

        What stands after a sequence's length changes nothing, to the bit, as long as T is 5 or more. With
        ``train`` the dropout is on, and ``apply`` needs ``rngs={"dropout": key}``.
        """
        return self.of_vectors(self.vectors(tokens, train=train), lengths, train=train)

    def vectors(self, tokens: Array, *, train: bool = False) -> Array:
        """Embedded sequences (T, B, E) of tokens (B, T), with ``train`` under ``embed_drop``."""
        xs = self.embedding[tokens.T]
        if not (train and self.embed_drop):
            return xs
        key = jax.random.fold_in(self.make_rng("dropout"), _SYMBOLS)
        kept = random.keep(key, self.embed_drop, (self.vocab,)).astype(xs.dtype)
        return xs * (kept / (1 - self.embed_drop))[tokens.T][..., None]

    def of_vectors(self, xs: Array, lengths: Array, *, train: bool = False) -> Array:
        """Logits (B, C) of embedded sequences xs (T, B, E): for losses that change the embedding."""
        pooled, _ = self._pooled(xs, lengths, train)
        return pooled @ self.kernel + self.bias[None]

    def language(
        self,
        tokens: Array,
        lengths: Array,
        negatives: tuple[Array, Array] | None = None,
        *,
        train: bool = False,
    ) -> tuple[Array, Array]:
        """How well the first layer foretells symbols: forward the next one, backward the one before.

        tokens (B, T), lengths (B,) -> (sum of -log P in nats, number of symbols foretold). The unknown
        symbol, 0, need not be foretold. The softmax has the embedding's weights (Press & Wolf 2017).

        negatives: symbols that stand for the whole vocabulary, and the log of how often each symbol is
                   expected among them; see ``sampled_cross_entropy_of``
        """
        xs, layer = self.vectors(tokens, train=train), self.stack[0]
        if train:
            key = self.make_rng("dropout")
            layer = self._dropped(key)[0]
            xs = locked_dropout(jax.random.fold_in(key, _INPUT), xs, self.dropout_in)
        tokens = tokens.T
        within = jnp.arange(len(tokens))[:, None] < lengths[None]
        there = within & (tokens > 0)
        if self.bidirectional:
            _, ys = bidirectional(self._cell, layer, xs, lengths=lengths)
            after, before = jnp.split(ys, 2, axis=-1)
            ys = jnp.concatenate([after[:-1], before[1:]])
            targets = jnp.concatenate([tokens[1:], tokens[:-1]])
            there = jnp.concatenate([there[1:], there[:-1] & within[1:]])
        else:
            _, ys = unroll(self._cell, layer, xs, lengths=lengths)
            ys, targets, there = ys[:-1], tokens[1:], there[1:]
        if train:
            ys = locked_dropout(jax.random.fold_in(key, _OUTPUT), ys, self.dropout_out)
        ys = ys @ self.project
        if negatives is None:
            nats = cross_entropy_of(ys, self.embedding.T, self.symbol_bias, targets)
        else:
            nats = sampled_cross_entropy_of(
                ys, self.embedding, self.symbol_bias, targets, *negatives
            )
        return jnp.sum(jnp.where(there, nats, 0)), jnp.sum(there.astype(nats.dtype))

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
        if train:
            stacked.penalise(self, ys, ys)
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
        """The layers of a training step, with weight drop on each matrix by a key of its own."""

        def one(number, params):
            own = jax.random.fold_in(key, number)
            return self._in_training(stacked.weight_drop(own, params, self.weight_drop))

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
