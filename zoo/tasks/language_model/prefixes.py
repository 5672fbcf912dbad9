"""Every prefix of each line, and the word that follows it: the recipe of source 003's nursery rhymes.

A prefix is padded on its left, and a window model reads it: from both ends, where it is bidirectional.
The word that follows is outside of the window.
"""

from functools import cached_property, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from ml_collections import ConfigDict

from zoo import random
from zoo.data import batches
from zoo.data.errors import DataError
from zoo.generate import generate
from zoo.models import WindowModel, cross_entropy
from zoo.tasks.language_model.task import LanguageModelTask
from zoo.tasks.protocol import Evaluation, Sum

_ROWS = 256  # prefixes of a call of the evaluation


class Prefixes(NamedTuple):
    """The words of all lines of a text, (N,), without line breaks, and of each prefix the places of its
    first word and of the one that follows it, (R,) each."""

    tokens: np.ndarray
    first: np.ndarray
    following: np.ndarray


def prefixes(ids: np.ndarray, line_break: int) -> Prefixes:
    """Those of all lines of ids (N,), of two words or more; ``line_break`` is the id of a line's end."""
    line = np.cumsum(ids == line_break)
    kept = ids != line_break
    tokens, line = ids[kept], line[kept]
    new = np.append(True, line[1:] != line[:-1]) if len(line) else np.zeros(0, bool)
    first = np.maximum.accumulate(np.where(new, np.arange(len(tokens)), 0))
    following = np.flatnonzero(~new)
    return Prefixes(*(a.astype(np.int32) for a in (tokens, first[following], following)))


def model_of(config: ConfigDict, vocab: int) -> WindowModel:
    """The model of prefixes or windows of a config, for ``vocab`` symbols."""
    names = ("embed", "hidden", "layers", "cell", "bidirectional", "dropout", "dropout_out")
    return WindowModel(vocab, **{name: config.model[name] for name in (*names, "precision")})


class PrefixTask(LanguageModelTask):
    """The Task over a WindowModel; a training step reads prefixes that are drawn from all lines."""

    carry = staticmethod(lambda: ())

    @cached_property
    def model(self) -> WindowModel:
        """The Flax module."""
        return model_of(self.config, self.vocabulary.size)

    @cached_property
    def _rows(self):
        rows = {part: prefixes(ids, self._line_break) for part, ids in self._tokens[0].items()}
        if (n := len(rows["train"].first)) < self.config.batch_size:
            raise DataError(
                f"the training part has {n} prefixes; batch_size {self.config.batch_size} needs as many: "
                "use a longer text, or --config.batch_size smaller"
            )
        return rows

    @property
    def _line_break(self):
        if self.vocabulary.unknown("\n"):
            raise DataError(
                "the training part is one line: prefixes are of lines; give a text of several"
            )
        return self.vocabulary.encode("\n")[0]

    def describe_data(self):
        counts = {part: len(rows.first) for part, rows in self._rows.items()}
        return super().describe_data() | {"prefixes": counts}

    def init(self, key):
        return self.model.init(key, jnp.zeros((1, self.config.data.window), jnp.int32))

    def steps_per_epoch(self, split):
        return len(self._rows[split].first) // self.config.batch_size

    def data(self, split):
        return self._rows[split]

    def order(self, split, epoch):
        numbers = jnp.arange(len(self._rows[split].first), dtype=jnp.int32)
        return jax.random.permutation(random.key(self.config.seed, "data", epoch), numbers)

    def indices(self, order, i, member):
        size = self.config.batch_size
        return jax.lax.dynamic_slice(order, (jnp.asarray(i, jnp.int32) * size,), (size,))

    def gather(self, data, indices):
        first, following = (batches.take(a, indices) for a in (data.first, data.following))
        windows = _windows(jnp.asarray(data.tokens), first, following, self._sizes)
        return {"windows": windows, "following": batches.take(data.tokens, following)}

    def loss(self, params, carry, batch, key):
        options = {"train": True, "rngs": {"dropout": key}}
        logits = self.model.apply(params, batch["windows"], **options)
        nats = cross_entropy(logits, batch["following"])
        return {"loss": Sum(jnp.sum(nats), jnp.float32(nats.size))}, ()

    def evaluate(self, params, split):
        """The loss of the words that follow a prefix: the first word of a line is not counted."""
        if split == "train" or not len(self._rows[split].first):
            return Evaluation({}, {})
        rows, total = self._rows[split], 0.0
        for i in range(0, len(rows.first), _ROWS):
            some = np.arange(i, min(i + _ROWS, len(rows.first)))
            filled = np.pad(some, (0, _ROWS - len(some)), mode="edge")
            nats = _nats(self.model, self._sizes, params, rows, filled)
            total += float(np.sum(np.asarray(nats, np.float64)[: len(some)]))
        return self._of_loss(split, total / len(rows.first))

    def _of_loss(self, split, loss):
        return Evaluation({f"{split}_loss": loss, f"{split}_ppl": float(np.exp(loss))}, {})

    @property
    def _sizes(self):
        """Words of a window, and the number that pads it."""
        return self.config.data.window, self.vocabulary.size

    def _blocks(self, params, start, length, num=1, seed=0, **settings):
        (window, padding), line_break = self._sizes, self._line_break
        start = start[start != line_break][-window:]
        tokens = np.full(window, padding, np.int32)
        tokens[window - len(start) :] = start
        mute = jnp.asarray([*self.vocabulary.unknown_ids, line_break], jnp.int32)
        settings = {"temperature": 1.0, "top_k": 0, "top_p": 1.0} | settings
        key = random.key(seed, "sample")
        yield np.asarray(written(self.model, length, num, params, tokens, mute, key, settings))


def _windows(tokens: Array, first: Array, following: Array, sizes) -> Array:
    """(B, window): the words before those at ``following``, from ``first`` (B,) on, padded on the left."""
    window, padding = sizes
    at = following[:, None] - window + jnp.arange(window, dtype=jnp.int32)[None]
    return jnp.where(at >= first[:, None], tokens[jnp.maximum(at, 0)], padding)


@partial(jax.jit, static_argnums=(0, 1))
def _nats(model, sizes, params, rows, some):
    first, following = rows.first[some], rows.following[some]
    tokens = jnp.asarray(rows.tokens)
    return cross_entropy(
        model.apply(params, _windows(tokens, first, following, sizes)), tokens[following]
    )


@partial(jax.jit, static_argnums=(0, 1, 2))
def written(model, length, num, params, window, mute, key, settings):
    """Numbers (num, length) that a WindowModel writes after a window (T,). It reads it anew for each, moved
    by one symbol; those of ``mute`` (M,) are never written. ``settings`` are those of ``generate``."""

    def logits(windows):
        return model.apply(params, windows).at[:, mute].set(-jnp.inf)

    def apply(tokens, windows):
        windows = jnp.concatenate([windows[:, 1:], tokens[:, None]], axis=1)
        return windows, logits(windows)

    windows = jnp.repeat(window[None], num, axis=0)
    return generate(apply, windows, logits(windows), key, length, **settings)
