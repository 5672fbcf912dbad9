"""The source's five airline systems in PyTorch or Keras, to hold ours against.

    python tests/peers/airline.py --peer=torch --variant=regression --seeds=5
    KERAS_BACKEND=jax python tests/peers/airline.py --peer=keras --variant=window --seeds=5

Of the stateful and the stacked one Keras 3.15 gives no figures without TensorFlow: on JAX it keeps no state
in ``fit`` and ``predict``, whatever ``stateful`` says, and on PyTorch ``fit`` fails, since the state is
overwritten before the gradient is made. ``--initial=keras`` is PyTorch from Keras's initial values.

Not a test: it needs the peer, which this project does not. The protocol is Brownlee's (2016), which
source 003 follows: min-max scaling over all 144 months, 96 to train, windows of one part alone, the
last month of each left out, LSTM of 4, MSE, Adam, batch 1, 100 epochs. One JSON line a seed, then the mean,
the standard deviation, the median and the quartiles.
"""

import argparse
import json
import statistics
import time

import numpy as np

from zoo.data.series.airline import PASSENGERS

UNITS, EPOCHS = 4, 100


def windows(part, look_back):
    """Inputs (n, look_back) and targets (n,), n = len(part) - look_back - 1."""
    starts = range(len(part) - look_back - 1)
    inputs = np.stack([part[i : i + look_back] for i in starts])
    return inputs.astype(np.float32), part[look_back:-1].astype(np.float32)


def data(variant):
    """((inputs (n, T, D), targets (n,)) of the training and the test part, and the way back."""
    values = np.array(PASSENGERS, np.float64)
    low, high = values.min(), values.max()
    scaled = (values - low) / (high - low)
    look_back = 1 if variant == "regression" else 3
    parts = []
    for part in (scaled[:96], scaled[96:]):
        inputs, targets = windows(part, look_back)
        one_step = variant in ("regression", "window")
        parts.append((inputs[:, None] if one_step else inputs[..., None], targets))
    return *parts, lambda u: u * (high - low) + low


def keras(variant, seed, train, test):
    """Forecasts (train, test), seconds of training."""
    import keras as k

    k.utils.set_random_seed(seed)
    stateful, layers = variant in ("stateful", "stacked"), 2 if variant == "stacked" else 1
    shape = (1, *train[0].shape[1:])
    model = k.Sequential([k.Input(batch_shape=shape)])
    for i in range(layers):
        model.add(k.layers.LSTM(UNITS, stateful=stateful, return_sequences=i < layers - 1))
    model.add(k.layers.Dense(1))
    model.compile(loss="mean_squared_error", optimizer="adam")
    if stateful and k.config.backend() != "tensorflow":
        raise SystemExit(
            f"Keras {k.__version__} on {k.config.backend()} trains no LSTM that keeps its state"
        )
    lstms = model.layers[:layers]

    def reset():
        if stateful:
            for layer in lstms:
                layer.reset_states()

    clock = time.perf_counter()
    for _ in range(EPOCHS if stateful else 1):
        epochs = 1 if stateful else EPOCHS
        model.fit(*train, epochs=epochs, batch_size=1, verbose=0, shuffle=not stateful)
        reset()
    seconds = time.perf_counter() - clock
    forecasts = []
    for inputs, _ in (train, test):
        reset()
        forecasts.append(model.predict(inputs, batch_size=1, verbose=0)[:, 0])
    return *forecasts, seconds


def torch(variant, seed, train, test, initial="torch"):
    """Forecasts (train, test), seconds of training, from the initial values of "torch" or "keras"."""
    import torch as t

    t.manual_seed(seed)
    t.set_num_threads(1)
    stateful, layers = variant in ("stateful", "stacked"), 2 if variant == "stacked" else 1
    lstm = t.nn.LSTM(train[0].shape[2], UNITS, layers, batch_first=True)
    head = t.nn.Linear(UNITS, 1)
    if initial == "keras":
        for name, p in [*lstm.named_parameters(), *head.named_parameters()]:
            if "weight" in name:  # (4 units, inputs): fans are those of the kernel of all gates
                (t.nn.init.orthogonal_ if "_hh_" in name else t.nn.init.xavier_uniform_)(p)
            else:
                t.nn.init.zeros_(p)
                p.requires_grad = "bias_hh" not in name  # Keras has one
        with t.no_grad():
            for i in range(layers):
                getattr(lstm, f"bias_ih_l{i}")[UNITS : 2 * UNITS] = 1  # of the forget gate
    trained = [p for p in (*lstm.parameters(), *head.parameters()) if p.requires_grad]
    optimizer = t.optim.Adam(trained)
    inputs, targets = t.tensor(train[0]), t.tensor(train[1])

    def read(x, state):
        ys, state = lstm(x[None], state)
        return head(ys[:, -1])[0, 0], tuple(s.detach() for s in state) if stateful else None

    clock = time.perf_counter()
    for _ in range(EPOCHS):
        state = None
        order = range(len(targets)) if stateful else t.randperm(len(targets)).tolist()
        for i in order:
            forecast, state = read(inputs[i], state)
            optimizer.zero_grad()
            (forecast - targets[i]).square().backward()
            optimizer.step()
    seconds = time.perf_counter() - clock
    forecasts = []
    with t.no_grad():
        for xs in (train[0], test[0]):
            state, rows = None, []
            for x in t.tensor(xs):
                forecast, state = read(x, state)
                rows.append(float(forecast))
            forecasts.append(np.array(rows))
    return *forecasts, seconds


def main():
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--peer", choices=("torch", "keras"), required=True)
    variants = ("regression", "window", "timesteps", "stateful", "stacked")
    flags.add_argument("--variant", choices=variants, required=True)
    flags.add_argument("--seeds", type=int, default=1)
    flags.add_argument("--initial", choices=("torch", "keras"), default="torch")
    given = flags.parse_args()
    train, test, back = data(given.variant)
    rows = []
    for seed in range(given.seeds):
        more = {"initial": given.initial} if given.peer == "torch" else {}
        train_with = {"torch": torch, "keras": keras}[given.peer]
        *forecasts, seconds = train_with(given.variant, seed, train, test, **more)
        errors = [
            float(np.sqrt(np.mean((back(f) - back(part[1])) ** 2)))
            for f, part in zip(forecasts, (train, test), strict=True)
        ]
        steps = EPOCHS * len(train[1])
        rows.append({"train_rmse": errors[0], "test_rmse_source": errors[1], "seconds": seconds})
        print(json.dumps({"seed": seed, "steps": steps, **rows[-1]}), flush=True)
    for key in rows[0]:
        values = [r[key] for r in rows]
        sd = statistics.stdev(values) if len(values) > 1 else 0.0
        low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
        print(
            f"{key}: mean {statistics.fmean(values):.2f}, sd {sd:.2f}, median {middle:.2f} "
            f"({low:.2f} to {high:.2f}), min {min(values):.2f}"
        )


if __name__ == "__main__":
    main()
