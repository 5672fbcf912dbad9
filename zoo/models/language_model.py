"""A language model of symbols: characters, bytes or words."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import glorot_uniform, normal

from zoo.models import stack as stacked
from zoo.unroll import locked_dropout, stack

# What keys are drawn from the dropout key for; numbers below are of layers, for their weight drop.
_INPUT, _OUTPUT, _BETWEEN = 1000, 2000, 3000


class LanguageModel(stacked.Stacked, nn.Module):
    """Embedding, a stack of recurrent layers, softmax; the same for characters, bytes and words.

    vocab:       V, the number of symbols
    embed:       E, the size of the embedding; 0 for one-hot symbols
    hidden:      H, units a layer
    layers:      number of layers
    cell:        a name in ``zoo.cells.CELLS``
    dropout:     locked dropout between layers (Gal & Ghahramani 2016)
    dropout_in:  locked dropout on the embedding
    dropout_out: locked dropout on the last layer's output
    weight_drop: DropConnect on each layer's recurrent matrix (Merity et al. 2018)
    tie:         softmax with the embedding's weights (Press & Wolf 2017); the last layer then has E units
    classes:     kinds of text that one model tells apart, such as languages; 0 for one kind. Each has a
                 learned vector of ``class_embed`` numbers, fed at every step, and its own bias
    """

    vocab: int
    embed: int
    hidden: int
    layers: int = 1
    cell: str = "lstm"
    dropout: float = 0.0
    dropout_in: float = 0.0
    dropout_out: float = 0.0
    weight_drop: float = 0.0
    tie: bool = False
    classes: int = 0
    class_embed: int = 0

    def setup(self):
        sizes = self._sizes()
        if self.embed:
            self.embedding = self.param("embedding", normal(0.1), (self.vocab, self.embed))
        self.stack = self._layers()
        self.bias = self.param("bias", nn.initializers.zeros, (self.vocab,))
        if not self.tie:
            self.kernel = self.param("kernel", glorot_uniform(), (sizes[-1], self.vocab))
        if self.classes:
            self.vectors = self.param("vectors", normal(0.5), (self.classes, self.class_embed))
            self.biases = self.param("biases", nn.initializers.zeros, (self.classes, self.vocab))

    def __call__(
        self,
        tokens: Array,
        carry: Any = None,
        label: Array | None = None,
        *,
        train: bool = False,
    ) -> tuple[Any, Array]:
        """tokens (B, T) ints, label (B,) ints where there are classes -> (carry, logits (B, T, V)).

        ``carry`` is one entry a layer, each layer's own NamedTuple of (B, H); zeros when None.
        With ``train`` the dropout is on, and ``apply`` needs ``rngs={"dropout": key}``.
        """
        layers, between = self.stack, None
        xs = self.embedding[tokens.T] if self.embed else jax.nn.one_hot(tokens.T, self.vocab)
        if self.classes:
            vectors = self.vectors[label][None]
            vectors = jnp.broadcast_to(vectors, (len(xs), *vectors.shape[1:]))
            xs = jnp.concatenate([xs, vectors], axis=-1)
        if train:
            key = self.make_rng("dropout")
            keys = [jax.random.fold_in(key, i) for i in range(len(layers))]
            layers = [
                stacked.weight_drop(k, params, self.weight_drop)
                for k, params in zip(keys, layers, strict=True)
            ]
            xs = locked_dropout(jax.random.fold_in(key, _INPUT), xs, self.dropout_in)
            between = jax.random.fold_in(key, _BETWEEN)
        carry, ys = stack(self._cell, layers, xs, carry, dropout=self.dropout, key=between)
        if train:
            ys = locked_dropout(jax.random.fold_in(key, _OUTPUT), ys, self.dropout_out)
        kernel = self.embedding.T if self.tie else self.kernel
        bias = self.bias[None, None]
        if self.classes:
            bias += self.biases[label][:, None]
        return carry, ys.swapaxes(0, 1) @ kernel + bias

    @nn.nowrap
    def _sizes(self):
        last = self.embed if self.tie else self.hidden
        first = (self.embed or self.vocab) + self.class_embed * bool(self.classes)
        return [first] + [self.hidden] * (self.layers - 1) + [last]
