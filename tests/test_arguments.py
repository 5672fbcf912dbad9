"""Forty mistakes in calling ``unroll``, ``step`` and the layers, and the one line that each is told."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from reference import assert_trees_close, jit, problem

from zoo.cells import (
    GRUCarry,
    LSTMCarry,
    LSTMParams,
    MinGRUParams,
    gru,
    lstm,
    mingru,
    multiplicative_lstm,
    rnn,
    step,
)
from zoo.cells.cell import cast
from zoo.unroll import bidirectional, stack, unroll

T, B, D, H = 6, 3, 2, 4
CELL, P, XS, CARRY = problem("lstm")
GRU_PARAMS = problem("gru")[1]
HALF = jnp.bfloat16


class Three(NamedTuple):
    h: Array
    c: Array
    n: Array


def bad_cell(**parts):
    return lstm()._replace(**parts)


def grown(params, carry, gx, gh):
    return LSTMCarry(jnp.concatenate([carry.h, carry.h]), carry.c), carry.h


MISTAKES = {
    "one sequence without a batch": (
        lambda: unroll(CELL, P, XS[:, 0]),
        r"xs must be \(T, B, D\), time first; got shape \(6, 2\); of one sequence, give xs\[:, None\]",
    ),
    "tokens, not vectors": (
        lambda: unroll(CELL, P, jnp.zeros((T, B), int)),
        r"xs must be \(T, B, D\), time first; got shape \(6, 3\)",
    ),
    "four axes": (lambda: unroll(CELL, P, XS[None]), r"xs must be .*; got shape \(1, 6, 3, 2\)"),
    "integers as xs": (
        lambda: unroll(CELL, P, XS.astype(int)),
        "xs must be floating-point numbers; got int32: embed them, or make them one-hot",
    ),
    "booleans as xs": (lambda: unroll(CELL, P, XS > 0), "xs must be floating-point .*; got bool"),
    "text as xs": (lambda: unroll(CELL, P, "text"), "xs must be an array; got str"),
    "no xs": (lambda: unroll(CELL, P, None), "xs must be an array; got NoneType"),
    "ragged lists": (
        lambda: unroll(CELL, P, [[[1.0, 2.0]], [[1.0]]]),
        "xs must be an array; got list",
    ),
    "more features than the weights": (
        lambda: unroll(CELL, P, jnp.ones((T, B, 5))),
        r"xs of shape \(6, 3, 5\) have 5 features; w_x \(2, 16\) is for 2",
    ),
    "PyTorch's weights, not transposed": (
        lambda: unroll(CELL, LSTMParams(P.w_x.T, P.w_h.T, P.b), XS),
        r"xs of shape \(6, 3, 2\) have 2 features; w_x \(16, 2\) is for 16",
    ),
    "only W_h not transposed": (
        lambda: unroll(CELL, P._replace(w_h=P.w_h.T), XS),
        r"w_x must be \(2, 4\), as wide as w_h \(16, 4\); got \(2, 16\)",
    ),
    "a bias of another width": (
        lambda: unroll(CELL, P._replace(b=P.b[:4]), XS),
        r"b must be \(16,\), as wide as w_h \(4, 16\); got \(4,\)",
    ),
    "weights of a stack of layers": (
        lambda: unroll(CELL, jax.tree.map(lambda a: a[None], P), XS),
        r"w_x and w_h must be matrices; got shapes \(1, 2, 16\) and \(1, 4, 16\)",
    ),
    "another cell's parameters": (
        lambda: unroll(CELL, GRU_PARAMS, XS),
        r"params GRUParams\(w_x \(2, 12\), w_h \(4, 12\), b \(12,\), b_n \(4,\)\) do not fit this cell",
    ),
    "parameters without a field": (
        lambda: unroll(gru(), P, XS),
        r"params LSTMParams\(.*\) do not fit this cell",
    ),
    "a dict of parameters": (
        lambda: unroll(CELL, P._asdict(), XS),
        "params must be what cell.init gives; got a dict",
    ),
    "params and xs swapped": (
        lambda: unroll(CELL, XS, P),
        r"xs must be an array; got LSTMParams",
    ),
    "a cell without its parentheses": (
        lambda: unroll(lstm, P, XS),
        r"cell must be a Cell, such as lstm\(\) with its parentheses; got a function",
    ),
    "a cell's name": (lambda: unroll("lstm", P, XS), "cell must be a Cell, .*; got a str"),
    "a carry of another batch": (
        lambda: unroll(CELL, P, XS, CELL.carry(P, 5)),
        r"carry.h must be \(3, 4\), the batch and the cell's units; got \(5, 4\)",
    ),
    "a memory of another width": (
        lambda: unroll(CELL, P, XS, LSTMCarry(CARRY.h, CARRY.c[:, :2])),
        r"carry.c must be \(3, 4\), .*; got \(3, 2\)",
    ),
    "h alone": (
        lambda: unroll(CELL, P, XS, CARRY.h),
        r"the carry must be LSTMCarry\(h \(3, 4\), c \(3, 4\)\); got an array \(3, 4\)",
    ),
    "a tuple of h alone": (
        lambda: unroll(CELL, P, XS, (CARRY.h,)),
        r"the carry must be LSTMCarry\(h \(3, 4\), c \(3, 4\)\); got tuple\(\(3, 4\)\)",
    ),
    "a carry that lacks c": (
        lambda: unroll(CELL, P, XS, LSTMCarry(CARRY.h, None)),
        r"the carry must be LSTMCarry\(.*\); got LSTMCarry\(h \(3, 4\), c None\)",
    ),
    "another cell's carry": (
        lambda: unroll(CELL, P, XS, GRUCarry(CARRY.h)),
        r"the carry must be LSTMCarry\(.*\); got GRUCarry\(h \(3, 4\)\)",
    ),
    "a carry with a field too many": (
        lambda: unroll(CELL, P, XS, Three(*CARRY, CARRY.h)),
        r"the carry must be LSTMCarry\(.*\); got Three\(h .*, c .*, n .*\)",
    ),
    "a dict as a carry": (
        lambda: unroll(CELL, P, XS, CARRY._asdict()),
        r"the carry must be LSTMCarry\(.*\); got a dict",
    ),
    "lengths in the carry's place": (
        lambda: unroll(CELL, P, XS, jnp.array([6, 3, 0])),
        r"the carry must be LSTMCarry\(.*\); got an array \(3,\)",
    ),
    "numbers as a carry": (
        lambda: unroll(CELL, P, XS, (0.0, 0.0)),
        r"carry.h must be \(3, 4\), .*; got \(\)",
    ),
    "a carry of two types": (
        lambda: unroll(CELL, P, XS, LSTMCarry(CARRY.h, CARRY.c.astype(HALF))),
        "the carry must be of one type; carry.c is bfloat16, carry.h is float32",
    ),
    "a carry narrower than xs": (
        lambda: unroll(CELL, cast(P, HALF), XS, cast(CARRY, HALF)),
        r"the carry must be float32, as wide as xs \(float32\) and the weights \(bfloat16\); got bfloat16",
    ),
    "a carry narrower than the weights": (
        lambda: unroll(CELL, P, cast(XS, HALF), cast(CARRY, HALF)),
        r"the carry must be float32, as wide as xs \(bfloat16\) and the weights \(float32\); got bfloat16",
    ),
    "lengths of another batch": (
        lambda: unroll(CELL, P, XS, lengths=[6, 3]),
        r"lengths must be \(3,\) for xs of shape \(6, 3, 2\); got \(2,\)",
    ),
    "one length": (lambda: unroll(CELL, P, XS, lengths=6), r"lengths must be \(3,\) .*; got \(\)"),
    "a length beyond the steps": (
        lambda: unroll(CELL, P, XS, lengths=[6, 7, 0]),
        "lengths must be from 0 to 6, the steps of xs; got 7",
    ),
    "a negative length": (
        lambda: unroll(CELL, P, XS, lengths=jnp.array([6, -1, 0])),
        "lengths must be from 0 to 6, the steps of xs; got -1",
    ),
    "lengths with a point": (
        lambda: unroll(CELL, P, XS, lengths=jnp.array([6.0, 3.0, 0.0])),
        "lengths must be integers; got float32",
    ),
    "a mask as lengths": (
        lambda: unroll(CELL, P, XS, lengths=jnp.ones((T, B), bool)),
        r"lengths must be \(3,\) .*; got \(6, 3\)",
    ),
    "resets batch first": (
        lambda: unroll(CELL, P, XS, resets=np.zeros((B, T), bool)),
        r"resets must be \(6, 3\) for xs of shape \(6, 3, 2\); got \(3, 6\)",
    ),
    "resets of times alone": (
        lambda: unroll(CELL, P, XS, resets=[False] * T),
        r"resets must be \(6, 3\) .*; got \(6,\)",
    ),
    "an unknown gradient": (
        lambda: unroll(CELL, P, XS, gradient="fast"),
        "gradient must be one of custom, segments, plain; got 'fast'",
    ),
    "a direction in words": (
        lambda: unroll(CELL, P, XS, reverse="backward"),
        "reverse must be True or False; got 'backward'",
    ),
    "step of a whole sequence": (
        lambda: step(CELL, P, CARRY, XS),
        r"x must be \(B, D\), one step of a batch; got shape \(6, 3, 2\)",
    ),
    "step from another batch": (
        lambda: step(CELL, P, CARRY, XS[0, :2]),
        r"carry.h must be \(2, 4\), .*; got \(3, 4\)",
    ),
    "one layer's parameters for both directions": (
        lambda: bidirectional(CELL, P, XS),
        r"params must be a pair \(forward, backward\); got 3 of them",
    ),
    "gates that widen the carry": (
        lambda: unroll(bad_cell(gates=grown), P, XS),
        r"gates must give back carry.h as float32\[4\], as it came; got float32\[8\]",
    ),
    "gates that give another carry": (
        lambda: unroll(bad_cell(gates=lambda p, c, gx, gh: (GRUCarry(c.h), c.h)), P, XS),
        r"gates must give back LSTMCarry\(.*\); got GRUCarry\(.*\)",
    ),
    "a bias of another width, of a cell without recurrent matrix": (
        lambda: unroll(mingru(), MinGRUParams(jnp.zeros((2, 8)), jnp.zeros(10)), XS),
        r"b must be \(8,\), as wide as w_x \(2, 8\); got \(10,\)",
    ),
    "columns of a cell of two products": (
        lambda: unroll(multiplicative_lstm(), P, XS, layout="columns"),
        "columns are for cells of one product a step: leave the layout out",
    ),
    "parameters of another cell, which has one product": (
        lambda: unroll(multiplicative_lstm(), P, XS),
        r"params must be what cell.init gives; got a LSTMParams",
    ),
    "carries of a cell with its own scan": (
        lambda: unroll(bad_cell(scan=lambda *a: (a[2], a[1])), P, XS, return_carries=True),
        "a cell with its own scan gives no carries",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line_what_is_wrong_and_what_would_be_right(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mistake", [name for name in MISTAKES if "length" not in name])
def test_the_same_under_jit(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(call)


def test_a_plain_tuple_or_a_list_is_a_carry_and_lists_are_arrays():
    want = unroll(CELL, P, XS, CARRY, lengths=jnp.array([6, 3, 0]), resets=jnp.ones((T, B), bool))
    for carry in (tuple(CARRY), list(CARRY), tuple(np.asarray(a) for a in CARRY)):
        got = unroll(CELL, P, np.asarray(XS), carry, lengths=[6, 3, 0], resets=[[True] * B] * T)
        assert_trees_close(got, want, rtol=0)
        assert type(got[0]) is LSTMCarry
    after, _ = step(CELL, P, tuple(CARRY), XS[0])
    assert_trees_close(after, step(CELL, P, CARRY, XS[0])[0], rtol=0)


def test_numpy_inputs_in_float64_are_taken_as_jax_takes_them():
    got = unroll(CELL, P, np.asarray(XS, np.float64), jax.tree.map(np.float64, CARRY))
    assert_trees_close(got, unroll(CELL, P, XS, CARRY), rtol=1e-6)


def test_lengths_beyond_the_steps_are_all_steps_where_jit_hides_their_values():
    run = jit(lambda lengths: unroll(CELL, P, XS, lengths=lengths))
    assert_trees_close(run(jnp.full(B, T + 3)), run(jnp.full(B, T)), rtol=0)


def run_forward(mode, f, x):
    moves = jax.tree.map(jnp.ones_like, x)
    if mode == "jvp":
        return jax.jvp(f, (x,), (moves,))
    if mode == "jit of jvp":
        return jax.jit(lambda x: jax.jvp(f, (x,), (moves,)))(x)
    if mode == "linearize":
        return jax.linearize(f, x)[1](moves)
    return jax.jacfwd(f)(x)


@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize("mode", ["jvp", "jit of jvp", "linearize", "jacfwd"])
def test_forward_mode_names_the_gradient_that_has_one(mode, layout):
    cell, params, xs, _ = problem("rnn")
    f = lambda params, **options: unroll(cell, params, xs, **options)[1].sum()  # noqa: E731
    for gradient in ("custom", "segments"):
        with pytest.raises(TypeError, match=r'call unroll\(\.\.\., gradient="plain"\)'):
            run_forward(mode, partial(f, layout=layout, gradient=gradient), params)
    run_forward(mode, partial(f, gradient="plain"), params)


def test_reverse_mode_twice_and_the_hessian_are_those_of_the_plain_gradient():
    cell, params, xs, _ = problem("rnn", T=3, H=2)

    def both(f):
        return jax.hessian(f)(params.b), jax.jacrev(jax.grad(f))(params.b)

    def loss(b, gradient):
        return (unroll(rnn(), params._replace(b=b), xs, gradient=gradient)[1] ** 2).sum()

    got, want = (both(partial(loss, gradient=gradient)) for gradient in ("custom", "plain"))
    assert_trees_close(got, want, rtol=1e-5)
    assert cell is rnn()


def test_a_layer_of_a_stack_that_is_wrong_is_named():
    with pytest.raises(ValueError, match="have 4 features") as caught:
        stack(CELL, [P, P], XS)
    assert caught.value.__notes__ == ["in layer 1 of the stack"]
