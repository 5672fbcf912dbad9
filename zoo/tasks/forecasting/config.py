"""The keys of a forecasting config, and what they may be."""

from ml_collections import ConfigDict

from zoo.config import MOST_LAYERS, base, choose, require
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
        "name": "airline",
        "path": "",
        "column": "",  # names, comma between; "" for all that are numbers
        "time": "",
        "frequency": "",
        "key": "",  # long format: the column that tells the series apart
        "known": "",  # columns that are known in advance
        "missing": "error",  # or interpolate
        "sort": False,  # rows are put into the order of their times
        "rows": 0,  # the first ones that are used; 0 for all
        "transform": "none",  # or log
        "difference": (),
        "scaler": "standard",  # or minmax, none
        "scale": "train",  # or all, which looks ahead
        "calendar": False,  # month of year, hour of day, … as features
        "valid": 0.0,  # last rows: a fraction, or a number from 1 on
        "test": 0.2,
        "skip_last": 0,
    }
    c.model = {
        "cell": "lstm",
        "hidden": 32,
        "layers": 1,
        "length": 12,
        "horizon": 1,
        "patch": 1,
        "stateful": False,
        "center": "none",
        "linear": False,
        "embed": 0,
        "dropout": 0.0,
        "dropout_out": 0.0,
        "weight_drop": 0.0,
        "activation": 0.0,
        "temporal": 0.0,
    }
    c.ensemble = {
        "members": 1,
        "holdout": 0.0,
        # mean, or stacked: the views, and a linear autoregression, with weights by their errors on what
        # they had not seen. Of n members of a view each then leaves an n-th out, whatever the holdout.
        "combine": "mean",
        # What members take in turn, such as ((12,), (1, 12)); () for data.difference, model.length,
        # data.transform. Of several transforms the forecasts are stacked.
        "differences": (),
        "lengths": (),
        "transforms": (),
        "gamma": 0.0,  # how fast their level follows whether they held what came; 0 for not at all
        "recent": 0,  # errors that make the intervals, the last ones of a series; 0 for all before the test
    }
    c.adapt = False  # what is not given follows from the series
    # What comes after the end is forecast by further members, which train on all rows for as many steps.
    c.refit = False
    c.loss = "mse"
    # Steps ahead that are forecast, from every origin of the test part, and by default by zoo.predict.
    c.horizon = 12
    c.baselines = "naive"  # or classical: autoregression, Holt-Winters and SARIMA too
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
    for key in ("batch_size", "horizon", "ensemble.members"):
        require(c, key, 1)
    for key in ("hidden", "length", "horizon", "patch"):
        require(c, f"model.{key}", 1)
    require(c, "model.layers", 1, MOST_LAYERS)
    zero = ("data.rows", "data.valid", "data.test", "data.skip_last", "model.embed")
    for key in (*zero, "ensemble.recent"):
        require(c, key, 0)
    require(c, "ensemble.gamma", 0, 1)
    for key in ("model.activation", "model.temporal"):
        require(c, key, 0)
    for key in ("model.dropout", "model.dropout_out", "model.weight_drop", "ensemble.holdout"):
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
    for transform in e.transforms:
        if transform not in ("none", "log"):
            raise UserError(f"--config.ensemble.transforms={e.transforms}: each none or log")
    if len(set(e.transforms)) > 1 and e.combine != "stacked":
        raise UserError(
            f"--config.ensemble.transforms={e.transforms}: several need --config.ensemble.combine=stacked"
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
