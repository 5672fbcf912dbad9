"""A model of the symbol that follows a window of others."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import glorot_uniform, normal

from zoo.models import stack as stacked
from zoo.unroll import bidirectional, locked_dropout, stack, unroll

_OUTPUT, _BETWEEN = 2000, 3000  # what keys are drawn from the dropout key for


class WindowModel(stacked.Stacked, nn.Module):
    """Recurrent layers over a window of symbols, and a softmax over the one that follows it.

    vocab:         V, the number of symbols; V itself pads a window on its left
    embed:         E, the size of the embedding; 0 for the number of a symbol divided by V
    hidden:        H, units a layer and direction
    layers:        number of layers
    cell:          a name in ``zoo.cells.CELLS``
    bidirectional: whether each layer reads the window from both ends
    dropout:       locked dropout between layers
    dropout_out:   dropout on what the softmax reads: the last step of each direction
    precision:     "bfloat16" for products of that type in the layers of a training step (Micikevicius et
                   al. 2018); parameters, sums and all else stay as they are
    """

    vocab: int
    embed: int
    hidden: int
    layers: int = 1
    cell: str = "lstm"
    bidirectional: bool = False
    dropout: float = 0.0
    dropout_out: float = 0.0
    precision: str = "float32"

    def setup(self):
        if self.embed:
            self.embedding = self.param("embedding", normal(0.1), (self.vocab + 1, self.embed))
        layers = self._layers()
        if self.bidirectional:
            layers = list(zip(layers, self._layers("backward"), strict=True))
        self.stack = layers
        width = self.hidden * (1 + self.bidirectional)
        self.kernel = self.param("kernel", glorot_uniform(), (width, self.vocab))
        self.bias = self.param("bias", nn.initializers.zeros, (self.vocab,))

    def __call__(self, tokens: Array, *, train: bool = False, every: bool = False) -> Array:
        """tokens (B, T) ints -> logits (B, V). With ``train`` the dropout is on, and ``apply`` needs
        ``rngs={"dropout": key}``. With ``every``, of one direction only: logits (B, T, V) of what follows
        each of the symbols."""
        if self.embed:
            xs = self.embedding[tokens.T]
        else:
            xs = (tokens.T / self.vocab).astype(self.kernel.dtype)[..., None]
        key = self.make_rng("dropout") if train else None
        between = None if key is None else jax.random.fold_in(key, _BETWEEN)
        options = {"dropout": self.dropout, "key": between}
        options["layer"] = bidirectional if self.bidirectional else unroll
        layers = self._in_training(self.stack) if train else self.stack
        carry, ys = stack(self._cell, layers, xs, **options)
        if not every:
            ends = carry[-1] if self.bidirectional else carry[-1:]
            ys = jnp.concatenate([end.h for end in ends], axis=-1)[None]
        if train:
            ys = locked_dropout(jax.random.fold_in(key, _OUTPUT), ys, self.dropout_out)
        if not every:
            return ys[0] @ self.kernel + self.bias[None]
        return ys.swapaxes(0, 1) @ self.kernel + self.bias[None, None]

    @nn.nowrap
    def _pairs(self):
        later = self.hidden * (1 + self.bidirectional)
        first = self.embed or 1
        return [(first if not i else later, self.hidden) for i in range(self.layers)]
