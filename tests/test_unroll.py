"""The time loop: lengths, resets, directions, stacks and dropout, against plain Python loops."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import IN_LAYOUTS, assert_trees_close, jit, numpy64, problem

from zoo.cells import lstm, rnn, step
from zoo.unroll import bidirectional, locked_dropout, stack, unroll
from zoo.unroll.layout import LAYOUTS

T, B, D, H = 6, 3, 2, 4
LENGTHS = (6, 3, 0)
RESETS = np.zeros((T, B), bool)
RESETS[2, 0] = RESETS[0, 1] = RESETS[2, 1] = RESETS[4, 0] = True


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@partial(jit, static_argnums=0, static_argnames=("reverse", "layout"))
def run(cell, params, xs, carry, **options):
    return unroll(cell, params, xs, carry, **options)


@pytest.mark.parametrize(("name", "layout"), IN_LAYOUTS)
def test_unroll_equals_a_python_loop_over_step(x64, name, layout):
    cell, params, xs, carry = problem(name)
    took = jit(partial(step, cell))
    want, state = [], carry
    for x in xs:
        state, y = took(params, state, x)
        want.append(y)
    got = run(cell, params, xs, carry, layout=layout)
    assert_trees_close(got, (state, np.stack(want)), rtol=1e-13)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("reverse", [False, True])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(0, T), min_size=B, max_size=B),
    st.lists(st.booleans(), min_size=T * B, max_size=T * B),
)
def test_lengths_and_resets_equal_each_sequence_run_by_itself(reverse, layout, lengths, resets):
    resets = np.array(resets).reshape(T, B) & (np.arange(T)[:, None] < lengths)
    with jax.enable_x64(True):
        cell, *arrays = problem("lstm")
        options = {"lengths": jnp.array(lengths), "resets": jnp.array(resets)}
        got = run(cell, *arrays, **options, reverse=reverse, layout=layout)
    want = reference.unroll(reference.lstm, *numpy64(arrays), lengths, resets, reverse)
    assert_trees_close(got, want, rtol=1e-13)


def test_reset_in_the_padding_changes_nothing():
    cell, *arrays = problem("lstm")
    lengths, resets = jnp.array(LENGTHS), jnp.ones((T, B), bool)
    got = run(cell, *arrays, lengths=lengths, resets=resets)
    want = reference.unroll(reference.lstm, *numpy64(arrays), LENGTHS, np.ones((T, B)))
    assert_trees_close(got, want, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_lengths_may_be_of_any_integer_type(x64, dtype):
    cell, *arrays = problem("rnn")
    got = run(cell, *arrays, lengths=jnp.array(LENGTHS, dtype))
    want = reference.unroll(reference.rnn, *numpy64(arrays), LENGTHS)
    assert_trees_close(got, want, rtol=1e-13)


def test_padded_steps_put_out_zeros_whatever_they_hold():
    cell, params, xs, carry = problem("gru")
    padding = np.arange(T)[:, None] >= LENGTHS
    lengths = jnp.array(LENGTHS)
    last, ys = run(cell, params, xs, carry, lengths=lengths)
    other = run(cell, params, jnp.where(padding[..., None], 1e30, xs), carry, lengths=lengths)
    assert not ys[padding].any()
    assert_trees_close(other, (last, ys), rtol=0)


@pytest.mark.parametrize("reverse", [False, True])
def test_length_zero_returns_the_initial_carry(reverse):
    cell, params, xs, carry = problem("lstm")
    last, ys = run(cell, params, xs, carry, lengths=jnp.zeros(B, int), reverse=reverse)
    assert_trees_close(last, carry, rtol=0)
    assert not ys.any()


def test_no_time_steps_return_the_initial_carry():
    cell, params, xs, carry = problem("lstm", T=0)
    last, ys = run(cell, params, xs, carry)
    assert_trees_close(last, carry, rtol=0)
    assert ys.shape == (0, B, H)


def test_no_carry_means_zeros():
    cell, params, xs, carry = problem("lstm")
    zeros = jax.tree.map(jnp.zeros_like, carry)
    got = run(cell, params, xs, None)
    assert_trees_close(got, run(cell, params, xs, zeros), rtol=0)


def test_reset_starts_a_new_sequence():
    cell, params, xs, carry = problem("lstm")
    resets = jnp.zeros((T, B), bool).at[4].set(True)
    last, ys = run(cell, params, xs, carry, resets=resets)
    _, first = run(cell, params, xs[:4], carry)
    second_last, second = run(cell, params, xs[4:], None)
    assert_trees_close((last, ys), (second_last, np.concatenate([first, second])), rtol=1e-6)


def test_resets_may_be_integers():
    cell, params, xs, carry = problem("lstm")
    got = run(cell, params, xs, carry, resets=jnp.array(RESETS, jnp.int32))
    assert_trees_close(got, run(cell, params, xs, carry, resets=jnp.array(RESETS)), rtol=0)


def test_reverse_equals_reversing_each_sequence_within_its_length_by_hand():
    cell, params, xs, carry = problem("gru")

    def flip(a):
        a = np.array(a)
        for b, n in enumerate(LENGTHS):
            a[:n, b] = a[:n, b][::-1]
        return jnp.array(a)

    lengths = jnp.array(LENGTHS)
    want_last, want = run(cell, params, flip(xs), carry, lengths=lengths)
    last, ys = run(cell, params, xs, carry, lengths=lengths, reverse=True)
    assert_trees_close((last, ys), (want_last, flip(want)), rtol=1e-6)


def test_bidirectional_is_both_directions_side_by_side(x64):
    cell, params, xs, carry = problem("lstm")
    _, other, _, back = problem("lstm", seed=1)
    options = {"lengths": jnp.array(LENGTHS)}
    last, ys = jit(partial(bidirectional, cell))((params, other), xs, (carry, back), **options)
    arrays = numpy64(xs)
    forward, left = reference.unroll(
        reference.lstm, numpy64(params), arrays, numpy64(carry), LENGTHS
    )
    backward, right = reference.unroll(
        reference.lstm, numpy64(other), arrays, numpy64(back), LENGTHS, reverse=True
    )
    want = (forward, backward), np.concatenate([left, right], axis=-1)
    assert_trees_close((last, ys), want, rtol=1e-13)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.lists(st.booleans(), min_size=T * B, max_size=T * B))
def test_bidirectional_with_resets_equals_each_piece_run_separately(resets):
    resets = np.array(resets).reshape(T, B)
    with jax.enable_x64(True):
        cell, params, xs, _ = problem("lstm")
        _, other, _, _ = problem("lstm", seed=1)
        got = both_ways(cell, (params, other), xs, resets=jnp.array(resets))[1]
    params, other, xs = numpy64((params, other, xs))
    for b in range(B):
        starts = sorted({0, T, *np.flatnonzero(resets[:, b])})
        for start, end in itertools.pairwise(starts):
            piece = xs[start:end, b : b + 1]
            zeros = np.zeros((1, H)), np.zeros((1, H))
            _, left = reference.unroll(reference.lstm, params, piece, zeros)
            _, right = reference.unroll(reference.lstm, other, piece, zeros, reverse=True)
            want = np.concatenate([left, right], axis=-1)[:, 0]
            np.testing.assert_allclose(got[start:end, b], want, rtol=1e-12, atol=1e-13)


both_ways = jit(bidirectional, static_argnums=0)


def test_bidirectional_reset_in_the_padding_changes_nothing():
    cell, params, xs, carry = problem("lstm")
    padding = jnp.array(np.arange(T)[:, None] >= LENGTHS)
    arrays, lengths = ((params, params), xs, (carry, carry)), jnp.array(LENGTHS)
    want = both_ways(cell, *arrays, lengths=lengths)
    assert_trees_close(both_ways(cell, *arrays, lengths=lengths, resets=padding), want, rtol=1e-6)


def layers(cell, inputs, count=3, width=H):
    """Random parameters of a stack: the first layer reads ``inputs`` features, others ``width``."""
    sizes = [inputs] + [width] * (count - 1)
    return [reference.random_arrays(cell, i, 1, 1, n, H)[0] for i, n in enumerate(sizes)]


@pytest.mark.parametrize("layer", [unroll, bidirectional])
def test_stack_feeds_each_layer_with_the_one_below(layer):
    cell, _, xs, carry = problem("gru")
    if layer is bidirectional:
        params = [(p, p) for p in layers(cell, D, width=2 * H)]
        carry = [(carry, carry)] * 3
    else:
        params, carry = layers(cell, D), [carry] * 3
    options = {"lengths": jnp.array(LENGTHS), "resets": jnp.array(RESETS)}

    @jit
    def by_hand(params, ys, carry):
        after = []
        for p, c in zip(params, carry, strict=True):
            c, ys = layer(cell, p, ys, c, **options)
            after.append(c)
        return tuple(after), ys

    got = jit(lambda p, xs, c: stack(cell, p, xs, c, layer=layer, **options))(params, xs, carry)
    assert_trees_close(got, by_hand(params, xs, carry), rtol=1e-6)
    assert len(got[0]) == 3


def test_dropout_mask_is_the_same_at_all_times_and_scales_what_it_keeps():
    rate, xs = 0.25, jnp.ones((5, 40, 50))
    ys = np.asarray(locked_dropout(jax.random.key(0), xs, rate))
    np.testing.assert_array_equal(ys, np.broadcast_to(ys[:1], ys.shape))
    np.testing.assert_allclose(np.unique(ys), [0, 1 / (1 - rate)])
    assert abs((ys == 0).mean() - rate) < 0.04  # four standard deviations of 2,000 draws
    assert np.ptp(ys[0].mean(axis=1)) > 0, "every sequence has its own mask"
    assert np.ptp(ys[0].mean(axis=0)) > 0, "every feature is drawn by itself"


def test_dropout_of_rate_zero_changes_nothing():
    xs = jnp.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(locked_dropout(jax.random.key(0), xs, 0.0), xs)


def test_dropout_keeps_the_dtype():
    xs = jax.ShapeDtypeStruct((2, 3, 4), jnp.bfloat16)
    assert (
        jax.eval_shape(partial(locked_dropout, jax.random.key(0), rate=0.5), xs).dtype == "bfloat16"
    )


def test_stack_drops_between_layers_only_and_with_another_mask_at_each():
    seen = []

    def layer(cell, params, xs, carry):
        seen.append(np.asarray(xs))
        return carry, jnp.ones_like(xs)

    ones, key = jnp.ones((T, 20, 30)), jax.random.key(0)
    _, ys = stack(lstm(), [None] * 3, ones, dropout=0.5, key=key, layer=layer)
    first, second, third = seen
    np.testing.assert_array_equal(first, ones)  # the input is whole
    np.testing.assert_array_equal(ys, ones)  # and so is the output
    assert set(np.unique(second)) == set(np.unique(third)) == {0, 2}
    assert (second != third).any()

    seen.clear()
    stack(lstm(), [None] * 3, ones, dropout=0.5, layer=layer)
    for xs in seen:
        np.testing.assert_array_equal(xs, ones)  # no key, no dropout


def test_wrong_arguments_are_named_with_what_would_be_right():
    cell, params, xs, carry = problem("rnn")
    flat, resets = xs[0], jnp.zeros((B, T), bool)
    with pytest.raises(ValueError, match=r"xs must be \(T, B, D\), time first; got .*\(3, 2\)"):
        unroll(cell, params, flat)
    with pytest.raises(
        ValueError, match=r"lengths must be \(3,\) for xs .*\(6, 3, 2\); got \(6,\)"
    ):
        unroll(cell, params, xs, lengths=jnp.zeros(T, int))
    with pytest.raises(ValueError, match=r"resets must be \(6, 3\) for xs .*; got \(3, 6\)"):
        unroll(cell, params, xs, resets=resets)
    with pytest.raises(ValueError, match=r"resets must be \(6, 3\) for xs .*; got \(3, 6\)"):
        bidirectional(cell, (params, params), xs, resets=resets)
    with pytest.raises(
        ValueError, match="gradient must be one of custom, segments, plain; got 'fast'"
    ):
        unroll(cell, params, xs, gradient="fast")
    with pytest.raises(ValueError, match="layout must be 'rows', 'columns' or None; got 'tiles'"):
        unroll(cell, params, xs, layout="tiles")
    with pytest.raises(ValueError, match="columns have no plain gradient: leave the layout out"):
        unroll(cell, params, xs, gradient="plain", layout="columns")
    with pytest.raises(
        ValueError, match=r"columns need at least one step and one sequence; .*\(0, 3, 2\)"
    ):
        unroll(cell, params, xs[:0], layout="columns")
    with pytest.raises(
        ValueError, match=r"the carry must be float32, as wide as xs \(float32\).*; got bfloat16"
    ):
        half = jax.tree.map(lambda a: a.astype(jnp.bfloat16), (params, carry))
        unroll(cell, half[0], xs, half[1])
    with pytest.raises(ValueError, match="2 layers need as many carries; got 1"):
        stack(cell, [params, params], xs, [carry])
    for rate in (-0.1, 1.0):
        with pytest.raises(ValueError, match=rf"dropout rate must be in \[0, 1\); got {rate}"):
            locked_dropout(jax.random.key(0), xs, rate)


def test_cell_with_its_own_scan_is_run_by_it():
    def scan(params, gx, carry, mask, resets, reverse):
        return (mask, resets, reverse), gx + carry.h[None]

    cell, params, xs, carry = problem("rnn")
    own = rnn()._replace(scan=scan)
    options = {"lengths": jnp.array(LENGTHS), "resets": jnp.array(RESETS, jnp.int32)}
    (mask, resets, reverse), ys = unroll(own, params, xs, carry, reverse=True, **options)
    np.testing.assert_array_equal(mask, np.arange(T)[:, None] < LENGTHS)
    np.testing.assert_array_equal(resets, RESETS)
    assert resets.dtype == bool and reverse is True
    np.testing.assert_array_equal(ys, cell.inputs(params, xs) + carry.h[None])
    assert unroll(own, params, xs)[0] == (None, None, False)
