"""Text classification: which of several classes a text is of.

A text is read as symbols, ``data.limit`` of them at most. Texts of like lengths go into a batch together
(``zoo.data.buckets``), and the model knows the length of each, so that padding changes nothing. With
``ensemble.members`` several models are trained as a bank; the mean of their probabilities counts.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from ml_collections import ConfigDict

from zoo import random
from zoo.data import buckets
from zoo.data.errors import DataError
from zoo.data.files import read_bytes, write_bytes
from zoo.data.text import corpus, labelled, labelled_sets
from zoo.data.text.labelled import Labelled
from zoo.data.text.vocabulary import Vocabulary
from zoo.models import Classifier
from zoo.tasks.classification import evaluation, show
from zoo.tasks.classification.config import check
from zoo.tasks.protocol import Evaluation, Sum, Task

_WORD_DROP = 4000  # what its key is drawn from the dropout key for


class ClassificationTask(Task):
    """The Task over a Classifier, or a bank of them; see ``zoo.tasks.protocol``."""

    loss_unit = "nats a text"

    def __init__(self, config: ConfigDict):
        """The texts are read when they are first needed. Raises UserError for keys out of range."""
        check(config)
        self.config = config
        self.temperature = (
            1.0  # that logits are divided by; a finished run's own, where it has fitted one
        )

    @classmethod
    def rebuild(cls, config: ConfigDict, run: Path) -> "ClassificationTask":
        """The task of a run, with its own vocabulary, classes and temperature; no text is read."""
        task = cls(config)
        task.vocabulary = Vocabulary.load(run / "vocabulary.json")
        record = json.loads(read_bytes(run / "classes.json"))
        task.classes, task.prior = record["classes"], np.array(record["prior"])
        task.widths, task.temperature = tuple(record["widths"]), record["temperature"]
        return task

    @property
    def members(self) -> int:
        """Models of the bank; 0 for one alone."""
        n = self.config.ensemble.members
        return n if n > 1 else 0

    @cached_property
    def _texts(self) -> dict[str, Labelled]:
        """split -> its texts; valid comes out of the training rows."""
        d = self.config.data
        options = {"text": d.text, "label": d.label, "skip": d.skip_unreadable}
        if d.path:
            whole, test = labelled.read_labelled(d.path, **options), None
        else:
            whole, test = labelled_sets.named(d.name)
        if d.test_path:
            test = labelled.read_labelled(d.test_path, **options)
        if test is None:
            if d.split == "position":
                rows = labelled.by_position(whole, 0.0, d.test)
            else:
                rows = labelled.stratified(whole, 0.0, d.test, self.config.seed)
            whole, test = whole.take(rows["train"]), whole.take(rows["test"])
        rows = labelled.stratified(whole, d.valid, 0.0, self.config.seed)
        return {
            "train": whole.take(rows["train"]),
            "valid": whole.take(rows["valid"]),
            "test": test,
        }

    @cached_property
    def classes(self) -> list[str]:
        """The labels of the training texts, sorted."""
        found = sorted(set(self._texts["train"].labels))
        if len(found) < 2:
            raise DataError(f"one class, {found[0]!r}: two are needed to tell apart")
        return found

    @cached_property
    def prior(self) -> np.ndarray:
        """The share of each class in training, (C,)."""
        counts = np.bincount(self._arrays["train"]["labels"], minlength=len(self.classes))
        return counts / counts.sum()

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The symbols of the training texts."""
        d = self.config.data
        text = "\n".join(self._prepared(t) for t in self._texts["train"].texts)
        return Vocabulary.from_text(text, d.symbols, d.min_count, d.most)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """The steps that a batch of each bucket has."""
        lengths = [len(ids) for ids in self._train_ids]
        lengths = np.minimum(lengths, self.config.data.limit)
        return buckets.widths(lengths, self.config.data.buckets)

    @cached_property
    def _train_ids(self):
        return [self._encode(text) for text in self._texts["train"].texts]

    @cached_property
    def model(self) -> Classifier:
        """The Flax module."""
        sizes = {"vocab": self.vocabulary.size, "classes": len(self.classes)}
        return Classifier(**sizes, **self.config.model.to_dict())

    @cached_property
    def _arrays(self):
        index, arrays = {label: i for i, label in enumerate(self.classes)}, {}
        for split, (texts, given, _) in self._texts.items():
            labels = np.array([index.get(label, -1) for label in given], np.int32)
            each = self._train_ids if split == "train" else map(self._encode, texts)
            arrays[split] = self._padded(each) | {"labels": labels}
        return arrays

    def padded(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """tokens (n, width of the last bucket) and lengths (n,), int32, of any texts."""
        return self._padded(map(self._encode, texts))

    def _padded(self, each):
        each = [ids[: self.widths[-1]] for ids in each]
        tokens = np.zeros((len(each), self.widths[-1]), np.int32)
        for row, ids in zip(tokens, each, strict=True):
            row[: len(ids)] = ids
        return {"tokens": tokens, "lengths": np.array([len(ids) for ids in each], np.int32)}

    def describe_data(self):
        whole = json.dumps([(t.texts, t.labels) for t in self._texts.values()])
        train, lengths = self._texts["train"], self._arrays["train"]["lengths"]
        for remark in labelled.remarks(train):
            print(f"note: training: {remark}", file=sys.stderr)
        record = {
            "digest": hashlib.sha256(whole.encode()).hexdigest(),
            "texts": {split: len(t.texts) for split, t in self._texts.items()},
            "classes": len(self.classes),
            "vocabulary": self.vocabulary.size,
            "widths": self.widths,
            "padding": round(buckets.padding(lengths, self.widths), 4),
            "cut": sum(len(ids) > self.config.data.limit for ids in self._train_ids),
            "test_texts_seen_in_training": labelled.in_both(train, self._texts["test"]),
        }
        if strange := sorted(set(self._texts["test"].labels) - set(self.classes)):
            shown = ", ".join(map(repr, strange[:5]))
            print(
                f"note: test: training has no {shown}; such texts count as wrong", file=sys.stderr
            )
        return record

    def prepare(self, run):
        self.vocabulary.save(run / "vocabulary.json")
        self._save(run)

    def init(self, key):
        return self.model.init(key, jnp.zeros((1, 5), jnp.int32), jnp.ones(1, jnp.int32))

    def steps_per_epoch(self, split):
        return buckets.steps(self._arrays[split]["lengths"], self.widths, self.config.batch_size)

    def tokens_per_step(self):
        lengths = np.minimum(self._arrays["train"]["lengths"], self.widths[-1])
        return max(1, round(lengths.sum() * max(1, self.members) / self.steps_per_epoch("train")))

    def data(self, split):
        arrays = self._arrays[split]
        weights = np.ones(len(self.classes), np.float32)
        if self.config.balance:
            weights = (1 / (self.prior * len(self.classes))).astype(np.float32)
        return arrays | {"weights": weights[arrays["labels"]]}

    def order(self, split, epoch):
        lengths = self._arrays[split]["lengths"]
        return buckets.order(self.config.seed, epoch, lengths, self.widths, self.config.batch_size)

    def indices(self, order, i, member):
        return order.rows[i], order.bucket[i]

    def gather(self, data, indices):
        rows, bucket = indices
        there = rows >= 0
        batch = {name: jnp.asarray(data[name])[rows] for name in ("tokens", "lengths", "labels")}
        weights = jnp.where(there, jnp.asarray(data["weights"])[rows], 0)
        return batch | {"there": there, "weights": weights, "bucket": bucket}

    def loss(self, params, carry, batch, key):
        tokens = batch["tokens"]
        if self.config.word_drop:
            kept = random.keep(
                jax.random.fold_in(key, _WORD_DROP), self.config.word_drop, tokens.shape
            )
            tokens = jnp.where(kept, tokens, 0)

        def logits(width):
            options = {"train": True, "rngs": {"dropout": key}}
            return lambda: self.model.apply(params, tokens[:, :width], batch["lengths"], **options)

        log_p = jax.nn.log_softmax(lax.switch(batch["bucket"], [logits(w) for w in self.widths]))
        smoothing = self.config.smoothing
        chosen = jnp.take_along_axis(log_p, batch["labels"][:, None], axis=1)[:, 0]
        nats = -(1 - smoothing) * chosen - smoothing * jnp.mean(log_p, axis=1)
        weights = batch["weights"]
        return {"loss": Sum(jnp.sum(nats * weights), jnp.sum(weights))}, ()

    def evaluate(self, params, split):
        if split == "train" or not len(self._texts[split].texts):
            return Evaluation({}, {})
        arrays = self._arrays[split]
        each = evaluation.log_p(self, params, arrays)  # (members, n, C)
        if split == "valid":
            metrics = [evaluation.metrics(one, arrays["labels"]) for one in each]
            values = {name: np.array([m[name] for m in metrics]) for name in metrics[0]}
            self.temperature = evaluation.temperature(evaluation.mixed(each), arrays["labels"])
            values = {k: v if self.members else float(v[0]) for k, v in values.items()}
            return Evaluation(
                {f"valid_{k}": v for k, v in values.items()} | {"temperature": self.temperature}, {}
            )
        log_p = evaluation.mixed(each, self.temperature)
        metrics = evaluation.metrics(log_p, arrays["labels"])
        return Evaluation({f"test_{k}": v for k, v in metrics.items()}, {"log_p": log_p})

    def artifacts(self, params, evaluated, run):
        self._save(run)
        if "log_p" in evaluated.shown:
            test = self._texts["test"]
            known = self._arrays["test"]["labels"]
            show.write(run, self.classes, test, known, evaluated.shown["log_p"], evaluated.metrics)

    def posterior(self, params, texts: Sequence[str]) -> list[dict]:
        """For each text label and probabilities (by class, likely ones first); where no symbol of it is
        known, ``known`` is False, and the shares of the classes in training speak."""
        arrays = self.padded(texts)
        log_p = evaluation.mixed(evaluation.log_p(self, params, arrays), self.temperature)
        unknown = self.vocabulary.kind != "bytes"
        rows = []
        for ids, length, p in zip(arrays["tokens"], arrays["lengths"], np.exp(log_p), strict=True):
            known = bool(ids[:length].any()) if unknown else bool(length)
            p = p if known else self.prior
            likely = np.argsort(-p, kind="stable")
            row = {
                "label": self.classes[likely[0]],
                "probabilities": {self.classes[i]: float(p[i]) for i in likely},
            }
            rows.append(row if known else row | {"known": False})
        return rows

    def _prepared(self, text):
        return corpus.prepare(text, self.config.data.lowercase).replace("\n", " ")

    def _encode(self, text):
        return self.vocabulary.encode(self._prepared(text))

    def _save(self, run):
        record = {
            "classes": self.classes,
            "prior": self.prior.tolist(),
            "widths": self.widths,
            "temperature": self.temperature,
        }
        write_bytes(run / "classes.json", (json.dumps(record, ensure_ascii=False) + "\n").encode())
