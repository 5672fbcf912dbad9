"""The plot of the losses of a run."""

from pathlib import Path

from zoo.runs import log


def draw_losses(run: Path, loss_unit: str) -> None:
    """Writes plots/loss.png: training and validation loss, in ``loss_unit``, over the steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    records = log.read(run)
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
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
    (run / "plots").mkdir(exist_ok=True)
    figure.savefig(run / "plots" / "loss.png", dpi=120)
    pyplot.close(figure)
