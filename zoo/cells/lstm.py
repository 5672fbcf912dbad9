"""Long short-term memory."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.nn import sigmoid
from jax.nn.initializers import glorot_uniform, orthogonal

from zoo.cells.cell import Cell, affine_inputs, kernels, recurrent_matrix, zeros


class LSTMParams(NamedTuple):
    """w_x (D, 4H), w_h (H, 4H), b (4H,); gates side by side in the order i, f, g, o."""

    w_x: Array
    w_h: Array
    b: Array


class LSTMCarry(NamedTuple):
    """Output h and memory c, each (B, H)."""

    h: Array
    c: Array


def lstm(forget_bias: float = 1.0, whole: bool = False) -> Cell:
    """Long short-term memory with forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

        i = sigmoid(W_i x + U_i h + b_i)
        f = sigmoid(W_f x + U_f h + b_f)
        g = tanh(W_g x + U_g h + b_g)
        o = sigmoid(W_o x + U_o h + b_o)
        c' = f c + i g
        h' = o tanh(c')

    ``forget_bias`` is the initial value of b_f (Jozefowicz et al. 2015), never added in the forward
    pass, so weights mean the same as in PyTorch, Keras, Flax and cuDNN. PyTorch's two biases are
    summed in ``b``. ``whole`` draws W_x and W_h as one matrix each, as Keras does, instead of a gate
    at a time: smaller initial values.
    """
    return _lstm(float(forget_bias), whole)


@cache
def _lstm(forget_bias, whole):
    def init(key, D, H):
        if whole:
            x, h = jax.random.split(key)
            w_x, w_h = glorot_uniform()(x, (D, 4 * H)), orthogonal()(h, (H, 4 * H))
        else:
            w_x, w_h = kernels(key, D, H, 4)
        return LSTMParams(w_x, w_h, jnp.zeros(4 * H).at[H : 2 * H].set(forget_bias))

    def carry(params, B):
        return LSTMCarry(zeros(params, B), zeros(params, B))

    def gates(params, carry, gx, gh):
        i, f, g, o = jnp.split(gx + gh, 4)
        c = sigmoid(f) * carry.c + sigmoid(i) * jnp.tanh(g)
        h = sigmoid(o) * jnp.tanh(c)
        return LSTMCarry(h, c), h

    return Cell(init, carry, affine_inputs, recurrent_matrix, gates)
