"""Thin Flax (Linen) modules over the cells: the only import of Flax.

Linen, because its ``init`` and ``apply`` are pure functions of parameters and keys, as the rest here
is. For NNX, wrap a module in ``flax.nnx.bridge.ToNNX``.
"""

from itertools import pairwise
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import glorot_uniform, normal

from zoo.cells import CELLS, Carry
from zoo.unroll import locked_dropout, stack


class LanguageModel(nn.Module):
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
        self.stack = _layers(self, self._cell, sizes)
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
        layers, key = self.stack, None
        xs = self.embedding[tokens.T] if self.embed else jax.nn.one_hot(tokens.T, self.vocab)
        if self.classes:
            vectors = self.vectors[label][None]
            vectors = jnp.broadcast_to(vectors, (len(xs), *vectors.shape[1:]))
            xs = jnp.concatenate([xs, vectors], axis=-1)
        if train:
            key = self.make_rng("dropout")
            layers = [
                self._weight_drop(jax.random.fold_in(key, i), p) for i, p in enumerate(layers)
            ]
            xs = locked_dropout(jax.random.fold_in(key, 1000), xs, self.dropout_in)
        carry, ys = stack(self._cell, layers, xs, carry, dropout=self.dropout, key=key)
        if train:
            ys = locked_dropout(jax.random.fold_in(key, 2000), ys, self.dropout_out)
        kernel = self.embedding.T if self.tie else self.kernel
        bias = self.bias[None, None]
        if self.classes:
            bias += self.biases[label][:, None]
        return carry, ys.swapaxes(0, 1) @ kernel + bias

    @nn.nowrap
    def carry(self, batch: int) -> tuple[Carry, ...]:
        """The zero carry of each layer for ``batch`` sequences."""
        return _zero_carry(self._cell, self._sizes(), batch)

    @property
    def _cell(self):
        return CELLS[self.cell]()

    @nn.nowrap
    def _sizes(self):
        last = self.embed if self.tie else self.hidden
        first = (self.embed or self.vocab) + self.class_embed * bool(self.classes)
        return [first] + [self.hidden] * (self.layers - 1) + [last]

    @nn.nowrap
    def _weight_drop(self, key, params):
        if not self.weight_drop:
            return params
        keep = jax.random.bernoulli(key, 1 - self.weight_drop, params.w_h.shape)
        return params._replace(w_h=jnp.where(keep, params.w_h / (1 - self.weight_drop), 0))


class Forecaster(nn.Module):
    """Recurrent layers over a window of a series, and a linear head: its next ``horizon`` values.

    horizon:     H, values that come out at once
    length:      L, past values that go in
    patch:       values in a time step, L / patch steps; patch = L is the "window method", 1 feeds one
                 value after the other
    known:       K, features of every time that are known in advance (calendar, plans)
    series:      N, series that one model forecasts; used where embed > 0
    embed:       size of a learned vector a series, fed at every step; 0 for none
    center:      "last" takes the last value of the window from all of it, and adds it to what comes
                 out (Zeng et al. 2023, NLinear); "none" leaves it
    linear:      adds a linear autoregression of the window to the output (Lai et al. 2018, LSTNet)
    dropout:     locked dropout between layers; dropout_out on what the head reads
    """

    horizon: int
    length: int
    patch: int
    hidden: int
    layers: int = 1
    cell: str = "lstm"
    known: int = 0
    series: int = 1
    embed: int = 0
    center: str = "none"
    linear: bool = False
    dropout: float = 0.0
    dropout_out: float = 0.0

    def setup(self):
        self.stack = _layers(self, self._cell, self._sizes())
        read = self.hidden + self.horizon * self.known
        self.kernel = self.param("kernel", glorot_uniform(), (read, self.horizon))
        self.bias = self.param("bias", nn.initializers.zeros, (self.horizon,))
        if self.embed:
            self.embedding = self.param("embedding", normal(0.1), (self.series, self.embed))
        if self.linear:
            self.highway = self.param("highway", nn.initializers.zeros, (self.length, self.horizon))

    def __call__(
        self,
        window: Array,
        known: Array,
        series: Array,
        carry: Any = None,
        *,
        train: bool = False,
    ) -> tuple[Any, Array]:
        """window (B, L), known (B, L + H, K), series (B,) ints -> (carry, forecast (B, H)).

        ``known`` begins at the first time of the window. A step sees the features of the time after
        its patch; the head sees those of all H times to come.
        """
        level = window[:, -1:] if self.center == "last" else jnp.zeros_like(window[:, -1:])
        window = window - level
        xs = window.reshape(len(window), -1, self.patch).swapaxes(0, 1)
        parts = [xs]
        if self.known:
            parts.append(known[:, self.patch : self.length + 1 : self.patch].swapaxes(0, 1))
        if self.embed:
            vectors = self.embedding[series][None]
            parts.append(jnp.broadcast_to(vectors, (len(xs), *vectors.shape[1:])))
        key = self.make_rng("dropout") if train and (self.dropout or self.dropout_out) else None
        xs = jnp.concatenate(parts, axis=-1) if len(parts) > 1 else xs
        carry, ys = stack(self._cell, self.stack, xs, carry, dropout=self.dropout, key=key)
        last = ys[-1:]
        if key is not None:
            last = locked_dropout(jax.random.fold_in(key, 2000), last, self.dropout_out)
        read = last[0]
        if self.known:
            ahead = known[:, self.length :].reshape(len(read), -1)
            read = jnp.concatenate([read, ahead], axis=-1)
        forecast = read @ self.kernel + self.bias[None]
        if self.linear:
            forecast += window @ self.highway
        return carry, forecast + level

    @nn.nowrap
    def carry(self, batch: int) -> tuple[Carry, ...]:
        """The zero carry of each layer for ``batch`` windows."""
        return _zero_carry(self._cell, self._sizes(), batch)

    @property
    def _cell(self):
        return CELLS[self.cell]()

    @nn.nowrap
    def _sizes(self):
        return [self.patch + self.known + self.embed] + [self.hidden] * self.layers


def _layers(module, cell, sizes):
    """The parameters of a stack of layers; layer i takes sizes[i] inputs and has sizes[i + 1] units."""
    return [
        module.param(f"layer_{i}", lambda key, d=d, h=h: cell.init(key, d, h))
        for i, (d, h) in enumerate(pairwise(sizes))
    ]


def _zero_carry(cell, sizes, batch):
    """The zero carry of each layer of such a stack for ``batch`` sequences."""
    key = jax.random.key(0)
    shapes = [jax.eval_shape(lambda d=d, h=h: cell.init(key, d, h)) for d, h in pairwise(sizes)]
    return tuple(cell.carry(params, batch) for params in shapes)
