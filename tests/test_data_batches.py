"""Batches as functions of (seed, step), and evaluation that counts every token once."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.batches import (
    check_size,
    chunks_indices,
    chunks_order,
    chunks_steps,
    eval_lanes,
    lanes_indices,
    lanes_order,
    lanes_steps,
    windows,
)
from zoo.data.errors import DataError

N, B, T = 1000, 4, 7

sizes = pytest.mark.parametrize(
    ("batch", "window", "more", "epoch"),
    [(1, 1, 0, 0), (6, 9, 0, 1), (3, 1, 7, 2), (4, 7, 300, 3), (2, 9, 19, 4)],
)


def fault(function, *arguments, **keywords) -> str:
    with pytest.raises(DataError) as caught:
        function(*arguments, **keywords)
    assert str(caught.value).isprintable(), "an error is one printable line"
    return str(caught.value)


def lanes_epoch(seed, epoch, n=N, batch=B, window=T):
    order = lanes_order(seed, epoch, n)
    starts = partial(lanes_indices, order, n_tokens=n, batch_size=batch, window=window)
    return np.stack([starts(i) for i in range(lanes_steps(n, batch, window))])


def chunks_epoch(seed, epoch, n=N, batch=B, window=T):
    order = chunks_order(seed, epoch, n, window)
    starts = partial(chunks_indices, order, batch_size=batch, window=window)
    return np.stack([starts(i) for i in range(chunks_steps(n, batch, window))])


@pytest.mark.parametrize("epochs", [lanes_epoch, chunks_epoch])
def test_equal_seeds_are_equal_and_others_differ(epochs):
    np.testing.assert_array_equal(epochs(3, 5), epochs(3, 5))
    assert not np.array_equal(epochs(3, 5), epochs(3, 6))
    assert not np.array_equal(epochs(3, 5), epochs(4, 5))


@pytest.mark.parametrize("epochs", [lanes_epoch, chunks_epoch])
@sizes
def test_starts_are_int32_in_the_corpus(epochs, batch, window, more, epoch):
    n = batch * (window + 1) + more
    starts = epochs(0, epoch, n, batch, window)
    assert starts.dtype == np.int32 and starts.shape[1] == batch and starts.shape[0] >= 1
    assert starts.min() >= 0 and starts.max() < n


@sizes
def test_lanes_go_on_where_they_were_and_read_nothing_twice(batch, window, more, epoch):
    n = batch * (window + 1) + more
    starts = lanes_epoch(0, epoch, n, batch, window)
    offset = int(lanes_order(0, epoch, n))
    lane = n // batch
    steps = np.arange(len(starts))[:, None] * window
    np.testing.assert_array_equal(starts, (offset + np.arange(batch) * lane + steps) % n)
    inputs = (starts[..., None] + np.arange(window)) % n
    assert np.unique(inputs).size == inputs.size
    assert n - inputs.size < batch * window + batch, "what is left fills no further step"


def test_over_epochs_lanes_begin_everywhere():
    offsets = np.array([lanes_order(0, epoch, 5) for epoch in range(60)])
    assert set(offsets) == set(range(5))


@sizes
def test_chunks_are_each_taken_once_and_do_not_overlap(batch, window, more, epoch):
    n = batch * (window + 1) + more
    order = np.asarray(chunks_order(0, epoch, n, window))
    np.testing.assert_array_equal(np.sort(order), np.arange(n // (window + 1)))
    starts = chunks_epoch(0, epoch, n, batch, window)
    np.testing.assert_array_equal(starts.ravel(), order[: starts.size] * (window + 1))
    assert len(order) - starts.size < batch, "only an incomplete batch is dropped"
    assert starts.max() + window < n, "no chunk goes around the end"


def test_step_epoch_and_seed_may_be_traced():
    @jax.jit
    def lanes(seed, epoch, i):
        order = lanes_order(seed, epoch, N)
        return lanes_indices(order, i, n_tokens=N, batch_size=B, window=T)

    @jax.jit
    def chunks(seed, epoch, i):
        return chunks_indices(chunks_order(seed, epoch, N, T), i, batch_size=B, window=T)

    for i in (0, 3, 20):
        np.testing.assert_array_equal(lanes(1, 2, i), lanes_epoch(1, 2)[i])
        np.testing.assert_array_equal(chunks(1, 2, i), chunks_epoch(1, 2)[i])
    assert lanes._cache_size() == chunks._cache_size() == 1


def test_batches_in_a_loop_on_the_device_are_those_of_the_host():
    tokens = jnp.arange(N, dtype=jnp.int32)
    order = lanes_order(0, 0, N)

    @jax.jit
    def last(tokens, order, steps):
        def body(i, _):
            starts = lanes_indices(order, i, n_tokens=N, batch_size=B, window=T)
            return windows(tokens, starts, T + 1)

        return jax.lax.fori_loop(0, steps, body, jnp.zeros((B, T + 1), jnp.int32))

    for step in (0, 17):
        starts = lanes_indices(order, step, n_tokens=N, batch_size=B, window=T)
        expected = windows(np.arange(N, dtype=np.int32), starts, T + 1)
        np.testing.assert_array_equal(last(tokens, order, step + 1), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_memory_map_and_device_give_the_same_bits(tmp_path, dtype):
    tokens = np.random.default_rng(0).integers(0, 200, N).astype(dtype)
    path = tmp_path / "tokens.bin"
    tokens.tofile(path)
    mapped = np.memmap(path, dtype, "r")
    device = jnp.asarray(tokens)
    for starts in (*lanes_epoch(0, 1)[::9], jnp.array([N - 1, N - 3, 0])):
        on_disk = windows(mapped, starts, T + 1)
        on_device = windows(device, starts, T + 1)
        assert type(on_disk) is np.ndarray and isinstance(on_device, jax.Array)
        assert on_disk.dtype == on_device.dtype == dtype
        assert on_disk.tobytes() == np.asarray(on_device).tobytes()


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_windows_go_around_the_end(array):
    tokens = array(np.arange(5, dtype=np.int32))
    read = windows(tokens, array(np.array([3, 0], np.int32)), 7)
    np.testing.assert_array_equal(read, [[3, 4, 0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 0, 1]])


def test_indices_do_not_overflow_in_the_largest_corpus():
    n = 2**31 - 1
    order = jnp.int32(n - 1)
    i = lanes_steps(n, 3, 100) - 1
    starts = lanes_indices(order, i, n_tokens=n, batch_size=3, window=100)
    expected = [(n - 1 + lane * (n // 3) + i * 100) % n for lane in range(3)]
    assert starts.tolist() == expected


def test_a_text_that_just_suffices():
    check_size(64 * 65, 65, 64, 64)
    check_size(64 * 65, 0, 64, 64)
    assert lanes_steps(64 * 65, 64, 64) == chunks_steps(64 * 65, 64, 64) == 1


def test_a_text_that_is_too_short_is_told_the_numbers():
    assert fault(check_size, 812, 0, 64, 64) == (
        "the training part has 812 characters; batch_size 64 x window 64 needs at least 4160: "
        "use a longer text, or --config.batch_size / --config.data.window smaller"
    )
    message = fault(check_size, 5000, 64, 64, 64)
    assert "the validation part has 64 characters; window 64 needs at least 65" in message
    assert "3 bytes" in fault(check_size, 3, 0, 2, 2, unit="bytes")
    assert "2**31" in fault(check_size, 2**31, 0, 1, 1)


@pytest.mark.parametrize(("batch", "window"), [(0, 4), (4, 0), (-1, 4)])
def test_sizes_below_one(batch, window):
    assert "must be 1 or more" in fault(check_size, 100, 0, batch, window)


def brute_force(n_context, n_tokens, lanes, warmup):
    """For each lane: the targets that it reads up to its last scored one, and those it scores."""
    scored = [t for t in range(n_context, n_context + n_tokens) if t > 0]
    sizes = [len(scored) // lanes + (k < len(scored) % lanes) for k in range(lanes)]
    for k in range(lanes):
        own = scored[sum(sizes[:k]) : sum(sizes[: k + 1])]
        if own:
            yield k, list(range(max(1, own[0] - warmup), own[-1] + 1)), own


@settings(max_examples=300)
@given(st.integers(0, 40), st.integers(1, 120), st.integers(1, 12), st.integers(0, 50))
def test_evaluation_scores_each_token_once_after_its_own_past(n_context, n_tokens, lanes, warmup):
    if n_context + n_tokens < 2:
        return
    inputs, targets, weights = eval_lanes(n_context, n_tokens, lanes, warmup)
    assert inputs.shape == targets.shape == weights.shape and len(inputs) == lanes
    assert inputs.dtype == targets.dtype == np.int32 and weights.dtype == np.float32

    counts = np.zeros(n_context + n_tokens)
    np.add.at(counts, targets, weights)
    expected = np.arange(n_context + n_tokens) >= max(n_context, 1)
    np.testing.assert_array_equal(counts, expected)
    assert weights.sum() == n_tokens - (n_context == 0)

    np.testing.assert_array_equal(inputs, targets - 1)
    assert inputs.min() >= 0 and targets.max() < n_context + n_tokens
    for k, reads, own in brute_force(n_context, n_tokens, lanes, warmup):
        assert targets[k, : len(reads)].tolist() == reads, "without a gap, from its warm-up on"
        assert targets[k][weights[k] > 0].tolist() == own
    longest = max(len(reads) for _, reads, _ in brute_force(n_context, n_tokens, lanes, warmup))
    assert inputs.shape[1] == longest, "no wider than its longest lane"


def test_one_lane_with_all_of_the_past_is_evaluation_without_a_cut():
    inputs, _, weights = eval_lanes(5, 3, 1, 5)
    np.testing.assert_array_equal(inputs, [[0, 1, 2, 3, 4, 5, 6]])
    np.testing.assert_array_equal(weights, [[0, 0, 0, 0, 1, 1, 1]])


@pytest.mark.parametrize("numbers", [(0, 0, 1, 0), (0, 1, 1, 0), (9, 0, 1, 0), (9, 9, 0, 0)])
def test_nothing_to_evaluate(numbers):
    n_context, n_tokens, *_ = numbers
    assert f"{n_tokens} tokens after {n_context} others" in fault(eval_lanes, *numbers)
    assert "warm-up -1" in fault(eval_lanes, 9, 9, 1, -1)
