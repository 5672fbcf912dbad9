"""What a person sees of a training, on stderr."""

import sys
import time

_SILENT = 60  # seconds without a line, at most, where no bar moves


class Progress:
    """What a person sees on stderr: one line an evaluation; a bar where stderr is a terminal, elsewhere a
    line a minute at least."""

    def __init__(self, total: int, start: int, tokens: int):
        """``total`` steps of ``tokens`` each, ``start`` of them done."""
        self._total, self._tokens = total, tokens
        self._bar, self._said = None, time.monotonic()
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

    def steps(self, step: int, pace: float, loss: float) -> None:
        """Moves the bar; ``pace`` in steps per second, ``loss`` the mean of the last steps."""
        speed = f"{pace * self._tokens:,.0f} tokens/s"
        if self._bar:
            self._bar.update(self._id, completed=step, note=speed)
        elif time.monotonic() - self._said > _SILENT:
            left = _clock((self._total - step) / pace)
            self.say(f"step {step}/{self._total}  train_loss {loss:.4f}  {speed}  {left} left")

    def early(self, step: int, metrics: dict) -> None:
        """A look at a long training before its first evaluation."""
        values = [f"{k} {float(v):.4f}" for k, v in metrics.items() if not getattr(v, "ndim", 0)]
        if values:
            self.say(f"step {step}/{self._total}  a first look: {'  '.join(values[:3])}")

    def plan(self, steps: int, pace: float, minutes: float) -> None:
        """Says how many steps there are in all, of a training that has so many minutes."""
        self._total = steps
        if self._bar:
            self._bar.update(self._id, total=steps)
        self.say(
            f"{pace:.3g} steps a second: {steps:,} steps in {minutes:g} minutes; the same once more: "
            f"--config.steps={steps}"
        )

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
        self._said = time.monotonic()
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
