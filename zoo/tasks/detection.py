"""How well languages are told apart: by length of the string, beside n-gram models, with plots."""

import csv
import io
import math
import os
import sys
import unicodedata
from pathlib import Path

import numpy as np

from zoo import data as zd
from zoo.errors import UserError
from zoo.tasks import identifiers, scores

LENGTHS = (5, 10, 20, 50, 100)
_MOST = 10_000  # substrings of a length that are scored


def cut(texts: list[str], length: int, most: float = _MOST) -> tuple[list[str], np.ndarray]:
    """(substrings, which text each is of), evenly spaced: all of them up to 20 characters, else every
    tenth; as many of each text, about ``most`` at most."""
    strings, labels = [], []
    for label, text in enumerate(texts):
        places = len(text) - length + 1
        step = max(1 if length <= 20 else 10, math.ceil(places * len(texts) / most))
        found = [text[i : i + length] for i in range(0, places, step)]
        strings += found
        labels += [label] * len(found)
    return strings, np.array(labels, int)


def substrings(task, params, texts: list[str], kept: dict | None = None) -> dict[str, float]:
    """Accuracy by length of substring, the mean over languages; of two languages AUC too.

    ``kept`` takes the scores, by length.
    """
    found, kept = {}, {} if kept is None else kept
    for length in LENGTHS:
        strings, labels = cut(texts, length)
        if len(set(labels.tolist())) < len(texts):
            continue  # a text is shorter than that
        values = kept[length] = task.scores(params, strings, whole=False)
        found[f"test_accuracy_{length}"] = mean_accuracy(values, labels)
        if len(texts) == 2:
            found[f"test_auc_{length}"] = scores.auc(values[:, 0] - values[:, 1], labels == 0)
    if len(texts) == 2:
        strings, labels = _source_strings(texts, task.config.seed)
        values = task.scores(params, strings, whole=False)
        found["test_auc_source"] = scores.auc(values[:, 0] - values[:, 1], labels == 0)
    return found


def mean_accuracy(values: np.ndarray, labels: np.ndarray) -> float:
    """The share of right languages, (n, languages) scores against (n,), averaged over languages."""
    right = values.argmax(axis=1) == labels
    return float(np.mean([right[labels == i].mean() for i in np.unique(labels)]))


def lines(task, params) -> dict[str, float]:
    """Accuracy on whole lines of other texts, FOLDER/KIND/CODE.txt: accuracy_KIND."""
    found = {}
    for kind, (strings, labels) in _files(task).items():
        task.scored[kind] = task.scores(params, strings)
        value = mean_accuracy(task.scored[kind], labels)
        found[f"test_accuracy_{kind.replace('-', '_')}"] = value
    return found


def unspoken(scripts: set[str], count: int = 500) -> list[str]:
    """Lines in which nothing speaks for a language that is written in one of ``scripts``: digits,
    punctuation and symbols, and letters of other scripts with both; the same ones every time."""
    digits, marks, letters = [], [], []
    for character in map(chr, range(0x21, 0x10000)):
        kind = unicodedata.category(character)[0]
        if kind in "NPS":
            (digits if kind == "N" else marks).append(character)
        elif (name := zd.script(character)) and name not in scripts:
            letters.append(character)
    rng = np.random.default_rng(0)
    digits, marks, letters = map(np.array, (digits, marks, letters))
    mixtures = ([digits], [marks], [digits, marks], [letters], [letters, digits, marks])
    found = []
    for i in range(count):
        pools = mixtures[i % len(mixtures)]
        words = [
            "".join(rng.choice(pools[rng.integers(len(pools))], size=rng.integers(1, 9)))
            for _ in range(rng.integers(1, 9))
        ]
        found.append(" ".join(words))
    return found


def unknown(task, params) -> float:
    """The share of ``unspoken`` lines whose label is "unknown"."""
    known = set().union(*task.scripts)
    rows = task.posterior(params, unspoken(known))
    return float(np.mean([row["label"] == "unknown" for row in rows]))


