"""The hand-written gradient of the time loop against JAX's own and against finite differences."""

import re
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from jax import Array
from reference import IN_LAYOUTS, assert_trees_close, jit, numpy64, problem

from zoo.cells import LSTMCarry, lstm
from zoo.unroll import columns, stack, unroll
from zoo.unroll.layout import LAYOUTS

T, B = 6, 3
LENGTHS = (6, 3, 0)
RESETS = np.zeros((T, B), bool)
RESETS[2, 0] = RESETS[0, 1] = RESETS[2, 1] = RESETS[4, 0] = True


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def weighted(cell, params, xs, carry, on=(1.0, 1.0), **options):
    """A loss that treats no two numbers alike, of the last carry and the outputs, times ``on``."""
    last, ys = unroll(cell, params, xs, carry, **options)
    return on[0] * sum((uneven(a) * a).sum() for a in last) + on[1] * (uneven(ys) * ys).sum()


def uneven(like):
    """Weights of that shape, no two alike."""
    return np.sin(1.0 + np.arange(like.size)).reshape(like.shape)


def gradients(cell, gradient, **static):
    """(params, xs, carry, **options) -> gradients of ``weighted`` by all three."""
    return jax.grad(partial(weighted, cell, gradient=gradient, **static), argnums=(0, 1, 2))


@cache
def plain(cell, reverse=False):
    """JAX's gradient of the scan, one program for all options: full lengths, no resets by value."""
    grads = jit(gradients(cell, "plain", reverse=reverse))

    def of(params, xs, carry, on=(1.0, 1.0), **options):
        neutral = {"lengths": jnp.full(B, T), "resets": jnp.zeros((T, B), bool)}
        return grads(params, xs, carry, on=on, **neutral | options)

    return of


@pytest.fixture(params=["rows", "columns", "columns in blocks of 2", "columns in blocks of 4"])
def layout(request, monkeypatch):
    """A layout of the time loop; of the blocks of 4 steps, the last one has but 2."""
    name, _, size = request.param.partition(" in blocks of ")
    if size:
        monkeypatch.setattr(columns, "_BLOCK", int(size) * B)
    return name


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["lstm", "lstm_keras", "gru", "rnn"])
def test_gradient_equals_that_of_the_plain_scan_for_all_options(name, reverse, layout):
    assert_gradient_is_the_plain_one(name, reverse, layout)


@pytest.mark.parametrize(
    ("name", "layout"), [case for case in IN_LAYOUTS if case[0] in reference.OTHERS]
)
def test_gradient_of_other_cells_equals_that_of_the_plain_scan(name, layout):
    assert_gradient_is_the_plain_one(name, True, layout)


def assert_gradient_is_the_plain_one(name, reverse, layout):
    cell, *arrays = problem(name)
    lengths, resets = {"lengths": jnp.array(LENGTHS)}, {"resets": jnp.array(RESETS)}
    combinations = [{}, lengths, resets, lengths | resets]
    custom = gradients(cell, "custom", reverse=reverse, layout=layout)
    got = jit(lambda *arrays: [custom(*arrays, **options) for options in combinations])(*arrays)
    want = [plain(cell, reverse)(*arrays, **options) for options in combinations]
    assert_trees_close(got, want, rtol=1e-10)
    assert all(np.any(a) for a in jax.tree.leaves(want))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [1, 4, 6, 7])  # segments of 1, 2, 2 and 2 steps, and one of 1
