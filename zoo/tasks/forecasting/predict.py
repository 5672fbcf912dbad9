"""Forecasts with a trained model, for ``zoo.predict``."""

import sys
from collections.abc import Iterator
from pathlib import Path

from zoo import bounds
from zoo.errors import UserError

FLAGS = (
    ("integer", "horizon", None, "steps ahead; the run's own when left out"),
    ("float", "level", 0.95, "share of values that the interval is to hold"),
    ("string", "out", None, "CSV file to write; forecast.csv in the run folder when left out"),
)


def check(values) -> None:
    """Raises UserError for a flag out of range."""
    bounds.flag(values, "horizon", 1, 100_000)
    if not 0 < values.level < 1:
        raise UserError(f"--level={values.level}: must be between 0 and 1, such as 0.95")


def predict(task, params, run: Path, values) -> Iterator[list[dict]]:
    """The rows of all series, after the end of the run's own or of those in --input; also as CSV."""
    from zoo.data.files import write_bytes
    from zoo.tasks.forecasting import evaluation

    table = task.read(values.input) if values.input is not None else None
    residuals = evaluation.read_residuals(run)
    rows = task.predict(
        params, residuals, values.horizon or task.config.horizon, values.level, table
    )
    content = evaluation.to_csv(rows).encode()
    if values.out:
        write_bytes(values.out, content)
    else:
        try:
            write_bytes(run / "forecast.csv", content)
        except UserError as error:  # a run may be read-only: the forecasts are on stdout anyway
            print(f"note: {error}", file=sys.stderr)
    yield rows
