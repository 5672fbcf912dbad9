"""Forecasts with a trained model, for ``zoo.predict``."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo import bounds
from zoo.errors import UserError

FLAGS = (
    ("integer", "horizon", None, "steps ahead; the run's own when left out"),
    ("float", "level", 0.95, "share of values that the interval is to hold"),
    ("list", "quantiles", [], "those to forecast besides, such as 0.1,0.5,0.9"),
    ("string", "out", None, "CSV file to write; forecast.csv in the run folder when left out"),
)


def check(values) -> None:
    """Raises UserError for a flag out of range."""
    bounds.flag(values, "horizon", 1, 100_000)
    if not 0 < values.level < 1:
        raise UserError(f"--level={values.level}: must be between 0 and 1, such as 0.95")
    for quantile in values.quantiles:
        try:
            right = 0 < float(quantile) < 1
        except ValueError:
            right = False
        if not right:
            raise UserError(f"--quantiles: {quantile!r} is not between 0 and 1; give 0.1,0.5,0.9")


def rows(
    task,
    params,
    run: Path,
    newer: str | None = None,
    horizon: int | None = None,
    level: float = 0.95,
    quantiles: Sequence[float] = (),
) -> list[dict]:
    """What comes after the end of every series: of the run's own, or of those in the file ``newer``.
    ``horizon`` is the run's own when None."""
    from zoo.tasks.forecasting import ahead, evaluation

    table = task.read(newer) if newer is not None else None
    residuals = evaluation.read_residuals(run)
    return ahead.rows(
        task, params, residuals, horizon or task.config.horizon, level, quantiles, table
    )


def predict(task, params, run: Path, values) -> Iterator[list[dict]]:
    """The rows of all series, after the end of the run's own or of those in --input; also as CSV."""
    from zoo.data.files import write_bytes
    from zoo.tasks.forecasting import evaluation

    quantiles = [float(q) for q in values.quantiles]
    found = rows(task, params, run, values.input, values.horizon, values.level, quantiles)
    content = evaluation.to_csv(found).encode()
    if values.out:
        write_bytes(values.out, content)
    else:
        try:
            write_bytes(run / "forecast.csv", content)
        except UserError as error:  # a run may be read-only: the forecasts are on stdout anyway
            print(f"note: {error}", file=sys.stderr)
    yield found
