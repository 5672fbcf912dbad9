"""What a person sees of a training, on stderr."""

import time

from zoo.terminal import line

_SILENT = 60  # seconds without a line, at most, where no bar moves


class Progress:
    """What a person sees on stderr: one line an evaluation; a bar where stderr is a terminal, elsewhere a
    line a minute at least."""

    def __init__(self, total: int, start: int, tokens: int):
        """``total`` steps of ``tokens`` each, ``start`` of them done."""
        self._total, self._tokens = total, tokens
        self._said = time.monotonic()
        line.show(f"step {start}/{total}", start / max(1, total))

    def steps(self, step: int, pace: float, loss: float) -> None:
        """Moves the bar; ``pace`` in steps per second, ``loss`` the mean of the last steps."""
        speed, left = f"{pace * self._tokens:,.0f} tokens/s", _clock((self._total - step) / pace)
        line.show(f"step {step}/{self._total}", step / self._total, f"{speed}  {left} left")
        if line.width is None and time.monotonic() - self._said > _SILENT:
            self.say(f"step {step}/{self._total}  train_loss {loss:.4f}  {speed}  {left} left")

    def evaluating(self, step: int) -> None:
        """Says so in place of the bar."""
        line.show(f"step {step}/{self._total}: evaluating")

    def early(self, step: int, metrics: dict) -> None:
        """A look at a long training before its first evaluation."""
        values = [f"{k} {float(v):.4f}" for k, v in metrics.items() if not getattr(v, "ndim", 0)]
        if values:
            self.say(f"step {step}/{self._total}  a first look: {'  '.join(values[:3])}")

    def plan(self, steps: int, pace: float, minutes: float) -> None:
        """Says how many steps there are in all, of a training that has so many minutes."""
        self._total = steps
        self.say(
            f"{pace:.3g} steps a second: {steps:,} steps in {minutes:g} minutes; the same once more: "
            f"--config.steps={steps}"
        )

    def line(self, record: dict, pace: float) -> None:
        """One line: step, epoch, losses, speed, time gone and left; on a terminal what fits its width."""
        own = ("step", "epoch", "seconds")
        values = [
            f"{k} {v:.4f}" for k, v in record.items() if k not in own and not isinstance(v, list)
        ][:4]
        left = (self._total - record["step"]) / pace
        step = f"step {record['step']}/{self._total}"
        epoch, speed = f"epoch {record['epoch']:.2f}", f"{pace * self._tokens:,.0f} tokens/s"
        gone, left = f"{_clock(record['seconds'])} gone", f"{_clock(left)} left"
        shown = [step, epoch, *values, speed, f"{gone}, {left}"]
        shorter = [speed, epoch, *reversed(values[2:]), f"{gone}, {left}", *reversed(values)]
        for part in shorter:
            if line.width is not None and len("  ".join(shown)) > line.width and part in shown:
                shown.remove(part)
        self.say("  ".join(shown))

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._said = time.monotonic()
        line.say(text)

    def close(self) -> None:
        """Takes the bar away."""
        line.clear()


def _clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
