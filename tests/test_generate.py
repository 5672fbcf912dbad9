"""Sampling: cuts against a brute-force reference, draws against the probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.generate import generate, restrict


def reference(logits, temperature, top_k, top_p):
    """The symbols that may be drawn and their probabilities, by sorting one row in plain Python."""
    order = sorted(range(len(logits)), key=lambda v: (-logits[v], v))
    if temperature == 0:
        return {order[0]: 1.0}
    if top_k:
        order = order[:top_k]
    weights = {v: np.exp(logits[v] / temperature) for v in order}
    total = sum(weights.values())
    kept, mass = {}, 0.0
    for v in order:
        if kept and mass >= top_p:
            break
        kept[v] = weights[v] / total
        mass += kept[v]
    return {v: w / sum(kept.values()) for v, w in kept.items()}


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("top_k", [0, 1, 3, 99])
@pytest.mark.parametrize("top_p", [1.0, 0.7, 1e-6])
def test_cuts_are_those_of_the_reference(temperature, top_k, top_p):
    rows = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    got = jax.nn.softmax(restrict(jnp.asarray(rows), temperature, top_k, top_p))
    for row, probabilities in zip(rows, np.asarray(got), strict=True):
        want = reference(row.astype(np.float64), temperature, top_k, top_p)
        np.testing.assert_allclose(probabilities[list(want)], list(want.values()), rtol=1e-5)
        assert np.count_nonzero(probabilities) == len(want)


def test_symbols_of_minus_infinity_are_never_kept():
    logits = jnp.array([[0.0, -jnp.inf, 1.0, -jnp.inf]])
    for settings in [(1.0, 0, 1.0), (5.0, 3, 1.0), (0.0, 0, 1.0)]:
        kept = np.isfinite(restrict(logits, *settings))[0]
        assert not kept[1] and not kept[3]


def counter(tokens, carry):
    """A model whose next symbol is the last one plus one, modulo 4, with certainty."""
    return carry, jax.nn.one_hot((tokens + 1) % 4, 4) * 100.0


def test_the_model_is_run_on_its_own_output():
    start = jax.nn.one_hot(jnp.array([2, 0]), 4) * 100.0
    tokens = generate(counter, (), start, jax.random.key(0), 6)
    np.testing.assert_array_equal(tokens, [[2, 3, 0, 1, 2, 3], [0, 1, 2, 3, 0, 1]])


def test_a_sample_does_not_depend_on_how_many_are_drawn():
    def coin(tokens, carry):
        return carry, jnp.zeros((tokens.shape[0], 5))

    key = jax.random.key(1)
    few, many = (generate(coin, (), jnp.zeros((n, 5)), key, 20) for n in (2, 7))
    np.testing.assert_array_equal(few, many[:2])
    assert len({tuple(row) for row in np.asarray(many).tolist()}) == 7


def test_draws_follow_the_probabilities():
    logits = jnp.log(jnp.array([0.5, 0.3, 0.2]))

    def fixed(tokens, carry):
        return carry, jnp.broadcast_to(logits, (tokens.shape[0], 3))

    tokens = generate(fixed, (), fixed(jnp.zeros(200, jnp.int32), ())[1], jax.random.key(2), 100)
    shares = np.bincount(np.asarray(tokens).ravel(), minlength=3) / tokens.size
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.012)
