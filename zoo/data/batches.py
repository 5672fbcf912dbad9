"""Batches as pure functions of (seed, step): nothing to save, nothing to rewind after a restart.

With ``epoch, i = divmod(step, steps)``, an epoch's order is made once, outside of the training
step; the windows of a step are then a few integers, which ``windows`` reads from the tokens:

    truncated backpropagation through time, the carry kept from step to step of an epoch:
        order  = lanes_order(seed, epoch, N)
        starts = lanes_indices(order, i, n_tokens=N, batch_size=B, window=T)

    shuffled chunks, each from a zero carry:
        order  = chunks_order(seed, epoch, N, T)
        starts = chunks_indices(order, i, batch_size=B, window=T)

    batch = windows(tokens, starts, T + 1)       (B, T + 1): inputs [:, :-1], targets [:, 1:]

``seed``, ``epoch``, ``i`` and ``order`` may be traced; sizes are Python integers, N below 2**31.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from zoo import random
from zoo.data.errors import DataError

_HALF = 0.05  # share of the windows of half the length, where lengths vary


def lanes_steps(n_tokens: int, batch_size: int, window: int) -> int:
    """Steps per epoch of contiguous lanes: whole windows in one of ``batch_size`` equal lanes."""
    return (n_tokens // batch_size) // window


def lanes_order(seed: int, epoch: int | Array, n_tokens: int) -> Array:
    """An epoch's offset, int32 () in [0, n_tokens): the corpus, as a circle, starts there.

    So the borders of lanes and windows, and the few tokens that no whole window holds, are others
    in each epoch.
    """
    return jax.random.randint(random.key(seed, "data", epoch), (), 0, n_tokens, jnp.int32)


def lanes_indices(
    order: Array, i: int | Array, *, n_tokens: int, batch_size: int, window: int
) -> Array:
    """Starts of the windows of step ``i`` of an epoch, int32 (B,): lane l is at

        order + l (n_tokens // batch_size) + i window    modulo n_tokens.

    Each lane goes on where it was at step i - 1, so the carry may be kept for i > 0; at i = 0 of
    the next epoch the lanes begin elsewhere.
    """
    lanes = jnp.arange(batch_size, dtype=jnp.int32) * (n_tokens // batch_size)
    return _add(lanes + jnp.asarray(i, jnp.int32) * window, jnp.asarray(order), n_tokens)


class Varied(NamedTuple):
    """An epoch of contiguous lanes whose windows vary in length: the offset () of the corpus, and of each
    step where its windows begin in their lanes and how long they are, (steps,) each."""

    offset: Array
    starts: Array
    lengths: Array


def varied_longest(window: int, vary: float) -> int:
    """The longest window that ``varied_order`` draws."""
    return window + math.ceil(2 * vary)


def varied_steps(n_tokens: int, batch_size: int, window: int) -> int:
    """Steps per epoch of lanes whose windows vary: as many as windows of mean length fit into a lane."""
    return max(1, int(n_tokens // batch_size / ((1 - _HALF / 2) * window)))


def varied_order(
    seed: int, epoch: int | Array, *, n_tokens: int, batch_size: int, window: int, vary: float
) -> Varied:
    """An epoch's offset and windows: around ``window`` tokens, one in twenty around half of that, with a
    standard deviation of ``vary`` (Merity et al. 2018); 2 at least."""
    steps = varied_steps(n_tokens, batch_size, window)
    keys = jax.random.split(random.key(seed, "data", epoch), 3)
    half = jax.random.uniform(keys[1], (steps,)) < _HALF
    mean = jnp.where(half, window / 2, window)
    drawn = mean + vary * jax.random.normal(keys[2], (steps,))
    lengths = jnp.clip(jnp.round(drawn), 2, varied_longest(window, vary)).astype(jnp.int32)
    offset = jax.random.randint(keys[0], (), 0, n_tokens, jnp.int32)
    return Varied(offset, jnp.cumsum(lengths) - lengths, lengths)


def varied_indices(order: Varied, i: int | Array, *, n_tokens: int, batch_size: int) -> Array:
    """Starts of the windows of step ``i``, int32 (B,); their first ``order.lengths[i]`` tokens count."""
    lanes = jnp.arange(batch_size, dtype=jnp.int32) * (n_tokens // batch_size)
    return _add((lanes + order.starts[i]) % n_tokens, order.offset, n_tokens)


def chunks(n_tokens: int, window: int) -> int:
    """Chunks of window + 1 tokens, whole ones."""
    return n_tokens // (window + 1)


def chunks_steps(n_tokens: int, batch_size: int, window: int) -> int:
    """Steps per epoch of shuffled chunks of window + 1 tokens, without an incomplete last batch."""
    return chunks(n_tokens, window) // batch_size


def chunks_order(seed: int, epoch: int | Array, n_tokens: int, window: int) -> Array:
    """An epoch's permutation of the chunks, int32 (n_tokens // (window + 1),).

    Sorting costs as much as a training step does: once per epoch, not once per step.
    """
    numbers = jnp.arange(chunks(n_tokens, window), dtype=jnp.int32)
    return jax.random.permutation(random.key(seed, "data", epoch), numbers)


def chunks_indices(order: Array, i: int | Array, *, batch_size: int, window: int) -> Array:
    """Starts of the chunks of step ``i`` of an epoch, int32 (B,); 0 <= i < ``chunks_steps``."""
    at = jnp.asarray(i, jnp.int32) * batch_size
    return lax.dynamic_slice(jnp.asarray(order), (at,), (batch_size,)) * (window + 1)


def together_order(seed: int, epoch: int | Array, sizes: Sequence[int], window: int) -> Array:
    """Starts of the chunks of several texts that stand one after the other, of ``sizes`` tokens, all in one
    permutation, int32: none crosses a border."""
    starts = [
        np.arange(chunks(n, window), dtype=np.int32) * (window + 1) + before
        for n, before in zip(sizes, np.cumsum([0, *sizes[:-1]]), strict=True)
    ]
    starts = jnp.asarray(np.concatenate(starts), jnp.int32)
    return jax.random.permutation(random.key(seed, "data", epoch), starts)


def passes_order(seed: int, epoch: int | Array, n_tokens: int, window: int, count: int) -> Array:
    """Starts of the ``count`` chunks of an epoch, int32 (count,), where an epoch is no whole pass over the
    text: a pass goes on in the next epoch, and each is another permutation of the chunks."""
    whole = chunks(n_tokens, window)
    at = jnp.asarray(epoch, jnp.int32) * count + jnp.arange(count, dtype=jnp.int32)
    first = at[0] // whole
    passes = [
        chunks_order(seed, first + i, n_tokens, window) for i in range(-(-count // whole) + 1)
    ]
    return jnp.stack(passes)[at // whole - first, at % whole] * (window + 1)


def windows(tokens: Array | np.ndarray, starts: Array, width: int) -> Array | np.ndarray:
    """Reads ``width`` tokens from each start on: tokens (N,), starts (B,) in [0, N) -> (B, width).

    The tokens are a circle: after the last comes the first. NumPy arrays and memory maps give NumPy
    arrays, read only where the windows are; JAX arrays give JAX arrays. The integers are the same,
    in the dtype of ``tokens``.
    """
    n = tokens.shape[0]
    if isinstance(tokens, np.ndarray):
        at = np.asarray(starts, np.int64)[:, None] + np.arange(width)[None]
        return np.asarray(tokens[at % n])
    steps = jnp.arange(width, dtype=jnp.int32) % n
    return tokens[_add(jnp.asarray(starts, jnp.int32)[:, None], steps[None], n)]


def take(array: Array | np.ndarray, rows: Array) -> Array:
    """array[rows] for rows (B,); of one row as a slice, which XLA's CPU loops do faster than a gather."""
    if len(rows) == 1:
        return lax.dynamic_slice_in_dim(jnp.asarray(array), rows[0], 1)
    return jnp.asarray(array)[rows]


def cut(array: Array | np.ndarray, series: Array, start: Array, width: int) -> Array:
    """array (N, T, ...) -> (B, width, ...): ``width`` rows of ``series`` (B,) from ``start`` (B,) on."""
    array = jnp.asarray(array)

    def one(s, t):
        at = (s, t, *[0] * (array.ndim - 2))
        return lax.dynamic_slice(array, at, (1, width, *array.shape[2:]))[0]

    return one(series[0], start[0])[None] if len(series) == 1 else jax.vmap(one)(series, start)


def check_size(
    n_train: int,
    n_valid: int,
    batch_size: int,
    window: int,
    unit: str = "characters",
    name: str = "",
) -> None:
    """Raises DataError, with the numbers, where a text is too short for one batch.

    The training part needs batch_size (window + 1) tokens, the validation part, unless it is empty
    (0: none was asked for), window + 1. ``unit`` is what the tokens are, ``name`` that of the text.
    """
    of = f" of {name!r}" if name else ""
    for name, value in (("batch_size", batch_size), ("window", window)):
        if value < 1:
            raise DataError(f"{name} = {value} must be 1 or more")
    if max(n_train, n_valid) >= 2**31:
        raise DataError(
            f"the text{of} has {n_train} + {n_valid} {unit}: a part must be below 2**31"
        )
    if n_train < batch_size * (window + 1):
        raise DataError(
            f"the training part{of} has {n_train} {unit}; batch_size {batch_size} x window {window} "
            f"needs at least {batch_size * (window + 1)}: use a longer text, or "
            "--config.batch_size / --config.data.window smaller"
        )
    if 0 < n_valid < window + 1:
        raise DataError(
            f"the validation part{of} has {n_valid} {unit}; window {window} needs at least "
            f"{window + 1}: use a longer text or a larger validation fraction, or "
            "--config.data.window smaller"
        )


class EvalLanes(NamedTuple):
    """Where evaluation reads, in a corpus of n_context + n_tokens tokens; NumPy, (lanes, width).

    inputs:  int32 indices of the tokens that are read, one after another in each lane
    targets: int32 indices of the tokens to predict: inputs + 1, but for padding at a lane's end
    weights: float32, 1 where the target counts, 0 in the warm-up and the padding
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


def eval_lanes(
    n_context: int,
    n_tokens: int,
    lanes: int,
    warmup: int,
    columns: tuple[int, int] | None = None,
) -> EvalLanes:
    """Scores each of the last ``n_tokens`` tokens of a corpus once, in lanes that run in parallel.

    The part is cut into ``lanes`` contiguous stretches, at most one token different in length. Each
    starts from a zero carry, up to ``warmup`` tokens early, so that its first scored token has been
    led up to; the first stretch warms up on the ``n_context`` tokens before the part. Without any,
    the part's first token has no past and is not scored: the weights' sum is n_tokens, or then
    n_tokens - 1. One lane with warmup = n_context is the evaluation without any cut.

    ``columns`` (from, to) asks for these alone; past the width (see ``eval_width``) all is padding.

    Raises DataError for sizes below these: 1 lane, 0 warm-up and context, 1 token to score.
    """
    begin, stop, warm = _stretches(n_context, n_tokens, lanes, warmup)
    at = warm[:, None] + np.arange(*(columns or (0, (stop - warm).max())))[None]
    weights = (at >= begin[:, None]) & (at < stop[:, None])
    targets = np.minimum(at, n_context + n_tokens - 1)
    return EvalLanes(
        (targets - 1).astype(np.int32), targets.astype(np.int32), weights.astype(np.float32)
    )


def eval_width(n_context: int, n_tokens: int, lanes: int, warmup: int) -> int:
    """The width of ``eval_lanes``. Raises as it does."""
    _, stop, warm = _stretches(n_context, n_tokens, lanes, warmup)
    return int((stop - warm).max())


def _stretches(n_context, n_tokens, lanes, warmup):
    """Of each lane, (lanes,) each: its first token to score, the one after its last, where it begins."""
    first = max(n_context, 1)
    end = n_context + n_tokens
    if lanes < 1 or warmup < 0 or n_context < 0 or end <= first:
        raise DataError(
            f"nothing to evaluate: {n_tokens} tokens after {n_context} others, {lanes} lanes, "
            f"warm-up {warmup}; needs 1 lane or more, warm-up 0 or more, and a token with a past"
        )
    length, longer = divmod(end - first, lanes)
    lane = np.arange(lanes)
    begin = first + lane * length + np.minimum(lane, longer)
    stop = begin + length + (lane < longer)
    return begin, stop, np.maximum(begin - warmup, 1)


def _add(a: Array, b: Array, n: int) -> Array:
    """(a + b) modulo n of int32 in [0, n), without a sum that overflows."""
    return jnp.where(a < n - b, a + b, a - (n - b))
