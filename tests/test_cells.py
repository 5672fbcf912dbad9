"""The cells against the papers' equations in NumPy and against PyTorch's numbers."""

import importlib.util
import itertools
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from reference import IN_LAYOUTS, assert_trees_close, jit, numpy64, problem

from zoo.cells import (
    CELLS,
    GRUCarry,
    GRUParams,
    LSTMCarry,
    LSTMParams,
    MogrifierParams,
    RNNCarry,
    RNNParams,
    gru,
    layer_norm_lstm,
    lstm,
    mingru,
    minlstm,
    mogrifier_lstm,
    multiplicative_lstm,
    peephole_lstm,
    rnn,
    slstm,
    step,
)
from zoo.cells.minimal import linear
from zoo.unroll import bidirectional, stack, unroll

GOLDEN = Path(__file__).parent / "golden"
GATES = {"lstm": 4, "gru": 3, "rnn": 1, "minlstm": 3, "mingru": 2}  # others begin as the lstm


def lstm_from_torch(weights, suffix="l0"):
    """PyTorch's LSTM: gates i, f, g, o as rows, and two biases that are only ever added."""
    w_x, w_h, b_ih, b_hh = layer(weights, suffix)
    return LSTMParams(w_x.T, w_h.T, b_ih + b_hh)


def gru_from_torch(weights, suffix="l0"):
    """PyTorch's GRU: gates r, z, n as rows; b_hn stays inside the reset gate's product."""
    w_x, w_h, b_ih, b_hh = layer(weights, suffix)
    hidden = w_h.shape[1]
    rz, n = slice(0, 2 * hidden), slice(2 * hidden, 3 * hidden)
    b = jnp.concatenate([b_ih[rz] + b_hh[rz], b_ih[n]])
    return GRUParams(w_x.T, w_h.T, b, b_hh[n])


def rnn_from_torch(weights, suffix="l0"):
    w_x, w_h, b_ih, b_hh = layer(weights, suffix)
    return RNNParams(w_x.T, w_h.T, b_ih + b_hh)


