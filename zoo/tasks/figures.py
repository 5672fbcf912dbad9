"""Figures of a run, drawn without a screen."""

from pathlib import Path


def subplots(rows: int = 1, columns: int = 1, *, size: tuple[float, float]):
    """(figure, axes) of matplotlib, ``size`` in inches."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(rows, columns, figsize=size, layout="constrained")


def keep(figure, run: Path, name: str, dpi: int = 110) -> None:
    """Writes the figure to plots/NAME of the run, and closes it."""
    from matplotlib import pyplot

    (run / "plots").mkdir(exist_ok=True)
    figure.savefig(run / "plots" / name, dpi=dpi)
    pyplot.close(figure)
