"""What a forecasting config may hold and a series must bring: every mistake named before training."""

from ml_collections import ConfigDict

from zoo.cells import CELLS
from zoo.config import choose, require
from zoo.data import Table
from zoo.data.frames import View
from zoo.errors import UserError


def check(config: ConfigDict) -> None:
    """Raises UserError for a model or data key out of range."""
    c = config
    choose(c, "model.cell", CELLS)
    choose(c, "model.center", ("none", "last"))
    choose(c, "data.transform", ("none", "log"))
    choose(c, "data.scaler", ("standard", "minmax", "none"))
    choose(c, "data.scale", ("train", "all"))
    choose(c, "data.missing", ("error", "interpolate"))
    choose(c, "baselines", ("naive", "classical"))
    valid = [f"valid_{name}" for name in ("loss", "rmse", "mae", "mase", "smape")]
    for key in ("best.metric", "target.metric"):
        choose(c, key, ("", *valid))
    for key in ("batch_size", "horizon", "ensemble.members"):
        require(c, key, 1)
    for key in ("hidden", "layers", "length", "horizon", "patch"):
        require(c, f"model.{key}", 1)
    zero = ("data.rows", "data.valid", "data.test", "data.skip_last", "model.embed")
    for key in (*zero, "ensemble.recent"):
        require(c, key, 0)
    for key in ("model.dropout", "model.dropout_out", "ensemble.holdout"):
        require(c, key, 0, 0.9)
    if c.model.length % c.model.patch:
        raise UserError(
            f"--config.model.patch={c.model.patch}: must divide --config.model.length={c.model.length}"
        )
    if not all(isinstance(lag, int) and lag > 0 for lag in c.data.difference):
        raise UserError(
            f"--config.data.difference={c.data.difference}: lags of at least 1, such as '(1, 12)', or "
            "'()' for none"
        )
    if c.model.stateful and c.batch_size != 1:
        raise UserError(
            f"--config.batch_size={c.batch_size}: must be 1 with --config.model.stateful"
        )
    e = c.ensemble
    for lags in e.differences:
        several = isinstance(lags, tuple | list)
        if not several or not all(isinstance(lag, int) and lag > 0 for lag in lags):
            raise UserError(
                f"--config.ensemble.differences={e.differences}: each lags of at least 1, such as "
                "'((12,), (1, 12))'"
            )
    if e.lengths and (max(e.lengths) != c.model.length or min(e.lengths) < 1):
        raise UserError(
            f"--config.ensemble.lengths={e.lengths}: at least 1 each, and the longest must be "
            f"--config.model.length={c.model.length}"
        )
    views = max(len(e.differences), len(e.lengths), 1)
    if views > 1 and (e.members % views or c.model.stateful):
        raise UserError(
            f"--config.ensemble.members={e.members}: must be a multiple of the {views} views that "
            "members take in turn, and not stateful"
        )
    if c.ensemble.holdout and c.ensemble.members < 2:
        raise UserError(
            f"--config.ensemble.holdout={c.ensemble.holdout}: needs --config.ensemble.members of 2 or more"
        )
    if c.best.metric.startswith("valid_") and not c.data.valid:
        raise UserError(
            "--config.data.valid=0: no validation part to choose by; add --config.best.metric="
        )


def check_lengths(config: ConfigDict, table: Table, views: list[View]) -> None:
    """Raises UserError, with the numbers, for a series that is too short for one window."""
    c, view = config, max(views, key=lambda view: view.need)
    frame, lags = view.frame, len(view.frame.a)
    need = view.need + c.model.horizon + c.data.skip_last
    for name, n, ends in zip(table.names, frame.lengths, frame.ends, strict=True):
        lags_text = f" + {lags} of differencing" if lags else ""
        if ends[0] < need:
            raise UserError(
                f"series {name!r} has {n} rows, of which {max(0, ends[0])} are for training; input "
                f"{view.length} + horizon {c.model.horizon}{lags_text} needs {need}: use a longer "
                "series, or smaller --config.model.length, --config.model.horizon, --config.data.test"
            )
        for split, rows in (("valid", ends[1] - ends[0]), ("test", ends[2] - ends[1])):
            if c.data[split] and rows < c.model.horizon:
                raise UserError(
                    f"series {name!r}: its {split} part has {rows} rows, fewer than the horizon "
                    f"{c.model.horizon}: set --config.data.{split} higher, or to 0 for none"
                )


def check_input(trained: Table, table: Table, need: int, horizon: int) -> None:
    """Raises UserError where newer data is not of the same series, or too short, or lacks its plans."""
    if table.names != trained.names:
        lost = [n for n in trained.names if n not in table.names]
        why = f"{_list(lost)} is missing" if lost else "there are others, or in another order"
        raise UserError(
            f"the input has the series {_list(table.names)}; this model forecasts "
            f"{_list(trained.names)}: {why}"
        )
    if table.frequency != trained.frequency:
        raise UserError(
            f"the input is by {table.frequency.name}; this model forecasts by {trained.frequency.name}"
        )
    for name, values, known in zip(table.names, table.values, table.known, strict=True):
        if len(values) < need:
            raise UserError(
                f"series {name!r} has {len(values)} rows; the model reads {need} to forecast"
            )
        if table.features and len(known) - len(values) < horizon:
            raise UserError(
                f"series {name!r}: {_list(table.features)} must be known for {horizon} rows after "
                f"the last value; there are {len(known) - len(values)}: add rows with empty values"
            )


def _list(names):
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
