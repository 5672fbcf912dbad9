"""Language models: the next character (or byte) of a text.

Two ways to read the training text, ``data.batches``:

lanes:  the text is cut into ``batch_size`` contiguous lanes, read side by side, ``window`` symbols a
        step; the state is kept from window to window and zeroed at the start of an epoch (truncated
        backpropagation through time). Every epoch starts at another place of the text.
chunks: sequences of ``window`` symbols without a common past, shuffled every epoch (source 001).

Evaluation reads a split once, in contiguous lanes with a state that is kept; each lane first reads
the true past, uncounted, so that no symbol is predicted without context.
"""

import hashlib
import math
from functools import cached_property, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from ml_collections import ConfigDict

from zoo import data as zd
from zoo import random
from zoo.cells import CELLS
from zoo.config import choose, require
from zoo.data import Vocabulary
from zoo.errors import UserError
from zoo.generate import generate
from zoo.models import LanguageModel
from zoo.tasks.protocol import Sum

_LANES, _WARMUP, _BLOCK = (
    32,
    256,
    128,
)  # of the evaluation: lanes, uncounted symbols, symbols a step


class LanguageModelTask:
    """The Task over a LanguageModel; see ``zoo.tasks.protocol`` for what each method promises."""

    members = 0

    def __init__(self, config: ConfigDict):
        """The text is read when it is first needed. Raises UserError for keys out of range."""
        check(config)
        self.config = config
        self._evaluate = jax.jit(self._evaluate_lanes)

    @classmethod
    def rebuild(cls, config: ConfigDict, run: Path) -> "LanguageModelTask":
        """The task of a run, with the run's own vocabulary; no text is read."""
        task = cls(config)
        task.vocabulary = Vocabulary.load(run / "vocabulary.json")
        return task

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The symbols of the training part."""
        return Vocabulary.from_text(
            self._parts["train"], self.config.data.symbols, self.config.data.min_count
        )

    @cached_property
    def model(self) -> LanguageModel:
        """The Flax module."""
        return LanguageModel(vocab=self.vocabulary.size, **self.config.model.to_dict())

    @cached_property
    def _parts(self):
        d = self.config.data
        text = zd.corpus(d.name, d.path or None, lowercase=d.lowercase)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if d.sha256 and d.sha256 != digest:
            raise UserError(f"{d.path or d.name}: the text is not the one that this run began with")
        d.sha256 = digest
        return zd.split(text, valid=d.valid, test=d.test)

    @cached_property
    def _tokens(self):
        c = self.config
        tokens = {name: self.vocabulary.encode(part) for name, part in self._parts.items()}
        zd.check_size(len(tokens["train"]), len(tokens["valid"]), c.batch_size, c.data.window)
        return tokens

    def prepare(self, run: Path) -> None:
        self.vocabulary.save(run / "vocabulary.json")

    def init(self, key):
        return self.model.init(key, jnp.zeros((1, 1), jnp.int32))

    def carry(self):
        return self.model.carry(self.config.batch_size) if self._lanes else ()

    def sums(self):
        return ("loss",)

    def steps_per_epoch(self, split):
        steps = zd.lanes_steps if self._lanes else zd.chunks_steps
        return steps(len(self._tokens[split]), self.config.batch_size, self.config.data.window)

    def tokens_per_step(self):
        return self.config.batch_size * self.config.data.window

    def data(self, split):
        return self._tokens[split]

    def order(self, split, epoch):
        n, seed = len(self._tokens[split]), self.config.seed
        if self._lanes:
            return zd.lanes_order(seed, epoch, n)
        return zd.chunks_order(seed, epoch, n, self.config.data.window)

    def indices(self, order, i):
        size = {"batch_size": self.config.batch_size, "window": self.config.data.window}
        if self._lanes:
            return zd.lanes_indices(order, i, n_tokens=len(self._tokens["train"]), **size), i == 0
        return zd.chunks_indices(order, i, **size), i == 0

    def gather(self, data, indices):
        starts, first = indices
        return {"tokens": zd.windows(data, starts, self.config.data.window + 1), "first": first}

    def loss(self, params, carry, batch, key):
        inputs, targets = batch["tokens"][:, :-1], batch["tokens"][:, 1:]
        if self._lanes:
            carry = jax.tree.map(lambda a: jnp.where(batch["first"], jnp.zeros_like(a), a), carry)
            after, logits = self._apply(params, inputs, carry, train=True, rngs={"dropout": key})
        else:
            _, logits = self._apply(params, inputs, None, train=True, rngs={"dropout": key})
            after = ()
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
        return {"loss": Sum(jnp.sum(nats), jnp.float32(nats.size))}, after

    def evaluate(self, params, split):
        if split == "train" or not len(self._tokens.get(split, ())):
            return {}
        past = [self._tokens[s] for s in ("train", "valid", "test") if s in self._tokens]
        before = {"valid": len(past[0]), "test": len(past[0]) + len(past[1])}[split]
        total, weight = self._evaluate(
            params, *_lanes(np.concatenate(past), before, self._tokens[split])
        )
        nats = float(total) / float(weight)
        return {f"{split}_loss": nats, f"{split}_bpc": nats / math.log(2)}

    def observe(self, params, step, record):
        settings = {"length": 400, "seed": self.config.seed, "temperature": 0.8}
        text = write(self.model, params, self.vocabulary, **settings)[0]
        return f"valid_loss {record.get('valid_loss', math.nan):.4f}", text

    def unit(self):
        return "nats per token"

    def artifacts(self, params, run, metrics):
        pass  # samples.txt grows with every evaluation, and the loop draws the losses

    @property
    def _lanes(self):
        return self.config.data.batches == "lanes"

    def _apply(self, params, tokens, carry, **kwargs):
        return self.model.apply(params, tokens, carry, **kwargs)

    def _evaluate_lanes(self, params, inputs, targets, weights):
        def block(carry, at):
            inputs, targets, weights = at
            carry, logits = self._apply(params, inputs, carry)
            nats = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
            return carry, (jnp.sum(nats * weights), jnp.sum(weights))

        carry = self.model.carry(inputs.shape[1])
        _, (totals, counts) = lax.scan(block, carry, (inputs, targets, weights))
        return jnp.sum(totals), jnp.sum(counts)


def check(config: ConfigDict) -> None:
    """Raises UserError for a model or data key out of range."""
    choose(config, "model.cell", CELLS)
    choose(config, "data.batches", ("lanes", "chunks"))
    choose(config, "data.symbols", ("characters", "bytes"))
    for key in ("best.metric", "target.metric"):
        choose(config, key, ("valid_loss", "valid_bpc", ""))
    for key in ("batch_size", "data.window", "data.min_count", "model.hidden", "model.embed"):
        require(config, key, 1)
    require(config, "model.layers", 1)
    if not config.data.valid and config.best.metric.startswith("valid_"):
        raise UserError(
            "--config.data.valid=0: no validation part to choose by; add --config.best.metric="
        )
    for key in ("dropout", "dropout_in", "dropout_out", "weight_drop"):
        require(config, f"model.{key}", 0, 0.99)


def write(
    model: LanguageModel,
    params,
    vocabulary: Vocabulary,
    *,
    prompt: str = "",
    length: int = 200,
    num: int = 1,
    seed: int = 0,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> list[str]:
    """``num`` continuations of a prompt, each ``length`` symbols, the prompt not included.

    The prompt is read into the state first; without one the model starts after a line break, or the
    first symbol it knows. The unknown symbol is read, never written.
    """
    start = vocabulary.encode(prompt or default_prompt(vocabulary))
    unknown = jnp.asarray([0] if vocabulary.kind == "characters" else [], jnp.int32)
    settings = (jnp.float32(temperature), jnp.int32(top_k), jnp.float32(top_p))
    tokens = _write(
        model, length, num, params, start[None], unknown, random.key(seed, "sample"), *settings
    )
    return [vocabulary.decode(row) for row in np.asarray(tokens)]


def default_prompt(vocabulary: Vocabulary) -> str:
    """A prompt that the vocabulary has: a line break, else a space, else its first symbol."""
    known = [c for c in ("\n", " ") if not vocabulary.unknown(c)]
    return known[0] if known else vocabulary.decode(np.array([1]))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _write(model, length, num, params, prompt, unknown, key, temperature, top_k, top_p):
    def mute(logits):
        return logits.at[:, unknown].set(-jnp.inf)

    def apply(tokens, carry):
        carry, logits = model.apply(params, tokens[:, None], carry)
        return carry, mute(logits[:, 0])

    carry, logits = model.apply(params, prompt)
    carry, logits = jax.tree.map(lambda a: jnp.repeat(a, num, axis=0), (carry, mute(logits[:, -1])))
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    return generate(apply, carry, logits, key, length, **settings)


def _lanes(tokens, before, part):
    """Blocks of the evaluation: inputs, targets and weights, each (blocks, lanes, _BLOCK)."""
    inputs, targets, weights = zd.eval_lanes(before, len(part), min(_LANES, len(part)), _WARMUP)
    pad = [(0, 0), (0, -inputs.shape[1] % _BLOCK)]

    def blocks(a):
        a = np.pad(a, pad)
        return a.reshape(a.shape[0], -1, _BLOCK).swapaxes(0, 1)

    return tokens[blocks(inputs)], tokens[blocks(targets)], blocks(weights)
