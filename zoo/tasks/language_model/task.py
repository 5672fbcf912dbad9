"""Language models: the next character, byte or word of a text.

Ways to read the training text, ``data.batches``:

lanes:  the text is cut into ``batch_size`` contiguous lanes, read side by side, ``window`` symbols a
        step; the state is kept from window to window and zeroed at the start of an epoch (truncated
        backpropagation through time). Every epoch starts at another place of the text.
chunks: sequences of ``window`` symbols without a common past, shuffled every epoch (source 001).

Two other ways, ``prefixes`` and ``windows``, have another model: see the modules of these names here.

Of several corpora it is a bank: a model for each, with one vocabulary for all. Or, with ``data.together``,
one model that reads chunks of all.
"""

import hashlib
import math
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from zoo.data import batches, mapped
from zoo.data.files import write_bytes
from zoo.data.text import collection, corpus, encoded, tokenizers, words
from zoo.data.text.tokenizers import Tokenizer
from zoo.errors import UserError
from zoo.generate import default_prompt, further, generate_blocks
from zoo.models import Ensemble, LanguageModel
from zoo.models.ensemble import penalised
from zoo.models.softmax import chances, draw
from zoo.tasks import copies, kneser_ney
from zoo.tasks.language_model import beside, evaluation, large, mixed_text, mixture, names
from zoo.tasks.language_model.config import check
from zoo.tasks.protocol import Evaluation, Sum, Task, merged

_NEGATIVES = 6000  # what their key is drawn from the dropout key for
_OF_WORDS = ("words", "tokenised")
_LONG = 100  # characters of a word, on the mean: then it is none


def of(config: ConfigDict) -> type["LanguageModelTask"]:
    """The class of a config."""
    if config.data.batches == "prefixes":
        from zoo.tasks.language_model.prefixes import PrefixTask

        return PrefixTask
    if config.data.batches == "windows":
        from zoo.tasks.language_model.windows import WindowTask

        return WindowTask
    return LanguageModelTask


