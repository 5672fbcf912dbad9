"""Adaptive softmax (Grave et al. 2017, arXiv 1609.04309): a softmax whose cost follows how often words are.

Of a vocabulary that is sorted by frequency, the first words are the head. The others are cut into tails.
The head's softmax is over its own words and one more entry for each tail; a tail has a softmax of its own,
on a smaller projection of the units:

P(w) = P_head(w)                    for a word of the head
P(w) = P_head(tail k) P_k(w)        for a word of tail k

That is a distribution over the whole vocabulary, and its cross-entropy is exact. In training most labels
are words of the head, and a tail is worked out only for the rows whose label lies in it.
"""

from itertools import accumulate, pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.nn.initializers import glorot_uniform

from zoo.models import softmax
from zoo.unroll.steps import varying

_ROWS = 64  # of a block: fewer are too thin for a product, more are filled up in vain


class Tail(NamedTuple):
    """projection (H, d), kernel (d, size), bias (size,)"""

    projection: Array
    kernel: Array
    bias: Array


class Adaptive(NamedTuple):
    """kernel (H, c + K) and bias (c + K,) of a head of c words and K tails, and the tails, common words
    first."""

    kernel: Array
    bias: Array
    tails: tuple[Tail, ...]


def sizes(cutoffs: tuple[int, ...], vocab: int) -> tuple[int, ...]:
    """Words of the head and of each tail. A tail begins at each of ``cutoffs``, which rise; those that the
    vocabulary does not reach are left out. Raises ValueError for cutoffs that do not rise from above 0."""
    bounds = (0, *cutoffs)
    if any(low >= high for low, high in pairwise(bounds)):
        raise ValueError(
            f"cutoffs {tuple(cutoffs)}: must be above 0, each more than the one before"
        )
    bounds = (*(bound for bound in bounds if bound < vocab), vocab)
    return tuple(high - low for low, high in pairwise(bounds))


