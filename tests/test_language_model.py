"""The language model task: windows, carry, evaluation and writing."""

import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo import config as configs
from zoo import tasks
from zoo.cells import CELLS
from zoo.cells.cell import affine_inputs
from zoo.generate import default_prompt, generate_text
from zoo.models import LanguageModel, cross_entropy

CONFIG = Path(__file__).parent.parent / "configs/char_lm.py"


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "text.txt"
    rows = np.random.default_rng(0).choice(["ab ", "cab ", "dad ", "\n"], 70)
    file.write_text("".join(rows) + "#", encoding="utf-8")
    c = configs.load(str(CONFIG))
    c.data.path = str(file)
    c.batch_size, c.data.window, c.data.valid = 2, 5, 0.3
    c.model.update({"hidden": 6, "embed": 3, "dropout_out": 0.0})
    return c


def nats_of(model, params, tokens):
    """-log P of every token after the first, one step at a time from a zero state."""
    carry, nats, apply = model.carry(1), [], jax.jit(model.apply)
    for token, following in itertools.pairwise(tokens):
        carry, logits = apply(params, jnp.full((1, 1), token), carry)
        nats.append(-jax.nn.log_softmax(logits[0, 0])[following])
    return np.array(nats)


def test_evaluation_is_the_mean_of_every_symbol_of_the_split_given_all_before_it(config):
    task = tasks.make(config)
    params = task.init(jax.random.key(0))
    train, valid = task.data("train"), task.data("valid")
    assert len(train) + len(valid) < 256  # so that every lane's warm-up reaches the beginning
    nats = nats_of(task.model, params, np.concatenate([train, valid]))[-len(valid) :]
    got = task.evaluate(params, "valid").metrics
    assert got["valid_loss"] == pytest.approx(nats.mean(), rel=1e-5)
    assert got["valid_bpc"] == pytest.approx(nats.mean() / np.log(2), rel=1e-5)
    assert task.evaluate(params, "test").metrics == {}


def test_lanes_carry_the_state_from_window_to_window_and_drop_it_at_an_epoch(config):
    task = tasks.make(config)
    params, key = task.init(jax.random.key(0)), jax.random.key(1)
    data, order = jnp.asarray(task.data("train")), task.order("train", 0)
    batches = [task.gather(data, task.indices(order, jnp.int32(i), 0)) for i in range(3)]
    carry, total = task.carry(), 0.0
    for batch in batches:
        sums, carry = task.loss(params, carry, batch, key)
        total += float(sums["loss"].total)
        assert float(sums["loss"].weight) == 10
    for lane in range(2):
        rows = [np.asarray(b["tokens"][lane]) for b in batches]
        assert all(a[-1] == b[0] for a, b in itertools.pairwise(rows))
        whole = np.concatenate([r[:-1] for r in rows] + [rows[-1][-1:]])
        total -= nats_of(task.model, params, whole).sum()
    assert total == pytest.approx(0, abs=1e-3)
    again, _ = task.loss(params, carry, batches[0], key)
    fresh, _ = task.loss(params, task.carry(), batches[0], key)
    assert float(again["loss"].total) == float(fresh["loss"].total)


def test_chunks_have_no_common_past_and_cover_the_text_in_another_order(config):
    config.data.batches = "chunks"
    task = tasks.make(config)
    data = np.arange(len(task.data("train")))
    seen = []
    for epoch in (0, 1):
        order = task.order("train", epoch)
        steps = task.steps_per_epoch("train")
        batches = [task.gather(data, task.indices(order, i, 0)) for i in range(steps)]
        seen.append(np.concatenate([b["tokens"] for b in batches]).tolist())
    assert task.carry() == ()
    assert seen[0] != seen[1]
    flat = sorted(t for row in seen[0] for t in row)
    assert len(flat) == len(set(flat)) > len(data) - 4 * 6


PLAIN = ["lstm", "lstm_keras", "gru", "rnn"]


@pytest.mark.parametrize(
    ("cell", "tie"),
    [*((cell, False) for cell in CELLS), *((cell, True) for cell in [*PLAIN, "minlstm"])],
)
def test_any_cell_tied_or_not_has_a_finite_gradient_with_all_dropouts(cell, tie):
    model = LanguageModel(7, 4, 5, 2, cell, 0.3, 0.2, 0.2, 0.4, tie)
    tokens = jnp.arange(12).reshape(3, 4) % 7
    params = model.init(jax.random.key(0), tokens)

    def loss(params, key):
        carry, logits = model.apply(params, tokens, train=True, rngs={"dropout": key})
        assert jax.tree.map(jnp.shape, carry) == jax.tree.map(jnp.shape, model.carry(3))
        return jnp.mean(logits**2)

    gradient = jax.jit(jax.value_and_grad(loss))
    one, grads = gradient(params, jax.random.key(1))
    assert one != gradient(params, jax.random.key(2))[0]
    assert all(bool(jnp.isfinite(g).all()) and bool((g != 0).any()) for g in jax.tree.leaves(grads))
    assert ("kernel" in params["params"]) is not tie