def layer(weights, suffix):
    return [
        weights[f"{name}_{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]


def one_layer(cell, carry_type, convert):
    """A runner: PyTorch's arrays by name -> PyTorch's results by name."""

    def run(arrays, lengths):
        carry = carry_type(*(a[0] for a in states(arrays)))
        last, ys = unroll(cell, convert(arrays), arrays["input"], carry, lengths=lengths)
        return results([last], ys)

    return run


def two_directions(arrays, lengths):
    params = lstm_from_torch(arrays), lstm_from_torch(arrays, "l0_reverse")
    carry = tuple(LSTMCarry(h, c) for h, c in zip(*states(arrays), strict=True))
    return results(*bidirectional(lstm(), params, arrays["input"], carry, lengths=lengths))


def two_layers(arrays, lengths):
    params = lstm_from_torch(arrays), lstm_from_torch(arrays, "l1")
    carry = [LSTMCarry(h, c) for h, c in zip(*states(arrays), strict=True)]
    return results(*stack(lstm(), params, arrays["input"], carry, lengths=lengths))


def states(arrays):
    return [arrays[name] for name in ("h_0", "c_0") if name in arrays]


def results(carries, ys):
    """Our carries, one a layer or direction, as PyTorch's h_n and c_n (layers, B, H)."""
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *carries)
    return {"output": ys, **{f"{name}_n": a for name, a in stacked._asdict().items()}}


RUNNERS = {
    "lstm": one_layer(lstm(), LSTMCarry, lstm_from_torch),
    "gru": one_layer(gru(), GRUCarry, gru_from_torch),
    "rnn": one_layer(rnn(), RNNCarry, rnn_from_torch),
    "bidirectional": two_directions,
    "stack": two_layers,
}


def assert_equals_torch(name, arrays, rtol=1e-5):
    """Outputs, final states and gradients; JAX differentiates the change of layout too."""
    lengths = arrays.get("lengths")
    variables = {key: a for key, a in arrays.items() if f"grad.{key}" in arrays}

    def loss(variables):
        out = RUNNERS[name](variables, lengths)
        return sum((arrays[f"loss.{key}"] * a).sum() for key, a in out.items()), out

    grads, out = jit(jax.grad(loss, has_aux=True))(variables)
    assert len(grads) >= 6, "input, a state and four weights at least"
    assert_trees_close(out, {key: arrays[key] for key in out}, rtol)
    assert_trees_close(grads, {key: arrays[f"grad.{key}"] for key in grads}, rtol)


@pytest.mark.parametrize("name", RUNNERS)
def test_outputs_states_and_gradients_equal_the_committed_ones_of_torch(name):
    with np.load(GOLDEN / "torch.npz") as file:
        arrays = {key.split("/")[1]: file[key] for key in file.files if key.startswith(f"{name}/")}
    assert_equals_torch(name, arrays)


@pytest.mark.parametrize("name", RUNNERS)
def test_outputs_states_and_gradients_equal_those_of_the_installed_torch(name):
    torch = pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("make_golden", GOLDEN / "make_golden.py")
    golden = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(golden)
    rng = np.random.default_rng()
    T, B, D, H = (int(n) for n in rng.integers(1, 9, 4))
    seed = int(rng.integers(1000))
    print(f"sizes {(T, B, D, H)}, seed {seed}")  # shown by pytest where the test fails
    torch.manual_seed(seed)
    lengths = [int(n) for n in rng.integers(1, T + 1, B)]
    assert_equals_torch(name, golden.case(name, (T, B, D, H), lengths))


@pytest.mark.parametrize("name", reference.STEPS)
def test_unroll_follows_the_equations_of_the_paper(name):
    with jax.enable_x64(True):
        cell, *arrays = problem(name)
        got = jit(partial(unroll, cell))(*arrays)
    want = reference.unroll(reference.STEPS[name], *numpy64(arrays))
    assert_trees_close(got, want, rtol=1e-13)


@pytest.mark.parametrize("name", reference.STEPS)
def test_step_follows_the_equations_of_the_paper(name):
    with jax.enable_x64(True):
        cell, params, xs, carry = problem(name, T=1)
        after, y = jit(partial(step, cell))(params, carry, xs[0])
    want = reference.unroll(reference.STEPS[name], *numpy64((params, xs, carry)))
    assert_trees_close((after, y), (want[0], want[1][0]), rtol=1e-13)
    assert type(after) is type(carry)


@pytest.mark.parametrize("name", reference.STEPS)
def test_saturated_gates_stay_exact_and_their_gradients_finite(name):
    cell, params, xs, carry = problem(name)
    xs = 100 * jnp.sign(xs)
    want = reference.unroll(reference.STEPS[name], *numpy64((params, xs, carry)))

    def loss(params):
        out = unroll(cell, params, xs, carry)
        return out[1].sum(), out

    grads, out = jit(jax.grad(loss, has_aux=True))(params)
    assert_trees_close(out, want, rtol=1e-5)
    assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(grads))


@cache
def initial(cell, seed=0, D=30, H=50):
    """One size for all tests: JAX then compiles each operation of ``init`` once."""
    return cell.init(jax.random.key(seed), D, H)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_recurrent_kernel_is_orthogonal_per_gate_and_no_two_gates_are_alike(name):
    params = initial(CELLS[name]())
    blocks = np.split(np.asarray(params.w_h), GATES[name], axis=1)
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, np.eye(50), atol=1e-5)
    for a, b in itertools.combinations(blocks, 2):
        assert np.abs(a - b).max() > 0.1


@pytest.mark.parametrize("name", GATES)
def test_input_kernel_is_glorot_uniform_for_each_gate_by_itself(name):
    params = initial(CELLS[name]())
    bound = np.sqrt(6 / (30 + 50))
    blocks = np.split(np.asarray(params.w_x), GATES[name], axis=1)
    for block in blocks:
        assert block.shape == (30, 50)
        assert 0.99 * bound < np.abs(block).max() <= bound
        np.testing.assert_allclose(block.std(), bound / np.sqrt(3), rtol=0.05)
    for a, b in itertools.combinations(blocks, 2):
        assert np.abs(a - b).max() > 0.1


FORGETFUL = [
    lstm,
    peephole_lstm,
    layer_norm_lstm,
    mogrifier_lstm,
    multiplicative_lstm,
    slstm,
    minlstm,
]


@pytest.mark.parametrize("make", FORGETFUL)
@pytest.mark.parametrize("value", [1.0, -2.5])
def test_forget_bias_is_the_initial_value_of_its_part_of_b(make, value):
    cell = make() if value == 1 else make(forget_bias=value)
    gates = 3 if make is minlstm else 4
    np.testing.assert_array_equal(initial(cell).b, np.repeat([0, value, 0, 0][:gates], 50))


