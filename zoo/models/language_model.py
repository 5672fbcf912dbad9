"""A language model of symbols: characters, bytes or words."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import glorot_uniform, normal

from zoo import random
from zoo.cells.cell import affine_inputs
from zoo.models import adaptive
from zoo.models import stack as stacked
from zoo.models.softmax import cross_entropy_of, sampled_cross_entropy_of
from zoo.unroll import locked_dropout, stack, unroll

_TABLE = 1 << 24  # numbers of a table of inputs, at most
# What keys are drawn from the dropout key for; numbers below are of layers, for their weight drop.
_INPUT, _OUTPUT, _BETWEEN, _SYMBOLS = 1000, 2000, 3000, 4000


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
    embed_drop:  share of the symbols whose embedding is 0 in a step (Gal & Ghahramani 2016)
    activation:  weight of the mean square of the last layer's output after dropout, and
    temporal:    of the mean square of its change from step to step, among the "penalties" of a training
                 step (Merity et al. 2017)
    precision:   "bfloat16" for products of that type in the layers of a training step (Micikevicius et al.
                 2018); parameters, sums and all else stay as they are
    cutoffs:     the words, by their frequency, at which the tails of an adaptive softmax begin
                 (Grave et al. 2017); () for a softmax over all at once
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
    embed_drop: float = 0.0
    activation: float = 0.0
    temporal: float = 0.0
    precision: str = "float32"
    cutoffs: tuple[int, ...] = ()

    def setup(self):
        sizes = self._sizes()
        if self.embed:
            self.embedding = self.param("embedding", normal(0.1), (self.vocab, self.embed))
        self.stack = self._layers()
        if self.cutoffs:
            self.adaptive = self.param(
                "adaptive", lambda key: adaptive.init(key, sizes[-1], self.vocab, self.cutoffs)
            )
        else:
            self.bias = self.param("bias", nn.initializers.zeros, (self.vocab,))
        if not (self.tie or self.cutoffs):
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
        carry, ys = self._read(tokens, carry, label, train)
        if self.cutoffs:
            return carry, adaptive.log_p(self.adaptive, ys)
        bias = self.bias[None, None]
        if self.classes:
            bias += self.biases[label][:, None]
        return carry, ys @ self._kernel + bias

    def nats(
        self,
        tokens: Array,
        targets: Array,
        carry: Any = None,
        label: Array | None = None,
        negatives: tuple[Array, Array] | None = None,
        lengths: Array | None = None,
        resets: Array | None = None,
        *,
        train: bool = False,
        key: Array | None = None,
    ) -> tuple[Any, Array]:
        """-log P of each target (B, T): what ``__call__`` and ``cross_entropy`` give, and of a large
        vocabulary without all logits at once. -> (carry, nats (B, T)).

        negatives: symbols that stand for the whole vocabulary, and the log of how often each symbol is
                   expected among them: an estimate, see ``zoo.models.softmax.sampled_cross_entropy_of``
        lengths:   (B,) of the sequences: the carry is that after so many symbols
        resets:    (B, T) booleans; where True, the symbol is read without a past
        key:       of dropout, instead of one made from ``rngs``
        """
        carry, ys = self._read(tokens, carry, label, train, lengths, resets, key)
        if self.cutoffs:
            return carry, adaptive.cross_entropy_of(self.adaptive, ys, targets)
        if negatives is not None:
            rows = self.embedding if self.tie else self.kernel.T
            return carry, sampled_cross_entropy_of(ys, rows, self.bias, targets, *negatives)
        kernel = self._kernel
        if (
            self.classes
        ):  # the bias of a class is a product too, with the class as one of the inputs
            known = jax.nn.one_hot(label, self.classes, dtype=ys.dtype)[:, None]
            known = jnp.broadcast_to(known, (*ys.shape[:2], self.classes))
            ys = jnp.concatenate([ys, known], axis=-1)
            kernel = jnp.concatenate([kernel, self.biases])
        return carry, cross_entropy_of(ys, kernel, self.bias, targets)

    def after(self, tokens: Array, carry: Any) -> tuple[Any, Array]:
        """(carry, logits (B, V)) after the last of tokens (B, T), T 1 or more."""
        carry, ys = self._read(tokens, carry, None, False)
        if self.cutoffs:
            return carry, adaptive.log_p(self.adaptive, ys[:, -1:])[:, 0]
        return carry, ys[:, -1] @ self._kernel + self.bias[None]

    def table(self) -> Array | None:
        """What the gates of the first layer get of each symbol, E W_x + b (V, G); None where that is more
        than the symbol, or more than 2^24 numbers."""
        if self.classes or self.cutoffs or self._cell.inputs is not affine_inputs:
            return None
        first = self.stack[0]
        if self.vocab * first.w_x.shape[1] > _TABLE:
            return None
        return (self.embedding @ first.w_x if self.embed else first.w_x) + first.b[None]

    def step(self, tokens: Array, carry: Any, table: Array | None) -> tuple[Any, Array]:
        """One symbol further: tokens (B,), carry -> (carry, logits (B, V)), by a row of ``table()``
        instead of the product with the input where there is one."""
        if table is None:
            carry, logits = self(tokens[:, None], carry)
            return carry, logits[:, 0]
        given = self._cell._replace(inputs=lambda params, xs: xs)
        first, ys = unroll(given, self.stack[0], table[tokens][None], carry[0])
        others, ys = stack(self._cell, self.stack[1:], ys, carry[1:])
        return (first, *others), ys[0] @ self._kernel + self.bias[None]

    def _read(self, tokens, carry, label, train, lengths=None, resets=None, key=None):
        """(carry, outputs of the last layer (B, T, H))."""
        layers, between = self.stack, None
        xs = self.embedding[tokens.T] if self.embed else jax.nn.one_hot(tokens.T, self.vocab)
        if self.classes:
            vectors = self.vectors[label][None]
            vectors = jnp.broadcast_to(vectors, (len(xs), *vectors.shape[1:]))
            xs = jnp.concatenate([xs, vectors], axis=-1)
        if train:
            key = self.make_rng("dropout") if key is None else key
            keys = [jax.random.fold_in(key, i) for i in range(len(layers))]
            layers = self._in_training(
                [
                    stacked.weight_drop(k, params, self.weight_drop)
                    for k, params in zip(keys, layers, strict=True)
                ]
            )
            if self.embed_drop:
                kept = random.keep(
                    jax.random.fold_in(key, _SYMBOLS), self.embed_drop, (self.vocab,)
                )
                xs *= (kept.astype(xs.dtype) / (1 - self.embed_drop))[tokens.T][..., None]
            xs = locked_dropout(jax.random.fold_in(key, _INPUT), xs, self.dropout_in)
            between = jax.random.fold_in(key, _BETWEEN)
        options = {} if lengths is None else {"lengths": lengths}
        if resets is not None:
            options["resets"] = resets.T
        carry, ys = stack(
            self._cell, layers, xs, carry, dropout=self.dropout, key=between, **options
        )
        if train:
            raw, ys = ys, locked_dropout(jax.random.fold_in(key, _OUTPUT), ys, self.dropout_out)
            stacked.penalise(self, raw, ys)
        return carry, ys.swapaxes(0, 1)

    @property
    def _kernel(self):
        return self.embedding.T if self.tie else self.kernel

    @nn.nowrap
    def _sizes(self):
        last = self.embed if self.tie else self.hidden
        first = (self.embed or self.vocab) + self.class_embed * bool(self.classes)
        return [first] + [self.hidden] * (self.layers - 1) + [last]
