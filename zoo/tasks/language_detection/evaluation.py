"""How well languages are told apart: by length of the string, on whole lines, beside n-gram models."""

import math
import os
import sys
import unicodedata
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from zoo.data.text.alphabet import script
from zoo.data.text.lines import read_lines as read_file
from zoo.errors import UserError
from zoo.tasks import labels as measures
from zoo.tasks.language_detection import identifiers
from zoo.tasks.protocol import Evaluation, merged

LENGTHS = (5, 10, 20, 50, 100)
_MOST = 10_000  # substrings of a length that are scored


class Scored(NamedTuple):
    """Strings as they were scored: values (n, languages) log P, labels (n,) the true languages."""

    values: np.ndarray
    labels: np.ndarray


def test(task, params) -> Evaluation:
    """The test part, the texts of data.test_on, the lines of data.test_path, and the other identifiers
    on the same strings where the config asks for them.

    metrics: accuracy by length and by kind of line; of two languages AUC too; temperature (where there
             is a validation part), calibration errors, the share of unknown lines that are told so
    shown:   "scored", length or kind of line -> Scored
    """
    held = task.parts["test"] if all(task.parts["test"]) else []
    own = substrings(task, params, held) if held else Evaluation({}, {})
    metrics = dict(own.metrics)
    if "test_auc_5" in metrics:
        metrics |= {"auc": metrics["test_auc_5"], "accuracy_at_0": metrics["test_accuracy_5"]}
    if task.elsewhere:
        values = substrings(task, params, task.elsewhere).metrics
        metrics |= {f"{task.config.data.test_on}_{name}": value for name, value in values.items()}
    metrics["test_unknown"] = unknown(task, params)
    whole = merged([Evaluation(metrics, own.shown), lines(task, params)])
    metrics, scored = dict(whole.metrics), whole.shown
    factor = 1.0
    if all(task.parts["valid"]):
        factor = metrics["temperature"] = temperature(task, params, task.parts["valid"])
    if task.config.baselines == "ngrams":
        metrics |= baselines(task, held)
    for kind, (values, labels) in scored.items():
        name = f"test_calibration_error_{str(kind).replace('-', '_')}"
        metrics[name] = calibration_error(values, factor, labels)
    return Evaluation(metrics, {"scored": scored})


def cut(texts: list[str], length: int, most: float = _MOST) -> tuple[list[str], np.ndarray]:
    """(substrings, which text each is of), evenly spaced: all of them up to 20 characters, else every
    tenth; as many of each text, about ``most`` at most."""
    strings, labels = [], []
    for label, text in enumerate(texts):
        starts = len(text) - length + 1
        step = max(1 if length <= 20 else 10, math.ceil(starts * len(texts) / most))
        pieces = [text[i : i + length] for i in range(0, starts, step)]
        strings += pieces
        labels += [label] * len(pieces)
    return strings, np.array(labels, int)


def substrings(task, params, texts: list[str]) -> Evaluation:
    """Accuracy by length of substring, the mean over languages; of two languages AUC too. ``shown`` has
    the Scored of each length."""
    metrics, scored = {}, {}
    for length in LENGTHS:
        strings, labels = cut(texts, length)
        if len(set(labels.tolist())) < len(texts):
            continue  # a text is shorter than that
        values = task.scores(params, strings, whole=False)
        scored[length] = Scored(values, labels)
        metrics[f"test_accuracy_{length}"] = mean_accuracy(values, labels)
        if len(texts) == 2:
            metrics[f"test_auc_{length}"] = _auc(values, labels)
    if len(texts) == 2 and scored:
        strings, labels = _source_strings(texts, task.config.seed)
        metrics["test_auc_source"] = _auc(task.scores(params, strings, whole=False), labels)
    return Evaluation(metrics, scored)


def mean_accuracy(values: np.ndarray, labels: np.ndarray) -> float:
    """The share of right languages, (n, languages) scores against (n,), averaged over languages."""
    right = values.argmax(axis=1) == labels
    return float(np.mean([right[labels == i].mean() for i in np.unique(labels)]))


