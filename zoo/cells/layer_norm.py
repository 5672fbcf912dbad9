"""Long short-term memory with layer normalisation."""

from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.nn import sigmoid

from zoo.cells.cell import Cell, Columns
from zoo.cells.lstm import LSTMCarry, lstm

_EPSILON = 1e-5  # of the variance, as in the paper's code


class LayerNormParams(NamedTuple):
    """w_x (D, 4H), w_h (H, 4H), b (4H,), gates in the order i, f, g, o; gain_x and gain_h (4H,) of the two
    products, gain_c and bias_c (H,) of the memory."""

    w_x: Array
    w_h: Array
    b: Array
    gain_x: Array
    gain_h: Array
    gain_c: Array
    bias_c: Array


def layer_norm_lstm(forget_bias: float = 1.0) -> Cell:
    """Long short-term memory with layer normalisation (Ba, Kiros & Hinton 2016, equations 20 to 22).

        z = N(U h) gain_h + N(W x) gain_x + b, cut into i, f, g, o
        c' = sigmoid(f) c + sigmoid(i) tanh(g)
        h' = sigmoid(o) tanh(N(c') gain_c + bias_c)

    N takes the mean from a vector and divides by the standard deviation: of all 4H numbers of a product, of
    the H of a memory. ``forget_bias`` is the initial value of b_f.
    """
    return _layer_norm_lstm(float(forget_bias))


@cache
def _layer_norm_lstm(forget_bias):
    plain = lstm(forget_bias)

    def init(key, D, H):
        gains = jnp.ones(4 * H), jnp.ones(4 * H), jnp.ones(H)
        return LayerNormParams(*plain.init(key, D, H), *gains, jnp.zeros(H))

    def share(params, x, axis):
        return _normal(x, axis) * params.gain_x + params.b

    def inputs(params, xs):
        # Added up in the type of b, which stays float32 where products are of bfloat16.
        x = jnp.matmul(xs, params.w_x, preferred_element_type=params.b.dtype)
        vectors = params._replace(gain_x=params.gain_x[None, None], b=params.b[None, None])
        return share(vectors, x, -1)

    def gates(params, carry, gx, gh):
        i, f, g, o = jnp.split(gx + _normal(gh, 0) * params.gain_h, 4)
        c = sigmoid(f) * carry.c + sigmoid(i) * jnp.tanh(g)
        h = sigmoid(o) * jnp.tanh(_normal(c, 0) * params.gain_c + params.bias_c)
        return LSTMCarry(h, c), h

    def many(params, carry, zx, zh):
        return gates(params, carry, share(params, zx, 0), zh)

    columns = Columns(inputs, gates, many)
    return plain._replace(init=init, inputs=inputs, gates=gates, columns=columns)


def _normal(a, axis):
    """The vectors along an axis, with mean 0 and variance 1."""
    a = a - a.mean(axis, keepdims=True)
    return a * lax.rsqrt((a * a).mean(axis, keepdims=True) + _EPSILON)