@pytest.mark.parametrize("make", [peephole_lstm, layer_norm_lstm, slstm])
def test_kernels_are_those_of_the_lstm_with_the_same_key(make):
    params, plain = initial(make()), initial(lstm())
    np.testing.assert_array_equal(params.w_x, plain.w_x)
    np.testing.assert_array_equal(params.w_h, plain.w_h)


def test_peepholes_and_normalisation_begin_as_nothing():
    params = initial(peephole_lstm())
    assert not any(np.any(p) for p in (params.p_i, params.p_f, params.p_o))
    params = initial(layer_norm_lstm())
    assert all(np.all(p == 1) for p in (params.gain_x, params.gain_h, params.gain_c))
    assert not np.any(params.bias_c)


@pytest.mark.parametrize("part", ["gates", "inputs"])
def test_columns_of_layer_normalisation_go_with_its_own_gates_and_inputs_alone(part):
    cell, params, xs, carry = problem("layer_norm_lstm", B=8, T=5)
    other = cell._replace(
        **{part: lambda *given: jax.tree.map(lambda a: a / 2, getattr(cell, part)(*given))}
    )
    ways = [
        jit(partial(unroll, each, layout=layout, return_carries=True))(params, xs, carry)
        for each in (cell, other)
        for layout in ("rows", "columns")
    ]
    assert_trees_close(ways[0], ways[1], rtol=1e-5, atol=1e-6)
    assert_trees_close(ways[2], ways[3], rtol=1e-5, atol=1e-6)
    assert float(jnp.abs(ways[0][1] - ways[2][1]).max()) > 1e-3


def test_a_mogrifier_of_no_rounds_is_an_lstm_and_of_few_has_few_matrices():
    _, params, xs, carry = problem("lstm")
    none = jnp.zeros((0, 4, 2)), jnp.zeros((0, 2, 4))
    got = jit(partial(unroll, mogrifier_lstm(0)))(MogrifierParams(*params, *none), xs, carry)
    assert_trees_close(got, jit(partial(unroll, lstm()))(params, xs, carry), rtol=1e-6)
    for rounds, q, r in ((1, 1, 0), (2, 1, 1), (5, 3, 2)):
        params = jax.eval_shape(lambda n=rounds: mogrifier_lstm(n).init(jax.random.key(0), 2, 4))
        assert (params.q.shape, params.r.shape) == ((q, 4, 2), (r, 2, 4))
    with pytest.raises(ValueError, match="rounds must be at least 0; got -1"):
        mogrifier_lstm(-1)


