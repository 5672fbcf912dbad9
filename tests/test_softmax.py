"""Cross-entropy over a vocabulary: in blocks as at once, forward and backward, and what it needs."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from zoo.models.softmax import (
    by_blocks,
    cross_entropy,
    cross_entropy_of,
    sampled_cross_entropy_of,
)

N, H, V = (3, 5), 4, 23


def problem(dtype=jnp.float64, seed=0):
    rng = np.random.default_rng(seed)
    ys, kernel, bias = (jnp.asarray(rng.normal(size=s), dtype) for s in ((*N, H), (H, V), V))
    labels = jnp.asarray(rng.integers(0, V, N), jnp.int32).at[0, 0].set(0).at[-1, -1].set(V - 1)
    return ys, kernel, bias, labels, jnp.asarray(rng.normal(size=N), dtype)


def value_and_gradients(nats_of):
    def total(ys, kernel, bias, labels, weights):
        nats = nats_of(ys, kernel, bias, labels)
        return jnp.sum(nats * weights.astype(nats.dtype)), nats

    return jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2), has_aux=True))


def by_hand(ys, kernel, bias, labels, weights):
    """The equations, in NumPy: nats, and the gradients of their weighted sum."""
    ys, kernel, bias, weights = (np.asarray(a, np.float64) for a in (ys, kernel, bias, weights))
    logits = ys @ kernel + bias
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    hit = np.eye(V)[np.asarray(labels)]
    d = (p - hit) * weights[..., None]
    return -np.log((p * hit).sum(-1)), (
        d @ kernel.T,
        np.einsum("ijh,ijv->hv", ys, d),
        d.sum((0, 1)),
    )


@pytest.mark.parametrize("size", [1, 7, 22, 23, 500])
def test_blocks_are_the_equations(size):
    with jax.enable_x64(True):
        arrays = problem()
        (_, nats), gradients = value_and_gradients(partial(by_blocks, size=size))(*arrays)
        want, wanted = by_hand(*arrays)
        np.testing.assert_allclose(nats, want, rtol=1e-12)
        for got, wish in zip(gradients, wanted, strict=True):
            np.testing.assert_allclose(got, wish, rtol=1e-10, atol=1e-13)


def test_half_precision_is_summed_in_float32():
    exact = problem(jnp.float32)
    arrays = jax.tree.map(lambda a: a.astype(jnp.bfloat16) if a.dtype == "float32" else a, exact)
    (_, nats), gradients = value_and_gradients(partial(by_blocks, size=7))(*arrays)
    want, wanted = by_hand(*arrays)
    assert nats.dtype == "float32" and {g.dtype for g in gradients} == {jnp.dtype("bfloat16")}
    np.testing.assert_allclose(nats, want, rtol=1e-5)
    for got, wish in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(got.astype(np.float32), wish, rtol=0.03, atol=0.03)


def test_logits_far_apart_are_neither_infinite_nor_not_a_number():
    ys, kernel, bias, labels, weights = problem(jnp.float32)
    arrays = ys, kernel * 1e4, bias - 1e5, labels, weights
    (_, nats), gradients = value_and_gradients(partial(by_blocks, size=5))(*arrays)
    assert all(np.isfinite(a).all() for a in (nats, *gradients))
    logits = np.asarray(arrays[0] @ arrays[1] + arrays[2][None, None], np.float64)
    want = np.asarray(cross_entropy(jnp.asarray(logits, jnp.float32), labels))
    np.testing.assert_allclose(nats, want, rtol=1e-5)


def test_blocks_work_in_a_batch_of_models_and_on_a_mesh():
    arrays = problem(jnp.float32)
    several = value_and_gradients(partial(by_blocks, size=6))
    want = several(*arrays)
    for got in jax.vmap(several)(*(jnp.stack([a, a]) for a in arrays))[1]:
        assert got.shape[0] == 2
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    each = (P("data"), P(), P(), P("data"), P("data"))

    def summed(*arrays):
        (total, nats), gradients = several(*arrays)
        return (jax.lax.psum(total, "data"), nats), gradients

    mapped = jax.shard_map(
        summed, mesh=mesh, in_specs=each, out_specs=((P(), P("data")), (P("data"), P(), P()))
    )
    for got, wish in zip(jax.tree.leaves(mapped(*arrays)), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(got, wish, rtol=1e-6)


def test_a_large_vocabulary_never_has_all_its_logits_at_once():
    rows, units, symbols = 512, 16, 40000
    shapes = ((rows, units), (units, symbols), (symbols,))
    floats = [jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes]
    labels = jax.ShapeDtypeStruct((rows,), jnp.int32)
    weights = jax.ShapeDtypeStruct((rows,), jnp.float32)

    def bytes_of(nats_of):
        compiled = value_and_gradients(nats_of).lower(*floats, labels, weights).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    def at_once(ys, kernel, bias, labels):
        return cross_entropy(ys @ kernel + bias[None], labels)

    assert bytes_of(cross_entropy_of) < 0.2 * bytes_of(at_once)
    assert bytes_of(cross_entropy_of) < 4 * rows * symbols / 4


def test_sampled_cross_entropy_is_the_whole_one_where_every_symbol_is_drawn_once():
    with jax.enable_x64(True):
        ys, kernel, bias, labels, _ = problem()
        want = cross_entropy_of(ys, kernel, bias, labels)
        every = jnp.arange(V, dtype=labels.dtype)
        got = sampled_cross_entropy_of(ys, kernel.T, bias, labels, every, jnp.zeros(V))
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_many_drawn_symbols_estimate_the_whole_cross_entropy():
    ys, kernel, bias, labels, _ = problem(jnp.float32)
    chances = jnp.asarray(np.random.default_rng(1).dirichlet(np.ones(V)), jnp.float32)
    drawn = jax.random.choice(jax.random.key(0), V, (200_000,), p=chances).astype(jnp.int32)
    expected = jnp.log(len(drawn) * chances)
    got = sampled_cross_entropy_of(ys, kernel.T, bias, labels, drawn, expected)
    np.testing.assert_allclose(got, cross_entropy_of(ys, kernel, bias, labels), atol=0.03)
