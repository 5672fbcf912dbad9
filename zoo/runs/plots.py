"""The plot of the losses of a run."""

from pathlib import Path

from zoo.runs import log
from zoo.tasks import figures


def draw_losses(run: Path, loss_unit: str) -> None:
    """Writes plots/loss.png: training and validation loss, in ``loss_unit``, over the steps."""
    records = log.read(run)
    figure, axes = figures.subplots(size=(7, 4.2))
    for name, style in (("train_loss", "-"), ("valid_loss", "o-")):
        points = [(r["step"], r[name]) for r in records if name in r]
        if points:
            label = {"train_loss": "training (dropout on)", "valid_loss": "validation"}[name]
            axes.plot(*zip(*points, strict=True), style, label=label, linewidth=1.5, markersize=3)
    names = run.resolve().parts[-2:] if run.name.startswith("seed-") else [run.name]
    axes.set(xlabel="step", ylabel=f"loss ({loss_unit})", title=", ".join(names))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()
    figures.keep(figure, run, "loss.png", dpi=120)
