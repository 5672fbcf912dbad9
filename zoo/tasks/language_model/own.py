"""What a careful person would choose for a text of their own, from how long it is and the time there is.

Every setting that was given on the command line stays.
"""

from pathlib import Path

from ml_collections import ConfigDict

from zoo.config import flatten, put

_MINUTES, _PATIENCE, _SAMPLE = 3.0, 4, 1 << 20  # minutes of training; evaluations; bytes
_RATE = 1e-2  # of learning
# A text of so many characters (of its training part, at most): passes over it, at most and as planned for
# the width; dropout on the embedding, on the output, on the recurrent weights. How they were chosen:
# docs/choices.md.
_TABLE = (
    (25_000, 240, 180, 0.2, 0.5, 0.4),
    (60_000, 150, 90, 0.2, 0.5, 0.4),
    (200_000, 60, 28, 0.1, 0.4, 0.2),
    (500_000, 30, 14, 0.1, 0.3, 0.2),
    (1_500_000, 20, 6, 0.0, 0.1, 0.0),
    (float("inf"), 10, 2, 0.0, 0.1, 0.0),
)
_FLOPS = 8e10  # of training, a second, on two cores: what the width is for
_WIDTHS = (128, 512, 64)  # least, most, and steps between them
# What follows from a text.
_KEYS = (
    "model.hidden",
    "model.dropout_in",
    "model.dropout_out",
    "model.weight_drop",
    "batch_size",
    "data.window",
    "optimizer.learning_rate",
    "optimizer.average",
    "patience",
    "kneser_ney",
    "mix",
    "epochs",
    "eval_epochs",
)
_COUNTED = 20_000_000  # characters; of more no n-grams are counted, which takes memory


def settle(config: ConfigDict, given: set[str], begun: ConfigDict | None = None) -> str:
    """Sets what follows from the text ``data.path`` and was not ``given``; a sentence that says so, ""
    where nothing follows: the config does not ``adapt``, or there is no such text.

    begun: the config of the run, where it has begun: then what it has stays
    """
    d = config.data
    if not config.adapt or not d.path or d.symbols not in ("characters", "bytes"):
        return ""
    if begun is not None:
        put(config, {key: flatten(begun)[key] for key in (*_KEYS, "adapt", "minutes")}, given)
        return ""
    size = _characters(config)
    if not size:
        return ""
    train = size * (1 - d.valid - d.test)
    if train <= 0:
        return ""  # the task says what is wrong
    if not given & {"minutes", "steps", "epochs"}:
        config.minutes = _MINUTES
    minutes = config.minutes or _MINUTES
    most, passes, dropped_in, dropped_out, weight_drop = next(
        row[1:] for row in _TABLE if train <= row[0]
    )
    values = (
        _width(train * passes, minutes),
        dropped_in,
        dropped_out,
        weight_drop,
        32 if train > 10_000 else 16,
        32,
        _RATE,
        "ema",
        _PATIENCE if config.best.metric else 0,
        -1 if size <= _COUNTED else 0,
        size <= _COUNTED,
        float(most),
        None if config.minutes else config.eval_epochs,
    )
    kept = {"model.hidden"} if config.start else set()  # that of the run to start from
    put(config, dict(zip(_KEYS, values, strict=True)), given | kept)
    m = config.model
    length = f"at most {config.epochs:g} passes" if config.epochs else f"{config.steps:,} steps"
    timed = f" or {config.minutes:g} minutes" if config.minutes else ""
    cell = m.cell.upper().replace("_", " ")
    return (
        f"{size:,} characters: {cell} {m.hidden}, dropout {m.dropout_in:g} and {m.dropout_out:g}, weight "
        f"drop {m.weight_drop:g}, {length}{timed}; change with --config.model.hidden, "
        "--config.model.dropout_out, --config.minutes, …"
    )


def _characters(config):
    """About how many a text has, of a file from its bytes; 0 for none."""
    from zoo.errors import UserError
    from zoo.tasks.language_model import large

    d = config.data
    if d.corpora or (Path(d.path).is_dir() and not d.joined):
        return 0
    try:
        source = large.source(config)
        if not all(file.is_file() for file in source.files):  # a pipe is read once, by the task
            return 0
        with open(source.files[0], "rb") as file:
            some = file.read(_SAMPLE)
        share = len(some.decode(d.encoding, "ignore")) / max(1, len(some))
        return round(source.size * share)
    except (UserError, OSError, LookupError):
        return 0  # the task says what is wrong


def _width(characters, minutes):
    """The width of a layer that reads so many characters in so much time."""
    least, most, step = _WIDTHS
    # Six operations for each parameter and character.
    wanted = 60 * max(0.0, minutes) * _FLOPS / (6 * characters)
    width = (wanted / 4) ** 0.5  # its recurrent matrix has 4 width^2
    return int(min(most, max(least, round(width / step) * step)))