def temperature(task, params, texts: list[str]) -> float:
    """What log-likelihoods are multiplied by, so that the posterior of held-out strings is the most
    likely (Guo et al. 2017); strings of all lengths up to 50 count alike."""
    strings, labels = [], []
    for length in (n for n in LENGTHS if n <= 50):
        some, which = cut(texts, length)
        keep = np.linspace(0, len(some) - 1, min(len(some), 1000)).astype(int)
        strings += [some[i] for i in keep]
        labels += which[keep].tolist()
    values, labels = task.scores(params, strings, whole=False), np.array(labels)

    def loss(t):
        z = t * values
        z -= z.max(axis=1, keepdims=True)
        return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels])

    grid = np.geomspace(0.05, 5, 93)
    return float(grid[np.argmin([loss(t) for t in grid])])


def calibration_error(values: np.ndarray, temperature: float, labels: np.ndarray) -> float:
    """That of the probability of the first language, from scores (n, languages) and labels (n,)."""
    z = temperature * (values - values.max(axis=1, keepdims=True))
    return scores.calibration_error(1 / np.exp(z).sum(axis=1), np.argmax(values, axis=1) == labels)


def write(task, params, metrics: dict, run: Path) -> None:
    """Writes summary.txt, a confusion table (CSV and plot) of substrings of 20 characters and of each
    kind of lines, and plots: trace, and of two languages roc."""
    import matplotlib

    matplotlib.use("Agg")
    (run / "plots").mkdir(exist_ok=True)
    held = task.parts["test"] if all(task.parts["test"]) else None
    if task.config.baselines == "ngrams":
        metrics |= _others(task, held)
    truth = {n: cut(held, n)[1] for n in LENGTHS if n in task.scored} if held else {}
    truth |= {kind: labels for kind, (_, labels) in _files(task).items()}
    for kind, labels in truth.items():
        name = f"test_calibration_error_{str(kind).replace('-', '_')}"
        metrics[name] = calibration_error(task.scored[kind], task.temperature, labels)
        if kind not in LENGTHS or kind == 20:
            _confusion(task, task.scored[kind], labels, run, "" if kind == 20 else kind)
    if held and len(task.codes) == 2:
        _roc(task, held, run)
    _trace(task, params, held or task.parts["train"], run)
    zd.write_bytes(run / "summary.txt", summary(task, metrics).encode())


def summary(task, metrics: dict) -> str:
    """The scores as a table, beside the baselines."""
    several = len(task.codes) > 2
    names = [("test", "this model")]
    names += [(k.removesuffix("_accuracy_5"), None) for k in metrics if k.endswith("_accuracy_5")]
    rows, seen = [], set()
    for prefix, title in names:
        if prefix in seen:
            continue
        seen.add(prefix)
        other = prefix.removesuffix("_test")  # other texts that this model was tested on
        name = prefix.replace("_", " ") if other == prefix else f"this model on {other}"
        cells = [title or name]
        for n in LENGTHS:
            pair = [metrics.get(f"{prefix}_{what}_{n}") for what in ("auc", "accuracy")]
            pair = pair[1:] if several else pair
            cells.append(" / ".join("-" if v is None else f"{v:.4f}" for v in pair))
        if any(c != "-" and c != "- / -" for c in cells[1:]):
            rows.append(cells)
    what = "accuracy" if several else "AUC / accuracy"
    shown = ", ".join(task.codes[:30]) + (", …" if len(task.codes) > 30 else "")
    text = [f"{len(task.codes)} languages: {shown}"]
    if rows:
        heads = [f"{what} on", *(f"{n} characters" for n in LENGTHS)]
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


def _files(task):
    """kind -> (lines, labels) of data.test_path."""
    d, found = task.config.data, {}
    if not d.test_path:
        return found
    path = Path(os.path.expandvars(d.test_path)).expanduser()
    if str(path).startswith("$"):
        print(f"note: {path.parts[0]} is not set: not tested on {d.test_path}", file=sys.stderr)
        return found
    if not path.is_dir():
        raise UserError(f"--config.data.test_path={d.test_path}: no such folder")
    for folder in sorted(p for p in path.iterdir() if p.is_dir()):
        strings, labels = [], []
        for label, code in enumerate(task.codes):
            some = zd.read_lines(folder, code, d.lowercase)[: d.test_lines or None]
            strings += some
            labels += [label] * len(some)
        if strings:
            found[folder.name] = strings, np.array(labels)
    return found


def _source_strings(texts, seed):
    """100 random 5-character strings of each text, at the same places, as source 004 takes them."""
    places = np.random.default_rng(seed).integers(min(map(len, texts)) - 4, size=100)
    strings = [text[p : p + 5] for text in texts for p in places]
    return strings, np.repeat([0, 1], 100)


