"""The softmax over the symbols of a vocabulary, small or large, and its cross-entropy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from zoo.unroll.steps import varying

_WHOLE = 1 << 23  # logits that may exist at once: 32 MB in float32
_BLOCK = 1 << 19  # logits of a block: they stay in a cache


def cross_entropy(logits: Array, labels: Array) -> Array:
    """-log softmax(logits)[label] in nats: logits (..., V), labels (...) ints -> (...)."""
    chosen = jnp.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    return jax.nn.logsumexp(logits, axis=-1) - chosen


def cross_entropy_of(ys: Array, kernel: Array, bias: Array, labels: Array) -> Array:
    """-log softmax(ys W + b)[label] in nats: ys (..., H), W (H, V), b (V,), labels (...) ints -> (...).

    Up to 2^23 logits are made at once. More never exist together: blocks of symbols are gone through on the
    way forward, and once more on the way back, which costs a product of three more.
    """
    if labels.size * len(bias) <= _WHOLE:
        return cross_entropy(ys @ kernel + bias.reshape((1,) * (ys.ndim - 1) + (-1,)), labels)
    return by_blocks(ys, kernel, bias, labels, max(1, _BLOCK // labels.size))


def sampled_cross_entropy_of(
    ys: Array, rows: Array, bias: Array, labels: Array, negatives: Array, log_expected: Array
) -> Array:
    """``cross_entropy_of``, estimated by the label and a few symbols that stand for all others (Jean et al.
    2015): their terms of the softmax's sum are weighted so that its mean over the draws is the whole sum.

    ys (..., H), rows (V, H), bias (V,), labels (...) -> (...). ``negatives`` (N,) are drawn with
    replacement, the same for all; ``log_expected`` (V,) is the log of N times each symbol's chance to be
    drawn. A negative that is the label counts as none.
    """
    chosen = jnp.sum(ys * rows[labels], axis=-1) + bias[labels]
    one_row = (1,) * (ys.ndim - 1) + (-1,)
    others = ys @ rows[negatives].T + (bias - log_expected)[negatives].reshape(one_row)
    others = jnp.where(labels[..., None] == negatives.reshape(one_row), -jnp.inf, others)
    return jnp.logaddexp(jax.nn.logsumexp(others, axis=-1), chosen) - chosen


def chances(counts: np.ndarray) -> np.ndarray:
    """How likely each symbol is to be drawn as a negative, (V,) float32, of its occurrences (V,): by their
    power of 3/4, which lies between its share and equal chances (Mikolov et al. 2013)."""
    powers = np.maximum(counts, 1) ** 0.75
    return (powers / powers.sum()).astype(np.float32)


def draw(key: Array, chances: Array, cumulative: Array, count: int) -> tuple[Array, Array]:
    """``count`` symbols drawn by their chances (V,), of which ``cumulative`` are the sums up to each, and
    the log of how often each is expected: what ``sampled_cross_entropy_of`` takes."""
    draws = jax.random.uniform(key, (count,), chances.dtype)
    drawn = jnp.searchsorted(cumulative, draws).astype(jnp.int32)
    return jnp.minimum(drawn, len(chances) - 1), jnp.log(count * chances)


def by_blocks(ys: Array, kernel: Array, bias: Array, labels: Array, size: int) -> Array:
    """``cross_entropy_of``, ``size`` symbols at a time."""
    ys, kernel, bias = varying((ys, kernel, bias), like=(ys, kernel, bias, labels))
    flat = ys.reshape(-1, ys.shape[-1])
    return _blocks(min(size, len(bias)), flat, kernel, bias, labels.ravel()).reshape(labels.shape)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _blocks(size, ys, kernel, bias, labels):
    return _forward(size, ys, kernel, bias, labels)[0]


def _forward(size, ys, kernel, bias, labels):
    def block(start, size, state):
        highest, total, chosen = state
        logits = _logits(ys, kernel, bias, start, size)
        top = jnp.maximum(highest, logits.max(axis=-1))
        total = total * jnp.exp(highest - top) + jnp.exp(logits - top[:, None]).sum(axis=-1)
        return top, total, chosen + jnp.where(_hit(labels, start, size), logits, 0).sum(axis=-1)

    none = jnp.zeros(len(labels), _exact(ys))
    state = varying((none - jnp.inf, none, none), like=(ys, kernel, bias, labels))
    highest, total, chosen = _each_block(size, len(bias), block, state)
    log_sum = highest + jnp.log(total)
    return log_sum - chosen, (ys, kernel, bias, labels, log_sum)


def _backward(size, kept, d_nats):
    ys, kernel, bias, labels, log_sum = kept

    def block(start, size, state):
        d_ys, d_kernel, d_bias = state
        p = jnp.exp(_logits(ys, kernel, bias, start, size) - log_sum[:, None])
        d = (p - _hit(labels, start, size).astype(p.dtype)) * d_nats[:, None]
        w = lax.dynamic_slice_in_dim(kernel, start, size, axis=1)
        d_ys += jnp.dot(d.astype(w.dtype), w.T, preferred_element_type=d_ys.dtype)
        d_kernel = _put(d_kernel, ys.T @ d.astype(ys.dtype), start)
        return d_ys, d_kernel, _put(d_bias, d.sum(axis=0), start)

    state = (jnp.zeros(ys.shape, log_sum.dtype), jnp.zeros_like(kernel), jnp.zeros_like(bias))
    state = varying(state, like=(kept, d_nats))
    d_ys, d_kernel, d_bias = _each_block(size, len(bias), block, state)
    return d_ys.astype(ys.dtype), d_kernel, d_bias, None


_blocks.defvjp(_forward, _backward)


def _each_block(size, whole, block, state):
    """The state after block(start, size, state) of all blocks; the last one may be smaller."""
    count, rest = divmod(whole, size)
    state = lax.fori_loop(0, count, lambda i, state: block(i * size, size, state), state)
    return block(count * size, rest, state) if rest else state


def _logits(ys, kernel, bias, start, size):
    at = partial(lax.dynamic_slice_in_dim, start_index=start, slice_size=size)
    logits = jnp.dot(ys, at(kernel, axis=1), preferred_element_type=_exact(ys))
    return logits + at(bias)[None].astype(logits.dtype)


def _exact(ys):
    """The type that is summed in: half precision is not enough."""
    return jnp.float32 if ys.dtype.itemsize < 4 else ys.dtype


def _hit(labels, start, size):
    """(N, size) booleans: where a symbol of the block is the label."""
    return (
        labels[:, None] - jnp.asarray(start, labels.dtype)
        == jnp.arange(size, dtype=labels.dtype)[None]
    )


def _put(whole, block, start):
    return lax.dynamic_update_slice_in_dim(whole, block.astype(whole.dtype), start, axis=-1)
