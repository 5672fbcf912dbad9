"""Ensembles of language models: the mean of probabilities, in every way that a model is read."""

import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

import train
from zoo import cli, sample, score
from zoo.models import Ensemble, LanguageModel
from zoo.models.ensemble import penalised
from zoo.unroll import batch_over

ROOT = Path(__file__).parent.parent
ONE = LanguageModel(vocab=7, embed=3, hidden=5, layers=2)
TOKENS = jnp.array([[1, 2, 3, 4], [6, 5, 0, 1]])
TARGETS = jnp.array([[2, 3, 4, 5], [5, 0, 1, 1]])


@pytest.fixture(scope="module")
def three():
    """An ensemble, its parameters, and those of each of its models."""
    model = Ensemble(ONE, 3)
    params = model.init(jax.random.key(0), TOKENS)
    return model, params, [{"params": params["params"][f"members_{i}"]} for i in range(3)]


def test_a_symbol_has_the_mean_of_the_probabilities_in_every_way_of_reading(three):
    model, params, each = three
    logits = [ONE.apply(one, TOKENS)[1] for one in each]
    wanted = np.log(np.mean([jax.nn.softmax(x) for x in logits], axis=0))
    assert np.abs(logits[0] - logits[1]).max() > 1e-3
    _, whole = model.apply(params, TOKENS)
    np.testing.assert_allclose(whole, wanted, atol=1e-6)
    _, nats = model.apply(params, TOKENS, TARGETS, method="nats")
    picked = np.take_along_axis(wanted, np.asarray(TARGETS)[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(nats, -picked, atol=1e-6)
    _, last = model.apply(params, TOKENS, model.carry(2), method="after")
    np.testing.assert_allclose(last, wanted[:, -1], atol=1e-6)
    table, carry = model.apply(params, method="table"), model.carry(2)
    for t in range(4):
        carry, one = model.apply(params, TOKENS[:, t], carry, table, method="step")
        np.testing.assert_allclose(one, wanted[:, t], atol=1e-6)


def test_each_model_learns_from_its_own_loss(three):
    model, params, each = three
    key = {"dropout": jax.random.key(1)}

    def loss(model, params):
        return jnp.mean(
            model.apply(params, TOKENS, TARGETS, train=True, rngs=key, method="nats")[1]
        )

    got = jax.grad(lambda p: loss(model, p))(params)["params"]
    for i, one in enumerate(each):
        wanted = jax.grad(lambda p: loss(ONE, p))(one)["params"]
        close = jax.tree.map(
            lambda a, b: np.allclose(3 * a, b, atol=1e-6), got[f"members_{i}"], wanted
        )
        assert all(jax.tree.leaves(close))


def test_dropout_is_another_one_in_each_model():
    one = LanguageModel(vocab=7, embed=3, hidden=5, dropout_out=0.5)
    model = Ensemble(one, 2)
    params = model.init(jax.random.key(0), TOKENS)
    same = params["params"]["members_0"]
    params = {"params": {"members_0": same, "members_1": same}}
    options = {"train": True, "rngs": {"dropout": jax.random.key(1)}}
    _, logits = model.apply(params, TOKENS, **options)
    first = jax.nn.log_softmax(
        model.bind(params, rngs=options["rngs"]).members[0](TOKENS, train=True)[1]
    )
    assert np.abs(logits - first).max() > 1e-3


def test_penalties_are_the_mean_of_those_of_the_models():
    def penalty(model, params):
        options = {"train": True, "rngs": {"dropout": jax.random.key(1)}}
        return penalised(model, params, TOKENS, TARGETS, None, **options)[1]

    one = ONE.copy(activation=2.0, temporal=1.0)
    model = Ensemble(one, 2)
    params = model.init(jax.random.key(0), TOKENS)
    each = [penalty(one, {"params": p}) for p in params["params"].values()]
    assert float(penalty(model, params)) == pytest.approx(float(sum(each)) / 2, rel=1e-5)


@pytest.mark.parametrize("size", [2, 4, 3])
def test_devices_share_the_models_where_their_number_divides(size):
    """Each then has the products of its own models, and the numbers are those of one device."""
    drop = {"dropout": 0.2, "dropout_in": 0.2, "dropout_out": 0.2, "weight_drop": 0.2}
    one = LanguageModel(vocab=7, embed=3, hidden=5, layers=2, activation=1.0, **drop)
    model = Ensemble(one, size)
    params, carry = model.init(jax.random.key(0), TOKENS), model.carry(2)
    carry = jax.tree.map(lambda a: a + 0.1, carry)

    def losses(params, carry):
        given = TOKENS, TARGETS, carry
        lengths = jnp.array([4, 4])
        options = {"train": True, "rngs": {"dropout": jax.random.key(1)}, "lengths": lengths}
        (carry, nats), penalty = penalised(model, params, *given, **options)
        return nats.mean() + penalty, (carry, nats)

    def run():
        both = jax.jit(jax.value_and_grad(partial(losses), has_aux=True))
        products = both.trace(params, carry).lower().as_text().count("dot_general")
        return products, both(params, carry)

    alone, want = run()
    with batch_over(jax.make_mesh((2,), ("data",), (AxisType.Auto,)), "data"):
        own, got = run()
    assert own * (2 if size % 2 == 0 else 1) == alone > 0
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), got, want)


def test_an_ensemble_goes_through_the_commands(tmp_path, capsys):
    file, run = tmp_path / "text.txt", tmp_path / "run"
    words = np.random.default_rng(0).choice(["the ", "cat ", "sat ", "on ", "mat,\n"], 400)
    file.write_text("".join(words), encoding="utf-8")
    tiny = "model.hidden=8 model.embed=4 batch_size=4 data.window=8 steps=8 eval_every=4"
    keys = [f"--config.{key}" for key in (*tiny.split(), f"data.path={file}", "model.ensemble=2")]
    argv = ["train.py", f"--config={ROOT / 'configs/char_lm.py'}", f"--run={run}"]
    assert cli.run(train.main, [*argv, *keys]) == 0
    found = json.loads((run / "result.json").read_text())
    capsys.readouterr()
    assert (
        cli.run(score.main, ["score", f"--run={run}", f"--input={file}", "--whole", "--dynamic"])
        == 0
    )
    (row,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert row["nats"] / row["tokens"] == pytest.approx(found["metrics"]["valid_loss"], rel=0.2)
    assert row["dynamic_nats"] < row["nats"]
    assert cli.run(sample.main, ["sample", f"--run={run}", "--length=20", "--num=2"]) == 0
    assert len(capsys.readouterr().out) > 40
    argv[1] = f"--config={ROOT / 'configs/window_lm.py'}"
    assert (
        cli.run(
            train.main, [*argv[:2], f"--run={tmp_path / 'windows'}", "--config.model.ensemble=2"]
        )
        == 2
    )
    assert (
        "--config.model.ensemble: not with --config.data.batches=windows" in capsys.readouterr().err
    )
