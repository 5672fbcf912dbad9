"""``return_carries``: the carry after each step, and gradients through it."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from reference import assert_trees_close, jit, numpy64, problem

from zoo.cells import gru, lstm, rnn
from zoo.unroll import bidirectional, stack, unroll
from zoo.unroll.layout import LAYOUTS

T, B = 6, 3
LENGTHS = (6, 3, 0)
RESETS = np.zeros((T, B), bool)
RESETS[2, 0] = RESETS[0, 1] = RESETS[2, 1] = RESETS[4, 0] = True
OPTIONS = {"lengths": jnp.array(LENGTHS), "resets": jnp.array(RESETS)}
WAYS = [{"layout": name} for name in LAYOUTS] + [{"gradient": g} for g in ("segments", "plain")]


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def by_the_paper(step, params, xs, carry, reverse):
    """The carries of ``reference.unroll``: those of all sequences, one number of steps at a time."""
    arrays = []
    for t in range(T):
        if reverse:  # the steps t … T - 1
            lengths = [max(n - t, 0) for n in LENGTHS]
            taken = xs[t:], RESETS[t:]
        else:
            lengths = [min(n, t + 1) for n in LENGTHS]
            taken = xs[: t + 1], RESETS[: t + 1]
        arrays.append(
            reference.unroll(step, params, taken[0], carry, lengths, taken[1], reverse)[0]
        )
    return [np.stack(a) for a in zip(*arrays, strict=True)]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["lstm", "slstm", "gru", "rnn", "minlstm"])
def test_carries_are_those_of_the_papers_equations_after_each_step(name, reverse, way):
    cell, *arrays = problem(name)
    run = partial(unroll, cell, reverse=reverse, return_carries=True, **way, **OPTIONS)
    last, ys, carries = jit(run)(*arrays)
    want = by_the_paper(reference.STEPS[name], *numpy64(arrays), reverse)
    assert type(carries) is type(arrays[2])
    assert_trees_close(carries, want, rtol=1e-13)
    without = jit(partial(unroll, cell, reverse=reverse, **way, **OPTIONS))(*arrays)
    assert_trees_close((last, ys), without, rtol=1e-13)


@pytest.mark.parametrize("way", WAYS[:-1], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["lstm", "slstm", "gru", "rnn"])
def test_gradient_through_the_carries_equals_the_plain_one(name, reverse, way):
    got, want = (loss_gradients(name, reverse, tuple(w.items())) for w in (way, WAYS[-1]))
    assert_trees_close(got, want, rtol=1e-12)


@cache
def loss_gradients(name, reverse, way):
    """Those of a loss of all that comes out, with and without lengths and resets."""
    cell, *arrays = problem(name)

    def loss(params, xs, carry, **options):
        out = unroll(cell, params, xs, carry, reverse=reverse, return_carries=True, **options)
        return sum(
            (a * jnp.sin(1 + jnp.arange(a.size)).reshape(a.shape)).sum()
            for a in jax.tree.leaves(out)
        )

    def gradients(*arrays):
        grad = jax.grad(loss, argnums=(0, 1, 2))
        return [grad(*arrays, **dict(way), **options) for options in ({}, OPTIONS)]

    return jit(gradients)(*arrays)


def test_stacks_and_both_directions_return_the_carries_of_each():
    cell, params, xs, _ = problem("rnn", D=4)
    one = partial(unroll, cell, return_carries=True, **OPTIONS)
    first = one(params, xs)
    second = one(params, first[1])
    _, ys, carries = stack(cell, [params, params], xs, return_carries=True, **OPTIONS)
    assert_trees_close((ys, carries), (second[1], (first[2], second[2])), rtol=1e-13)
    back = unroll(cell, params, xs, reverse=True, return_carries=True, lengths=OPTIONS["lengths"])
    got = bidirectional(cell, (params,) * 2, xs, return_carries=True, lengths=OPTIONS["lengths"])
    assert_trees_close(got[2][1], back[2], rtol=1e-13)
    assert len(got[2]) == 2


def test_stack_of_different_cells_and_widths_is_each_of_them_upon_the_one_below():
    cells, widths = (lstm(), gru(), rnn()), (2, 5, 3, 4)
    params = [
        reference.random_arrays(cell, i, T, B, widths[i], widths[i + 1])[0]
        for i, cell in enumerate(cells)
    ]
    xs = problem("rnn")[2]
    carries, ys = jit(lambda p, xs: stack(cells, p, xs, **OPTIONS))(params, xs)
    want = numpy64(xs)
    for i, name in enumerate(("lstm", "gru", "rnn")):
        zeros = [np.zeros((B, widths[i + 1]))] * (2 if name == "lstm" else 1)
        step = reference.STEPS[name]
        last, want = reference.unroll(step, numpy64(params[i]), want, zeros, LENGTHS, RESETS)
        assert_trees_close(carries[i], last, rtol=1e-12)
    assert_trees_close(ys, want, rtol=1e-12)
    with pytest.raises(ValueError, match="3 layers need as many cells"):
        stack(cells[:2], params, xs)
    with pytest.raises(ValueError, match=r"have 5 features; w_x .* is for 3") as caught:
        stack(cells, [params[0], params[2], params[1]], xs)
    assert caught.value.__notes__ == ["in layer 1 of the stack"]
