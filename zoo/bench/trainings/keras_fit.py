"""Keras 3: the same layers and optimizer in ``model.fit``.

What Keras cannot express is left out, to its advantage: dropout on recurrent matrices, and on JAX a state
that is kept from batch to batch.
"""

import keras
import numpy as np

from zoo.bench.trainings import workload
from zoo.bench.worker import Run


def prepare(file, precision="float32"):
    if precision != "float32":
        keras.config.set_dtype_policy(f"mixed_{precision}")
    work = workload.read(file)
    make = {"text": _text, "windows": _windows, "series": _series}[work.sizes["kind"]]
    members = [make(work, i) for i in range(work.sizes["members"])]
    theirs = sum(model.count_params() for model, *_ in members)
    if theirs != work.parameters():
        raise ValueError(f"{theirs:,} parameters, ours are {work.parameters():,}")

    def steps(n):
        for model, batches, *_ in members:
            xs, ys, size = batches(n)
            model.fit(xs, ys, batch_size=size, shuffle=False, verbose=0)

    def loss():
        return np.array([check() for *_, check in members])

    first = Run(loss, lambda losses: {"loss": losses})
    return {"loss": first, "steps": Run(lambda: steps(1), many=steps)}


def _text(work, i):
    sizes, m, p = work.sizes, work.sizes["model"], work.member(i)
    V, T, B = sizes["vocab"], sizes["window"], sizes["batch"]
    inputs = xs = keras.Input((T,), batch_size=B, dtype="int32")
    if m["embed"]:
        xs = keras.layers.Embedding(V, m["embed"])(xs)
    else:
        xs = keras.layers.Lambda(lambda t: keras.ops.one_hot(t, V), output_shape=(T, V))(xs)
    rates = [m["dropout_in"]] + [m["dropout"]] * (m["layers"] - 1) + [m["dropout_out"]]
    for rate in rates[:-1]:
        xs = _locked(rate, xs)
        xs = keras.layers.LSTM(m["hidden"], return_sequences=True)(xs)
    model = keras.Model(inputs, keras.layers.Dense(V, dtype="float32")(_locked(rates[-1], xs)))
    weights = [p["embedding"]] if m["embed"] else []
    weights += [p[f"layer_{n}.{name}"] for n in range(m["layers"]) for name in ("w_x", "w_h", "b")]
    model.set_weights([*weights, p["kernel"], p["bias"]])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(_optimizer(sizes), loss)
    rows = _rows(sizes, work.data["tokens"][i])

    def batches(n):
        some = np.resize(rows, (n * B, rows.shape[1]))
        return some[:, :-1], some[:, 1:], B

    def check():
        batch = work.data["batch"][i]
        logits = np.asarray(model(batch[:, :-1], training=False), np.float64)
        chosen = np.take_along_axis(logits, batch[:, 1:, None], axis=-1)[..., 0]
        return float(np.mean(np.log(np.exp(logits).sum(axis=-1)) - chosen))

    return model, batches, check


def _windows(work, i):
    sizes, m, p = work.sizes, work.sizes["model"], work.member(i)
    V, T, B, every = sizes["vocab"], sizes["window"], sizes["batch"], sizes["targets"] == "all"
    inputs = keras.Input((T,) if m["embed"] else (T, 1), batch_size=B)
    xs = keras.layers.Embedding(V + 1, m["embed"])(inputs) if m["embed"] else inputs
    for n in range(m["layers"]):
        xs = _locked(m["dropout"], xs) if n else xs
        more = every or n < m["layers"] - 1
        xs = keras.layers.LSTM(m["hidden"], return_sequences=more)(xs)
    if m["dropout_out"]:
        xs = (_locked if every else _dropped)(m["dropout_out"], xs)
    model = keras.Model(inputs, keras.layers.Dense(V, dtype="float32")(xs))
    weights = [p["embedding"]] if m["embed"] else []
    weights += [p[f"layer_{n}.{name}"] for n in range(m["layers"]) for name in ("w_x", "w_h", "b")]
    model.set_weights([*weights, p["kernel"], p["bias"]])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(_optimizer(sizes), loss)
    rows = np.lib.stride_tricks.sliding_window_view(work.data["tokens"][i], T + 1)

    def read(rows):
        xs = rows[:, :-1] if m["embed"] else (rows[:, :-1, None] / V).astype(np.float32)
        return xs, rows[:, 1:] if every else rows[:, -1]

    def batches(n):
        return *read(rows[np.arange(n * B) % len(rows)]), B

    def check():
        xs, ys = read(work.data["batch"][i])
        logits = keras.ops.convert_to_numpy(model(xs, training=False)).astype(np.float64)
        chosen = np.take_along_axis(logits, ys[..., None], axis=-1)[..., 0]
        return float(np.mean(np.log(np.exp(logits).sum(axis=-1)) - chosen))

    return model, batches, check


def _dropped(rate, xs):
    return keras.layers.Dropout(rate)(xs)


def _locked(rate, xs):
    return keras.layers.SpatialDropout1D(rate)(xs) if rate else xs


def _rows(sizes, tokens):
    """Windows (n, T + 1), as many as there are."""
    T = sizes["window"]
    if sizes["reading"] == "drawn":
        rows = tokens[: len(tokens) // T * T].reshape(-1, T)
        return np.pad(rows, [(0, 0), (1, 0)], constant_values=sizes["start"])
    return np.lib.stride_tricks.sliding_window_view(tokens, T + 1)[::T]


def _series(work, i):
    sizes, m, p = work.sizes, work.sizes["model"], work.member(i)
    windows, targets = work.data["windows"], work.data["targets"]
    model = keras.Sequential([keras.Input(batch_shape=(1, *windows.shape[1:]))])
    for n in range(m["layers"]):
        more = n < m["layers"] - 1
        model.add(keras.layers.LSTM(m["hidden"], stateful=m["stateful"], return_sequences=more))
    model.add(keras.layers.Dense(1, dtype="float32"))
    weights = [p[f"layer_{n}.{name}"] for n in range(m["layers"]) for name in ("w_x", "w_h", "b")]
    model.set_weights([*weights, p["kernel"], p["bias"]])
    model.compile(_optimizer(sizes), "mean_squared_error")

    def batches(n):
        at = np.arange(n) % len(targets)
        return windows[at], targets[at], 1

    def check():
        return float((np.asarray(model(windows[:1], training=False))[0, 0] - targets[0]) ** 2)

    return model, batches, check


def _optimizer(sizes):
    o, steps = sizes["optimizer"], sizes["steps"]
    rate = o["learning_rate"]
    if o["schedule"] == "cosine":
        warm = min(o["warmup_steps"], steps)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, steps - warm, o["final_fraction"], warmup_target=rate, warmup_steps=warm
        )
    clip = {"global_clipnorm": o["clip_norm"]} if o["clip_norm"] else {}
    if o["name"] == "rmsprop":
        return keras.optimizers.RMSprop(rate, rho=0.9, epsilon=1e-7, **clip)
    betas = {"beta_1": o["b1"], "beta_2": o["b2"]}
    if o["name"] == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=o["weight_decay"], **betas, **clip)
    return keras.optimizers.Adam(rate, **betas, **clip)