def test_slstm_neither_overflows_nor_divides_by_nothing():
    cell, params, xs, _ = problem("slstm", T=40)
    resets = jnp.zeros(xs.shape[:2], bool).at[17].set(True)

    def loss(params):
        carry, ys = unroll(cell, params, xs, resets=resets)
        return (ys**2).sum(), (carry, ys)

    for value in (-1000.0, 1000.0):  # of the input gate, whose exponential is no number
        b = params.b.at[:4].set(value)
        grads, (carry, ys) = jit(jax.grad(loss, has_aux=True))(params._replace(b=b))
        assert all(bool(jnp.isfinite(a).all()) for a in jax.tree.leaves((grads, carry, ys)))
        assert float(jnp.abs(ys).max()) <= 1 and bool((carry.n >= 1).all())
    same, moved = (  # only the ratios of input gates matter
        jit(partial(unroll, cell))(params._replace(b=params.b.at[:4].add(v)), xs)[1] for v in (0, 9)
    )
    np.testing.assert_allclose(moved[0], same[0], rtol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("T", [0, 1, 4, 11])
def test_a_linear_recurrence_is_the_same_in_parallel_and_step_by_step(reverse, T):
    rng = np.random.default_rng(0)
    a, b, h = rng.uniform(0, 1, (T, 2, 3)), rng.normal(size=(T, 2, 3)), rng.normal(size=(2, 3))
    a[T // 2 :, 0] = 0  # a reset

    def loss(a, b, h, parallel):
        last, hs = linear(a, b, h, reverse, parallel)
        return jnp.sin(last).sum() + (hs**2).sum(), (last, hs)

    with jax.enable_x64(True):
        one, other = (
            jit(jax.grad(partial(loss, parallel=way), (0, 1, 2), has_aux=True))(a, b, h)
            for way in (True, False)
        )
    assert_trees_close(one, other, rtol=1e-12)
    state, want = h, np.zeros_like(b)
    for t in reversed(range(T)) if reverse else range(T):
        want[t] = state = a[t] * state + b[t]
    assert_trees_close(one[1], (state, want), rtol=1e-12)


def test_forget_bias_is_never_added_in_the_forward_pass():
    _, *arrays = problem("lstm")
    one, other = (jit(partial(unroll, cell))(*arrays) for cell in (lstm(0.0), lstm(5.0)))
    assert_trees_close(one, other, rtol=0)


@pytest.mark.parametrize("cell", [gru(), rnn(), mingru()])
def test_other_biases_start_at_zero(cell):
    for name, a in initial(cell)._asdict().items():
        assert bool(np.any(a)) == name.startswith("w_"), name


def test_init_is_a_function_of_the_key():
    cell = lstm()
    again = initial.__wrapped__(cell)
    assert_trees_close(again, initial(cell), rtol=0)
    other = initial(cell, seed=1)
    assert np.abs(np.asarray(other.w_x) - np.asarray(again.w_x)).max() > 0.1
    assert np.abs(np.asarray(other.w_h) - np.asarray(again.w_h)).max() > 0.1


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float64])
@pytest.mark.parametrize(("name", "layout"), IN_LAYOUTS)
def test_dtype_of_parameters_and_inputs_is_kept_by_results_and_gradients(name, dtype, layout):
    with jax.enable_x64(True):  # where a stray constant would turn float64
        cell, params, xs, _ = problem(name)
        params, xs = jax.tree.map(lambda a: a.astype(dtype), (params, xs))
        lengths, resets = jnp.array([6, 3, 0]), jnp.zeros(xs.shape[:2], bool).at[2].set(True)

        def loss(params, xs):
            carry, ys = unroll(cell, params, xs, lengths=lengths, resets=resets, layout=layout)
            return ys.sum() + carry.h.sum(), (carry, ys)

        # Shapes and types are known without compiling or running anything.
        grads, out = jax.eval_shape(jax.grad(loss, argnums=(0, 1), has_aux=True), params, xs)
        stepped = jax.eval_shape(partial(step, cell), params, out[0], xs[0])
    for path, a in jax.tree.leaves_with_path((grads, out, stepped)):
        assert a.dtype == dtype, f"{jax.tree_util.keystr(path)} is {a.dtype}"


@pytest.mark.parametrize("name", CELLS)
def test_init_gives_float32(name):
    params = jax.eval_shape(lambda: CELLS[name]().init(jax.random.key(0), 3, 2))
    assert {a.dtype for a in jax.tree.leaves(params)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("name", CELLS)
def test_zero_carry_can_be_donated(name):
    cell, params, xs, _ = problem(name)
    carry = cell.carry(params, 3)
    pointers = [a.unsafe_buffer_pointer() for a in jax.tree.leaves(carry)]
    assert len(set(pointers)) == len(pointers), "two fields share a buffer"
    assert not any(jnp.any(a) for a in jax.tree.leaves(carry))
    jit(lambda carry: unroll(cell, params, xs, carry), donate_argnums=0)(carry)
    assert all(a.is_deleted() for a in jax.tree.leaves(carry))


@pytest.mark.parametrize("make", [*CELLS.values(), lambda: lstm(2.0), lambda: mogrifier_lstm(2)])
def test_equal_arguments_give_the_same_cell_so_that_jit_compiles_once(make):
    traced = []

    @partial(jax.jit, static_argnums=0)
    def run(cell, x):
        traced.append(cell)
        return x

    run(make(), 1.0)
    run(make(), 2.0)
    assert make() is make()
    assert len(traced) == 1


def test_default_argument_given_by_hand_gives_the_same_cell():
    assert lstm() is lstm(1.0)
    assert lstm() is lstm(forget_bias=1.0)
    assert lstm() is lstm(1)


def test_strict_promotion_and_four_devices_are_on():
    assert jax.device_count() == 4
    with pytest.raises(jax.dtypes.TypePromotionError, match="strict"):
        jnp.ones(2, jnp.float32) + jnp.ones(2, jnp.bfloat16)
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.ones((2, 2)) + jnp.ones(2)
