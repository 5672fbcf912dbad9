"""Large vocabularies: the adaptive softmax and blocks of a direct one, beside the direct one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.models import adaptive, cross_entropy
from zoo.models.softmax import by_blocks

H, V, N = 6, 50, 300
CUTOFFS = [(8, 20), (30,), (), (8, 20, 45, 99)]


def given(cutoffs, dtype=jnp.float32, seed=0):
    keys = jax.random.split(jax.random.key(seed), 3)
    params = adaptive.init(keys[0], H, V, cutoffs)
    params = jax.tree.map(
        lambda p: (p + 0.1 * jax.random.normal(keys[2], p.shape)).astype(dtype), params
    )
    ys = jax.random.normal(keys[1], (N // 10, 10, H), dtype)
    labels = np.random.default_rng(seed).integers(0, V, (N // 10, 10)).astype(np.int32)
    return params, ys, jnp.asarray(labels)


def by_hand(params, ys, labels):
    """-log P of each label by the paper's equations, in NumPy and float64."""
    a = jax.tree.map(lambda p: np.asarray(p, np.float64), params)
    y = np.asarray(ys, np.float64)

    def log_softmax(z):
        z = z - z.max(axis=-1, keepdims=True)
        return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))

    head = log_softmax(y @ a.kernel + a.bias)
    words = a.kernel.shape[1] - len(a.tails)
    parts = [head[..., :words]]
    for k, tail in enumerate(a.tails):
        own = log_softmax(y @ tail.projection @ tail.kernel + tail.bias)
        parts.append(head[..., words + k, None] + own)
    whole = np.concatenate(parts, axis=-1)
    return whole, -np.take_along_axis(whole, np.asarray(labels)[..., None], -1)[..., 0]


@pytest.mark.parametrize("cutoffs", CUTOFFS)
def test_it_is_a_distribution_over_the_whole_vocabulary(cutoffs):
    params, ys, labels = given(cutoffs)
    whole, nats = by_hand(params, ys, labels)
    np.testing.assert_allclose(np.exp(whole).sum(axis=-1), 1, rtol=1e-9)
    np.testing.assert_allclose(adaptive.log_p(params, ys), whole, rtol=2e-5, atol=2e-5)
    got = jax.jit(adaptive.cross_entropy_of)(params, ys, labels)
    np.testing.assert_allclose(got, nats, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("cutoffs", CUTOFFS)
def test_its_gradient_is_that_of_the_whole_distribution(cutoffs):
    params, ys, labels = given(cutoffs)
    weights = jax.random.uniform(jax.random.key(9), labels.shape)

    def direct(params, ys):
        log_p = adaptive.log_p(params, ys)
        chosen = jnp.take_along_axis(log_p, labels[..., None], axis=-1)[..., 0]
        return -jnp.sum(chosen * weights)

    def ours(params, ys):
        return jnp.sum(adaptive.cross_entropy_of(params, ys, labels) * weights)

    want, got = (jax.jit(jax.grad(f, (0, 1)))(params, ys) for f in (direct, ours))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), got, want)


def test_blocks_and_adaptive_are_the_direct_softmax_where_they_are_the_same_model():
    params, ys, labels = given(())
    kernel, bias = params.kernel, params.bias

    def direct(kernel, ys):
        return jnp.sum(cross_entropy(ys @ kernel + bias[None, None], labels))

    def blocks(kernel, ys):
        return jnp.sum(by_blocks(ys, kernel, bias, labels, 7))

    def one_part(kernel, ys):
        return jnp.sum(adaptive.cross_entropy_of(params._replace(kernel=kernel), ys, labels))

    want = jax.value_and_grad(direct, (0, 1))(kernel, ys)
    for f in (blocks, one_part):
        got = jax.value_and_grad(f, (0, 1))(kernel, ys)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), got, want)


@pytest.mark.parametrize(("low", "high"), [(0, 8), (8, 20), (20, 50)])
def test_labels_that_all_lie_in_one_part_and_none_in_the_others(low, high):
    params, ys, _ = given((8, 20))
    labels = jnp.asarray(np.random.default_rng(1).integers(low, high, (N // 10, 10)), jnp.int32)
    got, grads = jax.value_and_grad(
        lambda p: jnp.sum(adaptive.cross_entropy_of(p, ys, labels)), allow_int=False
    )(params)
    assert float(got) == pytest.approx(by_hand(params, ys, labels)[1].sum(), rel=1e-5)
    for k, (first, last) in enumerate(((8, 20), (20, 50))):
        there = any(bool((g != 0).any()) for g in jax.tree.leaves(grads.tails[k]))
        assert there == (low < last and first < high)


def test_banks_have_rows_of_their_own_in_each_tail():
    many = [given((8, 20), seed=i) for i in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *many)
    got = jax.vmap(jax.value_and_grad(lambda p, y, l: jnp.sum(adaptive.cross_entropy_of(p, y, l))))(
        *stacked
    )
    for i, (params, ys, labels) in enumerate(many):
        value, grads = jax.value_and_grad(
            lambda p, ys=ys, labels=labels: jnp.sum(adaptive.cross_entropy_of(p, ys, labels))
        )(params)
        assert float(got[0][i]) == pytest.approx(float(value), rel=1e-5)
        each = jax.tree.map(lambda g, i=i: g[i], got[1])
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), each, grads
        )


def test_half_precision_is_summed_in_float32():
    params, ys, labels = given((8, 20), jnp.bfloat16)
    got = adaptive.cross_entropy_of(params, ys, labels)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, by_hand(params, ys, labels)[1], rtol=0.05, atol=0.05)


def test_cutoffs_that_do_not_rise_are_told_and_those_beyond_the_vocabulary_left_out():
    assert adaptive.sizes((8, 20, 99), V) == (8, 12, 30) and adaptive.sizes((), V) == (50,)
    for cutoffs in ((8, 8), (0, 5), (9, 4)):
        with pytest.raises(ValueError, match="must be above 0, each more than the one before"):
            adaptive.sizes(cutoffs, V)
