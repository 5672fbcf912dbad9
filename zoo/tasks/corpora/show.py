"""What a run over several corpora shows: a table, sequences, and which corpus each was told to be of."""

import csv
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo.data.files import write_bytes
from zoo.tasks import figures

JUDGES = {"classifier": "LSTM", "svm": "TF-IDF + SVM"}
_SAMPLES = 3  # sequences of each corpus in samples.txt


class Check(NamedTuple):
    """Sequences, the corpus whose generator wrote each, the corpus that each judge told, and figures."""

    corpora: list[str]
    sequences: list[str]
    own: np.ndarray
    told: dict[str, list[str]]
    copied: dict[str, dict[str, float]]
    metrics: dict[str, Any]


def write(run: Path, check: Check) -> None:
    """Writes summary.txt, samples.txt, generated.csv, confusion.csv and plots/confusion.png."""
    for name, text in (
        ("summary.txt", summary(check)),
        ("samples.txt", samples(check)),
        ("generated.csv", _table(["corpus", *check.told, "text"], _rows(check))),
        ("confusion.csv", _table(["judge", "corpus", "told", "sequences"], _confusion(check))),
    ):
        write_bytes(run / name, text.encode("utf-8", "replace"))
    _draw(run, check)


def summary(check: Check) -> str:
    """A line a corpus: which share of its sequences is named right, perplexities, and what is copied."""
    m = check.metrics
    lines = [
        f"held-out sequences, right corpus   LSTM {m['classifier_accuracy']:.4f}"
        + (f"   TF-IDF + SVM {m['svm_accuracy']:.4f}" if "svm_accuracy" in m else ""),
        f"generated sequences, right corpus  LSTM {m['generated_accuracy']:.4f}"
        + (f"   TF-IDF + SVM {m['generated_svm_accuracy']:.4f}" if "svm" in check.told else ""),
        "",
        f"{'':18} {'named right, by':>18} {'perplexity, of':>20}   {'8-grams copied':>18}   longest copy",
        f"{'corpus':18} {'LSTM':>9} {'SVM':>8} {'LSTM':>10} {'Kneser-Ney':>9}"
        f"   {'generated':>10} {'human':>7}   generated, human (words)",
    ]  # fmt: skip
    for i, name in enumerate(check.corpora):
        copied = check.copied[name]
        values = [
            m["generated_accuracy_each"][i],
            m.get("generated_svm_accuracy_each", [np.nan] * len(check.corpora))[i],
            m["test_ppl_each"][i],
            m.get("test_kneser_ney_ppl_each", [np.nan] * len(check.corpora))[i],
        ]
        lines.append(
            f"{name[:18]:18} {values[0]:9.3f} {values[1]:8.3f} {values[2]:10.1f} {values[3]:10.1f}"
            f"   {copied['generated_copied']:10.4f} {copied['human_copied']:7.4f}"
            f"   {copied['generated_longest']}, {copied['human_longest']}"
        )
    return "\n".join(lines) + "\n\n" + samples(check)


def samples(check: Check) -> str:
    """The first sequences of each generator."""
    lines = []
    for name in check.corpora:
        lines += [f"════ {name} ════", ""]
        for i in np.flatnonzero(check.own == name)[:_SAMPLES]:
            lines += [check.sequences[i], ""]
    return "\n".join(lines)


def _rows(check):
    for i, text in enumerate(check.sequences):
        yield [check.own[i], *(labels[i] for labels in check.told.values()), text]


def _counts(check, judge):
    """Sequences by corpus and by what a judge told, (corpora, corpora)."""
    place = {name: i for i, name in enumerate(check.corpora)}
    table = np.zeros((len(place), len(place)), int)
    np.add.at(table, ([place[n] for n in check.own], [place[n] for n in check.told[judge]]), 1)
    return table


def _confusion(check):
    for judge in check.told:
        for name, row in zip(check.corpora, _counts(check, judge), strict=True):
            yield from ([judge, name, told, n] for told, n in zip(check.corpora, row, strict=True))


def _table(header, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _draw(run, check):
    figure, axes = figures.subplots(1, len(check.told), size=(5.2 * len(check.told), 4.6))
    names = [name.replace("$", r"\$") for name in check.corpora]
    for axis, judge in zip(np.atleast_1d(axes), check.told, strict=True):
        table = _counts(check, judge)
        share = table / table.sum(axis=1, keepdims=True)
        axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (i, j), value in np.ndenumerate(share):
            colour = "white" if value > 0.6 else "black"
            axis.text(j, i, f"{value:.3f}", ha="center", va="center", color=colour)
        axis.set_xticks(range(len(names)), names, rotation=30, ha="right")
        axis.set_yticks(range(len(names)), names)
        axis.set(xlabel="told to be of", title=f"Generated sequences, told by {JUDGES[judge]}")
    np.atleast_1d(axes)[0].set_ylabel("written by the generator of")
    figures.keep(figure, run, "confusion.png")