def lines(task, params) -> Evaluation:
    """Accuracy on whole lines of other texts: test_accuracy_KIND. ``shown`` has the Scored of each kind."""
    metrics, scored = {}, {}
    for kind, (strings, labels) in task.lines.items():
        scored[kind] = Scored(task.scores(params, strings), labels)
        name = f"test_accuracy_{kind.replace('-', '_')}"
        metrics[name] = mean_accuracy(scored[kind].values, labels)
    return Evaluation(metrics, scored)


def read_lines(data: ConfigDict, codes: list[str]) -> dict[str, tuple[list[str], np.ndarray]]:
    """kind -> (lines, labels (n,)) of the files FOLDER/KIND/CODE.txt of data.test_path; {} where that is
    not set. Raises UserError where there is no such folder, or no line in it."""
    if not data.test_path:
        return {}
    path = Path(os.path.expandvars(data.test_path)).expanduser()
    if str(path).startswith("$"):
        print(f"note: {path.parts[0]} is not set: not tested on {data.test_path}", file=sys.stderr)
        return {}
    if not path.is_dir():
        raise UserError(f"--config.data.test_path={data.test_path}: no such folder")
    kinds = {}
    for folder in sorted(p for p in path.iterdir() if p.is_dir()):
        strings, labels = [], []
        for label, code in enumerate(codes):
            some = read_file(folder, code, data.lowercase)[: data.test_lines or None]
            strings += some
            labels += [label] * len(some)
        if strings:
            kinds[folder.name] = strings, np.array(labels)
    if not kinds:
        raise UserError(
            f"--config.data.test_path={data.test_path}: holds no lines; they are looked for in "
            f"files such as KIND/{codes[0]}.txt, where KIND is any name"
        )
    return kinds


def unspoken(scripts: set[str], count: int = 500) -> list[str]:
    """Lines in which nothing speaks for a language that is written in one of ``scripts``: digits,
    punctuation and symbols, and letters of other scripts with both; the same ones every time."""
    digits, marks, letters = [], [], []
    for character in map(chr, range(0x21, 0x10000)):
        category = unicodedata.category(character)[0]
        if category in "NPS":
            (digits if category == "N" else marks).append(character)
        elif (name := script(character)) and name not in scripts:
            letters.append(character)
    rng = np.random.default_rng(0)
    digits, marks, letters = map(np.array, (digits, marks, letters))
    mixtures = ([digits], [marks], [digits, marks], [letters], [letters, digits, marks])
    lines = []
    for i in range(count):
        pools = mixtures[i % len(mixtures)]
        words = [
            "".join(rng.choice(pools[rng.integers(len(pools))], size=rng.integers(1, 9)))
            for _ in range(rng.integers(1, 9))
        ]
        lines.append(" ".join(words))
    return lines


def unknown(task, params) -> float:
    """The share of ``unspoken`` lines whose label is "unknown"."""
    known = set().union(*task.scripts)
    rows = task.posterior(params, unspoken(known))
    return float(np.mean([row["label"] == "unknown" for row in rows]))


def temperature(task, params, texts: list[str]) -> float:
    """What log-likelihoods are multiplied by, so that the posterior of held-out strings is the most
    likely (Guo et al. 2017); strings of all lengths up to 50 count alike. 1 where all texts are shorter
    than the shortest strings."""
    strings, labels = [], []
    for length in (n for n in LENGTHS if n <= 50):
        some, labels_of = cut(texts, length)
        keep = np.linspace(0, len(some) - 1, min(len(some), 1000)).astype(int)
        strings += [some[i] for i in keep]
        labels += labels_of[keep].tolist()
    if not strings:
        return 1.0
    values, labels = task.scores(params, strings, whole=False), np.array(labels)

    def loss(t):
        z = t * values
        z -= z.max(axis=1, keepdims=True)
        return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels])

    grid = np.geomspace(0.05, 5, 93)
    return float(grid[np.argmin([loss(t) for t in grid])])


