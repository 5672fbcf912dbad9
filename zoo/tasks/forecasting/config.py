"""The keys of a forecasting config, and what they may be."""

from ml_collections import ConfigDict

from zoo.bounds import DEEPEST, MEMBERS, PRECISIONS, WEIGHT, WIDEST
from zoo.config import base, choose, require, shown
from zoo.errors import UserError
from zoo.tasks import Metric

METRICS = {
    "train_rmse": Metric(
        "error one step ahead (RMSE), training part", "that of the series", "lower"
    ),
    "test_rmse": Metric("error one step ahead (RMSE), test part", "that of the series", "lower"),
    "test_rmse_source": Metric(
        "error one step ahead (RMSE), the months that source 003 tests",
        "that of the series",
        "lower",
    ),
    "test_mase_ahead": Metric(
        "mean error of all steps ahead (MASE), test part",
        "1 = repeating the last season, in training",
        "lower",
    ),
    "coverage_80": Metric("test values inside the 80 % interval", "share", "near 0.8"),
    "coverage_95": Metric("test values inside the 95 % interval", "share", "near 0.95"),
    "test_scaled_mse": Metric(
        "mean squared error of all steps ahead, test part",
        "1 = variance of a series in training",
        "lower",
    ),
    "test_scaled_mae": Metric(
        "mean absolute error of all steps ahead, test part",
        "1 = standard deviation of a series in training",
        "lower",
    ),
}


def defaults() -> ConfigDict:
    """The keys of the task, with their defaults, upon those that every config has."""
    c = base()
    c.task = "forecasting"
    c.data = {
        "name": "airline",  # of a series
        "path": "",  # series of yours instead: a CSV file
        "column": "",  # names, comma between; "" for all that are numbers
        "time": "",  # the column of time stamps; '' finds it
        "frequency": "",  # hour, day, week, month, row, …; '' for the most common distance
        "key": "",  # long format: the column that tells the series apart
        "known": "",  # columns that are known in advance
        "missing": "error",  # error, or interpolate: what holes are
        "sort": False,  # rows are put into the order of their times
        "rows": 0,  # the first ones that are used; 0 for all
        "transform": "none",  # none or log
        "difference": (),  # lags whose values are subtracted, such as 1,12
        "scaler": "standard",  # standard, minmax, none
        "scale": "train",  # the part it is of: train, or all, which looks ahead
        "calendar": False,  # month of year, hour of day, … as features
        "valid": 0.0,  # last rows: a fraction, or a number from 1 on
        "test": 0.2,  # the same
        "skip_last": 0,  # last windows of training that are left out
    }
    c.model = {
        "cell": "lstm",  # a name of zoo.cells.CELLS
        "hidden": 32,  # width of a layer
        "layers": 1,  # one upon the other
        "length": 12,  # values that are read
        "horizon": 1,  # steps ahead that are forecast at once
        "patch": 1,  # values that are read at once; a divisor of length
        "stateful": False,  # the state is kept from batch to batch
        "center": "none",  # none, or last: values less the last one that is read
        "linear": False,  # a linear part beside the network
        "embed": 0,  # numbers that each series is known by
        "dropout": 0.0,  # between layers
        "dropout_out": 0.0,  # of the last layer
        "weight_drop": 0.0,  # of the recurrent weights
        "activation": 0.0,  # weight of a penalty on large outputs
        "temporal": 0.0,  # weight of a penalty on outputs that change
        "precision": "float32",  # of the products of a training step: float32 or bfloat16
    }
    c.ensemble = {
        "members": 1,  # networks whose forecasts are joined
        "holdout": 0.0,  # share of the training windows that each member leaves out
        # mean, or stacked: with autoregressions and other candidates, by weights from errors on rows at the
        # end of the training part, on which half of the members do not train
        "combine": "mean",
        # lags that members take in turn, such as ((12,), (1, 12)); () for data.difference
        "differences": (),
        "lengths": (),  # the same of model.length
        "transforms": (),  # the same of data.transform; the forecasts of several are stacked
        "gamma": 0.0,  # how fast intervals follow whether they held what came; 0 for not at all
        "recent": 0,  # errors that make the intervals, the last ones of a series; 0 for all before the test
    }
    c.adapt = False  # what is not given follows from the series
    # what comes after the end is forecast by further members, which train on all rows for as many steps
    c.refit = False
    c.loss = "mse"  # mse, mae, huber
    # steps ahead that are forecast, from every origin of the test part, and by default by zoo.predict
    c.horizon = 12
    c.baselines = "naive"  # naive, or classical: autoregression, Holt-Winters and SARIMA too
    return c


