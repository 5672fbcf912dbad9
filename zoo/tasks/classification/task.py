"""Text classification: which of several classes a text is of.

A text is read as symbols, ``data.limit`` of them at most. Texts of like lengths go into a batch together
(``zoo.data.buckets``), and the model knows the length of each, so that padding changes nothing. With
``ensemble.members`` several models are trained as a bank; the mean of their probabilities counts. With
``curve`` they are a bank that learns from ever fewer texts.
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
from zoo.data.text import corpus, labelled, labelled_sets, stop_words, tokenizers, words
from zoo.data.text.labelled import Labelled
from zoo.data.text.tokenizers import Tokenizer
from zoo.errors import UserError
from zoo.models import Classifier, LanguageModel
from zoo.models.softmax import chances
from zoo.tasks.classification import baselines, curve, evaluation, generative, looks, losses, show
from zoo.tasks.classification.config import check
from zoo.tasks.protocol import Evaluation, Task

_WORD_DROP = 4000  # what its key is drawn from the dropout key for
_CROP = 4001  # the same, from the data key
_GENERATIVE = (
    *("cell", "embed", "hidden", "layers", "dropout", "dropout_in", "dropout_out", "weight_drop"),
    *("class_embed", "precision"),
)  # keys of the model that a generative one has too


class ClassificationTask(Task):
    """The Task over a Classifier, or a bank of them; see ``zoo.tasks.protocol``."""

    loss_unit = "nats a text"

    def __init__(self, config: ConfigDict):
        """The texts are read when they are first needed. Raises UserError for keys out of range."""
        check(config)
        self.config = config
        # What log P is divided by, and a generative model's share beside the other one: fitted on the
        # validation texts; those of a run, once it has fitted them.
        self.temperature, self.share = 1.0, 0.0

    @classmethod
    def rebuild(cls, config: ConfigDict, run: Path) -> "ClassificationTask":
        """The task of a run, with its own vocabulary, classes and temperature; no text is read."""
        task = cls(config)
        task.vocabulary = tokenizers.load(run / "vocabulary.json")
        record = json.loads(read_bytes(run / "classes.json"))
        task.classes, task.prior = record["classes"], np.array(record["prior"])
        task.widths, task.temperature = tuple(record["widths"]), record["temperature"]
        task.share = record.get("share", 0.0)
        task.longest = record.get("longest", task.widths[-1])
        return task

    @property
    def members(self) -> int:
        """Models of the bank; 0 for one alone."""
        n = max(self.config.ensemble.members, self.config.curve)
        return n if n > 1 else 0

    @cached_property
    def texts(self) -> dict[str, Labelled]:
        """split -> its texts; valid comes out of the training rows."""
        d = self.config.data
        options = {"text": d.text, "label": d.label, "skip": d.skip_unreadable}
        if d.path:
            whole, test = labelled.read_labelled(d.path, **options), None
        else:
            whole, test = labelled_sets.named(d.name)
        if d.drop_duplicates:
            whole = labelled.distinct(whole)
        if d.test_path:
            test = labelled.read_labelled(d.test_path, **options)
        if test is None:
            if d.split == "position":
                rows = labelled.by_position(whole, 0.0, d.test)
            else:
                rows = labelled.stratified(whole, 0.0, d.test, d.test_seed)
            whole, test = whole.take(rows["train"]), whole.take(rows["test"])
        rows = labelled.stratified(whole, d.valid, 0.0, self.config.seed)
        if self.config.best.metric and not len(rows["valid"]):
            raise DataError(
                f"--config.data.valid={d.valid}: no class has texts enough for a validation part to choose "
                "by; raise it, give more texts, or add --config.best.metric="
            )
        return {
            "train": whole.take(rows["train"]),
            "valid": whole.take(rows["valid"]),
            "test": test,
        }

    @cached_property
    def classes(self) -> list[str]:
        """The labels of the training texts, sorted; those of a run to start from must be the same."""
        found = sorted(set(self.texts["train"].labels))
        if len(found) < 2:
            source = self.config.data.path or self.config.data.name
            raise DataError(
                f"{source!r}: all training texts are of one class, {labelled.some(found)}; two are needed "
                "to tell apart"
            )
        if start := self.config.start:
            known = json.loads(read_bytes(Path(start, "classes.json")))["classes"]
            labelled.must_be(found, known, start)
        return found

    @cached_property
    def prior(self) -> np.ndarray:
        """The share of each class in training, (C,)."""
        counts = np.bincount(self._arrays["train"]["labels"], minlength=len(self.classes))
        return counts / counts.sum()

    @cached_property
    def vocabulary(self) -> Tokenizer:
        """The symbols of the training texts; of a run to start from, its own."""
        d = self.config.data
        if self.config.start:
            return tokenizers.load(Path(self.config.start, "vocabulary.json"))
        text = "\n".join(self.prepared(t) for t in self.texts["train"].texts)
        return tokenizers.known(tokenizers.make(d.symbols, text, d.min_count, d.most), d.min_count)

    @property
    def hidden_id(self) -> int:
        """What a symbol is read as that is hidden from the model: the unknown one, or byte 0."""
        return next(iter(self.vocabulary.unknown_ids), 0)

    @cached_property
    def longest(self) -> int:
        """Symbols of a text that are read."""
        return max(1, min(self.config.data.limit, max(len(ids) for ids in self._train_ids)))

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """The steps that a batch of each bucket has."""
        lengths = [len(ids) for ids in self._train_ids]
        longest = min(self.config.data.crop or self.longest, self.longest)
        return buckets.widths(np.minimum(lengths, longest), self.config.data.buckets)

    @cached_property
    def _train_ids(self):
        return [self.tokens(text) for text in self.texts["train"].texts]

    @cached_property
    def models(self) -> dict[str, Classifier | LanguageModel]:
        """The Flax modules: "discriminative", which foretells classes from texts, "generative", which
        foretells texts from classes, or both, which then have their params under these names."""
        sizes = {"vocab": self.vocabulary.size, "classes": len(self.classes)}
        keys, found = self.config.model.to_dict(), {}
        own = {k: keys[k] for k in _GENERATIVE}
        del keys["class_embed"]
        if self.config.objective != "generative":
            reads = bool(self.config.pretrain.epochs)
            found["discriminative"] = Classifier(**sizes, **keys, reads=reads)
        if self.config.objective != "discriminative":
            found["generative"] = LanguageModel(**sizes, **own, tie=True)
        return found

    @property
    def model(self):
        """The Flax module; of a mixture, both, as in ``models``."""
        return self.models if len(self.models) > 1 else next(iter(self.models.values()))

    def part(self, params, objective: str):
        """The params of one of the models."""
        return params[objective] if len(self.models) > 1 else params

    @cached_property
    def _arrays(self):
        index, arrays = {label: i for i, label in enumerate(self.classes)}, {}
        for split, (texts, given, _) in self.texts.items():
            labels = np.array([index.get(label, -1) for label in given], np.int32)
            each = self._train_ids if split == "train" else map(self.tokens, texts)
            arrays[split] = self._padded(each) | {"labels": labels}
        return arrays

    def padded(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """tokens (n, ``longest``) and lengths (n,), int32, of any texts."""
        return self._padded(map(self.tokens, texts))

    def _padded(self, each):
        each = [ids[: self.longest] for ids in each]
        tokens = np.zeros((len(each), self.longest), np.int32)
        for row, ids in zip(tokens, each, strict=True):
            row[: len(ids)] = ids
        return {"tokens": tokens, "lengths": np.array([len(ids) for ids in each], np.int32)}

    def describe_data(self):
        whole = json.dumps([(t.texts, t.labels) for t in self.texts.values()])
        train = self.texts["train"]
        cut = sum(len(ids) > self.config.data.limit for ids in self._train_ids)
        skipped = sorted({file for t in self.texts.values() for file in t.skipped})
        for note in self._notes(cut, skipped):
            print(f"note: {note}", file=sys.stderr)
        return {
            "digest": hashlib.sha256(whole.encode()).hexdigest(),
            "texts": {split: len(t.texts) for split, t in self.texts.items()},
            "empty": {split: t.empty for split, t in self.texts.items()},
            "skipped": skipped,
            "classes": len(self.classes),
            "vocabulary": self.vocabulary.size,
            "vocabulary_sha256": tokenizers.digest(self.vocabulary),
            "widths": self.widths,
            "padding": round(buckets.padding(self._lengths("train"), self.widths), 4),
            "cut": cut,
            "test_texts_seen_in_training": labelled.in_both(train, self.texts["test"]),
        }

    def _notes(self, cut, skipped):
        """What a person should know of the data before they train, a line each."""
        d, train, test = self.config.data, self.texts["train"], self.texts["test"]
        said = [f"training: {remark}" for remark in labelled.remarks(train)]
        if skipped:
            said.append(f"files that are no text are left out: {labelled.some(skipped)}")
        if cut:
            said.append(
                f"training: {cut} of {len(train.texts)} texts have more than {d.limit} symbols, and are "
                "read up to there; see --config.data.limit"
            )
        if self.config.baselines and len(self.classes) > baselines.MOST:
            said.append(f"no baselines: of {baselines.MOST} classes at most")
        if not test.texts and (d.test or d.test_path):
            said.append(f"--config.data.test={d.test}: no class has texts enough for a test part")
        if strange := sorted(set(test.labels) - set(self.classes)):
            known = set(self.classes)
            count = sum(label not in known for label in test.labels)
            said.append(
                f"test: {count} of {len(test.texts)} texts count as wrong, since training has no "
                f"{labelled.some(strange)}"
            )
        return said

    def prepare(self, run):
        self.vocabulary.save(run / "vocabulary.json")
        self._save(run)

    def init(self, key):
        tokens, one = jnp.zeros((1, 5), jnp.int32), jnp.ones(1, jnp.int32)
        found = {}
        for objective, model in self.models.items():
            given = (tokens, None, one) if objective == "generative" else (tokens, one)
            found[objective] = model.init(key, *given)
        return found if len(found) > 1 else found[objective]

    def phases(self):
        epochs, config = self.config.pretrain.epochs, self.config
        if not epochs:
            return ()
        per_epoch = self.steps_per_epoch("train")
        lasts = config.epochs if config.steps is None else config.steps / per_epoch
        if lasts is not None and epochs >= lasts:
            raise UserError(
                f"--config.pretrain.epochs={epochs}: training has {lasts:.3g} epochs of {per_epoch} steps, "
                "so that no class would be learned; set fewer, or more --config.epochs"
            )
        return (epochs,)

    def rate_factor(self, parameter):
        _, name, *_ = parameter.removeprefix("discriminative.").split(".")
        depth = 0
        if parameter.startswith("generative."):
            return 1.0
        if name == "embedding":
            depth = self.config.model.layers + 1
        elif name.startswith(("layer_", "backward_")):
            depth = self.config.model.layers - int(name.split("_")[1])
        return self.config.pretrain.discriminate**depth

    def steps_per_epoch(self, split):
        return buckets.steps(self._lengths(split), self.widths, self.config.batch_size)

    def _lengths(self, split):
        """Of what a step reads of each text."""
        return np.minimum(self._arrays[split]["lengths"], self.widths[-1])

    def tokens_per_step(self):
        lengths = self._lengths("train")
        return max(1, round(lengths.sum() * max(1, self.members) / self.steps_per_epoch("train")))

    def data(self, split):
        arrays = self._arrays[split]
        weights = np.ones(len(self.classes), np.float32)
        if self.config.balance:
            weights = (1 / (self.prior * len(self.classes))).astype(np.float32)
        found = arrays | {"weights": weights[arrays["labels"]]}
        if self.config.curve:
            bucket = buckets.bucket_of(arrays["lengths"], self.widths)
            options = (arrays["labels"], bucket, self.config.curve, self.config.seed)
            found["rows"] = curve.rows(*options)
        return found

    def order(self, split, epoch):
        options = (self._lengths(split), self.widths, self.config.batch_size)
        reads = jnp.asarray(epoch) < self.config.pretrain.epochs
        key = jax.random.fold_in(random.key(self.config.seed, "data", epoch), _CROP)
        return buckets.order(self.config.seed, epoch, *options), reads, key

    def indices(self, order, i, member):
        (rows, bucket), reads, key = order
        return rows[i], bucket[i], reads, jax.random.fold_in(key, i), member

    def gather(self, data, indices):
        rows, bucket, reads, key, member = indices
        there = rows >= 0
        if self.config.curve:
            rows = jnp.asarray(data["rows"])[member, rows]
        batch = {name: jnp.asarray(data[name])[rows] for name in ("tokens", "lengths", "labels")}
        if self.config.data.crop:
            batch |= self._piece(batch, key)
        if self.config.curve:  # a text that stands in for another may be cut
            batch["lengths"] = jnp.minimum(batch["lengths"], jnp.array(self.widths)[bucket])
        weights = jnp.where(there, jnp.asarray(data["weights"])[rows], 0)
        return batch | {"there": there, "weights": weights, "bucket": bucket, "reads": reads}

    def _piece(self, batch, key):
        """A piece of each text, from a place drawn for the batch."""
        width, lengths = self.widths[-1], batch["lengths"]
        draws = jax.random.uniform(key, lengths.shape)
        count = jnp.maximum(lengths - width, 0) + 1
        first = (draws * count.astype(draws.dtype)).astype(jnp.int32)
        places = first[:, None] + jnp.arange(width)[None]
        tokens = jnp.take_along_axis(batch["tokens"], places, axis=1, mode="clip")
        return {"tokens": tokens, "lengths": jnp.minimum(lengths, width)}

    def loss(self, params, carry, batch, key):
        tokens = batch["tokens"]
        if self.config.word_drop:
            kept = random.keep(
                jax.random.fold_in(key, _WORD_DROP), self.config.word_drop, tokens.shape
            )
            tokens = jnp.where(kept, tokens, self.hidden_id)

        def program(width, reads):
            return lambda: self._loss(params, tokens[:, :width], batch, key, reads)

        programs = [program(width, False) for width in self.widths]
        at = batch["bucket"]
        if self.config.pretrain.epochs:
            programs += [program(width, True) for width in self.widths]
            at = jnp.where(batch["reads"], at + len(self.widths), at)
        return {"loss": lax.switch(at, programs)}, ()

    def _loss(self, params, tokens, batch, key, reads):
        """That of the model, or of both; where one ``reads``, it foretells words, not classes."""
        sums = []
        for objective, model in self.models.items():
            given = model, self.part(params, objective), tokens, batch, key
            if objective == "generative":
                sums.append(generative.loss(*given))
            elif reads:
                sums.append(losses.foretold(*given, self._negatives(key)))
            else:
                sums.append(losses.labelled(self.config, *given))
        return losses.together(sums)

    def _negatives(self, key):
        count = self.config.pretrain.negatives
        if not 0 < count < self.vocabulary.size:
            return None
        return losses.negatives(key, jnp.asarray(self._chances), count)

    @cached_property
    def _chances(self):
        return chances(np.bincount(np.concatenate(self._train_ids), minlength=self.vocabulary.size))

    def evaluate(self, params, split):
        if split == "train" or not len(self.texts[split].texts):
            return Evaluation({}, {})
        arrays = self._arrays[split]
        known, labels = self._known(arrays), arrays["labels"]
        each = evaluation.log_p(self, params, arrays)  # (models, members, n, C)
        if split == "valid":
            fitted = evaluation.fitted(self._counted(each)[:, :, known], labels[known])
            self.temperature, self.share = fitted
            alone = self._alone(each, known, labels)
            values = {name: np.array([m[name] for m in alone]) for name in alone[0]}
            values = {k: v if self.members else float(v[0]) for k, v in values.items()}
            if self.config.ensemble.members > 1:
                score = evaluation.metrics(self._mixed(each, known), labels)
                values |= {f"{k}_together": score[k] for k in ("loss", "accuracy")}
            values = {f"valid_{k}": v for k, v in values.items()}
            values["temperature"] = self.temperature
            if len(self.models) > 1:
                values["generative_share"] = self.share
            return Evaluation(values, {})
        log_p = self._mixed(each, known, self.temperature)
        metrics = {f"test_{k}": v for k, v in evaluation.metrics(log_p, labels).items()}
        if self.config.curve:
            own = [one["accuracy"] for one in self._alone(each, known, labels)]
            sizes = curve.sizes(self._arrays["train"]["labels"], self.config.curve)
            metrics |= {"curve_accuracy": np.array(own), "curve_texts": np.array(sizes)}
        if self.config.baselines:
            metrics |= self._baselines(labels)
        return Evaluation(metrics, {"log_p": log_p})

    def _alone(self, each, known, labels):
        """The metrics of each member."""
        members = np.moveaxis(each, 1, 0)[:, :, None]
        return [evaluation.metrics(self._mixed(one, known), labels) for one in members]

    def _baselines(self, known):
        """Scores of the baselines, which need no validation part and train on it too."""
        parts = [self.texts[split].texts for split in ("train", "valid")]
        labels = np.concatenate([self._arrays[split]["labels"] for split in ("train", "valid")])
        return baselines.scores(sum(parts, ()), labels, self.texts["test"].texts, known)

    def artifacts(self, params, evaluated, run):
        self._save(run)
        if "log_p" in evaluated.shown:
            test = self.texts["test"]
            known = self._arrays["test"]["labels"]
            answers = show.Answers(self.classes, test, known, evaluated.shown["log_p"])
            show.write(run, answers, evaluated.metrics)
            looks.draw(run, [self._look(params, answers, i) for i in show.exemplary(answers)])

    def _look(self, params, answers, i):
        symbols, values, told = looks.influence(self, params, answers.test.texts[i])
        label = answers.test.labels[i]
        return f"{label}, told {'right' if told == label else told}", symbols, values

    def posterior(self, params, texts: Sequence[str], top: int | None = None) -> list[dict]:
        """For each text label and probabilities (by class, likely ones first, ``top`` of them at most).

        Where no symbol of it is known, ``known`` is False, and the shares of the classes in training speak.
        Where it has more symbols than ``longest``, which alone are read, ``cut`` is True.
        """
        ids = [self.tokens(text) for text in texts]
        arrays = self._padded(ids)
        all_known = self._known(arrays)
        log_p = self._mixed(evaluation.log_p(self, params, arrays), all_known, self.temperature)
        rows = []
        for symbols, known, p in zip(ids, all_known, np.exp(log_p), strict=True):
            likely = np.argsort(-p, kind="stable")
            row = {
                "label": self.classes[likely[0]],
                "probabilities": {self.classes[i]: float(p[i]) for i in likely[:top]},
            }
            row |= {} if known else {"known": False}
            rows.append(row | ({"cut": True} if len(symbols) > self.longest else {}))
        return rows

    def _known(self, arrays):
        """Whether any symbol of each text is known, (n,): else the shares of the classes answer."""
        tokens, lengths = arrays["tokens"], arrays["lengths"]
        within = np.arange(tokens.shape[1]) < lengths[:, None]
        return (within & ~np.isin(tokens, self.vocabulary.unknown_ids)).any(axis=1)

    def log_p(self, params, arrays) -> np.ndarray:
        """log P(class | text) (n, C), by all models and members, of texts as ``padded`` gives them; at a
        temperature of 1."""
        each = evaluation.log_p(self, params, arrays)
        return self._mixed(each, np.ones(len(arrays["lengths"]), bool))

    def _counted(self, each):
        """The members whose answers count: of a learning curve, the one with all texts."""
        return each[:, :1] if self.config.curve else each

    def _mixed(self, each, known, temperature=1.0):
        """log P (n, C) of (models, members, n, C); the shares of the classes speak where nothing is
        ``known`` (n,)."""
        log_p = evaluation.mixed(self._counted(each), temperature, self.share)
        log_p[~known] = np.log(self.prior)
        return log_p

    def prepared(self, text: str) -> str:
        """A text as its symbols are read: cleaned, and in lower case or without stop words where that is
        asked for."""
        text = corpus.prepare(text, self.config.data.lowercase).replace("\n", " ")
        if self.config.data.stop_words:
            text = " ".join(stop_words.without(words.tokens(text)))
        return text

    def tokens(self, text: str) -> np.ndarray:
        """The ids (N,) of a text."""
        return self.vocabulary.encode(self.prepared(text))

    def _save(self, run):
        record = {
            "classes": self.classes,
            "prior": self.prior.tolist(),
            "widths": self.widths,
            "longest": self.longest,
            "temperature": self.temperature,
            "share": self.share,
        }
        write_bytes(run / "classes.json", (json.dumps(record, ensure_ascii=False) + "\n").encode())