def calibration_error(values: np.ndarray, factor: float, labels: np.ndarray) -> float:
    """That of the probability of the first language, from scores (n, languages), the temperature that
    they are multiplied by, and labels (n,)."""
    z = factor * (values - values.max(axis=1, keepdims=True))
    right = np.argmax(values, axis=1) == labels
    return measures.calibration_error(1 / np.exp(z).sum(axis=1), right)


def baselines(task, held: list[str]) -> dict[str, float]:
    """Accuracy (and AUC) of other identifiers on the same strings: by length, and on whole lines."""
    trained = identifiers.ngrams(*cut(task.parts["train"], 5, math.inf))
    scorers = identifiers.installed(task.codes) | trained
    metrics = {}
    for length in LENGTHS if held else ():
        strings, labels = cut(held, length)
        if len(set(labels.tolist())) < len(held):
            continue
        for name, score in scorers.items():
            values = score(strings)
            metrics[f"{name}_accuracy_{length}"] = mean_accuracy(values, labels)
            if len(held) == 2:
                metrics[f"{name}_auc_{length}"] = _auc(values, labels)
    for kind, (strings, labels) in task.lines.items():
        for name, score in scorers.items():
            key = f"{name}_accuracy_{kind.replace('-', '_')}"
            metrics[key] = mean_accuracy(score(strings), labels)
    return metrics


def summary(codes: list[str], metrics: dict) -> str:
    """The scores as a table, beside the baselines."""
    several = len(codes) > 2
    names = [("test", "this model")]
    names += [(k.removesuffix("_accuracy_5"), None) for k in metrics if k.endswith("_accuracy_5")]
    rows, seen = [], set()
    for prefix, title in names:
        if prefix in seen:
            continue
        seen.add(prefix)
        elsewhere = prefix.removesuffix("_test")  # other texts that this model was tested on
        name = prefix.replace("_", " ")
        name = name if elsewhere == prefix else f"this model on {elsewhere}"
        cells = [title or name]
        for n in LENGTHS:
            pair = [metrics.get(f"{prefix}_{score}_{n}") for score in ("auc", "accuracy")]
            pair = pair[1:] if several else pair
            cells.append(" / ".join("-" if v is None else f"{v:.4f}" for v in pair))
        if any(c != "-" and c != "- / -" for c in cells[1:]):
            rows.append(cells)
    score = "accuracy" if several else "AUC / accuracy"
    shown = ", ".join(codes[:30]) + (", …" if len(codes) > 30 else "")
    text = [f"{len(codes)} languages: {shown}"]
    if rows:
        heads = [f"{score} on", *(f"{n} characters" for n in LENGTHS)]
        widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
        for row in [heads, *rows]:
            text.append("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
    known = [f"_accuracy_{n}" for n in LENGTHS]
    for name, value in metrics.items():
        who, accuracy, kind = name.partition("_accuracy_")
        if accuracy and accuracy + kind not in known:
            who = "this model" if who == "test" else who.replace("_", " ")
            text.append(f"{kind.replace('_', ' ')}: {who} {value:.4f} right, mean over languages")
    gaps = [
        f"{value:.4f} on {kind.replace('_', ' ')}" + (" characters" if kind.isdigit() else "")
        for name, value in metrics.items()
        if (kind := name.partition("test_calibration_error_")[2])
    ]
    if gaps:
        text.append(f"probabilities are off by {', '.join(gaps)}")
    if (share := metrics.get("test_unknown")) is not None:
        text.append(f"lines without a letter of a script of these languages: {share:.1%} unknown")
    return "\n".join(text) + "\n"


def _auc(values, labels):
    return measures.auc(values[:, 0] - values[:, 1], labels == 0)


def _source_strings(texts, seed):
    """100 random 5-character strings of each text, at the same places, as source 004 takes them."""
    starts = np.random.default_rng(seed).integers(min(map(len, texts)) - 4, size=100)
    strings = [text[s : s + 5] for text in texts for s in starts]
    return strings, np.repeat([0, 1], 100)
