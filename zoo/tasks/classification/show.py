"""What a run of text classification shows: tables, the confusion of classes, the worst mistakes."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.files import write_bytes
from zoo.data.text.labelled import Labelled
from zoo.tasks import figures
from zoo.tasks.classification import baselines

_MISTAKES, _SHOWN = 30, 300  # mistakes, and characters of each
_NAMED, _NAME = 30, 40  # classes whose names a plot has room for, and characters of each
_LISTED = 200  # classes that a table or a plot has room for


class Answers(NamedTuple):
    """The answers to the test texts: their classes by name, the texts, the class of each (n,), -1 for one
    that training never saw, and log P (n, C)."""

    classes: list[str]
    test: Labelled
    labels: np.ndarray
    log_p: np.ndarray

    @property
    def told(self) -> np.ndarray:
        """The likeliest class of each text, (n,)."""
        return self.log_p.argmax(axis=1)

    @property
    def wrong(self) -> np.ndarray:
        """The texts with another class than that, those first whose own was thought the least likely."""
        there = self.log_p[np.arange(len(self.labels)), np.maximum(self.labels, 0)]
        own = np.where(self.labels >= 0, there, -np.inf)
        wrong = np.flatnonzero(self.told != self.labels)
        return wrong[np.argsort(own[wrong], kind="stable")]


def exemplary(answers: Answers) -> list[int]:
    """A few texts to look at closely: right ones of several classes, and the worst mistakes."""
    right = np.flatnonzero(answers.told == answers.labels)
    _, first = np.unique(answers.labels[right], return_index=True)
    spread = right[first[:: max(1, len(first) // 3)]][:3]
    return [int(i) for i in (*spread, *answers.wrong[:3])]


def write(run: Path, answers: Answers, metrics: dict) -> None:
    """Writes summary.txt, confusion.csv, mistakes.txt, plots/confusion.png, plots/reliability.png, and of a
    learning curve plots/curve.png."""
    labels, told = answers.labels, answers.told
    write_bytes(run / "confusion.csv", _confusion(answers).encode())
    write_bytes(run / "mistakes.txt", _mistakes(answers).encode())
    write_bytes(run / "summary.txt", _summary(answers, metrics).encode())
    _draw_confusion(run, answers)
    _draw_reliability(run, np.exp(answers.log_p.max(axis=1)), told == labels)
    if "curve_texts" in metrics:
        _curve(run, metrics)


def _summary(answers, metrics):
    classes, strange = answers.classes, int((answers.labels < 0).sum())
    texts, hits, told, f1 = _by_class(answers)
    listed = np.argsort(f1, kind="stable")[:_LISTED]
    lines = [
        f"test: {len(answers.labels)} texts of {len(classes)} classes",
        *([f"  of classes that training never saw, and so wrong: {strange}"] if strange else []),
        f"  right class           {metrics['test_accuracy']:.4f}",
        f"  F1, mean of classes   {metrics['test_macro_f1']:.4f}",
        f"  calibration error     {metrics['test_ece']:.4f}",
        *_others(metrics),
        "",
        *([f"the {_LISTED} classes of lowest F1:"] if len(classes) > _LISTED else []),
        f"{'class':{_NAME}} {'texts':>6} {'right':>6} {'told':>6} {'F1':>6}",
    ]
    for i in listed:
        lines.append(
            f"{classes[i][:_NAME]:{_NAME}} {texts[i]:6d} {hits[i]:6d} {told[i]:6d} {f1[i]:6.3f}"
        )
    return "\n".join(lines) + "\n"


def _by_class(answers):
    """Of each class its test texts, the right answers, the times it was told, its F1; (C,) each."""
    known, count = answers.labels >= 0, len(answers.classes)
    labels, told = answers.labels[known], answers.told[known]
    texts, hits, told = (
        np.bincount(a, minlength=count) for a in (labels, labels[labels == told], told)
    )
    return texts, hits, told, 2 * hits / np.maximum(texts + told, 1)


def _pairs(answers):
    """(class, answer, how many texts), (P, 3), of those that occur: a whole table may not fit in memory."""
    known, count = answers.labels >= 0, len(answers.classes)
    codes, texts = np.unique(
        answers.labels[known] * np.int64(count) + answers.told[known], return_counts=True
    )
    return np.stack([*np.divmod(codes, count), texts], axis=1)


def _confusion(answers):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["is", "told", "texts"])
    for i, j, count in _pairs(answers):
        writer.writerow([answers.classes[i], answers.classes[j], count])
    return out.getvalue()


def _others(metrics):
    """Lines on the baselines, where they were asked, and on a learning curve."""
    lines = []
    for name, words in baselines.NAMES.items():
        if f"{name}_accuracy" in metrics:
            right, seconds = (metrics[f"{name}_{key}"] for key in ("accuracy", "seconds"))
            lines.append(f"  {words:21} {right:.4f}, in {seconds:.1f} s")
    if "curve_texts" in metrics:
        pairs = zip(metrics["curve_texts"], metrics["curve_accuracy"], strict=True)
        lines += [f"  of {n:6d} texts         {right:.4f}" for n, right in pairs]
    return lines


def _mistakes(answers):
    """The texts whose own class was thought the least likely."""
    wrong, count, answered = answers.wrong, len(answers.labels), answers.told
    lines = [f"{len(wrong)} of {count} test texts are told wrong; the worst first", ""]
    for i in wrong[:_MISTAKES]:
        own = np.exp(answers.log_p[i, answers.labels[i]]) if answers.labels[i] >= 0 else 0.0
        text = " ".join(answers.test.texts[i].split())
        text = text if len(text) <= _SHOWN else text[:_SHOWN] + " …"
        told = answers.classes[answered[i]]
        lines.append(f"{answers.test.labels[i]} ({own:.4f}), told {told}")
        lines.append(f"    {text}")
    return "\n".join(lines) + "\n"


def _curve(run, metrics):
    figure, axes = figures.subplots(size=(6, 4))
    axes.plot(metrics["curve_texts"], metrics["curve_accuracy"], "o-")
    axes.set(xlabel="texts to learn from", ylabel="right class of test texts", xscale="log")
    axes.set_xticks(metrics["curve_texts"], [str(int(n)) for n in metrics["curve_texts"]])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    figures.keep(figure, run, "curve.png")


def _draw_confusion(run, answers):
    texts, _, _, f1 = _by_class(answers)
    drawn = np.sort(np.argsort(f1, kind="stable")[:_LISTED])
    place = np.full(len(f1), -1)
    place[drawn] = np.arange(len(drawn))
    i, j, count = _pairs(answers).T
    inside = (place[i] >= 0) & (place[j] >= 0)
    share = np.zeros((len(drawn), len(drawn)))
    share[place[i[inside]], place[j[inside]]] = (count / texts[i])[inside]

    size = float(np.clip(2 + 0.35 * len(drawn), 5, 12))
    figure, axes = figures.subplots(size=(size + 1, size))
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the class")
    some = len(drawn) < len(f1)
    title = f"Test texts of the {_LISTED} classes of lowest F1" if some else "Test texts"
    axes.set(xlabel="told", ylabel="is", title=title)
    if len(drawn) <= _NAMED:
        names = [" ".join(name.split())[:_NAME].replace("$", r"\$") for name in answers.classes]
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
    else:
        axes.set(xlabel="told (classes by name)", ylabel="is (classes by name)")
    figures.keep(figure, run, "confusion.png")


def _draw_reliability(run, confidence, right):
    figure, axes = figures.subplots(size=(5, 4.5))
    bins = np.minimum((confidence * 10).astype(int), 9)
    count = np.bincount(bins, minlength=10)
    with np.errstate(invalid="ignore"):
        sure, hit = (np.bincount(bins, v, minlength=10) / count for v in (confidence, right))
    axes.plot([0, 1], [0, 1], color="gray", linewidth=0.8, linestyle="--")
    axes.plot(sure[count > 0], hit[count > 0], "o-")
    for x, y, n in zip(sure, hit, count, strict=True):
        if n:
            axes.annotate(str(n), (x, y), textcoords="offset points", xytext=(4, -10), fontsize=8)
    axes.set(xlabel="probability of the answer", ylabel="share that is right", title="Test texts")
    axes.grid(alpha=0.3)
    figures.keep(figure, run, "reliability.png")
