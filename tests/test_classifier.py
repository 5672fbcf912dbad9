"""The classifier: a padded batch is its sequences, one by one, and padding does not change a bit."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.cells import CELLS, lstm, step
from zoo.models import Classifier
from zoo.models.classifier import POOLS

TOKENS = jnp.asarray(np.random.default_rng(0).integers(0, 9, (4, 7)), jnp.int32)
LENGTHS = jnp.array([7, 3, 1, 5])


def made(**settings):
    settings = {"vocab": 9, "classes": 3, "embed": 4, "hidden": 5} | settings
    model = Classifier(**settings)
    return model, model.init(jax.random.key(0), TOKENS, LENGTHS)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("both", [False, True])
def test_a_padded_batch_is_its_sequences_one_by_one(pool, both):
    model, params = made(pool=pool, bidirectional=both, layers=2)
    apply = jax.jit(model.apply)
    got = apply(params, TOKENS, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = apply(params, TOKENS[row : row + 1, :length], LENGTHS[row : row + 1])
        np.testing.assert_allclose(got[row : row + 1], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", POOLS)
def test_padding_does_not_change_a_bit(pool):
    model, params = made(pool=pool, layers=2, hidden=6)
    tokens, lengths = jnp.tile(TOKENS, (3, 1)), jnp.tile(LENGTHS, 3)
    apply = jax.jit(model.apply)
    want = apply(params, tokens, lengths)
    for more in (1, 4, 25):
        padded = jnp.pad(tokens, ((0, 0), (0, more)), constant_values=more % 9)
        np.testing.assert_array_equal(apply(params, padded, lengths), want)


def test_pools_are_what_they_say():
    model, params = made(pool="mean", bidirectional=False)
    p, cell, ys = params["params"], lstm(), []
    carry = cell.carry(p["layer_0"], 1)
    for token in TOKENS[1, :3]:
        carry, y = step(cell, p["layer_0"], carry, p["embedding"][token][None])
        ys.append(np.asarray(y[0]))
    for pool, pooled in {"mean": np.mean(ys, 0), "max": np.max(ys, 0), "last": ys[-1]}.items():
        model, _ = made(pool=pool, bidirectional=False)
        got = model.apply(params, TOKENS[1:2], LENGTHS[1:2])[0]
        np.testing.assert_allclose(got, pooled @ p["kernel"] + p["bias"], rtol=1e-5, atol=1e-6)


def test_attention_weighs_the_steps_of_a_sequence_and_no_others():
    model, params = made(pool="attention")
    lengths = LENGTHS.at[2].set(0)
    weights = model.apply(params, TOKENS, lengths, method="weights")
    assert weights.shape == TOKENS.shape
    np.testing.assert_allclose(weights.sum(axis=1), [1, 1, 0, 1], rtol=1e-6)
    assert (weights[1, 3:] == 0).all() and (weights[1, :3] > 0).all()


@pytest.mark.parametrize("pool", POOLS)
def test_an_empty_sequence_has_the_logits_of_the_bias_and_finite_gradients(pool):
    model, params = made(pool=pool)
    params["params"]["bias"] = jnp.array([1.0, 2.0, 3.0])
    lengths = jnp.zeros(4, jnp.int32)
    np.testing.assert_array_equal(
        model.apply(params, TOKENS, lengths), np.tile([1.0, 2.0, 3.0], (4, 1))
    )
    grads = jax.grad(lambda p: model.apply(p, TOKENS, lengths.at[0].set(3)).sum())(params)
    assert all(bool(jnp.isfinite(g).all()) for g in jax.tree.leaves(grads))


@pytest.mark.parametrize("cell", CELLS)
def test_any_cell_has_a_finite_gradient_with_all_dropouts(cell):
    dropouts = {"dropout": 0.2, "dropout_in": 0.1, "dropout_out": 0.3, "weight_drop": 0.2}
    model, params = made(cell=cell, layers=2, pool="attention", **dropouts)

    def loss(params, key):
        logits = model.apply(params, TOKENS, LENGTHS, train=True, rngs={"dropout": key})
        return jnp.mean(logits**2)

    gradient = jax.jit(jax.value_and_grad(loss))
    one, grads = gradient(params, jax.random.key(1))
    assert one != gradient(params, jax.random.key(2))[0]
    assert all(bool(jnp.isfinite(g).all()) and bool((g != 0).any()) for g in jax.tree.leaves(grads))


def test_another_pool_is_refused():
    with pytest.raises(ValueError, match="pool must be one of last, mean, max, attention"):
        made(pool="sum")


def test_symbols_are_foretold_from_both_sides_as_by_hand():
    model, params = made(reads=True)
    p, cell = params["params"], lstm()
    total, count = 0.0, 0
    for row, length in enumerate(LENGTHS.tolist()):
        for name, tokens in (
            ("layer_0", TOKENS[row, :length]),
            ("backward_0", TOKENS[row, :length][::-1]),
        ):
            carry = cell.carry(p[name], 1)
            for now, target in pairwise(tokens):
                carry, y = step(cell, p[name], carry, p["embedding"][now][None])
                logits = y[0] @ p["project"] @ p["embedding"].T + p["symbol_bias"]
                if target:
                    total -= float(jax.nn.log_softmax(logits)[target])
                    count += 1
    got, weight = model.apply(params, TOKENS, LENGTHS, method="language")
    assert int(weight) == count
    np.testing.assert_allclose(got, total, rtol=1e-5)
    every = jnp.arange(9, dtype=jnp.int32), jnp.zeros(9)
    sampled, _ = model.apply(params, TOKENS, LENGTHS, every, method="language")
    np.testing.assert_allclose(sampled, total, rtol=1e-5)


def test_embedding_dropout_takes_a_symbol_out_wherever_it_stands():
    model, params = made(embed_drop=0.5)
    options = {"train": True, "rngs": {"dropout": jax.random.key(3)}, "method": "vectors"}
    xs = np.asarray(model.apply(params, TOKENS, **options)).swapaxes(0, 1)
    tokens, embedding = np.asarray(TOKENS), np.asarray(params["params"]["embedding"])
    gone = {int(t) for t in np.unique(tokens) if not xs[tokens == t].any()}
    assert 0 < len(gone) < len(np.unique(tokens))
    for t in set(np.unique(tokens).tolist()) - gone:
        np.testing.assert_allclose(
            xs[tokens == t], np.tile(2 * embedding[t], ((tokens == t).sum(), 1))
        )
