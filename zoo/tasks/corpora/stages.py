"""The stages of a run over several corpora, and the check at its end (source 000).

common:     one language model of all corpora, which the generators begin with
generators: a language model of each corpus, as a bank
classifier: which corpus a sequence is of
"""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from zoo.data.text import collection
from zoo.errors import UserError
from zoo.tasks import copies, svm
from zoo.tasks.corpora import show, windows
from zoo.tasks.corpora.config import check

NAMES = ("common", "generators", "classifier")
USES = {"generate": "generators", "predict": "classifier"}  # which stage a command uses
_LEAST = 2  # corpora that can be told apart
_DOCS = ("docs_classes", "docs_statements", "docs_strings", "docs_types")


def names(config: ConfigDict) -> tuple[str, ...]:
    """The corpora of a config. Raises UserError for fewer than two."""
    d = config.data
    if d.path and not Path(d.path).is_dir():
        raise UserError(
            f"--config.data.path={d.path}: no folder; give one with a .txt file a corpus"
        )
    found = collection.names(d.path, d.corpora) or _DOCS
    if len(found) < _LEAST:
        raise UserError(
            f"--config.data.corpora: only {found[0]!r}; give two corpora or more to tell apart"
        )
    return found


def texts(config: ConfigDict) -> dict[str, dict[str, str]]:
    """corpus -> its parts. Raises UserError for keys out of range and for texts that cannot be used."""
    check(config)
    d = config.data
    parts = collection.texts(
        d.path, names(config), d.valid, d.test, encoding=d.encoding, unwrap=d.unwrap
    )
    for name, text in parts.items():
        for part in ("train", "test"):
            if not windows.of(text[part], d.length):
                raise UserError(
                    f"corpus {name!r}: its {part} part has fewer than {d.length} words; give a longer "
                    "text, or --config.data.length smaller"
                )
    return parts


def describe_data(config: ConfigDict) -> dict:
    """What a run keeps of its data: digest, and the sequences of each corpus and part. Says where two are
    the same."""
    digest, about, found = hashlib.sha256(), {}, texts(config)
    for remark in collection.remarks(found):
        print(f"note: {remark}; nothing can tell them apart", file=sys.stderr)
    for name, parts in found.items():
        for text in parts.values():
            digest.update(text.encode("utf-8", "surrogatepass"))
        about[name] = {
            part: len(windows.of(text, config.data.length)) for part, text in parts.items()
        }
    return {"digest": digest.hexdigest(), **about}


def make(name: str, config: ConfigDict, run: Path) -> ConfigDict:
    """The config of a stage; what it reads is written into ``run`` first."""
    d = config.data
    if name in ("common", "generators"):
        stage = config[name.removesuffix("s")].copy_and_resolve_references()
        stage.data.corpora = names(config)
        for key in ("path", "encoding", "unwrap", "min_count", "most", "valid", "test"):
            stage.data[key] = d[key]
        stage.data.update({"symbols": "words", "batches": "chunks", "window": d.length})
        stage.data.together = name == "common"
        if name == "generators":
            stage.start = str(run / "common")
    else:
        stage = config.classifier.copy_and_resolve_references()
        parts = texts(config)
        files = {"path": "train", "test_path": "test"}
        for key, part in files.items():
            file = run / "windows" / f"{part}.csv"
            windows.write(file, {n: windows.of(p[part], d.length) for n, p in parts.items()})
            stage.data[key] = str(file)
        stage.data.update({"symbols": "words", "min_count": d.min_count, "most": d.most})
    stage.name, stage.variant, stage.seed = f"{config.name}_{name}", config.variant, config.seed
    return stage


def finish(config: ConfigDict, run: Path, load: Callable, results: dict[str, dict]) -> dict:
    """The source's check: each generator writes sequences, and the classifier names the corpus of each. The
    metrics; writes what people look at.

    load:    folder of a stage -> (model, params, task)
    results: result.json of each stage
    """
    c, parts = config.check, texts(config)
    corpora = list(parts)
    _, params, generator = load(run / "generators")
    written = {}
    for i, name in enumerate(corpora):
        seed = config.seed * len(corpora) + i
        settings = {"num": c.sequences, "length": config.data.length, "seed": seed}
        rows = generator.written(params, member=name, temperature=c.temperature, **settings)
        written[name] = rows
    sequences = [generator.vocabulary.decode(row).strip() for n in corpora for row in written[n]]
    own = np.repeat(corpora, c.sequences)

    _, judge, classifier = load(run / "classifier")
    told = {"classifier": [r["label"] for r in classifier.posterior(judge, sequences, 1)]}
    train = {n: windows.of(parts[n]["train"], config.data.length) for n in corpora}
    labels = [n for n in corpora for _ in train[n]]
    if machine := svm.learned([text for n in corpora for text in train[n]], labels):
        told["svm"] = list(machine(sequences))

    copied = {n: _copied(generator, parts[n], written[n], config) for n in corpora}
    metrics = _metrics(results, corpora, own, told, copied)
    show.write(run, show.Check(corpora, sequences, own, told, copied, metrics))
    return metrics


def _copied(generator, parts, rows, config):
    """How much of generated sequences, and of held-out ones of people, stands in the training text."""
    length, n = config.data.length, config.check.ngram
    source = generator.vocabulary.encode(parts["train"])
    human = generator.vocabulary.encode(parts["test"])
    human = human[: len(human) // length * length].reshape(-1, length)
    found = {}
    for who, ids in (("generated", np.asarray(rows)), ("human", human)):
        found[f"{who}_copied"] = copies.share_found(ids, source, n)
        found[f"{who}_longest"] = int(np.max(copies.longest_runs(ids, source)))
    return found


def _metrics(results, corpora, own, told, copied):
    generators, classifier = (results[name]["metrics"] for name in NAMES[1:])
    metrics = {"classifier_accuracy": classifier["test_accuracy"]}
    if "svm_accuracy" in classifier:
        metrics["svm_accuracy"] = classifier["svm_accuracy"]
    for judge, labels in told.items():
        right = np.asarray(labels) == own
        name = "generated_accuracy" if judge == "classifier" else f"generated_{judge}_accuracy"
        metrics[name] = float(right.mean())
        metrics[f"{name}_each"] = [float(right[own == n].mean()) for n in corpora]
    for key in ("test_ppl", "test_kneser_ney_ppl", "test_bpc"):
        if key in generators:
            metrics[key] = generators[key]
            metrics[f"{key}_each"] = generators[f"{key}_each"]
    for key in next(iter(copied.values())):
        each = [copied[n][key] for n in corpora]
        metrics[key] = float(np.max(each) if key.endswith("longest") else np.mean(each))
        metrics[f"{key}_each"] = each
    return metrics
