"""Language models: the next character (or byte) of a text.

Two ways to read the training text, ``data.batches``:

lanes:  the text is cut into ``batch_size`` contiguous lanes, read side by side, ``window`` symbols a
        step; the state is kept from window to window and zeroed at the start of an epoch (truncated
        backpropagation through time). Every epoch starts at another place of the text.
chunks: sequences of ``window`` symbols without a common past, shuffled every epoch (source 001).
"""

import hashlib
import math
from functools import cached_property
from pathlib import Path

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from zoo.data import batches
from zoo.data.text import corpus
from zoo.data.text.vocabulary import Vocabulary
from zoo.errors import UserError
from zoo.generate import generate_text
from zoo.models import LanguageModel
from zoo.tasks.language_model import evaluation
from zoo.tasks.language_model.config import check
from zoo.tasks.protocol import Evaluation, Sum, Task


class LanguageModelTask(Task):
    """The Task over a LanguageModel; see ``zoo.tasks.protocol`` for what each method promises."""

    def __init__(self, config: ConfigDict):
        """The text is read when it is first needed. Raises UserError for keys out of range."""
        check(config)
        self.config = config

    @classmethod
    def rebuild(cls, config: ConfigDict, run: Path) -> "LanguageModelTask":
        """The task of a run, with the run's own vocabulary; no text is read."""
        task = cls(config)
        task.vocabulary = Vocabulary.load(run / "vocabulary.json")
        return task

    @property
    def loss_unit(self) -> str:
        """What the loss is measured in."""
        return "nats per byte" if self.config.data.symbols == "bytes" else "nats per character"

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
    def _text(self):
        d = self.config.data
        return corpus.corpus(d.name, d.path or None, lowercase=d.lowercase)

    @cached_property
    def _parts(self):
        return corpus.split(self._text, valid=self.config.data.valid, test=self.config.data.test)

    @cached_property
    def _tokens(self):
        c = self.config
        tokens = {name: self.vocabulary.encode(part) for name, part in self._parts.items()}
        batches.check_size(len(tokens["train"]), len(tokens["valid"]), c.batch_size, c.data.window)
        return tokens

    def describe_data(self):
        return {
            "digest": hashlib.sha256(self._text.encode()).hexdigest(),
            "tokens": {name: len(tokens) for name, tokens in self._tokens.items()},
            "vocabulary": self.vocabulary.size,
        }

    def prepare(self, run):
        self.vocabulary.save(run / "vocabulary.json")

    def init(self, key):
        return self.model.init(key, jnp.zeros((1, 1), jnp.int32))

    def carry(self):
        return self.model.carry(self.config.batch_size) if self._lanes else ()

    def steps_per_epoch(self, split):
        steps = batches.lanes_steps if self._lanes else batches.chunks_steps
        return steps(len(self._tokens[split]), self.config.batch_size, self.config.data.window)

    def tokens_per_step(self):
        return self.config.batch_size * self.config.data.window

    def data(self, split):
        return self._tokens[split]

    def order(self, split, epoch):
        n, seed = len(self._tokens[split]), self.config.seed
        if self._lanes:
            return batches.lanes_order(seed, epoch, n)
        return batches.chunks_order(seed, epoch, n, self.config.data.window)

    def indices(self, order, i, member):
        size = {"batch_size": self.config.batch_size, "window": self.config.data.window}
        if self._lanes:
            n = len(self._tokens["train"])
            return batches.lanes_indices(order, i, n_tokens=n, **size), i == 0
        return batches.chunks_indices(order, i, **size), i == 0

    def gather(self, data, indices):
        starts, first = indices
        tokens = batches.windows(data, starts, self.config.data.window + 1)
        return {"tokens": tokens, "first": first}

    def loss(self, params, carry, batch, key):
        inputs, targets = batch["tokens"][:, :-1], batch["tokens"][:, 1:]
        before = None
        if self._lanes:
            before = jax.tree.map(lambda a: jnp.where(batch["first"], jnp.zeros_like(a), a), carry)
        rngs = {"dropout": key}
        options = {"train": True, "rngs": rngs, "method": "nats"}
        after, nats = self.model.apply(params, inputs, targets, before, **options)
        return {"loss": Sum(jnp.sum(nats), jnp.float32(nats.size))}, after if self._lanes else ()

    def evaluate(self, params, split):
        if split == "train" or not len(self._tokens[split]):
            return Evaluation({}, {})
        nats = evaluation.loss(self.model, params, self._tokens, split)
        return Evaluation({f"{split}_loss": nats, f"{split}_bpc": nats / math.log(2)}, {})

    def sample(self, params, metrics):
        text = self.generate(params, length=400, seed=self.config.seed, temperature=0.8)[0]
        return f"valid_loss {metrics.get('valid_loss', math.nan):.4f}", text

    def generate(self, params, prompt: str = "", unseen: str = "error", **settings) -> list[str]:
        """Continuations of a prompt, which goes the way of the training text (lower case where that
        was); ``settings`` are those of ``zoo.generate.generate_text``.

        unseen: "error", or "replace" to read characters that the model has not seen as the unknown
                symbol. Raises UserError that names them.
        """
        prompt = corpus.prepare(prompt, self.config.data.lowercase)
        unknown = self.vocabulary.unknown(prompt)
        if unknown and unseen == "error":
            raise UserError(
                f"the prompt has {len(unknown)} character(s) that this model has not seen: "
                f"{', '.join(map(repr, unknown[:10]))}; leave them out, or read them as the unknown "
                "symbol with --unseen=replace"
            )
        return generate_text(self.model, params, self.vocabulary, prompt=prompt, **settings)

    @property
    def _lanes(self):
        return self.config.data.batches == "lanes"
