"""Long short-term memory whose gates see the memory."""

from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.nn import sigmoid

from zoo.cells.cell import Cell
from zoo.cells.lstm import LSTMCarry, lstm


class PeepholeParams(NamedTuple):
    """w_x (D, 4H), w_h (H, 4H), b (4H,), gates in the order i, f, g, o; p_i, p_f and p_o (H,), what the
    gates take of the memory of their own unit."""

    w_x: Array
    w_h: Array
    b: Array
    p_i: Array
    p_f: Array
    p_o: Array


def peephole_lstm(forget_bias: float = 1.0) -> Cell:
    """Long short-term memory with peepholes (Gers & Schmidhuber 2000; Graves 2013).

        i = sigmoid(W_i x + U_i h + p_i c + b_i)
        f = sigmoid(W_f x + U_f h + p_f c + b_f)
        g = tanh(W_g x + U_g h + b_g)
        c' = f c + i g
        o = sigmoid(W_o x + U_o h + p_o c' + b_o)
        h' = o tanh(c')

    The peepholes are zeros at first, so that the cell begins as an LSTM. ``forget_bias`` is the initial
    value of b_f.
    """
    return _peephole_lstm(float(forget_bias))


@cache
def _peephole_lstm(forget_bias):
    plain = lstm(forget_bias)

    def init(key, D, H):
        return PeepholeParams(*plain.init(key, D, H), jnp.zeros(H), jnp.zeros(H), jnp.zeros(H))

    def gates(params, carry, gx, gh):
        i, f, g, o = jnp.split(gx + gh, 4)
        i = sigmoid(i + params.p_i * carry.c)
        f = sigmoid(f + params.p_f * carry.c)
        c = f * carry.c + i * jnp.tanh(g)
        h = sigmoid(o + params.p_o * c) * jnp.tanh(c)
        return LSTMCarry(h, c), h

    return plain._replace(init=init, gates=gates)