def init(key: Array, H: int, vocab: int, cutoffs: tuple[int, ...], divide: float = 4.0) -> Adaptive:
    """Parameters for H units. The projection of tail k, counted from 0, has max(1, H // divide^(k + 1))
    numbers. Glorot & Bengio's (2010) uniform weights, biases of zero."""
    head, *tails = sizes(cutoffs, vocab)
    draw, widest = glorot_uniform(), head + len(tails)

    def tail(k, size):
        d, own = max(1, int(H // divide ** (k + 1))), jax.random.fold_in(key, k + 1)
        up, down = (jax.random.fold_in(own, i) for i in range(2))
        return Tail(draw(up, (H, d)), draw(down, (d, size)), jnp.zeros(size))

    kernel = draw(jax.random.fold_in(key, 0), (H, widest))
    return Adaptive(kernel, jnp.zeros(widest), tuple(tail(k, size) for k, size in enumerate(tails)))


def cross_entropy_of(params: Adaptive, ys: Array, labels: Array) -> Array:
    """-log P(label) in nats, over the whole vocabulary: ys (..., H), labels (...) ints -> (...).

    Half precision is summed in float32, and the nats are then float32.
    """
    bounds = _bounds(params)
    rows, flat = ys.reshape(-1, ys.shape[-1]), labels.ravel()
    tail = sum((flat >= bound).astype(flat.dtype) for bound in bounds[:-1])
    first = bounds[0]
    entry = jnp.where(flat < first, flat, first - 1 + tail) if params.tails else flat
    nats = _cross_entropy(rows, params.kernel, params.bias, entry)
    params, rows = varying((params, rows), like=(params, ys, labels))
    for low, tail in zip(bounds, params.tails, strict=False):
        nats += _tail(rows, tail, flat - jnp.asarray(low, flat.dtype))
    return nats.reshape(labels.shape)


def log_p(params: Adaptive, ys: Array) -> Array:
    """log P of every word: ys (..., H) -> (..., V)."""
    count = len(params.tails)
    scores = jax.nn.log_softmax(_logits(ys, params.kernel, params.bias))
    parts = [scores[..., : scores.shape[-1] - count]]
    for k, tail in enumerate(params.tails):
        own = jax.nn.log_softmax(_logits(ys @ tail.projection, tail.kernel, tail.bias))
        parts.append(own + scores[..., scores.shape[-1] - count + k, None])
    return jnp.concatenate(parts, axis=-1)


def _cross_entropy(rows: Array, kernel: Array, bias: Array, entry: Array) -> Array:
    """``zoo.models.softmax.cross_entropy_of``, in float32 for half precision."""
    if rows.dtype.itemsize >= 4:
        return softmax.cross_entropy_of(rows, kernel, bias, entry)
    return softmax.cross_entropy(_logits(rows, kernel, bias), entry)


def _bounds(params):
    """Where each part ends, the head's first."""
    first = params.kernel.shape[-1] - len(params.tails)
    return tuple(accumulate((tail.kernel.shape[-1] for tail in params.tails), initial=first))


def _exact(ys):
    """The type that is summed in: half precision is not enough."""
    return jnp.float32 if ys.dtype.itemsize < 4 else ys.dtype


def _logits(ys, kernel, bias):
    exact = _exact(ys)
    logits = jnp.dot(ys, kernel, preferred_element_type=exact)
    return logits + bias.reshape((1,) * (ys.ndim - 1) + (-1,)).astype(exact)


@jax.custom_vjp
def _tail(rows, tail, labels):
    """-log P_k(label), (N,), of rows (N, H) whose label lies in the tail, [0, size); 0 of the others. Only
    those rows are worked out, a block at a time."""
    return _forward(rows, tail, labels)[0]


def _forward(rows, tail, labels):
    there = (labels >= 0) & (labels < tail.kernel.shape[-1])
    order = jnp.argsort(~there, stable=True)  # the rows of this tail first
    count = jnp.sum(there.astype(jnp.int32))

    def block(i, nats):
        at, own = _block(order, count, i)
        return nats.at[at].add(jnp.where(own, _nats(tail, rows[at], labels[at]), 0))

    nats = varying(jnp.zeros(len(labels), _exact(rows)), like=(rows, tail, labels))
    nats = lax.fori_loop(0, _blocks(count, len(labels)), block, nats)
    return nats, (rows, tail, labels, order, count)


def _backward(kept, d_nats):
    rows, tail, labels, order, count = kept

    def block(i, state):
        d_rows, d_tail = state
        at, own = _block(order, count, i)
        given = jnp.where(own, d_nats[at], 0)
        _, pull = jax.vjp(lambda tail, ys: _nats(tail, ys, labels[at]), tail, rows[at])
        more, d_ys = pull(given)
        return d_rows.at[at].add(d_ys), jax.tree.map(jnp.add, d_tail, more)

    state = jax.tree.map(jnp.zeros_like, (rows, tail))
    state = varying(state, like=(kept, d_nats))
    d_rows, d_tail = lax.fori_loop(0, _blocks(count, len(labels)), block, state)
    return d_rows, d_tail, None


_tail.defvjp(_forward, _backward)


def _blocks(count, rows):
    """How many blocks ``count`` of so many rows make."""
    size = min(_ROWS, rows)
    return (count + size - 1) // size


def _block(order, count, i):
    """Numbers of the rows of a block, and which of them count: the last block may be filled up."""
    size = min(_ROWS, len(order))
    at = i * size + jnp.arange(size, dtype=count.dtype)
    return order[jnp.minimum(at, len(order) - 1)], at < count


def _nats(tail, ys, labels):
    logits = _logits(ys @ tail.projection, tail.kernel, tail.bias)
    inside = jnp.clip(labels, 0, logits.shape[-1] - 1)  # of rows that only fill a block up
    return softmax.cross_entropy(logits, inside)
