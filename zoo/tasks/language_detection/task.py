"""Language detection by likelihood: which language's model finds a string the most likely.

A string is scored from a fresh state after a start symbol, character by character, by the model of
every language: log P(string | language). Two kinds of models (``model.shared``):

one a language:  N language models of the same shapes, a bank, each trained on its own text
one for all:     a language model that is told the language at every step; with ``discriminative`` it
                 also learns to tell them apart: the loss is then

                     (1 - d) nats + d mean over prefixes of -log P(language | prefix)

                where P(language | prefix) is among the true language and ``contenders`` - 1 others,
                drawn for each window, those with a similar text more often

``ensemble.members`` models of either kind are trained at once; their log-likelihoods are averaged. With
``ensemble.backward`` every second one reads strings from their end, P(string) = prod P(character | those
after it): models that err elsewhere, more than other initial values do.
With ``contamination`` e a character counts p + e max p, the largest over languages: names, digits and
quotations, unlikely under the right language, then weigh log 1 / e at most (Huber 1964).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from ml_collections import ConfigDict

from zoo import random
from zoo.data.files import read_bytes, write_bytes
from zoo.data.text import frequencies, labelled, tokenizers
from zoo.data.text import languages as texts
from zoo.data.text.alphabet import START, Alphabet, between_spaces, scripts_of, spaced
from zoo.errors import UserError
from zoo.models import LanguageModel, cross_entropy
from zoo.tasks.language_detection import evaluation, likelihood, plots, windows
from zoo.tasks.language_detection.config import check, parse_priors
from zoo.tasks.protocol import Evaluation, Sum, Task

UNKNOWN = "unknown"
_LOGITS = 1 << 20  # logits that are made at once, at most


class LanguageDetectionTask(Task):
    """The Task over a bank of LanguageModels; see ``zoo.tasks.protocol`` for what each method does."""

    def __init__(self, config: ConfigDict):
        """The texts are read when they are first needed. Raises UserError for keys out of range."""
        check(config)
        self.config = config
        self.temperature = 1.0  # of probabilities; a finished run's own, where it has fitted one

    @classmethod
    def rebuild(cls, config: ConfigDict, run: Path) -> "LanguageDetectionTask":
        """The task of a run, with its own alphabet, languages and temperature; no text is read."""
        task = cls(config)
        task.alphabet = Alphabet.load(run / "alphabet.json")
        if (file := run / "detector.json").is_file():
            record = json.loads(read_bytes(file))
            task.codes, task.temperature = record["languages"], record["temperature"]
            task.scripts = record["scripts"]
        return task

    @property
    def members(self) -> int:
        """Models that are trained side by side."""
        replicas = self.config.ensemble.members
        return replicas if self.config.model.shared else replicas * len(self.codes)

    @cached_property
    def codes(self) -> list[str]:
        """The languages, in the order of scores and probabilities; those of a run to start from must be the
        same."""
        found = [t.code for t in self._texts]
        if start := self.config.start:
            known = json.loads(read_bytes(Path(start, "detector.json")))["languages"]
            labelled.must_be(found, known, start)
        return found

    @cached_property
    def scripts(self) -> list[list[str]]:
        """The scripts of each language, see ``scripts_of``."""
        return [scripts_of(text) for text in self.parts["train"]]

    @property
    def loss_unit(self) -> str:
        """What the loss is measured in."""
        mixed = "; training: mixed with -log P(language)" if self.config.discriminative else ""
        return f"nats a character{mixed}"

    @cached_property
    def _texts(self):
        d = self.config.data
        names = ("name", "path", "languages", "encodings", "lowercase")
        return texts.read_languages(**{n: d[n] for n in names}, shortest=2 * d.window)

    @cached_property
    def parts(self) -> dict[str, list[str]]:
        """split -> the text of each language in it: the first words to train, the last to test."""
        d = self.config.data
        parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
        words = frequencies.read(d.words, self.codes, d.lowercase) if d.words else {}
        for code, text in self._texts:
            units = text.split(" ") if spaced(text) else list(text)
            joint = " " if len(units) < len(text) else ""
            end = round(len(units) // 10 * 10 * (1 - d.test))  # as source 004 cuts
            start = end - round(end * d.valid)
            for split, part in (("train", units[:start]), ("valid", units[start:end])):
                parts[split].append(joint.join(part))
            parts["test"].append(joint.join(units[end:]) if d.test else "")
            if d.words:
                parts["train"][-1] = frequencies.beside(parts["train"][-1], words[code])
            if len(parts["train"][-1]) <= d.window:
                raise UserError(
                    f"the training text of {code!r} has {len(parts['train'][-1])} characters; more "
                    f"than one window (--config.data.window={d.window}) is needed"
                )
        return parts

    @cached_property
    def elsewhere(self) -> list[str]:
        """The last 20 % of each text of data.test_on; [] where that is not set."""
        d = self.config.data
        if not d.test_on:
            return []
        other = texts.read_languages(d.test_on, languages=tuple(self.codes), lowercase=d.lowercase)
        return [t.text[len(t.text) * 8 // 10 :] for t in other]

    @cached_property
    def lines(self) -> dict[str, tuple[list[str], np.ndarray]]:
        """kind -> (lines, labels (n,)) of data.test_path."""
        return evaluation.read_lines(self.config.data, self.codes)

    @cached_property
    def alphabet(self) -> Alphabet:
        """The symbols of the training texts; of a run to start from, its own."""
        if self.config.start:
            return Alphabet.load(Path(self.config.start, "alphabet.json"))
        least = self.config.data.min_count
        return tokenizers.known(Alphabet.from_texts(self.parts["train"], least), least)

    @cached_property
    def model(self) -> LanguageModel:
        """The Flax module."""
        settings = self.config.model.to_dict()
        shared = settings.pop("shared")
        classes = len(self.codes) if shared else 0
        return LanguageModel(vocab=self.alphabet.size, classes=classes, **settings)

    def describe_data(self):
        whole = "\n".join(t.code + t.text for t in self._texts)
        whole += "\n".join(self.parts["train"]) if self.config.data.words else ""
        self._check_texts()
        kinds = {kind: len(strings) for kind, (strings, _) in self.lines.items()}
        return {
            "digest": hashlib.sha256(whole.encode()).hexdigest(),
            "characters": {t.code: len(t.text) for t in self._texts},
            "symbols": self.alphabet.size,
            **({"lines": kinds} if kinds else {}),
        }

    def prepare(self, run):
        self.alphabet.save(run / "alphabet.json")
        self._save(run, 1.0)

    def init(self, key):
        label = jnp.zeros(1, jnp.int32) if self.config.model.shared else None
        return self.model.init(key, jnp.zeros((1, 1), jnp.int32), None, label)

    def sums(self):
        return ("loss", "nats")

    def steps_per_epoch(self, split):
        """As many windows as the longest text has places for one (all texts, where one model has all)."""
        starts = [len(t) - self.config.data.window + 1 for t in self.parts[split]]
        total = sum(starts) if self.config.model.shared else max(starts)
        return -(-total // self.config.batch_size)

    def tokens_per_step(self):
        return self.members * self.config.batch_size * self.config.data.window

    def data(self, split):
        d = self.config.data
        data = windows.table([self.alphabet.encode(t) for t in self.parts[split]], d.window)
        return data | (self._starts if d.starts == "spaces" else {})

    @cached_property
    def _starts(self):
        return windows.spaces(self.parts["train"], self.codes, self.config.data.window)

    def order(self, split, epoch):
        """The epoch alone: windows are drawn, so that texts of any lengths are cycled alike."""
        return jnp.int32(epoch)

    def indices(self, order, i, member):
        key = jax.random.fold_in(random.key(self.config.seed, "data", order), i)
        key = jax.random.fold_in(key, member)
        size, n = self.config.batch_size, len(self.codes)
        label = jnp.arange(size) if self.config.model.shared else jnp.full(size, member)
        return label % n, jax.random.uniform(key, (size,)), self._backward(member)

    def gather(self, data, indices):
        label, share, backward = indices
        tokens = windows.draw(data, label, share, self.config.data.window, backward)
        return {"tokens": tokens, "label": label}

    def loss(self, params, carry, batch, key):
        tokens, label, d = batch["tokens"], batch["label"], self.config.discriminative
        rivals = self._rivals(label, jax.random.fold_in(key, 1))
        labels = jnp.concatenate([label[None], rivals])  # (K, B), the true one first
        scores = self._log_p(
            params, jnp.tile(tokens, (len(labels), 1)), labels.reshape(-1), key
        ).reshape(len(labels), *tokens.shape)
        nats = -jnp.sum(scores[0])
        total = nats
        if d:
            among = jax.nn.log_softmax(jnp.cumsum(scores, axis=2), axis=0)[0]
            total = (1 - d) * nats - d * jnp.sum(among)
        weight = jnp.float32(tokens.size)
        return {"loss": Sum(total, weight), "nats": Sum(nats, weight)}, ()

    def evaluate(self, params, split):
        if split == "valid" and all(self.parts["valid"]):
            return Evaluation({"valid_loss": self._valid_loss(params)}, {})
        return evaluation.test(self, params) if split == "test" else Evaluation({}, {})

    def artifacts(self, params, evaluated, run):
        self._save(run, evaluated.metrics.get("temperature", 1.0))
        plots.draw(self, params, evaluated.shown["scored"], run)
        summary = evaluation.summary(self.codes, evaluated.metrics)
        write_bytes(run / "summary.txt", summary.encode())

    def scores(
        self,
        params,
        strings: Sequence[str],
        whole: bool = True,
        languages: Sequence[str] = (),
    ) -> np.ndarray:
        """log P(string | language), (n, languages), float64; averaged over an ensemble.

        ``whole`` strings are lines or words, not cut out of a text: with data.ends = "spaces" they
        are read between spaces. ``languages`` are those wanted, all when empty. Languages that are out
        of the question are not scored to the end, nor is a string where one language is left: it is
        differences that count; see ``zoo.tasks.language_detection.likelihood``.
        """
        wanted = (
            np.isin(self.codes, languages) if len(languages) else np.ones(len(self.codes), bool)
        )
        return self._scores(params, strings, whole, wanted, self._allowed(strings, wanted))

    def _scores(self, params, strings, whole, wanted, allowed):
        allowed = np.where(allowed.any(axis=1, keepdims=True), allowed, wanted)
        tokens = [self.tokens(s, whole) for s in strings]
        e, apart = self.config.contamination, not self.config.model.shared
        scores = np.zeros(allowed.shape)
        for backward, share in enumerate(self._shares):
            if share:
                piece = self._reader(params, backward)
                read = [t[::-1] for t in tokens] if backward else tokens
                values = likelihood.score(piece, read, allowed, e, apart)
                scores += share * values
                # Those who read backwards are not asked of what is far behind already.
                allowed &= values > values.max(axis=1, keepdims=True) - likelihood.BEHIND
        return scores

    def trace(self, params, string: str) -> np.ndarray:
        """log P(character | those before it, language), (characters, languages), by the members that
        read forwards."""
        piece, n = self._reader(params, 0), len(self.codes)
        tokens = self.tokens(string, False)
        return likelihood.trace(piece, tokens, n, self.config.contamination)

    def posterior(
        self,
        params,
        strings: Sequence[str],
        languages: Sequence[str] = (),
        priors: dict[str, float] | None = None,
        margin: float | None = None,
    ) -> list[dict]:
        """For each string label, probabilities (by language, likely ones first) and margin.

        Where no letter of the string is of a script of these languages, only the priors speak, and the
        label is "unknown"; so it is where the first is not ``margin`` more probable than the second.
        ``priors`` (weights, 1 for those left out) and ``margin`` are the config's when None. Raises
        UserError for fewer than two languages, and for priors of unknown ones.
        """
        if len(languages or self.codes) < 2:
            raise UserError(
                f"--languages={languages[0]}: one language; two are needed to tell apart"
            )
        margin = self.config.margin if margin is None else margin
        at = [self.codes.index(c) for c in languages or self.codes]
        wanted = np.isin(np.arange(len(self.codes)), at)
        allowed = self._allowed(strings, wanted)
        speaks = allowed.any(axis=1)
        logits = np.tile(np.log(self._weights(priors)[at]), (len(strings), 1))
        read = np.flatnonzero(speaks)
        scores = self._scores(params, [strings[i] for i in read], True, wanted, allowed[read])
        logits[read] += self.temperature * scores[:, at]
        logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        rows = []
        for spoken, row in zip(speaks, p, strict=True):
            order = np.argsort(-row, kind="stable")
            lead = float(row[order[0]] - row[order[1]])
            label = self.codes[at[order[0]]] if spoken and lead >= margin else UNKNOWN
            probabilities = {self.codes[at[i]]: float(row[i]) for i in order}
            rows.append({"label": label, "probabilities": probabilities, "margin": lead})
        return rows

    def _weights(self, priors):
        """The priors (languages,); those of the config when None."""
        given = parse_priors(self.config.priors) if priors is None else priors
        weights = dict.fromkeys(self.codes, 1.0) | given
        if unknown := [c for c in weights if c not in self.codes]:
            raise UserError(f"priors: {unknown[0]!r} is none of {', '.join(self.codes)}")
        return np.array([weights[c] for c in self.codes])

    def _check_texts(self):
        """Raises UserError for what evaluation could not use."""
        self._weights(None)
        parts = {split: self.parts[split] for split in ("valid", "test") if self.config.data[split]}
        _ = self.elsewhere  # a wrong data.test_on is told now
        if self.config.data.starts == "spaces":
            _ = self._starts
        shortest = evaluation.LENGTHS[0]
        for split, some in parts.items():
            for code, text in zip(self.codes, some, strict=True):
                if len(text) < shortest:
                    raise UserError(
                        f"the {split} text of {code!r} has {len(text)} characters; {shortest} are "
                        f"needed: give a longer text or a larger --config.data.{split}, or 0 for none"
                    )

    def _backward(self, member):
        """Whether a member reads strings from their end: every second model of a language, if any."""
        replica = member if self.config.model.shared else member // len(self.codes)
        return (replica % 2 == 1) & self.config.ensemble.backward

    def _save(self, run, temperature):
        names = {"languages": self.codes, "scripts": self.scripts}
        record = names | {"temperature": temperature}
        write_bytes(run / "detector.json", (json.dumps(record, indent=2) + "\n").encode())

    def tokens(self, string: str, whole: bool = True) -> np.ndarray:
        """The ids (N,) of a text, or, not ``whole``, of a piece of one that is cleaned already."""
        if whole:
            string = texts.clean(string, self.config.data.lowercase)
            string = between_spaces(string) if self.config.data.ends == "spaces" else string
        return self.alphabet.encode(string)

    def _rivals(self, label, key):
        """(K - 1, B) other languages for each window; K = 1 without ``discriminative``."""
        n, d = len(self.codes), self.config.discriminative
        k = min(self.config.contenders, n) if d else 1
        if k == n:
            away = jnp.broadcast_to(jnp.arange(1, n)[:, None], (n - 1, len(label)))
            return (label[None] + away) % n
        rank = jax.random.uniform(key, (k - 1, len(label))) ** 3  # one in three the nearest of 27
        return jnp.asarray(self._near)[label[None], jnp.floor(rank * (n - 1)).astype(jnp.int32)]

    @cached_property
    def _near(self):
        """(languages, languages - 1): the others, those with the most similar trigrams first."""
        counts = [Counter(t[i : i + 3] for i in range(len(t) - 2)) for t in self.parts["train"]]
        index = {gram: i for i, gram in enumerate(sorted(set().union(*counts)))}
        table = np.zeros((len(counts), len(index)))
        for row, count in zip(table, counts, strict=True):
            row[[index[gram] for gram in count]] = np.sqrt(list(count.values()))
        table /= np.linalg.norm(table, axis=1, keepdims=True)
        likeness = table @ table.T
        np.fill_diagonal(likeness, np.inf)
        return np.argsort(-likeness, axis=1, kind="stable")[:, 1:]

    def _log_p(self, params, tokens, label, key=None):
        """log P of every token (B, T) by one model, from the start."""
        inputs = jnp.concatenate([jnp.full_like(tokens[:, :1], START), tokens[:, :-1]], axis=1)
        _, values = self._apply(params, None, inputs, tokens, label, key)
        return values

    def _apply(self, params, carry, inputs, targets, label, key=None):
        """(carry, log P of targets (B, T)), in pieces whose logits stay in the cache."""
        label = label if self.config.model.shared else None
        rngs = {"dropout": key} if key is not None else None

        def piece(carry, xs):
            inputs, targets = xs
            after, logits = self.model.apply(
                params, inputs, carry, label, train=key is not None, rngs=rngs
            )
            return after, -cross_entropy(logits, targets)

        rows, length = inputs.shape
        most = _LOGITS // (rows * self.alphabet.size)
        size = max(n for n in range(1, length + 1) if length % n == 0 and n <= max(1, most))
        if size == length:
            return piece(carry, (inputs, targets))

        def pieces(a):
            return a.reshape(rows, -1, size).swapaxes(0, 1)

        carry = self.model.carry(rows) if carry is None else carry
        after, log_p = lax.scan(piece, carry, (pieces(inputs), pieces(targets)))
        return after, log_p.swapaxes(0, 1).reshape(rows, length)

    def _allowed(self, strings, wanted):
        allowed = np.zeros((len(strings), len(self.codes)), bool)
        scripts = [s for s, w in zip(self.scripts, wanted, strict=True) if w]
        allowed[:, wanted] = likelihood.candidates(strings, scripts)
        return allowed

    @property
    def _shares(self):
        """The share of an ensemble that reads forwards, and that which reads backwards."""
        n = self.config.ensemble.members
        backward = n // 2 / n if self.config.ensemble.backward else 0.0
        return 1 - backward, backward

    def _reader(self, params, backward):
        """The Piece of the members that read in one direction, averaged."""
        n, shared = len(self.codes), self.config.model.shared
        step = 2 if self.config.ensemble.backward else 1

        def mine(a, label):
            a = a if shared else a.reshape(-1, n, *a.shape[1:])[:, label]
            return a[backward::step]

        # The parameters of one language at a time, of a bank.
        params = [
            jax.tree.map(lambda a, i=i: mine(a, i), params) for i in range(1 if shared else n)
        ]

        def piece(languages, symbols, carry):
            one = params[0 if shared else languages[0]]
            return self._read(one, jnp.asarray(languages), jnp.asarray(symbols), carry)

        return piece

    @partial(jax.jit, static_argnums=0)
    def _read(self, params, label, symbols, carry):
        def one(at):
            return self._apply(*at, symbols[:, :-1], symbols[:, 1:], label)

        if carry is None:
            zero, models = self.model.carry(len(symbols)), len(jax.tree.leaves(params)[0])
            carry = jax.tree.map(lambda a: jnp.zeros((models, *a.shape), a.dtype), zero)
        after, each = lax.map(one, (params, carry))
        return after, each.mean(axis=0)

    def _valid_loss(self, params):
        """(members,) nats a character of the validation part, read once, in windows from a fresh state:
        the mean over languages, or over that of a member alone."""
        n, shared = len(self.codes), self.config.model.shared
        losses = np.zeros((n, self.members))
        for label, text in enumerate(self.parts["valid"]):
            mine = np.arange(0 if shared else label, self.members, 1 if shared else n)
            models = jax.tree.map(lambda a, mine=mine: a[mine], params)
            tokens, weights = windows.tiled(self.alphabet.encode(text), self.config.data.window)
            total = 0.0
            for some, weight in zip(tokens, weights, strict=True):
                nats = self._nats(models, jnp.asarray(mine), some, weight, jnp.int32(label))
                total += np.asarray(nats, np.float64)
            losses[label, mine] = total / len(text)
        return losses.mean(axis=0) if shared else losses.sum(axis=0)

    @partial(jax.jit, static_argnums=0)
    def _nats(self, params, members, tokens, weights, label):
        """(members,) the sum of -log P of tokens (B, T) with weights (B, T)."""

        def one(at):
            member, mine = at
            backward = self._backward(member)
            log_p = self._log_p(
                mine, windows.turned(tokens, backward), jnp.full(len(tokens), label)
            )
            return -jnp.sum(log_p * windows.turned(weights, backward))

        return lax.map(one, (members, params))
