"""The languages of lines, for ``zoo.predict``."""

import sys
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import UserError, nearest
from zoo.tasks.language_detection.config import parse_priors

FLAGS = (
    ("string", "languages", None, "only these: en,fr"),
    ("string", "priors", None, "weights before a line is read: en=3,fr=1; others 1"),
    ("float", "margin", None, "below it a line is unknown; the run's own when left out"),
)
_SHOWN = 5  # languages a line


def check(values) -> None:
    """Raises UserError for a flag out of range."""
    if values.margin is not None and not 0 <= values.margin <= 1:
        raise UserError(f"--margin={values.margin}: must be from 0 to 1, such as 0.1")


def predict(task, params, run: Path, values) -> Iterator[list[dict]]:
    """Lists of rows, a row a line of --input or of standard input: label, probabilities, margin."""
    from zoo.data.text import lines

    codes, priors = [], None
    if values.languages is not None:
        codes = list(dict.fromkeys(filter(None, values.languages.split(","))))
        _check_known("languages", codes, task.codes)
        if len(codes) < 2:
            raise UserError(f"--languages={values.languages}: give two or more, such as en,fr")
    if values.priors is not None:
        priors = parse_priors(values.priors, "priors")
        _check_known("priors", priors, task.codes)
    path = values.input if values.input not in (None, "-") else None
    try:
        file = open(path, "rb") if path else sys.stdin.buffer  # noqa: SIM115 (closed below)
    except OSError as error:
        raise UserError(f"--input={path}: {error.strerror}") from None
    with file:
        for strings in lines.batches(file, path or "standard input"):
            yield [
                _short(row) for row in task.posterior(params, strings, codes, priors, values.margin)
            ]


def _short(row):
    likely = list(row["probabilities"].items())[:_SHOWN]
    probabilities = {code: round(p, 6) for code, p in likely}
    return row | {"probabilities": probabilities, "margin": round(row["margin"], 6)}


def _check_known(flag, codes, known):
    for code in codes:
        if code not in known:
            near = nearest(code, known)
            hint = f"did you mean {near!r}? " if near else ""
            raise UserError(f"--{flag}: {code!r} is unknown: {hint}The run has {', '.join(known)}")
