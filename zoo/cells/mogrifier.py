"""The Mogrifier: input and state gate each other before the cell reads them."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.nn import sigmoid
from jax.nn.initializers import glorot_uniform

from zoo.cells.cell import Cell
from zoo.cells.lstm import lstm


class MogrifierParams(NamedTuple):
    """w_x (D, 4H), w_h (H, 4H), b (4H,), gates in the order i, f, g, o; q (·, H, D) and r (·, D, H), a
    matrix for each round."""

    w_x: Array
    w_h: Array
    b: Array
    q: Array
    r: Array


def mogrifier_lstm(rounds: int = 5, forget_bias: float = 1.0) -> Cell:
    """The Mogrifier LSTM (Melis, Kočiský & Blunsom 2020, arXiv 1909.01792), with matrices of full rank.

        x <- 2 sigmoid(Q_1 h) x
        h <- 2 sigmoid(R_1 x) h
        x <- 2 sigmoid(Q_2 h) x    and so on, ``rounds`` in all

    and then the LSTM of this x and h. ``forget_bias`` is the initial value of b_f. Raises ValueError for
    negative rounds.
    """
    if rounds < 0:
        raise ValueError(f"rounds must be at least 0; got {rounds}")
    return _mogrifier_lstm(int(rounds), float(forget_bias))


@cache
def _mogrifier_lstm(rounds, forget_bias):
    plain = lstm(forget_bias)

    def init(key, D, H):
        base, *keys = jax.random.split(key, 1 + rounds)
        q = [glorot_uniform()(k, (H, D)) for k in keys[::2]]
        r = [glorot_uniform()(k, (D, H)) for k in keys[1::2]]
        q, r = (
            jnp.stack(each) if each else jnp.zeros((0, *shape))
            for each, shape in ((q, (H, D)), (r, (D, H)))
        )
        return MogrifierParams(*plain.init(base, D, H), q, r)

    def recurrent(params):
        turns = [params.q[i // 2] if i % 2 == 0 else params.r[i // 2] for i in range(rounds)]
        return *turns, jnp.concatenate([params.w_x, params.w_h])

    def operand(params, carry, x, zs):
        h = carry.h
        for i, z in enumerate(zs):
            if i % 2 == 0:
                x = 2 * sigmoid(z) * x
            else:
                h = 2 * sigmoid(z) * h
        if len(zs) == rounds:
            return jnp.concatenate([x, h])
        return h if len(zs) % 2 == 0 else x

    def gates(params, carry, x, zs):
        return plain.gates(params, carry, params.b, zs[-1])

    return Cell(init, plain.carry, lambda params, xs: xs, recurrent, gates, operand=operand)