def test_gradient_in_segments_equals_the_plain_one(steps, reverse, layout):
    cell, *arrays = problem("gru", T=steps)
    generator = np.random.default_rng(0)
    options = {
        "lengths": jnp.array([steps, steps // 2, 0]),
        "resets": jnp.array(generator.random((steps, B)) < 0.3),
    }
    ways = [{"gradient": "segments", "layout": layout}, {"gradient": "plain"}]

    def both(*arrays, **options):
        return [
            jax.value_and_grad(partial(weighted, cell, reverse=reverse, **way), argnums=(0, 1, 2))(
                *arrays, **options
            )
            for way in ways
        ]

    got, want = jit(both)(*arrays, **options)
    assert_trees_close(got, want, rtol=1e-10)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradient_without_a_carry_equals_that_from_zeros(layout):
    cell, params, xs, carry = problem("lstm")
    options = {"lengths": jnp.array(LENGTHS), "resets": jnp.array(RESETS)}
    zeros = jax.tree.map(jnp.zeros_like, carry)
    loss = partial(weighted, cell, carry=None, layout=layout)
    got = jit(jax.grad(loss, argnums=(0, 1)))(params, xs, **options)
    assert_trees_close(got, plain(cell)(params, xs, zeros, **options)[:2], rtol=1e-10)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("one", [0, 1])
def test_gradient_of_a_loss_on_the_last_carry_or_the_outputs_only(one, layout):
    cell, *arrays = problem("rnn")

    def loss(*arrays):
        out = unroll(cell, *arrays, layout=layout)[one]
        return sum((uneven(a) * a).sum() for a in jax.tree.leaves(out))

    got = jit(jax.grad(loss, argnums=(0, 1, 2)))(*arrays)
    assert_trees_close(got, plain(cell)(*arrays, on=(1.0 - one, float(one))), rtol=1e-10)


def numeric_gradient(loss, tree, eps=1e-5):
    """Central differences, one entry at a time."""
    leaves, structure = jax.tree.flatten(tree)
    grads = []
    for k, leaf in enumerate(leaves):
        grad = np.zeros_like(leaf)
        for at in np.ndindex(leaf.shape):
            ends = []
            for sign in (1, -1):
                moved = leaf.copy()
                moved[at] += sign * eps
                ends.append(loss(structure.unflatten([*leaves[:k], moved, *leaves[k + 1 :]])))
            grad[at] = (ends[0] - ends[1]) / (2 * eps)
        grads.append(grad)
    return structure.unflatten(grads)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradient_equals_finite_differences_of_the_papers_equations(layout):
    cell, *arrays = problem("gru", T=4, B=2, D=1, H=2)
    lengths, resets = (4, 3), np.array([[0, 0], [0, 1], [1, 0], [0, 0]], bool)

    def loss(arrays):
        last, ys = reference.unroll(reference.gru, *arrays, lengths, resets)
        return sum((uneven(a) * a).sum() for a in [*last, ys])

    options = {"lengths": jnp.array(lengths), "resets": jnp.array(resets)}
    got = jit(gradients(cell, "custom", layout=layout))(*arrays, **options)
    assert_trees_close(got, numeric_gradient(loss, tuple(numpy64(arrays))), rtol=1e-8)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradient_through_a_stack_equals_the_plain_one(layout):
    cell, params, xs, carry = problem("rnn", D=4)

    def loss(params, gradient):
        options = {"gradient": gradient, "layout": layout if gradient == "custom" else None}
        last, ys = stack(cell, params, xs, [carry, carry], **options)
        return (ys**2).sum() + last[0].h.sum()

    custom, plain = (
        jit(jax.grad(partial(loss, gradient=g)))((params, params)) for g in ("custom", "plain")
    )
    assert_trees_close(custom, plain, rtol=1e-10)


def test_plain_gradient_has_a_forward_mode():
    cell, params, xs, carry = problem("gru")
    arrays, moves = (params, xs, carry), problem("gru", seed=1)[1:]
    loss = partial(weighted, cell, gradient="plain", lengths=jnp.array(LENGTHS))
    _, along = jit(partial(jax.jvp, loss))(arrays, moves)
    grads = jit(gradients(cell, "custom"))(*arrays, lengths=jnp.array(LENGTHS))
    pairs = zip(jax.tree.leaves(grads), jax.tree.leaves(moves), strict=True)
    np.testing.assert_allclose(along, sum(np.vdot(g, m) for g, m in pairs), rtol=1e-10)


class PeepholeParams(NamedTuple):
    w_x: Array
    w_h: Array
    b: Array
    peep: Array  # (3, H): of i, f and o


def peephole_lstm():
    """LSTM whose gates see the memory (Gers & Schmidhuber 2000), written as a user of zoo would."""

    def init(key, D, H):
        return PeepholeParams(*lstm().init(key, D, H), peep=jnp.zeros((3, H)))

    def gates(params, carry, gx, gh):
        p_i, p_f, p_o = params.peep
        i, f, g, o = jnp.split(gx + gh, 4)
        i = jax.nn.sigmoid(i + p_i * carry.c)
        f = jax.nn.sigmoid(f + p_f * carry.c)
        c = f * carry.c + i * jnp.tanh(g)
        h = jax.nn.sigmoid(o + p_o * c) * jnp.tanh(c)
        return LSTMCarry(h, c), h

    return lstm()._replace(init=init, gates=gates)


def peephole_by_the_paper(params, state, x):
    h, c = state
    i, f, g, o = np.split(x @ params.w_x + h @ params.w_h + params.b, 4)
    p_i, p_f, p_o = params.peep
    i, f = reference.sigmoid(i + p_i * c), reference.sigmoid(f + p_f * c)
    c = f * c + i * np.tanh(g)
    return reference.sigmoid(o + p_o * c) * np.tanh(c), c


def inputs_of_ones_own(params, xs):
    return jnp.tanh(xs) @ params.w_x + params.b[None, None]


@pytest.mark.parametrize("inputs", [None, inputs_of_ones_own])
def test_cell_of_ones_own_with_a_parameter_inside_gates_has_right_results_and_gradients(
    inputs, layout
):
    cell = peephole_lstm()
    cell = cell._replace(inputs=inputs or cell.inputs)
    arrays = reference.random_arrays(cell, 0, T, B, 2, 4)
    options = {"lengths": jnp.array(LENGTHS), "resets": jnp.array(RESETS)}
    custom = gradients(cell, "custom", layout=layout)
    run = partial(unroll, cell, layout=layout, **options)
    got, grads = jit(lambda *a: (run(*a), custom(*a, **options)))(*arrays)
    padded = np.arange(T)[:, None] >= LENGTHS
    assert not RESETS[padded].any(), "the reference knows no resets in the padding"
    params, xs, carry = numpy64(arrays)
    xs = np.tanh(xs) if inputs else xs
    want = reference.unroll(peephole_by_the_paper, params, xs, carry, LENGTHS, RESETS)
    assert_trees_close(got, want, rtol=1e-13)
    assert np.any(grads[0].peep)
    assert_trees_close(grads, plain(cell)(*arrays, **options), rtol=1e-10)


@pytest.mark.parametrize("name, sums", [("lstm", True), ("gru", False), ("rnn", True)])
def test_cells_whose_gates_read_the_sum_of_both_shares_have_one_product_a_step(name, sums):
    cell, params, xs, carry = problem(name)
    assert columns.reads_the_sum(cell, params, carry) == sums
    program = jax.make_jaxpr(partial(unroll, cell, layout="columns"))(params, xs, carry)
    assert str(program).count("dot_general") == (1 if sums else 2)


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_the_gradient_writes_no_h_beside_the_outputs_and_no_zeros_for_unread_ones(name, read):
    cell, params, xs, carry = problem(name)

    def arrays(**options):
        """What the arrays of the size of ys are filled with before they are written."""

        def loss(params, xs, carry):
            last, ys = unroll(cell, params, xs, carry, layout="columns", **options)
            return (ys**2).sum() if read else (last.h**2).sum()

        jaxpr = str(jax.make_jaxpr(jax.grad(loss, (0, 1, 2)))(params, xs, carry))
        filled = rf"f64\[{T},4,{B}\] = broadcast_in_dim(?:\[.*?\])? ([\d.]+)"
        return sorted(map(float, re.findall(filled, jaxpr, re.DOTALL)))

    ys_and_more = [1.0, 2.0][: len(carry)]
    assert arrays() == ys_and_more
    # In the padding ys are zeros, and h is not.
    assert arrays(lengths=jnp.array(LENGTHS)) == [*ys_and_more, len(carry) + 1]
