"""What a run of text classification shows: tables, the confusion of classes, the worst mistakes."""

import csv
import io
from pathlib import Path

import numpy as np

from zoo.data.files import write_bytes
from zoo.data.text.labelled import Labelled

_MISTAKES, _SHOWN = 30, 300  # mistakes, and characters of each
_NAMED = 30  # classes whose names a plot has room for


def write(
    run: Path,
    classes: list[str],
    test: Labelled,
    labels: np.ndarray,
    log_p: np.ndarray,
    metrics: dict,
) -> None:
    """Writes summary.txt, confusion.csv, mistakes.txt, plots/confusion.png and plots/reliability.png."""
    told = log_p.argmax(axis=1)
    known = labels >= 0
    table = np.zeros((len(classes), len(classes)), int)
    np.add.at(table, (labels[known], told[known]), 1)
    write_bytes(run / "confusion.csv", _confusion(classes, table).encode())
    write_bytes(run / "mistakes.txt", _mistakes(classes, test, labels, log_p).encode())
    write_bytes(run / "summary.txt", _summary(classes, table, metrics).encode())
    _plots(run, classes, table, np.exp(log_p.max(axis=1)), told == labels)


def _summary(classes, table, metrics):
    lines = [
        f"test: {table.sum()} texts of {len(classes)} classes",
        f"  right class           {metrics['test_accuracy']:.4f}",
        f"  F1, mean of classes   {metrics['test_macro_f1']:.4f}",
        f"  calibration error     {metrics['test_ece']:.4f}",
        "",
        f"{'class':40} {'texts':>6} {'right':>6} {'told':>6} {'F1':>6}",
    ]
    hits, rows, columns = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
    score = 2 * hits / np.maximum(rows + columns, 1)
    for i in np.argsort(score, kind="stable"):
        lines.append(
            f"{classes[i][:40]:40} {rows[i]:6d} {hits[i]:6d} {columns[i]:6d} {score[i]:6.3f}"
        )
    return "\n".join(lines) + "\n"


def _confusion(classes, table):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["is", "told", "texts"])
    for i, j in np.argwhere(table):
        writer.writerow([classes[i], classes[j], table[i, j]])
    return out.getvalue()


def _mistakes(classes, test, labels, log_p):
    """The texts whose own class was thought the least likely."""
    own = np.where(labels >= 0, log_p[np.arange(len(labels)), np.maximum(labels, 0)], -np.inf)
    wrong = np.flatnonzero(log_p.argmax(axis=1) != labels)
    lines = [f"{len(wrong)} of {len(labels)} test texts are told wrong; the worst first", ""]
    for i in wrong[np.argsort(own[wrong], kind="stable")][:_MISTAKES]:
        told = log_p[i].argmax()
        text = " ".join(test.texts[i].split())
        text = text if len(text) <= _SHOWN else text[:_SHOWN] + " …"
        lines.append(f"{test.labels[i]} ({np.exp(own[i]):.4f}), told {classes[told]}")
        lines.append(f"    {text}")
    return "\n".join(lines) + "\n"


def _plots(run, classes, table, confidence, right):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    (run / "plots").mkdir(exist_ok=True)
    size = float(np.clip(2 + 0.35 * len(classes), 5, 12))
    figure, axes = pyplot.subplots(figsize=(size + 1, size), layout="constrained")
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    drawn = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(drawn, ax=axes, label="share of the class")
    axes.set(xlabel="told", ylabel="is", title="Test texts")
    if len(classes) <= _NAMED:
        axes.set_xticks(range(len(classes)), classes, rotation=90)
        axes.set_yticks(range(len(classes)), classes)
    figure.savefig(run / "plots/confusion.png", dpi=110)
    pyplot.close(figure)

    figure, axes = pyplot.subplots(figsize=(5, 4.5), layout="constrained")
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
    figure.savefig(run / "plots/reliability.png", dpi=110)
    pyplot.close(figure)
