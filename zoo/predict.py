"""Forecasts with a trained model: JSON lines on stdout, and a CSV file.

python -m zoo.predict --run=runs/airline --horizon=24
python -m zoo.predict --run=runs/sales --input=newer.csv --level=0.8

Without --input it goes on from the series that the run was trained on. Newer data has the same
columns; it needs as many rows as the model reads, and, where the run has features that are known in
advance (data.known), their future rows with empty values.
"""

import json
import sys
from pathlib import Path

from absl import flags

from zoo import cli
from zoo.errors import UserError


def main(argv):
    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_string("run", None, "folder of a finished run", **define)
    flags.DEFINE_integer("horizon", None, "steps ahead; the run's own when left out", **define)
    flags.DEFINE_string("input", None, "CSV file with newer data of the same series", **define)
    flags.DEFINE_float("level", 0.95, "share of values that the interval is to hold", **define)
    flags.DEFINE_string("out", None, "CSV file to write; predictions.csv of the run", **define)
    if cli.parse(values, argv, __doc__) is None:
        return 0
    if values.run is None:
        raise UserError("--run is missing: the folder of a finished run, such as runs/airline")
    if values.horizon is not None and values.horizon < 1:
        raise UserError(f"--horizon={values.horizon}: must be at least 1")
    if not 0 < values.level < 1:
        raise UserError(f"--level={values.level}: must be between 0 and 1, such as 0.95")

    from zoo.data import write_bytes
    from zoo.tasks import backtest
    from zoo.train import command

    run = Path(values.run)
    _, params, task = command.load(run, task="forecasting")
    table = task.read(values.input) if values.input is not None else None
    residuals = backtest.read_residuals(run)
    horizon = values.horizon or task.config.horizon
    rows = task.predict(params, residuals, horizon, values.level, table)
    for row in rows:
        print(json.dumps(row))
    out = Path(values.out) if values.out else run / "predictions.csv"
    write_bytes(out, backtest.to_csv(rows).encode())
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
