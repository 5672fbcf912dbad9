"""The multiplicative LSTM: each input has a recurrent matrix of its own, in factors."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import glorot_uniform, orthogonal

from zoo.cells.cell import Cell
from zoo.cells.lstm import lstm


class MultiplicativeParams(NamedTuple):
    """w_x (D, 4H), w_h (H, 4H), b (4H,), gates in the order i, f, g, o, for x and m; m_x (D, H) and
    m_h (H, H), which make m."""

    w_x: Array
    w_h: Array
    b: Array
    m_x: Array
    m_h: Array


def multiplicative_lstm(forget_bias: float = 1.0) -> Cell:
    """The multiplicative LSTM (Krause et al. 2016, arXiv 1609.07959).

        m = (M_x x) (M_h h)

    and then the LSTM of x and m, in the place of h. ``forget_bias`` is the initial value of b_f. Not to be
    taken for the mLSTM of xLSTM.
    """
    return _multiplicative_lstm(float(forget_bias))


@cache
def _multiplicative_lstm(forget_bias):
    plain = lstm(forget_bias)

    def init(key, D, H):
        base, x, h = jax.random.split(key, 3)
        m = glorot_uniform()(x, (D, H)), orthogonal()(h, (H, H))
        return MultiplicativeParams(*plain.init(base, D, H), *m)

    def inputs(params, xs):
        def product(w):
            return jnp.matmul(xs, w, preferred_element_type=params.b.dtype)

        return product(params.w_x) + params.b[None, None], product(params.m_x)

    def recurrent(params):
        return params.m_h, params.w_h

    def operand(params, carry, gx, zs):
        return gx[1] * zs[0] if zs else carry.h

    def gates(params, carry, gx, zs):
        return plain.gates(params, carry, gx[0], zs[1])

    return Cell(init, plain.carry, inputs, recurrent, gates, operand=operand)