class LanguageModelTask(Task):
    """The Task over a LanguageModel; see ``zoo.tasks.protocol`` for what each method promises."""

    def __init__(self, config: ConfigDict):
        """The text is read when it is first needed. Raises UserError for keys out of range."""
        check(config)
        self.config = config

    @classmethod
    def rebuild(cls, config: ConfigDict, run: Path) -> "LanguageModelTask":
        """The task of a run, with the run's own vocabulary and corpora; no text is read."""
        task = cls(config)
        task.vocabulary = tokenizers.load(run / "vocabulary.json")
        task.corpora = names.load(run)
        return task

    @cached_property
    def corpora(self) -> tuple[str, ...]:
        """The names of the corpora, each with a model of its own; () for one text and one model."""
        if self.config.data.joined:
            return ()
        found = collection.names(self.config.data.path, self.config.data.corpora)
        if found and self.config.data.batches != "chunks":
            raise UserError(
                f"--config.data.path={self.config.data.path}: a folder is several corpora, which are read "
                "in chunks; add --config.data.batches=chunks, or, for one text, --config.data.joined=True"
            )
        return found

    @property
    def members(self) -> int:
        """Models of a bank: one a corpus; 0 for one model."""
        return 0 if self.config.data.together else len(self.corpora)

    @property
    def loss_unit(self) -> str:
        """What the loss is measured in."""
        return f"nats per {self._unit}"

    @cached_property
    def vocabulary(self) -> Tokenizer:
        """The symbols of the training part, or of those of all corpora; of a run to start from, its own."""
        d = self.config.data
        if self.config.start:
            return tokenizers.load(Path(self.config.start, "vocabulary.json"))
        if self._large:
            return self._large.vocabulary
        text = "\n".join(parts["train"] for parts in self._texts)
        return tokenizers.make(d.symbols, text, d.min_count, d.most)

    @cached_property
    def model(self) -> LanguageModel | Ensemble:
        """The Flax module."""
        sizes = self.config.model.to_dict()
        del sizes["bidirectional"]
        size = sizes.pop("ensemble")
        one = LanguageModel(vocab=self.vocabulary.size, **sizes)
        return Ensemble(one, size) if size > 1 else one

    @cached_property
    def _source(self):
        """The files of the text; None for named ones, and for several."""
        return large.source(self.config) if self.config.data.path and not self.corpora else None

    @cached_property
    def _large(self):
        """A text that is not held in memory; else None."""
        return large.measured(self.config, self._source) if self._source else None

    @cached_property
    def _texts(self):
        """The parts of each text that is held in memory."""
        d = self.config.data
        if d.joined:
            return [large.parts(self.config, self._source)]
        reading = {"lowercase": d.lowercase, "encoding": d.encoding, "unwrap": d.unwrap}
        if not self.corpora:
            return [corpus.parts(d.name, d.path or None, d.valid, d.test, **reading)]
        parts = collection.texts(d.path, self.corpora, d.valid, d.test, **reading)
        for remark in collection.remarks(parts):
            print(f"note: {remark}", file=sys.stderr)
        return list(parts.values())

    @cached_property
    def _characters(self):
        """How many the parts of each text have."""
        if self._large:
            return [self._large.characters]
        return [{part: len(text) for part, text in parts.items()} for parts in self._texts]

    @cached_property
    def _tokens(self):
        """The ids of the parts of each text; those of a large one are memory maps."""
        c, all_of_them = self.config, self._encoded()
        each = zip(self.corpora or ("",), self._characters, all_of_them, strict=True)
        for name, characters, tokens in each:
            size, count = characters["train"], len(tokens["train"])
            if self._unit == "word" and size > _LONG * count:
                raise UserError(
                    f"the training part has {count} word(s) in {size} characters, hardly any blanks; add "
                    "--config.data.symbols=characters"
                )
            batch = 1 if name or c.data.batches == "windows" else c.batch_size
            sizes = len(tokens["train"]), len(tokens["valid"]), batch, c.data.window
            batches.check_size(*sizes, f"{self._unit}s", name)
        tokenizers.known(self.vocabulary, c.data.min_count)
        return all_of_them

    def _encoded(self):
        if self._large:
            return [encoded.ids(self._large, self.vocabulary)]
        return [
            {part: self.vocabulary.encode(text) for part, text in parts.items()}
            for parts in self._texts
        ]

    def describe_data(self):
        about = {"digest": self._digest(), "vocabulary": self.vocabulary.size}
        about["vocabulary_sha256"] = tokenizers.digest(self.vocabulary)
        each = [self._about(tokens) for tokens in self._tokens]
        return about | (dict(zip(self.corpora, each, strict=True)) if self.corpora else each[0])

    def _digest(self):
        if self._large:
            return self._large.digest
        digest = hashlib.sha256()
        for parts in self._texts:
            for text in parts.values():
                digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def _about(self, tokens):
        size, unknown = self.vocabulary.size, list(self.vocabulary.unknown_ids)
        return {
            "tokens": {part: len(ids) for part, ids in tokens.items()},
            "unknown": {
                part: float(mapped.counts(ids, size)[unknown].sum() / len(ids))
                for part, ids in tokens.items()
                if len(ids)
            },
        }

    def prepare(self, run):
        self.vocabulary.save(run / "vocabulary.json")
        names.save(run, self.corpora)

    def init(self, key):
        return self.model.init(key, jnp.zeros((1, 1), jnp.int32))

    def carry(self):
        return self.model.carry(self.config.batch_size) if self._lanes else ()

    def steps_per_epoch(self, split):
        sizes = self.config.batch_size, self.config.data.window
        if self._lanes and self.config.data.vary:
            return batches.varied_steps(len(self._tokens[0][split]), *sizes)
        if self._lanes:
            return batches.lanes_steps(len(self._tokens[0][split]), *sizes)
        # Of a bank, an epoch is one pass over a text of mean length.
        chunks = sum(batches.chunks(len(t[split]), sizes[1]) for t in self._tokens)
        return max(1, chunks // max(1, self.members) // sizes[0])

    def tokens_per_step(self):
        return self.config.batch_size * self.config.data.window * max(1, self.members)

    def data(self, split):
        return self._joined(split)

    def _joined(self, split):
        """The ids (N,) of a part of all texts; of one text as they are, which may be a memory map."""
        each = [tokens[split] for tokens in self._tokens]
        return np.concatenate(each) if len(each) > 1 else each[0]

    def order(self, split, epoch):
        c, sizes = self.config, [len(tokens[split]) for tokens in self._tokens]
        if self._lanes and c.data.vary:
            keys = {"batch_size": c.batch_size, "window": c.data.window, "vary": c.data.vary}
            return batches.varied_order(c.seed, epoch, n_tokens=sizes[0], **keys)
        if self._lanes:
            return batches.lanes_order(c.seed, epoch, sizes[0])
        if not self.corpora:
            return batches.chunks_order(c.seed, epoch, sizes[0], c.data.window)
        if not self.members:
            return batches.together_order(c.seed, epoch, sizes, c.data.window)
        count = self.steps_per_epoch(split) * c.batch_size
        each = [batches.passes_order(c.seed, epoch, n, c.data.window, count) for n in sizes]
        return jnp.stack(each) + jnp.asarray(np.cumsum([0, *sizes[:-1]]), jnp.int32)[:, None]

    def indices(self, order, i, member):
        c = self.config
        if self.corpora:
            order = order[member] if self.members else order
            at = jnp.asarray(i, jnp.int32) * c.batch_size
            return jax.lax.dynamic_slice(order, (at,), (c.batch_size,)), i == 0
        size = {"batch_size": c.batch_size, "window": c.data.window}
        n = len(self._tokens[0]["train"])
        if self._lanes and c.data.vary:
            starts = batches.varied_indices(order, i, n_tokens=n, batch_size=c.batch_size)
            return starts, i == 0, order.lengths[i]
        if self._lanes:
            return batches.lanes_indices(order, i, n_tokens=n, **size), i == 0
        return batches.chunks_indices(order, i, **size), i == 0

    def gather(self, data, indices):
        d, (starts, first, *length) = self.config.data, indices
        longest = batches.varied_longest(d.window, d.vary) if length else d.window
        tokens = batches.windows(data, starts, longest + 1).astype(np.int32)
        batch = {"tokens": tokens, "first": first}
        return batch | ({"length": length[0]} if length else {})

    def loss(self, params, carry, batch, key):
        inputs, targets = batch["tokens"][:, :-1], batch["tokens"][:, 1:]
        before = None
        if self._lanes:
            before = jax.tree.map(lambda a: jnp.where(batch["first"], jnp.zeros_like(a), a), carry)
        options = {"train": True, "rngs": {"dropout": key}}
        if 0 < self.config.negatives < self.vocabulary.size:
            drawn = jax.random.fold_in(key, _NEGATIVES)
            given = map(jnp.asarray, self._chances)
            options["negatives"] = draw(drawn, *given, self.config.negatives)
        size = jnp.float32(inputs.size)
        if "length" in batch:
            options["lengths"] = jnp.full(len(inputs), batch["length"])
            size = jnp.float32(len(inputs)) * batch["length"].astype(jnp.float32)
        given = inputs, targets, before
        (after, nats), penalty = penalised(self.model, params, *given, **options)
        if "length" in batch:
            nats = jnp.where(jnp.arange(nats.shape[1])[None] < batch["length"], nats, 0)
        return {"loss": Sum(jnp.sum(nats) + penalty * size, size)}, after if self._lanes else ()

    @cached_property
    def _chances(self):
        counts = [mapped.counts(t["train"], self.vocabulary.size) for t in self._tokens]
        each = chances(sum(counts))
        # Summed here: XLA would sum a constant while it compiles, for seconds.
        return each, np.cumsum(each, dtype=np.float64).astype(np.float32)

    def evaluate(self, params, split):
        """Metrics of a split, (N,) of a bank; of "train", which is evaluated once, those that stand beside
        the losses of the other splits."""
        if split == "train":
            return merged(self._beside(params, name) for name in ("valid", "test"))
        if not len(self._tokens[0][split]):
            return Evaluation({}, {})
        each = [
            evaluation.loss(self.model, one, tokens, split)
            for one, tokens in zip(self._each(params), self._tokens, strict=True)
        ]
        return Evaluation(self._metrics(split, each), {})

    def _beside(self, params, split):
        counted = not (self._large and self.config.kneser_ney == beside.CHOSEN)
        if not (counted and len(self._tokens[0][split])):
            return Evaluation({}, {})
        given = split, self.config, self.vocabulary.size
        each = [
            beside.losses(self.model, one, tokens, *given)
            for one, tokens in zip(self._each(params), self._tokens, strict=True)
        ]
        metrics = {}
        for name in each[0]:
            values = [one[name] for one in each]
            if name == "mixed_share":
                metrics[f"{split}_{name}"] = np.array(values) if self.members else values[0]
            else:
                metrics |= self._metrics(split, values, f"_{name}")
        return Evaluation(metrics, {})

    def _metrics(self, split, each, of=""):
        """Loss, bits a character, and of words perplexity, of the nats a symbol of each text; of one model
        on several texts, over all of them."""
        symbols = np.array([len(tokens[split]) for tokens in self._tokens])
        characters = np.array([parts[split] for parts in self._characters])
        loss, ratio = np.array(each), symbols / characters
        if not self.members:
            loss = float(np.average(loss, weights=symbols) if self.corpora else loss[0])
            ratio = float(symbols.sum() / characters.sum())
        found = {f"{split}{of}_loss": loss, f"{split}{of}_bpc": loss * ratio / math.log(2)}
        if self.vocabulary.kind in _OF_WORDS:
            found[f"{split}{of}_ppl"] = np.exp(loss) if self.members else math.exp(loss)
        return found

    def _each(self, params):
        """The parameters of each model."""
        if not self.members:
            return [params] * len(self._tokens)
        return [jax.tree.map(lambda a, i=i: a[i], params) for i in range(self.members)]

    def sample(self, params, metrics):
        length = 80 if self.members else 400 if self._unit != "word" else 150
        settings = {"length": length, "seed": self.config.seed, "temperature": 0.8}
        texts = [
            f"{name}:{self.generate(params, member=name, **settings)[0]}" if name else
            self.generate(params, **settings)[0]
            for name in (self.corpora if self.members else ("",))
        ]  # fmt: skip
        return f"valid_loss {metrics.get('valid_loss', math.nan):.4f}", "\n\n".join(texts)

    def artifacts(self, params, evaluation, run):
        """summary.txt where an n-gram model stands beside it: a sample, and what both say of the text."""
        about = "" if self.members else beside.words(evaluation.metrics, self.loss_unit)
        if about:
            _, text = self.sample(params, evaluation.metrics)
            write_bytes(run / "summary.txt", f"{text}\n\n{about}\n".encode())

    def generate(
        self, params, prompt: str = "", unseen: str = "error", member: str = "", **settings
    ) -> list[str]:
        """Continuations of a prompt, which goes the way of the training text (lower case where that
        was); ``settings`` are those of ``zoo.generate.generate_blocks``, and ``mixed``: None, or what the
        method of that name gives, for a text of network and n-gram model together.

        unseen: "error", or "replace" to read what the model has not seen as the unknown symbol
        member: of a bank, the corpus whose model writes

        Raises UserError that names what is unseen, and for a member that is not there.
        """
        start, before = self._begun(prompt, unseen)
        rows = self._continued(self.of_member(params, member), start, **settings)
        return [self._text(start, row, before) for row in rows]

    def stream(
        self, params, prompt: str = "", unseen: str = "error", member: str = "", **settings
    ) -> Iterator[str]:
        """The one text of ``generate``, in pieces as they are written."""
        start, before = self._begun(prompt, unseen)
        ids, told = np.zeros(0, np.int32), ""
        for block in self._blocks(self.of_member(params, member), start, **settings):
            ids = np.append(ids, block[0])
            text = self._text(start, ids, before)
            # The last character of bytes may be half of one.
            sure = text.rstrip("\ufffd") if self.vocabulary.kind in ("bytes", "pieces") else text
            if sure.startswith(told):
                yield sure[len(told) :]
                told = sure
        if text.startswith(told):
            yield text[len(told) :]

    def _begun(self, prompt, unseen):
        """(ids of a prompt (N,), the prompt as it is read); what ``generate`` goes on from."""
        prompt = self._prepared(prompt)
        unknown = self.vocabulary.unknown(prompt)
        if unknown and unseen == "error":
            raise UserError(
                f"the prompt has {len(unknown)} {self._unit}(s) that this model has not seen: "
                f"{', '.join(map(repr, unknown[:10]))}; leave them out, or read them as the unknown "
                "symbol with --unseen=replace"
            )
        if prompt and not len(self.vocabulary.encode(prompt)):
            raise UserError("the prompt has no word: give one, or leave it out")
        return self.vocabulary.encode(prompt or default_prompt(self.vocabulary)), prompt

    def tokens(self, text: str) -> np.ndarray:
        """The ids (N,) of a text."""
        return self.vocabulary.encode(self._prepared(text))

    def _prepared(self, text):
        """A text of people as the training text is written."""
        text = corpus.prepare(text, self.config.data.lowercase)
        return words.separated(text) if self.config.data.symbols == "tokenised" else text

    def _text(self, start, row, before):
        """The text of ids ``row`` after those of a prompt."""
        text = further(self.vocabulary, start, row)
        if not (self.config.data.lowercase and self.config.data.symbols == "words"):
            return text
        return words.capitalised(before + text)[len(before) :]

    def written(self, params, member: str = "", **settings) -> np.ndarray:
        """Ids (num, length) after a line break; for ``settings`` see ``zoo.generate.generate_blocks``."""
        start = self.vocabulary.encode(default_prompt(self.vocabulary))
        return self._continued(self.of_member(params, member), start, **settings)

    def opening(self, seed: int) -> str:
        """What people are shown that a text without a prompt goes on from; "" for nothing."""
        return ""

    def _continued(self, params, start, **settings):
        """Ids (num, length) that come after ids (N,)."""
        return np.concatenate(list(self._blocks(params, start, **settings)), axis=1)

    def _blocks(self, params, start, mixed=None, **settings):
        """The same in blocks, as they are drawn."""
        given = self.model, params, self.vocabulary, start
        if mixed is not None:
            return mixed_text.blocks(*given, mixed, **settings)
        return generate_blocks(*given, **settings)

    def mixed(self, run: Path, result: dict | None, member: str = "") -> mixture.Mixed:
        """The n-gram model of the training text, which is read again, that is mixed with the network of a
        run that has this result, or with a member of its bank. UserError for a run without ``mix``."""
        self.of_member({}, member)
        share = mixture.share_of(run, result, self.corpora, member)
        ids, order = self.training_ids(member), beside.mixed_order(self.config)
        return mixture.Mixed(kneser_ney.fit(ids, order, self.vocabulary.size), share)

    def of_member(self, params, member: str = ""):
        """The parameters of the model of a corpus. Raises UserError for one that is not there."""
        if member and not (self.members and member in self.corpora):
            known = ", ".join(self.corpora * bool(self.members)) or "one model alone; leave it out"
            raise UserError(f"--member={member}: this run has {known}")
        if not self.members:
            return params
        if not member:
            raise UserError(f"--member is missing: one of {', '.join(self.corpora)}")
        i = self.corpora.index(member)
        return jax.tree.map(lambda a: a[i], params)

    def training_ids(self, member: str = "") -> np.ndarray:
        """Ids (N,) of the training part, of a bank that of a member; the text is read again."""
        if not self.members:
            return self._joined("train")
        return self._tokens[self.corpora.index(member)]["train"]

    def copied(self, text: str, member: str = "") -> str:
        """A sentence on the longest run of symbols that a text has in common with the training text."""
        ids = self.tokens(text)
        run = copies.longest_run(ids, self.training_ids(member))
        shown = self.vocabulary.decode(ids[run.start : run.start + run.length])
        return (
            f"longest run copied from the training text: {run.length} of {len(ids)} {self._unit}s: "
            f"{shown!r}"
        )

    @property
    def _unit(self):
        """What a symbol is."""
        units = {"bytes": "byte", "pieces": "piece", "words": "word", "tokenised": "word"}
        return units.get(self.config.data.symbols, "character")

    @property
    def _lanes(self):
        return self.config.data.batches == "lanes"
