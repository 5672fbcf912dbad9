"""The losses, gradients and metrics in use, at the sizes of the configs, against NumPy in float64.

Small sizes show wrong formulas; these show a compiler that computes wrong numbers at some sizes.
"""

import math
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import languages
import numpy as np
import optax
import pytest
from backprop import Forecast, Language, log_softmax
from reference import assert_trees_close, numpy64

from zoo import config as configs
from zoo import tasks
from zoo.models import LanguageModel, cross_entropy
from zoo.tasks import labels
from zoo.tasks.forecasting import scores
from zoo.tasks.forecasting.losses import ERRORS
from zoo.tasks.language_detection import likelihood
from zoo.tasks.language_model import evaluation

pytestmark = pytest.mark.optimised
CONFIGS = Path(__file__).parent.parent / "configs"
# Where XLA cuts work into pieces it may err on the last one: 2**15 and its neighbours, and 2**16.
ROWS = (32_767, 32_768, 32_769, 32_770, 65_537)
# Sizes that take long to compile, too.
needs_data = pytest.mark.skipif("ZOO_DATA" not in os.environ, reason="needs the real data")


def load(name):
    """A config whose masks are off: they would be drawn by JAX."""
    c = configs.load(str(CONFIGS / name))
    c.mesh.data = 1
    for key in ("dropout", "dropout_in", "dropout_out", "weight_drop"):
        if key in c.model:
            c.model[key] = 0.0
    return c


def value_and_gradient(task, params, carry, batch):
    """The loss of a batch, and its gradient, compiled as in training."""

    def mean(params):
        loss = task.loss(params, carry, batch, jax.random.key(0))[0]["loss"]
        return loss.total / loss.weight

    value, grads = jax.jit(jax.value_and_grad(mean))(params)
    return float(value), grads["params"]


