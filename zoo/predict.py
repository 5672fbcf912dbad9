"""Predictions with a trained model, JSON lines on stdout: forecasts, or the languages of lines.

python -m zoo.predict --run=runs/airline --horizon=24
python -m zoo.predict --run=runs/sales --input=newer.csv --level=0.8
python -m zoo.predict --run=runs/language_detector-world --input=lines.txt --languages=en,fr

A forecast goes on from the series that the run was trained on, or from newer data with the same
columns, given by --input: as many rows as the model reads, and, where the run has features that are
known in advance (data.known), their future rows with empty values. It is also written as a CSV file.

Languages are told of every line of --input, or of standard input: label ("unknown" where the line
speaks for none), probabilities of the likeliest, and margin, by how much the first is more probable
than the second.
"""

import json
import math
import select
import sys
from pathlib import Path

from absl import flags

from zoo import cli
from zoo.errors import UserError, nearest

_LINES, _CHARACTERS = 512, 1 << 20  # that are told apart at once, at most
_SHOWN = 5  # languages a line

_OF = {
    "forecasting": ("horizon", "level", "out"),
    "language_detection": ("languages", "priors", "margin"),
}


def main(argv):
    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_string("run", None, "folder of a finished run", **define)
    flags.DEFINE_string(
        "input", None, "newer series (CSV), or lines of text (- for stdin)", **define
    )
    flags.DEFINE_integer("horizon", None, "steps ahead; the run's own when left out", **define)
    flags.DEFINE_float("level", 0.95, "share of values that the interval is to hold", **define)
    flags.DEFINE_string("out", None, "CSV file to write; predictions.csv of the run", **define)
    flags.DEFINE_string("languages", None, "only these: en,fr", **define)
    flags.DEFINE_string(
        "priors", None, "weights before a line is read: en=3,fr=1; others 1", **define
    )
    flags.DEFINE_float("margin", None, "below it a line is unknown; the run's own", **define)
    if cli.parse(values, argv, __doc__) is None:
        return 0
    if values.run is None:
        raise UserError("--run is missing: the folder of a finished run, such as runs/airline")
    if values.horizon is not None and values.horizon < 1:
        raise UserError(f"--horizon={values.horizon}: must be at least 1")
    if not 0 < values.level < 1:
        raise UserError(f"--level={values.level}: must be between 0 and 1, such as 0.95")
    if values.margin is not None and not 0 <= values.margin <= 1:
        raise UserError(f"--margin={values.margin}: must be from 0 to 1, such as 0.1")

    from zoo.train import command

    run = Path(values.run)
    _, params, task = command.load(run)
    kind = task.config.task
    if kind not in _OF:
        raise UserError(
            f"--run={run}: is a run of the task {kind!r}; zoo.predict is for {' and '.join(_OF)}"
        )
    for other, names in _OF.items():
        for name in names:
            if other != kind and values[name].present:
                raise UserError(f"--{name}: is for runs of {other}; {run} is one of {kind}")
    return (_forecast if kind == "forecasting" else _detect)(run, task, params, values)


def _forecast(run, task, params, values):
    from zoo.data import write_bytes
    from zoo.tasks import backtest

    table = task.read(values.input) if values.input is not None else None
    residuals = backtest.read_residuals(run)
    horizon = values.horizon or task.config.horizon
    rows = task.predict(params, residuals, horizon, values.level, table)
    for row in rows:
        print(json.dumps(row))
    out = Path(values.out) if values.out else run / "predictions.csv"
    write_bytes(out, backtest.to_csv(rows).encode())
    return 0


def _detect(run, task, params, values):
    codes = []
    if values.languages is not None:
        codes = list(dict.fromkeys(values.languages.split(",")))
        _known("languages", codes, task.codes)
    if values.priors is not None:
        task.config.priors = _priors(values.priors)
        _known("priors", task.config.priors, task.codes)
    if values.margin is not None:
        task.config.margin = values.margin
    source = values.input if values.input not in (None, "-") else None
    try:
        file = open(source, "rb") if source else sys.stdin.buffer  # noqa: SIM115 (closed below)
    except OSError as error:
        raise UserError(f"--input={source}: {error.strerror}") from None
    with file:
        for batch in _batches(_decoded(file, source or "standard input")):
            for row in task.posterior(params, batch, codes):
                chances = list(row["probabilities"].items())[:_SHOWN]
                row["probabilities"] = {code: round(p, 6) for code, p in chances}
                row["margin"] = round(row["margin"], 6)
                print(json.dumps(row))
            sys.stdout.flush()
    return 0


def _known(flag, codes, known):
    for code in codes:
        if code not in known:
            near = nearest(code, known)
            hint = f"did you mean {near!r}? " if near else ""
            names = ", ".join(known)
            raise UserError(f"--{flag}: {code!r} is unknown: {hint}The run has {names}")


def _priors(text):
    """Weights by language, out of en=3,fr=1."""
    found = {}
    for part in text.split(","):
        code, _, weight = part.partition("=")
        try:
            number = float(weight)
        except ValueError:
            number = -1.0
        if not 0 < number < math.inf:
            raise UserError(
                f"--priors: {part!r}: must be CODE=WEIGHT, more than 0, as in en=3,fr=1"
            )
        if code in found:
            raise UserError(f"--priors: {code!r} is given twice")
        found[code] = number
    return found


def _batches(lines):
    """Lists of lines, of few lines where they are long: memory does not grow with the input. What is
    there is not kept back while more is waited for: somebody types, or a log grows."""
    batch, size = [], 0
    try:
        for line, more in lines:
            batch.append(line)
            size += len(line)
            if len(batch) == _LINES or size > _CHARACTERS or not more:
                yield batch
                batch, size = [], 0
    except UserError:  # the lines before the one that cannot be read are answered
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _decoded(file, name):
    number = 0
    try:
        for line, more in _lines(file):
            number += 1
            yield line.decode("utf-8").rstrip("\r"), more
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name}: line {number} is not UTF-8 (0x{error.object[error.start]:02x} at its byte "
            f"{error.start}): convert it to UTF-8"
        ) from None
    except OSError as error:  # a folder, or a disk that fails
        raise UserError(f"{name}: {error.strerror}") from None


def _lines(file):
    """(line, whether more can be read without waiting), without ends of lines."""
    begun = []
    while chunk := file.read1(1 << 16):
        *whole, rest = chunk.split(b"\n")
        for i, line in enumerate(whole):
            yield b"".join([*begun, line]), i + 1 < len(whole) or _ready(file)
            begun = []
        begun.append(rest)
    if any(begun):
        yield b"".join(begun), False


def _ready(file):
    try:
        return bool(select.select([file], [], [], 0)[0])
    except (OSError, ValueError):  # no file of the system
        return True


if __name__ == "__main__":
    sys.exit(cli.run(main))
