"""Forecasts of your own series, from a CSV file.

    python train.py --config=configs/forecast.py --config.data.path=my.csv --run=runs/mine
    python -m zoo.predict --run=runs/mine --horizon=24

A file has a header line; a column of time stamps is found, every column of numbers is a series, and all
are forecast by the same candidates: networks of several kinds, two autoregressions, exponential smoothing
and the Theta method, weighed by their errors at the end of the training part. --config.data.column, .time,
.frequency, .key (long format) and .known (features known in advance) say otherwise; --config.horizon is how
far ahead, --config.model.length how much of the past is read. The last fifth is the test part. Without a
path it forecasts the airline passengers.

ETTh1, hourly, 12 months to train, 4 to validate, 4 to test. Each command is followed by the time that it
takes on 2 CPU cores and by the error to expect (test_scaled_mse: mean squared error of all hours ahead,
in units of each channel's variance in training):

    python train.py --config=configs/forecast.py:ett                   43 s  0.376   7 channels, 96 hours
    python train.py --config=configs/forecast.py:ett_336               41 s  0.471   7 channels, 336 hours
    python train.py --config=configs/forecast.py:ett_univariate        8 s   0.0554  oil alone, 96 hours
    python train.py --config=configs/forecast.py:ett_univariate_336    13 s  0.0849  oil alone, 336 hours

How settings were chosen: docs/choices.md.
"""

from zoo.tasks.forecasting.config import defaults

VARIANTS = ("own", "ett", "ett_336", "ett_univariate", "ett_univariate_336")


def get_config(variant="own"):
    c = defaults()
    c.name, c.variant = "forecast", variant
    c.best.metric = "valid_loss"
    if variant == "own":
        c.adapt, c.refit, c.baselines, c.best.metric = True, True, "classical", ""
        c.data.update({"test": 0.2, "calendar": True})
        c.model.update({"hidden": 16, "linear": True, "dropout_out": 0.2})
        c.ensemble.update({"members": 8, "combine": "stacked", "recent": 50, "gamma": 0.08})
        c.batch_size, c.epochs, c.eval_epochs, c.log_every = 32, 100.0, 100.0, 100
        c.optimizer.update({"learning_rate": 3e-3, "clip_norm": 0.0, "schedule": "cosine"})
        c.optimizer.weight_decay = 1.0
        return c
    horizon = 336 if variant.endswith("336") else 96
    channels = "its oil temperature alone" if "univariate" in variant else "all seven channels"
    c.about = f"ETTh1, {channels}, {horizon} hours ahead"
    rival = "persistence" if variant == "ett_univariate" else "seasonal_naive"
    c.results = tuple(
        (metric, metric.replace("test", rival), rival.replace("_", " "))
        for metric in ("test_scaled_mse", "test_scaled_mae")
    )
    if variant == "ett":
        c.results = (("test_scaled_mse", 0.386, "DLinear"), ("test_scaled_mae", 0.4, "DLinear"))
    c.data.update({"name": "etth1", "rows": 14400, "valid": 2880.0, "test": 2880.0})
    c.data.column = "OT" if "univariate" in variant else ""
    c.horizon = c.model.horizon = horizon
    c.model.update({"length": 96, "patch": 24, "hidden": 128, "center": "last", "linear": True})
    c.model.update({"dropout_out": 0.3})
    c.batch_size, c.epochs, c.eval_epochs, c.log_every, c.patience = 256, 10.0, 0.5, 100, 6
    c.optimizer.update({"learning_rate": 1e-3, "schedule": "cosine"})
    return c
