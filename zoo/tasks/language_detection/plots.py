"""What a run of language detection shows: confusion tables and plots, drawn without a screen."""

import csv
import io
from pathlib import Path

import numpy as np

from zoo.data.files import write_bytes
from zoo.tasks import figures
from zoo.tasks import labels as measures
from zoo.tasks.language_detection.evaluation import LENGTHS, Scored


def draw(task, params, scored: dict[int | str, Scored], run: Path) -> None:
    """Writes a confusion table (CSV and plot) of substrings of 20 characters and of each kind of lines,
    and plots: trace, and of two languages roc."""
    for kind, (values, labels) in scored.items():
        if kind not in LENGTHS or kind == 20:
            _confusion(task.codes, values, labels, run, "" if kind == 20 else kind)
    if len(task.codes) == 2 and LENGTHS[0] in scored:
        _roc(task.codes, scored, run)
    held = task.parts["test"] if all(task.parts["test"]) else task.parts["train"]
    _trace(task, params, held, run)


def _roc(codes, scored, run):
    figure, axes = figures.subplots(size=(5.5, 5))
    for length in (n for n in LENGTHS[:3] if n in scored):
        values, labels = scored[length]
        difference = values[:, 0] - values[:, 1]
        false, true = measures.roc(difference, labels == 0)
        area = measures.auc(difference, labels == 0)
        axes.plot(false, true, label=f"{length} characters, AUC {area:.4f}")
    axes.plot([0, 1], [0, 1], color="gray", linewidth=0.8, linestyle="--")
    first, second = codes
    axes.set(xlabel=f"{second} taken for {first}", ylabel=f"{first} recognised")
    axes.set_title("ROC, held-out text")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figures.keep(figure, run, "roc.png")


def _confusion(codes, values, labels, run, kind=""):
    """Of substrings, or of a kind of lines, whose name is then part of the files'."""
    n, strings = len(codes), kind or "20 characters"
    name = f"confusion_{kind.replace('-', '_')}" if kind else "confusion"
    table = np.zeros((n, n), int)
    np.add.at(table, (labels, values.argmax(axis=1)), 1)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["truth", *codes])
    for code, row in zip(codes, table.tolist(), strict=True):
        writer.writerow([code, *row])
    write_bytes(run / f"{name}.csv", out.getvalue().encode())
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    size = max(4, 0.3 * n + 1.5)
    figure, axes = figures.subplots(size=(size + 0.8, size))
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(n), codes, fontsize=8, rotation=90 if n > 12 else 0)
    axes.set_yticks(range(n), codes, fontsize=8)
    axes.set(
        xlabel="taken for", ylabel="language", title=f"{strings}: {np.trace(share) / n:.1%} right"
    )
    if n <= 12:
        for i in range(n):
            for j in range(n):
                color = "white" if share[i, j] > 0.5 else "black"
                axes.text(j, i, f"{share[i, j]:.1%}", ha="center", va="center", color=color)
    figure.colorbar(image, ax=axes, shrink=0.8)
    figures.keep(figure, run, f"{name}.png")


def _trace(task, params, texts, run):
    """Where the models decide: log P(string so far | its language) over that of the best other."""
    shown = min(4, len(task.codes))
    figure, axes = figures.subplots(shown, size=(9, 1.9 * shown))
    for axis, label in zip(axes, range(shown), strict=True):
        text = texts[label]
        string = text[len(text) // 2 :][:40]
        total = np.cumsum(task.trace(params, string), axis=0)
        rivals = np.delete(total, label, axis=1)
        best = rivals.argmax(axis=1)
        ratio = total[:, label] - rivals.max(axis=1)
        axis.axhline(0, color="gray", linewidth=0.8)
        axis.plot(ratio, marker=".", color="tab:blue")
        names = [c for c in task.codes if c != task.codes[label]]
        axis.set_xticks(range(len(string)), [c if c != " " else "␣" for c in string], fontsize=8)
        axis.set_title(f"{task.codes[label]} against {names[best[-1]]}", fontsize=9, loc="left")
        axis.set_ylabel("log ratio", fontsize=8)
        axis.grid(alpha=0.3)
    figures.keep(figure, run, "trace.png")
