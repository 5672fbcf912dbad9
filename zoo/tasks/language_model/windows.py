"""Every window of a text, and the symbol that follows it: the recipe of source 002.

A text of N symbols has N - window of them. An epoch reads each once, in an order of its own; its last
batch has those that are left. Where nothing is held out and no symbol is rare, all symbols are known, and
the model has none for the unknown one: symbol k of V is the number k. The number V stands for whatever is
no symbol of the text.
"""

import json
from functools import cached_property, partial

import jax
import jax.numpy as jnp
import numpy as np

from zoo import random
from zoo.data import batches
from zoo.data.files import write_bytes
from zoo.models import WindowModel, cross_entropy
from zoo.tasks.language_model.prefixes import model_of, written
from zoo.tasks.language_model.task import LanguageModelTask
from zoo.tasks.protocol import Evaluation, Sum

_ROWS = 512  # windows of a call of the evaluation
_OPENINGS = 16  # windows of the text that a run keeps, to write on from
_SHORT, _LONG = 200, 1000  # symbols written at an evaluation, and at the end
_FILE = "openings.json"


class WindowTask(LanguageModelTask):
    """The Task over a WindowModel; a training step reads windows that are drawn from all of the text."""

    carry = staticmethod(lambda: ())

    @classmethod
    def rebuild(cls, config, run):
        """The task of a run, with the run's own vocabulary and openings; no text is read."""
        task = super().rebuild(config, run)
        task.openings = json.loads((run / _FILE).read_text(encoding="utf-8"))
        return task

    @cached_property
    def model(self) -> WindowModel:
        """The Flax module."""
        return model_of(self.config, self._symbols)

    @cached_property
    def openings(self) -> list[str]:
        """A few windows of the training part, drawn by the seed: what is written on from."""
        ids, window = self._tokens[0]["train"], self.config.data.window
        rng = np.random.default_rng(self.config.seed)
        starts = rng.integers(0, len(ids) - window, _OPENINGS)
        return [self.vocabulary.decode(ids[i : i + window]) for i in starts]

    def opening(self, seed: int) -> str:
        """The window that is written on from where there is no prompt."""
        return self.openings[seed % len(self.openings)]

    def prepare(self, run):
        super().prepare(run)
        write_bytes(run / _FILE, json.dumps(self.openings).encode() + b"\n")

    def describe_data(self):
        rows = {part: self._count(part) for part, ids in self._tokens[0].items() if len(ids)}
        return super().describe_data() | {"windows": rows}

    def init(self, key):
        return self.model.init(key, jnp.zeros((1, 1), jnp.int32))

    def steps_per_epoch(self, split):
        return -(-self._count(split) // self.config.batch_size)

    def data(self, split):
        return self._numbers(self._tokens[0][split])

    def order(self, split, epoch):
        count, size = self._count(split), self.config.batch_size
        rows = jnp.arange(count, dtype=jnp.int32)
        rows = jax.random.permutation(random.key(self.config.seed, "data", epoch), rows)
        return jnp.concatenate([rows, jnp.full(-count % size, -1, jnp.int32)])

    def indices(self, order, i, member):
        size = self.config.batch_size
        return jax.lax.dynamic_slice(order, (jnp.asarray(i, jnp.int32) * size,), (size,))

    def gather(self, data, indices):
        tokens = batches.windows(data, jnp.maximum(indices, 0), self.config.data.window + 1)
        return {"tokens": tokens, "weights": (indices >= 0).astype(jnp.float32)}

    def loss(self, params, carry, batch, key):
        tokens, weights = batch["tokens"], batch["weights"][:, None]
        every = self.config.data.targets == "all"
        options = {"train": True, "every": every, "rngs": {"dropout": key}}
        logits = self.model.apply(params, tokens[:, :-1], **options)
        logits, targets = (logits, tokens[:, 1:]) if every else (logits[:, None], tokens[:, -1:])
        nats = cross_entropy(logits, targets)
        size = jnp.sum(weights) * nats.shape[1]
        return {"loss": Sum(jnp.sum(nats * weights), size)}, ()

    def evaluate(self, params, split):
        """The loss of each symbol of a part by the window before it, which may begin in an earlier part."""
        parts, window = self._tokens[0], self.config.data.window
        if split == "train" or not len(parts[split]):
            return Evaluation({}, {})
        before = sum(len(parts[name]) for name in list(parts)[: list(parts).index(split)])
        numbers = self._numbers(np.concatenate(list(parts.values())))
        starts = np.arange(max(0, before - window), before + len(parts[split]) - window)
        total = 0.0
        for i in range(0, len(starts), _ROWS):
            some = starts[i : i + _ROWS]
            filled = np.pad(some, (0, _ROWS - len(some)), mode="edge").astype(np.int32)
            nats = _nats(self.model, window, params, numbers, filled)
            total += float(np.sum(np.asarray(nats, np.float64)[: len(some)]))
        return Evaluation(self._metrics(split, [total / len(starts)]), {})

    def sample(self, params, metrics):
        """What is most probable after a window of the text, at an evaluation."""
        return f"train_loss {metrics['train_loss']:.4f}", self._shown(params, _SHORT)

    def artifacts(self, params, evaluation, run):
        """summary.txt: a window of the text, and what the best parameters write after it, by arg max."""
        write_bytes(run / "summary.txt", (self._shown(params, _LONG) + "\n").encode())

    def _shown(self, params, length):
        opening = self.opening(self.config.seed)
        (text,) = self.generate(params, opening, "replace", length=length, temperature=0.0)
        return f"{json.dumps(opening, ensure_ascii=False)}\n\n{text}"

    def generate(self, params, prompt="", unseen="error", member="", seed=0, **settings):
        """Continuations of a prompt; see ``LanguageModelTask.generate``. The model knows full windows
        only: a shorter prompt is read behind the end of ``opening(seed)``, which also stands for none."""
        prompt = prompt or self.opening(seed)
        return super().generate(params, prompt, unseen, member, seed=seed, **settings)

    def _blocks(self, params, start, length, num=1, seed=0, **settings):
        window, unknown = self.config.data.window, self.vocabulary.unknown_ids
        behind = self.vocabulary.encode(self.opening(seed))
        read = self._numbers(np.concatenate([behind, start])[-window:])
        mute = jnp.asarray(() if self._shift else unknown, jnp.int32)
        settings = {"temperature": 1.0, "top_k": 0, "top_p": 1.0} | settings
        key = random.key(seed, "sample")
        numbers = written(self.model, length, num, params, read, mute, key, settings)
        yield np.asarray(numbers) + self._shift

    def _count(self, split):
        return max(0, len(self._tokens[0][split]) - self.config.data.window)

    @property
    def _shift(self):
        """Ids before that of the first symbol of the model."""
        d = self.config.data
        return 0 if d.valid or d.test or d.min_count > 1 else len(self.vocabulary.unknown_ids)

    @property
    def _symbols(self):
        return self.vocabulary.size - self._shift

    def _numbers(self, ids):
        """Ids as the model has them: those before the first symbol are V."""
        return np.where(ids < self._shift, self._symbols, ids - self._shift).astype(np.int32)


@partial(jax.jit, static_argnums=(0, 1))
def _nats(model, window, params, numbers, starts):
    tokens = batches.windows(numbers, starts, window + 1)
    return cross_entropy(model.apply(params, tokens[:, :-1]), tokens[:, -1])
