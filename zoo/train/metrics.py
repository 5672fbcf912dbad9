"""metrics.jsonl, the progress that people see, and the plot of the losses."""

import json
import sys
from pathlib import Path

from zoo.data.files import write_bytes

_BLOCK = "════ step "


class Log:
    """metrics.jsonl of a run that goes on after ``step``: later lines are dropped first."""

    def __init__(self, run: Path, step: int):
        self.path = run / "metrics.jsonl"
        kept = [r for r in read(run) if r["step"] <= step]
        write_bytes(self.path, "".join(map(_line, kept)).encode())

    def add(self, record: dict) -> None:
        """Appends one object and puts it on disk."""
        with open(self.path, "a", encoding="utf-8") as out:
            out.write(_line(record))
            out.flush()


def read(run: Path) -> list[dict]:
    """The objects of metrics.jsonl; a last line that was cut off is left out."""
    records = []
    file = run / "metrics.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def add_sample(run: Path, step: int, title: str, text: str) -> None:
    """Appends what the model says at ``step`` to samples.txt; what stands there of that step or later
    (from before a restart) is dropped."""
    file = run / "samples.txt"
    blocks = file.read_text(encoding="utf-8").split(_BLOCK)[1:] if file.exists() else []
    kept = [b for b in blocks if int(b.split(",", 1)[0]) < step]
    kept.append(f"{step}, {title} ════\n{text}\n\n")
    write_bytes(file, "".join(_BLOCK + b for b in kept).encode())


def plot(run: Path, unit: str) -> None:
    """Writes plots/loss.png: training and validation loss, in ``unit``, over the steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    records = read(run)
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for name, style in (("train_loss", "-"), ("valid_loss", "o-")):
        points = [(r["step"], r[name]) for r in records if name in r]
        if points:
            label = {"train_loss": "training (dropout on)", "valid_loss": "validation"}[name]
            axes.plot(*zip(*points, strict=True), style, label=label, linewidth=1.5, markersize=3)
    names = run.resolve().parts[-2:] if run.name.startswith("seed-") else [run.name]
    axes.set(xlabel="step", ylabel=f"loss ({unit})", title=", ".join(names))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()
    (run / "plots").mkdir(exist_ok=True)
    figure.savefig(run / "plots" / "loss.png", dpi=120)
    pyplot.close(figure)


class Progress:
    """What a person sees on stderr: one line an evaluation, and a bar where stderr is a terminal."""

    def __init__(self, total: int, start: int, tokens: int):
        """``total`` steps of ``tokens`` each, ``start`` of them done."""
        self._total, self._tokens = total, tokens
        self._bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
                BarColumn(),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._id = self._bar.add_task("", total=total, completed=start, note="")

    def steps(self, step: int, pace: float) -> None:
        """Moves the bar; ``pace`` in steps per second."""
        if self._bar:
            note = f"{pace * self._tokens:,.0f} tokens/s"
            self._bar.update(self._id, completed=step, note=note)

    def line(self, record: dict, pace: float) -> None:
        """One line: step, epoch, losses, speed, time gone and left."""
        own = ("step", "epoch", "seconds")
        values = [
            f"{k} {v:.4f}" for k, v in record.items() if k not in own and not isinstance(v, list)
        ][:4]
        left = (self._total - record["step"]) / pace
        self.say(
            f"step {record['step']}/{self._total}  epoch {record['epoch']:.2f}  "
            f"{'  '.join(values)}  {pace * self._tokens:,.0f} tokens/s  "
            f"{_clock(record['seconds'])} gone, {_clock(left)} left"
        )

    def say(self, text: str) -> None:
        """A line above the bar."""
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar:
            self._bar.stop()


def _clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _line(record):
    return json.dumps(record) + "\n"