def kinds(config: ConfigDict) -> int:
    """How many views of the series there are, which members take in turn."""
    e = config.ensemble
    return max(len(e.differences), len(e.lengths), len(e.transforms), 1)


def check(config: ConfigDict) -> None:
    """Raises UserError for a model or data key out of range."""
    from zoo.cells import CELLS  # not for --help
    from zoo.tasks.forecasting.losses import ERRORS

    c = config
    choose(c, "model.cell", CELLS)
    choose(c, "model.precision", PRECISIONS)
    choose(c, "loss", ERRORS)
    choose(c, "model.center", ("none", "last"))
    choose(c, "data.transform", ("none", "log"))
    choose(c, "data.scaler", ("standard", "minmax", "none"))
    choose(c, "data.scale", ("train", "all"))
    choose(c, "data.missing", ("error", "interpolate"))
    choose(c, "baselines", ("naive", "classical"))
    choose(c, "ensemble.combine", ("mean", "stacked"))
    valid = [f"valid_{name}" for name in ("loss", "rmse", "mae", "mase", "smape")]
    for key in ("best.metric", "target.metric"):
        choose(c, key, ("", *valid))
    require(c, "batch_size", 1)
    require(c, "ensemble.members", 1, MEMBERS)
    for key in ("horizon", "model.length", "model.horizon", "model.patch"):
        require(c, key, 1, 1_000_000)
    require(c, "model.hidden", 1, WIDEST)
    require(c, "model.layers", 1, DEEPEST)
    require(c, "model.embed", 0, WIDEST)
    for key in ("data.rows", "data.valid", "data.test", "data.skip_last", "ensemble.recent"):
        require(c, key, 0)
    require(c, "ensemble.gamma", 0, 1)
    for key in ("model.activation", "model.temporal"):
        require(c, key, 0, WEIGHT)
    for key in ("model.dropout", "model.dropout_out", "model.weight_drop", "ensemble.holdout"):
        require(c, key, 0, 0.9)
    if c.model.length % c.model.patch:
        raise UserError(
            f"--config.model.patch={c.model.patch}: must divide --config.model.length={c.model.length}"
        )
    if not _lags(c.data.difference):
        raise UserError(
            f"--config.data.difference={shown(c.data.difference)}: lags of at least 1, such as 1,12, or ()"
        )
    if c.model.stateful and c.batch_size != 1:
        raise UserError(
            f"--config.batch_size={c.batch_size}: must be 1 with --config.model.stateful"
        )
    e = c.ensemble
    if not all(isinstance(lags, tuple | list) and _lags(lags) for lags in e.differences):
        raise UserError(
            f"--config.ensemble.differences={shown(e.differences)}: each lags of at least 1, such as "
            "'((12,), (1, 12))'"
        )
    if e.lengths and (not _lags(e.lengths) or max(e.lengths) != c.model.length):
        raise UserError(
            f"--config.ensemble.lengths={shown(e.lengths)}: at least 1 each, and the longest must be "
            f"--config.model.length={c.model.length}"
        )
    for transform in e.transforms:
        if transform not in ("none", "log"):
            raise UserError(
                f"--config.ensemble.transforms={shown(e.transforms)}: each must be none or log"
            )
    if len(set(e.transforms)) > 1 and e.combine != "stacked":
        raise UserError(
            f"--config.ensemble.transforms={shown(e.transforms)}: need --config.ensemble.combine=stacked"
        )
    if c.refit and c.model.stateful:
        raise UserError("--config.refit=True: not with --config.model.stateful")
    views = kinds(c)
    if views > 1 and (e.members % views or c.model.stateful):
        raise UserError(
            f"--config.ensemble.members={e.members}: must be a multiple of the {views} views that "
            "members take in turn, and not stateful"
        )
    if e.combine == "stacked" and (e.members < 2 * views or c.model.stateful):
        raise UserError(
            f"--config.ensemble.combine=stacked: needs two members or more of each of {views} view(s), "
            f"not {e.members} in all, and a model that is not stateful"
        )
    if c.ensemble.holdout and c.ensemble.members < 2:
        raise UserError(
            f"--config.ensemble.holdout={c.ensemble.holdout}: needs --config.ensemble.members of 2 or more"
        )
    if c.best.metric.startswith("valid_") and not c.data.valid:
        raise UserError(
            "--config.data.valid=0: no validation part to choose by; add --config.best.metric="
        )


def _lags(numbers):
    return all(isinstance(number, int) and 0 < number < 1_000_000 for number in numbers)