@pytest.mark.parametrize(
    ("cell", "embed"), [*((cell, 4) for cell in CELLS), *((cell, 0) for cell in PLAIN)]
)
def test_a_step_by_the_table_of_inputs_is_the_model_s_own(cell, embed):
    model = LanguageModel(7, embed, 5, 2, cell)
    tokens = jnp.array([[1, 6, 0, 3]])
    params = model.init(jax.random.key(0), tokens)
    table = model.apply(params, method="table")
    affine = CELLS[cell]().inputs is affine_inputs
    assert (table is None) == (not affine)
    assert table is None or table.shape[0] == 7
    _, want = model.apply(params, tokens)
    carry = model.carry(1)
    for t, token in enumerate(tokens[0]):
        carry, got = model.apply(params, token[None], carry, table, method="step")
        np.testing.assert_allclose(got, want[:, t], rtol=1e-5, atol=1e-6)
        assert jax.tree.structure(carry) == jax.tree.structure(model.carry(1))


def test_a_table_that_is_too_large_or_not_all_of_the_input_is_not_made():
    tokens, label = jnp.zeros((1, 1), jnp.int32), jnp.zeros(1, jnp.int32)
    told = LanguageModel(7, 4, 5, classes=2, class_embed=3)
    params = jax.eval_shape(told.init, jax.random.key(0), tokens, None, label)
    assert jax.eval_shape(lambda p: told.apply(p, method="table"), params) is None
    large = LanguageModel(10_000, 4, 500)
    params = jax.eval_shape(large.init, jax.random.key(0), tokens)
    assert jax.eval_shape(lambda p: large.apply(p, method="table"), params) is None


def test_nats_are_the_cross_entropy_of_the_logits():
    tokens = jnp.arange(12).reshape(3, 4) % 7
    for options in ({"tie": True}, {"classes": 2, "class_embed": 3}):
        model = LanguageModel(7, 4, 5, **options)
        label = jnp.array([0, 1, 1]) if model.classes else None
        params = model.init(jax.random.key(0), tokens, None, label)
        params = jax.tree.map(
            lambda p: p + 0.3 * jax.random.normal(jax.random.key(1), p.shape), params
        )
        carry, logits = model.apply(params, tokens, None, label)
        after, nats = model.apply(params, tokens, tokens, None, label, method="nats")
        np.testing.assert_allclose(nats, cross_entropy(logits, tokens), rtol=1e-6)
        np.testing.assert_array_equal(after[0].h, carry[0].h)


def test_the_unknown_symbol_is_trained_and_never_written(config):
    config.data.valid, config.data.min_count = 0.1, 40
    task = tasks.make(config)
    assert 0 in task.data("train")
    assert default_prompt(task.vocabulary) in ("\n", " ")
    params = task.init(jax.random.key(0))
    params["params"]["bias"] = params["params"]["bias"].at[0].set(50.0)
    for temperature in (0.0, 1.0, 3.0):
        (text,) = task.generate(params, length=60, temperature=temperature)
        assert "\ufffd" not in text and len(text) == 60


def test_a_greedy_continuation_is_the_model_s_most_probable_one(config):
    task = tasks.make(config)
    params = task.init(jax.random.key(3))
    settings = {"prompt": "ab c", "length": 12, "temperature": 0}
    (text,) = generate_text(task.model, params, task.vocabulary, **settings)
    carry, tokens, apply = None, task.vocabulary.encode("ab c").tolist(), jax.jit(task.model.apply)
    for i in range(3 + 12):
        carry, logits = apply(params, jnp.array([[tokens[i]]]), carry)
        if i >= 3:
            tokens.append(1 + int(jnp.argmax(logits[0, 0, 1:])))
    assert text == task.vocabulary.decode(np.array(tokens[4:]))


def test_the_config_of_cells_has_all_of_them_with_as_many_parameters():
    file = Path(__file__).parent.parent / "configs/cells.py"
    assert configs.variants(file) == tuple(CELLS)
    tokens, counts = jnp.zeros((1, 1), jnp.int32), {}
    for name in CELLS:
        m = configs.load(f"{file}:{name}").model
        assert m.cell == name
        model = LanguageModel(103, m.embed, m.hidden, m.layers, m.cell)
        shapes = jax.eval_shape(model.init, jax.random.key(0), tokens)
        counts[name] = sum(a.size for a in jax.tree.leaves(shapes))
    assert counts["lstm"] == 361_767
    mine, docs = (
        configs.load(str(file.with_name(name))).to_dict() for name in ("cells.py", "char_lm.py")
    )
    assert {key for key in docs if docs[key] != mine[key]} == {
        "name",
        "variant",
        "about",
        "kneser_ney",
    }
    assert all(abs(n - counts["lstm"]) < 0.01 * counts["lstm"] for n in counts.values()), counts
