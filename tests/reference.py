"""What decides in the tests: the papers' equations in NumPy, one sequence and one step at a time.

Everything is float64 and knows nothing of JAX or of batches: a state is a tuple of vectors (H,), an
input a vector (D,). Parameters are the cells' own, gates side by side.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from zoo.cells import CELLS
from zoo.unroll.layout import LAYOUTS

# Cells with a gradient by hand, whose gates are more than those of the three that all ways are tested with.
OTHERS = ["peephole_lstm", "layer_norm_lstm", "mogrifier_lstm", "multiplicative_lstm", "slstm"]
# What runs in columns too: cells of one product a step.
IN_LAYOUTS = [
    (name, layout)
    for name, make in CELLS.items()
    for layout in (LAYOUTS if make().operand is None else ["rows"])
]

# Tiny programs that run once: unoptimised code compiles in half the time.
jit = partial(
    jax.jit,
    compiler_options={
        "xla_backend_optimization_level": 0,
        "xla_llvm_disable_expensive_passes": True,
    },
)


def parameters(task, seed=0):
    """First parameters of a task's model, or of all members of its bank."""
    key = jax.random.key(seed)
    many = task.members
    return jax.lax.map(task.init, jax.random.split(key, many)) if many else task.init(key)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(params, state, x):
    """Gers et al. 2000, without peepholes."""
    h, c = state
    W_i, W_f, W_g, W_o = np.split(params.w_x, 4, axis=1)
    U_i, U_f, U_g, U_o = np.split(params.w_h, 4, axis=1)
    b_i, b_f, b_g, b_o = np.split(params.b, 4)
    i = sigmoid(x @ W_i + h @ U_i + b_i)
    f = sigmoid(x @ W_f + h @ U_f + b_f)
    g = np.tanh(x @ W_g + h @ U_g + b_g)
    o = sigmoid(x @ W_o + h @ U_o + b_o)
    c = f * c + i * g
    return o * np.tanh(c), c


def gru(params, state, x):
    """Cho et al. 2014, the reset gate after the recurrent product."""
    (h,) = state
    W_r, W_z, W_n = np.split(params.w_x, 3, axis=1)
    U_r, U_z, U_n = np.split(params.w_h, 3, axis=1)
    b_r, b_z, b = np.split(params.b, 3)
    r = sigmoid(x @ W_r + h @ U_r + b_r)
    z = sigmoid(x @ W_z + h @ U_z + b_z)
    n = np.tanh(x @ W_n + b + r * (h @ U_n + params.b_n))
    return ((1 - z) * n + z * h,)


def rnn(params, state, x):
    """Elman 1990."""
    (h,) = state
    return (np.tanh(x @ params.w_x + h @ params.w_h + params.b),)


def peephole_lstm(params, state, x):
    """Gers & Schmidhuber 2000."""
    h, c = state
    i, f, g, o = np.split(x @ params.w_x + h @ params.w_h + params.b, 4)
    i, f = sigmoid(i + params.p_i * c), sigmoid(f + params.p_f * c)
    c = f * c + i * np.tanh(g)
    return sigmoid(o + params.p_o * c) * np.tanh(c), c


