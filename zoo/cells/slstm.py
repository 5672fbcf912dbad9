"""The sLSTM of xLSTM: exponential input gates, and a memory that is divided by what went into it."""

from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.nn import log_sigmoid, sigmoid

from zoo.cells.cell import Cell
from zoo.cells.lstm import lstm


class SLSTMParams(NamedTuple):
    """w_x (D, 4H), w_h (H, 4H), b (4H,); gates side by side in the order i, f, z, o."""

    w_x: Array
    w_h: Array
    b: Array


class SLSTMCarry(NamedTuple):
    """Output h, memory c, normaliser n and stabiliser m, each (B, H). c and n are to be multiplied by
    exp(m); of n = 0, that of a beginning, m means nothing."""

    h: Array
    c: Array
    n: Array
    m: Array


def slstm(forget_bias: float = 1.0) -> Cell:
    """The sLSTM (Beck et al. 2024, arXiv 2405.04517, equations 8 to 17), with one head.

        z = tanh(W_z x + R_z h + b_z)
        i = exp(W_i x + R_i h + b_i)
        f = sigmoid(W_f x + R_f h + b_f)
        o = sigmoid(W_o x + R_o h + b_o)
        c' = f c + i z
        n' = f n + i
        h' = o c' / n'

    computed as c exp(-m) and n exp(-m), with m' = max(log f + m, log i), which no number overflows in.
    ``forget_bias`` is the initial value of b_f. The paper leaves open whether f is a sigmoid or an
    exponential.
    """
    return _slstm(float(forget_bias))


@cache
def _slstm(forget_bias):
    plain = lstm(forget_bias)

    def init(key, D, H):
        return SLSTMParams(*plain.init(key, D, H))

    def carry(params, B):
        h, c = plain.carry(params, B)
        return SLSTMCarry(h, c, *plain.carry(params, B))

    def gates(params, carry, gx, gh):
        i, f, z, o = jnp.split(gx + gh, 4)
        f = log_sigmoid(f) + carry.m
        m = jnp.where(carry.n == 0, i, jnp.maximum(f, i))
        i, f = jnp.exp(i - m), jnp.exp(jnp.where(carry.n == 0, -jnp.inf, f - m))
        c = f * carry.c + i * jnp.tanh(z)
        n = f * carry.n + i
        h = sigmoid(o) * c / n
        return SLSTMCarry(h, c, n, m), h

    return plain._replace(init=init, carry=carry, gates=gates)
