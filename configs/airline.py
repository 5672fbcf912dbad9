"""The airline passengers 1949-1960, one month ahead (source 003).

The figures are embedded; nothing is downloaded. Each command is followed by the time that it takes on
2 CPU cores and by the error to expect, one month ahead, in thousands of passengers (RMSE, mean of five
seeds, of the last two of thirty): of ``best`` test_rmse, of the others test_rmse_source.

    python train.py --config=configs/airline.py               3 s  13.87  32 members of two kinds
    python train.py --config=configs/airline.py:regression    1 s  49.0   the source's five, by its own
    python train.py --config=configs/airline.py:window        1 s  60     protocol
    python train.py --config=configs/airline.py:timesteps     1 s  59
    python train.py --config=configs/airline.py:stateful      2 s  63     median 59, quartiles 54 and 69
    python train.py --config=configs/airline.py:stacked       4 s  82     median 74, quartiles 60 and 91

How settings were chosen, and how often the test months were seen: docs/choices.md.
"""

from zoo.tasks.forecasting.config import defaults

VARIANTS = ("best", "regression", "window", "timesteps", "stateful", "stacked")

# What each is, and the better one of the figure of the source (test_rmse_source) and of the mean of 30
# seeds of the same protocol in PyTorch (tests/peers/airline.py), with whose it is. Keras has none for the
# last two: on JAX it keeps no state, on PyTorch it cannot train where it does.
SOURCE = {
    "regression": ("LSTM of 4, look back 1", 49.35, "source 003 (PyTorch: 52.3)"),
    "window": ("3 past values as features", 64.4, "PyTorch (source 003: 70.48)"),
    "timesteps": ("3 past values as steps", 60.98, "source 003 (PyTorch: 61.5)"),
    "stateful": ("state kept between batches", 49.55, "source 003 (PyTorch: 58.6)"),
    "stacked": ("two stateful layers", 55.99, "source 003 (PyTorch: 65.7)"),
}


def get_config(variant="best"):
    c = defaults()
    c.name, c.variant = "airline", variant
    c.data.update({"name": "airline", "test": 48.0})
    c.horizon, c.baselines = 12, "classical"
    if variant == "best":
        c.about = "one month ahead, and twelve"
        c.results = (
            ("test_rmse", "sarima_rmse", "SARIMA"),
            ("test_mase_ahead", "log_ar_mase_ahead", "least-squares autoregression on logs"),
            ("coverage_80", None, ""),
            ("coverage_95", None, ""),
        )
        c.data.update({"transform": "log", "difference": (12,)})
        c.model.update({"length": 13, "hidden": 16, "linear": True, "dropout_out": 0.2})
        c.ensemble.update({"members": 32, "holdout": 0.2, "recent": 24})
        c.ensemble.update({"differences": ((12,), (1, 12)), "lengths": (2, 13)})
        c.batch_size, c.epochs, c.eval_epochs, c.log_every = 16, 100.0, 100.0, 50
        c.optimizer.update({"learning_rate": 3e-3, "clip_norm": 0.0, "schedule": "cosine"})
        c.optimizer.weight_decay = 1.0
        return c
    about, other, whose = SOURCE[variant]
    c.about = f"source 003: {about}"
    c.results = (
        ("test_rmse_source", other, whose),
        ("test_rmse", "sarima_rmse", "SARIMA"),
    )
    c.data.update({"scaler": "minmax", "scale": "all", "skip_last": 1})
    length = 1 if variant == "regression" else 3
    patch = 3 if variant == "window" else 1
    c.model.update({"cell": "lstm_keras", "hidden": 4, "length": length, "patch": patch})
    c.model.stateful = variant in ("stateful", "stacked")
    c.model.layers = 2 if variant == "stacked" else 1
    c.batch_size, c.epochs, c.eval_epochs, c.log_every = 1, 100.0, 100.0, 940
    c.optimizer.update({"name": "adam", "learning_rate": 1e-3, "clip_norm": 0.0})
    return c