def layer_norm_lstm(params, state, x):
    """Ba, Kiros & Hinton 2016, equations 20 to 22."""

    def LN(z, gain, bias):
        return gain * (z - z.mean()) / np.sqrt(z.var() + 1e-5) + bias

    h, c = state
    z = LN(h @ params.w_h, params.gain_h, 0) + LN(x @ params.w_x, params.gain_x, 0) + params.b
    i, f, g, o = np.split(z, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(LN(c, params.gain_c, params.bias_c)), c


def mogrifier_lstm(params, state, x):
    """Melis et al. 2020, equations 1 and 2, five rounds."""
    h, c = state
    for i in range(5):
        if i % 2 == 0:
            x = 2 * sigmoid(h @ params.q[i // 2]) * x
        else:
            h = 2 * sigmoid(x @ params.r[i // 2]) * h
    return lstm(params, (h, c), x)


def multiplicative_lstm(params, state, x):
    """Krause et al. 2016, equations 9 to 14."""
    h, c = state
    return lstm(params, ((x @ params.m_x) * (h @ params.m_h), c), x)


def slstm(params, state, x):
    """Beck et al. 2024, equations 8 to 14, whose memory and normaliser are c exp(m) and n exp(m)."""
    h, c, n, m = state
    i, f, z, o = np.split(x @ params.w_x + h @ params.w_h + params.b, 4)
    after = np.where(n == 0, i, np.maximum(np.log(sigmoid(f)) + m, i))
    c, n = c * np.exp(m), n * np.exp(m)
    c = sigmoid(f) * c + np.exp(i) * np.tanh(z)
    n = sigmoid(f) * n + np.exp(i)
    return sigmoid(o) * c / n, c * np.exp(-after), n * np.exp(-after), after


def minlstm(params, state, x):
    """Feng et al. 2024."""
    (h,) = state
    i, f, g = np.split(x @ params.w_x + params.b, 3)
    i, f = sigmoid(i), sigmoid(f)
    return (f / (f + i) * h + i / (f + i) * np.where(g >= 0, g + 0.5, sigmoid(g)),)


def mingru(params, state, x):
    """Feng et al. 2024."""
    (h,) = state
    z, n = np.split(x @ params.w_x + params.b, 2)
    z = sigmoid(z)
    return ((1 - z) * h + z * np.where(n >= 0, n + 0.5, sigmoid(n)),)


STEPS = {
    "lstm": lstm,
    "peephole_lstm": peephole_lstm,
    "layer_norm_lstm": layer_norm_lstm,
    "mogrifier_lstm": mogrifier_lstm,
    "multiplicative_lstm": multiplicative_lstm,
    "slstm": slstm,
    "gru": gru,
    "rnn": rnn,
    "minlstm": minlstm,
    "mingru": mingru,
}


def unroll(step, params, xs, carry, lengths=None, resets=None, reverse=False):
    """What ``zoo.unroll.unroll`` promises, by loops: xs (T, B, D) -> (last carry, ys (T, B, H)).

    The output is the state's first entry. Steps at or beyond a sequence's length are never taken.
    """
    T, B, _ = xs.shape
    ys = np.zeros((T, B, carry[0].shape[1]))
    last = [np.array(a) for a in carry]
    for b in range(B):
        state = tuple(a[b] for a in carry)
        steps = range(T if lengths is None else lengths[b])
        for t in reversed(steps) if reverse else steps:
            if resets is not None and resets[t, b]:
                state = tuple(np.zeros_like(a) for a in state)
            state = step(params, state, xs[t, b])
            ys[t, b] = state[0]
        for a, s in zip(last, state, strict=True):
            a[b] = s
    return last, ys


def numpy64(tree):
    """The same tree with float64 NumPy arrays."""
    return jax.tree.map(lambda a: np.asarray(a, np.float64), tree)


def problem(name, seed=0, T=6, B=3, D=2, H=4):
    """A cell of CELLS with random parameters, inputs and carry, in JAX's current float."""
    cell = CELLS[name]()
    return cell, *random_arrays(cell, seed, T, B, D, H)


def random_arrays(cell, seed, T, B, D, H):
    """Random params (biases too, so that no two are alike), xs (T, B, D) and carry for any cell.

    Only the shapes come from the cell: NumPy draws, which saves the compilation of ``cell.init``.
    """
    rng = np.random.default_rng(seed)

    def draw(shape):
        return jnp.asarray(rng.normal(0, 0.5, shape.shape), float)

    params = jax.eval_shape(lambda: cell.init(jax.random.key(0), D, H))
    carry = jax.eval_shape(lambda p: cell.carry(p, B), params)
    params, carry = jax.tree.map(draw, (params, carry))
    return params, jnp.asarray(rng.normal(size=(T, B, D)), float), carry


def assert_trees_close(got, want, rtol, atol=0.0):
    """Every leaf of two trees of the same shape, by the largest error over the largest value."""
    got, want = jax.tree.leaves_with_path(got), jax.tree.leaves(want)
    assert len(got) == len(want)
    for (path, a), b in zip(got, want, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        name = jax.tree_util.keystr(path)
        assert a.shape == b.shape, f"{name}: {a.shape} against {b.shape}"
        error = np.abs(a - b).max(initial=0.0)
        bound = rtol * np.abs(b).max(initial=0.0) + atol
        assert error <= bound, f"{name}: off by {error:.3g}, allowed {bound:.3g}"