def random_params(task, seed=0):
    """Parameters of the model's shapes, none of them zero, as a float32 tree and in float64."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(task.init, jax.random.key(0))

    def draw(a):
        return rng.normal(0, 1 / math.sqrt(a.shape[0]), a.shape).astype(np.float32)

    params = jax.tree.map(draw, shapes)
    return params, numpy64(params)["params"]


@pytest.mark.parametrize("rows", ROWS)
def test_a_product_then_cross_entropies_then_their_sum(rows):
    rng = np.random.default_rng(rows)
    xs, w = (rng.normal(size=s).astype(np.float32) for s in ((rows, 8), (8, 31)))
    labels = rng.integers(31, size=rows)

    def total(w):
        nats = cross_entropy(xs @ w, labels)
        return jnp.sum(nats), nats

    (got, each), d_w = jax.jit(jax.value_and_grad(total, has_aux=True))(w)
    log_p = log_softmax(xs.astype(float) @ w.astype(float))
    want = -log_p[np.arange(rows), labels]
    np.testing.assert_allclose(each, want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got, want.sum(), rtol=1e-5)
    d_logits = np.exp(log_p)
    d_logits[np.arange(rows), labels] -= 1
    assert_trees_close(d_w, xs.T.astype(float) @ d_logits, rtol=1e-4)


@pytest.mark.parametrize("rows", ROWS)
def test_a_product_then_errors_then_their_means(rows):
    rng = np.random.default_rng(rows)
    xs, w, ys = (rng.normal(size=s).astype(np.float32) for s in ((rows, 3), (3, 4), (rows, 4)))

    def each(w):
        return {name: jnp.mean(measure(xs @ w - ys), axis=1) for name, measure in ERRORS.items()}

    got = jax.jit(lambda w: (each(w), jax.tree.map(jnp.sum, each(w))))(w)
    errors = np.abs(xs.astype(float) @ w.astype(float) - ys)
    want = {"mse": errors**2, "mae": errors}
    want["huber"] = np.where(errors < 1, errors**2 / 2, errors - 0.5)
    want = {name: a.mean(axis=1) for name, a in want.items()}
    for name, a in want.items():
        np.testing.assert_allclose(got[0][name], a, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(got[1][name], a.sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "vocab"),
    [("char_lm.py:docs", 103), pytest.param("char_lm.py:shakespeare", 66, marks=needs_data)],
)
def test_loss_and_gradient_of_a_language_model(name, vocab):
    c = load(name)
    task = tasks.make(c)
    task.model = task.model.clone(vocab=vocab)
    params, wide = random_params(task)
    rng = np.random.default_rng(1)
    tokens = rng.integers(vocab, size=(c.batch_size, c.data.window + 1))
    carry = jax.tree.map(lambda a: rng.normal(0, 0.3, a.shape).astype(np.float32), task.carry())
    batch = {"tokens": tokens.astype(np.int32), "first": np.False_}
    got, grads = value_and_gradient(task, params, carry, batch)
    model = Language.forward(
        wide, tokens[:, :-1], tokens[:, 1:], carries=[tuple(layer) for layer in numpy64(carry)]
    )
    assert got == pytest.approx(-model.chosen.mean(), rel=1e-6)
    d_chosen = np.full(model.chosen.shape, -1 / model.chosen.size)
    assert_trees_close(grads, model.backward(d_chosen), rtol=1e-4)
    clip = optax.clip_by_global_norm(1e-3)
    clipped, _ = jax.jit(clip.update)(grads, clip.init(grads))
    norm = math.sqrt(sum(np.sum(np.square(g)) for g in jax.tree.leaves(numpy64(grads))))
    assert_trees_close(clipped, jax.tree.map(lambda g: g / norm * 1e-3, numpy64(grads)), rtol=1e-5)


def split_loss(model, wide, tokens, split):
    """The loss on a split from the lanes that the evaluation reads, in float64."""
    total = count = 0.0
    carries = None
    for some in evaluation._lanes(evaluation.past(tokens, split), tokens[split]):
        for inputs, targets, weights in zip(*some, strict=True):
            block = Language.forward(wide, inputs, targets, carries=carries)
            carries = block.stack.carries
            total, count = total - np.sum(block.chosen * weights), count + weights.sum()
    assert count == len(tokens[split])
    return total / count


def test_loss_on_a_whole_split():
    model = LanguageModel(vocab=103, embed=8, hidden=16)
    task = tasks.make(load("char_lm.py:docs"))
    task.model = model
    params, wide = random_params(task)
    rng = np.random.default_rng(0)
    tokens = {"train": rng.integers(103, size=400), "valid": rng.integers(103, size=32_769)}
    got = evaluation.loss(model, params, tokens, "valid")
    assert got == pytest.approx(split_loss(model, wide, tokens, "valid"), rel=1e-6)


@needs_data
@pytest.mark.parametrize("name", ["char_lm.py:alice", "char_lm.py:docs"])
def test_loss_on_the_validation_part_of_a_config(name):
    task = tasks.make(load(name))
    params, wide = random_params(task)
    got = task.evaluate(params, "valid").metrics["valid_loss"]
    tokens = {split: task.data(split) for split in ("train", "valid")}
    assert got == pytest.approx(split_loss(task.model, wide, tokens, "valid"), rel=1e-6)


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """1,200 hours of two random walks."""
    file = tmp_path_factory.mktemp("series") / "walks.csv"
    walks = np.cumsum(np.random.default_rng(0).normal(size=(1200, 2)), axis=0)
    times = np.datetime64("2020-01-01T00") + np.arange(1200)
    lines = [f"{t},{a:.4f},{b:.4f}" for t, (a, b) in zip(times, walks, strict=True)]
    file.write_text("time,a,b\n" + "\n".join(lines).replace("T", " ") + "\n")
    return file


@pytest.fixture
def forecaster(series):
    """(variant) -> a task with the model of configs/forecast.py:VARIANT, over other series."""

    def build(variant):
        c = load(f"forecast.py:{variant}")
        c.data.update({"name": "", "path": str(series), "column": "", "rows": 0})
        c.data.update({"valid": 0.0, "test": 400.0})
        c.best.metric = ""
        return tasks.make(c)

    return build


@pytest.mark.parametrize("variant", ["ett", pytest.param("ett_336", marks=needs_data)])
def test_loss_and_gradient_of_a_forecaster(forecaster, variant):
    task = forecaster(variant)
    params, wide = random_params(task)
    m, size = task.config.model, task.config.batch_size
    origins = np.random.default_rng(0).permutation(len(task.training_origins))[:size]
    order = np.resize(origins, size).astype(np.int32)
    batch = task.gather(task.data("train"), task.indices(jnp.asarray(order), jnp.int32(0), 0))
    got, grads = value_and_gradient(task, params, (), batch)
    window = np.asarray(batch["window"], np.float64)
    model = Forecast.forward(wide, window[:, : m.length], m.patch)
    errors = model.values - window[:, m.length :]
    assert got == pytest.approx(np.mean(errors**2), rel=1e-6)
    assert_trees_close(grads, model.backward(2 * errors / errors.size), rtol=1e-4)


def test_forecasts_from_32769_origins(forecaster):
    task, rows = forecaster("ett"), 32_769
    params, wide = random_params(task)
    m, u = task.config.model, task.frame.u.astype(float)
    origins = task.training_origins[np.arange(rows) % len(task.training_origins)]
    got = task.forecasts(params, origins, m.horizon)[0]
    at = origins[:, 1:] + np.arange(-m.length, 0)
    want = Forecast.forward(wide, u[origins[:, :1], at], m.patch).values
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@needs_data
@pytest.mark.parametrize("name", ["forecast.py:ett_univariate", "forecast.py:ett"])
def test_scores_of_a_forecaster_on_the_test_part(name):
    task = tasks.make(load(name))
    params, wide = random_params(task)
    got = task.backtest(params, "test").scores()
    m, frame = task.config.model, task.frame
    origins, u = task.origins("test"), frame.u.astype(float)
    at = origins[:, 1:] + np.arange(-m.length, 0)
    forecast = Forecast.forward(wide, u[origins[:, :1], at], m.patch).values
    errors = [
        (u[i, t : t + m.horizon] - row).tolist()
        for (i, t), row in zip(origins, forecast, strict=True)
        if t + m.horizon <= frame.ends[i, 2]
    ]
    squares = [e * e for row in errors for e in row]
    sizes = [abs(e) for row in errors for e in row]
    assert got["test_scaled_mse"] == pytest.approx(math.fsum(squares) / len(squares), rel=1e-5)
    assert got["test_scaled_mae"] == pytest.approx(math.fsum(sizes) / len(sizes), rel=1e-5)


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """(variant, languages) -> a task with the model of a config, over made-up languages."""
    folder = tmp_path_factory.mktemp("texts")

    def build(variant, count):
        rng = np.random.default_rng(0)
        letters = "abcdefghijklmnopqrstuvwxyzäöüßéèçøåñ"
        words = {
            f"l{i:02}": ["".join(rng.choice(list(letters), 5)) for _ in range(9)]
            for i in range(count)
        }
        c = load(f"language_detector.py:{variant}")
        c.data.update({"path": str(languages.texts(folder / variant, words)), "languages": ()})
        c.data.update({"test": 0.3, "valid": 0.0, "test_path": "", "min_count": 1})
        c.ensemble.update({"members": 1, "backward": False})
        return tasks.make(c)

    return build


def windows(task):
    """A batch of the task's size, and the labels (K, B) of each window's contenders, as it draws them."""
    order = task.order("train", 0)
    batch = task.gather(task.data("train"), task.indices(order, jnp.int32(0), 0))
    rivals = task._rivals(batch["label"], jax.random.fold_in(jax.random.key(0), 1))
    both = np.concatenate([np.asarray(batch["label"])[None], np.asarray(rivals)])
    return batch, np.asarray(batch["tokens"]), both


@pytest.mark.parametrize(
    ("variant", "count"),
    [
        ("source", 2),
        pytest.param("source_window50", 2, marks=needs_data),
        pytest.param("english_french", 2, marks=needs_data),
        ("world", 27),
    ],
)
def test_loss_and_gradient_of_a_language_detector(detector, variant, count):
    task = detector(variant, count)
    d, shared = task.config.discriminative, task.config.model.shared
    params, wide = random_params(task)
    batch, tokens, contenders = windows(task)
    got, grads = value_and_gradient(task, params, (), batch)
    K, (B, T) = len(contenders), tokens.shape
    targets = np.tile(tokens, (K, 1))
    starts = np.zeros((K * B, 1), int)
    label = contenders.reshape(-1) if shared else None
    model = Language.forward(wide, np.hstack([starts, targets[:, :-1]]), targets, label)
    chosen = model.chosen.reshape(K, B, T)
    among = log_softmax(np.moveaxis(np.cumsum(chosen, axis=2), 0, -1))
    want = -(1 - d) * chosen[0].mean() - d * among[..., 0].mean()
    assert got == pytest.approx(want, rel=1e-6)
    # -d log P(first) / d scores = P - [first]; a score counts in all prefixes that hold it.
    d_among = np.moveaxis(np.exp(among), -1, 0) - (np.arange(K) == 0)[:, None, None]
    d_chosen = d * np.flip(np.cumsum(np.flip(d_among, 2), axis=2), 2)
    d_chosen[0] -= 1 - d
    want = model.backward(d_chosen.reshape(K * B, T) / (B * T))
    assert_trees_close(grads, want, rtol=1e-4)


@pytest.mark.parametrize(
    ("variant", "count"), [("source", 2), pytest.param("world", 27, marks=needs_data)]
)
def test_log_likelihoods_of_many_strings(detector, variant, count):
    task = detector(variant, count)
    members = task.members or 1
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda a: rng.normal(0, 0.3, (members, *a.shape)).astype(np.float32), shapes
    )
    strings = rng.integers(1, task.alphabet.size, (80, 24))
    allowed = np.ones((len(strings), count), bool)
    piece = task._reader(params, 0)
    got = likelihood.score(piece, list(strings), allowed, 0.0, not task.config.model.shared)
    for i in range(count):
        shared = task.config.model.shared
        wide = numpy64(jax.tree.map(lambda a: a[0 if shared else i], params))["params"]  # noqa: B023
        inputs = np.hstack([np.zeros((len(strings), 1), int), strings[:, :-1]])
        label = np.full(len(strings), i) if shared else None
        want = Language.forward(wide, inputs, strings, label).chosen.sum(axis=1)
        whole = np.abs(got[:, i] - got.max(axis=1)) < likelihood.BEHIND  # the others are given up
        np.testing.assert_allclose(got[whole, i], want[whole], rtol=1e-5)


def test_auc_and_scores_of_many_rows_are_those_of_a_count():
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(size=32_769), 2)
    positive = rng.random(len(values)) < 0.4
    true, false = np.sort(values[positive]), np.sort(values[~positive])
    wins = np.searchsorted(false, true, "left").sum() + np.searchsorted(false, true, "right").sum()
    assert labels.auc(values, positive) == pytest.approx(wins / 2 / len(true) / len(false), 1e-12)
    actual, forecast = rng.normal(size=(2, 32_769))
    squares = math.fsum((a - f) ** 2 for a, f in zip(actual, forecast, strict=True))
    assert scores.rmse(actual, forecast) == pytest.approx(math.sqrt(squares / 32_769), 1e-12)
    sizes = math.fsum(abs(a - f) for a, f in zip(actual, forecast, strict=True))
    assert scores.mae(actual, forecast) == pytest.approx(sizes / 32_769, 1e-12)