def _others(task, held):
    """Accuracy (and AUC) of other identifiers on the same strings: by length, and on whole lines."""
    found = {}
    trained = identifiers.ngrams(*cut(task.parts["train"], 5, math.inf))
    others = identifiers.installed(task.codes) | trained
    if held:
        for length in LENGTHS:
            strings, labels = cut(held, length)
            if len(set(labels.tolist())) < len(held):
                continue
            for name, score in others.items():
                values = score(strings)
                found[f"{name}_accuracy_{length}"] = mean_accuracy(values, labels)
                if len(held) == 2:
                    area = scores.auc(values[:, 0] - values[:, 1], labels == 0)
                    found[f"{name}_auc_{length}"] = area
    for kind, (strings, labels) in _files(task).items():
        for name, score in others.items():
            value = mean_accuracy(score(strings), labels)
            found[f"{name}_accuracy_{kind.replace('-', '_')}"] = value
    return found


def _figure(size):
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size, layout="constrained")


def _keep(figure, run, name):
    from matplotlib import pyplot

    figure.savefig(run / "plots" / name, dpi=110)
    pyplot.close(figure)


def _roc(task, held, run):
    figure, axes = _figure((5.5, 5))
    for length in (n for n in LENGTHS[:3] if n in task.scored):
        values, labels = task.scored[length], cut(held, length)[1]
        difference = values[:, 0] - values[:, 1]
        false, true = scores.roc(difference, labels == 0)
        area = scores.auc(difference, labels == 0)
        axes.plot(false, true, label=f"{length} characters, AUC {area:.4f}")
    axes.plot([0, 1], [0, 1], color="gray", linewidth=0.8, linestyle="--")
    one, other = task.codes
    axes.set(
        xlabel=f"{other} taken for {one}", ylabel=f"{one} recognised", title="ROC, held-out text"
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    _keep(figure, run, "roc.png")


def _confusion(task, values, labels, run, kind=""):
    """Of substrings, or of a kind of lines, whose name is then part of the files'."""
    n, what = len(task.codes), kind or "20 characters"
    name = f"confusion_{kind.replace('-', '_')}" if kind else "confusion"
    table = np.zeros((n, n), int)
    np.add.at(table, (labels, values.argmax(axis=1)), 1)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["truth", *task.codes])
    for code, row in zip(task.codes, table.tolist(), strict=True):
        writer.writerow([code, *row])
    zd.write_bytes(run / f"{name}.csv", out.getvalue().encode())
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    size = max(4, 0.3 * n + 1.5)
    figure, axes = _figure((size + 0.8, size))
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(n), task.codes, fontsize=8, rotation=90 if n > 12 else 0)
    axes.set_yticks(range(n), task.codes, fontsize=8)
    axes.set(
        xlabel="taken for", ylabel="language", title=f"{what}: {np.trace(share) / n:.1%} right"
    )
    if n <= 12:
        for i in range(n):
            for j in range(n):
                color = "white" if share[i, j] > 0.5 else "black"
                axes.text(j, i, f"{share[i, j]:.1%}", ha="center", va="center", color=color)
    figure.colorbar(image, ax=axes, shrink=0.8)
    _keep(figure, run, f"{name}.png")


def _trace(task, params, texts, run):
    """Where the models decide: log P(string so far | its language) over that of the best other."""
    from matplotlib import pyplot

    shown = min(4, len(task.codes))
    figure, axes = pyplot.subplots(shown, 1, figsize=(9, 1.9 * shown), layout="constrained")
    for axis, label in zip(axes, range(shown), strict=True):
        text = texts[label]
        string = text[len(text) // 2 :][:40]
        total = np.cumsum(task.trace(params, string), axis=0)
        others = np.delete(total, label, axis=1)
        best = others.argmax(axis=1)
        ratio = total[:, label] - others.max(axis=1)
        axis.axhline(0, color="gray", linewidth=0.8)
        axis.plot(ratio, marker=".", color="tab:blue")
        names = [c for c in task.codes if c != task.codes[label]]
        axis.set_xticks(range(len(string)), [c if c != " " else "␣" for c in string], fontsize=8)
        axis.set_title(f"{task.codes[label]} against {names[best[-1]]}", fontsize=9, loc="left")
        axis.set_ylabel("log ratio", fontsize=8)
        axis.grid(alpha=0.3)
    _keep(figure, run, "trace.png")
